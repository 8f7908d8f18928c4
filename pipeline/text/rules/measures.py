"""Numbers with a unit of measure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pipeline.text.alphabet import LETTER
from pipeline.text.locales import WORDS
from pipeline.text.quantity import NUMBER, parse
from pipeline.text.rules.patterns import any_of
from pipeline.text.rules.rule import Line, rule
from pipeline.text.words import Words
from pipeline.text.words import words as word_set


@rule("0-", lambda words: (
    rf"(?P<minus>(?<![\w)])-)?(?P<number>{NUMBER})(?: (?P<magnitude>{any_of(_long_magnitudes(words))})(?: de)?(?= [^\W_]))?"
    rf" ?(?P<unit>{any_of(words.units)})(?:(?![\w^²³⁰¹⁴⁵⁶⁷⁸⁹]|'{LETTER}|\$|\.?/[\w²³])|\.?(?=/[\w²³]))"
    rf"(?:(?<=%) ?(?P<period>{any_of(words.per_period)})\.?(?![\w']))?"
))
def unit(match: re.Match[str], line: Line) -> str | None:
    """Numbers with a unit, or with a percent sign and the period of the rate.

    pt     13,25% a.a. → treze vírgula vinte e cinco por cento ao ano
    pt     1% a.m. → um por cento ao mês
    pt     0,03 % a. d. → zero vírgula zero três por cento ao dia
    pt     3% a.t. e 6% a.s. → três por cento ao trimestre e seis por cento ao semestre
    es     13,25% a.a. → trece coma veinticinco por ciento al año
    es     1% a.m. → uno por ciento al mes
    es     12% E.A. → doce por ciento efectivo anual

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
    pt     34 pts. → trinta e quatro pontos
    pt     2 col. de sopa → duas colheres de sopa
    pt     2 c. de chá → duas colheres de chá
    pt     1 cp de 500 mg → um comprimido de quinhentos miligramas
    es     2 cdas. de aceite → dos cucharadas de aceite
    es     34 pts. → treinta y cuatro puntos
    pt     5 m/s → cinco metros por segundo
    pt-BR  384 mil km → trezentos e oitenta e quatro mil quilômetros
    pt-BR  8,5 milhões de km² → oito vírgula cinco milhões de quilômetros quadrados
    pt     2 mil t → duas mil toneladas
    pt-BR  1 milhão de km → um milhão de quilômetros
    pt     9,6 Gbps → nove vírgula seis gigabits por segundo
    pt     100 Mb/s → cem megabits por segundo
    pt     1 Gbit/s → um gigabit por segundo
    pt     10 MB/s → dez megabytes por segundo
    pt     9600 bps → nove mil e seiscentos bits por segundo
    pt     o spread subiu 150 bps → o spread subiu cento e cinquenta pontos base
    pt     150 bps de juros → cento e cinquenta pontos base de juros
    pt     um corte de 1 bps na Selic → um corte de um ponto base na selic
    pt     uma taxa de 300 bps → uma taxa de trezentos bits por segundo
    es     el diferencial subió 150 bps → el diferencial subió ciento cincuenta puntos básicos
    es     un módem de 300 bps → un módem de trescientos bits por segundo
    pt     9,8 m/s² → nove vírgula oito metros por segundo ao quadrado
    pt     5 Ω → cinco ohms
    es     384 mil km → trescientos ochenta y cuatro mil kilómetros
    es     8,5 millones de km² → ocho coma cinco millones de kilómetros cuadrados
    es     2 mil t → dos mil toneladas
    es     9,6 Gbps → nueve coma seis gigabits por segundo
    es     100 Mb/s → cien megabits por segundo
    es     9,8 m/s² → nueve coma ocho metros por segundo al cuadrado
    es     5 kΩ → cinco kilohmios
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
    if quantity is None or _is_code(match) or (match["unit"] == "pp" and _PAGE.match(line.text, match.end())):
        return None
    noun = words.units["pb" if match["unit"] == "bps" and _is_rate_of_interest(match, line) else match["unit"]]
    sign = words.minus + " " if match["minus"] else ""
    if match["magnitude"]:
        return sign + quantity.with_magnitude(match["magnitude"], noun, words)
    if noun.one == noun.many:
        period = f" {words.per_period[match['period']]}" if match["period"] else ""
        return f"{sign}{quantity.in_words(words)} {noun.one}{period}"
    return sign + quantity.with_noun(noun, words)


def _is_rate_of_interest(match: re.Match[str], line: Line) -> bool:
    """Return whether a word near bps is one of finance, where they are basis points."""
    around = line.text[max(0, match.start() - 60) : match.start()] + line.text[match.end() : match.end() + 40]
    return not line.words.near_basis_points.isdisjoint(re.findall(r"\w+", around.lower()))


