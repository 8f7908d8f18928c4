"""`vizinho doctor`: check this machine and the params before a run."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.cli.repository import examine_repository
from pipeline.core.errors import MissingInputError, ParamsError, PipelineError
from pipeline.core.files import ROOT, state_dir
from pipeline.core.params import PARAMS_FILE, Section, problems_of, read_params
from pipeline.core.processors import usable_processors
from pipeline.espeak.launcher import MODULE, package_folder

PACKAGES = ("torch", "torchaudio", "transformers", "onnxruntime", "datasets", "pandas", "numpy", "jiwer", "dvc", "gto", "prefect", "fastapi",
            "espeakng-loader")
LOCKS = (ROOT / "requirements/main.txt", ROOT / "requirements/speak.txt")
DISK_BYTES = 2 << 30


# ---- Params ---------------------------------------------------------------------------------------------------------


def params_file(profile: str | None) -> Path:
    """Return the params file of a profile; params.yaml for None.

    Raises:
        ParamsError: there is no such profile.
    """
    if profile is None:
        return PARAMS_FILE
    profiles = {path.stem: path for path in sorted((ROOT / "profiles").glob("*.yaml"))}
    if profile not in profiles:
        raise ParamsError("--profile", [f"found {profile!r}; expected one of {', '.join(profiles)}"])
    return profiles[profile]


def sections() -> dict[str, type[Section]]:
    """Return the model of every section of the params but ingest's; a starred key stands for each of its members."""
    from pipeline import align, donor, export, gate, language_model, normalise, rank, report, score, split, tokenise, train, transcribe
    from pipeline.registry import record

    return {"normalise.*": normalise.Params, "split.*": split.Params, "tokenise.*": tokenise.Params,
            "language_model.*": language_model.Params, "align.*": align.Align, "rank": rank.Params, "donor": donor.Donor, "train": train.Train,
            "transcribe": transcribe.Transcribe, "export": export.Export, "score": score.ScoreParams, "gate": gate.Policy, "report": report.Params,
            "registry": record.Registry}


def problems(path: Path) -> list[str]:
    """Return every problem of a params file as a line; an empty list if it is valid."""
    try:
        params = read_params(path)
    except ParamsError as error:
        return list(error.problems)
    except PipelineError as error:
        return [str(error)]
    models = {"ingest.*": Section, **sections()}
    names = [pattern.removesuffix(".*") for pattern in models]
    found = [f"{key}: unknown section; expected one of {', '.join(names)}" for key in params if key not in names]
    for pattern, model in models.items():
        section = pattern.removesuffix(".*")
        if section not in params:
            found.append(f"{section}: missing section")
        elif not isinstance(params[section], dict):
            found.append(f"{section}: found {params[section]!r}; expected a mapping")
        elif pattern == section:
            found += problems_of(model, params[section], section)  # type: ignore[arg-type]
        else:
            for key, value in params[section].items():
                own = _corpus_problems(value, f"ingest.{key}") if section == "ingest" else None
                found += own if own is not None else problems_of(model, value, f"{section}.{key}")  # type: ignore[arg-type]
    return found or list(disagreements(params))


def _corpus_problems(value: Any, key: str) -> list[str]:
    from pipeline import corpora

    if not isinstance(value, dict):
        return [f"{key}: found {value!r}; expected a mapping"]
    if value.get("reader") not in corpora.READERS:
        return [f"{key}.reader: found {value.get('reader')!r}; expected one of {', '.join(corpora.READERS)}"]
    return problems_of(corpora.reader(value["reader"]).Params, value, key)


