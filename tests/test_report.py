"""The stage `report`: the files it writes, and what it refuses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pipeline import report
from pipeline.core.errors import DataError, MissingInputError
from tests.reporting.results import write_run


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("finished") / "run", clips=3)


@pytest.fixture
def root(finished_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path / "run")


def test_the_same_run_gives_the_same_bytes(root: Path) -> None:
    report.run(root)
    before = {path.name: path.read_bytes() for path in (root / "data/report").iterdir()}
    report.run(root)
    assert before == {path.name: path.read_bytes() for path in (root / "data/report").iterdir()}
    assert set(before) == {"curves.csv", "data.html", "index.html", "learning_curve.svg", "ranking.svg", "systems.svg"}


@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "missing"])
def test_no_page_is_written_if_the_audio_of_a_clip_cannot_be_read(root: Path, damaged: bool) -> None:
    name = "ingest/portuguese/speak-pt/shard-00000.parquet"
    path = root / "data" / name
    path.write_bytes(b"\xff\xfe no valid content") if damaged else path.unlink()
    with pytest.raises(DataError if damaged else MissingInputError, match=re.escape(name)):
        report.run(root)
    assert not (root / "data/report/index.html").exists()


def test_wrong_params_are_one_message_and_an_exit_code(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "params.yaml").write_text("report: {clips: -1, klips: 8}\n")
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.argv", ["report"])
    with pytest.raises(SystemExit) as exit_:
        report.stage_main(report.run)
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert "report.clips: found -1" in message and "report.klips: unknown key" in message and "Traceback" not in message
