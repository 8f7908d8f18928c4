"""The DVC remote fails over HTTP during a push: the run ends with a message, and the next run pushes everything."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from flows import workspace
from flows.retrain import push_data, retrain
from pipeline.registry.git import git
from pipeline.registry.store import dvc
from tests.flows.conftest import Run, change, children, edit
from tests.flows.http_store import Store, http_store
from tests.toy_registry import Toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Start = Callable[..., Run]

SIZE = 16_000_000
HEAVY = f"""import pathlib, random
folder = pathlib.Path("data/train/transfer")
folder.mkdir(parents=True)
(folder / "layers.safetensors").write_bytes(random.Random(1).randbytes({SIZE}))
"""


def use(toy: Toy, store: Store) -> None:
    """Push the toy project's data to a store, and let its training write a file that takes a while to send."""
    config = toy.path / ".dvc/config"
    config.write_text(config.read_text().replace("url = ../../dvc-remote", f"url = {store.url}\n    method = PUT"))
    edit(toy, "train", HEAVY)
    dvc(toy.path, "push", "--quiet")
    change(toy, train__generation=2)


def check(toy: Toy, store: Store, run: Run) -> None:
    """Check that a run commit is what `dvc repro` makes, and that the store has all its data."""
    commit = run.outcome["commit"]
    manual = toy.clone("manual")
    manual.git("checkout", "--quiet", f"{commit}^")
    manual.git("checkout", "--quiet", commit, "--", "params.yaml")  # with the gate index that the flow has set
    dvc(manual.path, "repro", "--quiet", "--force")
    for file in ("dvc.lock", "data/score/transfer.json", "data/gate/verdict.json"):
        assert git(toy.origin, "show", f"{commit}:{file}") == (manual.path / file).read_text().rstrip("\n"), file

    theirs = toy.clone("engineer")
    theirs.git("checkout", "--quiet", commit)
    dvc(theirs.path, "pull")
    done = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=theirs.path, text=True, capture_output=True, check=True)
    assert "Running stage" not in done.stdout + done.stderr
    assert (theirs.path / "data/train/transfer/layers.safetensors").stat().st_size == SIZE


@pytest.mark.parametrize(("how", "message"), [("gone", "failed to transfer"), ("silent", "dvc push: no progress for 5 s")])
def test_an_interrupted_push_fails_with_a_message_and_the_next_run_pushes_everything(
        toy: Toy, started: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Literal["gone", "silent"], message: str) -> None:
    monkeypatch.setattr(push_data, "retry_delay_seconds", [0])
    monkeypatch.setattr(workspace, "STALL_TIMEOUT_S", 5.0)
    with http_store(tmp_path / "store") as store:
        use(toy, store)
        before = children()
        store.fail(how, after=SIZE // 2)
        run = started(retrain, promote="auto")
        assert (run.state.name, store.cut > 0) == ("Failed", True)
        assert message in run.state.message and "Traceback" not in "\n".join(run.lines)
        assert run.tasks[next(name for name in run.tasks if name.startswith("push data"))].run_count == 4
        assert git(toy.origin, "for-each-ref", "refs/heads/retrain") == "" and toy.in_use() is None
        assert children() <= before

        store.fix()
        again = started(retrain, promote="auto")
        assert again.state.is_completed(), again.state.message
        assert (again.states()["train@transfer"], again.outcome["promoted"]) == ("Cached", "v0.1.0")
        check(toy, store, again)


def test_the_same_run_pushes_to_a_remote_that_returns_in_time(
        toy: Toy, started: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_data, "retry_delay_seconds", [3])
    with http_store(tmp_path / "store") as store:
        use(toy, store)
        store.fail("gone", after=SIZE // 2)

        def repair() -> None:
            while not store.cut:
                time.sleep(0.1)
            store.fix()

        threading.Thread(target=repair, daemon=True).start()
        run = started(retrain)
        assert run.state.is_completed(), run.state.message
        assert run.tasks[next(name for name in run.tasks if name.startswith("push data"))].run_count == 2
        check(toy, store, run)
