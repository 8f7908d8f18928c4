"""Numbers in words: cardinals, ordinals, decimals, fractions, digits one by one.

The tests compare the results with num2words, except where that is wrong: `pt-BR` (with a hyphen) silently gives
European Portuguese; `pt_BR` puts commas into its words ("mil, novecentos e oitenta e quatro"); Spanish gives "veintiuno
mil" and "décimoprimero"; no language has gender (duas, duzentas, veintiuna).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from pipeline.text.words import listed

Form = Literal["alone", "masculine", "feminine"]
"""Inflection of a number: `alone` (Spanish uno), or before a masculine (un, dois) or feminine noun (una, duas)."""

LARGEST_DIGITS: Final = 18
"""Whole numbers of more digits are read digit by digit."""

_PT_UNITS: Final = listed(
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis dezessete "
    "dezoito dezenove"
)
_PT_EUROPEAN: Final = {16: "dezasseis", 17: "dezassete", 19: "dezanove"}
_PT_TENS: Final = listed("_ _ vinte trinta quarenta cinquenta sessenta setenta oitenta noventa")
_PT_HUNDREDS: Final = listed("_ cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos")
_PT_SHORT_SCALE: Final = (("milhão", "milhões"), ("bilhão", "bilhões"), ("trilhão", "trilhões"), ("quatrilhão", "quatrilhões"))
_PT_LONG_SCALE: Final = (("milhão", "milhões"), ("bilião", "biliões"), ("trilião", "triliões"))

_ES_UNITS: Final = listed(
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
)
_ES_TENS: Final = listed("_ _ veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa")
_ES_HUNDREDS: Final = listed("_ ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos")
_ES_SCALE: Final = (("millón", "millones"), ("billón", "billones"), ("trillón", "trillones"))

_PT_ORDINALS: Final = (
    listed("_ primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono"),
    listed("_ décimo vigésimo trigésimo quadragésimo quinquagésimo sexagésimo septuagésimo octogésimo nonagésimo"),
    listed(
        "_ centésimo ducentésimo tricentésimo quadringentésimo quingentésimo sexcentésimo septingentésimo octingentésimo"
        " nongentésimo"
    ),
    ("_", "milésimo"),
)
_ES_ORDINALS: Final = (
    listed("_ primero segundo tercero cuarto quinto sexto séptimo octavo noveno"),
    listed("_ décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo"),
    listed(
        "_ centésimo ducentésimo tricentésimo cuadringentésimo quingentésimo sexcentésimo septingentésimo octingentésimo"
        " noningentésimo"
    ),
    ("_", "milésimo"),
)
LARGEST_ORDINAL: Final = 1999


def is_portuguese(locale: str) -> bool:
    """Return whether a locale is Portuguese (the others are Spanish)."""
    return locale.startswith("pt")


@lru_cache(maxsize=65536)
def cardinal(value: int, locale: str, form: Form = "alone") -> str:
    """Return a whole number in words.

    pt-BR  16 → dezesseis
    pt-PT  16 → dezasseis
    pt     1001 → mil e um
    pt     1984 → mil novecentos e oitenta e quatro
    pt     1.200.000 → um milhão e duzentos mil
    pt-BR  3.000.000.000 → três bilhões
    pt-PT  3.000.000.000 → três mil milhões
    es     3.000.000.000 → tres mil millones
    es     21.000 → veintiún mil

    Args:
        value: 0 or more, of at most `LARGEST_DIGITS` digits.
        locale: one of the known locales.
        form: the inflection.

    Raises:
        ValueError: the number is negative or too long.
    """
    if not 0 <= value < 10**LARGEST_DIGITS:
        raise ValueError(f"cardinal: found {value}; expected a number from 0 to 10**{LARGEST_DIGITS} - 1")
    if value == 0:
        return "zero" if is_portuguese(locale) else "cero"
    return _portuguese(value, locale, form) if is_portuguese(locale) else _spanish(value, form)


def _portuguese(value: int, locale: str, form: Form) -> str:
    short = locale == "pt-BR"
    scale, base = (_PT_SHORT_SCALE, 1000) if short else (_PT_LONG_SCALE, 1_000_000)
    parts: list[tuple[int, str]] = []  # (the group's value, its words), largest first
    below, above = value % 1_000_000, value // 1_000_000
    for singular, plural in scale:
        above, group = divmod(above, base)
        if group:
            words = "um" if group == 1 else _portuguese(group, locale, "masculine")
            parts.append((group, f"{words} {singular if group == 1 else plural}"))
    parts.reverse()
    thousands, rest = divmod(below, 1000)
    if thousands:
        parts.append((thousands, "mil" if thousands == 1 else f"{_portuguese_below_1000(thousands, locale, form)} mil"))
    if rest:
        parts.append((rest, _portuguese_below_1000(rest, locale, form)))
    last = parts[-1][0]
    groups = [text for _, text in parts]
    if len(groups) > 1 and (last < 100 or last % 100 == 0):
        groups[-1] = f"e {groups[-1]}"
    return " ".join(groups)


def _portuguese_below_1000(value: int, locale: str, form: Form) -> str:
    if value == 100:
        return "cem"
    hundreds, rest = divmod(value, 100)
    words = [_PT_HUNDREDS[hundreds]] if hundreds else []
    if 0 < rest < 20:
        words.append(_PT_EUROPEAN.get(rest, _PT_UNITS[rest]) if locale == "pt-PT" else _PT_UNITS[rest])
    elif rest:
        words.append(_PT_TENS[rest // 10])
        if rest % 10:
            words.append(_PT_UNITS[rest % 10])
    if form == "feminine":
        if hundreds > 1:
            words[0] = words[0][:-2] + "as"
        words[-1] = {"um": "uma", "dois": "duas"}.get(words[-1], words[-1])
    return " e ".join(words)


def _spanish(value: int, form: Form) -> str:
    below, above = value % 1_000_000, value // 1_000_000
    parts = []
    for singular, plural in _ES_SCALE:
        above, group = divmod(above, 1_000_000)
        if group:
            parts.append(f"un {singular}" if group == 1 else f"{_spanish(group, 'masculine')} {plural}")
    parts.reverse()
    thousands, rest = divmod(below, 1000)
    if thousands:
        group_words = _spanish_below_1000(thousands, "feminine" if form == "feminine" else "masculine")
        group_words = group_words.replace("veintiuna", "veintiún").removesuffix("a") if group_words.endswith("una") else group_words
        parts.append("mil" if thousands == 1 else f"{group_words} mil")
    if rest:
        parts.append(_spanish_below_1000(rest, form))
    return " ".join(parts)


def _spanish_below_1000(value: int, form: Form) -> str:
    if value == 100:
        return "cien"
    hundreds, rest = divmod(value, 100)
    words = []
    if hundreds:
        words.append(_ES_HUNDREDS[hundreds][:-2] + "as" if form == "feminine" and hundreds > 1 else _ES_HUNDREDS[hundreds])
    if 0 < rest < 30:
        words.append(_ES_UNITS[rest])
    elif rest:
        words.append(_ES_TENS[rest // 10] + (f" y {_ES_UNITS[rest % 10]}" if rest % 10 else ""))
    if rest % 10 == 1 and rest != 11 and form != "alone":
        stem = words[-1][:-3]  # without "uno"
        words[-1] = stem + ("una" if form == "feminine" else "ún" if rest == 21 else "un")
    return " ".join(words)


@lru_cache(maxsize=4096)
def ordinal(value: int, locale: str, form: Form = "masculine", plural: bool = False) -> str:
    """Return an ordinal in words; a cardinal where ordinals are not in use (0, or over `LARGEST_ORDINAL`).

    pt     1º lugar → primeiro lugar
    pt     2ª fase → segunda fase
    pt     21.ª edição → vigésima primeira edição
    es     11º → undécimo
    es     1.er piso → primer piso

    Args:
        value: 0 or more.
        locale: one of the known locales.
        form: `masculine` or `feminine`; in Spanish `masculine` is before a noun (primer), `alone` is not (primero).
        plural: primeiros, primeiras.
    """
    if not 0 < value <= LARGEST_ORDINAL:
        return cardinal(value, locale, form)
    spanish = not is_portuguese(locale)
    tables = _ES_ORDINALS if spanish else _PT_ORDINALS
    if spanish and value % 100 in (11, 12):
        words = [tables[place][value // 10**place % 10] for place in (3, 2) if value // 10**place % 10]
        words.append("undécimo" if value % 100 == 11 else "duodécimo")
    else:
        words = [tables[place][value // 10**place % 10] for place in (3, 2, 1, 0) if value // 10**place % 10]
    if form == "feminine":
        words = [word[:-1] + "a" for word in words]
    elif spanish and form == "masculine" and not plural and words[-1] in ("primero", "tercero"):
        words[-1] = words[-1][:-1]
    if plural:
        words = [word + "s" for word in words]
    return " ".join(words)


def digits(text: str, locale: str) -> str:
    """Return digits one by one.

    pt     007 → zero zero sete
    """
    return " ".join(cardinal(int(digit), locale) for digit in text)


def whole_number(text: str, locale: str, form: Form = "alone") -> str:
    """Return a string of digits in words: as one number, or digit by digit where it starts with 0 or is very long."""
    if len(text) > LARGEST_DIGITS or (text[0] == "0" and len(text) > 1):
        return digits(text, locale)
    return cardinal(int(text), locale, form)


def decimals(text: str, locale: str, form: Form = "alone") -> str:
    """Return the digits after a decimal separator in words: leading zeros, then up to three digits as one number, more one by one.

    pt     0,05 → zero vírgula zero cinco
    pt     3,75 → três vírgula setenta e cinco
    pt     3,1415 → três vírgula um quatro um cinco
    pt     2,2 toneladas → duas vírgula duas toneladas
    es     0,5 → cero coma cinco
    es     35,1 km → treinta y cinco coma un kilómetros
    """
    rest = text.lstrip("0")
    if len(rest) > 3:
        return digits(text, locale)
    zeros = digits("0" * (len(text) - len(rest)), locale)
    return f"{zeros} {cardinal(int(rest), locale, form)}".strip() if rest else zeros


def fraction(numerator: int, denominator: int, locale: str) -> str:
    """Return a fraction in words.

    pt     2/3 → dois terços
    pt     1/4 → um quarto
    pt     5/12 → cinco doze avos
    pt     3/100 → três centésimos
    es     3/4 → tres cuartos
    es     5/12 → cinco doceavos

    Args:
        numerator: 1 or more.
        denominator: 2 or more.
        locale: one of the known locales.
    """
    many = numerator > 1
    above = cardinal(numerator, locale, "masculine")
    if is_portuguese(locale):
        if denominator in (2, 3):
            below = ("meio", "terço")[denominator - 2]
        elif denominator <= 10 or denominator in (100, 1000):
            below = ordinal(denominator, locale)
        else:
            return f"{above} {cardinal(denominator, locale)} {'avos' if many else 'avo'}"
    elif denominator in (2, 3):
        below = ("medio", "tercio")[denominator - 2]
    elif denominator <= 10 or denominator in (100, 1000):
        below = ordinal(denominator, locale)
    else:
        below = cardinal(denominator, locale, "masculine").replace(" y ", "i").replace(" ", "") + "avo"
    return f"{above} {below}{'s' if many else ''}"
