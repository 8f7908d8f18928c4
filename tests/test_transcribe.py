"""The stage `transcribe`: hypotheses in the form that scoring takes, figures, and the check of invariance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from pipeline import transcribe
from pipeline.batching.waveforms import UtteranceAudio
from pipeline.core import params as core_params
from pipeline.core.errors import MissingInputError, ParamsError, PipelineError
from pipeline.core.files import read_json
from pipeline.core.manifest import HYPOTHESIS
from pipeline.model.artifact import save_model
from pipeline.model.provenance import trained_on
from tests import tiny

WORDS = tiny.vocabulary()
SECTION = {"batch_s": 5, "threads": 1, "invariance_utterances": 4, "max_logit_difference": 1e-3}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.decoding.speed.PAIRS", 2)
    monkeypatch.setattr(core_params.load_section, "__kwdefaults__", {"path": tmp_path / "params.yaml"})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"transcribe": SECTION}))
    tiny.write_split(tmp_path, tiny.TEXTS, "test")
    learned = trained_on(pd.read_parquet("data/split/portuguese/test.parquet")[:2])
    model = tiny.model(WORDS, seed=3)
    with torch.no_grad():
        model.lm_head.weight.mul_(60)
    save_model(model, WORDS, tmp_path / "data/train/transfer", {"normaliser": "pt-BR/1", "figures": {"dev_cer": 0.5}},
               lambda folder: learned.to_parquet(folder / "trained_on.parquet"))
    return tmp_path


def test_every_utterance_gets_a_hypothesis_beside_its_reference_and_slices(root: Path) -> None:
    transcribe.run("transfer", "data/train/transfer")
    table = pd.read_parquet(root / "data/transcribe/transfer.parquet")
    assert list(table.columns) == list(HYPOTHESIS)
    assert table["utterance_id"].tolist() == [f"tones/test-{number:03d}" for number in range(len(tiny.TEXTS))]
    assert table["reference"].tolist() == list(tiny.TEXTS)
    assert set(table["snr_band"]) == {"30 dB and over"} and "0-2 s" in set(table["duration_band"])
    assert table["hypothesis"].str.len().gt(0).any()
    assert table["confidence"].between(0, 1).all()


def test_the_figures_say_how_fast_how_large_and_what_was_learned_from(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transcribe.run("transfer", "data/train/transfer")
    figures = read_json(root / "data/transcribe/transfer.json")
    weights = root / "data/train/transfer/model.safetensors"
    assert figures["model_bytes"] == weights.stat().st_size
    assert not {"rtfx", "seconds", "peak_memory_bytes"} & figures.keys(), "what was measured is no part of the result"
    timing = read_json(root / "data/timing/transcribe/transfer/timing.json")
    assert timing["rtfx"] == pytest.approx(timing["audio_s"] / timing["decoding_seconds"])
    assert timing["weights_hash"] == figures["weights_hash"]
    assert 0 < timing["relative_speed"]["low"] <= timing["relative_speed"]["value"] <= timing["relative_speed"]["high"]
    assert timing["peak_memory_bytes"] > 50_000_000
    assert figures["trained_on_test"] == {"speakers": 2, "sentences": 2, "recordings": 2}
    assert figures["training_data_known"] is True
    assert (figures["system"], figures["vocabulary_hash"]) == ("transfer", WORDS.hash)
    assert 0 <= figures["invariance"]["max_logit_difference"] < 1e-3
    assert figures["invariance"]["utterances"] == 4
    assert "10 utterances" in capsys.readouterr().out


def test_the_same_model_gives_the_same_bytes_whatever_the_batch(root: Path) -> None:
    transcribe.run("transfer", "data/train/transfer")
    first = pd.read_parquet(root / "data/transcribe/transfer.parquet")
    (root / "params.yaml").write_text(yaml.safe_dump({"transcribe": SECTION | {"batch_s": 1}}))
    transcribe.run("transfer", "data/train/transfer")
    second = pd.read_parquet(root / "data/transcribe/transfer.parquet")
    assert first["hypothesis"].tolist() == second["hypothesis"].tolist()
    assert np.allclose(first["confidence"], second["confidence"], atol=1e-4)


def test_a_model_that_hears_its_batch_fails_the_stage(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.decoding import forward as decoding

    honest = decoding.logits_of
    monkeypatch.setattr(decoding, "logits_of", lambda model, waveforms: [
        logits_TV + 0.01 * len(waveforms) for logits_TV in honest(model, waveforms)])
    with pytest.raises(PipelineError, match=r"transcribe: a logit moves by 3\.\d*e-02 between decoding alone and in a batch; expected at most 1e-03"):
        transcribe.run("transfer", "data/train/transfer")
    assert not (root / "data/transcribe/transfer.parquet").exists()


def test_the_check_mixes_long_and_short_and_can_be_left_out(root: Path) -> None:
    table = pd.read_parquet("data/split/portuguese/test.parquet")
    asked: list[int] = []

    class Watched(UtteranceAudio):
        def waveform(self, index: int) -> Any:
            asked.append(index)
            return super().waveform(index)

    duration_s = table["duration_s"].to_numpy()
    params = transcribe.Transcribe.model_validate(SECTION)
    transcribe.check_invariance(tiny.model(), Watched(table), duration_s, params)
    assert duration_s[asked].min() == duration_s.min() and duration_s[asked].max() > np.median(duration_s)
    none = transcribe.check_invariance(tiny.model(), Watched(table), duration_s, params.model_copy(update={"invariance_utterances": 0}))
    assert none == {"max_logit_difference": 0.0, "utterances_changed": 0, "utterances": 0}


CONDITIONS = {"deafening": {"snr_db": -10.0}, "slow": {"speed": 0.5}, "telephone": {"telephone": True},
              "mp3": {"codec": "mp3"}}


def measure(root: Path, **changes: Any) -> pd.DataFrame:
    robustness = {"systems": ["transfer"], "utterances": 4, "seed": 1, "conditions": CONDITIONS, **changes}
    (root / "params.yaml").write_text(yaml.safe_dump({"transcribe": SECTION | {"robustness": robustness}}))
    transcribe.run("transfer", "data/train/transfer")
    return pd.read_parquet(root / "data/transcribe/transfer.parquet")


def test_a_seeded_sample_is_transcribed_in_every_condition(root: Path) -> None:
    table = measure(root)
    sample = table[table["robustness"].str.len() > 0]
    assert len(sample) == 4
    conditions = [{entry["condition"]: entry["hypothesis"] for entry in entries} for entries in sample["robustness"]]
    assert all(set(texts) == set(CONDITIONS) for texts in conditions)
    assert [texts["deafening"] for texts in conditions] != sample["hypothesis"].tolist()
    assert read_json(root / "data/transcribe/transfer.json")["robustness"]["conditions"]["slow"]["speed"] == 0.5
    again = measure(root)
    assert again["robustness"].map(list).tolist() == table["robustness"].map(list).tolist()
    more = measure(root, utterances=6, conditions={"slow": {"speed": 0.5}})
    assert set(sample["utterance_id"]) < set(more.loc[more["robustness"].str.len() > 0, "utterance_id"])
    other = measure(root, seed=2, conditions={"slow": {"speed": 0.5}})
    assert set(other.loc[other["robustness"].str.len() > 0, "utterance_id"]) != set(sample["utterance_id"])


@pytest.mark.slow
def test_a_system_without_robustness_is_transcribed_in_no_condition(root: Path) -> None:
    table = measure(root, systems=["champion"])
    assert not table["robustness"].str.len().any()
    assert read_json(root / "data/transcribe/transfer.json")["robustness"] is None


def test_a_condition_that_changes_nothing_is_refused(root: Path) -> None:
    with pytest.raises(ParamsError, match=r"conditions\.same: nothing is changed; expected speed, snr_db, telephone or codec"):
        measure(root, conditions={"same": {"speed": 1.0}})


def test_words_have_confidences_and_numbers_and_names_are_seen_in_the_transcript_as_found(root: Path) -> None:
    path = root / "data/split/portuguese/test.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "transcript"], table.loc[1, "transcript"] = "Às 14h30 o Rui saiu.", table.loc[1, "text"]
    table.to_parquet(path)
    transcribe.run("transfer", "data/train/transfer")
    found = pd.read_parquet(root / "data/transcribe/transfer.parquet")
    assert found["word_confidence"].str.len().tolist() == [len(text.split()) for text in found["hypothesis"]]
    assert all(0 <= value <= 1 for values in found["word_confidence"] for value in values)
    for ending in ("", "_served"):
        assert found[f"word_times{ending}"].str.len().tolist() == [len(text.split()) for text in found[f"hypothesis{ending}"]]
        assert all(0 <= start < end <= duration_s + 0.1 for times, duration_s in zip(found[f"word_times{ending}"], found["duration_s"], strict=True)
                   for start, end in times)
    assert found["numbers"].tolist()[:3] == ["yes", "", "no"]
    assert found["names"].tolist()[:3] == ["yes", "", "no"]


def test_a_missing_model_or_split_is_named(root: Path) -> None:
    with pytest.raises(MissingInputError, match="data/train/none: no model"):
        transcribe.run("none", "data/train/none")
    (root / "data/split/portuguese/test.parquet").unlink()
    with pytest.raises(MissingInputError, match=r"test\.parquet: no such file.*dvc repro"):
        transcribe.run("transfer", "data/train/transfer")
