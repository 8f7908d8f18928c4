"""The report on a small made-up run: what it shows, what it refuses, and that it asks for nothing from outside."""

from __future__ import annotations

import base64
import io
import json
import math
import random
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipeline import report
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.manifest import HYPOTHESIS, SHARD, SPLIT, conform, counts
from pipeline.reporting.charts import Interval, learning_curve, score_chart, system_chart, ticks
from pipeline.reporting.curves import Curve, Point, answers, curve_from, steps_saved
from pipeline.reporting.diff import align, count_errors
from pipeline.reporting.page import choose
from pipeline.reporting.summary import summary

SENTENCES = (
    "a menina comprou três maçãs no mercado da praça",
    "o trem das oito e meia chegou atrasado à estação",
    "meu avô guarda o relógio na gaveta do quarto",
    "as janelas da cozinha dão para o jardim",
    "amanhã vamos viajar de ônibus até o litoral",
    "ninguém sabia onde ficava a chave do portão",
    "o médico pediu vinte e cinco reais pela consulta",
    "choveu tanto que o rio cobriu a ponte",
)
RATES = {"transfer": 0.22, "scratch": 0.6, "scratch_long": 0.31, "donor": 0.95}


def interval(value: float, width: float) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - width,
        "high": value + width,
        "level": 0.95,
        "unit": "speaker",
        "resamples": 10_000,
    }


def damage(text: str, rate: float, dice: random.Random) -> str:
    """Return a text with some share of its words misheard, missed or made up."""
    words = []
    for word in text.split():
        if dice.random() >= rate:
            words.append(word)
        elif (kind := dice.random()) < 0.7:
            words.append(word[:-1] + dice.choice("aeios") if len(word) > 1 else "o")
        elif kind < 0.85:
            words += [word, "de"]
    return " ".join(words)


def flac(index: int, duration_s: float) -> bytes:
    """Return a soft tone as 16 kHz FLAC."""
    time_S = np.arange(int(16_000 * duration_s)) / 16_000
    tone = 0.2 * np.sin(2 * np.pi * (180 + 15 * index) * time_S) * np.sin(np.pi * time_S / duration_s)
    buffer = io.BytesIO()
    soundfile.write(buffer, (tone * 32767).astype(np.int16), 16_000, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False))


