"""Numbers with a unit of measure."""

from __future__ import annotations

import re

from pipeline.text.quantity import NUMBER, parse
from pipeline.text.rules.patterns import any_of
from pipeline.text.rules.rule import Line, rule


@rule("0-", lambda words: (
    rf"(?P<minus>(?<![\w)])-)?(?P<number>{NUMBER}) ?(?P<unit>{any_of(words.units)})(?![\w'²³]|\$)"
))
def unit(match: re.Match[str], line: Line) -> str | None:
    """Numbers with a unit or a percent sign.

    pt-BR  5 km → cinco quilômetros
    pt-PT  5 km → cinco quilómetros
    pt-BR  1 km → um quilômetro
    pt-BR  1,5 km → um vírgula cinco quilômetro
    pt-PT  1,4 km → um vírgula quatro quilómetro
    pt-BR  0,5 km → zero vírgula cinco quilômetro
    pt-BR  0 °C → zero grau celsius
    pt-PT  0 °C → zero graus celsius
    pt     2,2 t → duas vírgula duas toneladas
    pt     2 t → duas toneladas
    pt     200 kg → duzentos quilos
    pt     50m² → cinquenta metros quadrados
    pt-BR  100 km² → cem quilômetros quadrados
    pt     -5 °C → menos cinco graus celsius
    pt     30ºC → trinta graus celsius
    pt     um ângulo de 90° → um ângulo de noventa graus
    pt-BR  120 km/h → cento e vinte quilômetros por hora
    pt     14h → catorze horas
    pt     14 h → catorze horas
    pt     1h → uma hora
    pt     48h → quarenta e oito horas
    pt     5% → cinco por cento
    pt     2,5 % → dois vírgula cinco por cento
    pt     100% → cem por cento
    pt     10 ml → dez mililitros
    pt     220 V → duzentos e vinte volts
    pt     2 GB → dois gigabytes
    pt     3 min → três minutos
    pt     5 m/s → cinco metros por segundo
    es     5 km → cinco kilómetros
    es     1 km → un kilómetro
    es     1,5 km → uno coma cinco kilómetros
    es     0,1 km → cero coma un kilómetros
    es     21,1 t → veintiuna coma una toneladas
    es     2,1 % → dos coma uno por ciento
    es     21 h → veintiuna horas
    es     21 % → veintiuno por ciento
    es     -3 °C → menos tres grados celsius
    """
    words = line.words
    quantity = parse(match["number"], words)
    if quantity is None:
        return None
    noun = words.units[match["unit"]]
    sign = words.minus + " " if match["minus"] else ""
    if noun.one == noun.many:
        return f"{sign}{quantity.in_words(words)} {noun.one}"
    return sign + quantity.with_noun(noun, words)


@rule("/", lambda words: rf"(?<=[0-9$€%])/(?P<unit>{any_of(words.units)})(?!\w)")
def per_unit(match: re.Match[str], line: Line) -> str:
    """A unit after a slash: a price or a rate per unit.

    pt     R$ 5/kg → cinco reais por quilo
    pt     3/h → três por hora
    es     5 €/l → cinco euros por litro
    """
    return f"{line.words.by} {line.words.units[match['unit']].one}"
