"""The house rules: who may import what, what DVC must know of, what must not be in the tree."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline import corpora, ingest
from pipeline.cli.main import Stage
from pipeline.core.files import ROOT

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = tuple(DVC["stages"])
HEAVY = {"torch", "torchaudio", "transformers", "safetensors"}
LATE = {"datasets", "dvc", "fsspec", "huggingface_hub", "matplotlib", "peft", "prefect", "ray"}

ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    # package: (packages of ours, packages of others); the standard library and a package's own modules are free
    "text": (set(), set()),  # pure str -> str: usable anywhere
    "core": (set(), {"numpy", "pandas", "pyarrow", "pydantic", "tqdm", "yaml"}),
    "corpora": ({"core", "text"}, {"espeakng_loader", "numpy", "pydantic", "scipy", "yaml"}),  # text: the speaker reads spoken forms; yaml: mTEDx
    "similarity": ({"core"}, {"espeakng_loader", "numpy"}),
    "scoring": ({"core"}, {"jiwer", "numpy", "pandas", "scipy"}),
    "acoustic": ({"core"}, {"dvclive", "huggingface_hub", "numpy", "pandas", "pyarrow", "pydantic", "scipy", "soundfile",
                              *HEAVY}),  # error rates are handed in
    "reporting": ({"core"}, {"jinja2", "pandas", "pyarrow"}),
    "registry": ({"core"}, {"dvc", "dvc_data", "gto", "pandas", "pydantic", "yaml"}),
    "flows": ({"core", "registry"}, {"apprise", "pandas", "prefect", "pydantic", "yaml"}),  # stages are run through DVC, in processes of their own
    "stages": ({"core", "text", "corpora", "similarity", "scoring", "acoustic", "reporting"},
               {"numpy", "pandas", "pyarrow", "pydantic", "soundfile"}),  # never another stage: they meet through files
    "cli": ({"core", "text", "corpora", "similarity", "scoring", "acoustic", "reporting", "registry", "stages"},
            {"numpy", "pandas", "soundfile", "typer", "yaml"}),
}
EXCEPTIONS = {
    *(("pipeline/cli/doctor.py", name) for name in ("torch", "torchaudio", "espeakng_loader")),  # it looks whether they work
    ("pipeline/sources/cluster.py", "ray"),  # the one engine of its kind; late
    ("pipeline/sources/remote.py", "fsspec"),  # the one that fetches; late
    *(("pipeline/corpora/hugging_face.py", name) for name in ("datasets", "huggingface_hub", "pyarrow")),  # the one reader of their form; late
    ("pipeline/training/lora.py", "peft"),  # where a recipe asks for adapters; late
}


# ---- What the code imports ------------------------------------------------------------------------------------------


def module_file(name: str) -> Path | None:
    """Return the file of one of our modules, None if there is no such module."""
    path = ROOT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def imports(file: Path) -> frozenset[str]:
    """Return every module that a file imports, wherever in it; `from a import b` is a.b where that is a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{file}: name the package, relative imports hide it"
            assert not node.level, f"{file}: name the package, relative imports hide it"
            found |= {full if module_file(full := f"{node.module}.{alias.name}") else node.module for alias in node.names}
    return frozenset(found)


def package_of(module: str) -> str:
    """Return the package that the rules know one of our modules by: pipeline.text.numbers → text, pipeline.gate → stages."""
    top, *rest = module.split(".")
    if top == "flows":
        return top
    return "stages" if rest[0] in STAGES else rest[0]


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
    assert package in ALLOWED, f"say above what {package} may import"
    own, others = ALLOWED[package]
    for module in sorted(imports(file)):
        top = module.split(".")[0]
        if ours(module):
            wanted = package_of(module)
            assert wanted in own or (wanted == package != "stages"), f"{name} imports {module}; {package} may import {sorted(own)}"
        elif top not in sys.stdlib_module_names and (name, top) not in EXCEPTIONS:
            assert top in others, f"{name} imports {module}; {package} may import {sorted(others)}"


def test_a_breach_would_be_seen(tmp_path: Path) -> None:
    """The finder sees imports within functions, and submodules imported by `from`."""
    file = tmp_path / "breach.py"
    file.write_text("def f():\n    import torch.nn as nn\n    from pipeline import gate, text\n    from pipeline.core import errors\n")
    assert imports(file) == {"torch.nn", "pipeline.gate", "pipeline.text", "pipeline.core.errors"}
    assert [package_of(name) for name in ("pipeline.gate", "pipeline.core.errors", "flows.retrain")] == ["stages", "core", "flows"]


