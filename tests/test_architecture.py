"""Architecture rules: allowed imports, what dvc.yaml must list, what must not be in the tree."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline.cli.main import Stage
from pipeline.core.closure import closure, folded, imports
from pipeline.core.files import ROOT

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = tuple(DVC["stages"])
HEAVY = {"torch", "torchaudio", "transformers", "safetensors"}
LATE = {"datasets", "dvc", "fastapi", "fsspec", "huggingface_hub", "matplotlib", "onnx", "onnxruntime", "peft", "prefect", "ray", "uvicorn"}

TORCH = {"numpy", "pandas", "pyarrow", "pydantic", "soundfile", *HEAVY}
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    # package: (packages of ours, packages of others); the standard library and a package's own modules are free
    "text": (set(), set()),  # pure str -> str: usable anywhere
    "core": (set(), {"numpy", "pandas", "pyarrow", "pydantic", "tqdm", "yaml"}),
    "sources": ({"core"}, set()),
    "espeak": ({"core"}, {"espeakng_loader", "numpy"}),
    "audio": ({"core"}, {"numpy", "scipy", "soundfile"}),
    "leakage": ({"core"}, {"numpy", "pandas", "scipy"}),
    "corpora": ({"core", "text", "sources", "audio", "espeak"}, {"numpy", "pydantic", "scipy", "yaml"}),  # text: the speaker reads spoken forms
    "similarity": ({"core", "espeak", "audio"}, {"numpy", "rapidfuzz", "scipy", "tokenizers"}),  # audio: words as eSpeak NG speaks them
    "ngram": ({"core", "text", "sources", "corpora", "leakage"}, {"kaldingram", "numpy", "pandas", "scipy"}),
    "scoring": ({"core"}, {"jiwer", "numpy", "pandas", "rapidfuzz", "scipy"}),
    "batching": ({"core"}, {"numpy", "pandas", "pyarrow", "soundfile"}),
    "model": ({"core", "sources"}, {"huggingface_hub", *TORCH}),
    "decoding": ({"core", "audio", "batching", "model"}, {"ctc_beam_decoder", "onnxruntime", "scipy", "soundfile", *TORCH}),
    "exporting": ({"core", "batching", "decoding", "model"}, {"onnx", "onnxruntime", *TORCH}),
    "alignment": ({"core", "batching", "decoding", "model"}, {"scipy", *TORCH}),
    "training": ({"core", "audio", "batching", "decoding", "model"}, {"dvclive", *TORCH}),  # error rates are passed in
    "tuning": ({"core", "batching", "decoding", "model", "training"}, {"rapidfuzz", "scipy", *TORCH}),
    "reporting": ({"core"}, {"jinja2", "pandas", "pyarrow", "rapidfuzz", "vl_convert", "yaml"}),
    "registry": ({"core"}, {"configobj", "dvc", "dvc_data", "gto", "pandas", "pydantic", "yaml"}),
    "serving": ({"core", "decoding", "model", "registry"}, {"fastapi", "prometheus_client", "pydantic", "starlette", "uvicorn"}),
    "flows": ({"core", "registry"}, {"apprise", "pandas", "prefect", "pydantic", "yaml"}),  # stages run through DVC, in processes of their own
    "stages": ({"core", "text", "sources", "corpora", "audio", "leakage", "similarity", "ngram", "scoring", "batching", "model", "decoding",
                "alignment", "exporting", "training", "tuning", "reporting"},
               {"numpy", "pandas", "pyarrow", "pydantic", "soundfile", "scipy"}),  # never another stage
    "cli": ({"core", "text", "sources", "corpora", "audio", "similarity", "scoring", "batching", "model", "decoding", "training", "tuning",
             "reporting", "registry", "espeak", "serving", "stages"}, {"numpy", "pandas", "soundfile", "typer", "yaml"}),
}
WITH_TORCH = {"model", "training", "decoding", "alignment", "tuning", "exporting"}
EXCEPTIONS = {
    *(("pipeline/cli/doctor.py", name) for name in ("torch", "torchaudio", "espeakng_loader")),  # it checks whether they work
    ("pipeline/sources/cluster.py", "ray"),  # the only engine of its kind; imported late
    ("pipeline/sources/remote.py", "fsspec"),  # the module that fetches; imported late
    *(("pipeline/corpora/hugging_face.py", name) for name in ("datasets", "huggingface_hub", "pyarrow")),  # the only reader of this format; late
    ("pipeline/training/lora.py", "peft"),  # only if a training config has adapters; late
}


# ---- What the code imports ------------------------------------------------------------------------------------------


def package_of(module: str) -> str:
    """Return the package of a module in the rules above: pipeline.text.numbers → text, pipeline.gate → stages."""
    top, *rest = module.split(".")
    if top == "flows":
        return top
    return "stages" if f"pipeline.{rest[0]}" in map(module_of, STAGES) else rest[0]


def ours(module: str) -> bool:
    return module.split(".")[0] in ("pipeline", "flows")


SOURCES = sorted(file for top in ("pipeline", "flows") for file in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_only_what_its_package_may(file: Path) -> None:
    name = str(file.relative_to(ROOT))
    if name == "pipeline/__init__.py":
        assert not imports(file)
        return
    package = package_of(name.removesuffix(".py").replace("/", "."))
    assert package in ALLOWED, f"add {package} to ALLOWED"
    own, others = ALLOWED[package]
    for module in sorted(imports(file)):
        top = module.split(".")[0]
        if ours(module):
            wanted = package_of(module)
            assert wanted in own or (wanted == package != "stages"), f"{name} imports {module}; {package} may import {sorted(own)}"
        elif top not in sys.stdlib_module_names and (name, top) not in EXCEPTIONS:
            assert top in others, f"{name} imports {module}; {package} may import {sorted(others)}"


def test_the_finder_sees_imports_within_functions_and_submodules(tmp_path: Path) -> None:
    file = tmp_path / "breach.py"
    file.write_text("def f():\n    import torch.nn as nn\n    from pipeline import gate, text\n    from pipeline.core import errors\n")
    assert imports(file) == {"torch.nn", "pipeline.gate", "pipeline.text", "pipeline.core.errors"}
    assert [package_of(name) for name in ("pipeline.gate", "pipeline.core.errors", "flows.retrain")] == ["stages", "core", "flows"]


# ---- What dvc.yaml lists -------------------------------------------------------------------------------------------------


def module_of(stage: str) -> str:
    """Return the module that a stage of dvc.yaml runs: "score_existing" → pipeline.score."""
    return f"pipeline.{stage.removesuffix('_existing')}"


def code_deps(stage: str) -> list[str]:
    """Return the deps of a stage that are code, in order."""
    body = DVC["stages"][stage]
    return [dep for dep in body.get("do", body)["deps"] if dep.startswith("pipeline")]


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_deps_of_a_stage_are_the_closure_of_its_imports(stage: str) -> None:
    expected = folded(closure(module_of(stage)))
    assert code_deps(stage) == expected, f"deps of {stage} in dvc.yaml should be: {', '.join(expected)}"


def test_the_closure_is_transitive_and_follows_modules_that_are_named_in_strings() -> None:
    assert {"pipeline/corpora/speak.py", "pipeline/corpora/grammar/romance.py", "pipeline/text/numbers.py"} <= set(closure("pipeline.ingest"))
    assert {"pipeline/training/optimiser.py", "pipeline/scoring/counts.py"} <= set(closure("pipeline.train"))
    assert "pipeline/scoring/bootstrap.py" not in closure("pipeline.train")


STALE = {
    # a comment in this module makes these stages stale, and no others
    "pipeline/text/numbers.py": {"ingest", "normalise", "tokenise", "language_model", "score"},
    "pipeline/corpora/voxforge.py": {"ingest", "language_model"},
    "pipeline/sources/archives.py": {"ingest", "language_model"},
    "pipeline/audio/fingerprint.py": {"ingest"},
    "pipeline/audio/quiet.py": {"ingest", "language_model", "export", "transcribe"},
    "pipeline/audio/degrade.py": {"ingest", "language_model", "donor", "train", "transcribe"},
    "pipeline/leakage/rules.py": {"split", "language_model"},
    "pipeline/ngram/builder.py": {"language_model"},
    "pipeline/similarity/letters.py": {"rank"},
    "pipeline/decoding/hidden.py": {"rank"},
    "pipeline/batching/waveforms.py": {"rank", "donor", "align", "train", "language_model", "export", "transcribe"},
    "pipeline/model/head.py": {"donor", "align", "train"},
    "pipeline/model/hub.py": {"donor"},
    "pipeline/training/optimiser.py": {"donor", "train"},
    "pipeline/decoding/greedy.py": {"donor", "train", "language_model", "export", "transcribe"},
    "pipeline/decoding/beam.py": {"language_model", "export", "transcribe"},
    "pipeline/decoding/recordings.py": {"export"},
    "pipeline/exporting/network.py": {"export"},
    "pipeline/decoding/speed.py": {"transcribe"},
    "pipeline/alignment/transcript_filter.py": {"align"},
    "pipeline/tuning/batch_size.py": set(),
    "pipeline/tuning/decoder.py": {"language_model"},
    "pipeline/scoring/bootstrap.py": {"language_model", "export", "score", "gate"},
    "pipeline/scoring/exports.py": {"gate"},
    "pipeline/scoring/rules.py": {"gate"},
    "pipeline/reporting/charts.py": {"report"},
    "pipeline/registry/promotion.py": set(),
    "pipeline/cli/main.py": set(),
}


@pytest.mark.parametrize("module", STALE)
def test_a_change_makes_stale_only_the_stages_that_use_it(module: str) -> None:
    assert (ROOT / module).is_file()
    stale = {stage for stage in STAGES if any(module == dep or module.startswith(f"{dep}/") for dep in code_deps(stage))}
    assert {stage.removesuffix("_existing") for stage in stale} == STALE[module]


def test_torch_is_imported_only_where_models_run() -> None:
    found = {package_of(str(file.relative_to(ROOT)).removesuffix(".py").replace("/", ".")) for file in SOURCES
             if any(name.split(".")[0] in HEAVY for name in imports(file)) and str(file.relative_to(ROOT)) != "pipeline/cli/doctor.py"}
    assert found == WITH_TORCH


def test_no_code_names_a_trained_system() -> None:
    """Systems are the keys of train.systems: stages, plots, commands and flows take them from there."""
    names = re.compile(r"""["'](transfer|scratch|scratch_long)["']""")
    found = [f"{file.relative_to(ROOT)}:{number}" for file in SOURCES
             for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if names.search(line)]
    assert not found


GRAPH = """
import json, sys
from dvc.repo import Repo
graphs = {}
for folder in sys.argv[1:]:
    with Repo(folder) as repo:
        stages = list(repo.index.graph)  # refuses cycles and outs that overlap
        graphs[folder] = {stage.addressing: [[dep.def_path for dep in stage.deps], [out.def_path for out in stage.outs]] for stage in stages}
print(json.dumps(graphs))
"""
PARAMS = [ROOT / "params.yaml", *sorted((ROOT / "profiles").glob("*.yaml"))]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return DVC's graph with each params file: stage → (deps, outs)."""
    folder = tmp_path_factory.mktemp("graphs")
    for params in PARAMS:
        checkout = folder / params.stem
        (checkout / ".dvc").mkdir(parents=True)
        (checkout / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n")
        for name, source in (("dvc.yaml", ROOT / "dvc.yaml"), ("champion.yaml", ROOT / "champion.yaml"), ("params.yaml", params)):
            (checkout / name).write_bytes(source.read_bytes())
    environment = os.environ | {"DVC_SITE_CACHE_DIR": str(folder / "site"), "DVC_GLOBAL_CONFIG_DIR": str(folder / "global")}
    on = folder / "align"
    shutil.copytree(folder / "params", on)
    aligned = yaml.safe_load(PARAMS[0].read_text(encoding="utf-8"))
    aligned["align"]["portuguese"], aligned["train"]["split"] = {"aligner": "data/donor"}, "data/align/portuguese"
    (on / "params.yaml").write_text(yaml.safe_dump(aligned), encoding="utf-8")
    more = folder / "seeds"
    shutil.copytree(folder / "params", more)
    seeds = yaml.safe_load(PARAMS[0].read_text(encoding="utf-8"))
    seeds["train"]["systems"]["multilingual"] = {"starts_from": "data/raw/base", "head": "fresh", "peak_rate": 1e-4, "warmup_steps": 10}
    (more / "params.yaml").write_text(yaml.safe_dump(seeds), encoding="utf-8")
    names = [*(params.stem for params in PARAMS), "align", "seeds"]
    done = subprocess.run([sys.executable, "-c", GRAPH, *names], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("params", [params.stem for params in PARAMS])
def test_every_dep_is_made_by_a_stage_or_there_or_brought_in(graphs: dict[str, Any], params: str) -> None:
    stages = graphs[params]
    outs = [out for _, made in stages.values() for out in made]
    for stage, (deps, _) in stages.items():
        for dep in deps:
            made = any(dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/") for out in outs)
            brought = dep.startswith("data/raw/") and params != "params"  # the embedded default needs nothing from outside
            code = not dep.startswith("data/") and (ROOT / dep).exists()
            assert made or brought or code, f"{params}: {stage} depends on {dep}, which nothing makes"


def test_align_is_no_stage_until_it_is_asked_for_and_then_comes_before_the_trainings(graphs: dict[str, Any]) -> None:
    off, on = ({name.rpartition(":")[2]: found for name, found in graphs[params].items()} for params in ("params", "align"))
    assert on.keys() - off.keys() == {"align@portuguese"}
    assert {"data/split/portuguese", "data/ingest/portuguese", "data/donor"} <= set(on["align@portuguese"][0])
    for stage, (deps, outs) in off.items():
        swapped = ["data/align/portuguese" if stage.startswith("train@") and dep == "data/split/portuguese" else dep for dep in deps]
        assert on[stage] == [swapped, outs], stage


def test_a_fourth_system_is_trained_transcribed_and_scored(graphs: dict[str, Any]) -> None:
    before, after = ({name.rpartition(":")[2] for name in graphs[params]} for params in ("params", "seeds"))
    assert after - before == {f"{stage}@multilingual" for stage in ("train", "transcribe", "score")}


# ---- One word, five places ------------------------------------------------------------------------------------------


def test_a_stage_is_a_module_a_section_a_folder_a_test_and_a_word_of_the_command() -> None:
    modules = sorted({module_of(stage).removeprefix("pipeline.") for stage in STAGES})
    assert sorted(file.stem for file in (ROOT / "pipeline").glob("*.py") if file.stem != "__init__") == modules
    for params in PARAMS:
        assert sorted(yaml.safe_load(params.read_text(encoding="utf-8"))) == sorted([*modules, "registry"]), params.name
    assert modules == sorted(stage.value for stage in Stage)
    for stage in STAGES:
        body = DVC["stages"][stage]
        body = body.get("do", body)
        assert body["cmd"].split()[:3] == ["python", "-m", module_of(stage)]
        stage = module_of(stage).removeprefix("pipeline.")
        outs = [*body.get("outs", []), *(path for metric in body.get("metrics", []) for path in metric)]
        assert outs, f"{stage} makes nothing"
        assert all(re.match(rf"data/{stage}(/|$)", out) for out in outs), f"{stage} writes outside data/{stage}: {outs}"
        assert body["desc"]


@pytest.mark.parametrize("stage", sorted({module_of(stage).removeprefix("pipeline.") for stage in STAGES}))
def test_a_stage_has_its_tests_and_says_what_it_reads_writes_and_takes(stage: str) -> None:
    assert (ROOT / f"tests/test_{stage}.py").is_file() or any((ROOT / f"tests/{stage}").glob("test_*.py"))
    docstring = importlib.import_module(f"pipeline.{stage}").__doc__ or ""
    for word in ("Reads", "Writes", "Params"):
        assert re.search(rf"^{word}\b", docstring, re.MULTILINE), f"the docstring of pipeline/{stage}.py has no line {word}"


# ---- What must not be in the tree -----------------------------------------------------------------------------------


def tracked() -> Iterator[tuple[str, str]]:
    """Yield name and content of the text files that are, or could be, committed."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            try:
                yield name, (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


REGISTRY_HOSTS = re.compile(
    r"pypi[.]org|pythonhosted[.]org|download[.]pytorch[.]org|(conda|npmjs|crates)[.](org|com|io)|--(extra-)?index-ur[l]|--find-link[s]")
MACHINE_PATHS = re.compile(r"(?<![\w.$}~])/(?:home|Users|root|work|mnt|srv|private|var/folders)/\w")


def test_no_file_names_a_package_registry_or_a_path_of_a_machine() -> None:
    assert REGISTRY_HOSTS.search("https://" + "py" + "pi.org/simple")
    assert MACHINE_PATHS.search('"' + "/home" + "/ana/x")
    files = dict(tracked())
    assert {"dvc.yaml", "requirements/main.txt", "pipeline/gate.py"} <= files.keys()
    found = [f"{name}: {match[0]}" for name, text in files.items() for rule in (REGISTRY_HOSTS, MACHINE_PATHS) for match in rule.finditer(text)]
    assert not found


# ---- What is cheap stays cheap --------------------------------------------------------------------------------------


def test_importing_a_stage_or_the_command_loads_nothing_heavy() -> None:
    """Torch takes five seconds; params are checked, and workers start, without it."""
    code = ("import importlib, sys\n"
            "for name in sys.argv[1:]:\n"
            "    importlib.import_module(name)\n"
            f"    heavy = sys.modules.keys() & {sorted(HEAVY | LATE)!r}\n"
            "    assert not heavy, f'{name} loads {heavy}'\n")
    modules = ["pipeline.cli.main", "pipeline.cli.doctor", *sorted({module_of(stage) for stage in STAGES})]
    done = subprocess.run([sys.executable, "-c", code, *modules], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_is_printed_within_one_second() -> None:
    code = ("import resource, subprocess, sys\n"
            "subprocess.run([sys.executable, '-m', 'pipeline.cli', '--help'], check=True, stdout=subprocess.DEVNULL)\n"
            "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)")
    seconds = float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert seconds < 1.0


@pytest.mark.parametrize("schema", sorted((ROOT / "docs/schemas").glob("*.json")), ids=lambda path: path.stem)
def test_a_published_schema_is_valid(schema: Path) -> None:
    content = json.loads(schema.read_text(encoding="utf-8"))
    assert content["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(content)
