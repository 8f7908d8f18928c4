from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.reporting.clips import select_clips, select_utterances
from pipeline.reporting.inputs import read_inputs
from tests.reporting.html_page import page_of
from tests.reporting.results import flac


def test_each_clip_plays_its_own_utterance(root: Path) -> None:
    page = page_of(root)
    test = pd.read_parquet(root / "data/split/portuguese/test.parquet").set_index("utterance_id")
    clips = [(attributes["aria-label"], attributes["src"]) for tag, attributes in page.elements if tag == "audio"]
    assert len(clips) == 8
    for name, source in clips:
        kind, _, sound = (source or "").partition(",")
        assert kind == "data:audio/flac;base64"
        assert base64.b64decode(sound) == flac(int(test.loc[name, "row"]), float(test.loc[name, "duration_s"]))


def test_clips_are_the_best_the_median_and_the_worst_of_different_speakers() -> None:
    ids = [f"u{number:02d}" for number in range(30)]
    references = ["um dois três quatro cinco"] * 30
    hypotheses = [
        " ".join(reference.split()[: 5 - number // 5]) for number, reference in enumerate(references)
    ]  # u25 and later: every word deleted
    speakers = [f"s{number % 3}" for number in range(30)]
    chosen = select_utterances(ids, speakers, references, hypotheses, 8)
    assert [kind for _, kind in chosen] == ["best"] * 3 + ["median"] * 3 + ["worst"] * 2
    assert all(name < "u05" for name, kind in chosen if kind == "best")
    assert all("u15" <= name < "u20" for name, kind in chosen if kind == "median")
    assert all(name >= "u25" for name, kind in chosen if kind == "worst")
    for kind in ("best", "median", "worst"):
        of_kind = [speakers[ids.index(name)] for name, found in chosen if found == kind]
        assert len(set(of_kind)) == len(of_kind)
    assert len(select_utterances(ids[:2], speakers[:2], references[:2], hypotheses[:2], 8)) == 2
    assert select_utterances([], [], [], [], 8) == []


def test_the_median_is_of_the_utterances_with_an_error() -> None:
    hypotheses = ["um dois três quatro"] * 20 + ["um dois três"] * 3 + ["um"]
    chosen = select_utterances([f"u{number:02d}" for number in range(24)], [""] * 24, ["um dois três quatro"] * 24, hypotheses, 6)
    assert [name for name, kind in chosen if kind == "median"] == ["u21", "u22"]  # the worst has u20


def test_a_clip_that_is_not_in_the_test_split_is_refused(root: Path) -> None:
    path = root / "data/split/portuguese/test.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    with pytest.raises(DataError, match="0 rows of speak-pt/"):
        select_clips(read_inputs(root / "data"), [], 8)


def test_a_clip_has_the_hypotheses_of_the_given_systems_in_their_order(finished_run: Path) -> None:
    inputs = read_inputs(finished_run / "data")
    (clip,) = select_clips(inputs, [{"name": "scratch"}, {"name": "transfer"}, {"name": "absent"}], 1)
    assert [row["name"] for row, _, _ in clip.hypotheses] == ["scratch", "transfer"]
    table = inputs.hypotheses["scratch"].set_index("utterance_id")
    _, edits, errors = clip.hypotheses[0]
    assert " ".join(edit.hypothesis for edit in edits if edit.hypothesis) == table.loc[clip.utterance_id, "hypothesis_served"]
    assert errors == sum(edit.kind != "hit" for edit in edits)
    assert (clip.kind, clip.words) == ("median", len(clip.reference.split()))