def make_run(root: Path, speakers: int = 12, clips: int = 8) -> Path:
    """Write params and a whole run's results under `root`, as the stages leave them."""
    data = root / "data"
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(f"report: {{clips: {clips}}}\n")
    rows = []
    for index in range(4 * speakers):
        number = index % speakers
        rows.append(
            {
                "utterance_id": f"speak-pt/{index:05d}",
                "corpus": "speak-pt",
                "language": "portuguese",
                "speaker": f"speak-pt/s{number:03d}",
                "locale": ("pt-BR", "pt-PT")[number % 2],
                "gender": ("female", "male")[number // 2 % 2],
                "accent": "",
                "age": "",
                "licence": "CC0-1.0",
                "source": "espeak",
                "release_split": "",
                "transcript": SENTENCES[index % 8].capitalize() + ".",
                "text": SENTENCES[index % 8],
                "variants": SENTENCES[index % 8],
                "duration_s": 1.0 + index % 5 / 10,
                "peak": 0.2,
                "rms_db": -20.0,
                "clipped": 0.0,
                "dc_offset": 0.0,
                "snr_db": 25.0,
                "silence": 0.1,
                "audio_hash": f"{index:064x}",
                "fingerprint": "",
                "shard": f"shard-{index // 30:05d}.parquet",
                "row": index % 30,
                "normaliser": "pt-BR/1",
                "speaker_dependent": False,
            }
        )
    test = pd.DataFrame(rows)
    ingest = data / "ingest/portuguese/speak-pt"
    ingest.mkdir(parents=True)
    for shard, part in test.groupby("shard"):
        audio = [
            {"bytes": flac(int(row), duration_s), "path": None}
            for row, duration_s in zip(part["row"], part["duration_s"], strict=True)
        ]
        pq.write_table(
            pa.Table.from_pylist(
                [{**row, "audio": sound} for row, sound in zip(part.to_dict("records"), audio, strict=True)],
                schema=SHARD,
            ),
            ingest / str(shard),
            row_group_size=7,
        )
    (data / "split/portuguese").mkdir(parents=True)
    conform(test, SPLIT, "test").to_parquet(data / "split/portuguese/test.parquet", index=False)

    (data / "transcribe").mkdir()
    for system, rate in RATES.items():
        dice = random.Random(7)
        heard = test.assign(
            duration_band="0-2 s",
            snr_band="20-30 dB",
            reference=test["text"],
            reference_variants=test["text"],
            hypothesis=[damage(text, rate * (0.2 + 1.6 * dice.random()), dice) for text in test["text"]],
            confidence=0.9,
            numbers="no",
            names="",
            word_confidence=[[] for _ in test["text"]],
            robustness=[[] for _ in test["text"]],
        )
        conform(heard, HYPOTHESIS, system).to_parquet(data / f"transcribe/{system}.parquet", index=False)
        write_json(data / f"transcribe/{system}.json", {"system": system, "rtfx": 210.0, "parameters": 1_204_352})
        write_json(
            data / f"score/{system}.json",
            {
                "schema": "vizinho.score/1",
                "system": system,
                "normaliser": "pt-BR/1",
                "test_set": {"hash": "5e" * 32, **counts(test), "words": 412, "speaker_dependent": False},
                "wer": interval(rate, 0.03),
                "cer": interval(rate / 3, 0.01),
                "counts": {"substitutions": 60, "insertions": 12, "deletions": 20, "hits": 320},
                "tolerant": {"wer": rate - 0.004, "cer": rate / 3 - 0.001},
                "rtfx": 212.4,
                "slices": [
                    {
                        "slice": {key: value},
                        "utterances": size,
                        "speakers": 6,
                        "wer": interval(rate + shift, 0.05),
                        "cer": interval(rate / 3, 0.02),
                    }
                    for key, value, size, shift in (
                        ("locale", "pt-BR", 24, -0.02),
                        ("locale", "pt-PT", 24, 0.02),
                        ("gender", "female", 24, 0.01),
                        ("gender", "", 2, -0.01),
                    )
                ],
                "errors": {
                    "mer": rate * 0.95,
                    "wil": rate * 1.4,
                    "substitutions": [{"reference": "avô", "hypothesis": "avó", "count": 9}],
                    "insertions": [{"token": "de", "count": 7}],
                    "deletions": [{"token": "à", "count": 5}],
                    "characters": {
                        "substitutions": [{"reference": "ã", "hypothesis": "a", "count": 31}],
                        "insertions": [{"token": " ", "count": 4}],
                        "deletions": [],
                        "groups": {"accents": 40, "s/z": 6, "lh/nh": 2, "other": 21},
                    },
                    "worst": [
                        {
                            "utterance_id": "speak-pt/00002",
                            "reference": "o rio cobriu a ponte",
                            "hypothesis": "o rico cobrir ponte",
                            "errors": 3,
                            "words": 5,
                        }
                    ],
                    "calibration": {"ece": 0.034, "bins": []},
                    "word_calibration": {"ece": 0.051, "bins": []},
                },
                "robustness": {
                    "utterances": 30,
                    "speakers": 12,
                    "words": 240,
                    "wer": interval(rate, 0.05),
                    "cer": interval(rate / 3, 0.02),
                    "conditions": [
                        {
                            "condition": "noise_10_db",
                            "changes": {"speed": 1.0, "snr_db": 10.0, "telephone": False, "codec": None},
                            "wer": interval(rate + 0.1, 0.05),
                            "cer": interval(rate / 3 + 0.04, 0.02),
                            "wer_change": {"value": 0.1, "low": 0.07, "high": 0.13},
                        }
                    ],
                }
                if system in ("transfer", "donor")
                else None,
            },
        )
    for name in ("parquet", "json"):
        (data / f"transcribe/champion.{name}").write_bytes((data / f"transcribe/donor.{name}").read_bytes())
    write_json(
        data / "score/champion.json",
        {**json.loads((data / "score/donor.json").read_text()), "system": "champion", "rtfx": 214.0},
    )

    def compared(rate: float) -> dict[str, Any]:
        ours = RATES["transfer"]
        return {
            name: {
                "champion": rate / by,
                "challenger": ours / by,
                "difference": {
                    "value": (ours - rate) / by,
                    "low": (ours - rate) / by - 0.04,
                    "high": (ours - rate) / by + 0.04,
                },
                "p_bootstrap": 0.0001,
                "p_mapsswe": 0.0123,
            }
            for name, by in (("wer", 1), ("cer", 3))
        }

    write_json(
        data / "gate/verdict.json",
        {
            "schema": "vizinho.verdict/1",
            "verdict": "promote",
            "challenger": {"system": "transfer", "model": "data/train/transfer"},
            "champion": {"system": "champion", "model": "data/donor"},
            "rules": [
                {
                    "name": "max_wer",
                    "enabled": True,
                    "value": 0.22,
                    "low": 0.19,
                    "high": 0.25,
                    "limit": 0.35,
                    "passed": True,
                    "reason": "the interval lies under the limit",
                },
                {
                    "name": "transfer_beats_scratch",
                    "enabled": True,
                    "value": -0.38,
                    "low": -0.42,
                    "high": -0.34,
                    "limit": 0,
                    "passed": True,
                    "reason": "the whole interval lies below zero",
                },
                {
                    "name": "export_parity",
                    "enabled": False,
                    "value": None,
                    "low": None,
                    "high": None,
                    "limit": None,
                    "passed": None,
                    "reason": "nothing is exported here",
                },
            ],
            "comparisons": {"champion": compared(RATES["donor"]), "scratch": compared(RATES["scratch"])},
            "self_test": {
                "passed": True,
                "plants": [
                    {"name": "ids shuffled", "expected": "reject", "found": "reject", "passed": True, "reason": ""}
                ],
            },
        },
    )

    for system, steps, end, slowness, start in (
        ("transfer", 400, 0.11, 60, 0),
        ("scratch", 400, 0.3, 150, 80),
        ("scratch_long", 1200, 0.12, 250, 90),
    ):
        history = [
            {
                "step": step,
                "seconds": step / 8,
                "audio_s": 12.0 * step,
                "learning_rate": 1e-3,
                "loss": 1.0,
                "dev_cer": end + (1 - end) * math.exp(-max(0, step - start) / slowness) if step % 50 == 0 else None,
                "dev_wer": None,
            }
            for step in range(25, steps + 1, 25)
        ]
        (data / "train" / system).mkdir(parents=True)
        pd.DataFrame(history).to_csv(data / f"train/{system}/history.csv", index=False)
        plan = [
            {"symbol": "a", "donor_symbol": "a", "donor_row": 3, "how": "copied"},
            {"symbol": "ã", "donor_symbol": "a", "donor_row": 3, "how": "base letter"},
            {"symbol": "ç", "donor_symbol": "", "donor_row": None, "how": "fresh"},
        ]
        write_json(
            data / f"train/{system}/vizinho.json",
            {
                "schema": "vizinho.model/1",
                "vocabulary_hash": "ab" * 32,
                "weights_hash": "cd" * 32,
                "label": f"train@{system}",
                "seed": 1,
                "normaliser": "pt-BR/1",
                "params": {"steps": steps, "peak_rate": 1e-3, "buckets": [2, 4, 8]},
                "head_plan": plan if system == "transfer" else None,
                "versions": {"python": "3.11.9", "torch": "2.12.1"},
            },
        )
    (data / "donor").mkdir()
    pd.DataFrame({"step": [500, 1000], "dev_cer": [0.2, 0.04]}).to_csv(data / "donor/history.csv", index=False)
    write_json(
        data / "donor/vizinho.json",
        {"schema": "vizinho.model/1", "weights_hash": "ef" * 32, "seed": 1, "params": {"steps": 1000}},
    )

    for language, corpus in (("portuguese", "speak-pt"), ("spanish", "speak-es")):
        write_json(
            data / f"ingest/{language}/{corpus}/report.json",
            {
                "corpus": corpus,
                "utterances": 1496,
                "speakers": 120,
                "hours": 1.512,
                "rejected": 4,
                "rejects": {"too short": 3, "silent": 1},
            },
        )
        write_json(data / f"normalise/{language}/{corpus}/report.json", {"kept": 1495, "dropped": {"other script": 1}})
        write_json(
            data / f"split/{language}/certificate.json",
            {
                "schema": "vizinho.certificate/1",
                "language": language,
                "left_total": 0,
                "left": {"speaker": 0, "sentence": 0},
                "removed": {
                    "train": {"sentence": 12, "near_duplicate": 31},
                    "dev": {"sentence": 2, "near_duplicate": 0},
                },
                "splits": {
                    name: {
                        "utterances": 400,
                        "speakers": 40,
                        "hours": 0.5,
                        "unknown_speaker": 0,
                        "speaker_dependent": 0,
                    }
                    for name in ("train", "dev", "test")
                },
                "notes": ["3 utterances have no fingerprint."],
            },
        )
    families = {name: {"value": 0.9, "low": 0.7, "high": 1.1} for name in ("lexical", "phonological", "orthographic")}
    write_json(
        data / "rank/ranking.json",
        {
            "schema": "vizinho.rank/1",
            "target": "pt-BR",
            "concepts": 100,
            "candidates": [
                {
                    "rank": 1,
                    "language": "es",
                    "name": "Spanish",
                    "score": {"value": 1.21, "low": 1.0, "high": 1.4},
                    "families": families,
                },
                {
                    "rank": 2,
                    "language": "it",
                    "name": "Italian",
                    "score": {"value": -0.71, "low": -0.9, "high": -0.5},
                    "families": families,
                },
            ],
        },
    )
    return root


class Page(HTMLParser):
    """What a browser makes of a page: elements in order, their attributes and text; refuses what is not closed."""

    VOID = ("meta", "link", "br")
    INLINE = ("strong", "code", "mark", "ins", "del")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag not in self.INLINE:
            self.words.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"
        if tag not in self.INLINE:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        (self.styles if self.open and self.open[-1] == "style" else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def root(finished_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path / "run")


def page_of(root: Path) -> Page:
    report.run(root)
    return Page((root / "data/report/index.html").read_text())


def edit(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


# ---- The page -------------------------------------------------------------------------------------------------------


def test_the_page_shows_the_run_in_the_order_in_which_it_is_judged(root: Path) -> None:
    page = page_of(root)
    sections = [
        "systems",
        "comparisons",
        "curves",
        "rules",
        "slices",
        "robustness",
        "errors",
        "listen",
        "data",
        "head",
        "ranking",
        "provenance",
    ]
    ids = page.values("id")
    assert [name for name in ids if name in sections] == sections
    assert len(set(ids)) == len(ids)
    assert {href for href in page.values("href") if href.startswith("#")} <= {f"#{name}" for name in ids}
    for shown in (
        "Promote",
        "All 2 enabled rules hold: on the same test set, WER is 22.0 %, against 95.0 % with the champion.",
        "22.0 % 19.0 to 25.0",
        "−38.0 [−42.0, −34.0] < 0.001 0.012",
        "transfer_beats_scratch ✓ holds",
        "export_parity off",
        "as it is 30 utterances of 12 speakers 22.0 % [17.0, 27.0] 95.0 % [90.0, 100.0]",
        "noise 10 db noise at 10 dB 32.0 % [27.0, 37.0] +10.0 [+7.0, +13.0] 105.0 % [100.0, 110.0] +10.0 [+7.0, +13.0]",
        "(ECE, characters; 5.1 % by words)",
        "avô → avó 9",
        "ã ← a",
        "Spanish +1.21 [+1.00, +1.40]",
        "speak-pt portuguese 1 496 120 1.51 3 too short, 1 silent 1 other script",
        "31 near duplicate",
        "3 utterances have no fingerprint.",
        "train, dev and test share nothing",
        "ids shuffled reject",
        "seed 1, weights cdcdcdcdcdcdcdcd",
        "peak_rate 0.001",
    ):
        assert shown in page.text, shown


def test_champion_and_donor_are_one_row_while_they_are_one_model(root: Path) -> None:
    assert "champion = donor" in page_of(root).text
    edit(root / "data/score/champion.json", lambda score: score.update(wer=interval(0.5, 0.02)))
    other = page_of(root)
    assert "champion = donor" not in other.text
    assert "the model in use 50.0 % 48.0 to 52.0" in other.text


def test_nothing_in_any_input_becomes_markup(root: Path) -> None:
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>"\'&'
    for name in RATES:
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
    assert not [tag for tag, attributes in page.elements if tag in ("script", "img") or "onerror" in attributes]
    assert page.text.count('alert("x")') > 20


def test_the_page_asks_for_nothing_from_outside(root: Path) -> None:
    page = page_of(root)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
        assert "url(" not in (attributes.get("style") or "")
    assert not re.search(r"url\(|@import", "".join(page.styles))
    (policy,) = [
        attributes["content"]
        for tag, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


def test_everything_that_scrolls_or_plays_can_be_reached_and_is_named(root: Path) -> None:
    page = page_of(root)
    for tag, attributes in page.elements:
        if attributes.get("class") == "scroll" and "role" in attributes:
            assert attributes["tabindex"] == "0" and attributes["aria-label"]
        if tag == "audio":
            assert "controls" in attributes and attributes["aria-label"]
        if tag == "svg":
            assert attributes["role"] == "img"


def test_the_same_run_gives_the_same_bytes(root: Path) -> None:
    report.run(root)
    before = {path.name: path.read_bytes() for path in (root / "data/report").iterdir()}
    report.run(root)
    assert before == {path.name: path.read_bytes() for path in (root / "data/report").iterdir()}
    assert set(before) == {"index.html", "learning_curve.svg", "systems.svg"}


def test_each_clip_plays_its_own_utterance(root: Path) -> None:
    page = page_of(root)
    test = pd.read_parquet(root / "data/split/portuguese/test.parquet").set_index("utterance_id")
    clips = [(attributes["aria-label"], attributes["src"]) for tag, attributes in page.elements if tag == "audio"]
    assert len(clips) == 8
    for name, source in clips:
        kind, _, sound = (source or "").partition(",")
        assert kind == "data:audio/flac;base64"
        assert base64.b64decode(sound) == flac(int(test.loc[name, "row"]), float(test.loc[name, "duration_s"]))


def test_what_align_left_out_is_shown_where_the_model_learned_from_the_rest(root: Path) -> None:
    assert "Transcripts left out" not in page_of(root).text
    evil = "<b>não</b>"
    found = {
        "aligner": {"folder": "data/donor", "learned_from": 0}, "utterances": 1495, "kept": {"utterances": 1420},
        "dropped": {"unlike its audio": 70, "too short for its audio": 5}, "wrong_share": 0.051, "power": {"all": 0.992}, "threshold": -1.25,
        "distribution": {"edges": [-9.0, 0.0, 6.0], "transcripts": [75, 1420], "planted": [900, 40]},
        "lowest": [{"utterance_id": "speak-pt/7", "score": -8.5, "reason": "unlike its audio", "text": evil, "heard": ""}],
    }
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(alignment=found))
    text = page_of(root).text
    for told in ("Transcripts left out", "1 420 were learned from", "Left out: 70 unlike its audio, 5 too short for its audio", "About 5.1 % seem",
                 "in 99.2 % of cases", "dropped below -1.2", evil, "(nothing heard)"):
        assert told in text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " "), told
    assert "has learned from" not in text
    found["aligner"]["learned_from"] = 12
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(alignment=found))
    assert "The aligner has learned from 12 of these recordings" in page_of(root).text
    found["distribution"]["planted"] = [1]
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(alignment=found))
    with pytest.raises(DataError, match="3 edges of 2 and 1 bars; expected one edge more than bars"):
        page_of(root)


