"""Amounts of money."""

from __future__ import annotations

import re

from pipeline.text.alphabet import LETTER
from pipeline.text.numbers import is_portuguese
from pipeline.text.quantity import NUMBER, Quantity, parse
from pipeline.text.rules.patterns import any_of
from pipeline.text.rules.rule import Line, rule
from pipeline.text.words import Noun, Words


@rule("A0-$€£¥", lambda words: (
    rf"(?P<minus>(?<![\w)])-)?(?:(?P<before>(?<!{LETTER})(?:{any_of(words.currencies)})) ?(?P<inner>-)?(?P<amount>{NUMBER})"
    rf"(?: (?P<magnitude>{any_of(words.magnitudes)})(?!{LETTER}))?"
    rf"|(?P<amount2>{NUMBER})(?: (?P<magnitude2>{any_of(words.magnitudes)}))?(?: de)? ?(?P<after>(?:{any_of(words.currencies)})(?![\w$])))"
))
def money(match: re.Match[str], line: Line) -> str | None:
    """Amounts, with their hundredths and magnitudes.

    pt     R$ 25,50 → vinte e cinco reais e cinquenta centavos
    pt     R$1,00 → um real
    pt     R$ 2 → dois reais
    pt     R$ 0,99 → noventa e nove centavos
    pt     R$ 1.234,56 → mil duzentos e trinta e quatro reais e cinquenta e seis centavos
    pt     R$ 1.000.000 → um milhão de reais
    pt     R$ 3 milhões → três milhões de reais
    pt     R$ 1,4 bilhão → um vírgula quatro bilhão de reais
    pt     € 300 mil milhões → trezentos mil milhões de euros
    pt-BR  R$ 2,5 bilhões → dois vírgula cinco bilhões de reais
    pt-BR  R$ 10 mi → dez milhões de reais
    pt     R$ 5 mil → cinco mil reais
    pt     -R$ 5,00 → menos cinco reais
    pt-BR  € 12,50 → doze euros e cinquenta centavos
    pt-PT  12,50 € → doze euros e cinquenta cêntimos
    pt-PT  1 € → um euro
    pt     US$ 1,01 → um dólar e um centavo
    pt     $ 100 → cem dólares
    pt     £2 → duas libras
    pt     £ 200 → duzentas libras
    pt     12 EUR → doze euros
    es     12,50 € → doce euros y cincuenta céntimos
    es     1 € → un euro
    es     21 € → veintiún euros
    es     £ 21 → veintiuna libras
    es     US$ 5 → cinco dólares
    es     3 millones de € → tres millones de euros
    es     € 300 mil millones → trescientos mil millones de euros
    es     $ 200 → doscientos dólares
    es-419 $ 200 → doscientos pesos
    es-419 $1,500.50 → mil quinientos pesos y cincuenta centavos
    """
    words = line.words
    currency = words.currencies[match["before"] or match["after"]]
    quantity = parse(match["amount"] or match["amount2"], words)
    if quantity is None:
        return None
    sign = words.minus + " " if match["minus"] or match["inner"] else ""
    magnitude = match["magnitude"] or match["magnitude2"]
    if magnitude:
        return sign + _large_amount(quantity, magnitude, currency.unit, words)
    if len(quantity.decimals) > 2:
        return sign + quantity.with_noun(currency.unit, words)
    hundredths = Quantity(str(int(quantity.decimals.ljust(2, "0"))))
    parts = []
    if quantity.whole.strip("0") or hundredths.whole == "0":
        parts.append(Quantity(quantity.whole).with_noun(currency.unit, words))
    if hundredths.whole != "0":
        parts.append(hundredths.with_noun(currency.hundredth, words))
    return sign + f" {words.conjunction} ".join(parts)


def _large_amount(quantity: Quantity, magnitude: str, unit: Noun, words: Words) -> str:
    large = words.magnitudes[magnitude]
    if large == "mil":
        return f"{quantity.in_words(words, 'feminine' if unit.feminine else 'masculine')} mil {unit.many}"
    one = quantity.is_one or (is_portuguese(words.locale) and quantity.whole in ("0", "1"))
    return f"{quantity.in_words(words, 'masculine')} {_singular(large) if one else large} {words.of} {unit.many}"


def _singular(large: str) -> str:
    """Return milhão for milhões, millón for millones; mil milhões has no singular."""
    if large.startswith("mil "):
        return large
    return large[:-3] + "ão" if large.endswith("ões") else large[:-4] + "ón"