def _is_code(match: re.Match[str]) -> bool:
    """Return whether a long number ends in a check letter (1234567L), not in a unit."""
    return len(match["unit"]) == 1 and match["unit"].isalpha() and re.fullmatch("[0-9]{7,}.", match[0]) is not None


@rule("/", lambda words: rf"(?<=[\w$€£¥%‰°²³.'\"″])/ ?(?:(?P<unit>{any_of(words.units)})(?![\w'²³])|(?P<noun>{LETTER}{{3,20}})(?!\w))")
def per_unit(match: re.Match[str], line: Line) -> str | None:
    """A unit or a noun after a slash: a price or a rate per unit.

    pt     R$ 5/kg → cinco reais por quilo
    pt     3/h → três por hora
    pt     1x/dia → uma vez por dia
    es     2x/día → dos veces por día
    pt     5 µL a 50 ng/µL → cinco microlitros a cinquenta nanogramas por microlitro
    pt-BR  4'13"/km → quatro minutos e treze segundos por quilômetro
    pt     R$ 50/hora → cinquenta reais por hora
    pt     R$ 20/pessoa → vinte reais por pessoa
    pt     R$ 5 mil/mês → cinco mil reais por mês
    pt     bactérias/m³ → bactérias por metro cúbico
    pt-BR  25 hab./km² → vinte e cinco habitantes por quilômetro quadrado
    pt     80 mg/dL → oitenta miligramas por decilitro
    pt     10⁴ UFC/mL → dez elevado a quatro u efe cê por mililitro
    pt     10⁻³ g/cm³ → dez elevado a menos três gramas por centímetro cúbico
    pt     80 kWh/mês → oitenta quilowatts hora por mês
    pt     60 batimentos/min → sessenta batimentos por minuto
    pt     2 vezes/semana → duas vezes por semana
    pt     30 alunos/sala → trinta alunos por sala
    pt-BR  14 km/l → catorze quilômetros por litro
    pt     em R$/kg → em reais por quilo
    pt     US$/barril → dólares por barril
    pt     homem/mulher → homem mulher
    pt     e/ou → e ou
    es     5 €/l → cinco euros por litro
    es     50 €/hora → cincuenta euros por hora
    es     20 €/persona → veinte euros por persona
    es     bacterias/m³ → bacterias por metro cúbico
    es     80 mg/dl → ochenta miligramos por decilitro
    es     3 veces/semana → tres veces por semana
    es     y/o → y o
    """
    words = line.words
    left = line.text[max(0, match.start() - 44) : match.start()]
    of_unit = (_AMOUNT.search(left) or _measure(words.locale).search(left)) is not None
    last = _LAST_WORD.search(left)
    plural = last is not None and (last[1] in words.units if len(last[1]) == 2 else len(last[1]) > 3 and last[1].endswith("s"))
    if unit := match["unit"]:
        noun_before = (plural or _COUNTED.search(left) is not None) and len(unit) > 1
        allowed = of_unit or left[-1:].isdecimal() or noun_before or (last is not None and len(last[1]) > 1 and last[1] in words.units)
        return f"{words.by} {words.units[unit].one}" if allowed else None
    noun = match["noun"].lower()
    counted = plural and (noun in words.per_nouns or (not noun.endswith("s") and _COUNTED.search(left)))
    if of_unit or counted or (noun in words.per_nouns and (left[-1:].isdecimal() or (last is not None and last[1] in words.units))):
        return f"{words.by} {noun}"
    return None


