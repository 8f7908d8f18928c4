"""The champion's error rates on new test data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from flows.evaluate import RELEASE, Reader, compare, section, select, stages_to_score
from flows.graph import Graph, parse
from pipeline import corpora
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import write_table
from pipeline.core.manifest import NORMALISED, conform
from pipeline.core.params import problems_of


def card(value: float, low: float, high: float, corpus: str = "speak-pt", utterances: int = 100) -> dict[str, Any]:
    wer = {"value": value, "low": low, "high": high}
    return {"wer_served": wer, "test_set": {"utterances": utterances},
            "slices": [{"slice": {"corpus": corpus}, "utterances": utterances, "wer_served": wer}]}


def test_a_regression_is_an_interval_above_the_known_rate_plus_a_margin() -> None:
    known = card(0.30, 0.28, 0.32)
    assert [row.is_regression(0.02) for row in compare(known, card(0.35, 0.31, 0.39), 50, None)] == [False, False]
    worse = compare(known, card(0.40, 0.33, 0.45), 50, None)
    assert [(row.where, row.is_regression(0.02)) for row in worse] == [("all", True), ("corpus=speak-pt", True)]
    assert len(compare(known, card(0.40, 0.33, 0.45), 101, None)) == 1
    assert [row.where for row in compare(known, card(0.4, 0.3, 0.5, RELEASE), 50, RELEASE)] == [RELEASE]
    with pytest.raises(DataError, match="none of its utterances"):
        compare(known, card(0.4, 0.3, 0.5), 50, RELEASE)


@pytest.mark.parametrize("reader", get_args(Reader))
def test_each_reader_takes_the_section_of_a_release_with_its_options(reader: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_duration_s": 12.0}
    if reader == "speak":
        options |= {"locales": {"pt-BR": 1.0}, "speakers": 2, "utterances": 4, "seed": 1}
    found = section(str(tmp_path), reader, options)
    assert problems_of(corpora.reader(reader).Params, found | ({"locale": "pt-BR"} if "locale" in found else {}), "ingest.release") == []
    assert (found["source"], found["max_duration_s"], found["language"]) == (str(tmp_path), 12.0, "portuguese")


def test_all_readers_are_offered_and_sources_are_paths_on_the_worker_or_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(get_args(Reader)) == set(corpora.READERS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "release.tar.gz").touch()
    assert section("release.tar.gz", "mls", {})["source"] == str(tmp_path / "release.tar.gz")
    assert section("s3://bucket/release/", "mls", {})["source"] == "s3://bucket/release/"
    with pytest.raises(MissingInputError, match="no such file or folder on the worker"):
        section("nowhere", "mls", {})
    with pytest.raises(ParamsError) as raised:
        section("release.tar.gz", "mls", {"reader": "coraa", "source": "x", "language": "spanish"})
    assert len(raised.value.problems) == 3
    assert "set the parameter release" in str(raised.value) and "language is portuguese" in str(raised.value)


@pytest.mark.parametrize(("sets", "kept"), [
    (None, "b"), (["test"], "b"), (["train", "none"], "ad"), (["train", "dev", "test", "none"], "abcd")])
def test_the_chosen_sets_become_test_data(sets: list[str] | None, kept: str, tmp_path: Path) -> None:
    select(normalised(tmp_path, ["train", "test", "dev", "", "test"], [True, True, True, True, False]), sets)
    table = pd.read_parquet(tmp_path / "manifest.parquet")
    assert "".join(table.loc[table["keep"], "utterance_id"]) == kept
    assert set(table["release_split"]) == {"test"}
    assert table["drop_reason"].tolist() == ["" if name in kept else "other set" for name in "abcd"] + ["too short"]


def test_a_release_without_sets_is_test_data_as_a_whole_and_a_set_that_it_lacks_is_an_error(tmp_path: Path) -> None:
    select(normalised(tmp_path, ["", ""], [True, True]), None)
    assert pd.read_parquet(tmp_path / "manifest.parquet")["keep"].all()
    with pytest.raises(DataError, match="no utterance of the release is in dev; it has none 1, train 2"):
        select(normalised(tmp_path, ["train", "train", ""], [True, True, True]), ["dev"])
    with pytest.raises(DataError, match="it has none at all"):
        select(normalised(tmp_path, ["train"], [False]), None)


def normalised(folder: Path, splits: list[str], keep: list[bool]) -> Path:
    """Write a normalised manifest with these official sets; return it."""
    columns: dict[str, Any] = {name: ["" if kind == "string" else 0] * len(splits) for name, kind in NORMALISED.items()}
    columns |= {"utterance_id": list("abcde"[: len(splits)]), "release_split": splits, "keep": keep,
                "drop_reason": ["" if kept else "too short" for kept in keep]}
    write_table(folder / "manifest.parquet", conform(pd.DataFrame(columns), NORMALISED, "test"))
    return folder / "manifest.parquet"


def test_only_the_champions_stages_run_whatever_systems_are_trained() -> None:
    dot = """
"donor" -> "train@mine";
"donor" -> "transcribe_existing@champion";
"split@portuguese" -> "transcribe_existing@champion";
"train@mine" -> "transcribe@mine";
"transcribe@mine" -> "score@mine";
"transcribe_existing@champion" -> "score_existing@champion";
"""
    assert stages_to_score(Graph(parse(dot), {})) == {"split@portuguese", "transcribe_existing@champion", "score_existing@champion"}
