"""Common Voice: every header, quotes, lengths, official and rebuilt sets, deltas; and the real clips where they exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance, common_voice
from tests.releases import SHARED, sound, take_in, write

HEADERS = {
    "5 to 7": "client_id path sentence up_votes down_votes age gender accent locale segment",
    "8 to 12": "client_id path sentence up_votes down_votes age gender accents locale segment",
    "13 to 16": "client_id path sentence up_votes down_votes age gender accents variant locale segment",
    "17 to 25": "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale segment",
}
ANA, RUI, EVA = "a" * 128, "b" * 128, "c" * 128
ROW = {"client_id": ANA, "path": "common_voice_pt_1.mp3", "sentence": "Que pena!", "up_votes": "2", "down_votes": "0", "locale": "pt"}


def params(**given: Any) -> common_voice.Params:
    return common_voice.Params(**{"reader": "common_voice", "language": "portuguese", "source": "corpus", "sets": "rebuilt", **given})


def table(path: Path, *rows: dict[str, str], header: str = HEADERS["17 to 25"]) -> Path:
    names = header.split()
    lines = ["\t".join(names), *("\t".join({**ROW, **row}.get(name, "") for name in names) for row in rows)]
    write(path, "\n".join(lines) + "\n")
    return path.parent


def clip(number: int, **row: str) -> dict[str, str]:
    return {"path": f"common_voice_pt_{number}.mp3", **row}


def one(folder: Path, **given: Any) -> Utterance:
    found, = common_voice.utterances(params(**given), folder)
    assert isinstance(found, Utterance)
    return found


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_every_header_gives_the_same_utterance(tmp_path: Path, header: str) -> None:
    accent = "accent" if "accent " in header else "accents"
    folder = table(tmp_path / "validated.tsv", {"age": "fourties", "gender": "male", accent: "Carioca", "segment": "Benchmark"}, header=header)
    assert one(folder) == Utterance(
        id="common_voice_pt_1", source="clips/common_voice_pt_1.mp3", audio=folder / "clips/common_voice_pt_1.mp3", transcript="Que pena!",
        locale="pt", licence="CC0-1.0", speaker=ANA, accent="Carioca", gender="male", age="forties",
    )


@pytest.mark.parametrize(("given", "gender"), [
    ("female", "female"), ("female_feminine", "female"), ("male_masculine", "male"), ("other", "other"), ("non-binary", "other"),
    ("transgender", "other"), ("do_not_wish_to_say", ""), ("", ""),
])
def test_the_gender_values_of_old_and_new_releases_are_mapped(tmp_path: Path, given: str, gender: str) -> None:
    assert one(table(tmp_path / "validated.tsv", {"gender": given})).gender == gender


@pytest.mark.parametrize(("cell", "sentence"), [
    ('"""O que é um alquimista?"", ele perguntou."', '"O que é um alquimista?", ele perguntou.'),
    ('"Paciencia lo es todo"""', 'Paciencia lo es todo"'),
    ('"começo', '"começo'),
    ('fim"', 'fim"'),
    ('"um" e "dois"', '"um" e "dois"'),
    ('"', '"'),
    ("d'água, sim", "d'água, sim"),
])
def test_a_lone_quote_is_literal_and_doubled_quotes_are_undone(tmp_path: Path, cell: str, sentence: str) -> None:
    folder = table(tmp_path / "validated.tsv", clip(1, sentence=cell), clip(2), clip(3, sentence='fim"'))
    found = common_voice.utterances(params(), folder)
    assert [row.transcript for row in found if isinstance(row, Utterance)] == [sentence, "Que pena!", 'fim"']


@pytest.mark.parametrize(("language", "row", "locale"), [
    ("portuguese", {"variant": "Portuguese (Brasil)"}, "pt-BR"),
    ("portuguese", {"accents": "Português de Portugal"}, "pt-PT"),
    ("portuguese", {"variant": "Portuguese (Brasil)", "accents": "Portugal, Porto"}, "pt-BR"),
    ("portuguese", {"accents": "Brasil e Portugal"}, "pt"),
    ("portuguese", {"accents": "Carioca"}, "pt"),
    ("spanish", {"accents": "nortepeninsular", "locale": "es"}, "es"),
    ("spanish", {"accents": "rioplatense", "locale": "es"}, "es-419"),
    ("spanish", {"accents": "Andino-Pacífico: Colombia, Perú, Ecuador", "locale": "es"}, "es-419"),
])
def test_variant_and_accent_determine_the_locale(tmp_path: Path, language: str, row: dict[str, str], locale: str) -> None:
    folder = table(tmp_path / "validated.tsv", row)
    assert one(folder, language=language).locale == locale