def disagreements(params: dict[str, Any]) -> Iterator[str]:
    """Yield the contradictions between sections that are valid by themselves."""
    ingest, normalise, split, train = (params[name] for name in ("ingest", "normalise", "split", "train"))
    for corpus in sorted(ingest.keys() ^ normalise.keys(), key=str):
        missing, present = ("normalise", "ingest") if corpus in ingest else ("ingest", "normalise")
        yield f"{missing}.{corpus}: missing; expected the corpora of {present}"
    for corpus in sorted(ingest.keys() & normalise.keys(), key=str):
        if normalise[corpus]["language"] != ingest[corpus]["language"]:
            yield f"normalise.{corpus}.language: found {normalise[corpus]['language']!r}; expected {ingest[corpus]['language']!r}, as under ingest"
    languages = {corpus["language"] for corpus in ingest.values()}
    for language in sorted(languages ^ split.keys(), key=str):
        yield (f"split.{language}: missing; ingest has corpora of this language" if language in languages else
               f"split.{language}: no corpus under ingest is of this language; expected {', '.join(sorted(languages))}")
    for language in sorted(split.keys() ^ params["tokenise"].keys(), key=str):
        yield f"tokenise.{language}: {'missing' if language in split else 'unknown'}; expected the languages of split ({', '.join(map(str, split))})"
    for stage in ("language_model", "align"):
        for language in sorted(params[stage].keys() - split.keys(), key=str):
            yield f"{stage}.{language}: unknown; expected a language of split ({', '.join(map(str, split))})"
    if train.get("split", "").startswith("data/align/") and "portuguese" not in params["align"]:
        yield f"train.split: found {train['split']!r}, which no stage writes; expected a section align.portuguese, or 'data/split/portuguese'"
    for language, section in split.items():
        for corpus in section.get("one_speaker", ()):
            if ingest.get(corpus, {}).get("language") != language:
                yield f"split.{language}.one_speaker: found {corpus!r}; expected a corpus of this language under ingest"
    if reserved := sorted({"donor", "champion"} & set(train["systems"])):
        yield f"train.systems: found {', '.join(reserved)}; expected other names, since these systems exist before a run trains any"
    for role in ("challenger", "baseline", "longer_baseline"):
        if params["gate"][role] not in train["systems"]:
            yield f"gate.{role}: found {params['gate'][role]!r}; expected one of train.systems ({', '.join(train['systems']) or 'none'})"
        if role != "challenger" and params["gate"][role] == params["gate"]["challenger"]:
            yield f"gate.{role}: found {params['gate'][role]!r}, the challenger; expected another system"


# ---- The machine ----------------------------------------------------------------------------------------------------


def examine() -> tuple[list[str], bool]:
    """Return the findings on this machine as lines, and whether a run can start on it."""
    lines = [f"python           {platform.python_version()} on {platform.machine()}, {usable_processors()} processors"]
    healthy = True
    for line, good in (*map(_package, PACKAGES), _torch(), _espeak(), _programs(), _disk(), *examine_repository(ROOT)):
        lines.append(line)
        healthy = healthy and good
    return lines, healthy


def _package(name: str) -> tuple[str, bool]:
    locked = re.findall(rf"^{name}==([^ ;\\]+)", "".join(lock.read_text(encoding="utf-8") for lock in LOCKS), re.MULTILINE)
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name:<16} missing: install requirements/main.txt, as `make repro` does", False
    public = version.split("+")[0]  # a local label such as +cu130 names the build
    return f"{name:<16} {version}" + (f" (the lock has {' or '.join(locked)})" if public not in locked else ""), True


def _torch() -> tuple[str, bool]:
    try:
        import torch
        import torchaudio  # noqa: F401
    except (ImportError, OSError) as error:
        return (f"torch            does not work with torchaudio: {str(error).splitlines()[0]}; "
                "torchaudio's wheels need a CUDA build of torch (which runs without a GPU as well)"), False
    if not torch.cuda.is_available():
        return "device           CPU (no GPU found)", True
    properties = torch.cuda.get_device_properties(0)
    return f"device           {properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}", True


def _espeak() -> tuple[str, bool]:
    try:
        found = any((package_folder() / MODULE).glob("*espeak-ng.*"))  # the library is loaded in a separate process only
    except MissingInputError as error:
        return f"eSpeak NG        {error}", False
    return f"eSpeak NG        {'found' if found else f'no library in {package_folder() / MODULE}'}", found


def _programs() -> tuple[str, bool]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # the environment need not be activated
    missing = [name for name in ("git", "dvc") if not shutil.which(name, path=path)]
    return f"programs         {'git and dvc found' if not missing else 'missing: ' + ', '.join(missing)}", not missing


def _disk() -> tuple[str, bool]:
    free = shutil.disk_usage(ROOT).free
    state = os.path.relpath(state_dir(), ROOT)
    if free < DISK_BYTES:
        return f"disk             {free / 2**30:.1f} GiB free; a run needs {DISK_BYTES >> 30} GiB", False
    return f"disk             {free / 2**30:.0f} GiB free; resume state in {state}", True
