"""The stage `align`: wrong transcripts are found, right ones kept, and whoever cannot tell is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline import align
from pipeline.alignment import aligner
from pipeline.batching import waveforms
from pipeline.core.errors import DataError, ParamsError, PipelineError, VocabularyError
from pipeline.core.files import ROOT, hash_file, read_json
from pipeline.model.artifact import RECORD, load_model, save_model
from pipeline.model.provenance import empty_trained_on, trained_on
from pipeline.scoring.counts import error_rates
from pipeline.training.config import RunConfig
from pipeline.training.trainer import Utterances, train
from tests import tiny

WORDS = tiny.vocabulary()
SPLIT, ALIGNED = Path("data/split/portuguese"), Path("data/align/portuguese")
SECTION = {"aligner": "data/donor", "batch_s": 30, "threads": 1}
CONTRASTS = {3: "swapped", 17: "swapped", 31: "swapped", 44: "cut", 52: "cut", 66: "more", 71: "more"}


def sentences(number: int, seed: int) -> list[str]:
    """Return sentences of three to six words of tones; no two are alike."""
    draw = np.random.default_rng(seed)
    return [" ".join("".join(draw.choice(list(tiny.LETTERS), size=draw.integers(2, 6))) for _ in range(draw.integers(3, 7))) for _ in range(number)]


TEXTS = sentences(90, 1)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ninety recordings and a model that has learned the alphabet of tones from others."""
    root: Path = tmp_path_factory.mktemp("material")
    tiny.write_split(root, TEXTS)
    tiny.write_split(root, tiny.TEXTS[:6], "dev", seed=100)
    other: Path = tmp_path_factory.mktemp("other")
    sets = {name: Utterances.of(tiny.write_split(other, texts, name, corpus="others", seed=500), other / "data/ingest")
             for name, texts in (("train", sentences(30, 2)), ("dev", sentences(4, 3)))}
    model = tiny.model(WORDS)
    run = RunConfig(batch_s=8, steps=200, peak_rate=1e-2, warmup_steps=6, seed=1, evaluate_every=200, checkpoint_s=1e9, optimiser="muon")
    history = train(model, WORDS, sets["train"], sets["dev"], run, other / "resume", error_rates, "aligner").history
    assert history["dev_cer"].iloc[-1] < 0.1
    save_model(model.eval(), WORDS, root / "data/donor", {"figures": None, "origin": "others"}, empty_trained_on)
    return root


