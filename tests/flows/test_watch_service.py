"""watch, through a real server and a real worker: new utterances start one retraining, and only one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.registry.store import dvc
from tests.flows.service import Service, check, run_processes, toy_service, until
from tests.toy_registry import Toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FIRST = """import pathlib, sys, time
import pandas as pd
folder, stage = pathlib.Path("FOLDER"), sys.argv[1]
manifest = pathlib.Path("data/normalise/portuguese/toy/manifest.parquet")
while (folder / f"hold-{stage}").exists():
    print("held", flush=True)
    time.sleep(0.5)
if (folder / f"break-{stage}").exists():
    sys.exit(f"error: {stage}: broken")
if stage == "normalise":
    manifest.parent.mkdir(parents=True, exist_ok=True)
    pd.read_parquet("data/raw/release.parquet").assign(keep=True).to_parquet(manifest)
    sys.exit()
if stage == "split":
    folder = pathlib.Path("data/split/portuguese")
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "dev", "test"):
        pd.read_parquet(manifest).to_parquet(folder / f"{part}.parquet")
    (folder / "certificate.json").write_text('{"left_total": 0, "notes": []}')
    sys.exit()
"""


def release(file: Path, utterances: int, duration_s: float = 4.0) -> None:
    """Write a corpus release of this many utterances; a longer one begins with the utterances of a shorter one."""
    random = np.random.default_rng(1)
    number = np.arange(utterances)
    pd.DataFrame({
        "utterance_id": [f"u{index:05}" for index in number], "corpus": "toy", "speaker": [f"s{index % 20}" for index in number],
        "duration_s": duration_s + random.normal(0, 0.5, utterances), "snr_db": 30 + random.normal(0, 3, utterances),
        "locale": "pt-BR", "licence": "CC0-1.0", "text": [f"a loja {['abre', 'fecha', 'fica'][index % 3]} cedo" for index in number],
    }).to_parquet(file)


@dataclass(frozen=True, slots=True)
class Watched:
    service: Service
    toy: Toy
    folder: Path

    def watch(self) -> tuple[str, str]:
        """Return how a watch ended, name and message, after checking that log and artifact contain the same message."""
        run = self.service.run("watch/hourly", min_utterances=50, promote="never")
        until(lambda: self.service.state(run)["type"] in ("COMPLETED", "FAILED", "CRASHED"), 240, lambda: self.service.log(run)[-3000:])
        state = self.service.state(run)
        message = state["message"]
        if state["name"] == "Nothing to do":
            until(lambda: message in self.service.log(run), 30, lambda: self.service.log(run)[-3000:])  # log lines are sent in batches
            assert message[1:] in self.service.artifacts(run)["asr-pt-toy-watch"]
        return state["name"], message

    def retrains(self) -> list[str]:
        """Return the retrainings on the server, oldest first."""
        found = self.service.post("/flow_runs/filter", {"flows": {"name": {"any_": ["retrain"]}}, "sort": "EXPECTED_START_TIME_ASC"})
        return [run["id"] for run in found if run["created_by"] is None or run["created_by"]["type"] != "SCHEDULE"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watch")
    release(folder / "release.parquet", 300)

    def prepared(toy: Toy) -> None:
        file = toy.path / "dvc.yaml"
        pipeline = yaml.safe_load(file.read_text())
        python = pipeline["stages"]["donor"]["cmd"].split()[0]
        pipeline["stages"]["normalise"] = {"cmd": f"{python} make.py normalise", "deps": ["data/raw/release.parquet"],
                                           "outs": ["data/normalise/portuguese/toy"]}
        pipeline["stages"]["split"]["do"]["deps"] = ["data/normalise/portuguese/toy"]
        file.write_text(yaml.safe_dump(pipeline, sort_keys=False))
        (toy.path / "data/raw").mkdir()
        dvc(toy.path, "import-url", str(folder / "release.parquet"), "data/raw/release.parquet")
        toy.run(1)
        dvc(toy.path, "push", "--quiet")

    with toy_service(folder / "toy", FIRST.replace("FOLDER", str(folder)), prepared) as (service, toy):
        yield Watched(service, toy, folder)


def test_new_utterances_start_exactly_one_retraining(watched: Watched) -> None:
    service = watched.service
    name, message = watched.watch()
    assert name == "Nothing to do" and message.startswith("no retraining: 0 new utterances (threshold 50), 0.00 hours (threshold 1)"), message
    assert "too few new utterances to measure drift" in message and watched.retrains() == []

    release(watched.folder / "release.parquet", 380)
    (watched.folder / "hold-train").touch()
    name, message = watched.watch()
    assert name == "Completed" and message.endswith("80 new utterances (threshold 50)"), message
    run, = watched.retrains()
    until(lambda: "held" in service.log(run), 120, lambda: service.log(run)[-3000:])
    name, message = watched.watch()
    assert name == "Nothing to do" and message.startswith("no retraining: 80 new utterances (threshold 50), but embedded 20"), message
    assert message.endswith("is still active") and watched.retrains() == [run]

    (watched.folder / "hold-train").unlink()
    service.wait(run)
    assert set(service.get(f"/flow_runs/{run}")["tags"]) >= {"watch", "vizinho"}
    check(service, watched.toy, run)
    name, message = watched.watch()
    assert name == "Nothing to do" and message.startswith("no retraining: 0 new utterances"), message
    assert watched.retrains() == [run]


def test_a_failed_retraining_is_not_repeated_every_hour(watched: Watched) -> None:
    service, before = watched.service, watched.retrains()
    release(watched.folder / "release.parquet", 440)
    (watched.folder / "break-train").touch()
    name, message = watched.watch()
    assert name == "Completed", message
    run = watched.retrains()[-1]
    assert len(watched.retrains()) == len(before) + 1
    service.wait(run, "Failed")
    for _ in range(2):
        name, message = watched.watch()
        assert name == "Nothing to do" and "60 new utterances (threshold 50), but embedded 20" in message, message
        assert "was already started for the same data (Failed)" in message
    assert len(watched.retrains()) == len(before) + 1

    (watched.folder / "break-train").unlink()
    service.retry(run)
    service.wait(run)
    assert watched.watch()[1].startswith("no retraining: 0 new utterances")
    release(watched.folder / "release.parquet", 500)  # other data start another run
    assert watched.watch()[0] == "Completed"
    service.wait(watched.retrains()[-1])
    assert len(watched.retrains()) == len(before) + 2


def test_drift_is_a_reason_even_for_few_utterances(watched: Watched) -> None:
    before = watched.retrains()
    rows = pd.read_parquet(watched.folder / "release.parquet")
    longer = rows.iloc[:60].assign(utterance_id=[f"long{index}" for index in range(60)], duration_s=9.0)
    pd.concat([rows, longer]).to_parquet(watched.folder / "release.parquet")
    run = watched.service.run("watch/hourly", min_utterances=1000, promote="never")
    watched.service.wait(run)
    assert "drift: length" in watched.service.state(run)["message"]
    retrain = watched.retrains()[-1]
    watched.service.wait(retrain)
    assert len(watched.retrains()) == len(before) + 1
    until(lambda: not run_processes(watched.service), 30)
