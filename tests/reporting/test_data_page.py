"""The page on the data, and what it shows: groups, rejects, changes, splits, words."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.reporting.corpora import changes, read_corpora, split_rows
from pipeline.reporting.data_page import render_data
from pipeline.reporting.inputs import read_inputs
from pipeline.reporting.plots import distributions, reliability
from tests.reporting.html_page import Page


def data_page(root: Path) -> Page:
    return Page(render_data(read_inputs(root / "data")))


def test_the_page_shows_groups_rejects_changes_splits_and_words(root: Path) -> None:
    page = data_page(root)
    for shown in (
        "speak-pt, portuguese", "locale: pt-BR 23 6", "gender: female", "SNR, dB speak-pt 25 25 25", "3 rejected: too short", "speak-pt/90 0.1 s",
        "1 dropped: other script", "A menina comprou", "r$ 2,00 → dois reais 1", "8h → oito horas 1",
        "✓ train, dev and test share nothing", "test 48 12", "pt-BR", "near duplicate", "speak-pt/77, train speak-pt/00003",
        "Words of test that no training text has", "choveu (6)", "The training set was not filtered by align.",
    ):
        assert shown in page.text, shown
    assert not [tag for tag, _ in page.elements if tag == "script"] and page.values("href").count("index.html") == 1
    assert not [value for value in page.values("src") if not value.startswith("data:")]
    assert all(attributes["role"] == "img" for tag, attributes in page.elements if tag == "svg")


def test_no_transcript_becomes_markup(root: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    path = root / "data/normalise/portuguese/speak-pt/manifest.parquet"
    pd.read_parquet(path).assign(transcript=evil, locale=evil, gender=evil).to_parquet(path)
    path = root / "data/ingest/portuguese/speak-pt/rejects.parquet"
    pd.read_parquet(path).assign(detail=evil, source=evil).to_parquet(path)
    page = data_page(root)
    assert not [tag for tag, _ in page.elements if tag == "img"] and page.text.count("onerror") > 10


@pytest.mark.parametrize(("transcript", "text", "expected"), [
    ("Preciso de 272 g de sal.", "preciso de duzentos e setenta e dois gramas de sal", [("272 g", "duzentos e setenta e dois gramas", 1)]),
    ("\u201cOlá!\u201d \u2013 disse-me", "olá disse me", [("disse-me", "disse me", 1)]),
    ("Igual, sem mudança.", "igual sem mudança", []),
    ("Casa etc.", "casa", [("etc", "", 1)]),
])
def test_changes_are_runs_of_words_besides_case_and_punctuation(transcript: str, text: str, expected: list[tuple[str, str, int]]) -> None:
    assert changes([transcript], [text]) == expected


def test_changes_are_counted_and_the_most_frequent_is_first() -> None:
    assert changes(["Sr. A", "o Sr. B", "Dr. C"], ["senhor a", "o senhor b", "doutor c"]) == [("sr", "senhor", 2), ("dr", "doutor", 1)]


def test_a_corpus_without_its_table_has_a_report_only(root: Path) -> None:
    portuguese, spanish = read_corpora(read_inputs(root / "data"))
    assert (spanish.groups, spanish.measures, spanish.changes) == ({}, {}, [])
    assert portuguese.compared == 46 and portuguese.measures["Duration, s"] == pytest.approx((1.0, 1.2, 1.4))


def test_a_damaged_table_is_named(root: Path) -> None:
    path = root / "data/normalise/portuguese/speak-pt/manifest.parquet"
    pd.read_parquet(path).drop(columns="snr_db").to_parquet(path)
    with pytest.raises(DataError, match="speak-pt/manifest.parquet"):
        data_page(root)


def test_words_of_training_are_counted_as_tokens_and_as_types(root: Path) -> None:
    train, test = split_rows(read_inputs(root / "data"))
    assert (train["name"], train["tokens_seen"], train["types_seen"]) == ("train", 1.0, 1.0)
    assert test["unseen"][0] == ("choveu", 6) and test["tokens_seen"] < 1 and test["types_seen"] == pytest.approx(1 - 6 / test["types"])
    assert dict(test["locales"])["pt-BR"] == pytest.approx(0.5, abs=0.05)


def test_figures_have_a_line_per_series_and_follow_the_page_in_colour() -> None:
    svg = distributions({"a": pd.Series([1.0, 2.0, None]), "b": pd.Series([1.5])}, "Duration, s")
    assert svg.startswith('<svg role="img" aria-label="Duration, s"') and "var(--ink)" in svg and not re.search("https?://(?!www.w3.org)", svg)
    assert svg.count("mark-line role-mark") >= 1 and ">a<" in svg and ">b<" in svg
    bins = [{"confidence": 0.5, "accuracy": 0.4, "size": 10}, {"confidence": 0.9, "accuracy": 0.95, "size": 90}]
    assert "correct" in reliability({"words": bins})
    assert distributions({"a": pd.Series([1.0, 1.0])}, "x").count("<svg") == 1, "a constant has one bin"