# ---- What may be absent, and what may not ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("absent", "gone"),
    [
        ("rank/ranking.json", "Choice of the donor"),
        ("split/portuguese/certificate.json", "Leakage certificate, portuguese"),
        ("score/champion.json", "champion = donor"),
        ("transcribe/scratch_long.json", "1.20 M 1.20 M"),
        ("train/scratch_long/history.csv", "Within 1 200 steps"),
        ("donor/history.csv", "Within 1 200 steps"),
    ],
)
def test_an_optional_part_may_be_absent(root: Path, absent: str, gone: str) -> None:
    (root / "data" / absent).unlink()
    text = page_of(root).text
    assert gone not in text
    assert ("Not measured: " in text) == absent.endswith("history.csv")


def test_a_run_of_two_systems_alone_is_reported(root: Path) -> None:
    for folder in ("rank", "donor", "ingest", "normalise", "split/spanish", "train/scratch_long"):
        for path in sorted((root / "data" / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("shard"):
                path.unlink()
    for name in ("champion", "donor", "scratch_long"):
        for path in (root / "data").glob(f"[ts]*/{name}.*"):
            path.unlink()
    edit(root / "data/gate/verdict.json", lambda verdict: verdict.update(rules=[], comparisons={}))
    edit(
        root / "data/score/transfer.json",
        lambda score: (score.pop("errors"), score.update(slices=[], tolerant=None, rtfx=None)),
    )
    edit(root / "data/train/transfer/vizinho.json", lambda model: model.update(head_plan=None))
    text = page_of(root).text
    assert "No rule of the gate is enabled, so nothing can be promoted." in text
    assert "Paired comparisons" not in text and "What goes wrong" not in text


@pytest.mark.parametrize(
    "name",
    [
        "score/transfer.json",
        "score/scratch.json",
        "gate/verdict.json",
        "train/transfer/history.csv",
        "train/scratch/vizinho.json",
        "transcribe/transfer.parquet",
        "split/portuguese/test.parquet",
        "ingest/portuguese/speak-pt/shard-00000.parquet",
    ],
)
@pytest.mark.parametrize("damage_it", [True, False], ids=["damaged", "absent"])
def test_a_required_part_that_cannot_be_read_is_named(root: Path, name: str, damage_it: bool) -> None:
    path = root / "data" / name
    path.write_bytes(b"\xff\xfe nothing of sense") if damage_it else path.unlink()
    with pytest.raises(DataError if damage_it else MissingInputError, match=re.escape(name)):
        report.run(root)
    assert not (root / "data/report/index.html").exists()


@pytest.mark.parametrize(
    "name", ["rank/ranking.json", "donor/history.csv", "score/champion.json", "split/spanish/certificate.json"]
)
def test_an_optional_part_that_is_there_must_be_readable(root: Path, name: str) -> None:
    (root / "data" / name).write_bytes(b"\xff\xfe nothing of sense")
    with pytest.raises(DataError, match=re.escape(name)):
        report.run(root)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "score/scratch.json",
            lambda score: score["wer"].update(value=float("nan")),
            "score/scratch.json: wer: found .*nan.*; expected value, low and high",
        ),
        ("score/scratch.json", lambda score: score["cer"].update(low=None), "score/scratch.json: cer: found"),
        ("score/transfer.json", lambda score: score.pop("wer"), "score/transfer.json: no 'wer'; found schema, system"),
        (
            "gate/verdict.json",
            lambda verdict: verdict.update(verdict="maybe"),
            "verdict 'maybe'; expected promote, reject or inconclusive",
        ),
        (
            "gate/verdict.json",
            lambda verdict: verdict["challenger"].update(system="other"),
            "challenger 'other' has no score or hypotheses",
        ),
        ("gate/verdict.json", lambda verdict: verdict["rules"][0].pop("limit"), "no 'limit'"),
    ],
)
def test_a_figure_that_is_none_is_refused(root: Path, name: str, change: Callable[[Any], None], message: str) -> None:
    edit(root / "data" / name, change)
    with pytest.raises(DataError, match=message):
        report.run(root)


