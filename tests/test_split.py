"""Splits share no speaker, sentence or recording; more data change no assignment; a removal that misses a leak fails."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import split
from pipeline.core.errors import DataError, LeakageError, MissingInputError, ParamsError
from pipeline.core.files import ROOT
from pipeline.core.manifest import NORMALISED, conform
from pipeline.leakage import search
from pipeline.leakage.rules import Bounds
from tests.leakage.rows import LEAKS, fingerprint, utterance

PARAMS = split.Params(salt="v1", dev_share=0.2, test_share=0.2)
BOUNDS = Bounds("portuguese", PARAMS.near_duplicate, PARAMS.fingerprint_bits, PARAMS.fingerprint_s)
def corpus_of(num_speakers: int, per_speaker: int = 2, corpus: str = "c") -> list[dict[str, Any]]:
    return [utterance(i, f"s{i % num_speakers}", corpus=corpus) for i in range(num_speakers * per_speaker)]


@cache
def speaker_in(name: str) -> str:
    """Return a speaker of corpus c that the hash assigns to the split `name`."""
    speakers = (f"x{i}" for i in range(1000))
    return next(who for who in speakers
                if split.assign(pd.DataFrame([utterance(0, who)]), PARAMS, "portuguese").item() == name)


class Workspace:
    """A data folder and params in which to run the stage."""

    def __init__(self, folder: Path) -> None:
        self.data, self.params = folder / "data", folder / "params.yaml"

    def run(self, rows: list[dict[str, Any]], **params: Any) -> dict[str, Any]:
        """Write the manifests, run the stage, return the certificate."""
        table = pd.DataFrame(rows)
        for corpus, part in table.groupby("corpus"):
            folder = self.data / "normalise/portuguese" / str(corpus)
            folder.mkdir(parents=True, exist_ok=True)
            conform(part, NORMALISED, "test").to_parquet(folder / "manifest.parquet")
        section = {"salt": PARAMS.salt, "dev_share": 0.2, "test_share": 0.2, **params}
        self.params.write_text(json.dumps({"split": {"portuguese": section}}), encoding="utf-8")
        split.run("portuguese", self.data, self.params)
        certificate: dict[str, Any] = json.loads(self.file("certificate.json").read_text(encoding="utf-8"))
        return certificate

    def file(self, name: str) -> Path:
        return self.data / "split/portuguese" / name

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.file(f"{name}.parquet"))

    def split_of(self) -> dict[str, str]:
        """Return the split of each utterance."""
        return {name: part for part in split.SPLITS for name in self.table(part)["utterance_id"]}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


# ---- Assignment -----------------------------------------------------------------------------------------------------

speakers = st.lists(st.text("abcdefgh", min_size=1, max_size=3), min_size=1, max_size=40)


@settings(max_examples=20, deadline=None)
@given(speakers)
def test_a_speaker_is_never_in_two_splits(names: list[str]) -> None:
    rows = pd.DataFrame([utterance(i, name) for i, name in enumerate(names)])
    assigned = split.assign(rows, PARAMS, "portuguese")
    assert (assigned.groupby(rows["speaker"]).nunique() == 1).all()


@settings(max_examples=20, deadline=None)
@given(speakers, speakers)
def test_more_data_change_no_assignment(names: list[str], later: list[str]) -> None:
    rows = pd.DataFrame([utterance(i, name) for i, name in enumerate(names + later)])
    before = split.assign(rows.iloc[: len(names)], PARAMS, "portuguese")
    assert before.equals(split.assign(rows, PARAMS, "portuguese").iloc[: len(names)])


def test_more_data_change_no_assignment_in_the_files(tmp_path: Path) -> None:
    small, large = Workspace(tmp_path / "a"), Workspace(tmp_path / "b")
    small.run(corpus_of(40))
    large.run(corpus_of(40) + corpus_of(50, corpus="d"))
    later = large.split_of()
    assert {name: later[name] for name in small.split_of()} == small.split_of()


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(24)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    table = pd.DataFrame([utterance(i, f"s{i % 9}") for i in range(24)])
    shuffled = table.iloc[order]
    assigned = split.assign(shuffled, PARAMS, "portuguese").sort_index()
    assert assigned.equals(split.assign(table, PARAMS, "portuguese"))


def test_the_order_of_rows_changes_no_byte_of_the_files(tmp_path: Path) -> None:
    rows = [*corpus_of(40), *corpus_of(12, corpus="d"), utterance(900, speaker_in("train"), "um dois")]
    rows += [utterance(901 + i, speaker_in(name), "a casa velha caiu ontem") for i, name in enumerate(split.SPLITS)]
    one, other = Workspace(tmp_path / "a"), Workspace(tmp_path / "b")
    one.run(rows)
    other.run([rows[i] for i in np.random.default_rng(3).permutation(len(rows))])
    for path in sorted(one.file("").iterdir()):
        assert path.read_bytes() == other.file(path.name).read_bytes(), path.name


def test_the_shares_follow_the_params_and_another_salt_changes_the_assignment() -> None:
    rows = pd.DataFrame(corpus_of(2000, per_speaker=1))
    assigned = split.assign(rows, PARAMS, "portuguese").value_counts(normalize=True)
    assert assigned["test"] == pytest.approx(0.2, abs=0.03) and assigned["dev"] == pytest.approx(0.2, abs=0.03)
    other = split.assign(rows, PARAMS.model_copy(update={"salt": "v2"}), "portuguese")
    assert (other != split.assign(rows, PARAMS, "portuguese")).mean() > 0.4


def test_official_sets_keep_their_members_and_admit_no_others() -> None:
    rows = pd.DataFrame([utterance(i, f"s{i}", release_split=("test", "dev", "train", "")[i % 4]) for i in range(400)])
    assigned = split.assign(rows, PARAMS, "portuguese")
    assert (assigned == rows["release_split"].replace("", "train")).all()
    ignored = split.assign(rows, PARAMS.model_copy(update={"respect_release": False}), "portuguese")
    assert (ignored == split.assign(rows.assign(release_split=""), PARAMS, "portuguese")).all()


def test_a_release_without_a_dev_set_gives_dev_some_of_its_training_speakers() -> None:
    rows = pd.DataFrame([utterance(i, f"s{i}", release_split=("test", "train")[i % 2]) for i in range(400)])
    assigned = split.assign(rows, PARAMS, "portuguese")
    assert (assigned[rows["release_split"] == "test"] == "test").all()
    assert set(assigned[rows["release_split"] == "train"]) == {"train", "dev"}


def test_a_speaker_of_an_official_test_set_is_removed_from_its_official_train_set(workspace: Workspace) -> None:
    extra = [utterance(500, "s0", release_split="train"), utterance(501, "s0", release_split="test")]
    certificate = workspace.run([*(row | {"release_split": "train"} for row in corpus_of(30)), *extra])
    assert workspace.split_of()["c/00501"] == "test" and "c/00500" not in workspace.split_of()
    assert certificate["removed"]["train"]["speaker"] + certificate["removed"]["dev"]["speaker"] == 3
    assert certificate["corpora"]["c"]["official"] == "test"


def test_a_common_voice_speaker_is_the_same_in_all_releases_and_a_note_calls_the_id_approximate(workspace: Workspace) -> None:
    ids = [f"{i:0128x}" for i in range(40)]
    certificate = workspace.run([utterance(i, who, corpus=name) for i, who in enumerate(ids) for name in ("cv-6", "cv-17")])
    split_of = workspace.split_of()
    assert all(split_of[f"cv-6/{i:05d}"] == split_of[f"cv-17/{i:05d}"] for i in range(40))
    assert certificate["compared"]["speakers"] == 40
    assert "client_id is approximate" in certificate["notes"][0]


def test_utterances_of_unknown_speakers_are_assigned_by_their_id_and_counted(workspace: Workspace) -> None:
    certificate = workspace.run([utterance(i) for i in range(60)])
    assert sum(part["unknown_speaker"] for part in certificate["splits"].values()) == 60
    assert certificate["notes"][0].startswith("60 utterances have no known speaker")


def test_a_corpus_of_one_speaker_is_divided_by_sentence_and_marked(workspace: Workspace) -> None:
    single = [utterance(i, "me", corpus="solo") for i in range(60)]
    counted = enumerate(["dois", "vinte e três", "mil"])
    copies = [utterance(100 + i, "me", f"faltam {number} dias", "solo") for i, number in counted]
    certificate = workspace.run([*corpus_of(30), *single, *copies], one_speaker=["solo"])
    split_of = workspace.split_of()
    assert {split_of[f"solo/{i:05d}"] for i in range(60)} == set(split.SPLITS)
    assert len({split_of[f"solo/{i:05d}"] for i in (100, 101, 102)}) == 1
    for name in split.SPLITS:
        table = workspace.table(name)
        assert (table["speaker_dependent"] == (table["corpus"] == "solo")).all()
    assert certificate["left"]["speaker"] == 0
    assert certificate["notes"] == [
        "solo has one speaker: it is divided by sentence, its rows are marked speaker-dependent."]


def test_utterances_without_audio_hash_or_fingerprint_are_counted(workspace: Workspace) -> None:
    certificate = workspace.run([*corpus_of(30), *({**utterance(900 + i, f"p{i}"), "audio_hash": "", "fingerprint": ""} for i in range(2))])
    assert certificate["notes"] == ["2 utterances have no audio hash: they could not be compared by it.",
                                    "2 utterances have no fingerprint: they could not be compared by it."]


def test_all_wrong_declarations_of_one_speaker_are_reported_at_once(workspace: Workspace) -> None:
    with pytest.raises(DataError) as caught:
        workspace.run(corpus_of(30), one_speaker=["c", "nobody"])
    assert "c is declared under one_speaker, but has 30 speakers; nobody is declared" in str(caught.value)
    assert "is none of the corpora: c" in str(caught.value)


# ---- Removal --------------------------------------------------------------------------------------------------------

def plant(low: str, high: str) -> list[dict[str, Any]]:
    """Return the rows of all leaks: leak i is between utterance 800 + i of `low` and 900 + i of `high`."""
    return [
        row for i, (_, one, other) in enumerate(LEAKS.values())
        for row in (utterance(800 + i, speaker_in(low), **one), utterance(900 + i, speaker_in(high), **other))
    ]


@pytest.mark.parametrize(("low", "high"), split.PAIRS)
def test_planted_leaks_are_removed_from_the_lower_split_by_their_rule(workspace: Workspace, low: str, high: str) -> None:
    certificate = workspace.run([*corpus_of(30), *plant(low, high)])
    assert workspace.table("removed").to_dict("records") == [
        {"utterance_id": f"c/{800 + i:05d}", "split": low, "rule": rule, "meets": f"c/{900 + i:05d}"}
        for i, (rule, _, _) in enumerate(LEAKS.values())
    ]
    assert certificate["removed"][low] == {
        "speaker": 0, "sentence": 1, "near_duplicate": 4, "audio": 1, "fingerprint": 2}
    assert certificate["left_total"] == 0
    split_of = workspace.split_of()
    assert all(split_of[f"c/{900 + i:05d}"] == high and f"c/{800 + i:05d}" not in split_of for i in range(len(LEAKS)))


def test_an_utterance_removed_from_dev_removes_nothing_from_train(workspace: Workspace) -> None:
    shared = [
        utterance(800, speaker_in("test"), "o gato dorme no telhado"),
        utterance(801, speaker_in("dev"), "o gato dorme no telhado", audio_hash="same"),
        utterance(802, speaker_in("train"), audio_hash="same"),
    ]
    workspace.run([*corpus_of(30), *shared])
    assert workspace.table("removed")["utterance_id"].tolist() == ["c/00801"]


LEXICON = ["o", "a", "e", "casa", "gato", "vinte", "três", "mil", "vê", "azul", "rio"]
words = st.lists(st.sampled_from(LEXICON), min_size=1, max_size=9)
official = st.sampled_from(["", "", "train", "dev", "test"])
planted_rows = st.lists(
    st.tuples(st.sampled_from("abcdefghij"), words, st.integers(0, 6), st.integers(0, 9), official), max_size=40)


@settings(max_examples=20, deadline=None)
@given(planted_rows)
def test_after_the_removal_the_recount_finds_nothing(planted: list[tuple[str, list[str], int, int, str]]) -> None:
    rows = pd.DataFrame([
        utterance(i, who, " ".join(sentence), audio_hash=f"{audio}", duration_s=2 + 0.1 * length,
                  fingerprint=fingerprint(range(13 * (i % 9)), seed=audio), release_split=member)
        for i, (who, sentence, audio, length, member) in enumerate(planted)
    ], columns=list(utterance(0)))
    split_of = split.assign(rows, PARAMS, "portuguese")
    before = {name: rows[split_of == name] for name in split.SPLITS}
    after, removed = split.remove(before, BOUNDS)
    assert not any(split.recount(after, BOUNDS).values())
    assert after["test"].equals(before["test"])
    assert sorted([*removed["utterance_id"], *(i for table in after.values() for i in table["utterance_id"])]) \
        == sorted(rows["utterance_id"])


# ---- Certificate ----------------------------------------------------------------------------------------------------


def test_the_recount_detects_a_removal_that_does_nothing_and_nothing_is_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = pd.DataFrame(columns=list(split.REMOVED), dtype="str")
    monkeypatch.setattr(split, "remove", lambda tables, bounds: (tables, nothing))
    official = [utterance(1, "s1", corpus="d", release_split=name) for name in ("test", "train")]
    official[1] |= {"utterance_id": "d/other", "text": "outra frase", "variants": "outra frase"}
    with pytest.raises(LeakageError) as caught:
        workspace.run([*corpus_of(30), *plant("train", "test"), *official])
    assert "1 by speaker, 1 by sentence, 5 by near_duplicate, 2 by audio, 3 by fingerprint" in str(caught.value)
    assert caught.value.exit_code == 1
    assert not workspace.file("").exists()


@pytest.mark.parametrize("name", ["similar_sets", "similar_recordings", "_keys"])
def test_the_recount_detects_a_search_that_finds_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    blind = {
        "similar_sets": lambda low, high, similarity: np.full(len(low), -1),
        "similar_recordings": lambda low, high, bounds: np.full(len(low), -1),
        "_keys": lambda rule, rows: [""] * len(rows),
    }[name]
    monkeypatch.setattr(search, name, blind)
    with pytest.raises(LeakageError, match="train, dev and test still share something"):
        workspace.run([*corpus_of(30), *plant("train", "test")])


def test_the_certificate_follows_its_published_schema_and_counts_what_is_in_the_files(workspace: Workspace) -> None:
    planted = [utterance(800, speaker_in("train"), "o sol nasce"), utterance(801, speaker_in("test"), "o sol nasce")]
    dropped = utterance(802, speaker_in("train"), keep=False, drop_reason="empty")
    certificate = workspace.run([*corpus_of(30), *planted, dropped])
    jsonschema.validate(certificate, json.loads((ROOT / "docs/schemas/certificate.json").read_text(encoding="utf-8")))
    for name in split.SPLITS:
        table = workspace.table(name)
        assert table["utterance_id"].is_monotonic_increasing
        assert certificate["splits"][name]["utterances"] == len(table) == certificate["corpora"]["c"][name]
        assert certificate["splits"][name]["speakers"] == table["speaker"].nunique()
        assert certificate["splits"][name]["hours"] == pytest.approx(table["duration_s"].sum() / 3600)
    assert sum(part["utterances"] for part in certificate["splits"].values()) == 61
    assert certificate["notes"] == []


def test_licence_and_slices_of_each_utterance_are_kept(workspace: Workspace) -> None:
    columns = ["utterance_id", "licence", "accent", "gender", "age", "locale", "snr_db"]
    rows = [
        row | {name: f"{name} {i}" for name in columns[1:-1]} | {"snr_db": i / 4} for i, row in enumerate(corpus_of(30))
    ]
    workspace.run(rows)
    carried = pd.concat([workspace.table(name) for name in split.SPLITS]).sort_values("utterance_id")
    assert carried[columns].to_dict("records") == [{name: row[name] for name in columns} for row in rows]


def test_train_under_a_smaller_limit_is_a_subset_and_dev_and_test_do_not_change(tmp_path: Path) -> None:
    chosen: list[set[str]] = []
    for hours in (0.01, 0.02, None):
        workspace = Workspace(tmp_path / str(hours))
        certificate = workspace.run(corpus_of(40), limit_train_hours=hours)
        train = workspace.table("train")
        chosen.append(set(train["utterance_id"]))
        assert hours is None or train["duration_s"].sum() <= hours * 3600
        assert len(workspace.table("test")) == certificate["splits"]["test"]["utterances"]
    assert 0 < len(chosen[0]) < len(chosen[1]) < len(chosen[2])
    assert chosen[0] < chosen[1] < chosen[2]


# ---- Errors ---------------------------------------------------------------------------------------------------------


def test_an_empty_split_is_an_error_with_the_counts(workspace: Workspace) -> None:
    with pytest.raises(DataError, match=r"left in dev, test \(assigned: train 4, dev 0, test 0; removed: 0\)"):
        workspace.run([utterance(i, speaker_in("train")) for i in range(4)])


def test_duplicate_ids_empty_texts_and_fingerprints_of_two_lengths_are_reported_together(workspace: Workspace) -> None:
    odd = [utterance(3, "s3"), utterance(90, "s1", variants=""), utterance(91, "s1", fingerprint="00ff")]
    rows = [*corpus_of(10), *odd]
    with pytest.raises(DataError) as caught:
        workspace.run(rows)
    assert "1 utterance_id occur more than once, first c/00003" in str(caught.value)
    assert "1 kept rows have no text or variants, first c/00090" in str(caught.value)
    assert "fingerprints of 4 and 64 hexadecimal digits cannot be compared" in str(caught.value)


def test_the_error_for_missing_manifests_names_the_folder(workspace: Workspace) -> None:
    workspace.params.write_text("split: {portuguese: {salt: a, dev_share: 0.1, test_share: 0.1}}\n", encoding="utf-8")
    with pytest.raises(MissingInputError, match="normalise/portuguese: no manifest; expected CORPUS/manifest.parquet"):
        split.run("portuguese", workspace.data, workspace.params)


def test_all_invalid_params_are_reported_at_once(workspace: Workspace) -> None:
    with pytest.raises(ParamsError) as caught:
        workspace.run(corpus_of(2), salt="", near_duplicate=0.1, dev_part=0.1)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "split.portuguese.salt", "split.portuguese.near_duplicate", "split.portuguese.dev_part"]


def test_shares_that_leave_nothing_for_train_are_an_error(workspace: Workspace) -> None:
    with pytest.raises(ParamsError, match="dev_share . test_share should be less than 1, not 1.1"):
        workspace.run(corpus_of(2), dev_share=0.5, test_share=0.6)
