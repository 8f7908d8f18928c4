"""The stage `language_model`: the n-gram has no sentence of dev or test, the same texts give the same bytes, a kill costs no second build."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline import language_model
from pipeline.core.errors import DataError, LeakageError, MissingInputError, ParamsError
from pipeline.core.files import ROOT, hash_file, read_json
from pipeline.core.params import load_section
from pipeline.ngram.held_out import COMPARED
from pipeline.ngram.texts import Text

TRAIN = ["a menina abriu a janela azul", "o rapaz fechou a porta da casa", "a menina fechou a porta", "o gato dorme no telhado"]
DEV = ["a menina comprou três pães na padaria da esquina ontem cedo"]
TEST = ["os pescadores voltaram do mar com muitas redes cheias de sardinhas"]
NEAR = "Os pescadores voltaram do mar com muitas redes cheias de peixes."
OTHER = ["O rapaz abriu a janela da casa.", "O gato fechou os olhos.", "A porta da casa é azul."]
OUT = Path("data/language_model/portuguese")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace with a split."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    folder = tmp_path / "data/split/portuguese"
    folder.mkdir(parents=True)
    for name, texts in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        pd.DataFrame({"text": texts, "variants": texts, "licence": "CC0-1.0", "normaliser": "pt-BR/4"}).to_parquet(folder / f"{name}.parquet")
    (folder / "certificate.json").write_text(json.dumps({"bounds": {"near_duplicate": 0.8, "fingerprint_bits": 0.25, "fingerprint_s": 0.25}}))
    return tmp_path


def set_params(texts: Mapping[str, Any], **section: Any) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"language_model": {"portuguese": {"order": 3, "texts": texts, **section}}}, sort_keys=False))


def run(texts: Mapping[str, Any] | None = None, **section: Any) -> dict[str, Any]:
    """Run the stage; return its report, which keeps to its schema and adds up."""
    set_params(texts or {}, **section)
    language_model.run("portuguese", params_file=Path("params.yaml"))
    found: dict[str, Any] = read_json(OUT / "report.json")
    Draft202012Validator(json.loads((ROOT / "docs/schemas/language_model.json").read_text(encoding="utf-8"))).validate(found)
    for text in found["texts"].values():
        assert text["offered"] == sum(text["dropped"].values()) + sum(text["removed"].values()) + text["sentences"]
    return found


def text_file(lines: list[str], name: str = "extra.txt", licence: str = "CC-BY-4.0") -> dict[str, Any]:
    """Write a text; return its entry in the params."""
    content = "\n".join(lines).encode()
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return {"licence": licence, "file": name}


# ---- Without dev and test --------------------------------------------------------------------------------------------


def test_sentences_of_dev_and_test_and_their_near_duplicates_are_removed_and_counted(root: Path) -> None:
    found = run({"extra": text_file([*OTHER, "A menina comprou 3 pães na padaria da esquina, ontem cedo!", NEAR])})
    assert found["texts"]["extra"]["removed"] == {"sentence": 1, "near_duplicate": 1}
    assert found["texts"]["train"]["removed"] == {"sentence": 0, "near_duplicate": 0}
    written = (OUT / "ngram.arpa").read_text() + (OUT / "lexicon.txt").read_text()
    assert not any(word in written for word in ("padaria", "sardinhas", "peixes"))
    assert found["texts"]["extra"]["nearness_to_test"] < 0.8


def test_training_transcripts_are_checked_as_well(root: Path) -> None:
    table = pd.read_parquet("data/split/portuguese/train.parquet")
    table.loc[0, ["text", "variants"]] = TEST[0]
    table.to_parquet("data/split/portuguese/train.parquet")
    assert run()["texts"]["train"]["removed"] == {"sentence": 1, "near_duplicate": 0}


@pytest.mark.parametrize(("planted", "rule"), [(TEST[0], "sentence"), (NEAR, "near_duplicate")])
def test_the_recount_fails_the_stage_where_the_removal_misses_a_sentence(
    root: Path, monkeypatch: pytest.MonkeyPatch, planted: str, rule: str
) -> None:
    def keep_all(text: Text, *_: object) -> tuple[Text, dict[str, int]]:
        return text, dict.fromkeys(COMPARED, 0)

    monkeypatch.setattr(language_model, "remove_held_out", keep_all)
    set_params({"extra": text_file([*OTHER, planted])})
    with pytest.raises(LeakageError, match=rf"the texts still share sentences with dev or test: .*1 by {rule}\b"):
        language_model.run("portuguese", params_file=Path("params.yaml"))
    assert not OUT.exists()


# ---- Texts -----------------------------------------------------------------------------------------------------------


def test_the_report_names_licences_and_counts_of_every_text(root: Path) -> None:
    texts = {
        "extra": text_file(["\ufeffO rapaz abriu a porta.", "", "Привет", "...", TRAIN[0], "O rapaz abriu a porta!"], "extra.txt.gz"),
        "grammar": {"licence": "CC0-1.0", "grammar": {"utterances": 20, "seed": 2, "locales": {"pt-BR": 0.7, "pt-PT": 0.3}}},
    }
    found = run(texts)
    assert found["licences"] == ["CC-BY-4.0", "CC0-1.0"]
    assert list(found["texts"]) == ["train", "extra", "grammar"]
    extra = found["texts"]["extra"]
    assert extra["dropped"] == {"repeated": 2, "nothing spoken": 1, "other script": 1}
    assert (extra["offered"], extra["sentences"], extra["words"]) == (5, 1, 5)
    assert extra["source"] == {"kind": "file", "sha256": hash_file("extra.txt.gz")}
    assert found["texts"]["grammar"]["sentences"] >= 18
    assert found["builder"]["name"] == "kaldingram"


def test_the_transcripts_of_a_release_are_a_text(root: Path) -> None:
    release = Path("release")
    release.mkdir()
    (release / "manifest.tsv").write_text("path\ttext\tlocale\na.wav\tO gato abriu a porta.\tpt-PT\nb.wav\tEl gato cerró la puerta.\tes\n")
    for name in "ab":
        (release / f"{name}.wav").write_bytes(b"no sound is read")
    found = run({"prompts": {"licence": "CC0-1.0", "corpus": {"reader": "manifest", "source": "release", "licence": "CC0-1.0"}}})
    assert found["texts"]["prompts"]["sentences"] == 1
    assert found["texts"]["prompts"]["dropped"] == {"other language": 1}


def test_rare_words_are_not_in_the_lexicon_and_count_as_unknown_words(root: Path) -> None:
    found = run(min_count=2)
    lexicon = dict(line.split("\t") for line in (OUT / "lexicon.txt").read_text().splitlines())
    assert lexicon == {"a": "5", "fechou": "2", "menina": "2", "o": "2", "porta": "2"}
    assert found["rare_words"] == 10
    assert "\t<unk>" in (OUT / "ngram.arpa").read_text()


BAD: dict[str, tuple[bytes | None, type[Exception], str]] = {
    "missing.txt": (None, MissingInputError, "missing.txt: no such file; expected a text file"),
    "empty.txt": (b"", DataError, r"texts.extra: no usable sentence \(it is empty\)"),
    "blank.txt": (b"\n \n", DataError, r"texts.extra: no usable sentence \(it is empty\)"),
    "latin.txt": ("ação\nsão".encode("latin-1"), DataError, r"no usable sentence \(2 not UTF-8\)"),
    "utf16.txt": ("Olá, mundo.\nBom dia.".encode("utf-16"), DataError, r"no usable sentence"),
    "plain.gz": (b"O gato.", DataError, "plain.gz: damaged gzip"),
    "cut.gz": (gzip.compress(b"O gato dorme muito. " * 50)[:-9], DataError, "cut.gz: damaged gzip"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_text_is_an_error_that_names_it(root: Path, name: str) -> None:
    content, kind, message = BAD[name]
    if content is not None:
        Path(name).write_bytes(content)
    set_params({"extra": {"licence": "CC0-1.0", "file": name}})
    with pytest.raises(kind, match=message):
        language_model.run("portuguese", params_file=Path("params.yaml"))


def test_lines_that_are_not_utf_8_are_dropped_and_counted(root: Path) -> None:
    Path("mixed.txt").write_bytes("O cão ladra.\n".encode() + "São Paulo.\n".encode("latin-1") + b"O rato come.")
    found = run({"extra": {"licence": "CC0-1.0", "file": "mixed.txt"}})
    assert found["texts"]["extra"]["dropped"] == {"not UTF-8": 1}
    assert found["texts"]["extra"]["sentences"] == 2


GRAMMAR = {"utterances": 1, "seed": 1, "locales": {"pt-BR": 1.0}}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x": {"licence": "CC0-1.0"}}, "one of file, corpus and grammar is needed; found none"),
    ({"x": {"licence": "CC0-1.0", "file": "a", "grammar": GRAMMAR}}, "one of file, corpus and grammar is needed; found file and grammar"),
    ({"x": {"licence": "", "file": "a"}}, "texts.x.licence"),
    ({"x": {"licence": "CC0-1.0", "corpus": {"reader": "speak", "source": "a"}}}, "corpus.reader: found 'speak'"),
    ({"x": {"licence": "CC0-1.0", "corpus": {"reader": "mls"}}}, "corpus.source: missing"),
    ({"x": {"licence": "CC0-1.0", "grammar": {**GRAMMAR, "locales": {"fr": 1.0}}}}, "no grammar for locale fr"),
    ({"x": {"licence": "CC0-1.0", "grammar": {**GRAMMAR, "locales": {"pt-BR": 0.5}}}}, "they sum to 0.5"),
    ({"train": {"licence": "CC0-1.0", "file": "a"}}, "'train' is the name of the training transcripts"),
]


@pytest.mark.parametrize(("texts", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_params_are_reported(root: Path, texts: dict[str, Any], message: str) -> None:
    set_params(texts)
    with pytest.raises(ParamsError) as caught:
        load_section(language_model.Params, "language_model", "portuguese", path="params.yaml")
    assert message in str(caught.value)


def test_the_locale_must_be_of_the_language(root: Path) -> None:
    set_params({}, locale="es")
    with pytest.raises(DataError, match="locale es is not portuguese"):
        language_model.run("portuguese", params_file=Path("params.yaml"))


# ---- Same bytes, and resume ------------------------------------------------------------------------------------------

RUN = "from pathlib import Path; from pipeline import language_model as stage; stage.run('portuguese', params_file=Path('params.yaml'))"


def outs() -> dict[str, str]:
    return {path.name: hash_file(path) for path in OUT.iterdir()}


def test_the_order_of_sentences_changes_no_byte_of_the_n_gram(root: Path) -> None:
    run({"extra": text_file(OTHER)})
    before = outs()
    run({"extra": text_file(OTHER[::-1])})
    assert {name for name, value in outs().items() if value != before[name]} == {"report.json"}  # the hash of the file


@pytest.mark.slow
def test_hash_seeds_change_no_byte(root: Path) -> None:
    set_params({"extra": text_file(OTHER)}, prune=1e-3)
    found = []
    for seed in "12":
        subprocess.run([sys.executable, "-c", RUN], env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}, check=True)
        found.append(outs())
    assert found[0] == found[1]


def test_an_n_gram_that_was_built_before_an_interruption_is_not_built_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("built again")

    with monkeypatch.context() as patch:
        patch.setattr(language_model, "evaluate", forbidden)
        with pytest.raises(AssertionError):
            run()
    assert not OUT.exists()
    monkeypatch.setattr(language_model, "build", forbidden)
    with pytest.raises(AssertionError):
        run(order=2)
    run()
    assert not (root / "state/language_model/portuguese").exists()
    assert {path.name for path in OUT.iterdir()} == {"ngram.arpa", "lexicon.txt", "report.json"}


@pytest.mark.slow
@pytest.mark.parametrize(("function", "builds"), [("build", 1), ("evaluate", 0)])
def test_a_kill_during_the_build_builds_again_and_one_after_it_does_not(root: Path, function: str, builds: int) -> None:
    run()
    whole = outs()
    kill = RUN.replace("stage.run", f"import os; stage.{function} = lambda *_: os.kill(os.getpid(), 9); stage.run")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", kill], env=environment, check=False).returncode == -signal.SIGKILL
    again = RUN.replace("stage.run", "build = stage.build; stage.build = lambda *a: (print('BUILDS'), build(*a)); stage.run")
    done = subprocess.run([sys.executable, "-c", again], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.count("BUILDS") == builds
    assert outs() == whole