def test_an_input_that_lacks_a_field_is_refused(root: Path) -> None:
    edit(root / "data/split/spanish/certificate.json", lambda certificate: certificate.pop("splits"))
    with pytest.raises(DataError, match=r"report on .*: 'dict object' has no attribute 'splits'"):
        report.run(root)


def test_counts_that_are_not_by_reason_are_refused(root: Path) -> None:
    edit(root / "data/normalise/spanish/speak-es/report.json", lambda found: found.update(dropped=3))
    with pytest.raises(
        DataError, match=r"normalise/spanish/speak-es/report.json: dropped is 3; expected counts by reason"
    ):
        report.run(root)


def test_a_clip_that_is_not_in_the_test_split_is_refused(root: Path) -> None:
    path = root / "data/split/portuguese/test.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    with pytest.raises(DataError, match="0 rows of speak-pt/"):
        report.run(root)


def test_an_error_is_one_message_and_an_exit_code(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "params.yaml").write_text("report: {clips: -1, klips: 8}\n")
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.argv", ["report"])
    with pytest.raises(SystemExit) as exit_:
        report.stage_main(report.run)
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert "report.clips: found -1" in message and "report.klips: unknown key" in message and "Traceback" not in message


# ---- The sentence under the verdict, and the summary ----------------------------------------------------------------