def test_a_given_locale_applies_to_rows_without_one(tmp_path: Path) -> None:
    folder = table(tmp_path / "validated.tsv", clip(1), clip(2, variant="Portuguese (Portugal)"))
    assert [row.locale for row in common_voice.utterances(params(locale="pt-BR"), folder) if isinstance(row, Utterance)] == ["pt-BR", "pt-PT"]


def official(folder: Path) -> Path:
    table(folder / "train.tsv", clip(1), clip(2))
    table(folder / "dev.tsv", clip(3, client_id=RUI))
    table(folder / "test.tsv", clip(4, client_id=EVA))
    return table(folder / "validated.tsv", *(clip(number) for number in (1, 2, 5)), clip(3, client_id=RUI), clip(4, client_id=EVA))


def memberships(folder: Path, sets: str) -> dict[str, str]:
    return {row.id.rpartition("_")[2]: row.release_split for row in common_voice.utterances(params(sets=sets), folder)
            if isinstance(row, Utterance)}


def test_the_sets_are_official_extended_or_rebuilt(tmp_path: Path) -> None:
    folder = official(tmp_path)
    assert memberships(folder, "official") == {"1": "train", "2": "train", "3": "dev", "4": "test"}
    assert memberships(folder, "extended") == {"1": "train", "2": "train", "3": "dev", "4": "test", "5": ""}
    assert memberships(folder, "rebuilt") == dict.fromkeys("12534", "")


def test_the_release_is_found_in_the_folders_of_its_archive_unless_two_languages_match(tmp_path: Path) -> None:
    official(tmp_path / "cv-corpus-17.0-2024-03-15" / "pt")
    assert len(memberships(tmp_path, "official")) == 4
    official(tmp_path / "cv-corpus-17.0-2024-03-15" / "es")
    with pytest.raises(DataError, match="train.tsv is in cv-corpus-17.0-2024-03-15/es, cv-corpus-17.0-2024-03-15/pt; expected one"):
        memberships(tmp_path, "official")


def test_a_delta_archive_has_no_official_sets_and_is_read_as_rebuilt(tmp_path: Path) -> None:
    folder = table(tmp_path / "cv-corpus-10.0-delta-2022-07-04" / "pt" / "validated.tsv", clip(1))
    with pytest.raises(MissingInputError, match="no train.tsv.*a delta archive or a sample has no official sets: ingest.CORPUS.sets: rebuilt"):
        memberships(tmp_path, "official")
    assert memberships(folder, "rebuilt") == {"1": ""}


@pytest.mark.parametrize(("name", "content"), [
    ("clip_durations.tsv", "clip\tduration[ms]\ncommon_voice_pt_1.mp3\t4608\n"),
    ("times.txt", "`cv-corpus-14.0-2023-06-23/pt/clips/common_voice_pt_1.mp3` = 4608\n"),
    ("times.txt", "`cv-corpus-14.0-delta-2023-06-23/pt/clips/common_voice_pt_9.mp3` = 5148\r\n"
                  "`cv-corpus-14.0-delta-2023-06-23/pt/clips/common_voice_pt_1.mp3` = 4608"),
    ("times.txt", "`a folder/with spaces/common_voice_pt_1.mp3` = 4608\n`a/common_voice_pt_2.mp3` = 0\n"),
    ("times.txt", "common_voice_pt_1.mp3\t4608\n"),
    ("clip_durations.tsv", "clip\tduration[ms]\ncommon_voice_pt_1.mp3\t4608.0\ncommon_voice_pt_2.mp3\tNaN\n"),
    ("Clip_Durations.TSV", "clip\tduration[ms]\ncommon_voice_pt_1.mp3\t4608\ncommon_voice_pt_2.mp3\t\n"),
])
def test_durations_are_read_in_every_form_that_was_released(tmp_path: Path, name: str, content: str) -> None:
    folder = table(tmp_path / "validated.tsv", clip(1), clip(2))
    write(folder / name, content)
    found = common_voice.utterances(params(), folder)
    assert [row.duration_s for row in found if isinstance(row, Utterance)] == [4.608, None]


@pytest.mark.parametrize("line", ["common_voice_pt_2.mp3\tlong", "common_voice_pt_2", "`a/common_voice_pt_2.mp3` = 4 s"])
def test_a_line_that_is_no_duration_is_reported(tmp_path: Path, line: str) -> None:
    write(table(tmp_path / "validated.tsv", clip(1)) / "clip_durations.tsv", f"clip\tduration[ms]\ncommon_voice_pt_1.mp3\t4608\n{line}\n")
    with pytest.raises(DataError, match="clip_durations.tsv: 1 problem\n  line 3: .*; expected a clip and its milliseconds"):
        common_voice.utterances(params(), tmp_path)


