from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline import rank
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import ROOT
from pipeline.core.params import load_section
from pipeline.rank import (
    MEASURES,
    Params,
    combine,
    letters_of_target,
    ranking,
    ranking_table,
    resample_weights,
    standardise,
)

PARAMS: dict[str, Any] = {
    "target": "pt-BR", "candidates": ["es", "it", "fr", "ca", "ro", "de", "en"], "resamples": 200, "seed": 1,
}
LETTERS = dict.fromkeys("abcdefghijlmnopqrstuvxzáâãàçéêíóôõú", 10)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return ranking(Params.model_validate(PARAMS), LETTERS, "a test")


def test_the_ranking_fits_its_published_schema(found: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "docs/schemas/rank.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(found)


def test_romance_languages_are_nearer_to_portuguese_than_germanic_ones(found: dict[str, Any]) -> None:
    position = {row["language"]: row for row in found["candidates"]}
    for romance in ("es", "it", "ca", "ro", "fr"):
        for germanic in ("de", "en"):
            assert position[romance]["score"]["value"] > position[germanic]["score"]["value"] + 0.2
            assert position[romance]["rank_high"] < position[germanic]["rank_low"]


def test_spanish_and_italian_lead_and_spanish_has_the_nearest_words(found: dict[str, Any]) -> None:
    assert {row["language"] for row in found["candidates"][:2]} == {"es", "it"}
    assert {level["level"]: level["language"] for level in found["levels"]}["lexical"] == "es"


def test_german_and_english_words_are_hardly_nearer_than_chance(found: dict[str, Any]) -> None:
    measured = {row["language"]: row["measures"] for row in found["candidates"]}
    for germanic in ("de", "en"):
        assert 0.9 < measured[germanic]["spelling_ldnd"]["value"] < 1.0
    assert measured["es"]["spelling_ldnd"]["value"] < 0.5


def test_european_portuguese_is_ranked_by_its_own_sounds(found: dict[str, Any]) -> None:
    european = ranking(Params.model_validate({**PARAMS, "target": "pt-PT", "candidates": ["es", "en"]}), LETTERS, "")
    brazilian = {row["language"]: row["measures"] for row in found["candidates"]}
    for row in european["candidates"]:
        assert row["measures"]["spelling_ldn"]["value"] == brazilian[row["language"]]["spelling_ldn"]["value"]
        assert row["measures"]["unigrams"]["value"] != brazilian[row["language"]]["unigrams"]["value"]


def test_intervals_contain_their_value_and_rank_intervals_the_rank(found: dict[str, Any]) -> None:
    assert [row["rank"] for row in found["candidates"]] == list(range(1, 8))
    scores = [row["score"]["value"] for row in found["candidates"]]
    assert scores == sorted(scores, reverse=True)
    for row in found["candidates"]:
        for interval in (row["score"], *(level["values"][row["language"]] for level in found["levels"]), *row["measures"].values()):
            assert interval["low"] <= interval["value"] <= interval["high"]
        assert 1 <= row["rank_low"] <= row["rank_high"] <= 7


def test_a_candidate_within_the_interval_of_the_lead_is_listed(found: dict[str, Any]) -> None:
    nearest = found["nearest"]
    assert (nearest["runner_up"] in nearest["not_distinguished"]) == (nearest["lead"]["low"] <= 0)
    assert not {"de", "en"} & set(nearest["not_distinguished"])


def test_a_measure_on_which_all_are_equal_is_left_out(found: dict[str, Any]) -> None:
    """Every candidate has a base letter for each Portuguese letter."""
    assert [item["name"] for item in found["measures"] if not item["discriminates"]] == ["letters_mapped"]
    assert "letters_mapped" not in found["agreement"]["nearest_by_measure"]


@pytest.mark.slow
def test_the_order_of_the_candidates_in_params_changes_no_figure() -> None:
    one, other = (ranking(Params.model_validate({**PARAMS, "candidates": candidates}), LETTERS, "a test")
                  for candidates in (["es", "it", "de"], ["de", "it", "es"]))
    assert one == other


def test_the_table_shows_every_candidate_measure_and_the_disagreement(found: dict[str, Any]) -> None:
    table = ranking_table(found)
    for row in found["candidates"]:
        assert row["name"] in table
    for item in MEASURES:
        assert item.name in table
    assert "Kendall's W" in table
    assert found["advice"]["take"] in table
    assert table.splitlines()[-1].startswith("- ")


def test_the_stage_writes_the_same_bytes_twice_without_loading_torch(tmp_path: Path) -> None:
    tokens = tmp_path / "data/tokenise/portuguese"
    tokens.mkdir(parents=True)
    (tokens / "vocabulary.json").write_text(json.dumps({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3, "ã": 4}))
    (tokens / "report.json").write_text(json.dumps({"letters": {"a": 9, "ã": 1}}))
    params = tmp_path / "params.yaml"
    params.write_text(json.dumps({"rank": {**PARAMS, "candidates": ["es", "en"], "resamples": 100}}))
    code = ("import pathlib, sys; from pipeline.rank import run; run(params_file=pathlib.Path('params.yaml'));"
            "assert not {'torch', 'transformers'} & set(sys.modules)")
    written = []
    for hash_seed in "12":
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
                              env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed})
        assert done.returncode == 0, done.stderr
        assert "rank: 2 candidates, 3 levels, 12 measures, 100 concepts" in done.stdout
        written.append((tmp_path / "data/rank/ranking.json").read_bytes())
    assert written[0] == written[1]
    result = json.loads(written[0])
    assert result["letters"] == {"from": "data/tokenise/portuguese", "counted": 10}
    kept = {row["language"]: row["measures"]["letters_kept"]["value"] for row in result["candidates"]}
    assert kept == {"es": 0.9, "en": 0.9}


