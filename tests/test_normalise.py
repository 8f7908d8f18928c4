"""Every ingested utterance is in the manifest, with its spoken form or the reason for dropping it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import normalise
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import ROOT
from pipeline.core.manifest import DESCRIPTION, NORMALISED, SHARD
from pipeline.text import version

ROW: dict[str, Any] = {
    **{name: "" if kind == pa.string() else 0.0 for name, kind in DESCRIPTION.items()},
    "corpus": "tiny", "language": "portuguese", "speaker": "tiny/ana", "duration_s": 3.0, "audio": {"bytes": b"flac", "path": "a.flac"},
}


def write_shard(folder: Path, number: int, rows: list[dict[str, Any]]) -> None:
    """Write rows, completed by `ROW`, as a shard."""
    folder.mkdir(parents=True, exist_ok=True)
    complete = [{**ROW, "utterance_id": f"tiny/{number}-{index}", **row} for index, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(complete, schema=SHARD), folder / f"shard-{number:05d}.parquet")


def run(tmp_path: Path, *shards: list[dict[str, Any]], params: str = "language: portuguese, locale: pt-BR") -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the stage on these shards; return its manifest and report."""
    for number, rows in enumerate(shards):
        write_shard(tmp_path / "data/ingest/portuguese/tiny", number, rows)
    (tmp_path / "params.yaml").write_text(f"normalise: {{tiny: {{{params}}}}}\n", encoding="utf-8")
    normalise.run("tiny", tmp_path / "data", tmp_path / "params.yaml")
    out = tmp_path / "data/normalise/portuguese/tiny"
    return pd.read_parquet(out / "manifest.parquet"), json.loads((out / "report.json").read_text(encoding="utf-8"))


def test_each_utterance_is_normalised_by_the_rules_of_its_own_locale(tmp_path: Path) -> None:
    table, report = run(tmp_path, [{"transcript": "São 16.", "locale": locale} for locale in ("pt-BR", "pt-PT", "pt", "")])
    assert list(table.columns) == list(NORMALISED)
    assert table["text"].tolist() == ["são dezesseis", "são dezasseis", "são dezesseis", "são dezesseis"]
    assert table["normaliser"].tolist() == [version(locale) for locale in ("pt-BR", "pt-PT", "pt-BR", "pt-BR")]
    assert table["variants"].nunique() == 1
    assert table["locale"].tolist() == ["pt-BR", "pt-PT", "pt", ""]
    assert report["locale_by_default"] == 2


@pytest.mark.parametrize(
    "row, reason",
    [
        ({"transcript": "— ... —"}, "nothing spoken"),
        ({"transcript": "он сказал"}, "other script"),
        ({"transcript": "custa 5 ₿"}, "unknown symbol"),
        ({"transcript": "é"}, "too short"),
        ({"transcript": "uma frase que não cabe", "duration_s": 0.5}, "too fast"),
        ({"transcript": "una frase", "locale": "es-MX"}, "other language"),
    ],
)
def test_a_dropped_utterance_is_in_the_manifest_with_its_reason(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    table, report = run(tmp_path, [{"transcript": "Bom dia."}, row], params="language: portuguese, locale: pt-BR, min_characters: 2")
    assert table["keep"].tolist() == [True, False]
    assert table["drop_reason"].tolist() == ["", reason]
    assert report["dropped"] == {reason: 1}
    assert report["utterances"] == 2
    assert report["kept"] == {"utterances": 1, "speakers": 1, "hours": pytest.approx(3 / 3600)}


def test_a_row_names_its_shard_and_has_the_columns_of_the_corpus(tmp_path: Path) -> None:
    table, _ = run(tmp_path, [{"transcript": "Um.", "snr_db": 20.0}, {"transcript": "Dois."}], [{"transcript": "Três.", "accent": "minhoto"}])
    places = list(zip(table["shard"], table["row"], strict=True))
    assert places == [("shard-00000.parquet", 0), ("shard-00000.parquet", 1), ("shard-00001.parquet", 0)]
    assert table["snr_db"].tolist() == [20.0, 0.0, 0.0]
    assert table["accent"].tolist() == ["", "", "minhoto"]
    assert "audio" not in table.columns


def test_the_report_counts_rules_and_letters_and_follows_its_schema(tmp_path: Path) -> None:
    _, report = run(tmp_path, [{"transcript": "O Sr. Zé, às 14h."}, {"transcript": "Bebê, R$ 5"}])
    jsonschema.validate(report, json.loads((ROOT / "docs/schemas/normalise.json").read_text(encoding="utf-8")))
    assert report["rules"] == {"abbreviation": 1, "money": 1, "unit": 1}
    assert report["letters"]["z"] == 2  # zé, catorze
    assert "ã" in report["letters_missing"]
    assert "ê" not in report["letters_missing"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [{"transcript": f"São {number} casas."} for number in range(50)]
    for name in ("first", "second"):
        run(tmp_path / name, rows)
    for file in ("manifest.parquet", "report.json"):
        first, second = (tmp_path / name / "data/normalise/portuguese/tiny" / file for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_a_corpus_without_usable_utterances_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"normalise\.tiny: no utterance can be kept \(2 other script\)") as raised:
        run(tmp_path, [{"transcript": "да"}, {"transcript": "нет"}])
    assert raised.value.exit_code == 1
    assert not (tmp_path / "data/normalise").exists()


def test_the_error_for_a_corpus_that_was_not_ingested_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no shard; expected shard-.*; run `dvc repro ingest@tiny`"):
        run(tmp_path)


def test_all_invalid_params_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(ParamsError) as raised:
        run(tmp_path, params="language: portuguese, locale: pt, min_characters: 0, lcoale: es")
    assert len(raised.value.problems) == 3
    with pytest.raises(ParamsError, match="locale es is not portuguese; expected one of pt-BR, pt-PT"):
        run(tmp_path, params="language: portuguese, locale: es")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    "locale, default, rules",
    [
        ("pt-PT", "pt-BR", "pt-PT"), ("pt", "pt-BR", "pt-BR"), ("", "pt-PT", "pt-PT"),
        ("es-ES", "es-419", "es"), ("es-MX", "es", "es-419"), ("es-419", "es", "es-419"),
    ],
)
def test_a_locale_without_rules_uses_those_of_its_corpus(locale: str, default: str, rules: str) -> None:
    assert normalise.rules_locale(locale, default) == rules
