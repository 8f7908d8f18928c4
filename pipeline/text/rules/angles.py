"""Angles, coordinates and other figures with primes."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import previous_word
from pipeline.text.alphabet import LETTER
from pipeline.text.quantity import Quantity, parse
from pipeline.text.rules.rule import Line, rule
from pipeline.text.words import Noun, Words

_SMALL: Final = r"[0-9]{1,2}(?:[.,][0-9]{1,4})?"
_SECONDS: Final = """(?:"|''|″|”)"""
_OPENED: Final = re.compile(r"""(?<![0-9])"|(?<!\w)'""")
_LISTED: Final = re.compile(r"[0-9]'(?:\+[0-9]{1,2}'?)?(?:, | e | y )\Z")
_WINDOW: Final = 200
"""Characters that are searched for an opening quotation mark."""


@rule("0-", lambda words: (
    rf"(?<![\w.,/])(?P<minus>(?<![)])-)?(?:(?P<degrees>[0-9]{{1,3}}(?:[.,][0-9]{{1,6}})?)[°º]"
    rf"(?: ?(?P<minutes>{_SMALL}) ?'(?!')(?: ?(?P<seconds>{_SMALL}) ?{_SECONDS})?)?(?: ?(?P<side>[{''.join(words.compass)}])(?![\w']|\. ?[A-Z]))?"
    rf"|(?P<minutes2>[0-9]{{1,3}})'(?: ?(?P<seconds2>{_SMALL}) ?{_SECONDS})?|(?P<inches>{_SMALL})(?P<mark>[″\"]))(?![\w'])"
), then=".,°º'\"″")
def angle(match: re.Match[str], line: Line) -> str | None:
    """Degrees, minutes and seconds of an angle or a coordinate; minutes and seconds of a race; minutes of a match; inches.

    pt     38° 42′ 50″ N → trinta e oito graus quarenta e dois minutos e cinquenta segundos norte
    pt     38°42'50"N, 9°8'W → trinta e oito graus quarenta e dois minutos e cinquenta segundos norte nove graus e oito minutos oeste
    pt     23º 33' S → vinte e três graus e trinta e três minutos sul
    pt     23,5° S → vinte e três vírgula cinco graus sul
    pt     correu em 5′ 30″ → correu em cinco minutos e trinta segundos
    pt     gol aos 45' → gol aos quarenta e cinco minutos
    pt     Ana 23', 67' e 80' → ana vinte e três minutos sessenta e sete minutos e oitenta minutos
    es     a los 23' y 45' → a los veintitrés minutos y cuarenta y cinco minutos
    pt     o filme 'Apolo 13' → o filme apolo treze
    pt     uma TV de 55" → uma tê vê de cinquenta e cinco polegadas
    pt     o filme "Blade Runner 2049" → o filme blade runner dois mil e quarenta e nove
    pt     a "TV de 55" → a tê vê de cinquenta e cinco
    es     40° 25′ 1″ N → cuarenta grados veinticinco minutos y un segundo norte
    es     36°01'N → treinta y seis grados y un minuto norte
    es     3° 42′ O → tres grados y cuarenta y dos minutos oeste
    es     corrió en 5′ 30″ → corrió en cinco minutos y treinta segundos
    es     una pantalla de 24″ → una pantalla de veinticuatro pulgadas
    """
    words = line.words
    if match["inches"]:
        if match["mark"] == '"' and _is_quoted(line.text, match.start(), '"'):
            return None
        return _measure(match["inches"], words.inch, words)
    degrees, minutes, seconds = match["degrees"], match["minutes"] or match["minutes2"], match["seconds"] or match["seconds2"]
    if degrees and not (minutes or match["side"]):
        return None
    if not degrees and not seconds and not _is_of_match(line, match.start(), words):
        return None
    if degrees and not minutes and match["side"] in "EOL" and re.match(rf" {LETTER}", line.text[match.end() : match.end() + 2]):
        return None
    counted = [(degrees, words.units["°"]), (minutes, words.minute), (seconds, words.second)]
    parts = [_measure(figures, noun, words) for figures, noun in counted if figures]
    spoken = " ".join(parts[:-1]) + f" {words.conjunction} {parts[-1]}" if len(parts) > 1 else parts[0]
    sign = words.minus + " " if match["minus"] else ""
    return sign + spoken + (f" {words.compass[match['side']]}" if match["side"] else "")


def _is_of_match(line: Line, position: int, words: Words) -> bool:
    """Return whether minutes alone are of a match: after `aos`, the name of a player or other minutes, and not in quotes."""
    before = previous_word(line.text, position)
    told = before.lower() in words.before_minutes or before[:1].isupper() or _LISTED.search(line.text[max(0, position - 10) : position])
    return bool(told) and not _is_quoted(line.text, position, "'")


def _measure(figures: str, noun: Noun, words: Words) -> str:
    quantity = parse(figures.lstrip("0") or "0", words) if figures.isdecimal() else parse(figures, words)
    return (quantity or Quantity(figures)).with_noun(noun, words)


def _is_quoted(text: str, position: int, mark: str) -> bool:
    """Return whether a quotation mark is open before a position."""
    before = text[max(0, position - _WINDOW) : position]
    return sum(found[0] == mark for found in _OPENED.finditer(before)) % 2 == 1
