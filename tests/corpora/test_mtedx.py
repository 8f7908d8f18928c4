"""Multilingual TEDx, built to its layout: parts of whole talks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance, mtedx
from tests.releases import take_in, write

PART = "- {{duration: {}, offset: {}, speaker_id: {}, wav: {}.wav}}\n"
PITCHES_HZ = (300, 500, 700)


def params(**given: Any) -> mtedx.Params:
    return mtedx.Params(**{"reader": "mtedx", "language": "portuguese", "source": "corpus", **given})


def part_set(root: Path, name: str, texts: str, parts: str) -> None:
    write(root / f"data/{name}/txt/{name}.pt", texts)
    write(root / f"data/{name}/txt/{name}.yaml", parts)


def build(folder: Path) -> Path:
    """Write a talk of two seconds on each of three pitches, and return the parts of its sentences."""
    root = folder / "pt-pt"
    part_set(root, "train", "(Aplausos) Boa noite.\n[Risos]\nObrigado!\n",
             PART.format("1.500000", "0.250000", "1e3", "1e3") + PART.format("1.500000", "2.250000", "1e3", "1e3")
             + PART.format("1.500000", "4.250000", "1e3", "1e3"))
    part_set(root, "valid", "Até logo.\n", PART.format("3.0", "5.0", "7", "1e3"))
    (root / "data/train/wav").mkdir()
    (root / "data/valid/wav").mkdir()
    talk = np.concatenate([0.3 * np.sin(2 * np.pi * hz * np.arange(32_000) / 16_000) for hz in PITCHES_HZ])
    soundfile.write(root / "data/train/wav/1e3.flac", talk, 16_000)
    soundfile.write(root / "data/valid/wav/1e3.flac", talk[::-1], 16_000)
    return root


def test_the_parts_of_a_talk_are_ingested_and_nothing_else(tmp_path: Path) -> None:
    build(tmp_path / "corpus")
    taken, rejects = take_in(tmp_path, reader="mtedx", source="corpus")
    columns = ["utterance_id", "transcript", "speaker", "locale", "licence", "release_split", "source"]
    assert taken[columns].to_numpy().tolist() == [
        ["toy/1e3-0.250", "Boa noite.", "toy/1e3", "pt", "CC-BY-NC-ND-4.0", "train", "data/train/wav/1e3.flac"],
        ["toy/1e3-4.250", "Obrigado!", "toy/1e3", "pt", "CC-BY-NC-ND-4.0", "train", "data/train/wav/1e3.flac"],
    ]
    assert rejects[["utterance_id", "reason"]].to_numpy().tolist() == [
        ["toy/1e3-2.250", "empty transcript"], ["toy/1e3-5.000", "wrong duration"]]
    assert rejects["detail"].tolist()[1] == "1.00 s; 3.00 s according to the release"
    for audio, hz in zip(taken["audio"], (PITCHES_HZ[0], PITCHES_HZ[2]), strict=True):
        samples, rate_hz = soundfile.read(io.BytesIO(audio["bytes"]))
        assert (len(samples), rate_hz) == (24_000, 16_000)
        assert np.argmax(np.abs(np.fft.rfft(samples))) * 16_000 / 24_000 == pytest.approx(hz, abs=1)


@pytest.mark.parametrize(("texts", "parts", "message"), [
    ("um\n", PART.format(1, 2, "a", "1e3") * 2, "data/train/txt/train.pt has 1 lines, data/train/txt/train.yaml 2 items; expected equally many"),
    ("um\n", PART.format(1, 2, "a", "../../../x"), "train.yaml, item 1: wav '../../../x.wav'; expected one inside data/train/wav"),
    ("um\ndois\n", PART.format(1, 2, "a", "1e3") * 2, "1e3-2.000 occurs more than once"),
    ("um\n", "a: [\n", "not YAML"),
    ("um\n", "a: b\n", "dict; expected a list of parts"),
    *(pytest.param("um\n", deep, "not YAML (line 1: values within more than 3 others)", id=deep[:6]) for deep in (
        "[" * 100_000, "[" * 100_000 + "]" * 100_000, "- " * 100_000 + "x", "{a: " * 100_000, "? " * 100_000, "[[[[]]]]")),
    ("um\n", "&a [*a]", "not YAML (line 1: an alias)"),
])
def test_invalid_sets_are_reported(tmp_path: Path, texts: str, parts: str, message: str) -> None:
    part_set(build(tmp_path), "train", texts, parts)
    with pytest.raises(DataError) as caught:
        mtedx.utterances(params(), tmp_path)
    assert message in str(caught.value)


def test_a_damaged_item_is_a_reject_and_a_missing_release_an_error(tmp_path: Path) -> None:
    part_set(build(tmp_path / "a"), "train", "um\ndois\n", "- {duration: -1, offset: 2, speaker_id: a, wav: a.wav}\n- x\n")
    found = mtedx.utterances(params(), tmp_path / "a")
    assert [row.reason for row in found if isinstance(row, Reject)] == ["malformed row", "malformed row", "unlisted"]
    assert sum(isinstance(row, Utterance) for row in found) == 1
    with pytest.raises(MissingInputError, match="expected mTEDx release"):
        mtedx.utterances(params(), tmp_path / "b")