def test_letters_are_those_of_the_vocabulary_or_else_of_the_word_list(tmp_path: Path) -> None:
    assert letters_of_target(tmp_path, ["Água", "lua"]) == ({"a": 2, "g": 1, "l": 1, "u": 2, "á": 1}, "the word list")
    (tmp_path / "vocabulary.json").write_text(json.dumps({"<pad>": 0, "|": 1, "b": 2, "a": 3}), encoding="utf-8")
    (tmp_path / "report.json").write_text(json.dumps({"letters": {"a": 7, "b": 2, "w": 1}}), encoding="utf-8")
    assert letters_of_target(tmp_path, []) == ({"a": 7, "b": 2}, str(tmp_path))
    (tmp_path / "report.json").write_text(json.dumps({"letters": {"a": 7}}), encoding="utf-8")
    with pytest.raises(DataError, match="no count of b"):
        letters_of_target(tmp_path, [])


def test_all_problems_of_the_params_are_reported_at_once(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("rank: {target: es, candidates: [es, gl, pt-PT], resamples: 5, seed: 1, weight: 2}")
    with pytest.raises(ParamsError) as caught:
        load_section(Params, "rank", path=params)
    message = str(caught.value)
    donors = "no donor language gl, pt-PT; expected any of es, es-419, it"
    for part in ("rank.target", "rank.candidates", donors, "rank.resamples", "rank.weight"):
        assert part in message


def test_resamples_start_with_the_list_itself_and_keep_its_length() -> None:
    drawn = resample_weights(30, 50, seed=3)
    assert drawn.shape == (51, 30)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 30).all()
    assert (drawn == resample_weights(30, 50, seed=3)).all()
    assert (drawn != resample_weights(30, 50, seed=4)).any()


@given(st.lists(st.lists(st.integers(0, 5).map(float), min_size=4, max_size=4), min_size=2, max_size=5))
def test_standardised_measures_have_mean_0_and_deviation_1_unless_all_are_equal(rows: list[list[float]]) -> None:
    standard, discriminating = standardise(np.array(rows)[:, :, None])
    for row, values, used in zip(rows, standard[:, :, 0], discriminating, strict=True):
        assert used == (len(set(row)) > 1)
        assert values.mean() == pytest.approx(0, abs=1e-9)
        assert values.std() == pytest.approx(1 if used else 0)


