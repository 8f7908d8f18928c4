"""The engine Ray: the same bytes and messages as the process pool, and nothing left running."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from pipeline import ingest
from pipeline.core.errors import MissingInputError
from pipeline.core.files import ROOT, hash_file

RUN = ("import sys; from pathlib import Path; from pipeline import ingest; from pipeline.core.stage import exit_with_code\n"
       "with exit_with_code(): ingest.run('toy', root=Path(sys.argv[1]), workers=2)")
PLAIN = {"reader": "manifest", "language": "portuguese", "source": "corpus", "locale": "pt-BR", "licence": "CC0-1.0",
         "utterances_per_shard": 5, "max_reject_share": 1.0}
SPEAK = {"reader": "speak", "language": "portuguese", "source": str(ROOT / "pipeline/corpora/lexicon"), "locales": {"pt-BR": 0.5, "pt-PT": 0.5},
         "speakers": 6, "utterances": 12, "seed": 3, "utterances_per_shard": 4}

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: requirements/dev.txt")


def checkout(root: Path, params: dict[str, Any]) -> Path:
    """Write params and recordings of two rates: 23 good ones of four shards, three copies, two invalid files."""
    (root / "corpus").mkdir(parents=True)
    for number in range(25):
        waveform_S = np.random.default_rng(number % 22).standard_normal(20_000) / 20
        soundfile.write(root / f"corpus/{number}.wav", waveform_S, 22_050 if number % 22 % 2 else 16_000)
    (root / "corpus/broken.wav").write_bytes(b"no audio")
    names = [*(f"{number}.wav" for number in range(25)), "broken.wav", "absent.wav"]
    (root / "corpus/manifest.tsv").write_text("path\ttext\n" + "".join(f"{name}\tuma frase\n" for name in names))
    (root / "params.yaml").write_text(yaml.safe_dump({"ingest": {"toy": params}}))
    return root


def result(root: Path) -> dict[str, str]:
    return {path.name: hash_file(path) for path in sorted((root / "data/ingest/portuguese/toy").iterdir())}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield an environment that marks all processes started with it; none of them may be left at the end."""
    mark = f"VIZINHO_TEST_MARK={uuid.uuid4()}"
    yield os.environ | {"VIZINHO_STATE": str(tmp_path / "state"), "PYTHONPATH": str(ROOT), **dict([mark.split("=")])}
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                left.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    assert not left


def run(root: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN, str(root)], env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_two_workers_of_ray_write_the_bytes_of_the_process_pool(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "other-state"))
    ingest.run("toy", root=checkout(tmp_path / "pool", PLAIN), workers=1)
    done = run(checkout(tmp_path / "ray", PLAIN | {"engine": "ray"}), environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ingest@toy: 22 utterances") and "3 duplicate audio" in done.stdout and "2 unreadable" in done.stdout
    assert result(tmp_path / "ray") == result(tmp_path / "pool")
    assert len(result(tmp_path / "ray")) == 6 + 2
    assert not list((tmp_path / "state/ingest").iterdir())


def test_without_ray_the_error_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingInputError) as caught:
        ingest.run("toy", root=checkout(tmp_path / "checkout", PLAIN | {"engine": "ray"}), workers=2)
    assert str(caught.value) == ("engine: ray: Ray is not installed; expected the package ray[data], of the release in requirements/dev.txt; "
                                 "install it on every machine of the cluster, or set engine: processes")


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of a running cluster, of this machine alone, with two cores."""
    folder = Path("/tmp") / f"ray-{uuid.uuid4().hex[:8]}"  # Ray's sockets lie in it, whose paths must be short
    shared = environment | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2}
    script = f"import ray, sys, time; c = ray.init(num_cpus=2, include_dashboard=False, _temp_dir={str(folder)!r}, log_to_driver=False)\n" \
             "print(c.address_info['address'], flush=True); sys.stdin.read(); ray.shutdown()"
    with subprocess.Popen([sys.executable, "-c", script], env=shared, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as head:
        assert head.stdin and head.stdout
        yield shared | {"RAY_ADDRESS": head.stdout.readline().strip()}
        head.stdin.close()
        head.wait(60)
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_running_cluster_gives_the_same_shards_and_a_machine_without_the_data_is_an_error(
        tmp_path: Path, cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "other-state"))
    ingest.run("toy", root=checkout(tmp_path / "pool", SPEAK), workers=2)
    done = run(checkout(tmp_path / "ray", SPEAK | {"engine": "ray"}), cluster)
    assert done.returncode == 0, done.stderr
    assert result(tmp_path / "ray") == result(tmp_path / "pool")

    job = ingest.Job("toy", None, tmp_path / "nowhere", [1, 2], tmp_path / "shard-00000.parquet")  # type: ignore[arg-type]
    count, problem = ingest.make_shard_on_node(job)
    assert count == 0 and problem is not None
    assert problem[1].startswith(f"{tmp_path / 'nowhere'} is missing on ") and problem[2] == "a filesystem that all machines of the cluster share"

    damaged = checkout(tmp_path / "damaged", PLAIN | {"engine": "ray", "max_reject_share": 0.0})
    done = run(damaged, cluster)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ingest@toy: 5 of 27 utterances rejected") and "Traceback" not in done.stderr
    assert "shards kept from an interrupted run" in run(damaged, cluster).stdout


@pytest.mark.slow
def test_an_address_without_a_cluster_is_an_error(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(checkout(tmp_path / "checkout", PLAIN | {"engine": "ray"}), environment | {"RAY_ADDRESS": "127.0.0.1:9"})
    assert done.returncode == 1
    assert "error: engine: ray: no cluster at RAY_ADDRESS=127.0.0.1:9" in done.stderr and "Traceback" not in done.stderr