def test_a_rejection_names_the_rules_that_fail_and_those_undecided(root: Path) -> None:
    def reject(verdict: dict[str, Any]) -> None:
        verdict["verdict"] = "reject"
        verdict["rules"][0].update(passed=False, reason="WER 0.41 is over 0.35")
        verdict["rules"][1].update(passed=None, reason="about 40 speakers more would decide")

    edit(root / "data/gate/verdict.json", reject)
    text = page_of(root).text
    assert (
        "✕ Reject 1 of 2 enabled rules fails: max wer (WER 0.41 is over 0.35). 1 of 2 enabled rules is undecided: "
        "transfer beats scratch (about 40 speakers more would decide)."
    ) in text
    assert "max_wer ✕ fails" in text and "transfer_beats_scratch ? undecided" in text
    assert summary(root)[2].startswith("verdict  reject (without max_wer, transfer_beats_scratch)")


def test_the_summary_is_five_lines_and_names_files_that_are_there(root: Path) -> None:
    report.run(root)
    lines = summary(root)
    assert len(lines) == 5
    assert lines[2].startswith("verdict  promote (all 2 enabled rules hold)")
    assert lines[4].replace("\N{NO-BREAK SPACE}", " ") == (
        "WER      transfer 22.0 %, scratch 60.0 %, scratch_long 31.0 %, champion 95.0 %, donor 95.0 %"
    )
    for line, name in (
        (lines[0], "data/train/transfer"),
        (lines[1], "data/score"),
        (lines[2], "data/gate/verdict.json"),
        (lines[3], "data/report/index.html"),
    ):
        assert str(root / name) in line and (root / name).exists()


