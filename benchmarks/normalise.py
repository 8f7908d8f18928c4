"""Lines per second of `pipeline.text.normalise` on one core: plain and number-heavy lines, beside one regex per rule.

    python -m benchmarks.normalise [FILE]

FILE has plain sentences, one per line; without it, those below are used. The baseline is the usual method: a
substitution for each abbreviation, unit and sign in turn, then num2words for each run of digits. Ends with the time of a
line of one megabyte, and how many times that is of a quarter of it (linear: 4). Times are CPU time of the process, so
that other work on the machine counts little. Marks: 50 000 plain and 5 000 number-heavy lines per second.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from num2words import num2words

from pipeline.text import normalise
from pipeline.text.locales import WORDS

LOCALE = "pt-BR"
PLAIN = (
    "O menino atravessou a rua devagar.", "Nós não temos muito tempo para isso!", "Disse-lhe que a água estava fria, mas ele entrou.",
    "Quando é que a sua irmã volta de Lisboa?", "“Era uma vez”, começou a avó, “um guarda-chuva azul.”",
)
NUMBERS = (
    "Em 25/12/2020, às 14h30, o Sr. Silva pagou R$ 1.234,56 por 3 kg de café e a 2ª via do nº 45.",
    "A temperatura caiu 5,5 °C em 2 horas, de 30 °C para 24,5 °C, e 21% das 1.200 casas ficaram sem luz.",
    "Ligue para (11) 98765-4321 ou +351 912 345 678 entre 8h e 17h30, de 2ª a 6ª.",
    "No século XXI, D. Pedro II, o IBGE e a ONU contaram 1.000.000 de habitantes em 10-15 anos, 3/4 deles em 1984.",
)
BASELINE = [
    (re.compile(rf"\b{re.escape(written)}" if written[0].isalpha() else re.escape(written), re.IGNORECASE), f" {spoken} ")
    for table in (WORDS[LOCALE].abbreviations, WORDS[LOCALE].symbols, {key: noun.many for key, noun in WORDS[LOCALE].units.items()})
    for written, spoken in table.items()
]


def one_regex_per_rule(text: str, locale: str) -> str:
    """Return a text normalised by one substitution after the other (as fast as they come, not as right)."""
    for pattern, spoken in BASELINE:
        text = pattern.sub(spoken, text)
    text = re.sub("[0-9]+", lambda found: num2words(int(found[0]), lang="pt_BR"), text)
    return " ".join(re.sub(r"[^\w ]", " ", text.lower()).split())


def lines_per_second(function: Callable[[str, str], str], lines: list[str], seconds: float = 1.5) -> float:
    """Return the best of repeated passes over the lines, for at least so many seconds."""
    function(lines[0], LOCALE)
    best, until = 0.0, time.process_time() + seconds
    while time.process_time() < until:
        start = time.process_time()
        for line in lines:
            function(line, LOCALE)
        best = max(best, len(lines) / (time.process_time() - start))
    return best


def main() -> None:
    """Print the table."""
    plain = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if len(sys.argv) > 1 else [*PLAIN] * 2000
    for name, lines in (("plain", plain), ("number-heavy", [*NUMBERS] * 250)):
        ours, theirs = lines_per_second(normalise, lines), lines_per_second(one_regex_per_rule, lines[:1000])
        print(f"{name:13} {ours:9,.0f} lines/s    one regex per rule {theirs:9,.0f}    {ours / theirs:5.1f} times")
    for name, piece in (("sentence", PLAIN[0] + " "), ("numbers", NUMBERS[0] + " "), ("digits", "1"), ("strokes", "1/")):
        taken = []
        for size in (250_000, 1_000_000):
            start = time.process_time()
            normalise(piece * (size // len(piece)), LOCALE)
            taken.append(time.process_time() - start)
        print(f"1 MB line of {name:9} {taken[1]:6.2f} s, {taken[1] / taken[0]:4.1f} times a quarter of it")


if __name__ == "__main__":
    main()
