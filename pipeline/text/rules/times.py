"""Times of the day, and durations."""

from __future__ import annotations

import re

from pipeline.text.agreement import next_word
from pipeline.text.alphabet import LETTER
from pipeline.text.numbers import cardinal, is_portuguese, whole_number
from pipeline.text.quantity import Quantity
from pipeline.text.rules.rule import Line, rule


@rule("0", lambda words: (
    r"(?<![0-9.,:])(?P<hour>[01]?[0-9]|2[0-4])"
    r"(?:(?P<h> ?[hH] ?)(?:(?P<minute>[0-5][0-9])(?P<min> ?min(?:utos)?| ?m)?|(?P<minute1>[0-9])(?: ?min| ?m))"
    r"(?: ?(?P<second1>[0-5]?[0-9]) ?(?:segundos|seg|s))?"
    rf"|:(?P<minute2>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?(?: ?[hH](?:s|rs)?)?)(?!{LETTER}|[0-9]|:[0-9])"
))
def time(match: re.Match[str], line: Line) -> str:
    """Times of the day, and durations with an h.

    pt     14h30 → catorze horas e trinta
    pt     14 h 30 → catorze horas e trinta
    pt     14h30min → catorze horas e trinta minutos
    pt     14h5min → catorze horas e cinco minutos
    pt     14h30min15s → catorze horas trinta minutos e quinze segundos
    pt     2h05m10s → duas horas cinco minutos e dez segundos
    pt     1 h 20 min 5 s → uma hora vinte minutos e cinco segundos
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
    es     14h30min15s → catorce horas treinta minutos y quince segundos
    """
    words = line.words
    hour, minute = int(match["hour"]), int(match["minute"] or match["minute1"] or match["minute2"])
    hours = Quantity(str(hour)).with_noun(words.hour, words)
    minutes = cardinal(minute, words.locale)
    if second := match["second"] or match["second1"]:
        return (
            f"{hours} {Quantity(str(minute)).with_noun(words.minute, words)} {words.conjunction}"
            f" {Quantity(str(int(second))).with_noun(words.second, words)}"
        )
    if minute == 0:
        if next_word(line.text, match.end()).lower() in words.hour:
            return cardinal(hour, words.locale, "feminine")
        return cardinal(hour, words.locale, "feminine") if not is_portuguese(words.locale) and 0 < hour <= 12 else hours
    if match["min"] or match["minute1"]:
        return f"{hours} {words.conjunction} {Quantity(str(minute)).with_noun(words.minute, words)}"
    if not match["h"] and hour:
        hours = cardinal(hour, words.locale, "feminine")
    return f"{hours} {words.conjunction} {minutes}"


@rule("0", lambda words: (
    r"(?<![\w.,:/-])(?P<hour>1[0-2]|0?[1-9])(?:(?::| ?[hH] ?)(?P<minute>[0-5][0-9])| ?[hH])? ?(?P<half>[aApP])(?:\. ?[mM]\.|\.?[mM](?!\w))"
))
def half_day(match: re.Match[str], line: Line) -> str:
    """Hours of twelve, with a.m. or p.m.

    pt     às 3 p.m. → às três da tarde
    pt     às 2:05 p.m. → às duas e cinco da tarde
    pt     às 11:30 PM → às onze e trinta da noite
    pt     7 am → sete da manhã
    pt     12h p.m. → doze da tarde
    pt     12:15 a.m. → doze e quinze da noite
    pt     1% a.m. → um por cento ao mês
    es     a las 3 p.m. → a las tres de la tarde
    es     a la 1:20 p. m. → a la una y veinte de la tarde
    es     7 a. m. → siete de la mañana
    es     8 p. m. → ocho de la noche
    """
    words = line.words
    hour = int(match["hour"])
    morning, afternoon, night = words.day_parts
    first, second = (night, morning) if match["half"] in "aA" else (afternoon, afternoon if hour < words.night_from else night)
    part = first if hour == 12 else second
    minutes = int(match["minute"] or 0)
    link = f" {words.conjunction} {cardinal(minutes, words.locale)}" if minutes else ""
    return f"{cardinal(hour, words.locale, 'feminine')}{link} {part}"


@rule("0", lambda words: (
    r"(?<![\w.,:/-])(?:(?P<minute>[0-9]{1,3}) ?min ?(?P<second>[0-9]{1,2}) ?s?(?:eg)?|(?P<whole>[0-9]{1,2})s(?P<hundredths>[0-9]{2}))(?!\w)"
), then=" ms")
def duration(match: re.Match[str], line: Line) -> str:
    """Minutes and seconds.

    pt     2min30s → dois minutos e trinta segundos
    pt     em 9s58 → em nove segundos e cinquenta e oito
    pt     1 min 05 → um minuto e cinco segundos
    es     2 min 30 s → dos minutos y treinta segundos
    """
    words = line.words
    if match["whole"]:
        whole, hundredths = Quantity(str(int(match["whole"]))), whole_number(match["hundredths"], words.locale)
        return f"{whole.with_noun(words.second, words)} {words.conjunction} {hundredths}"
    minutes, seconds = (Quantity(str(int(match[part]))).with_noun(noun, words) for part, noun in (("minute", words.minute), ("second", words.second)))
    return f"{minutes} {words.conjunction} {seconds}"
