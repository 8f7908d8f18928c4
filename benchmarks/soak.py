"""Many retrainings in sequence: seconds per run, and leaks of processes, open files, memory and folders.

    python -m benchmarks.soak [CACHED [REAL]]

By default 3 runs with a new training seed each, then 20 of the same commit. main has no results, so each of their stages is a `dvc repro`
that finds it in DVC's run cache. The small pipeline of the tests, a real server, one worker. Exit code 1 if a process, an open file or
a folder is left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.flows.service import Service, family, prepare, running, until
from tests.small_run import clone, dvc

SLACK = 8
"""Tolerated growth in open files and threads: connections of an HTTP pool."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the service uses between two runs.

    Args:
        server_mb: resident memory of the server, in MB (10^6 bytes).
        worker_mb: likewise of the worker.
        files: open files of server and worker.
        threads: of server and worker.
        processes: of the whole service.
        clones: folders of runs.
        tmp: entries of the temporary folder.
    """

    server_mb: float
    worker_mb: float
    files: int
    threads: int
    processes: int
    clones: int
    tmp: int


def sample(service: Service) -> Sample:
    """Return what the service uses once no run is active."""
    server, worker = (part.process.pid for part in (service.server, service.worker) if part.process)
    until(lambda: len(family(service.folder)) <= 3, 60, lambda: str(family(service.folder)))
    time.sleep(2)
    return Sample(_resident_mb(server), _resident_mb(worker), sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (server, worker)),
                  sum(len(os.listdir(f"/proc/{pid}/task")) for pid in (server, worker)), len(family(service.folder)),
                  len([entry for entry in (service.folder / "state/work").glob("*") if entry.is_dir() and entry.name != "registry"]),
                  len(os.listdir(service.environment["TMPDIR"])))


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def retrain(service: Service) -> float:
    """Run `retrain/nightly` and return the seconds from its request to its end."""
    began = time.monotonic()
    run = service.run("retrain/nightly", promote="never")
    service.wait(run, seconds=1800)
    return time.monotonic() - began


def reseed(project: Path, seed: int) -> None:
    """Commit another training seed to main."""
    file = project / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    params["train"]["seed"] = seed
    file.write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True), encoding="utf-8")
    for arguments in (["commit", "--quiet", "-a", "-m", f"Seed {seed}"], ["push", "--quiet", "origin", "HEAD:main"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)


def layout(folder: Path) -> Path:
    """Return a checkout in a folder, with a bare Git remote and a local DVC remote."""
    project = clone(folder, "project")
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(folder / "remote.git")], check=True)
    for arguments in (["checkout", "--quiet", "-B", "main"], ["remote", "set-url", "origin", str(folder / "remote.git")],
                  ["config", "user.name", "Ana Reis"], ["config", "user.email", "ana@example.org"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    assert dvc(project, "remote", "add", "--default", "storage", str(folder / "store")).returncode == 0
    for arguments in (["add", "--all"], ["commit", "--quiet", "-m", "Day one"], ["push", "--quiet", "origin", "main"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    return project


def main() -> None:
    """Print a row per run, and the growth."""
    cached, real = (int(argument) for argument in [*sys.argv[1:], "20", "3"][:2]) if len(sys.argv) != 2 else (int(sys.argv[1]), 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        project = layout(folder)
        with running(prepare(folder / "service", VIZINHO_REPOSITORY=str(project), TMPDIR=str(folder / "tmp")), worker=True) as service:
            print("run            seconds  server MB  worker MB  files  threads  processes  clones  tmp", flush=True)
            samples = []
            for number in range(1 + real + cached):
                kind = "first" if number == 0 else f"trained {number}" if number <= real else f"cached {number - real}"
                if 0 < number <= real:
                    reseed(project, 100 + number)
                lasted_s = retrain(service)
                now = sample(service)
                samples.append(now)
                print(f"{kind:<12} {lasted_s:9.1f}  {now.server_mb:9.0f}  {now.worker_mb:9.0f}  {now.files:5}  {now.threads:7}  {now.processes:9}  "
                      f"{now.clones:6}  {now.tmp:3}", flush=True)
    settled, last = samples[min(2, len(samples) - 1)], samples[-1]
    print(f"from the third run to the last: server {last.server_mb - settled.server_mb:+.0f} MB, "
          f"worker {last.worker_mb - settled.worker_mb:+.0f} MB, files {last.files - settled.files:+d}, threads {last.threads - settled.threads:+d}")
    grown = [last.files - settled.files, last.threads - settled.threads, last.tmp - settled.tmp]
    if last.processes > settled.processes or last.clones or max(grown) > SLACK:
        sys.exit("processes, files or folders are left")


if __name__ == "__main__":
    main()
