"""Evidence is read from the stages' outs; incomplete reports and foreign speeds are not used."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import write_json
from pipeline.scoring.evidence import Corpus, Rate, System
from pipeline.scoring.reading import read_corpora, read_speed
from pipeline.scoring.utterances import scored

ROWS = scored(pd.DataFrame({"utterance_id": ["u"], "speaker": "", "reference": "um", "hypothesis": "um"}))
SYSTEM = System("transfer", ROWS, "", "pt-BR/1", Rate(0, 0, 0), Rate(0, 0, 0), {"weights_hash": "ab"})
INGEST, NORMALISE = (f"data/{stage}/portuguese/speak-pt/report.json" for stage in ("ingest", "normalise"))


def test_a_corpus_combines_the_reports_of_ingest_and_normalise(tmp_path: Path) -> None:
    write_json(tmp_path / INGEST, {"utterances": 90, "rejected": 10})
    write_json(tmp_path / NORMALISE, {"utterances": 90, "kept": {"utterances": 80, "hours": 0.5, "speakers": 7}})
    assert read_corpora(["portuguese"], tmp_path) == [Corpus("portuguese", "speak-pt", 10, 90, 10, 0.5, 7)]


def test_a_report_without_its_figures_or_its_counterpart_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / INGEST, {"utterances": 90, "rejected": 10})
    with pytest.raises(MissingInputError, match=NORMALISE):
        read_corpora(["portuguese"], tmp_path)
    write_json(tmp_path / NORMALISE, {"utterances": 90, "kept": {"utterances": 80}})
    with pytest.raises(DataError, match=r"kept\.hours is missing; kept\.speakers is missing"):
        read_corpora(["portuguese"], tmp_path)


@pytest.mark.parametrize(("timing", "speed"), [
    ({"weights_hash": "ab", "relative_speed": {"value": 40.0, "low": 38.0, "high": 42.0}}, Rate(40.0, 38.0, 42.0)),
    ({"weights_hash": "cd", "relative_speed": {"value": 40.0, "low": 38.0, "high": 42.0}}, None),
    ({"weights_hash": "ab", "relative_speed": {"value": 40.0, "low": None, "high": 42.0}}, None), ({"weights_hash": "ab"}, None), (None, None),
], ids=["measured", "of other weights", "without a bound", "without the ratio", "without a file"])
def test_a_speed_counts_only_if_it_is_complete_and_of_the_same_weights(tmp_path: Path, timing: dict[str, object] | None, speed: Rate | None) -> None:
    if timing is not None:
        write_json(tmp_path / "data/timing/transcribe/transfer/timing.json", timing)
    assert read_speed(SYSTEM, tmp_path) == speed