def test_a_header_with_a_column_twice_is_read_as_15_and_16_have_it(tmp_path: Path) -> None:
    header = HEADERS["13 to 16"].replace("accents", "accents accents")
    assert one(table(tmp_path / "validated.tsv", {"accents": "Carioca", "variant": "Portuguese (Brasil)"}, header=header)).locale == "pt-BR"


@pytest.mark.parametrize(("content", "message"), [
    ("client_id\tpath\n", "validated.tsv: no column sentence; found client_id, path"),
    (f"client_id\tpath\tsentence\n{ANA}\t../../secret.mp3\toi\n", "validated.tsv, line 2: path '../../secret.mp3'; expected one inside clips"),
    (f"client_id\tpath\tsentence\n{ANA}\ta.mp3\toi\n{ANA}\ta.mp3\toi\n", "a is twice in validated.tsv"),
    ("client_id\tpath\tsentence\n", "no rows"),
])
def test_an_invalid_table_is_reported(tmp_path: Path, content: str, message: str) -> None:
    write(tmp_path / "validated.tsv", content)
    with pytest.raises(DataError) as caught:
        common_voice.utterances(params(), tmp_path)
    assert message in str(caught.value)


def test_a_clip_in_two_official_sets_is_reported(tmp_path: Path) -> None:
    table(official(tmp_path) / "test.tsv", clip(1))
    with pytest.raises(DataError, match="common_voice_pt_1 is in two of train, dev, test"):
        memberships(tmp_path, "official")


def test_a_damaged_row_is_a_reject_and_the_rest_is_ingested(tmp_path: Path) -> None:
    folder = table(tmp_path / "validated.tsv", clip(1), clip(2))
    with open(folder / "validated.tsv", "a") as handle:
        handle.write(f"{ANA}\tcommon_voice_pt_3.mp3\n\n")
    found = common_voice.utterances(params(), folder)
    assert found[2:] == [Reject("validated.tsv-line-4", "validated.tsv", "malformed row", "line 4: 2 cells; expected 13")]


def test_a_release_is_ingested_and_a_clip_of_another_duration_is_rejected(tmp_path: Path) -> None:
    folder = official(tmp_path / "corpus")
    for number, duration_s in ((1, 1.0), (2, 2.0), (3, 1.0)):  # the fourth is missing
        sound(folder / f"clips/common_voice_pt_{number}.mp3", duration_s, 48_000)
    write(folder / "clip_durations.tsv", "clip\tduration[ms]\n" + "".join(f"common_voice_pt_{number}.mp3\t1050\n" for number in range(1, 6)))
    taken, rejects = take_in(tmp_path, reader="common_voice", source="corpus")
    assert dict(zip(taken["utterance_id"], taken["release_split"], strict=True)) == {"toy/common_voice_pt_1": "train", "toy/common_voice_pt_3": "dev"}
    assert taken["speaker"].tolist() == [f"toy/{ANA}", f"toy/{RUI}"]
    assert rejects[["utterance_id", "reason"]].to_numpy().tolist() == [
        ["toy/common_voice_pt_2", "wrong duration"], ["toy/common_voice_pt_4", "unreadable"]]
    assert rejects["detail"][0].endswith(" s; 1.05 s according to the release")


@pytest.mark.skipif(not SHARED.exists(), reason="needs the recorded speech")
@pytest.mark.parametrize(("language", "code", "clips", "speakers"), [("portuguese", "pt", 63, 11), ("spanish", "es", 55, 27)])
def test_the_real_clips_of_6_1_are_ingested(tmp_path: Path, language: str, code: str, clips: int, speakers: int) -> None:
    (tmp_path / "corpus").symlink_to(SHARED / "cv-corpus-6.1-2020-12-11")
    taken, rejects = take_in(tmp_path, reader="common_voice", source=f"corpus/{code}", language=language, sets="rebuilt")
    assert (len(taken), len(rejects), taken["speaker"].nunique()) == (clips, 0, speakers)
    listed = pd.read_csv(SHARED / "manifest.tsv", sep="\t", quoting=3, keep_default_na=False, dtype=str)
    listed = listed[(listed["subset"] == "cv61") & (listed["language"] == code)].set_index("id")
    taken = taken.set_index(taken["utterance_id"].str.removeprefix("toy/"))
    assert (taken["transcript"] == listed.loc[taken.index, "text"]).all()
    assert (taken["duration_s"] - listed.loc[taken.index, "duration_s"].astype(float)).abs().max() < 0.1
    assert set(taken["locale"]) == ({"pt"} if code == "pt" else {"es", "es-419"})