@rule("aA", lambda words: rf"(?P<unit>{any_of(_long_units(words))}|[tlLgm](?<=[õnr]es de .))(?![\w^⁰¹²³⁴⁵⁶⁷⁸⁹]|'{LETTER})")
def unit_word(match: re.Match[str], line: Line) -> str | None:
    """Units after a number in words, before a slash, and those with a raised figure.

    pt-BR  dez km → dez quilômetros
    pt-BR  vários km → vários quilômetros
    pt     meio kg → meio quilo
    pt     mil kg → mil quilos
    pt-BR  milhares de km → milhares de quilômetros
    pt-BR  meio milhão de km → meio milhão de quilômetros
    pt     dois bilhões de t → dois bilhões de toneladas
    pt     milhões de l de água → milhões de litros de água
    pt     1/4 de kg → um quarto de quilo
    pt     cem GB → cem gigabytes
    pt     o preço por m² → o preço por metro quadrado
    pt     R$ 1,99 o kg → um real e noventa e nove centavos o quilo
    pt     o kg e em kg → o quilo e em quilos
    pt     5 reais o kg → cinco reais o quilo
    pt     mg/dia → miligramas por dia
    pt-BR  em km/l → em quilômetros por litro
    es     diez km → diez kilómetros
    es     medio kg → medio kilo
    es     dos millones de t → dos millones de toneladas
    es     miles de km → miles de kilómetros
    es     el precio por m² → el precio por metro cuadrado
    es     2 € el kg → dos euros el kilo
    es     mg/día → miligramos por día
    """
    words = line.words
    noun = words.units[match["unit"]]
    if line.text[match.start() - 1 : match.start()] == "'":
        return None
    before = _LAST_BEFORE.search(line.text[max(0, match.start() - 34) : match.start()])
    word = before[1].lower() if before else ""
    if word == words.of and before:
        counted = _LAST_BEFORE.search(line.text[max(0, match.start() - 54) : match.start() - len(words.of) - 1])
        if counted and counted[1].isdecimal():
            return noun.one
        return noun.many if counted and counted[1].lower() in words.collectives else None
    if word in words.number_words or word.isdecimal() or _NUMERAL.fullmatch(word):
        return noun.one if word in _ONE else noun.many
    if word in words.before_one and _PRICE_OF_ONE.search(line.text[max(0, match.start() - 34) : match.start()]):
        return noun.one
    per = _PER.match(line.text, match.end())
    if per and (per[1] in words.units or per[1].lower() in words.per_nouns):
        return noun.many
    if match["unit"][-1] in "²³" or (match["unit"] == "kg" and word in words.before_one | {"em", "en"}):
        return noun.one if word in words.before_one else noun.many
    return None


_PAGE: Final = re.compile(r"\.? ?[0-9]")
_AMOUNT: Final = re.compile(rf"(?:[$€£¥](?: ?{NUMBER}(?: ?{LETTER}{{1,8}})?)?|[0-9] ?(?:{LETTER}{{1,8}} ?)?[$€£¥%'\"″]|[0-9] ?[xX])\Z")
"""An amount of money, a percentage or a time with primes before a slash."""
_MONEY: Final = "reais|euros|dólares|centavos|cêntimos|céntimos|pesos"
_PRICE_OF_ONE: Final = re.compile(rf"(?:[$€£¥] ?{NUMBER}|[0-9] ?(?:[$€£¥]|(?:mil )?(?:{_MONEY}))) {LETTER}{{1,5}} \Z")
_LAST_WORD: Final = re.compile(rf"(?<!\w)({LETTER}{{1,30}}[²³]?)\.?\Z")
_LAST_BEFORE: Final = re.compile(rf"({LETTER}{{1,30}}|[0-9])(?:(?!{LETTER})[^0-9])*\Z")
_COUNTED: Final = re.compile(rf"[0-9⁰¹²³⁴⁵⁶⁷⁸⁹] {LETTER}{{1,30}}\Z")
_PER: Final = re.compile(rf"/({LETTER}{{1,20}}[²³]?)(?!\w)")
_NUMERAL: Final = re.compile("[ivxlcdm]{2,9}")
_ONE: Final = frozenset({"um", "uma", "meio", "meia", "un", "una", "medio", "media", "cada"})
_NOT_LONG: Final = word_set(
    "ha cal ms hp hab min seg hs ton mol pol pulg pp pb cv ppm pa cp cps gt gts col cols comp comps pts ui xíc cda cdas cdta cdtas ng pg"
)
"""Units that are also words or acronyms: read after figures only."""


def _long_units(words: Words) -> list[str]:
    """Return the units of two characters or more that are read after a number in words."""
    return [key for key in words.units if len(key) > 1 and key[0].isalpha() and key.lower() not in _NOT_LONG and "/" not in key and "." not in key]


def _long_magnitudes(words: Words) -> list[str]:
    """Return the magnitudes that are words or their first syllables: mil, milhões, bi."""
    return [key for key in words.magnitudes if len(key) > 1 and key.islower() and key.isalpha() and key not in ("mm", "bn", "tn")] + [
        key for key in words.magnitudes if " " in key and key.islower() and "." not in key
    ]


@lru_cache(maxsize=8)
def _measure(locale: str) -> re.Pattern[str]:
    """Return a pattern for a number with a unit or a magnitude at the end of a text."""
    words = WORDS[locale]
    large = any_of(_long_magnitudes(words))
    return re.compile(rf"[0-9⁰¹²³⁴⁵⁶⁷⁸⁹](?: {large}(?: de)?)? ?(?:{any_of(words.units)}|(?<= ){large})\.?\Z")
