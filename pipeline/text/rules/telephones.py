"""Telephone numbers, postcodes and other codes, digit by digit."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import previous_word
from pipeline.text.numbers import digits
from pipeline.text.rules.rule import Line, rule

_ORDERED_NOUN: Final = re.compile(r"(?<![\w.])(?:p[áa]g(?:ina)?s?|pp?|l[ií](?:nha|nea)s|versos|art(?:igo|[íi]culo)s)[. ]{1,2}\Z", re.IGNORECASE)
"""A noun that is numbered in order: two numbers after it are a range."""
_OFFICIAL: Final = re.compile(
    r"[0-9]{7}-[0-9]{2}(?:\.[0-9]{1,4}){4}|[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9xXkK]|[0-9]{3}\.[0-9]{5}\.[0-9]{2}-[0-9]|[0-9]{2}-[0-9]{8}-[0-9]"
    r"|[0-9]{1,5}(?:-[0-9]{1,7}){3,5}|[0-9]{4,8}-[0-9]"
)
"""Numbers of lawsuits, identity cards, taxpayers, books and bank accounts: figures in groups with a check digit."""


@rule("0+(", lambda words: (
    r"(?<![\w.,/-])(?:\(?\+ ?[0-9]{1,3}\)?(?:[ .-]?(?:\([0-9]{1,4}\)|[0-9]{2,5}|[0-9](?=[ .-]))){2,7}"
    r"|(?:\([0-9]{2,4}\) ?(?:9[ .])?[0-9]{2,9}|[0-9]{2,5}[ .-](?:9 )?[0-9]{2,5})(?:[ .-][0-9]{2,5}){0,6}(?:/[0-9]{4}-[0-9]{2})?)(?!\w|[,./-][0-9])"
    r"|(?<![\w.,/-])(?:[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}|[0-9]{7}-[0-9]{2}\.[0-9]{4}\.[0-9]\.[0-9]{2}\.[0-9]{4}"
    r"|[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-(?:[0-9]|[xXkK](?!\w))|[0-9]{3}\.[0-9]{5}\.[0-9]{2}-[0-9]|[0-9]{2}-[0-9]{8}-[0-9]"
    r"|[0-9]{1,5}(?:-[0-9]{1,7}){3,5}|(?!(?:1[789]|20)[0-9]{2}-)[0-9]{4,8}-[0-9])(?![0-9]|[.,/-][0-9])"
    r"|(?<=[A-Z]{2})(?<!\w{3})[0-9]{2}(?: ?[0-9]{4}){3,6}(?: ?[0-9]{1,4})?(?!\w)"
))
def telephone(match: re.Match[str], line: Line) -> str | None:
    """Telephone numbers, postcodes and other codes: digit by digit.

    pt     (11) 98765-4321 → um um nove oito sete seis cinco quatro três dois um
    pt     +351 912 345 678 → mais três cinco um nove um dois três quatro cinco seis sete oito
    pt     +55 (11) 98765-4321 → mais cinco cinco um um nove oito sete seis cinco quatro três dois um
    pt     (11)98765-4321 → um um nove oito sete seis cinco quatro três dois um
    pt     (11) 9 8765-4321 → um um nove oito sete seis cinco quatro três dois um
    pt     (+351) 912 345 678 → mais três cinco um nove um dois três quatro cinco seis sete oito
    pt     12.345.678-9 → um dois três quatro cinco seis sete oito nove
    pt     123.45678.90-1 → um dois três quatro cinco seis sete oito nove zero um
    pt     0001234-56.2020.8.26.0100 → zero zero zero um dois três quatro cinco seis dois zero dois zero oito dois seis zero um zero zero
    pt     PT50 0002 0123 1234 → pê tê cinco zero zero zero zero dois zero um dois três um dois três quatro
    pt     3456-7890 → três quatro cinco seis sete oito nove zero
    pt     3456-7890, à tarde → três quatro cinco seis sete oito nove zero à tarde
    pt     1 234 567,5 → um milhão duzentos e trinta e quatro mil quinhentos e sessenta e sete vírgula cinco
    pt     0800 123 4567 → zero oito zero zero um dois três quatro cinco seis sete
    pt-PT  912 345 678 → nove um dois três quatro cinco seis sete oito
    pt     01310-100 → zero um três um zero um zero zero
    pt     123.456.789-09 → um dois três quatro cinco seis sete oito nove zero nove
    pt     1914-1918 → mil novecentos e catorze a mil novecentos e dezoito
    pt     páginas 1000-1200 → páginas mil a mil e duzentos
    es     líneas 1000-1200 → líneas mil a mil doscientos
    pt     12.345.678 → doze milhões trezentos e quarenta e cinco mil seiscentos e setenta e oito
    es     +34 (91) 345 67 89 → más tres cuatro nueve uno tres cuatro cinco seis siete ocho nueve
    es     (55)1234-5678 → cinco cinco uno dos tres cuatro cinco seis siete ocho
    es     +54 9 11 1234-5678 → más cinco cuatro nueve uno uno uno dos tres cuatro cinco seis siete ocho
    es     20-12345678-9 → dos cero uno dos tres cuatro cinco seis siete ocho nueve
    es     612 34 56 78 → seis uno dos tres cuatro cinco seis siete ocho
    es     +34 612 345 678 → más tres cuatro seis uno dos tres cuatro cinco seis siete ocho
    es-419 55 1234 5678 → cinco cinco uno dos tres cuatro cinco seis siete ocho
    """
    written = match[0]
    groups = re.findall("[0-9]+", written)
    number = "".join(groups)
    if match.start() and match.string[match.start() - 1].isalpha():
        return digits(number, line.locale)
    counted = _ORDERED_NOUN.search(match.string, max(0, match.start() - 12), match.start())
    if written[0] in "+(" and len(number) < (8 if "+" in written else 6):
        return None
    if not (
        written[0] in "+(" or _OFFICIAL.fullmatch(written) or (not counted and _is_code(written, groups, number, line.locale))
        or (len(number) > 5 and previous_word(match.string, match.start()).lower() in line.words.code_nouns)
    ):
        return None
    plus = line.words.symbols["+"] + " " if written.startswith(("+", "(+")) else ""
    check = f" {line.words.letters[written[-1].lower()]}" if written[-1].isalpha() else ""
    return plus + digits(number, line.locale) + check


def _is_code(written: str, groups: list[str], number: str, locale: str) -> bool:
    """Return whether groups of digits are a code rather than a large number, a range or a list."""
    if len(number) < 7 or (len(number) == 7 and not re.fullmatch("[0-9]{4}-[0-9]{3}", written)):
        return False
    if all(len(group) == 4 and group[:2] in ("17", "18", "19", "20") for group in groups) or len({*map(len, groups)} - {2}) == 0:
        return False
    if "-" in written or number[0] == "0":
        return True
    if "." in written:
        return False
    mobile = {"pt-PT": "29", "es": "6789"}.get(locale, "")
    return not all(len(group) == 3 for group in groups[1:]) or (len(number) == 9 and number[0] in mobile)
