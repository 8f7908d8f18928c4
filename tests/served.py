"""Hypotheses of systems without a decoder: what they serve is what they decode greedily."""

from __future__ import annotations

import pandas as pd


def served_greedily(table: pd.DataFrame) -> pd.DataFrame:
    """Return the hypotheses with equal served ones, in the conditions as well; each word lasts half a second."""
    times = [[[place / 2, place / 2 + 0.5] for place in range(len(text.split()))] for text in table["hypothesis"].fillna("")]
    return table.assign(
        word_times=times, word_times_served=times,
        hypothesis_served=table["hypothesis"], confidence_served=table["confidence"], word_confidence_served=table["word_confidence"],
        robustness=[[{**entry, "hypothesis_served": entry["hypothesis"]} for entry in entries] for entries in table["robustness"]])