@pytest.fixture
def root(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace on that material, in which transcripts can be changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(align, "LEAST", 50)
    for name in ("data/donor", "data/ingest"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(material / name)
    SPLIT.mkdir(parents=True)
    for name in ("train", "dev"):
        (SPLIT / f"{name}.parquet").write_bytes((material / SPLIT / f"{name}.parquet").read_bytes())
    return tmp_path


def run(**changes: Any) -> dict[str, Any]:
    """Run the stage; return its report, which keeps to its schema."""
    Path("params.yaml").write_text(yaml.safe_dump({"align": {"portuguese": {**SECTION, **changes}}}))
    align.run("portuguese", params_file=Path("params.yaml"))
    found: dict[str, Any] = read_json(ALIGNED / "alignment.json")
    Draft202012Validator(json.loads((ROOT / "docs/schemas/align.json").read_text(encoding="utf-8"))).validate(found)
    return found


def rewrite(change: Any) -> pd.DataFrame:
    table = pd.read_parquet(SPLIT / "train.parquet")
    table["text"] = [change(number, text) for number, text in enumerate(table["text"])]
    table.to_parquet(SPLIT / "train.parquet", index=False)
    return table


def spoil(number: int, text: str) -> str:
    """Return the transcript of an utterance, a wrong one where `CONTRASTS` says so."""
    words = text.split()
    return {"swapped": TEXTS[(number + 45) % 90], "cut": " ".join(words[: len(words) // 2]), "more": f"{text} {TEXTS[number - 1]}",
            None: text}[CONTRASTS.get(number)]


def test_of_right_transcripts_all_are_kept_to_the_byte(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (SPLIT / "train.parquet").unlink()
    table = pd.DataFrame(tiny.write_split(root / "again", TEXTS))
    align.write_table(SPLIT / "train.parquet", table)
    found = run()
    assert (found["dropped"], found["kept"]["utterances"]) == ({}, 90)
    for name in ("train", "dev"):
        assert hash_file(ALIGNED / f"{name}.parquet") == hash_file(SPLIT / f"{name}.parquet")
    assert found["power"]["all"] > 0.95
    assert "align@portuguese: 90 utterances" in capsys.readouterr().out


def test_planted_transcripts_are_dropped_and_listed_with_their_reason(root: Path) -> None:
    rewrite(spoil)
    found = run()
    dropped = pd.read_parquet(ALIGNED / "dropped.parquet").set_index("utterance_id")
    caught = {int(name[-3:]) for name in dropped.index}
    assert len(caught & set(CONTRASTS)) >= 6 and len(caught - set(CONTRASTS)) <= 1, caught
    assert set(dropped["reason"]) <= {"unlike its audio", "a part unlike its audio", "too short for its audio", "too long for its audio"}
    assert found["dropped"] == dropped["reason"].value_counts().to_dict()
    assert found["lowest"][0]["utterance_id"] in dropped.index
    kept, scores = pd.read_parquet(ALIGNED / "train.parquet"), pd.read_parquet(ALIGNED / "scores.parquet")
    assert set(kept["utterance_id"]) | set(dropped.index) == set(scores["utterance_id"]) and len(kept) + len(dropped) == len(scores) == 90
    lowest = scores.nsmallest(9, "score")["utterance_id"]
    assert {int(name[-3:]) for name in lowest} >= set(CONTRASTS), "ranked, all of them are at the end"
    assert sum(found["distribution"]["transcripts"]) == 90
    assert 0.03 < found["wrong_share"] < 0.15


@pytest.mark.slow
def test_a_share_or_a_threshold_may_be_asked_for_and_measures_nothing_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(spoil)
    run()
    monkeypatch.setattr(aligner, "logits_of", None)  # it is not listened again
    assert run(share=0.2)["kept"]["utterances"] == 72
    scores = pd.read_parquet(ALIGNED / "scores.parquet")
    assert scores.loc[scores["reason"] != "", "score"].max() <= scores.loc[scores["reason"] == "", "score"].min()
    assert run(share=0.0)["threshold"] is None
    middle = float(scores["score"].median())
    found = run(threshold=middle, max_dropped=0.6)
    assert (found["kept"]["utterances"], found["threshold"], found["chosen_by"]) == (45, middle, "threshold")


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_chunk_to_the_same_scores(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aligner, "CHUNK", 40)
    run()
    whole = pd.read_parquet(ALIGNED / "scores.parquet")
    parts = sorted((root / "state/align").rglob("part-*.parquet"))
    assert len(parts) == 3
    parts[2].unlink()
    before = [part.stat().st_mtime_ns for part in parts[:2]]
    run()
    pd.testing.assert_frame_equal(pd.read_parquet(ALIGNED / "scores.parquet"), whole)
    assert [part.stat().st_mtime_ns for part in parts[:2]] == before
    monkeypatch.setattr(aligner, "CHUNK", 500)
    run(seed=2)
    assert len(list((root / "state/align").rglob("part-*.parquet"))) == 1, "what is of no use any more is removed"


@pytest.mark.slow
def test_what_cannot_be_aligned_is_dropped_and_counted(root: Path) -> None:
    rewrite(lambda number, text: {5: "ww w", 6: " ".join([text] * 9)}.get(number, text))
    found = run()
    assert found["dropped"] == {"no letter that the aligner has": 1, "more labels than frames": 1}
    assert found["letters_without_symbol"] == ["w"]
    dropped = pd.read_parquet(ALIGNED / "dropped.parquet").set_index("utterance_id")["reason"]
    assert dropped.to_dict() == {"tones/train-005": "no letter that the aligner has", "tones/train-006": "more labels than frames"}


@pytest.mark.slow
def test_an_aligner_of_another_alphabet_learns_which_of_its_symbols_is_which_letter(root: Path) -> None:
    """Each ã is an a to the aligner, and each ç what it calls s: the plan by symbol has it as a c, a symbol that it never emits."""
    rewrite(lambda number, text: spoil(number, text).replace("a", "ã").replace("s", "ç"))
    run()
    dropped = pd.read_parquet(ALIGNED / "dropped.parquet")
    caught = {int(name[-3:]) for name in dropped["utterance_id"]}
    assert len(caught & set(CONTRASTS)) >= 5 and len(caught - set(CONTRASTS)) <= 2, caught


def test_an_aligner_that_cannot_tell_is_refused(root: Path) -> None:
    save_model(tiny.model(WORDS, seed=3), WORDS, root / "data/raw/deaf", {"figures": None}, empty_trained_on)
    with pytest.raises(PipelineError, match=r"align\.portuguese: data/raw/deaf separates transcripts from synthetic negatives with an "
                                            r"AUC of \d\d\.\d%; "
                                            r"expected 99% at least; take an aligner that knows more"):
        run(aligner="data/raw/deaf", min_power=0.99)
    assert not ALIGNED.exists()


def test_more_drops_than_allowed_fail_the_stage_and_name_some(root: Path) -> None:
    with pytest.raises(PipelineError, match=r"align\.portuguese: 18 of 90 utterances would be dropped \(.*\); expected 10% at most; look at some "
                                            r"\(tones/train-"):
        run(share=0.2, max_dropped=0.1)


def test_the_moving_champion_and_what_is_trained_here_are_no_aligners(root: Path) -> None:
    for folder in ("data/champion", "data/train/transfer"):
        with pytest.raises(ParamsError, match=rf"align\.portuguese\.aligner: found '{folder}'; expected a pinned model"):
            run(aligner=folder)
    with pytest.raises(ParamsError, match="share and threshold are both given"):
        run(share=0.1, threshold=1.0)


def test_another_model_than_the_pinned_one_is_refused(root: Path) -> None:
    weights = hash_file("data/donor/model.safetensors")
    assert run(weights_sha256=weights)["aligner"]["weights_hash"] == weights
    with pytest.raises(DataError, match="data/donor: weights of SHA-256 .*restore the pinned model"):
        run(weights_sha256="0" * 64)


@pytest.mark.slow
def test_a_foreign_checkpoint_is_an_aligner_and_one_without_a_head_is_not(root: Path) -> None:
    own = run()
    folder = root / "data/raw/foreign"
    folder.mkdir(parents=True)
    for file in (root / "data/donor").iterdir():
        if file.name != RECORD and file.suffix != ".parquet":
            (folder / file.name).write_bytes(file.read_bytes())
    foreign = run(aligner="data/raw/foreign")
    assert foreign["distribution"] == own["distribution"]
    assert foreign["aligner"]["trained_on"] is None
    settings = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"do_normalize": False}))
    assert run(aligner="data/raw/foreign", seed=2)["distribution"] != run(seed=2)["distribution"], "it gets the samples as they are"
    model, words, _ = load_model("data/donor")
    save_model(model, words, root / "data/raw/base", {"figures": None, "origin": {"head": "fresh"}}, empty_trained_on)
    with pytest.raises(VocabularyError, match="data/raw/base: a model that came without a head"):
        run(aligner="data/raw/base")


@pytest.mark.slow
def test_an_aligner_that_hears_samples_as_they_are_is_given_such(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, words, _ = load_model("data/donor")
    model.config.do_normalize = False
    save_model(model, words, root / "data/raw/plain", {"figures": None}, empty_trained_on)
    monkeypatch.setattr(waveforms, "standardise", lambda _: pytest.fail("standardised"))
    with suppress(PipelineError):  # it has learned from standardised recordings and may understand no other
        run(aligner="data/raw/plain")


@pytest.mark.slow
def test_an_aligner_that_has_learned_from_what_it_judges_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, words, _ = load_model("data/donor")
    known = trained_on(pd.read_parquet(SPLIT / "train.parquet")[:7])
    save_model(model, words, root / "data/raw/own", {"figures": None}, lambda folder: known.to_parquet(folder / "trained_on.parquet"))
    assert run(aligner="data/raw/own")["aligner"]["trained_on"] == 7
    assert "data/raw/own was trained on 7 of these recordings" in capsys.readouterr().out


def test_too_few_utterances_are_named(root: Path) -> None:
    pd.read_parquet(SPLIT / "train.parquet")[:20].to_parquet(SPLIT / "train.parquet", index=False)
    with pytest.raises(DataError, match=r"align\.portuguese: 20 utterances of 20 that can be aligned; expected 50 at least"):
        run()
