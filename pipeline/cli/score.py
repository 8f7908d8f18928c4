"""`vizinho score`: error rates of a plain hypothesis file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.cli.transcripts import paired_tables
from pipeline.scoring.scorecard import Resampling, percent, scorecard
from pipeline.text import version


def score_files(reference: Path, hypothesis: Path, locale: str | None = None) -> dict[str, Any]:
    """Return a hypothesis file's score as `vizinho.score/3`; the system is named after the file.

    Without `locale` texts are not normalised, and spelling variants are not tolerated.

    Raises:
        DataError: the ids of the files differ, or there is nothing to score.
    """
    table, = paired_tables(reference, [hypothesis], locale)
    return scorecard(table, system=hypothesis.stem, normaliser=version(locale) if locale else None, resampling=Resampling())


def render_score(card: dict[str, Any]) -> str:
    """Return a score as text for the terminal."""
    test, counts = card["test_set"], card["counts"]
    lines = [
        f"{card['system']}: {test['utterances']} utterances, {test['speakers']} speakers, {test['words']} words",
        *(f"{name.upper()}  {percent(card[name])}  ({100 * card[name]['level']:g} % interval over {card[name]['unit']}s)" for name in ("wer", "cer")),
        f"MER  {100 * card['errors']['mer']:.2f} %   WIL  {100 * card['errors']['wil']:.2f} %",
        f"{counts['substitutions']} substitutions, {counts['insertions']} insertions, {counts['deletions']} deletions, {counts['hits']} hits",
    ]
    if card["tolerant"]:
        lines.append(f"tolerant of spelling variants: WER {100 * card['tolerant']['wer']:.2f} %, CER {100 * card['tolerant']['cer']:.2f} %")
    return "\n".join(lines)