# ---- What DVC knows -------------------------------------------------------------------------------------------------


def says_nothing(file: Path) -> bool:
    """Return whether a module is a docstring at most, as most `__init__.py` are: no result depends on it."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def needed_by(stage: str) -> set[str]:
    """Return the files of ours that a stage's code depends on, through any number of imports, lazy ones included."""
    waiting, seen = [f"pipeline.{stage}"], set()
    while waiting:
        module = waiting.pop()
        parents = [module.rsplit(".", depth)[0] for depth in range(module.count(".") + 1)]
        for file in filter(None, map(module_file, parents)):
            if file not in seen:
                seen.add(file)
                waiting += filter(ours, imports(file))
                if file == ROOT / "pipeline/corpora/__init__.py":
                    waiting += corpora.READERS.values()  # named by strings, for params.yaml
    return {str(file.relative_to(ROOT)) for file in seen if not says_nothing(file)}


def code_deps(stage: str) -> set[str]:
    body = DVC["stages"][stage]
    return {dep for dep in body.get("do", body)["deps"] if dep.startswith("pipeline")}


@pytest.mark.parametrize("stage", STAGES)
def test_dvc_knows_every_module_that_a_stage_imports(stage: str) -> None:
    deps = code_deps(stage)
    assert f"pipeline/{stage}.py" in deps
    unknown = {file for file in needed_by(stage) if not any(file == dep or file.startswith(f"{dep}/") for dep in deps)}
    assert not unknown, f"deps of {stage} lack {sorted(unknown)}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_no_code_dep_that_is_absent_or_unused(stage: str) -> None:
    needed = needed_by(stage)
    for dep in code_deps(stage):
        assert (ROOT / dep).exists(), f"{stage} depends on {dep}, which is not there"
        assert any(file == dep or file.startswith(f"{dep}/") for file in needed), f"{stage} imports nothing of {dep}: needless re-runs"


def test_the_closure_of_imports_is_transitive_and_follows_readers() -> None:
    assert {"pipeline/corpora/speak.py", "pipeline/corpora/grammar/romance.py", "pipeline/text/numbers.py"} <= needed_by("ingest")
    assert {"pipeline/training/optimiser.py", "pipeline/scoring/counts.py"} <= needed_by("train")
    assert "pipeline/scoring/bootstrap.py" not in needed_by("train")


def test_shards_kept_from_a_kill_rest_on_the_code_that_dvc_knows() -> None:
    assert set(ingest.CODE) == code_deps("ingest")


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
    names = [*(params.stem for params in PARAMS), "align"]
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


# ---- One word, five places ------------------------------------------------------------------------------------------


def test_a_stage_is_a_module_a_section_a_folder_a_test_and_a_word_of_the_command() -> None:
    assert sorted(file.stem for file in (ROOT / "pipeline").glob("*.py") if file.stem != "__init__") == sorted(STAGES)
    for params in PARAMS:
        assert sorted(yaml.safe_load(params.read_text(encoding="utf-8"))) == sorted([*STAGES, "registry"]), params.name  # the name promoted under
    assert sorted(STAGES) == sorted(stage.value for stage in Stage)
    for stage in STAGES:
        body = DVC["stages"][stage]
        body = body.get("do", body)
        assert body["cmd"].split()[:3] == ["python", "-m", f"pipeline.{stage}"]
        outs = [*body.get("outs", []), *(path for metric in body.get("metrics", []) for path in metric)]
        assert outs, f"{stage} makes nothing"
        assert all(re.match(rf"data/{stage}(/|$)", out) for out in outs), f"{stage} writes outside data/{stage}: {outs}"
        assert body["desc"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_its_tests_and_says_what_it_reads_writes_and_takes(stage: str) -> None:
    assert (ROOT / f"tests/test_{stage}.py").is_file()
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
    """torch takes five seconds; params are checked, and workers start, without it."""
    code = ("import importlib, sys\n"
            "for name in sys.argv[1:]:\n"
            "    importlib.import_module(name)\n"
            f"    heavy = sys.modules.keys() & {sorted(HEAVY | LATE)!r}\n"
            "    assert not heavy, f'{name} loads {heavy}'\n")
    modules = ["pipeline.cli.main", "pipeline.cli.doctor", *(f"pipeline.{stage}" for stage in STAGES)]
    done = subprocess.run([sys.executable, "-c", code, *modules], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_is_there_within_a_second() -> None:
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
