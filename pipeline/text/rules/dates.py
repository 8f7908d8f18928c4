"""Dates."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import numbers_an_act, previous_word
from pipeline.text.numbers import cardinal
from pipeline.text.rules.patterns import any_of
from pipeline.text.rules.rule import Line, rule
from pipeline.text.rules.signs import is_set_score
from pipeline.text.words import Words

_DAY: Final = "(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH: Final = "(?:0?[1-9]|1[0-2])"
_LINKS: Final = ("a", "ao", "até", "e", "al", "y", "hasta el", "hasta")
_DAYS: Final = re.compile(r"\b[dD][ií]as? (?:[0-9]{1,2}, ){1,5}\Z")
_PART: Final = re.compile(" d(?:[aeo]|as|os|el|e las|e los|e la) ")
"""What follows a fraction of something."""


@rule("0", lambda words: (
    r"(?<![0-9/.,-])(?:(?P<day>0?[1-9]|[12][0-9]|3[01])º?(?P<sign>[/.-])(?P<month>0?[1-9]|1[0-2])(?:(?P=sign)(?P<year>[0-9]{4}|(?<=/)[0-9]{2}))?"
    r"|(?P<month_of>0?[1-9]|1[0-2])/(?P<year_of>(?:19|20)[0-9]{2})"
    r"|(?P<iso_year>[0-9]{4})-(?P<iso_month>0[1-9]|1[0-2])-(?P<iso_day>0[1-9]|[12][0-9]|3[01])"
    r"|0?1 de (?P<name>" + any_of([*words.months, *(month.capitalize() for month in words.months)]) + r"))(?!\w|[/-][0-9])"
))
def date(match: re.Match[str], line: Line) -> str | None:
    """Dates in digits, months of a year, and the first of a month; 24/7 is a date only after such a word as `dia`.

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
    pt-BR  até 1º/1 → até primeiro de janeiro
    pt     em 05/2024 → em maio de dois mil e vinte e quatro
    pt     lei n.º 12/11 → lei número doze barra onze
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
    if match["sign"] == "/" and not year and before not in ("dia", "dias", "día", "días") and numbers_an_act(line.text, match.start(), words):
        return None
    if match["sign"] == "/" and not year and is_set_score(line, match.start("sign")):
        return None
    if match["sign"] == "/" and not year and before in words.before_pressure:
        return None
    if not year and "º" not in match[0] and not _is_day_and_month(day, match["sign"], month, before):
        return None
    spoken = words.first_of_month if int(day) == 1 else cardinal(int(day), words.locale)
    parts = [spoken, words.months[int(month) - 1], *([cardinal(int(year), words.locale)] if year else [])]
    return f" {words.of} ".join(parts)


@rule("0", lambda words: (
    rf"(?<![0-9/.,-])(?:(?P<first>{_DAY})º?(?:(?P<sign1>[/.])(?P<month1>{_MONTH}))?(?P<link> ?- ?| (?:{'|'.join(_LINKS)}) )(?P<second>{_DAY})º?"
    rf"(?P<sign>[/.])(?P<month>{_MONTH})(?:(?P=sign)(?P<year>[0-9]{{4}}|(?<=/)[0-9]{{2}}))?(?![\w/]|[.,-][0-9])"
    rf"|(?:(?P<from>{_DAY})-)?(?P<day>{_DAY})º?(?:(?P<joint>[/-])| (?:{words.of} )?)(?P<name>{any_of(words.month_abbreviations)})"
    rf"(?:\.?(?P=joint)(?P<of_year>[0-9]{{4}}|[0-9]{{2}})|(?(joint)\.?|(?:\.|(?<!mar)(?<!set)(?<!out)(?<!dez)(?<!may))))(?![\w/-]))"
))
def days(match: re.Match[str], line: Line) -> str | None:
    """Ranges of days with a month, and days with the first three letters of a month.

    pt-BR  18-19/11 → dezoito a dezenove de novembro
    pt-PT  18-19/11 → dezoito a dezanove de novembro
    pt     nos dias 14-18/11 → nos dias catorze a dezoito de novembro
    pt     de 2 a 5/12 → de dois a cinco de dezembro
    pt     10-12/05/2023 → dez a doze de maio de dois mil e vinte e três
    pt     30/11 a 2/12 → trinta de novembro a dois de dezembro
    pt     18/11-20/11 → dezoito de novembro a vinte de novembro
    pt     nos dias 3 e 4/5 → nos dias três e quatro de maio
    pt     dias 1, 2 e 3/5 → dias um dois e três de maio
    pt     de 1/4 a 3/4 → de um quarto a três quartos
    es     18-19/11 → dieciocho a diecinueve de noviembre
    es     del 2 al 5/12 → del dos al cinco de diciembre
    es     10-12/05/2023 → diez a doce de mayo de dos mil veintitrés
    pt     18/nov → dezoito de novembro
    pt     18-nov-2023 → dezoito de novembro de dois mil e vinte e três
    pt     5-7/mar → cinco a sete de março
    pt     18 nov. → dezoito de novembro
    pt-BR  18-19 nov → dezoito a dezenove de novembro
    es     18/nov → dieciocho de noviembre
    es     5-7/mar → cinco a siete de marzo
    """
    words = line.words
    if match["name"]:
        return _abbreviated_month(match, words)
    if match["sign"] == "/" and not match["year"] and is_set_score(line, match.start("sign")):
        return None
    first, second, month = (int(match[part]) for part in ("first", "second", "month"))
    month1, year, link = match["month1"], match["year"], match["link"].strip(" ")
    before = previous_word(line.text, match.start()).lower()
    if (match["sign"] == "." and not year) or (match["sign1"] and match["sign1"] != match["sign"]):
        return None
    of_days = before in ("dia", "dias", "día", "días") or _DAYS.search(line.text[max(0, match.start() - 32) : match.start()])
    certain = year or of_days or second > month or match["second"][0] == "0" or match["month"][0] == "0"
    if month1:
        certain = certain or first > int(month1) or match["first"][0] == "0" or (int(month1) == month and month > 5)
    else:
        if first >= second or (link in ("e", "y") and not of_days and not year):
            return None
        certain = certain or link == "-" or not _PART.match(line.text, match.end())
    if not certain:
        return None
    spoken = [words.first_of_month if day == 1 else cardinal(day, words.locale) for day in (first, second)]
    parts = [
        f"{spoken[0]} {words.of} {words.months[int(month1) - 1]}" if month1 else spoken[0],
        words.to if link == "-" else link,
        f"{spoken[1]} {words.of} {words.months[month - 1]}",
        *([f"{words.of} {cardinal(int(year), words.locale)}"] if year else []),
    ]
    return " ".join(parts)


def _abbreviated_month(match: re.Match[str], words: Words) -> str:
    """Return a day, or a range of days, with the first three letters of its month."""
    parts = [words.first_of_month if int(match["day"]) == 1 else cardinal(int(match["day"]), words.locale)]
    if match["from"]:
        parts[0] = f"{cardinal(int(match['from']), words.locale)} {words.to} {parts[0]}"
    parts.append(words.months[words.month_abbreviations.index(match["name"])])
    if match["of_year"]:
        parts.append(cardinal(int(match["of_year"]), words.locale))
    return f" {words.of} ".join(parts)


def _is_day_and_month(day: str, sign: str, month: str, before: str) -> bool:
    """Return whether `2/3` is a date rather than a fraction: after `dia`, with a leading zero, or with a day over the month."""
    if sign != "/":
        return False
    return before in ("dia", "dias", "día", "días") or "0" in (day[0], month[0]) or int(day) > int(month)
