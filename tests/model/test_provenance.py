"""Training data of a model: its record, and its overlap with a test split."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.model.provenance import TRAINED_ON, empty_trained_on, overlap, trained_on


def table(*rows: tuple[str, str, str], dependent: bool = False) -> pd.DataFrame:
    """Return a split table of speaker, text and audio hash."""
    return pd.DataFrame(rows, columns=["speaker", "text", "audio_hash"]).assign(speaker_dependent=dependent)


TRAIN = table(("ana", "era uma vez", "aa"), ("ana", "o rosa", "bb"), ("rui", "o rosa", "cc"))


def test_the_record_has_one_row_per_utterance_and_no_transcript() -> None:
    found = trained_on(TRAIN)
    assert found["speaker"].tolist() == ["ana", "ana", "rui"]
    assert found["audio"].tolist() == ["aa", "bb", "cc"]
    assert found["sentence"][1] == found["sentence"][2] != found["sentence"][0]
    assert not found.isin(set(TRAIN["text"])).any(axis=None)


def test_speakers_sentences_and_recordings_of_the_test_split_are_each_counted_once() -> None:
    test = table(("rui", "outra frase", "dd"), ("rui", "o rosa", "ee"), ("eva", "o rosa", "ff"), ("eva", "nova", "aa"))
    assert overlap(trained_on(TRAIN), test) == {"speakers": 1, "sentences": 1, "recordings": 1}
    assert overlap(trained_on(TRAIN), table(("eva", "nova", "zz"))) == {"speakers": 0, "sentences": 0, "recordings": 0}


def test_the_speaker_of_a_speaker_dependent_corpus_is_not_counted_but_its_sentences_are() -> None:
    assert overlap(trained_on(TRAIN), table(("ana", "o rosa", "zz"), dependent=True)) == {"speakers": 0, "sentences": 1, "recordings": 0}


def test_unknown_training_data_are_an_empty_table_of_the_same_columns(tmp_path: Path) -> None:
    empty_trained_on(tmp_path)
    stored = pd.read_parquet(tmp_path / TRAINED_ON)
    assert len(stored) == 0
    assert list(stored) == list(trained_on(TRAIN))
    assert overlap(stored, TRAIN) == {"speakers": 0, "sentences": 0, "recordings": 0}
