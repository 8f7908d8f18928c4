"""Amounts of money."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import previous_word
from pipeline.text.alphabet import LETTER
from pipeline.text.quantity import NUMBER, Quantity, parse
from pipeline.text.rules.patterns import any_of
from pipeline.text.rules.rule import Line, rule
from pipeline.text.words import Noun

_CODE_AFTER: Final = re.compile(rf"/[A-Z]{{3}}(?!{LETTER})")
_CODE_BEFORE: Final = re.compile(rf"(?<!{LETTER})[A-Z]{{3}}/\Z")
"""The other currency of a pair: USD/BRL."""


@rule("A0-$€£¥", lambda words: (
    rf"(?P<minus>(?<![\w)])-)?(?:(?P<before>(?<!{LETTER})(?:{any_of(words.currencies)}))(?: ?(?P<inner>-)?(?P<amount>{NUMBER})"
    rf"(?: ?(?P<magnitude>{any_of(words.magnitudes)})(?!{LETTER}|[0-9]))?"
    rf"|(?P<bare>(?:(?<=[$€£¥])|(?<=USD|EUR|BRL|GBP|JPY|CHF))(?![\w$]|-?[0-9]))"
    rf"(?: (?P<of>{any_of(key for key in words.magnitudes if len(key) > 2)})(?!{LETTER}))?)"
    rf"|(?P<amount2>{NUMBER})(?: ?(?P<magnitude2>{any_of(words.magnitudes)}))?(?: de)? ?(?P<after>(?:{any_of(words.currencies)})(?![\w$])))"
))
def money(match: re.Match[str], line: Line) -> str | None:
    """Amounts, with their hundredths and magnitudes; signs of currencies without a figure, in the singular after an article.

    pt     em R$ → em reais
    pt     preços em US$ → preços em dólares
    pt     valores em R$ e US$ → valores em reais e dólares
    pt     o R$ caiu → o real caiu
    pt     a cotação do US$ → a cotação do dólar
    pt     preços em USD, EUR e BRL → preços em dólares euros e reais
    pt     a cotação do USD → a cotação do dólar
    pt     o EUR subiu → o euro subiu
    pt     BRL 5 e 12 USD → cinco reais e doze dólares
    pt     o par USD/BRL → o par dólar real
    es     precios en USD y EUR → precios en dólares y euros
    es     el USD sube → el dólar sube
    es     el par EUR/USD → el par euro dólar
    pt     em R$ milhões → em milhões de reais
    pt     em R$ mil → em mil reais
    pt     milhões de € → milhões de euros
    es     en US$ → en dólares
    es     en € → en euros
    es     en millones de R$ → en millones de reales
    es     el US$ sube → el dólar sube
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
    pt     $1M → um milhão de dólares
    pt-BR  US$ 2B → dois bilhões de dólares
    pt     3 M€ → três milhões de euros
    pt-PT  5 mil M€ → cinco mil milhões de euros
    pt     200 k€ → duzentos mil euros
    pt     R$ 5 MM → cinco milhões de reais
    pt     R$ 10k → dez mil reais
    pt     R$300mil → trezentos mil reais
    es     12,50 € → doce euros y cincuenta céntimos
    es     1 € → un euro
    es     21 € → veintiún euros
    es     £ 21 → veintiuna libras
    es     US$ 5 → cinco dólares
    es     3 millones de € → tres millones de euros
    es     3 M€ → tres millones de euros
    es     5 mil M€ → cinco mil millones de euros
    es     200 k€ → doscientos mil euros
    es     US$ 2B → dos mil millones de dólares
    es     US$ 1M → un millón de dólares
    es     300 mill. de euros → trescientos millones de euros
    es     S/ 50 → cincuenta soles
    es     € 300 mil millones → trescientos mil millones de euros
    es     $ 200 → doscientos dólares
    es-419 $ 200 → doscientos pesos
    es-419 $1,500.50 → mil quinientos pesos y cincuenta centavos
    """
    words = line.words
    currency = words.currencies[match["before"] or match["after"]]
    if match["bare"] is not None:
        return _sign_alone(match, currency.unit, line)
    quantity = parse(match["amount"] or match["amount2"], words)
    if quantity is None:
        return None
    sign = words.minus + " " if match["minus"] or match["inner"] else ""
    magnitude = match["magnitude"] or match["magnitude2"]
    if magnitude:
        return sign + quantity.with_magnitude(magnitude, currency.unit, words)
    if len(quantity.decimals) > 2:
        return sign + quantity.with_noun(currency.unit, words)
    hundredths = Quantity(str(int(quantity.decimals.ljust(2, "0"))))
    parts = []
    if quantity.whole.strip("0") or hundredths.whole == "0":
        parts.append(Quantity(quantity.whole).with_noun(currency.unit, words))
    if hundredths.whole != "0":
        parts.append(hundredths.with_noun(currency.hundredth, words))
    return sign + f" {words.conjunction} ".join(parts)


def _sign_alone(match: re.Match[str], unit: Noun, line: Line) -> str | None:
    """Return the name of a currency whose sign has no figure: em R$ → em reais, em R$ milhões → em milhões de reais."""
    if match["minus"] or line.text[max(0, match.start() - 1) : match.start()].isalnum():
        return None
    if match["of"]:
        large = line.words.magnitudes[match["of"]]
        return f"{large} {unit.many}" if large == "mil" else f"{large} {line.words.of} {unit.many}"
    pair = _CODE_AFTER.match(line.text, match.end()) or _CODE_BEFORE.search(line.text[max(0, match.start() - 5) : match.start()])
    return unit.one if pair or previous_word(line.text, match.start()).lower() in line.words.before_one else unit.many
