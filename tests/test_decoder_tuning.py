"""The stage `language_model` tunes the decoder on dev and adopts it only if it lowers the WER beyond the interval over speakers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline import language_model
from pipeline.core.files import ROOT, hash_file, read_json
from pipeline.decoding.beam import load_decoder
from pipeline.model.artifact import save_model
from tests import tiny

WORDS = tiny.vocabulary()
TEXTS = ["era raro", "osso era", "raro osso", "a rosa era rara", "os ossos", "era o osso", "a rosa", "raros ares", "o ar era raro", "osso raro"] * 2
OUT = Path("data/language_model/portuguese")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a split, and a model whose logits are those of a network that confuses o and a in half of all letters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    for name, texts in (("train", TEXTS), ("test", ["ares"])):
        tiny.write_split(tmp_path, texts, name)
    dev = tiny.write_split(tmp_path, [f"{text} {other}" for text, other in zip(TEXTS, TEXTS[3:] + TEXTS[:3], strict=True)][:14], "dev")
    dev["speaker"] = [f"tones/dev-{number % 12}" for number in range(len(dev))]
    dev.to_parquet("data/split/portuguese/dev.parquet")
    Path("data/split/portuguese/certificate.json").write_text(
        json.dumps({"bounds": {"near_duplicate": 0.999, "fingerprint_bits": 0.25, "fingerprint_s": 0.25}}))
    save_model(tiny.model(WORDS), WORDS, tmp_path / "data/train/transfer", {"normaliser": "pt-BR/5", "figures": None})
    rows = {symbol: row for row, symbol in enumerate(WORDS.symbols)}

    def logits_of_text(text: str, dice: np.random.Generator) -> np.ndarray:
        frames = []
        for letter in text.replace(" ", "|"):
            frame = np.full(len(rows), -6.0, np.float32)
            frame[rows[letter]] = 4.0
            if letter in "oa":
                frame[rows["a" if letter == "o" else "o"]] = 4.0 + dice.normal(0, 1)
            frames += [frame, np.where(np.arange(len(rows)) == WORDS.blank_row, 6.0, -6.0).astype(np.float32)]
        return np.stack(frames)

    def decode_all(model: Any, decode: Any, waveform: Any, duration_s: Any, *more: Any) -> list[Any]:
        ordered = pd.read_parquet("data/split/portuguese/dev.parquet").sort_values("utterance_id")
        assert len(duration_s) == len(ordered)
        dice = np.random.default_rng(0)
        return [decode(logits_of_text(text, dice)) for text in ordered["text"]]

    monkeypatch.setattr("pipeline.decoding.forward.decode_all", decode_all)
    monkeypatch.setattr("pipeline.tuning.decoder.GRID", {"language_weight": (0.5, 1.0), "word_score": (0.5, 1.5), "unknown_score": (-10.0, -2.0)})
    monkeypatch.setattr("pipeline.tuning.decoder.TEMPERATURES", (1.0, 3.0))
    return tmp_path


def run(**section: Any) -> dict[str, Any]:
    Path("params.yaml").write_text(yaml.safe_dump({"language_model": {"portuguese": {"texts": {}, **section}}}))
    language_model.run("portuguese", "data/train/transfer", params_file=Path("params.yaml"))
    found: dict[str, Any] = read_json(OUT / "decoder.json")
    Draft202012Validator(json.loads((ROOT / "docs/schemas/decoder.json").read_text(encoding="utf-8"))).validate(found)
    return found


TUNING = {"resamples": 1000, "threads": 1}


def test_a_decoder_that_helps_is_adopted_and_decodes_as_its_record_states(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(decoder={**TUNING, "hot_words": {"aroeira": 5.0}})
    assert found["adopted"] is True
    assert found["dev"]["wer_served"]["value"] < 0.5 * found["dev"]["wer"]["value"]
    assert found["dev"]["difference"]["high"] < 0
    assert found["files"] == {name: hash_file(OUT / name) for name in ("ngram.arpa", "lexicon.txt")}
    assert found["tuned_with"] == {"model": "data/train/transfer", "weights_hash": hash_file("data/train/transfer/model.safetensors")}
    assert found["hot_words"] == [{"phrase": "aroeira", "weight": 5.0}]
    assert found["texts"] == {"train": ["CC0-1.0"]}
    tried = {tuple(trial[name] for name in ("language_weight", "word_score", "unknown_score")): trial["wer"] for trial in found["search"]}
    chosen = tuple(found["settings"][name] for name in ("language_weight", "word_score", "unknown_score"))
    assert tried[chosen] == min(tried.values()) == found["dev"]["wer_served"]["value"]
    assert load_decoder(OUT, WORDS, 0.02) is not None
    assert "the decoder is adopted: WER on dev changes by -" in capsys.readouterr().out
    before = {file.name: file.read_bytes() for file in OUT.iterdir()}
    run(decoder={**TUNING, "hot_words": {"aroeira": 5.0}})
    assert {file.name: file.read_bytes() for file in OUT.iterdir()} == before


def test_a_language_model_of_another_domain_is_not_adopted_and_systems_serve_greedily(root: Path) -> None:
    train = pd.read_parquet("data/split/portuguese/train.parquet")
    train["text"] = train["variants"] = ["sr ss", "rs sr rr"] * 10
    train.to_parquet("data/split/portuguese/train.parquet")
    found = run(decoder=TUNING)
    assert found["adopted"] is False
    assert "so the system serves greedily" in found["reason"]
    assert load_decoder(OUT, WORDS, 0.02) is None


def test_without_tuning_nothing_is_adopted(root: Path) -> None:
    found = run(decoder=None)
    assert (found["adopted"], found["reason"]) == (False, "language_model.portuguese.decoder is null")
    assert load_decoder(OUT, WORDS, 0.02) is None