# ---- Learning curves ------------------------------------------------------------------------------------------------


def curve(system: str, *points: tuple[int, float]) -> Curve:
    return Curve(system, tuple(Point(step, cer, 6.0 * step) for step, cer in points), points[-1][0])


def test_steps_saved_are_read_off_at_the_first_evaluation_that_reaches_the_error() -> None:
    transfer = curve("transfer", (50, 0.5), (100, 0.3), (150, 0.32), (200, 0.1))
    scratch = curve("scratch", (50, 1.0), (100, 0.9), (150, 0.5), (200, 0.4))
    assert steps_saved(transfer, scratch) == (transfer.points[1], scratch.points[3])
    found = answers({"transfer": transfer, "scratch": scratch}, None)
    assert "at step 100 instead of 200 (10 instead of 20 minutes of audio processed" in found[2].answer


def test_a_transfer_that_never_gets_there_saves_nothing() -> None:
    found = answers({"transfer": curve("transfer", (50, 0.9)), "scratch": curve("scratch", (50, 0.4))}, None)
    assert "no steps are saved" in found[2].answer
    assert "125 % more errors" in found[0].answer.replace("\N{NO-BREAK SPACE}", " ")


def test_equal_total_steps_count_the_donors() -> None:
    curves = {
        "transfer": curve("transfer", (100, 0.3), (200, 0.2), (400, 0.1)),
        "scratch": curve("scratch", (400, 0.4)),
        "scratch_long": curve("scratch_long", (400, 0.5), (800, 0.3), (1200, 0.12)),
    }
    found = answers(curves, 900)[1]
    assert found.measured
    assert (
        "Within 1 200 steps, dev CER is 20.0 % with transfer (900 Spanish + 200 Portuguese) and 12.0 % from scratch"
        in (found.answer.replace("\N{NO-BREAK SPACE}", " "))
    )
    assert found.caveat == "Transfer is evaluated in the middle of its learning-rate schedule, which is a disadvantage."


