"""The model card of a model that was trained on the utterances that `align` kept."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.files import write_json, write_table
from pipeline.registry.card import model_card, read_run


@pytest.mark.parametrize("aligned", [False, True])
def test_the_card_counts_the_utterances_that_the_model_was_trained_on(tmp_path: Path, aligned: bool) -> None:
    rows = pd.DataFrame({"corpus": "toy", "speaker": ["a", "b", "c"], "duration_s": 1200.0, "licence": "CC0-1.0"})
    write_table(tmp_path / "data/split/portuguese/train.parquet", rows)
    write_table(tmp_path / "data/align/portuguese/train.parquet", rows[:2])
    write_json(tmp_path / "data/split/portuguese/certificate.json", {})
    rate = {"value": 0.5, "low": 0.4, "high": 0.6, "level": 0.95, "unit": "speaker"}
    write_json(tmp_path / "data/score/transfer.json", {
        "wer": rate, "cer": rate, "slices": [], "normaliser": "pt-BR/1", "test_set": {"hash": "a" * 64, "utterances": 4, "speakers": 2, "words": 9}})
    alignment = {"utterances": 3, "dropped": {"unlike its audio": 1}, "aligner": {"weights_hash": "b" * 64}}
    found = {"split": "data/align/portuguese", "alignment": alignment}
    write_json(tmp_path / "data/champion/vizinho.json", found if aligned else {"split": "data/split/portuguese", "alignment": None})
    card = model_card(read_run(tmp_path, "data/champion"), artefact="asr-pt", version="v0.1.0", system="transfer", commit="c" * 40, override=None)
    assert f"| toy (portuguese) | {2 if aligned else 3} | {2 if aligned else 3} | {0.67 if aligned else 1.00:.2f} | CC0-1.0 |" in card
    assert ("Of 3 Portuguese training utterances 1 were dropped because their transcripts do not fit the audio (1 unlike its audio), "
            "by forced alignment with a "
            "model of weights `bbbbbbbbbbbb`." in card) == aligned
