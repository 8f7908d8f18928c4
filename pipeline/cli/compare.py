"""`vizinho compare`: paired comparison of two plain hypothesis files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.cli.transcripts import paired_tables
from pipeline.scoring.comparison import compare
from pipeline.scoring.scorecard import Resampling, percent
from pipeline.scoring.utterances import scored


def compare_files(reference: Path, champion: Path, challenger: Path, locale: str | None = None) -> dict[str, Any]:
    """Return two hypothesis files' comparison as `vizinho.compare/1`; the systems are named after the files.

    Raises:
        DataError: the ids of the files differ, or there is nothing to score.
    """
    tables = paired_tables(reference, [champion, challenger], locale)
    return compare(*map(scored, tables), names=(champion.stem, challenger.stem), resampling=Resampling())


def render_compare(found: dict[str, Any]) -> str:
    """Return a comparison as text for the terminal."""
    lines = [f"{found['challenger']} (challenger) against {found['champion']} (champion), {found['units']} {found['unit']}s"]
    for name in ("wer", "cer"):
        rate = found[name]
        lines.append(f"{name.upper()}  {100 * rate['champion']:.2f} % -> {100 * rate['challenger']:.2f} %, "
                     f"change {percent(rate['difference'])}, p {_p(rate['p_bootstrap'])} (bootstrap), {_p(rate['p_mapsswe'])} (MAPSSWE)")
    low, high = found["wer"]["difference"]["low"], found["wer"]["difference"]["high"]
    if low is None:
        lines.append(f"no interval: a single {found['unit']}")
    else:
        lines.append("the challenger is better" if high < 0 else "the champion is better" if low > 0 else
                     f"no significant difference in WER at a level of {100 * found['level']:g} %")
    return "\n".join(lines)


def _p(value: float | None) -> str:
    return "unknown" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"
