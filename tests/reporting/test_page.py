"""The page of a small synthetic run, section by section."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.reporting.assets import asset, content_policy
from pipeline.reporting.inputs import read_inputs
from pipeline.reporting.page import (
    SCRIPTS,
    calibration_bins,
    closest_rule,
    corpus_rows,
    describe_changes,
    from_spanish,
    head_groups,
    ranking_chart,
    slice_groups,
    system_rows,
    verdict_sentence,
)
from tests.reporting.html_page import page_of
from tests.reporting.results import TRAININGS, edit, interval, rule

# ---- The whole page -------------------------------------------------------------------------------------------------


def test_the_page_shows_the_run_in_the_order_in_which_it_is_evaluated(root: Path) -> None:
    page = page_of(root)
    sections = [
        "systems",
        "comparisons",
        "change",
        "curves",
        "rules",
        "slices",
        "robustness",
        "errors",
        "confidence",
        "utterances",
        "words",
        "listen",
        "data",
        "head",
        "ranking",
        "provenance",
    ]
    ids = page.values("id")
    assert [name for name in ids if name in sections] == sections
    assert len(set(ids)) == len(ids)
    assert {href for href in page.values("href") if href.startswith("#") and "/" not in href} <= {f"#{name}" for name in ids}
    for shown in (
        "Promote",
        "All 2 enabled rules pass: on the same test set, WER as served is 22.0 %, compared with 95.0 % for the champion.",
        "22.0 % 19.0 to 25.0",
        "−38.0 [−42.0, −34.0] < 0.001 0.012",
        "beats_baseline ✓ pass −38.0 [−42.0, −34.0] 0.0 34.0 the whole",
        "Synthetic speech: speak-pt. Intervals",
        "export_parity disabled",
        "unchanged 30 utterances of 12 speakers 22.0 % [17.0, 27.0] 95.0 % [90.0, 100.0]",
        "noise 10 db noise at 10 dB 32.0 % [27.0, 37.0] +10.0 [+7.0, +13.0] 105.0 % [100.0, 110.0] +10.0 [+7.0, +13.0]",
        "(ECE) of its confidence is 3.4 % by characters and 5.1 % by words.",
        "as served 0.9 to 1.0 97.0 % 93.1 % 360",
        "avô → avó 9",
        "ã ← a",
        "Italian +1.21 [+1.00, +1.40]",
        "speak-pt portuguese 1 496 120 1.51 3 too short, 1 silent 1 other script",
        "31 near duplicate",
        "3 utterances have no fingerprint.",
        "train, dev and test share nothing",
        "Self-test: 1 planted challengers got the expected verdict",
        "What this test set can decide: a true gain of 10 % passes with a probability of 62 %.",
        "ids shuffled reject",
        "seed 1, weights cdcdcdcdcdcdcdcd",
        "peak_rate 0.001",
    ):
        assert shown in page.text, shown


def test_no_input_becomes_markup(root: Path) -> None:
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>"\'&'
    for name in (*TRAININGS, "donor"):
        path = root / f"data/transcribe/{name}.parquet"
        pd.read_parquet(path).assign(hypothesis=evil, reference=evil, accent=evil).to_parquet(path)
    test = root / "data/split/portuguese/test.parquet"
    pd.read_parquet(test).assign(transcript=evil).to_parquet(test)
    edit(
        root / "data/gate/verdict.json",
        lambda verdict: [rule.update(reason=evil, name=evil, passed=False) for rule in verdict["rules"]],
    )
    edit(
        root / "data/score/transfer.json",
        lambda score: (
            score["slices"].append(
                {"slice": {evil: evil}, "utterances": 1, "speakers": 1, "wer": interval(0.1, 0.1), "cer": None}
            ),
            score["errors"]["worst"].append(
                {"utterance_id": evil, "reference": evil, "hypothesis": "", "errors": 1, "words": 1}
            ),
            score["errors"]["substitutions"].append({"reference": evil, "hypothesis": evil, "count": 1}),
        ),
    )
    edit(
        root / "data/train/transfer/vizinho.json",
        lambda model: model.update(
            params={evil: [evil]}, weights_hash=evil, head_plan=[{"symbol": evil, "donor_symbol": evil, "how": evil}]
        ),
    )
    edit(root / "data/ingest/portuguese/speak-pt/report.json", lambda found: found.update(rejects={evil: 1}))
    page = page_of(root)
    assert not [tag for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
    assert sum(tag == "script" for tag, _ in page.elements) == len(SCRIPTS) + 2, "its own, its data and timing.js, and none from a transcript"
    assert page.text.count('alert("x")') > 20


def test_the_page_makes_no_external_request(root: Path) -> None:
    page = page_of(root)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            beside = (tag, attributes.get(name)) in (("script", "../timing/timing.js"), ("a", "data.html"))
            assert beside or (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
        assert "url(" not in (attributes.get("style") or "")
    assert not re.search(r"url\(|@import", "".join(page.styles))
    (policy,) = [
        attributes["content"]
        for tag, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    scripts = [asset(name) for name in SCRIPTS]
    assert policy == content_policy(scripts)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data: blob:; script-src 'self' file: 'sha256-")
    own = "".join(script for name, script in zip(SCRIPTS, scripts, strict=True) if not name.startswith("vendor/"))
    assert not re.search(r"fetch|XMLHttp|https?:|innerHTML|eval", own)
    assert "</script" not in "".join(scripts)


def test_elements_that_scroll_or_play_are_focusable_and_have_a_label(root: Path) -> None:
    page = page_of(root)
    for tag, attributes in page.elements:
        if attributes.get("class") == "scroll" and "role" in attributes:
            assert attributes["tabindex"] == "0" and attributes["aria-label"]
        if tag == "audio":
            assert "controls" in attributes and attributes["aria-label"]
        if tag == "svg":
            assert attributes["role"] == "img"


@pytest.mark.parametrize(
    ("missing", "not_shown"),
    [
        ("rank/ranking.json", "Donor ranking"),
        ("split/portuguese/certificate.json", "Leakage certificate, portuguese"),
        ("score/champion.json", "champion = donor"),
        ("train/scratch_long/history.csv", "Within 1 200 steps"),
        ("donor/history.csv", "Within 1 200 steps"),
    ],
)
def test_an_optional_file_may_be_missing(root: Path, missing: str, not_shown: str) -> None:
    (root / "data" / missing).unlink()
    text = page_of(root).text
    assert not_shown not in text
    assert ("Not measured: " in text) == missing.endswith("history.csv")


def test_a_run_of_two_systems_alone_is_reported(root: Path) -> None:
    for folder in ("rank", "donor", "ingest", "normalise", "split/spanish", "train/scratch_long"):
        for path in sorted((root / "data" / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("shard"):
                path.unlink()
    for name in ("champion", "donor", "scratch_long"):
        for path in (root / "data").glob(f"[ts]*/{name}.*"):
            path.unlink()
    edit(root / "data/gate/verdict.json", lambda verdict: verdict.update(rules=[], comparisons={}, comparisons_greedy={}))
    edit(
        root / "data/score/transfer.json",
        lambda score: (score.pop("errors_served"), score.update(slices=[], tolerant_served=None)),
    )
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(head_plan=None))
    text = page_of(root).text
    assert "No rule of the gate is enabled, so nothing can be promoted." in text
    assert "Paired comparisons" not in text and "Error analysis" not in text


def test_an_input_that_lacks_a_field_is_refused(root: Path) -> None:
    edit(root / "data/split/spanish/certificate.json", lambda certificate: certificate.pop("splits"))
    with pytest.raises(DataError, match=r"report on .*: 'dict object' has no attribute 'splits'"):
        page_of(root)


# ---- Verdict --------------------------------------------------------------------------------------------------------


def test_a_rejection_names_the_rules_that_fail_and_those_undecided(root: Path) -> None:
    def reject(verdict: dict[str, Any]) -> None:
        verdict["verdict"] = "reject"
        verdict["rules"][0].update(passed=False, reason="WER 0.41 is over 0.35")
        verdict["rules"][1].update(passed=None, reason="about 40 speakers more would decide")

    edit(root / "data/gate/verdict.json", reject)
    text = page_of(root).text
    assert (
        "✕ Reject 1 of 2 enabled rules fails: max wer (WER 0.41 is over 0.35). 1 of 2 enabled rules is undecided: "
        "beats baseline (about 40 speakers more would decide)."
    ) in text
    assert "max_wer ✕ fail" in text and "beats_baseline ? undecided" in text


def test_the_closest_rule_is_that_with_the_least_distance_for_the_width_of_its_interval() -> None:
    wide, narrow = rule("wide", low=-0.4, high=0.0, limit=0.1), rule("narrow", low=0.04, high=0.05, limit=0.06)
    beyond = rule("beyond", low=0.0, high=0.2, limit=0.1, passed=False)
    none = rule("none", low=None, high=None, limit=0.1)
    disabled = rule("disabled", enabled=False, low=0.0, high=0.1, limit=0.1)
    assert closest_rule([none, wide, disabled, narrow]) == ("wide", pytest.approx(0.1), pytest.approx(0.4))
    assert closest_rule([narrow, beyond, wide]) == ("beyond", pytest.approx(-0.1), pytest.approx(0.2))
    assert closest_rule([none, disabled]) is None


def test_more_than_three_rules_that_fail_are_counted() -> None:
    rules = [rule(f"rule_{number}", passed=False, reason="no") for number in range(5)]
    assert verdict_sentence({"rules": rules, "comparisons": {}}) == (
        "5 of 5 enabled rules fail: rule 0 (no), rule 1 (no), rule 2 (no), and 2 more."
    )
    assert verdict_sentence({"rules": [rule("a")], "comparisons": {}}) == "All 1 enabled rules pass."


# ---- Systems --------------------------------------------------------------------------------------------------------


def test_champion_and_donor_share_a_row_while_they_are_the_same_model(root: Path) -> None:
    assert "champion = donor" in page_of(root).text
    edit(root / "data/score/champion.json", lambda score: score.update(wer_served=interval(0.5, 0.02)))
    other = page_of(root)
    assert "champion = donor" not in other.text
    assert "the model in use 50.0 % 48.0 to 52.0" in other.text


def test_a_system_without_its_transcription_figures_has_no_parameter_count(root: Path) -> None:
    (root / "data/transcribe/scratch_long.json").unlink()
    assert page_of(root).text.count("1.20 M") == 3
    found = {row["name"]: row["parameters"] for row in system_rows(read_inputs(root / "data"))}
    assert found == {"transfer": 1_204_352, "scratch": 1_204_352, "scratch_long": None, "champion": 1_204_352}


# ---- Slices and robustness ------------------------------------------------------------------------------------------


def test_slices_are_grouped_by_column_with_the_best_system_of_each(finished_run: Path) -> None:
    (locale, locale_rows), (gender, gender_rows) = slice_groups(read_inputs(finished_run / "data"))
    assert (locale, gender) == ("locale", "gender")
    assert [row["name"] for row in locale_rows] == ["pt-BR", "pt-PT"]
    assert [row["name"] for row in gender_rows] == ["female", "unknown"]
    assert locale_rows[0]["best"] == locale_rows[0]["wer"]["transfer"] == pytest.approx(0.2)
    assert set(locale_rows[0]["wer"]) == {"transfer", "scratch", "scratch_long", "champion"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"speed": 0.9, "snr_db": 10.0}, "speed × 0.9, noise at 10 dB"),
        ({"speed": 1.0, "snr_db": None, "telephone": True, "codec": None}, "300 to 3,400 Hz, G.711"),
        ({"codec": "mp3"}, "low-rate MP3"),
        ({}, ""),
    ],
)
def test_only_changes_to_the_audio_are_described(changes: dict[str, Any], expected: str) -> None:
    assert describe_changes(changes) == expected


def test_bins_of_the_confidence_are_greedy_as_well_where_they_differ() -> None:
    bins = [{"low": 0.9, "high": 1.0, "words": 7, "confidence": 0.95, "accuracy": 0.9}]
    served = {"word_calibration": {"bins": bins}}
    assert list(calibration_bins({"errors": served, "errors_served": served})) == ["as served"]
    assert calibration_bins({"errors": served, "errors_served": {}}) == {"greedy": [{**bins[0], "size": 7}]}
    assert calibration_bins({"errors": {"word_calibration": None}}) == {}


# ---- Data and filtered transcripts ----------------------------------------------------------------------------------


def test_reasons_are_sorted_by_their_count(finished_run: Path) -> None:
    portuguese, spanish = corpus_rows(read_inputs(finished_run / "data"))
    assert portuguese["rejected"] == [("too short", 3), ("silent", 1)]
    assert spanish["dropped"] == [("other script", 1)]


def test_counts_that_are_not_by_reason_are_refused(root: Path) -> None:
    edit(root / "data/normalise/spanish/speak-es/report.json", lambda found: found.update(dropped=3))
    with pytest.raises(
        DataError, match=r"normalise/spanish/speak-es/report.json: dropped is 3; expected counts by reason"
    ):
        page_of(root)


def test_transcripts_that_align_dropped_are_shown_if_the_training_set_was_filtered(root: Path) -> None:
    assert "Filtered transcripts" not in page_of(root).text
    evil = "<b>não</b>"
    found = {
        "aligner": {"folder": "data/donor", "trained_on": 0}, "utterances": 1495, "kept": {"utterances": 1420},
        "dropped": {"unlike its audio": 70, "too short for its audio": 5}, "wrong_share": 0.051, "power": {"all": 0.992}, "threshold": -1.25,
        "distribution": {"edges": [-9.0, 0.0, 6.0], "transcripts": [75, 1420], "negatives": [900, 40]},
        "lowest": [{"utterance_id": "speak-pt/7", "score": -8.5, "reason": "unlike its audio", "text": evil, "hypothesis": ""}],
    }
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(alignment=found))
    text = page_of(root).text
    for shown in ("Filtered transcripts", "1 420 were used for training", "Dropped: 70 unlike its audio, 5 too short for its audio",
                  "About 5.1 % of the transcripts seem wrong", "in 99.2 % of pairs", "dropped below -1.2", evil, "(nothing recognised)"):
        assert shown in text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " "), shown
    assert "The aligner was trained on" not in text
    found["aligner"]["trained_on"] = 12
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(alignment=found))
    assert "The aligner was trained on 12 of these recordings" in page_of(root).text
    found["distribution"]["negatives"] = [1]
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(alignment=found))
    with pytest.raises(DataError, match="3 edges of 2 and 1 bins; expected one edge more than bins"):
        page_of(root)


# ---- Output layer ---------------------------------------------------------------------------------------------------


def test_rows_of_the_head_are_grouped_by_origin_copied_rows_first() -> None:
    plan = [
        {"symbol": "ç", "donor_symbol": None, "how": "fresh"},
        {"symbol": "ã", "donor_symbol": "a", "how": "base letter"},
        {"symbol": "a", "donor_symbol": "a", "how": "copied"},
        {"symbol": "x", "donor_symbol": "x", "how": "another way"},
    ]
    assert head_groups(plan) == [
        ("copied", [("a", "a")]), ("base letter", [("ã", "a")]), ("fresh", [("ç", "")]), ("another way", [("x", "x")]),
    ]


RANKING = """{"nearest": {"language": "%s", "not_distinguished": [%s]},
              "candidates": [{"language": "%s", "name": "Spanish"}, {"language": "it", "name": "Italian"}]}"""


@pytest.mark.parametrize(("first", "close", "spanish", "sentence"), [
    ("es", "", "es", ""), ("es-419", "", "es-419", ""), ("it", "", "de", ""),
    ("it", '"es"', "es", "although Italian ranks first: the ranking does not separate the two. Published Spanish"),
    ("it", "", "es", "although Italian leads it by more than the interval. Published Spanish"),
])
def test_the_page_says_why_the_default_starts_from_spanish(first: str, close: str, spanish: str, sentence: str) -> None:
    found = from_spanish(json.loads(RANKING % (first, close, spanish)))
    assert sentence in found
    assert bool(found) == bool(sentence)


def test_the_ranking_begins_with_its_advice_and_a_heat_map_that_marks_what_is_not_separated(root: Path) -> None:
    page = page_of(root)
    assert "Take Italian or Spanish. These 2 are not separated. The default starts from Spanish although Italian ranks first" in page.text
    chart = ElementTree.fromstring(ranking_chart(read_json(root / "data/rank/ranking.json")))
    texts = {element.text: element.attrib for element in chart.iter("{http://www.w3.org/2000/svg}text")}
    assert texts["+1.21"]["class"] == texts["−0.71"]["class"] == "ink", "the score does not separate the two"
    assert (texts["0.900"]["class"], texts["-0.900"]["class"]) == ("ink", "muted"), "the acoustic level does"