def test_equal_total_steps_that_no_run_reached_are_said_not_to_be_measured() -> None:
    curves = {
        "transfer": curve("transfer", (100, 0.3), (400, 0.1)),
        "scratch": curve("scratch", (400, 0.4)),
        "scratch_long": curve("scratch_long", (400, 0.5), (1200, 0.12)),
    }
    for donor_steps, longer in ((1150, True), (None, True), (900, False)):
        found = answers(curves if longer else {name: curves[name] for name in ("transfer", "scratch")}, donor_steps)[1]
        assert not found.measured and found.answer.startswith("Not measured: ")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"step": [1]}, "columns missing: dev_cer"),
        ({"step": [1], "dev_cer": [None]}, "no step has a dev_cer"),
        ({"step": [1], "dev_cer": ["low"]}, "not a number"),
    ],
)
def test_a_history_without_an_evaluation_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"h.csv: {message}"):
        curve_from(pd.DataFrame(table), "transfer", "h.csv")


# ---- Pictures -------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def pictures() -> dict[str, str]:
    return {
        "curves": learning_curve(
            {
                "transfer": curve("transfer", (50, 1.4), (100, 0.3), (400, 0.1)),
                "scratch": curve("scratch", (50, 1.0), (400, 0.3)),
                "scratch_long": curve("scratch_long", (50, 1.0), (450, 0.29), (1200, 0.12)),
            }
        ),
        "two curves of one point": learning_curve(
            {"transfer": curve("transfer", (0, 0.0)), "scratch": curve("scratch", (0, 0.0))}
        ),
        "systems": system_chart(
            [
                ("transfer", "transfer", Interval(0.2, 0.1, 0.3)),
                ("champion", "champion = donor", Interval(1.2, 1.1, 1.3)),
            ]
        ),
        "scores": score_chart([-9.5, -3.0, 0.0, 4.0], [2, 10, 1400], [400, 30, 0], -3.0),
        "scores, nothing dropped": score_chart([-1.0, 4.0], [0], [0], None),
        "scores, all dropped": score_chart([-1.0, 4.0], [7], [9], 99.0),
        "a perfect system": system_chart([("transfer", "<transfer> & co", Interval(0.0, 0.0, 0.0))]),
    }


