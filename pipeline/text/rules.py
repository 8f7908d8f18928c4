"""The rules, written → spoken: one function each, with the cases that it must get right beside it.

A case is `locale  before → after`: `pt` stands for both Portuguese locales, `es` for both Spanish ones unless es-419 has
a line of its own for the same text. The tests run each case through the whole normaliser.

The order of the functions is their precedence: at each place of a line the first rule whose pattern fits and that does
not decline (None) speaks. What it says is final: no rule reads another's words, so none can turn letters inside a word
into something else. Every pattern is bounded or possessive, and a rule looks around itself by a bounded number of
characters: a line of a megabyte costs what a megabyte of short lines costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pipeline.text.agreement import form_of, is_feminine, next_word, previous_word
from pipeline.text.alphabet import LETTER
from pipeline.text.numbers import cardinal, digits, fraction, is_portuguese, ordinal
from pipeline.text.portuguese import BRAZIL, PORTUGAL
from pipeline.text.quantity import NUMBER, Quantity, parse, speak
from pipeline.text.spanish import AMERICAS, SPAIN
from pipeline.text.words import Noun, Words

WORDS: Final[dict[str, Words]] = {words.locale: words for words in (BRAZIL, PORTUGAL, SPAIN, AMERICAS)}

_CAPITAL: Final = "A-ZÀ-ÖØ-Þ"
_DOMAINS: Final = ("com", "org", "net", "gov", "edu", "info")


@dataclass(frozen=True, slots=True)
class Line:
    """What a rule may look at besides its match."""

    text: str
    words: Words
    shouting: bool  # the whole line, of several words, is in capitals

    @property
    def locale(self) -> str:
        """The locale's code."""
        return self.words.locale


