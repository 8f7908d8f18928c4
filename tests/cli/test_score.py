"""`vizinho score` on plain files of any system."""

from __future__ import annotations

from pathlib import Path

import jiwer

from pipeline.cli.score import render_score, score_files
from tests.cli.plain_files import BETTER, REFERENCES, validated, write


def test_a_score_of_plain_files_is_that_of_jiwer(files: dict[str, Path]) -> None:
    found = validated(score_files(files["reference"], files["challenger"]), "score")
    assert found["wer"]["value"] == jiwer.wer(list(REFERENCES.values()), list(BETTER.values()))
    assert found["cer"]["value"] == jiwer.cer(list(REFERENCES.values()), list(BETTER.values()))
    assert (found["system"], found["wer"]["unit"], found["test_set"]["speakers"]) == ("challenger", "speaker", 10)
    assert "4.17 %" in render_score(found)
    assert "10 substitutions" in render_score(found)


def test_without_speakers_utterances_are_resampled(tmp_path: Path, files: dict[str, Path]) -> None:
    reference = write(tmp_path / "anonymous.tsv", REFERENCES)
    assert score_files(reference, files["champion"])["wer"]["unit"] == "utterance"


def test_with_a_locale_texts_are_normalised_first(tmp_path: Path) -> None:
    reference = write(tmp_path / "reference.tsv", {"a": "A casa, no 2.", "b": "Olá!"})
    hypothesis = write(tmp_path / "hypothesis.tsv", {"a": "a casa no dois", "b": "olá"})
    assert score_files(reference, hypothesis)["wer"]["value"] > 0
    found = validated(score_files(reference, hypothesis, "pt-BR"), "score")
    assert (found["wer"]["value"], found["tolerant"]) == (0.0, {"wer": 0.0, "cer": 0.0})
    assert found["normaliser"].startswith("pt-BR/")
    assert "tolerant of spelling variants: WER 0.00 %" in render_score(found)
