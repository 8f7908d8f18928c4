"""Hypotheses of systems without a decoder: what they serve is what they decode greedily."""

from __future__ import annotations

import pandas as pd


def served_greedily(table: pd.DataFrame) -> pd.DataFrame:
    """Return the hypotheses with equal served ones, in the conditions as well."""
    return table.assign(
        hypothesis_served=table["hypothesis"], confidence_served=table["confidence"], word_confidence_served=table["word_confidence"],
        robustness=[[{**entry, "hypothesis_served": entry["hypothesis"]} for entry in entries] for entries in table["robustness"]])
