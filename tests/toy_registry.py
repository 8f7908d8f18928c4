"""A small real registry: git with a bare remote, DVC with a local one, a run of tiny files."""

from __future__ import annotations

import shutil
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.core.files import ROOT
from pipeline.registry import promotion
from pipeline.registry.git import git
from pipeline.registry.store import dvc

ARTEFACT = "asr-pt-toy"

MAKE = '''
    """Every stage of the toy run: files with the right names and formats, from two params."""
    import hashlib, json, pathlib, shutil, sys, yaml

    params = yaml.safe_load(open("params.yaml"))
    champion = yaml.safe_load(open("champion.yaml"))["champion"]
    generation = params["train"]["generation"]

    def write(path, text):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_text(text)

    def model(folder, name):
        write(f"{folder}/model.safetensors", f"weights of {name}\\n" * 100)
        write(f"{folder}/config.json", "{}")
        write(f"{folder}/vizinho.json", json.dumps({"vocabulary_hash": "0" * 64, "seed": 1, "donor": {}, "versions": {"python": "3"}}))

    def rate(value):
        return {"value": value, "low": value - 0.01, "high": value + 0.01, "level": 0.95, "unit": "speaker", "resamples": 1000}

    stage = sys.argv[1]
    if stage == "split":
        for name in ("train", "dev", "test"):
            write(f"data/split/portuguese/{name}.parquet", "")
            shutil.copy("source.parquet", f"data/split/portuguese/{name}.parquet")
        write("data/split/portuguese/certificate.json", json.dumps({"left_total": 0, "notes": ["nothing to note"]}))
    elif stage == "donor":
        model("data/donor", "the donor")
    elif stage == "train" and pathlib.Path("source_model").exists():
        shutil.copytree("source_model", "data/train/transfer", dirs_exist_ok=True)
    elif stage == "train":
        model("data/train/transfer", f"generation {generation}")
    elif stage == "transcribe":
        weights = pathlib.Path(f"{sys.argv[3]}/model.safetensors").read_bytes()
        decoder = pathlib.Path("data/language_model/portuguese/decoder.json" if sys.argv[2] == "transfer" else
                               f"{sys.argv[3]}/language_model/decoder.json")
        write(f"data/transcribe/{sys.argv[2]}.json", json.dumps({
            "model": sys.argv[3], "weights_hash": hashlib.sha256(weights).hexdigest(),
            "decoder": {"hash": hashlib.sha256(decoder.read_bytes()).hexdigest()} if decoder.exists() else None}))
    elif stage == "score":
        write("data/score/transfer.json", json.dumps({
            "test_set": {"hash": "a" * 64, "utterances": 40, "speakers": 12, "words": 300}, "normaliser": "pt-BR/1",
            "wer": rate(0.5 / generation), "cer": rate(0.2 / generation), "wer_served": rate(0.5 / generation), "cer_served": rate(0.2 / generation),
            "slices": [{"slice": {"locale": "pt-BR"}, "utterances": 40, "wer": rate(0.5 / generation), "cer": None,
                        "wer_served": rate(0.5 / generation), "cer_served": None}],
            "robustness": {"utterances": 9, "wer": rate(0.5), "cer": rate(0.2),
                           "conditions": [{"condition": "noise_20_db", "wer": rate(0.6), "cer": rate(0.3)}]}}))
    elif stage == "gate":
        challenger, rival = (json.load(open(f"data/transcribe/{name}.json")) for name in ("transfer", "champion"))
        score, verdict = json.load(open("data/score/transfer.json")), params["train"].get("verdict", "promote")
        policy = {name: {key: value for key, value in params.get(name, {}).items() if key != "gates_since_promotion"} for name in ("gate", "score")}
        policy_hash = hashlib.sha256(json.dumps(policy, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
        rules = [{"name": name, "enabled": True, "value": 0.1, "low": None, "high": None, "limit": 0.6, "passed": passed, "reason": "measured"}
                 for name, passed in (("max_wer", True), ("improvement", {"promote": True, "reject": False}.get(verdict)))]
        write("data/gate/verdict.json", json.dumps({
            "verdict": verdict, "rules": rules, "period": {"gates_before": params["gate"]["gates_since_promotion"]}, "policy_hash": policy_hash,
            "challenger": {"system": "transfer", "model": challenger["model"], "weights_hash": challenger["weights_hash"],
                           "decoder": challenger["decoder"], "test_set": "a" * 64, "normaliser": "pt-BR/1",
                           "wer": score["wer"]["value"], "cer": score["cer"]["value"]},
            "champion": {"system": "champion", "model": rival["model"], "weights_hash": rival["weights_hash"], "decoder": rival["decoder"],
                         "wer": 0.9, "cer": 0.4}}))
'''

PARAMS = {"registry": {"artefact": ARTEFACT}, "train": {"generation": 1},
          "gate": {"challenger": "transfer", "alpha": 0.05, "gates_since_promotion": 0}, "score": {"level": 0.95}}

