"""The page on the data of a run: corpora, rejects, normalisation, splits, words. It has no script."""

from __future__ import annotations

from typing import Final

from pipeline.reporting.assets import content_policy
from pipeline.reporting.corpora import read_corpora, removed_rows, split_rows
from pipeline.reporting.inputs import Inputs
from pipeline.reporting.page import fill
from pipeline.reporting.plots import distributions

FIGURES: Final = ("Duration, s", "Characters per second", "SNR, dB")


def render_data(inputs: Inputs) -> str:
    """Return the page.

    Raises:
        DataError: a table is damaged, or lacks a field that the page shows.
    """
    corpora = read_corpora(inputs)
    series = {title: {corpus.name: corpus.values[title] for corpus in corpora if title in corpus.measures} for title in FIGURES}
    return fill(
        "data.html",
        inputs,
        corpora=corpora,
        reports=inputs.corpora,
        figures={title: distributions(values, title) for title, values in series.items() if values},
        splits=split_rows(inputs),
        removed=removed_rows(inputs),
        certificates=inputs.certificates,
        alignment=inputs.models[inputs.challenger].get("alignment"),
        policy=content_policy([]),
    )
