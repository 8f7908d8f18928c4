"""Roman numerals."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import next_word, previous_word
from pipeline.text.alphabet import LETTER
from pipeline.text.numbers import cardinal, ordinal
from pipeline.text.rules.rule import Line, rule

_ROMAN: Final = re.compile("(M{0,3})(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_PRECEDING_NUMERAL: Final = re.compile(rf"({LETTER}{{1,20}})\.? (?:[IVXLCDM]{{1,9}}(?:-|, | (?:e|a|ao|y|al|y el) )){{1,4}}$")
_ARTICLE: Final = re.compile(
    r"\b[aA]rt(?:s?\.|[ií][cg]ul?os?)[^.;:]{0,16}[0-9](?:\.?[ºo°])?(?:, | e | y )(?:[IVXLCDM]{1,9}(?:-|, | (?:e|a|y) )){0,3}\Z"
)
"""An article of a law before the numeral of an item."""
_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman_value(numeral: str) -> int:
    """Return the value of a Roman numeral; 0 where it is not one (IIII, IC, an ordinary word)."""
    if not numeral or not _ROMAN.fullmatch(numeral):
        return 0
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return sum(-value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True))


@rule("A", lambda words: rf"(?<![\w.])(?<!{LETTER}')(?P<numeral>[IVXLCDM]{{1,9}})(?P<sign>[ºª])?(?!\w|'{LETTER})")
def roman(match: re.Match[str], line: Line) -> str | None:
    """Roman numerals, where a noun or a name beside them rules out letters.

    pt     século XXI → século vinte e um
    pt     século V → século quinto
    pt     séculos XIII e XIV → séculos treze e catorze
    pt     séculos XIII-XIV → séculos treze a catorze
    pt     XV de Novembro → quinze de novembro
    pt     Dom Pedro II → dom pedro segundo
    pt     Dom Pedro I → dom pedro primeiro
    pt     Luís XIV → luís catorze
    pt-BR  Papa Bento XVI → papa bento dezesseis
    pt     Elizabeth II → elizabeth segunda
    pt     capítulo IV → capítulo quatro
    pt     incisos I a IV → incisos um a quatro
    pt     incs. I, II e III → incisos um dois e três
    pt     art. 5º, LXXVIII → artigo quinto setenta e oito
    pt     item II → item dois
    pt     'Dom Pedro II' → dom pedro segundo
    pt     Volume III → volume três
    pt     Anexo I → anexo um
    pt     II Guerra Mundial → segunda guerra mundial
    pt     XX Congresso → vigésimo congresso
    pt     Apolo XI → apolo onze
    pt-BR  o séc. XIX → o século dezenove
    pt     eu vi um CD → eu vi um cê dê
    pt     tipo D → tipo dê
    pt     NO SÉCULO XX → no século vinte
    es     siglo XXI → siglo veintiuno
    es     siglo V → siglo quinto
    es     artículo 5, IV → artículo cinco cuatro
    es     incisos I y II → incisos uno y dos
    es     Carlos V → carlos quinto
    es     Isabel II → isabel segunda
    es     Alfonso XIII → alfonso trece
    es     capítulo IV → capítulo cuatro
    es     II Guerra Mundial → segunda guerra mundial
    """
    numeral, words = match["numeral"], line.words
    value = roman_value(numeral)
    if not value or numeral in "LCDM":
        return None
    before = previous_word(line.text, match.start())
    if listed := _PRECEDING_NUMERAL.search(line.text[max(0, match.start() - 34) : match.start()]):
        before = listed[1]
    after = next_word(line.text, match.end()).lower()
    if after == words.of and next_word(line.text, match.end() + 3).lower() in words.months:
        return cardinal(value, words.locale)
    if after in words.event_nouns and not line.all_capitals:
        return ordinal(value, words.locale, "feminine" if words.event_nouns[after] else "masculine")
    if match["sign"]:
        return ordinal(value, words.locale, "feminine" if match["sign"] == "ª" else "alone")
    lower = before.lower()
    if lower in words.century_nouns:
        return ordinal(value, words.locale, "alone") if value <= 10 else cardinal(value, words.locale)
    if lower in words.part_nouns or _ARTICLE.search(line.text[max(0, match.start() - 40) : match.start()]):
        return cardinal(value, words.locale)
    if not set(numeral) <= set("IVX") or not before[:1].isupper() or before.isupper():
        return None
    if lower in words.regnal:
        feminine = lower.endswith("a") or before in words.dona
        return ordinal(value, words.locale, "feminine" if feminine else "alone") if value <= 10 else cardinal(value, words.locale)
    return cardinal(value, words.locale) if len(numeral) > 1 else None
