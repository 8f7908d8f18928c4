"""Normalise the transcripts of a corpus to their spoken form; drop and count those that no rule can verbalise.

Reads   data/ingest/LANGUAGE/CORPUS/shard-*.parquet (all but the audio)
Writes  data/normalise/LANGUAGE/CORPUS/manifest.parquet (every utterance, kept or not), report.json
Params  normalise.CORPUS

Each utterance takes the rules of its own locale, or those of the corpus where the release does not name the locale (Common
Voice 6.1 does not for Portuguese). The column `variants` has the canonical form that the tolerant score compares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
from pydantic import Field, model_validator

from pipeline import text
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import atomic_folder, read_table, write_json, write_table
from pipeline.core.manifest import DESCRIPTION, NORMALISED, conform, counts
from pipeline.core.params import PARAMS_FILE, Section, load_section
from pipeline.core.progress import bar, log, stage_line
from pipeline.core.stage import stage_main

LANGUAGES: Final = {"pt-BR": "portuguese", "pt-PT": "portuguese", "es": "spanish", "es-419": "spanish"}
"""The language of each locale that has rules."""


class Params(Section):
    """`normalise.CORPUS`."""

    language: Literal["portuguese", "spanish"] = Field(description="as under ingest: the folder of the corpus")
    locale: Literal["pt-BR", "pt-PT", "es", "es-419"] = Field(description="rules for utterances whose own locale has none")
    min_characters: int = Field(default=1, ge=1, description="letters and spaces; a shorter text is dropped")
    max_characters_per_s: float = Field(default=30, gt=0, description="of the audio; fast speech has 20, more is a text of another recording")

    @model_validator(mode="after")
    def _locale_is_of_the_language(self) -> Params:
        if LANGUAGES[self.locale] != self.language:
            fitting = ", ".join(locale for locale, language in LANGUAGES.items() if language == self.language)
            raise ValueError(f"locale {self.locale} is not {self.language}; expected one of {fitting}")
        return self


def rules_locale(locale: str, default: str) -> str:
    """Return the locale whose rules normalise an utterance.

    pt-PT → pt-PT, es-ES → es, es-MX → es-419; one without rules (pt, pt-AO, empty) → the default. A Spanish locale
    keeps Spanish rules in a Portuguese corpus, so that the stage can drop the utterance.
    """
    if locale in LANGUAGES:
        return locale
    if locale == "es-ES":
        return "es"
    return "es-419" if locale.startswith("es-") else default


def normalised_columns(row: Mapping[Hashable, Any], params: Params) -> dict[str, Any]:
    """Return the columns that this stage adds to an utterance; `drop_reason` is the first of these that applies.

    `other language`     its locale is not of the corpus's language
    `nothing spoken`     the transcript has no word
    `other script`       it has a letter or digit that is not Latin
    `unknown symbol`     it has a currency or mathematical sign that no rule verbalises
    `too short`          under min_characters
    `too fast`           over max_characters_per_s: text and audio do not match

    Args:
        row: `transcript`, `locale`, `duration_s`.
        params: of the corpus.
    """
    locale = rules_locale(row["locale"], params.locale)
    spoken, reason = "", "other language"
    if LANGUAGES[locale] == params.language:
        result = text.check(row["transcript"], locale)
        spoken, reason = result.text, result.reason
    if not reason and len(spoken) < params.min_characters:
        reason = "too short"
    if not reason and len(spoken) > params.max_characters_per_s * row["duration_s"]:
        reason = "too fast"
    return {
        "text": spoken, "variants": text.variants(spoken, locale) if spoken else "", "normaliser": text.version(locale),
        "keep": not reason, "drop_reason": reason,
    }


def report_of(table: pd.DataFrame, corpus: str, params: Params) -> dict[str, Any]:
    """Return the report: utterances kept and dropped, and counts of letters and of applied rules in those kept."""
    kept = table[table["keep"]]
    letters = Counter("".join(kept["text"]))
    del letters[" "]
    rules = Counter(
        rule
        for transcript, version in zip(kept["transcript"], kept["normaliser"], strict=True)
        for rule, _, _ in text.explain(transcript, version.split("/")[0])
    )
    return {
        "schema": "vizinho.normalise/1",
        "corpus": corpus,
        "utterances": len(table),
        "kept": counts(kept),
        "dropped": _ordered(Counter(table.loc[~table["keep"], "drop_reason"])),
        "normalisers": _ordered(Counter(table["normaliser"])),
        "locale_by_default": int(sum(locale not in LANGUAGES and rules_locale(locale, "") == "" for locale in table["locale"])),
        "letters": dict(sorted(letters.items())),
        "letters_missing": "".join(sorted(set(text.ALPHABETS[params.locale]) - set(letters))),
        "rules": _ordered(rules),
    }


def _ordered(counted: Counter[str]) -> dict[str, int]:
    """Return counts in descending order, equal ones by name."""
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def _read(corpus: str, folder: Path) -> pd.DataFrame:
    """Return all ingested utterances of a corpus without audio, with shard and row."""
    paths = sorted(folder.glob("shard-*.parquet"))
    if not paths:
        raise MissingInputError(str(folder), "no shard", "shard-*.parquet", f"run `dvc repro ingest@{corpus}`")
    tables = [read_table(path, columns=list(DESCRIPTION)) for path in paths]
    return pd.concat(
        [table.assign(shard=path.name, row=range(len(table))) for path, table in zip(paths, tables, strict=True)], ignore_index=True
    )


def run(corpus: str, data: Path = Path("data"), params_file: Path = PARAMS_FILE) -> None:
    """Write the manifest of `corpus` and its report.

    Raises:
        DataError: no utterance can be kept.
    """
    params = load_section(Params, "normalise", corpus, path=params_file)
    table = _read(corpus, data / "ingest" / params.language / corpus)
    with bar(len(table), "utterance", f"normalise@{corpus}") as progress:
        added = []
        for row in table[["transcript", "locale", "duration_s"]].to_dict("records"):
            added.append(normalised_columns(row, params))
            progress.update()
    table = conform(table.assign(**pd.DataFrame(added, index=table.index)), NORMALISED, f"normalise@{corpus}")
    report = report_of(table, corpus, params)
    if not report["kept"]["utterances"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report["dropped"].items())
        raise DataError(f"normalise.{corpus}", f"no utterance can be kept ({reasons or 'there is none'})", "transcripts in the corpus's language",
                        "compare normalise.locale and ingest's columns with the release")
    with atomic_folder(data / "normalise" / params.language / corpus) as folder:
        write_table(folder / "manifest.parquet", table)
        write_json(folder / "report.json", report)
    log(stage_line(f"normalise@{corpus}", {name: report["kept"][name] for name in ("utterances", "speakers", "hours")}, report["dropped"]))


if __name__ == "__main__":
    stage_main(run)