DVC = {
    "vars": ["champion.yaml"],
    "stages": {
        "split": {"foreach": ["portuguese"], "do": {"cmd": "PYTHON make.py split", "deps": ["source.parquet"], "outs": ["data/split/${item}"]}},
        "donor": {"cmd": "PYTHON make.py donor", "outs": ["data/donor"]},
        "train": {"foreach": ["transfer"], "do": {"cmd": "PYTHON make.py train", "params": ["train.generation"],
                                                  "deps": ["data/split/portuguese"], "outs": ["data/train/${item}"]}},
        "transcribe": {"foreach": {"transfer": "data/train/transfer", "champion": "${champion.path}"},
                       "do": {"cmd": "PYTHON make.py transcribe ${key} ${item}", "deps": ["${item}"], "outs": ["data/transcribe/${key}.json"]}},
        "score": {"cmd": "PYTHON make.py score", "params": ["train.generation"], "deps": ["data/train/transfer"],
                  "metrics": [{"data/score/transfer.json": {"cache": False}}]},
        "gate": {"cmd": "PYTHON make.py gate", "params": ["gate", "score", "train"],
                 "deps": ["data/score/transfer.json", "data/transcribe/transfer.json", "data/transcribe/champion.json", "data/split"],
                 "metrics": [{"data/gate/verdict.json": {"cache": False}}]},
    },
    "artifacts": {ARTEFACT: {"path": "data/champion", "type": "model"}},
}


@dataclass(frozen=True, slots=True)
class Toy:
    """The toy project: a checkout and its remotes side by side.

    Args:
        folder: of `clone` (the checkout), `origin.git` (bare) and `dvc-remote`.
        name: of the checkout.
    """

    folder: Path
    name: str = "clone"

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    def git(self, *arguments: str) -> str:
        return git(self.path, *arguments)

    def in_use(self) -> str | None:
        """Return the version in use by the remote's main, after checking that it is complete."""
        version = yaml.safe_load(git(self.origin, "show", "main:champion.yaml"))["champion"]["version"]
        recorded = git(self.origin, "ls-tree", "--name-only", "main", "registry/records/").split()
        assert [Path(name).stem for name in recorded][-1:] == ([version] if version else [])
        registered = git(self.origin, "tag", "--list", f"{ARTEFACT}@*").split()
        assigned = git(self.origin, "tag", "--list", f"{ARTEFACT}#champion#*").split()
        assert len(recorded) == len(registered) == len(assigned)
        assert all(git(self.origin, "merge-base", "--is-ancestor", tag, "main") == "" for tag in [*registered, *assigned])
        return version

    def clone(self, name: str) -> Toy:
        """Return a fresh clone with a separate cache."""
        git(self.folder, "clone", "--quiet", str(self.origin), name)
        other = Toy(self.folder, name)
        set_up(other.path)
        return other

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def run(self, generation: int, verdict: str = "promote", gates: int | None = None) -> str:
        """Run the toy pipeline, commit all of it, return the commit; each generation has another gate index."""
        params = yaml.safe_load((self.path / "params.yaml").read_text())
        params["train"] |= {"generation": generation, "verdict": verdict}
        params["gate"]["gates_since_promotion"] = generation - 1 if gates is None else gates
        (self.path / "params.yaml").write_text(yaml.safe_dump(params))
        dvc(self.path, "repro", "--quiet")
        return self.commit(f"Run generation {generation}")


@cache
def built(name: str) -> Path:
    """Return a folder with the toy project after its first run (`run`), one promotion (`once`) or two (`twice`); built once per process."""
    folder = Path(tempfile.mkdtemp()) / name
    with pytest.MonkeyPatch.context() as patch:
        own_state(patch, folder.parent)
        if name == "run":
            build(folder)
            return folder
        shutil.copytree(built({"once": "run", "twice": "once"}[name]), folder)
        toy = Toy(folder)
        if name == "twice":
            toy.run(2, gates=0)
        promotion.promote(toy.path, promotion.read_candidate(toy.path).request, "Ana Reis")
    return folder


def own_state(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keep the state of DVC and the pipeline in a folder of the test."""
    for variable in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "VIZINHO_STATE"):
        patch.setenv(variable, str(folder / variable))


def set_up(path: Path) -> None:
    git(path, "config", "user.name", "Ana Reis")
    git(path, "config", "user.email", "ana@example.org")
    git(path, "remote", "set-url", "origin", "../origin.git")


def build(folder: Path) -> None:
    """Create the toy project with a run of generation 1, pushed."""
    folder.mkdir()
    toy = Toy(folder)
    git(folder, "init", "--quiet", "--bare", "-b", "main", "origin.git")
    git(folder, "init", "--quiet", "-b", "main", "clone")
    toy.git("remote", "add", "origin", "../origin.git")
    set_up(toy.path)
    for name in (".gitignore", ".dvcignore", "champion.yaml", ".dvc/.gitignore", ".dvc/config"):
        (toy.path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, toy.path / name)
    config = (ROOT / ".dvc/config").read_text().replace("[core]", "[core]\n    remote = store")
    (toy.path / ".dvc/config").write_text(config + "['remote \"store\"']\n    url = ../../dvc-remote\n")
    (toy.path / "make.py").write_text(textwrap.dedent(MAKE))
    (toy.path / "dvc.yaml").write_text(yaml.safe_dump(DVC, sort_keys=False).replace("PYTHON", sys.executable))
    (toy.path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    utterances = {"corpus": ["toy", "toy"], "speaker": ["a", "b"], "duration_s": [1800.0, 1800.0], "licence": ["CC0-1.0", "CC0-1.0"]}
    pd.DataFrame(utterances).to_parquet(toy.path / "source.parquet")
    toy.run(1)
    toy.git("push", "--quiet", "--set-upstream", "origin", "main")
