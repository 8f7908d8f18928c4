"""Operators, ranges, apostrophes and other signs."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import previous_word
from pipeline.text.alphabet import LETTER
from pipeline.text.portuguese import BRAZIL
from pipeline.text.quantity import NUMBER, Quantity
from pipeline.text.rules.patterns import CAPITAL
from pipeline.text.rules.rule import Line, rule

_RESULT: Final = re.compile(rf" ?{NUMBER} ?=")
_LEFT_FACTOR: Final = re.compile(rf"(?:(?P<word>{LETTER}{{1,20}}) )?(?<![0-9.,])[0-9.,]{{1,12}} ?(?P<unit>[a-zA-Z²³%]{{0,4}}) ?$")
_RIGHT_TEAM: Final = re.compile(f" ?[0-9]{{1,2}} [{CAPITAL}]")


@rule("0aA×", lambda words: (
    rf"(?<![\w.,])(?P<number>[0-9]{{1,4}}) ?[xX](?! ?[0-9]|{LETTER})"
    r"|(?:(?<=[0-9])|(?<=[0-9] )|(?<=[a-z²³] ))[xX×](?= ?[0-9])"
))
def multiplication(match: re.Match[str], line: Line) -> str | None:
    """An x beside numbers: a multiple, dimensions, a score, or a product where an equals sign follows.

    pt     em 12x sem juros → em doze vezes sem juros
    pt     2x → duas vezes
    pt     uma foto 3x4 → uma foto três por quatro
    pt     4 x 100 → quatro por cem
    pt     2 m x 3 m → dois metros por três metros
    pt     o eixo x 2 → o eixo x dois
    pt     ganhou por 3x1 → ganhou por três a um
    pt     Brasil 3 x 1 Chile → brasil três a um chile
    pt     3 × 4 = 12 → três vezes quatro igual a doze
    es     2x → dos veces
    es     21x → veintiuna veces
    es     ganó 3x1 → ganó tres a uno
    es     3 × 4 = 12 → tres por cuatro igual a doce
    """
    if match["number"]:
        return Quantity(match["number"]).with_noun(line.words.times, line.words)
    if _RESULT.match(line.text, match.end()):
        return line.words.symbols["×"]
    before = _LEFT_FACTOR.search(line.text[max(0, match.start() - 34) : match.start()])
    if not before:
        return None
    after = _RIGHT_TEAM.match(line.text, match.end())
    word = before["word"] or ""
    is_score = word.lower() in line.words.before_score or (after and word[:1].isupper())
    return line.words.to if is_score and not before["unit"] else line.words.by


@rule("-/", lambda words: r"(?<=[0-9h%€ºª])-(?=[0-9])|(?<=[0-9h%€ºª] )-(?= [0-9])|(?<=[IVX]{2})-(?=[IVX]{2})|(?<=[0-9a-z])/(?=[0-9])")
def between_numbers(match: re.Match[str], line: Line) -> str:
    """A hyphen between two numbers is a range, a score, or a minus where an equals sign follows; a slash is named.

    pt     10-15 pessoas → dez a quinze pessoas
    pt     1914–1918 → mil novecentos e catorze a mil novecentos e dezoito
    pt     das 13h-15h → das treze horas a quinze horas
    pt     ganhou por 3-1 → ganhou por três a um
    pt     10 - 3 = 7 → dez menos três igual a sete
    pt     maio/2024 → maio de dois mil e vinte e quatro
    pt     lei 8.666/93 → lei oito mil seiscentos e sessenta e seis barra noventa e três
    es     10-15 días → diez a quince días
    es     10 - 3 = 7 → diez menos tres igual a siete
    es     mayo/2024 → mayo de dos mil veinticuatro
    """
    words = line.words
    if match[0] == "/":
        return words.of if previous_word(line.text, match.start()).lower() in words.months else words.slash
    return words.minus if _RESULT.match(line.text, match.end()) else words.to


@rule("'A", lambda words: rf"(?<={LETTER})'(?={LETTER})|(?<!{LETTER})(?<!')D (?=[AEIOUÁÉÍÓÚÂÊÔ]{LETTER})")
def apostrophe(match: re.Match[str], line: Line) -> str | None:
    """An apostrophe within a word joins its parts, pronounced as one; at the edge of a word it is a quotation mark.

    A lone D between a name and the vowel of another has lost its apostrophe.

    pt     debaixo d'água → debaixo dágua
    pt     Sant’Ana → santana
    pt     McDonald's → mcdonalds
    pt     um clube chamado 'Gruta' → um clube chamado gruta
    pt     Moura D Avila → moura davila
    pt     a vitamina D Ajuda → a vitamina dê ajuda
    es     d'Artagnan → dartagnan
    """
    if match[0] == "'":
        return ""
    return "d" if previous_word(line.text, match.start())[:1].isupper() and not line.all_capitals else None


@rule("".join(BRAZIL.symbols), lambda words: r"[<>](?= ?[0-9])|[" + re.escape("".join({*words.symbols} - {*"<>"})) + "]")
def symbol(match: re.Match[str], line: Line) -> str:
    """Signs that are read aloud; < and > only before a number, since elsewhere they are markup.

    pt     2 + 2 = 4 → dois mais dois igual a quatro
    pt     pai & filho → pai e filho
    pt     x² → x ao quadrado
    pt     § 2 → parágrafo dois
    pt     5 > 3 → cinco maior que três
    es     2 + 2 = 4 → dos más dos igual a cuatro
    es     Women & Media → women y media
    """
    return line.words.symbols[match[0]]


@rule("#", lambda words: r"#(?= ?[0-9])")
def number_sign(match: re.Match[str], line: Line) -> str:
    """A hash before a number.

    pt     o #1 → o número um
    es     el #1 → el número uno
    """
    return line.words.number_sign
