"""Chemical formulas: their letters are named, their figures read."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.numbers import whole_number
from pipeline.text.rules.acronyms import letter_names
from pipeline.text.rules.rule import Line, rule
from pipeline.text.words import words as word_set

_ELEMENTS: Final = word_set(
    "H B C N O F P S K V Y I W U He Li Be Ne Na Mg Al Si Cl Ar Ca Sc Ti Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Zr Nb Mo Ru Rh Pd Ag Cd In Sn Sb"
    " Te Xe Cs Ba La Ce Nd Sm Eu Gd Dy Er Yb Hf Ta Re Os Ir Pt Au Hg Tl Pb Bi Th Pa"
)
_NAMED: Final = word_set(
    "NaCl KCl HCl LiCl CsCl AgCl NaF LiF NaBr KBr HBr AgBr NaI AgI NaOH KOH LiOH NaClO ZnO CuO FeO MgO CaO FeS ZnS PbS HgS CdS CdTe GaAs GaN InP"
    " Cl2 Br2 HbA1c SpO2 SaO2 FiO2 EtCO2 PvO2 SvO2 pCO2 pO2"
)
"""Formulas that the elements do not tell from a word, and quantities in medicine."""
_PART: Final = re.compile("([A-Z]?[a-z]?)([0-9]*)")


@rule("aA", lambda words: r"(?<![^\W0-9])(?<![.'])(?:(?:[A-Z][a-z]?[0-9]{0,2}){1,12}c?|pC?O2)(?![\w'])")
def formula(match: re.Match[str], line: Line) -> str | None:
    """Formulas with an element of two letters; others are read by their capitals and numbers.

    pt     NaCl → ene a cê ele
    pt     sal de NaHCO3 → sal de ene a agá cê o três
    pt     CaCO3 e Fe2O3 → cê a cê o três e efe e dois o três
    pt     CaCO₃ → cê a cê o três
    pt     2NaOH → dois ene a o agá
    pt     MgCl2 → eme gê cê ele dois
    pt     PaCO2 de 40 mmHg → pê a cê o dois de quarenta milímetros de mercúrio
    pt     SpO2 de 95% → esse pê o dois de noventa e cinco por cento
    pt     HbA1c de 7% → agá bê a um cê de sete por cento
    pt     a pO2 → a pê o dois
    pt     CO2, CH4 e H2O → cê o dois cê agá quatro e agá dois o
    pt     C6H12O6 → cê seis agá doze o seis
    pt     o Mac, a Lua e a Ana → o mac a lua e a ana
    es     NaCl → ene a ce ele
    es     CaCO3 → ce a ce o tres
    es     SpO2 del 95 % → ese pe o dos del noventa y cinco por ciento
    es     HbA1c → hache be a uno ce
    es     C6H12O6 → ce seis hache doce o seis
    """
    parts = [(symbol, figures) for symbol, figures in _PART.findall(match[0]) if symbol]
    symbols = [symbol for symbol, _ in parts]
    compound = len(parts) > 1 and any(figures for _, figures in parts) and max(map(len, symbols)) > 1 and _ELEMENTS.issuperset(symbols)
    if not compound and match[0] not in _NAMED:
        return None
    return " ".join(spoken for symbol, figures in parts
                    for spoken in (letter_names(symbol, line.words), *([whole_number(figures, line.locale)] if figures else [])))
