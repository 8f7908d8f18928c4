"""The service pulls what promotions push: a real git remote, a real DVC remote, real promotions of tiny models."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

from pipeline.core.errors import PipelineError
from pipeline.registry.promotion import promote, read_candidate, rollback
from pipeline.registry.store import dvc
from pipeline.serving.pull import SECRET, Puller, pull
from tests.serving.service import LONG, TOKEN, curl, running, save
from tests.toy_registry import Toy, built, own_state


def train_and_promote(toy: Toy, seed: int, generation: int) -> str:
    """Promote a tiny model; return its version."""
    shutil.rmtree(toy.path / "source_model", ignore_errors=True)
    save(toy.path / "source_model", seed)
    dvc(toy.path, "repro", "--quiet", "--force", "--single-item", "train@transfer")
    toy.run(generation, gates=1 if generation == 2 else 0)  # a promotion begins a new period
    return promote(toy.path, read_candidate(toy.path).request, "Ana Reis").version


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the toy project, whose v0.1.0 is a model that can be served, and a clone for the service."""
    folder = tmp_path_factory.mktemp("promoted")
    with pytest.MonkeyPatch.context() as patch:
        own_state(patch, folder)
        shutil.copytree(built("run"), folder / "toy")
        toy = Toy(folder / "toy")
        (toy.path / ".gitignore").write_text((toy.path / ".gitignore").read_text() + "/source_model/\n")
        assert train_and_promote(toy, 3, 2) == "v0.1.0"
        dvc(toy.clone("service").path, "pull", "--quiet", "data/champion")
        yield folder / "toy"


@pytest.fixture
def toy(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    own_state(monkeypatch, tmp_path)
    shutil.copytree(once, tmp_path / "toy", symlinks=True)
    return Toy(tmp_path / "toy")


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def load(url: str, clients: int = 2) -> Iterator[list[tuple[str, str]]]:
    """Send requests all the time; yield version and text of all answers. A request that fails fails the test."""
    found: list[tuple[str, str]] = []
    over = threading.Event()

    def ask() -> None:
        with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
            while not over.is_set():
                try:
                    raw = client.audio.transcriptions.with_raw_response.create(file=("a.flac", LONG), model="vizinho")
                    found.append((raw.headers["x-vizinho-version"], raw.parse().text))
                except openai.APIError as error:
                    found.append(("failed", str(error)))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_a_promotion_and_a_rollback_reach_a_service_under_load(toy: Toy) -> None:
    with running(toy.folder / "service", pull_s=0.2) as (server, url):
        champion = server._service.champion
        with load(url) as found:
            until(lambda: len(found) > 5)
            assert train_and_promote(toy, 4, 3) == "v0.2.0"
            until(lambda: champion.version == "v0.2.0")
            seen = len(found)
            until(lambda: len(found) > seen + 5)
            assert rollback(toy.path, "v0.1.0", "Ana Reis", "worse on calls").version == "v0.2.1"
            until(lambda: champion.version == "v0.2.1")
            seen = len(found)
            until(lambda: len(found) > seen + 5)
        assert json.loads(curl(f"{url}/ready")[2]) == {"status": "ready", "version": "v0.2.1", "loaded": True, "behind": False, "pull": "ok"}
        counts = curl(f"{url}/metrics")[2]
    versions = Counter(version for version, _ in found)
    print(dict(versions))
    assert set(versions) == {"v0.1.0", "v0.2.0", "v0.2.1"}
    texts = {version: {text for other, text in found if other == version} for version in versions}
    assert texts["v0.1.0"] == texts["v0.2.1"] != texts["v0.2.0"]
    assert [len(texts[version]) for version in texts] == [1, 1, 1]
    assert 'vizinho_reloads_total{result="success"} 2' in counts
    assert 'vizinho_reloads_total{result="failure"}' not in counts
    assert 'vizinho_pulls_total{result="failure"}' not in counts


@pytest.mark.slow
def test_a_model_that_cannot_be_had_leaves_the_old_one_in_service_and_the_checkout_as_it_is(toy: Toy) -> None:
    assert train_and_promote(toy, 4, 3) == "v0.2.0"
    (toy.folder / "dvc-remote").rename(toy.folder / "gone")
    service = Toy(toy.folder, "service")
    before = service.git("rev-parse", "HEAD")
    with running(service.path, pull_s=0.2) as (server, url):
        until(lambda: server._service.champion.behind)
        assert json.loads(curl(f"{url}/ready")[2]) == {"status": "ready", "version": "v0.1.0", "loaded": True, "behind": True, "pull": "failed"}
        assert 'vizinho_pulls_total{result="failure"}' in curl(f"{url}/metrics")[2]
    assert service.git("rev-parse", "HEAD") == before
    with running(service.path, pull_s=0.2) as (server, _):  # a restart meanwhile
        assert server._service.champion.version == "v0.1.0"
        (toy.folder / "gone").rename(toy.folder / "dvc-remote")
        until(lambda: server._service.champion.version == "v0.2.0")


@pytest.mark.slow
def test_a_pull_repairs_what_a_kill_left_and_names_what_it_cannot_do(toy: Toy) -> None:
    service = Toy(toy.folder, "service")
    assert train_and_promote(toy, 4, 3) == "v0.2.0"
    service.git("fetch", "--quiet", "--tags", "origin")
    service.git("merge", "--quiet", "--ff-only", "origin/main")  # as if the process was killed before the model came
    pull(service.path)
    with running(service.path) as (server, _):
        assert server._service.champion.version == "v0.2.0"
    (service.path / "local").write_text("")
    service.commit("A local commit")
    (toy.path / "other").write_text("")
    toy.commit("A commit of another clone")
    toy.git("push", "--quiet", "origin", "main")
    with pytest.raises(PipelineError, match="git merge in"):
        pull(service.path)


def test_a_pull_that_fails_is_reported_and_the_next_one_too(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    problems = iter(["no remote", "no remote", "", ""])
    counted: list[bool] = []
    states: list[str] = []

    async def work() -> None:
        async def then() -> None:
            states.append(puller.state)
            if len(states) == 4:
                task.cancel()

        async def once() -> str:
            assert puller.running
            return next(problems)

        puller = Puller(Path(), 0.001, then, counted.append)
        monkeypatch.setattr(puller, "_pull", once)
        task = asyncio.create_task(puller.run())
        with pytest.raises(asyncio.CancelledError):
            await task

    caplog.set_level("INFO", "pipeline.serving.pull")
    asyncio.run(work())
    assert (states, counted) == (["failed", "failed", "ok", "ok"], [False, False, True, True])
    assert caplog.messages == ["the pull failed: no remote", "the pull works again"]


@pytest.mark.slow
def test_a_service_that_stops_ends_its_pull(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A git that never answers does not keep the service from stopping."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    puller = Puller(tmp_path, 0.01, lambda: asyncio.sleep(0), lambda _: None)

    async def work() -> None:
        task = asyncio.create_task(puller.run())
        while not (tmp_path / "pid").exists():
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(work(), 60))
    process = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}")
    until(lambda: not process.exists() or "(zombie)" in (process / "status").read_text(), 10)


def test_messages_have_no_password() -> None:
    assert SECRET.sub("", "unable to access 'https://ana:secret@git.example/x.git/': 403") == "unable to access 'https://git.example/x.git/': 403"