def test_levels_weigh_the_same_however_many_measures_they_have() -> None:
    standard = np.zeros((len(MEASURES), 2, 1))
    for number, item in enumerate(MEASURES):
        standard[number, :, 0] = (1, -1) if item.level == "orthographic" else (-1, 1)
    levels, score = combine(standard, np.ones(len(MEASURES), dtype=bool))
    assert levels["lexical"][:, 0].tolist() == [-1, 1]
    assert score[:, 0] == pytest.approx([-1 / 3, 1 / 3])


def test_without_a_discriminating_measure_there_is_no_ranking() -> None:
    with pytest.raises(DataError, match="no measure discriminates between the candidates"):
        combine(np.zeros((len(MEASURES), 2, 1)), np.zeros(len(MEASURES), dtype=bool))


SPOKEN: dict[str, Any] = {"voices": 2, "layer": 0, "units": 8, "pieces": 40, "restarts": 2}


@pytest.fixture
def donor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a tiny encoder; words are tones that depend on their letters instead of eSpeak NG's speech."""
    from pipeline.model.artifact import save_model
    from tests import tiny

    def speak(voice: str, words: list[str], variants: tuple[str, ...], seed: int) -> list[Any]:
        return [tiny.spoken("".join(tiny.LETTERS[ord(letter) % 5] for letter in word[:4]), number).astype(np.float32)[:4_000]
                for number in range(len(variants)) for word in words]

    monkeypatch.setattr(rank, "speak_words", speak)
    save_model(tiny.model(), tiny.vocabulary(), tmp_path / "donor", {})
    return tmp_path / "donor"


def test_the_acoustic_level_is_beside_the_score_and_not_in_it(donor: Path) -> None:
    asked = {**PARAMS, "candidates": ["es", "it"], "resamples": 100}
    with_speech = ranking(Params.model_validate({**asked, "acoustic": SPOKEN}), LETTERS, "a test", donor)
    schema = json.loads((ROOT / "docs/schemas/rank.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(with_speech)
    for row in with_speech["candidates"]:
        counted = [level["values"][row["language"]]["value"] for level in with_speech["levels"] if level["counted"]]
        assert len(counted) == 3
        assert row["score"]["value"] == pytest.approx(sum(counted) / 3, abs=1e-5)
    assert with_speech["acoustic"]["layer"] == 0
    acoustic = with_speech["levels"][-1]
    assert (acoustic["level"], acoustic["counted"]) == ("acoustic", False)
    assert all(0 < value["value"] < 1 and value["low"] < value["value"] < value["high"] for value in acoustic["values"].values())
    assert "(acoustic: beside the score, not in it)" in ranking_table(with_speech)


def test_the_target_in_the_place_of_a_donor_has_the_similarity_1(donor: Path) -> None:
    asked = Params.model_validate({**PARAMS, "candidates": ["es", "it"], "resamples": 100, "acoustic": SPOKEN})
    itself = asked.model_copy(update={"candidates": ("pt-BR", "it")})
    values_DR = rank.acoustic_level(itself, resample_weights(100, 100, 1), donor)[0]
    assert values_DR[0] == pytest.approx(1.0)
    assert (values_DR[1] < 1).all()
    voices_alone_DR = rank.acoustic_level(itself, np.ones((101, 100)), donor)[0]
    assert voices_alone_DR[1, 1:].std() < 0.8 * values_DR[1, 1:].std(), "concepts are drawn too"


def test_without_a_donor_the_acoustic_level_reports_what_is_missing(tmp_path: Path) -> None:
    asked = Params.model_validate({**PARAMS, "acoustic": SPOKEN})
    with pytest.raises(MissingInputError, match="no model"):
        rank.acoustic_level(asked, resample_weights(100, 100, 1), tmp_path / "donor")