@pytest.mark.parametrize("name", list(pictures()))
def test_a_picture_stands_alone_inside_its_frame_on_white_and_on_dark(name: str) -> None:
    svg = pictures()[name]
    picture = ElementTree.fromstring(svg)
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    assert "nan" not in svg and "inf" not in svg.replace("instead", "")
    for element in picture.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag in ("svg", "title", "desc", "text", "tspan", "line", "circle", "polyline", "rect")
        for key, limit in (
            ("x", width),
            ("x1", width),
            ("x2", width),
            ("cx", width),
            ("y", height),
            ("y1", height),
            ("cy", height),
        ):
            assert 0 <= float(element.attrib.get(key, 0)) <= limit
        for place in element.attrib.get("points", "").split():
            assert all(0 <= float(part) <= limit for part, limit in zip(place.split(","), (width, height), strict=True))
        for colour in (element.attrib.get("fill", "none"), element.attrib.get("stroke", "none")):
            if colour != "none":
                light = luminance(colour) + 0.05
                assert 1.05 / light >= 3.8 and light / (luminance("#0d1117") + 0.05) >= 3.8, colour


def test_labels_of_the_learning_curve_do_not_lie_on_one_another() -> None:
    svg = pictures()["curves"]
    boxes = []
    for found in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        text, size = "".join(found.itertext()), float(found.attrib["font-size"])
        if "step " in text or text.startswith(("transfer", "scratch")):
            x, y, wide = float(found.attrib["x"]), float(found.attrib["y"]), len(text) * size * 0.55
            left = {"start": x, "middle": x - wide / 2, "end": x - wide}[found.attrib["text-anchor"]]
            boxes.append((left, y - size, left + wide, y))
    assert len(boxes) == 5  # three ends, and two crossings that are no ends
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


@given(st.floats(1e-6, 1e6), st.integers(2, 9))
def test_ticks_are_round_and_reach_over_the_highest(highest: float, about: int) -> None:
    found = ticks(highest, about)
    step = found[1]
    assert found[0] == 0 and found[-1] >= highest * 0.999999 and found[-2] < highest
    assert len(found) <= about + 2
    assert float(f"{step:.2g}") == pytest.approx(step)


# ---- Differences and clips ------------------------------------------------------------------------------------------

words = st.lists(st.sampled_from(("a", "casa", "caza", "é", "azul")), max_size=6).map(" ".join)


def distance(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """The definition, without a table."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return distance(one[1:], other[1:])
    return 1 + min(distance(one[1:], other), distance(one, other[1:]), distance(one[1:], other[1:]))


@given(words, words)
def test_an_alignment_is_cheapest_and_spells_both_texts(reference: str, hypothesis: str) -> None:
    edits = align(reference, hypothesis)
    assert " ".join(edit.reference for edit in edits if edit.reference) == reference
    assert " ".join(edit.hypothesis for edit in edits if edit.hypothesis) == hypothesis
    assert all((edit.reference == edit.hypothesis) == (edit.kind == "hit") for edit in edits)
    assert count_errors(edits) == distance(tuple(reference.split()), tuple(hypothesis.split()))


def test_clips_are_the_best_the_middling_and_the_worst_of_different_speakers() -> None:
    ids = [f"u{number:02d}" for number in range(30)]
    references = ["um dois três quatro cinco"] * 30
    hypotheses = [
        " ".join(reference.split()[: 5 - number // 5]) for number, reference in enumerate(references)
    ]  # u25.. all missed
    speakers = [f"s{number % 3}" for number in range(30)]
    chosen = choose(ids, speakers, references, hypotheses, 8)
    assert [kind for _, kind in chosen] == ["best"] * 3 + ["median"] * 3 + ["worst"] * 2
    assert all(name < "u05" for name, kind in chosen if kind == "best")
    assert all("u15" <= name < "u20" for name, kind in chosen if kind == "median")
    assert all(name >= "u25" for name, kind in chosen if kind == "worst")
    for kind in ("best", "median", "worst"):
        heard = [speakers[ids.index(name)] for name, found in chosen if found == kind]
        assert len(set(heard)) == len(heard)
    assert len(choose(ids[:2], speakers[:2], references[:2], hypotheses[:2], 8)) == 2
    assert choose([], [], [], [], 8) == []
