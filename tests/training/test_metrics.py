"""Live metrics: written while a training runs, whole after a kill; they neither leave the machine nor change Git."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.core.files import read_json
from pipeline.core.timing import read_timing
from pipeline.training.metrics import METRICS, MetricsLog, discard, dvclive_logger
from tests import small_run, tiny


def rows(folder: Path, name: str) -> dict[int, float]:
    table = pd.read_csv(folder / f"metrics/{name}.tsv", sep="\t")
    return dict(zip(table["step"].tolist(), table[name].tolist(), strict=True))


def test_rows_are_written_as_dvc_reads_them_and_only_those_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / "curves/metrics").mkdir(parents=True)
    (tmp_path / "live").mkdir()
    (tmp_path / "curves/metrics/loss.tsv").write_text("step\tloss\n7\t9.0\n")
    (tmp_path / "live/metrics.json").write_text("{}")
    (tmp_path / "live/timing.json").write_text("{}")
    (tmp_path / "live/other").mkdir()
    (tmp_path / "live/other/timing.json").write_text("{}")
    log_row = dvclive_logger(tmp_path / "live", tmp_path / "curves")
    log_row(5, {"loss": 2.5})
    assert rows(tmp_path / "curves", "loss") == {5: 2.5}
    log_row(10, {"loss": 1.5, "dev_wer": 0.5})
    assert rows(tmp_path / "curves", "loss") == {5: 2.5, 10: 1.5}
    assert read_json(tmp_path / "live/metrics.json") == {"step": 10, "loss": 1.5, "dev_wer": 0.5}
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert files == ["curves/metrics/dev_wer.tsv", "curves/metrics/loss.tsv", "live/metrics.json", "live/other/timing.json", "live/timing.json"]


def test_without_dvclive_no_row_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, *more: Any, real: Callable[..., Any] = builtins.__import__) -> Any:
        if name == "dvclive":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert dvclive_logger(tmp_path / "live", tmp_path / "curves") is discard
    discard(1, {})
    assert not (tmp_path / "live").exists()


def test_nothing_is_sent_to_a_studio_even_with_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address) or (_ for _ in ()).throw(OSError("no network")))
    monkeypatch.setenv("DVC_STUDIO_TOKEN", "isat_0")
    monkeypatch.setenv("DVC_STUDIO_REPO_URL", "https://example.invalid/a.git")
    monkeypatch.delenv("DVC_STUDIO_OFFLINE", raising=False)
    log_row = dvclive_logger(tmp_path / "live", tmp_path / "curves")
    log_row(1, {"loss": 1.0})
    assert not asked
    assert os.environ["DVC_STUDIO_OFFLINE"] == "true"


def logged(steps: range, metrics: MetricsLog) -> list[str]:
    lines = []
    for step in steps:
        metrics.add_step(10.0 / step if step != 3 else None, 4.0)
        more = {"dev_wer": 0.25} if step % 8 == 0 else {}
        if more or metrics.is_due(step):
            lines.append(metrics.add_row(step, 1e-3, 0.0, more))
    return lines


def test_a_row_has_the_mean_loss_since_the_row_before_and_the_evaluations_error_rates() -> None:
    rows: list[tuple[int, dict[str, float]]] = []
    metrics = MetricsLog(8, lambda step, figures: rows.append((step, dict(figures))))
    metrics.start()
    lines = logged(range(1, 9), metrics)
    assert [step for step, _ in rows] == [2, 4, 6, 8]
    assert [figures["loss"] for _, figures in rows] == pytest.approx([7.5, 2.5, (2 + 10 / 6) / 2, (10 / 7 + 10 / 8) / 2])
    assert ["dev_wer" in figures for _, figures in rows] == [False, False, False, True]
    assert all(figures["audio_seconds_per_second"] > 0 and figures["learning_rate"] == 1e-3 for _, figures in rows)
    assert lines[0].startswith("loss 7.500, ") and lines[0].endswith(" audio-s/s") and "WER" not in lines[0]
    assert ", dev WER 25.0%, " in lines[-1]


@pytest.mark.parametrize("cut", [3, 4, 7])
def test_a_resumed_run_logs_all_rows_again_and_continues_with_the_same_losses(cut: int) -> None:
    whole: dict[int, float] = {}
    unbroken = MetricsLog(8, lambda step, figures: whole.update({step: figures["loss"]}))
    logged(range(1, 17), unbroken)
    first, second = MetricsLog(8, discard), {}
    logged(range(1, cut + 1), first)
    resumed = MetricsLog(8, lambda step, figures: second.update({step: figures["loss"]}))
    resumed.load_state_dict(first.state_dict())
    resumed.start()
    logged(range(cut + 1, 17), resumed)
    assert second == whole


def test_the_metrics_of_a_gpu_are_in_the_progress_bar() -> None:
    metrics = MetricsLog(4, discard)
    metrics.add_step(1.0, 1.0)
    assert metrics.add_row(1, 1e-3, 0.0, {"gpu_memory_gb": 12.3, "gpu_utilisation": 0.87}).endswith("GPU 87%, 12.3 GB")


# ---- With real DVC --------------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a committed clone in which only the stage `donor` can run, long enough to be observed."""
    folder = small_run.clone(tmp_path)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    config = {"batch_s": 5, "evaluate_every": 200, "checkpoint_s": 0.2, "optimiser": "muon"}
    params["donor"] |= {"steps": 3_000, "model": tiny.SHAPE, "config": config}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    graph = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))
    graph["stages"] = {"donor": graph["stages"]["donor"]}  # `dvc exp run` removes outs that dvc.lock does not know: there are none above it
    (folder / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False), encoding="utf-8")
    tiny.write_split(folder, tiny.TEXTS * 2, language="spanish")
    tiny.write_split(folder, tiny.TEXTS[:3], "dev", "spanish")
    words = folder / "data/tokenise/spanish/vocabulary.json"
    words.parent.mkdir(parents=True)
    words.write_text(json.dumps({symbol: row for row, symbol in enumerate(tiny.vocabulary().symbols)}), encoding="utf-8")
    for command in (["config", "user.name", "test"], ["config", "user.email", "test@example.invalid"], ["add", "--all"],
                    ["commit", "--quiet", "--message", "a small run"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def shown(folder: Path, *arguments: str) -> Any:
    done = subprocess.run(["dvc", *arguments], cwd=folder, env=small_run.environment(folder), text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def steps_shown(folder: Path) -> list[int]:
    """Return the steps of the donor's loss in `dvc plots show`."""
    found = shown(folder, "plots", "show", "data/timing/curves", "--json")
    content = found["data"]["dvc.yaml::data/timing/curves/donor/metrics/loss.tsv"][0]["content"]
    content = json.loads(content) if isinstance(content, str) else content
    return sorted(int(row["step"]) for row in content["data"]["values"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_dvc_plots_follow_a_training_also_after_a_kill_and_git_is_unchanged_but_for_timing(clone: Path) -> None:
    def started(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(["dvc", *arguments], cwd=clone, env=small_run.environment(clone), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 240
        while not condition():
            assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
            time.sleep(0.1)

    live, curves, status = clone / "data/timing/donor", clone / "data/timing/curves/donor", ["git", "status", "--porcelain", "--untracked-files=all"]

    def last_step() -> int:
        try:
            return int(read_json(live / METRICS)["step"])
        except Exception:  # missing or incomplete
            return 0

    first = started("exp", "run", "donor")
    wait_for(lambda: last_step() >= 100, first)
    seen = steps_shown(clone)
    assert len(seen) >= 2 and seen == list(range(50, seen[-1] + 1, 50))
    assert first.poll() is None, "it ended too early"
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    (clone / ".dvc/tmp/rwlock").unlink(missing_ok=True)

    again = started("exp", "run", "donor")
    output = again.communicate()[0]
    assert again.returncode == 0, output
    assert "donor: resumed at step" in output
    assert sorted(rows(curves, "loss")) == steps_shown(clone) == list(range(50, 3_001, 50))
    assert sorted(rows(curves, "dev_wer")) == list(range(200, 3_001, 200))
    assert read_json(live / METRICS)["step"] == 3_000
    assert not list((clone / "data/donor").rglob("*.tsv")), "nothing measured is in the out"
    assert read_timing("donor", clone)["audio_seconds_per_second"] > 0  # type: ignore[index]
    changed = subprocess.run(status, cwd=clone, text=True, capture_output=True, check=True).stdout.split()
    assert [name for name in changed[1::2] if name not in ("dvc.lock", "data/.gitignore") and not name.startswith("data/timing/")] == []
    assert not list(clone.glob("dvclive*")) and "dvclive" not in (clone / "dvc.yaml").read_text(encoding="utf-8")
