"""The whole pipeline at a size for tests: the same stages and code, few and alike voices, a small network."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.files import ROOT

VOICES = {"variants": 1, "pitch": [48, 52], "rate_wpm": [150, 160], "snr_db": [35, 40], "drr_db": [18, 20]}


def small_params(full: dict[str, Any]) -> dict[str, Any]:
    """Return params.yaml's content with less of everything and no stage left out: one locale a language, voices that are
    easy to learn, a small network, short trainings, one baseline.
    """
    params = copy.deepcopy(full)
    params["ingest"]["speak-es"] |= {**VOICES, "locales": {"es": 1.0}, "speakers": 20, "utterances": 300, "utterances_per_shard": 75}
    params["ingest"]["speak-pt"] |= {**VOICES, "locales": {"pt-BR": 1.0}, "speakers": 20, "utterances": 200, "utterances_per_shard": 50}
    params["split"]["spanish"] |= {"dev_share": 0.07, "test_share": 0.12}
    params["split"]["portuguese"] |= {"dev_share": 0.04, "test_share": 0.2}
    for language in params["tokenise"].values():
        language["min_count"] = 5
    params["language_model"]["portuguese"]["texts"]["grammar"]["grammar"] |= {"utterances": 300, "locales": {"pt-BR": 1.0}}
    params["rank"] |= {"resamples": 100, "candidates": ["es", "it", "de"]}
    params["rank"]["acoustic"] |= {"voices": 2, "restarts": 1}
    params["donor"] |= {"steps": 160, "warmup_steps": 30}
    params["donor"]["config"] |= {"evaluate_every": 80, "evaluate_hours": 0.01}
    params["donor"]["model"] |= {"conv_dim": [64, 96], "hidden_size": 128, "intermediate_size": 384}
    params["train"]["steps"] = 60
    params["train"]["config"] |= {"evaluate_every": 30, "evaluate_hours": 0.02}
    params["train"]["systems"]["transfer"]["warmup_steps"] = 10
    params["train"]["systems"]["scratch"]["warmup_steps"] = 20
    del params["train"]["systems"]["scratch_long"]
    params["transcribe"] |= {"speed_utterances": 4, "invariance_utterances": 4}
    params["transcribe"]["robustness"]["utterances"] = 4
    params["export"] |= {"utterances": 12, "logit_utterances": 2, "batch_utterances": 2, "recording_s": 10, "speed_utterances": 2}
    params["score"]["resamples"] = 1000
    params["gate"] |= {"resamples": 1000, "longer_baseline": "scratch"}
    params["gate"]["beats_baseline"]["margin"] = 0.0
    params["gate"]["non_inferiority"] |= {"min_utterances": 10, "required": ["locale=pt-BR"]}
    params["gate"]["robustness"] |= {"max_wer": dict.fromkeys(params["gate"]["robustness"]["max_wer"], 2.0), "margin": 1.0}
    params["gate"]["data_reports"] |= {"max_rejected": 0.1, "min_hours": 0.1, "min_speakers": 10}
    params["report"]["clips"] = 2
    return params


def clone(tmp_path: Path, name: str = "clone") -> Path:
    """Return a fresh clone of this checkout, uncommitted changes included, with the small params and as on day one: no results, no promotion."""
    folder = tmp_path / name
    _git("clone", "--quiet", str(ROOT), str(folder))
    for file in _git("ls-files", "--deleted", "-z").split("\0"):
        if file:
            (folder / file).unlink()
    for file in set(_git("ls-files", "--modified", "--others", "--exclude-standard", "-z").split("\0")):
        if file and (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, folder / file)
    (folder / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
    (folder / "champion.yaml").write_text("champion: {path: data/donor, version: null}\n", encoding="utf-8")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    (folder / "params.yaml").write_text(yaml.safe_dump(small_params(params), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a command in a clone: this Python's commands first, and DVC state of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_", "VIZINHO_"))}
    beside = folder.with_name(f"{folder.name}.state")
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "VIZINHO_STATE": str(beside / "vizinho"), "DVC_SITE_CACHE_DIR": str(beside / "site"), "DVC_GLOBAL_CONFIG_DIR": str(beside / "config"),
    }


def dvc(folder: Path, *words: str, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Return the finished `dvc` command in a clone, its output as text.

    Args:
        folder: the clone.
        words: of the command.
        python: folder of another `python` for the stages (tests/preloaded.py).
    """
    env = environment(folder)
    if python is not None:
        env["PATH"] = f"{python}{os.pathsep}{env['PATH']}"
    with subprocess.Popen(["dvc", *words], cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        try:
            told, _ = process.communicate()
        except BaseException:  # a time limit, say: the stage that DVC has started must end with it
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, told)


def outs(folder: Path, at: str | None = None) -> dict[str, str]:
    """Return the hash of every out of every stage by its path, from a clone's dvc.lock.

    Args:
        folder: the clone.
        at: the commit to read dvc.lock from; None for the file in the clone.
    """
    text = (folder / "dvc.lock").read_text(encoding="utf-8") if at is None else subprocess.run(
        ["git", "show", f"{at}:dvc.lock"], cwd=folder, text=True, capture_output=True, check=True).stdout
    return {out["path"]: out["md5"] for stage in yaml.safe_load(text)["stages"].values() for out in stage.get("outs", [])}


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, text=True, capture_output=True, check=True).stdout
