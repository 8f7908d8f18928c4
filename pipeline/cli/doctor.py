"""`vizinho doctor`: is this machine fit to run, and do the params hold together?"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from pipeline.core.errors import ParamsError
from pipeline.core.files import ROOT, state_dir
from pipeline.core.params import PARAMS_FILE, Section, problems_of, read_params

PACKAGES = ("torch", "torchaudio", "transformers", "datasets", "pandas", "numpy", "jiwer", "dvc", "gto", "prefect", "fastapi", "espeakng-loader")
DISK_BYTES = 2 << 30


def sections() -> dict[str, type[Section]]:
    """Return the model of every section of the params; a starred key stands for each of its members."""
    from pipeline import donor, gate, normalise, rank, report, score, split, tokenise, train, transcribe

    return {"normalise.*": normalise.Params, "split.*": split.Params, "tokenise.*": tokenise.Params, "rank": rank.Params,
            "donor": donor.Donor, "train": train.Train, "transcribe": transcribe.Transcribe, "score": score.ScoreParams,
            "gate": gate.Policy, "report": report.Params}


def problems(path: Path) -> list[str]:
    """Return every problem of a params file, a line each; none if it holds together."""
    try:
        params = read_params(path)
    except ParamsError as error:
        return list(error.problems)
    found = [f"{key}: unknown section; expected one of {', '.join(_names())}" for key in params if key not in _names()]
    found += [f"{key}: missing section" for key in _names() if key not in params]
    for key, value in _members("ingest.*", params):
        from pipeline import corpora

        reader = value.get("reader") if isinstance(value, dict) else None
        if reader not in corpora.READERS:
            found.append(f"{key}.reader: found {reader!r}; expected one of {', '.join(corpora.READERS)}")
        else:
            found += problems_of(importlib.import_module(corpora.READERS[reader]).Params, value, key)
    for pattern, model in sections().items():
        for key, value in _members(pattern, params):
            found += problems_of(model, value, key)
    if not found:
        for corpus in set(params["ingest"]) ^ set(params["normalise"]):
            found.append(f"{corpus}: named under only one of ingest and normalise")
        languages = {section["language"] for section in params["ingest"].values()}
        found += [f"split.{language}: no corpus of this language under ingest" for language in params["split"] if language not in languages]
        found += [f"tokenise.{language}: missing; every language under split has one" for language in params["split"] if language not in params["tokenise"]]
    return found


def examine(profile: str | None = None) -> tuple[list[str], bool]:
    """Return the findings, a line each, and whether a run can start."""
    path = ROOT / "profiles" / f"{profile}.yaml" if profile else PARAMS_FILE
    lines = [f"python        {platform.python_version()} on {platform.machine()}, {os.cpu_count()} processors"]
    healthy = True
    for package in PACKAGES:
        try:
            lines.append(f"{package:<13} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{package:<13} missing: run `make repro` or install requirements/main.txt")
            healthy = False
    for line, good in (_torch(), _espeak(), _programs(), _disk()):
        lines.append(line)
        healthy = healthy and good
    wrong = problems(path)
    lines.append(f"params        {path.relative_to(ROOT)}: " + (f"{len(wrong)} problems" if wrong else "good"))
    lines += [f"              {problem}" for problem in wrong]
    if wrong:
        raise ParamsError(str(path.relative_to(ROOT)), wrong)
    return lines, healthy


def _names() -> list[str]:
    return ["ingest", *(pattern.removesuffix(".*") for pattern in sections())]


def _members(pattern: str, params: dict[str, Any]) -> list[tuple[str, Any]]:
    section = pattern.removesuffix(".*")
    if section not in params:
        return []
    value = params[section]
    if not pattern.endswith(".*"):
        return [(section, value)]
    return [(f"{section}.{key}", member) for key, member in value.items()] if isinstance(value, dict) else []


def _torch() -> tuple[str, bool]:
    try:
        import torch
        import torchaudio  # noqa: F401
    except (ImportError, OSError) as error:
        return (f"torch         does not work with torchaudio: {str(error).splitlines()[0]}; "
                "torchaudio's wheels need a CUDA build of torch (which runs without a GPU as well)"), False
    if not torch.cuda.is_available():
        return "device        CPU (no GPU seen)", True
    properties = torch.cuda.get_device_properties(0)
    return f"device        {properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}", True


def _espeak() -> tuple[str, bool]:
    try:
        import espeakng_loader

        library = Path(espeakng_loader.get_library_path())
    except (ImportError, OSError) as error:
        return f"eSpeak NG     missing ({error})", False
    return f"eSpeak NG     {'found' if library.exists() else 'missing: ' + str(library)}", library.exists()


def _programs() -> tuple[str, bool]:
    missing = [name for name in ("git", "dvc") if not shutil.which(name)]
    return f"programs      {'git and dvc found' if not missing else 'missing: ' + ', '.join(missing)}", not missing


def _disk() -> tuple[str, bool]:
    free = shutil.disk_usage(ROOT).free
    state = state_dir()
    return f"disk          {free / 2**30:.0f} GiB free; resume state in {os.path.relpath(state, ROOT)}", free > DISK_BYTES