Speak = Callable[["re.Match[str]", Line], "str | None"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern for each locale, and what is said for a match; None declines."""

    name: str
    begins: str
    pattern: Callable[[Words], str]
    speak: Speak


RULES: Final[list[Rule]] = []


def rule(begins: str, pattern: Callable[[Words], str]) -> Callable[[Speak], Speak]:
    """Return a decorator that adds a function to `RULES` under its own name.

    Args:
        begins: what the pattern's matches may begin with: `a` a word in small letters, `A` in capitals, `0` a digit, or a sign.
        pattern: returns the pattern for a locale.
    """

    def add(speak: Speak) -> Speak:
        RULES.append(Rule(speak.__name__, begins, pattern, speak))
        return speak

    return add


def _trie(sequences: Iterable[Sequence[str]]) -> str:
    """Return a pattern for any of the sequences of patterns, the longest first, sharing what they begin with."""
    branches: dict[str, list[Sequence[str]]] = {}
    optional = False
    for sequence in sequences:
        if sequence:
            branches.setdefault(sequence[0], []).append(sequence[1:])
        else:
            optional = True
    if not branches:
        return ""
    pattern = "|".join(first + _trie(rest) for first, rest in branches.items())
    return f"(?:{pattern})?" if optional else f"(?:{pattern})" if len(branches) > 1 else pattern


def _any(keys: Iterable[str]) -> str:
    """Return a pattern for any of the keys."""
    return _trie([re.escape(letter) for letter in key] for key in keys)


def _abbreviation(key: str) -> list[str]:
    """Return the patterns of an abbreviation's characters: a blank may be left out, small letters may be capitals."""
    either = key.islower()
    parts = [f"[{letter}{letter.upper()}]" if either and letter.isalpha() else re.escape(letter) for letter in key]
    parts = [" ?" if part == "\\ " else part for part in parts]
    if key[-1] == "/":
        return [*parts, "(?= )"]
    return [*parts, rf"(?!'?{LETTER})"] if key[-1].isalpha() and key[-1] not in "ªº" else parts


def _abbreviations(keys: Iterable[str]) -> str:
    return _trie(_abbreviation(key) for key in keys)


@lru_cache(maxsize=64)
def _spoken_abbreviations(locale: str, table: str) -> dict[str, str]:
    """Return a table of abbreviations by their letters alone, small and without blanks."""
    return {key.replace(" ", "").lower(): value for key, value in getattr(WORDS[locale], table).items()}


# --- addresses -------------------------------------------------------------------------------------------------------


@rule("aA", lambda words: (
    r"(?<![\w@.])(?:(?:https?://|www\.)[^\s<>\"]{1,500}(?<![.,;:!?)'])"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"
    r"|(?:[a-z0-9-]{2,63}\.){1,4}(?:com|org|net|gov|edu|io|br|pt|es|mx|ar)(?:\.[a-z]{2})?(?:/[\w./-]{0,200}\w)?(?![\w@]))"
))
def address(match: re.Match[str], line: Line) -> str:
    """URLs and e-mail addresses: words are read, signs named, what cannot be read is spelled; the scheme is not said.

    pt-BR  www.exemplo.com.br → dáblio dáblio dáblio ponto exemplo ponto com ponto bê erre
    pt     fale em maria.silva@exemplo.pt → fale em maria ponto silva arroba exemplo ponto pê tê
    pt     https://exemplo.org/a-b_2 → exemplo ponto org barra a hífen bê sublinhado dois
    es     visita ejemplo.com/ayuda → visita ejemplo punto com barra ayuda
    es     ana@correo.es → ana arroba correo punto es
    """
    body = re.sub(r"^https?://", "", match[0])
    return " ".join(_address_part(part, line) for part in re.findall(rf"{LETTER}+|[0-9]+|.", body))


def _address_part(part: str, line: Line) -> str:
    if part.isdecimal():
        return speak(part, line.words)
    if part.isalpha():
        readable = len(part) > 4 or part in _DOMAINS or _pronounceable(part.lower())
        return part.lower() if readable else _letters(part, line.words)
    return line.words.in_addresses.get(part, "")


@rule("@#", lambda words: rf"(?<![\w@#])[@#](?={LETTER})")
def tag(match: re.Match[str], line: Line) -> str:
    """The sign of a user's name or a topic.

    pt     siga @maria → siga arroba maria
    pt     #SomosTodos → hashtag somostodos
    es     sigue a @ana → sigue a arroba ana
    """
    return line.words.symbols["@"] if match[0] == "@" else line.words.tag


# --- money, dates, times, telephone numbers --------------------------------------------------------------------------


@rule("A0-$€£¥", lambda words: (
    rf"(?P<minus>(?<![\w)])-)?(?:(?P<before>(?<!{LETTER})(?:{_any(words.currencies)})) ?(?P<inner>-)?(?P<amount>{NUMBER})"
    rf"(?: (?P<magnitude>{_any(words.magnitudes)})(?!{LETTER}))?"
    rf"|(?P<amount2>{NUMBER})(?: (?P<magnitude2>{_any(words.magnitudes)}))?(?: de)? ?(?P<after>(?:{_any(words.currencies)})(?![\w$])))"
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
        return sign + quantity.of(currency.unit, words)
    hundredths = Quantity(str(int(quantity.decimals.ljust(2, "0"))))
    parts = []
    if quantity.whole.strip("0") or hundredths.whole == "0":
        parts.append(Quantity(quantity.whole).of(currency.unit, words))
    if hundredths.whole != "0":
        parts.append(hundredths.of(currency.hundredth, words))
    return sign + f" {words.conjunction} ".join(parts)


def _large_amount(quantity: Quantity, magnitude: str, unit: Noun, words: Words) -> str:
    large = words.magnitudes[magnitude]
    if large == "mil":
        return f"{quantity.spoken(words, 'feminine' if unit.feminine else 'masculine')} mil {unit.many}"
    one = quantity.is_one or (is_portuguese(words.locale) and quantity.whole in ("0", "1"))
    return f"{quantity.spoken(words, 'masculine')} {_singular(large) if one else large} {words.of} {unit.many}"


def _singular(large: str) -> str:
    """Return milhão for milhões, millón for millones; mil milhões has no singular."""
    if large.startswith("mil "):
        return large
    return large[:-3] + "ão" if large.endswith("ões") else large[:-4] + "ón"


@rule("0", lambda words: (
    r"(?<![0-9/.,-])(?:(?P<day>0?[1-9]|[12][0-9]|3[01])º?(?P<sign>[/.-])(?P<month>0?[1-9]|1[0-2])(?:(?P=sign)(?P<year>[0-9]{4}|(?<=/)[0-9]{2}))?"
    r"|(?P<month_of>0?[1-9]|1[0-2])/(?P<year_of>(?:19|20)[0-9]{2})"
    r"|(?P<iso_year>[0-9]{4})-(?P<iso_month>0[1-9]|1[0-2])-(?P<iso_day>0[1-9]|[12][0-9]|3[01])"
    r"|0?1 de (?P<name>" + _any([*words.months, *(month.capitalize() for month in words.months)]) + r"))(?!\w|[/-][0-9])"
))
def date(match: re.Match[str], line: Line) -> str | None:
    """Dates in figures, months of a year, and the first of a month; 24/7 is no date unless a word before it says so.

    pt     25/12/2020 → vinte e cinco de dezembro de dois mil e vinte
    pt-BR  01/01/2001 → primeiro de janeiro de dois mil e um
    pt-PT  01/01/2001 → um de janeiro de dois mil e um
    pt     7/9/22 → sete de setembro de vinte e dois
    pt     05.10.1910 → cinco de outubro de mil novecentos e dez
    pt     25-04-1974 → vinte e cinco de abril de mil novecentos e setenta e quatro
    pt     1974-04-25 → vinte e cinco de abril de mil novecentos e setenta e quatro
    pt     no dia 2/3 → no dia dois de março
    pt     em 20/11 → em vinte de novembro
    pt     05/03 → cinco de março
    pt-BR  1º/5/1980 → primeiro de maio de mil novecentos e oitenta
    pt     em 05/2024 → em maio de dois mil e vinte e quatro
    pt     lei 5/2020 → lei cinco barra dois mil e vinte
    pt-BR  aberto 24/7 → aberto vinte e quatro por sete
    pt-PT  aberto 24/7 → aberto vinte e quatro sobre sete
    pt     no dia 24/7 → no dia vinte e quatro de julho
    pt-BR  1 de maio → primeiro de maio
    pt-BR  1º de maio → primeiro de maio
    pt-PT  1 de Maio → um de maio
    pt     21 de abril → vinte e um de abril
    es     25/12/2020 → veinticinco de diciembre de dos mil veinte
    es     1 de mayo → uno de mayo
    es-419 1 de mayo → primero de mayo
    es-419 1/5/2021 → primero de mayo de dos mil veintiuno
    es     el 21 de abril → el veintiuno de abril
    es     en 05/2024 → en mayo de dos mil veinticuatro
    es     abierto 24/7 → abierto veinticuatro siete
    es     el 24/7 → el veinticuatro de julio
    """
    words = line.words
    if match["name"]:
        return f"{words.first_of_month} {words.of} {match['name'].lower()}"
    before = previous_word(line.text, match.start()).lower()
    if match["month_of"]:
        if match["month_of"][0] != "0" and before not in words.before_date:
            return None
        return f"{words.months[int(match['month_of']) - 1]} {words.of} {cardinal(int(match['year_of']), words.locale)}"
    day, month, year = (match[part] or match[f"iso_{part}"] for part in ("day", "month", "year"))
    if match[0] == "24/7" and before not in words.before_date:
        return words.all_day
    if not year and not _is_day_and_month(day, match["sign"], month, before):
        return None
    spoken = words.first_of_month if int(day) == 1 else cardinal(int(day), words.locale)
    parts = [spoken, words.months[int(month) - 1], *([cardinal(int(year), words.locale)] if year else [])]
    return f" {words.of} ".join(parts)


def _is_day_and_month(day: str, sign: str, month: str, before: str) -> bool:
    """Return whether `2/3` is a date and no fraction: after `dia`, with a leading zero, or with a day over the month."""
    if sign != "/":
        return False
    return before in ("dia", "dias", "día", "días") or "0" in (day[0], month[0]) or int(day) > int(month)


@rule("0", lambda words: (
    r"(?<![0-9.,:])(?P<hour>[01]?[0-9]|2[0-4])(?:(?P<h> ?[hH] ?)(?P<minute>[0-5][0-9])(?P<min> ?min(?:utos)?| ?m)?"
    rf"|:(?P<minute2>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?(?: ?[hH](?:s|rs)?)?)(?!{LETTER}|[0-9]|:[0-9])"
))
def time(match: re.Match[str], line: Line) -> str:
    """Times of the day, and durations with an h.

    pt     14h30 → catorze horas e trinta
    pt     14 h 30 → catorze horas e trinta
    pt     14h30min → catorze horas e trinta minutos
    pt     14:30 → catorze e trinta
    pt     às 21:05 → às vinte e uma e cinco
    pt     às 2:30 → às duas e trinta
    pt     14:00 → catorze horas
    pt     1h00 → uma hora
    pt-BR  0h15 → zero hora e quinze
    pt-PT  0h15 → zero horas e quinze
    pt     às 14:00 horas → às catorze horas
    pt     10:20:30 → dez horas vinte minutos e trinta segundos
    es     14:30 → catorce y treinta
    es     a la 1:30 → a la una y treinta
    es     a las 3:00 → a las tres
    es     14:00 → catorce horas
    es     a las 21:00 horas → a las veintiuna horas
    es     a las 0:05 → a las cero horas y cinco
    es     21h30 → veintiuna horas y treinta
    """
    words = line.words
    hour, minute = int(match["hour"]), int(match["minute"] or match["minute2"])
    hours = Quantity(str(hour)).of(words.hour, words)
    minutes = cardinal(minute, words.locale)
    if match["second"]:
        return (
            f"{hours} {Quantity(str(minute)).of(words.minute, words)} {words.conjunction}"
            f" {Quantity(str(int(match['second']))).of(words.second, words)}"
        )
    if minute == 0:
        if next_word(line.text, match.end()).lower() in words.hour:
            return cardinal(hour, words.locale, "feminine")
        return cardinal(hour, words.locale, "feminine") if not is_portuguese(words.locale) and 0 < hour <= 12 else hours
    if match["min"]:
        return f"{hours} {words.conjunction} {Quantity(str(minute)).of(words.minute, words)}"
    if not match["h"] and hour:
        hours = cardinal(hour, words.locale, "feminine")
    return f"{hours} {words.conjunction} {minutes}"


@rule("0", lambda words: r"(?<![\w.,:/-])(?P<minute>[0-9]{1,3}) ?min ?(?P<second>[0-9]{1,2}) ?s?(?:eg)?(?!\w)")
def duration(match: re.Match[str], line: Line) -> str:
    """Minutes and seconds.

    pt     2min30s → dois minutos e trinta segundos
    pt     1 min 05 → um minuto e cinco segundos
    es     2 min 30 s → dos minutos y treinta segundos
    """
    words = line.words
    minutes, seconds = (Quantity(str(int(match[part]))).of(noun, words) for part, noun in (("minute", words.minute), ("second", words.second)))
    return f"{minutes} {words.conjunction} {seconds}"


NUMBERED = re.compile(r"\b(?:p[áa]g(?:ina)?s?|pp?|l[ií](?:nha|nea)s|versos|art(?:igo|[íi]culo)s)[. ]{1,2}\Z", re.IGNORECASE)
"""What is counted in order, so that two numbers after it are a range."""


@rule("0+(", lambda words: (
    r"(?<![\w.,/-])(?:\+ ?)?(?:\([0-9]{2,4}\)|[0-9]{2,5})(?:[ .-][0-9]{2,5}){1,6}(?:/[0-9]{4}-[0-9]{2})?(?!\w|[,./-][0-9])"
    r"|(?<![\w.,/-])[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}(?![0-9])"
))
def telephone(match: re.Match[str], line: Line) -> str | None:
    """Telephone numbers, postcodes and the like: digit by digit.

    pt     (11) 98765-4321 → um um nove oito sete seis cinco quatro três dois um
    pt     +351 912 345 678 → mais três cinco um nove um dois três quatro cinco seis sete oito
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
    es     612 34 56 78 → seis uno dos tres cuatro cinco seis siete ocho
    es     +34 612 345 678 → más tres cuatro seis uno dos tres cuatro cinco seis siete ocho
    es-419 55 1234 5678 → cinco cinco uno dos tres cuatro cinco seis siete ocho
    """
    written = match[0]
    groups = re.findall("[0-9]+", written)
    number = "".join(groups)
    counted = NUMBERED.search(match.string, max(0, match.start() - 12), match.start())
    if not (written[0] in "+(" or (not counted and _is_code(written, groups, number, line.locale))):
        return None
    plus = line.words.symbols["+"] + " " if written[0] == "+" else ""
    return plus + digits(number, line.locale)


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


# --- ordinals, fractions, units, numbers -----------------------------------------------------------------------------


@rule("0", lambda words: (
    r"(?<![\w.,/])(?P<number>[0-9]{1,4})(?:\.?(?P<sign>[ºª]s?|os|as|ºs|ªs)"
    + (r"|(?P<plain>[oa])" if is_portuguese(words.locale) else r"|\.?(?P<plain>er|ero|ro|ra|do|da|to|ta|mo|ma|vo|va|no|na|[oa])")
    + rf"|(?P<degree>°)(?= {LETTER}{{3}}))(?!\w|['°ºª])"
))
def ordinal_number(match: re.Match[str], line: Line) -> str | None:
    """Ordinals, in the gender of their sign; 1° with a degree sign is one before a noun.

    pt     1º lugar → primeiro lugar
    pt     2ª fase → segunda fase
    pt     3.º andar → terceiro andar
    pt     os 3.os lugares → os terceiros lugares
    pt     as 1as notas → as primeiras notas
    pt     a 21.ª edição → a vigésima primeira edição
    pt     o 100º dia → o centésimo dia
    pt     na 2a feira → na segunda feira
    pt     o 1o colocado → o primeiro colocado
    pt     2ª-feira → segunda feira
    pt     o 1° andar → o primeiro andar
    pt     de 2ª a 6ª → de segunda a sexta
    pt     40º Congresso → quadragésimo congresso
    es     el 1.er piso → el primer piso
    es     el 2.º piso → el segundo piso
    es     la 3ª vez → la tercera vez
    es     llegó 1º → llegó primero
    es     el 1º piso → el primer piso
    es     la 1ra vez → la primera vez
    es     el 3er lugar → el tercer lugar
    es     el 8vo grado → el octavo grado
    es     la 12.ª edición → la duodécima edición
    es     3.º B → tercero be
    """
    words = line.words
    sign = match["sign"] or match["plain"] or "º"
    after = next_word(line.text, match.end()).lower()
    if match["degree"] and after in ("celsius", "fahrenheit", "graus", "grados", "latitude", "longitude", *words.no_noun):
        return None
    plural = sign.endswith("s")
    if sign.rstrip("s") in ("ª", "a", "ra", "da", "ta", "ma", "va", "na"):
        return ordinal(int(match["number"]), words.locale, "feminine", plural)
    noun = len(after) > 1 and after not in words.no_noun and not is_feminine(after, plural, words)
    return ordinal(int(match["number"]), words.locale, "masculine" if noun or sign == "er" else "alone", plural)


@rule("0", lambda words: (
    r"(?<![\w.,/-])(?:(?P<whole>[0-9]{1,3}) )?(?P<above>[0-9]{1,2})/(?P<below>[0-9]{1,3}|1000)(?![\w/]|[.,-][0-9])"
    rf"(?:(?<=[0-9] [0-9]/[0-9]) (?P<noun>(?!(?:{_any(words.no_noun)})(?!{LETTER})){LETTER}{{3,30}}))?"
))
def fraction_number(match: re.Match[str], line: Line) -> str | None:
    """Fractions below one, alone or after a whole number.

    pt     3/4 → três quartos
    pt     1/2 → um meio
    pt     1/2 xícara → meia xícara
    pt     ½ quilo → meio quilo
    pt     2 1/2 → dois e meio
    pt     2½ horas → duas horas e meia
    pt     1 3/4 → um e três quartos
    pt     1 3/4 xícara de açúcar → uma xícara e três quartos de açúcar
    pt     2 1/2 e 3 1/2 → dois e meio e três e meio
    pt     2/3 dos votos → dois terços dos votos
    pt     1/12 → um doze avo
    es     3/4 → tres cuartos
    es     1/2 taza → media taza
    es     2 1/2 → dos y medio
    es     1 1/2 tazas de arroz → una taza y media de arroz
    es     2 1/2 horas → dos horas y media
    """
    words = line.words
    above, below = int(match["above"]), int(match["below"])
    if not 0 < above < below or below < 2 or "0" in (match["above"][0], match["below"][0]):
        return None
    noun = match["noun"] or ""
    end = match.end() - len(noun)
    if match["whole"] == "1" and noun.endswith(("as", "os")):
        noun = noun[:-1]
    form = form_of(line.text, match.start(), end, False, words)
    if form != "feminine":
        form = form_of(line.text, match.start(), end, True, words)
    if (above, below) == (1, 2) and (match["whole"] or form != "alone"):
        spoken = words.half.many if form == "feminine" else words.half.one
    else:
        spoken = fraction(above, below, words.locale)
    if match["whole"]:
        return f"{cardinal(int(match['whole']), words.locale, form)} {noun.lower()} {words.conjunction} {spoken}".replace("  ", " ")
    return spoken


@rule("0-", lambda words: (
    rf"(?P<minus>(?<![\w)])-)?(?P<number>{NUMBER}) ?(?P<unit>{_any(words.units)})(?![\w'²³]|\$)"
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
        return f"{sign}{quantity.spoken(words)} {noun.one}"
    return sign + quantity.of(noun, words)


@rule("0aA×", lambda words: (
    rf"(?<![\w.,])(?P<number>[0-9]{{1,4}}) ?[xX](?! ?[0-9]|{LETTER})"
    r"|(?:(?<=[0-9])|(?<=[0-9] )|(?<=[a-z²³] ))[xX×](?= ?[0-9])"
))
def multiplication(match: re.Match[str], line: Line) -> str | None:
    """An x beside numbers: so many times, one dimension by another, a score, a product where it is stated.

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
        return Quantity(match["number"]).of(line.words.times, line.words)
    if _STATED.match(line.text, match.end()):
        return line.words.symbols["×"]
    before = _FACTOR.search(line.text[max(0, match.start() - 34) : match.start()])
    if not before:
        return None
    after = _RIVAL.match(line.text, match.end())
    word = before["word"] or ""
    is_score = word.lower() in line.words.before_score or (after and word[:1].isupper())
    return line.words.to if is_score and not before["unit"] else line.words.by


_STATED: Final = re.compile(rf" ?{NUMBER} ?=")
_FACTOR: Final = re.compile(rf"(?:(?P<word>{LETTER}{{1,20}}) )?(?<![0-9.,])[0-9.,]{{1,12}} ?(?P<unit>[a-zA-Z²³%]{{0,4}}) ?$")
_RIVAL: Final = re.compile(f" ?[0-9]{{1,2}} [{_CAPITAL}]")


@rule("-/", lambda words: r"(?<=[0-9h%€ºª])-(?=[0-9])|(?<=[0-9h%€ºª] )-(?= [0-9])|(?<=[IVX]{2})-(?=[IVX]{2})|(?<=[0-9a-z])/(?=[0-9])")
def between_numbers(match: re.Match[str], line: Line) -> str:
    """A hyphen between two numbers is a range or a score; a stroke is named.

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
    return words.minus if _STATED.match(line.text, match.end()) else words.to


@rule("/", lambda words: rf"(?<=[0-9$€%])/(?P<unit>{_any(words.units)})(?!\w)")
def per_unit(match: re.Match[str], line: Line) -> str:
    """A unit after a stroke: the price or the rate of one.

    pt     R$ 5/kg → cinco reais por quilo
    pt     3/h → três por hora
    es     5 €/l → cinco euros por litro
    """
    return f"{line.words.by} {line.words.units[match['unit']].one}"


@rule("0-", lambda words: rf"(?P<minus>(?<![\w)])-)?(?P<number>{NUMBER})")
def number(match: re.Match[str], line: Line) -> str:
    """Every other number, in the gender of what it counts.

    pt     2 meninas e 2 meninos → duas meninas e dois meninos
    pt     21 casas → vinte e uma casas
    pt     200 pessoas → duzentas pessoas
    pt     2.000 pessoas → duas mil pessoas
    pt     2 mil pessoas → duas mil pessoas
    pt     2 problemas → dois problemas
    pt     1 vez → uma vez
    pt     2 das casas → duas das casas
    pt     2 em cada 3 mulheres → duas em cada três mulheres
    pt     101 dálmatas → cento e um dálmatas
    pt     2 artistas e 2 revistas → dois artistas e duas revistas
    pt     2 questões → duas questões
    pt     2 paredes e 2 doses → duas paredes e duas doses
    pt     as 2 chegaram → as duas chegaram
    pt     às 2 → às duas
    pt     1 da manhã → uma da manhã
    pt     página 2 → página dois
    pt-BR  16 dias → dezesseis dias
    pt-PT  16 dias → dezasseis dias
    pt-BR  19 → dezenove
    pt-PT  19 → dezanove
    pt     100 → cem
    pt     101 → cento e um
    pt     1.000 → mil
    pt     1100 → mil e cem
    pt     2024 → dois mil e vinte e quatro
    pt     em 1999 → em mil novecentos e noventa e nove
    pt     anos 80 → anos oitenta
    pt-BR  1.000.000.000 → um bilhão
    pt-PT  1.000.000.000 → mil milhões
    pt-BR  2 bilhões → dois bilhões
    pt     1.000.000 habitantes → um milhão de habitantes
    pt     3,14 → três vírgula catorze
    pt     1,1 tonelada → uma vírgula uma tonelada
    pt     0,05 → zero vírgula zero cinco
    pt     -7 → menos sete
    pt     007 → zero zero sete
    pt-BR  Covid-19 → covid dezenove
    pt     H2O → agá dois o
    pt     versão 2.0 → versão dois ponto zero
    es     21 años → veintiún años
    es     1 casa → una casa
    es     1 libro → un libro
    es     tengo 1 → tengo uno
    es     200 personas → doscientas personas
    es     21 mil → veintiún mil
    es     hay 21 mil aquí → hay veintiún mil aquí
    es     21 mil casas → veintiuna mil casas
    es     2.000 mujeres → dos mil mujeres
    es     31 personas → treinta y una personas
    es     1 de cada 5 niñas → una de cada cinco niñas
    es     21 análisis → veintiún análisis
    es     21 cuestiones → veintiuna cuestiones
    es     1 aula → un aula
    es     16 → dieciséis
    es     1.000.000.000 → mil millones
    es     3,14 → tres coma catorce
    es-419 3.14 → tres punto catorce
    es     en 1984 → en mil novecientos ochenta y cuatro
    """
    words = line.words
    token = match["number"]
    quantity = parse(token, words)
    is_one = quantity is not None and quantity.is_singular(words)
    spoken = speak(token, words, form_of(line.text, match.start(), match.end(), is_one, words))
    if quantity and quantity.is_round_million:
        after = next_word(line.text, match.end()).lower()
        if after and after not in words.no_noun and after not in words.magnitudes:
            spoken += f" {words.of}"
    return f"{words.minus} {spoken}" if match["minus"] else spoken


# --- Roman numerals, abbreviations, acronyms -------------------------------------------------------------------------


_ROMAN: Final = re.compile("(M{0,3})(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_FIRST_OF_TWO: Final = re.compile(rf"({LETTER}{{1,20}}) [IVXLCDM]{{1,9}}(?:-|, | (?:e|a|ao|y|al|y el) )$")
_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman_value(numeral: str) -> int:
    """Return the value of a Roman numeral; 0 where it is not one (IIII, IC, an ordinary word)."""
    if not numeral or not _ROMAN.fullmatch(numeral):
        return 0
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return sum(-value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True))


@rule("A", lambda words: r"(?<![\w'.])(?P<numeral>[IVXLCDM]{1,9})(?P<sign>[ºª])?(?![\w'])")
def roman(match: re.Match[str], line: Line) -> str | None:
    """Roman numerals, where a noun or a name makes it sure that they are.

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
    if listed := _FIRST_OF_TWO.search(line.text[max(0, match.start() - 34) : match.start()]):
        before = listed[1]
    after = next_word(line.text, match.end()).lower()
    if after == words.of and next_word(line.text, match.end() + 3).lower() in words.months:
        return cardinal(value, words.locale)
    if after in words.events and not line.shouting:
        return ordinal(value, words.locale, "feminine" if words.events[after] else "masculine")
    if match["sign"]:
        return ordinal(value, words.locale, "feminine" if match["sign"] == "ª" else "alone")
    small = before.lower()
    if small in words.centuries:
        return ordinal(value, words.locale, "alone") if value <= 10 else cardinal(value, words.locale)
    if small in words.parts:
        return cardinal(value, words.locale)
    if not set(numeral) <= set("IVX") or not before[:1].isupper() or before.isupper():
        return None
    if small in words.regnal:
        feminine = small.endswith("a") or before in words.dona
        return ordinal(value, words.locale, "feminine" if feminine else "alone") if value <= 10 else cardinal(value, words.locale)
    return cardinal(value, words.locale) if len(numeral) > 1 else None


@rule("aA°º", lambda words: (
    rf"(?<!{LETTER})(?<!{LETTER}')(?:(?P<anywhere>{_abbreviations(words.abbreviations)})"
    rf"|(?P<number>{_abbreviations(words.before_number)})(?= ?(?:[0-9]|[IVXLCDM]{{1,9}}(?!{LETTER})))"
    rf"|(?P<name>{_abbreviations(words.before_name)})(?= (?:d[aeo]s? |de las? |del )?[{_CAPITAL}]))"
))
def abbreviation(match: re.Match[str], line: Line) -> str | None:
    """Abbreviations, whole words only; some only before a name, some only before a number.

    pt     o Sr. Silva → o senhor silva
    pt     a Sra. Lima → a senhora lima
    pt     a Sr.ª Lima → a senhora lima
    pt     Dr. João e Dra. Ana → doutor joão e doutora ana
    pt     Dr João → doutor joão
    pt     a Prof.ª Rita → a professora rita
    pt     Av. Paulista → avenida paulista
    pt     na R. Augusta → na rua augusta
    pt     o José R. Silva → o josé erre silva
    pt     R.I.P. → erre i pê
    pt     nº 5 → número cinco
    pt     n.º 12 → número doze
    pt     pão, leite, etc. → pão leite et cetera
    pt     pão etc → pão et cetera
    pt     p. ex. hoje → por exemplo hoje
    pt     p.ex. hoje → por exemplo hoje
    pt     V. Exa. → vossa excelência
    pt     50 a.C. → cinquenta antes de cristo
    pt     pág. 12 → página doze
    pt     p. 12 → página doze
    pt     cap. II → capítulo dois
    pt     o Cap. Nascimento → o capitão nascimento
    pt     R. das Flores → rua das flores
    pt     na R. 25 de Março → na rua vinte e cinco de março
    pt     de seg. a sex. → de segunda a sexta
    pt     Vossa Ex.ª → vossa excelência
    pt     a D.ª Rita → a dona rita
    pt     a/c do Sr. Zé → aos cuidados do senhor zé
    pt     Ex.: maçã → exemplo maçã
    pt     C# e C++ → cê sharp e cê mais mais
    pt     R. XV de Novembro, s/n → rua quinze de novembro sem número
    pt     art. 5º → artigo quinto
    pt     Sta. Maria → santa maria
    pt     café c/ leite → café com leite
    pt-BR  no km 45 → no quilômetro quarenta e cinco
    pt     a droga e o drama do dragão → a droga e o drama do dragão
    pt     eu pago tudo. O mar. → eu pago tudo o mar
    es     el Sr. Pérez → el señor pérez
    es     la Sra. Ruiz → la señora ruiz
    es     pan, leche, etc. → pan leche etcétera
    es     p. ej. hoy → por ejemplo hoy
    es     EE. UU. → estados unidos
    es     n.º 5 → número cinco
    es     pág. 3 → página tres
    es     s. XX → siglo veinte
    es     Ud. sabe → usted sabe
    es     Mª José → maría josé
    es     C/ Mayor, 5 → calle mayor cinco
    es     RR. HH. y FF.AA. → recursos humanos y fuerzas armadas
    es     P. D.: te quiero → posdata te quiero
    es     Sr. D. Juan → señor don juan
    es-419 el Ing. López → el ingeniero lópez
    es     ya no. Gracias → ya no gracias
    """
    for group, table in (("anywhere", "abbreviations"), ("name", "before_name"), ("number", "before_number")):
        if written := match[group]:
            if written == "R." and (_is_initial(line.text, match.start()) or _NUMERAL.match(line.text, match.end())):
                return None
            return _spoken_abbreviations(line.locale, table)[written.replace(" ", "").lower()]
    return None


_NUMERAL: Final = re.compile("[IVXLCDM]")


def _is_initial(text: str, position: int) -> bool:
    """Return whether a single capital letter stands within a name: José R. Silva."""
    before = previous_word(text, position)
    if (len(before) > 1) == (text[max(0, position - 2) : position] == ". "):
        return False  # Sr. D. João, A D. Ana; but J. D. Salinger
    return bool(before) and before[0].isupper() and text[max(0, position - 2) : position] != ", "


@rule("A", lambda words: rf"(?<![\w.'])(?:S\. ?(?P<saint>{_any(sorted(words.saints))})(?!{LETTER})|D\. ?(?P<don>[{_CAPITAL}]{LETTER}{{1,30}}))")
def honorific(match: re.Match[str], line: Line) -> str | None:
    """S. before a saint's name, D. before any.

    pt     S. Paulo → são paulo
    pt     D. Pedro II → dom pedro segundo
    pt     D. Maria → dona maria
    pt     D. Inês → dona inês
    pt     Sr. D. Duarte → senhor dom duarte
    pt     A D. Ana e o D. Pedro → a dona ana e o dom pedro
    pt     J. D. Salinger → jota dê salinger
    pt     Rua D. Pedro II → rua dom pedro segundo
    pt     Falta vitamina D. Ela sabe. → falta vitamina dê ela sabe
    es     Calle D. Antonio → calle don antonio
    es     el plan D. Después → el plan de después
    es     S. Juan → san juan
    es     D. Antonio → don antonio
    """
    if match["saint"]:
        return f"{'são' if is_portuguese(line.locale) else 'san'} {match['saint'].lower()}"
    before = previous_word(line.text, match.start()).lower()
    if before in line.words.lettered or (before not in line.words.led and _is_initial(line.text, match.start())):
        return None
    name = match["don"]
    return f"{line.words.don[name.endswith('a') or name in line.words.dona]} {name.lower()}"


_ONSET: Final = "(?:[bcdfgpt][lr]|vr|[cln]h|qu|gu|[bcdfghjklmnpqrstvwxyz])?"
_VOWELS: Final = "[aeiouáéíóúâêôãõàü]{1,3}"
_PRONOUNCEABLE: Final = re.compile(f"(?:{_ONSET}{_VOWELS}(?:ns|rs|[lrsnmzx](?!{_VOWELS}))?)+")


def _pronounceable(letters: str) -> bool:
    """Return whether small letters can be read as a Portuguese or Spanish word: onu, otan; not ibge, cpf."""
    return bool(_PRONOUNCEABLE.fullmatch(letters))


def _letters(text: str, words: Words) -> str:
    """Return the names of the letters."""
    return " ".join(words.letters.get(letter, letter) for letter in text.lower())


@rule("A", lambda words: rf"(?<![\w.'])(?:(?P<dotted>(?:[A-Z]\.){{2,8}}[A-Z]?(?!{LETTER}))|(?P<capitals>[A-Z]{{2,8}})(?P<plural>s)?(?!{LETTER}|'))")
def acronym(match: re.Match[str], line: Line) -> str | None:
    """Acronyms: read as a word where that is possible or usual, spelled where it is not.

    pt     a ONU e a OTAN → a onu e a otan
    pt     o IBGE → o i bê gê e
    pt     a USP → a usp
    pt-BR  COVID-19 → covid dezenove
    pt     o CEP e o NIF → o cep e o nif
    pt     o CPF → o cê pê efe
    pt     os CDs e as ONGs → os cê dês e as ongs
    pt     a TV → a tê vê
    pt     os EUA → os e u a
    pt     E.U.A. → e u a
    pt     uma S.A. → uma esse a
    pt     NÃO DIGA ISSO → não diga isso
    pt     MP3 → eme pê três
    pt-PT  o WC → o dâblio cê
    es     la ONU → la onu
    es     un DVD → un de uve de
    es-419 un DVD → un de ve de
    es     la UE → la u e
    """
    if match["dotted"]:
        return _letters(match["dotted"].replace(".", ""), line.words)
    capitals, words = match["capitals"], line.words
    small = capitals.lower()
    vowels = any(letter in "aeiou" for letter in small)
    if capitals in words.spelled and not line.shouting:
        spelled = True
    elif capitals in words.read or _pronounceable(small) or (vowels and (line.shouting or len(capitals) > 5)):
        spelled = False
    else:
        spelled = True
    return (_letters(capitals, words) if spelled else small) + (match["plural"] or "")


@rule("'A", lambda words: rf"(?<={LETTER})'(?={LETTER})|(?<!{LETTER})(?<!')D (?=[AEIOUÁÉÍÓÚÂÊÔ]{LETTER})")
def apostrophe(match: re.Match[str], line: Line) -> str | None:
    """An apostrophe within a word joins it, since it is said as one; at the edge of a word it is a quotation mark.

    A D that stands alone before a name's vowel has lost its apostrophe.

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
    return "d" if previous_word(line.text, match.start())[:1].isupper() and not line.shouting else None


@rule("A", lambda words: rf"(?<!{LETTER})(?<!')[B-DF-HJ-NP-TV-Z](?!{LETTER}|')")
def letter(match: re.Match[str], line: Line) -> str | None:
    """A single capital consonant is named; vowels are words of their own, or sound like their name.

    pt     a vitamina C → a vitamina cê
    pt     o plano B → o plano bê
    pt     T. S. Monk → tê esse monk
    pt     P & D → pê e dê
    pt     a linha X → a linha xis
    pt     O que é → o que é
    es     la vitamina C → la vitamina ce
    es     Y tú → y tú
    es     A mí → a mí
    """
    if match[0] == "Y" and not is_portuguese(line.locale):
        return None
    return line.words.letters[match[0].lower()]


# --- signs -----------------------------------------------------------------------------------------------------------


@rule("".join(BRAZIL.symbols), lambda words: r"[<>](?= ?[0-9])|[" + re.escape("".join({*words.symbols} - {*"<>"})) + "]")
def symbol(match: re.Match[str], line: Line) -> str:
    """Signs that are spoken; < and > only before a number, since elsewhere they are marks of text.

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
