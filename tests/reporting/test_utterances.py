from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.diff import encode
from pipeline.reporting.inputs import read_inputs
from pipeline.reporting.page import system_rows
from pipeline.reporting.utterances import explorer_data
from tests.reporting.results import edit, interval

texts = st.lists(st.sampled_from(("a", "casa", "12", "+", "-", "=é", "azul")), max_size=6).map(" ".join)


def decode(reference: str, code: str) -> str:
    """Return the hypothesis, as the page's script reads it."""
    words, left = [], reference.split()
    for part in code.split():
        if part[0] == "-":
            left.pop(0)
        elif part[0] in "=+":
            words.append(part[1:])
            left = left[part[0] == "=":]
        else:
            words += left[:int(part)]
            left = left[int(part):]
    assert not left
    return " ".join(words)


@given(texts, texts)
def test_a_hypothesis_is_stored_as_its_difference_from_the_reference(reference: str, hypothesis: str) -> None:
    assert decode(reference, encode(reference, hypothesis)) == hypothesis


def test_an_alignment_is_stored_as_hits_substitutions_deletions_and_insertions() -> None:
    assert encode("a casa azul", "a caza azul grande") == "1 =caza 1 +grande"
    assert encode("a casa azul", "casa azul") == "- 2" and encode("", "") == ""


def test_every_utterance_is_in_the_data_with_all_hypotheses(root: Path) -> None:
    inputs = read_inputs(root / "data")
    data = explorer_data(inputs, system_rows(inputs), 0.05, {"speak-pt/00000"})
    assert len(data["utterance_id"]) == len(set(data["utterance_id"])) == 48
    assert [found["label"] for found in data["hypotheses"]] == ["transfer", "scratch", "scratch_long", "champion = donor"], "each as served only"
    assert data["shown"] == [0, 3], "challenger and champion"
    assert data["unseen"] == sorted({"choveu", "tanto", "que", "cobriu", "ponte", "rio"}), "words of the sentence that is in no training text"
    assert len(data["audio"]) > 1 and "speak-pt/00000" not in data["audio"]
    assert 40_000 < sum(map(len, data["audio"].values())) <= 50_000, "base64 of 0.05 MB at most"
    assert set(data["transcript"]) == {""}, "they differ from the references in case and punctuation alone"
    served = inputs.hypotheses["transfer"].iloc[5]
    assert decode(data["reference"][5], data["hypotheses"][0]["edits"][5]) == served["hypothesis_served"]
    assert data["coded"]["locale"]["values"] == ["pt-BR", "pt-PT"] and data["coded"]["locale"]["code"][:2] == [0, 1]


def test_long_texts_leave_less_room_for_audio(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = read_inputs(root / "data")
    monkeypatch.setattr("pipeline.reporting.utterances.MOST_MB", 0.05)
    data = explorer_data(inputs, system_rows(inputs), 1.0, ())
    assert 0 < len(data["audio"]) < 48 and len(json.dumps(data, ensure_ascii=False).encode()) < 51_000
    monkeypatch.setattr("pipeline.reporting.utterances.MOST_MB", 0.001)
    assert explorer_data(inputs, system_rows(inputs), 1.0, ())["audio"] == {}


def test_greedy_hypotheses_are_a_choice_where_they_differ(root: Path) -> None:
    inputs = read_inputs(root / "data")
    table = inputs.hypotheses["transfer"]
    table["hypothesis"] = "outra coisa"
    table["word_confidence"] = [[0.0, 1.0]] * len(table)
    labels = {found["label"]: found for found in explorer_data(inputs, system_rows(inputs), 0, ())["hypotheses"]}
    assert list(labels)[:2] == ["transfer, as served", "transfer, greedy"]
    assert labels["transfer, greedy"]["words"][0] == "A/" and labels["transfer, greedy"]["decoder"] == "greedy"


def test_a_second_system_is_the_baseline_without_a_champion_and_words_are_not_unseen_without_training_texts(root: Path) -> None:
    for name in ("champion", "donor"):
        (root / f"data/transcribe/{name}.parquet").unlink()
    (root / "data/split/portuguese/train.parquet").unlink()
    edit(root / "data/score/champion.json", lambda score: score.update(wer_served=interval(0.5, 0.02)))
    inputs = read_inputs(root / "data")
    data = explorer_data(inputs, system_rows(inputs), 0, ())
    assert data["hypotheses"][data["shown"][1]]["system"] == "scratch" and data["unseen"] is None
