"""Every reader: a recording is taken or rejected, whatever the case of names, its ending, its place and the bytes of its name."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline import corpora
from pipeline.audio.codecs import SUFFIXES, is_recording, recording_paths
from pipeline.corpora import Reject, Utterance, release
from tests.releases import sound, take_in, write

CORAA = "file_path,variety,text\n"


def build_common_voice(root: Path) -> None:
    write(root / "train.tsv", "client_id\tpath\tsentence\nana\tpt_1.mp3\tum\n")
    for name, number in (("dev", 2), ("test", 3), ("validated", 1), ("other", 4)):
        write(root / f"{name}.tsv", f"client_id\tpath\tsentence\nana\tpt_{number}.mp3\tum\n")
    for number in (1, 2, 3, 4):
        sound(root / f"clips/pt_{number}.mp3")


def build_mls(root: Path) -> None:
    for name, number in (("train", 1), ("dev", 2), ("test", 3)):
        write(root / name / "transcripts.txt", f"7_8_{number}\tum\n")
        write(root / name / "segments.txt", f"7_8_{number}\thttp://a.mp3\t0.0\t1.0\n")
        sound(root / name / f"audio/7/8/7_8_{number}.flac")


def build_coraa(root: Path) -> None:
    for name in ("train", "dev", "test"):
        write(root / f"metadata_{name}_final.csv", f"{CORAA}{name}/a/x.wav,pt_br,um\n")
        sound(root / name / "a/x.wav")


def build_voxforge(root: Path) -> None:
    for name in ("Ana-20130101-abc", "Rui-20130101-abc", "Eva-20130101-abc"):
        write(root / name / "etc/PROMPTS", f"{name}/mfc/pt-0001 UM\n")
        write(root / name / "etc/README", "User Name:ana\nGender: Feminino\n")
        sound(root / name / "wav/pt-0001.wav")


def build_fleurs(root: Path) -> None:
    for number, name in enumerate(("train", "dev", "test")):
        write(root / f"{name}.tsv", f"1\t{number}.wav\tUm.\tum\tu m\t16000\tMALE\n")
        sound(root / f"audio/{name}/{number}.wav")


def build_mtedx(root: Path) -> None:
    for name in ("train", "valid", "test"):
        write(root / f"data/{name}/txt/{name}.pt", "um\n")
        write(root / f"data/{name}/txt/{name}.yaml", f"- {{duration: 1.0, offset: 0.0, speaker_id: a, wav: {name}.wav}}\n")
        sound(root / f"data/{name}/wav/{name}.flac")


def build_folder(root: Path) -> None:
    for name in ("a", "b"):
        sound(root / f"M001/{name}.wav")
        write(root / f"M001/{name}.txt", "um")
    write(root / "F002/prompts.txt", "1=um\n")
    sound(root / "F002/F0021.wav")


BUILDERS: dict[str, Callable[[Path], None]] = {
    "common_voice": build_common_voice, "mls": build_mls, "coraa": build_coraa, "voxforge": build_voxforge, "fleurs": build_fleurs,
    "mtedx": build_mtedx, "folder": build_folder,
}


def listed(name: str, source: Path, **given: Any) -> list[Utterance | Reject]:
    reader = corpora.reader(name)
    params = reader.Params(**{"reader": name, "language": "portuguese", "source": "corpus", "licence": "CC0-1.0", **given})
    return [row for task in reader.shards(params, source) for row in task]  # type: ignore[attr-defined]


def taken(rows: list[Utterance | Reject]) -> list[Utterance]:
    """Return the utterances, all of which have their audio on disk."""
    found = [row for row in rows if isinstance(row, Utterance)]
    assert all(isinstance(row.audio, Path) and row.audio.is_file() and row.transcript for row in found), found
    return found


def rename_all(root: Path, change: Callable[[str], str], keep: Callable[[Path], bool] = lambda path: False) -> None:
    """Rename the files and folders below `root`, deepest first."""
    for path in sorted(root.rglob("*"), reverse=True):
        if not keep(path.relative_to(root)):
            path.rename(path.with_name(change(path.name)))


@pytest.fixture(params=BUILDERS)
def built(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    root = tmp_path / "corpus"
    BUILDERS[request.param](root)
    return request.param, root


def test_what_is_listed_is_taken_and_nothing_else_is_there(built: tuple[str, Path]) -> None:
    name, root = built
    rows = listed(name, root)
    assert len(taken(rows)) == len(rows) == 3


@pytest.mark.parametrize("change", [str.upper, str.title], ids=["upper", "title"])
def test_names_match_in_any_case(built: tuple[str, Path], change: Callable[[str], str]) -> None:
    name, root = built
    before = taken(listed(name, root))
    rename_all(root, change, lambda path: name == "voxforge" and len(path.parts) == 1)
    after = listed(name, root)
    assert [row.transcript for row in taken(after)] == [row.transcript for row in before]
    assert len(after) == 3


@pytest.mark.parametrize("ending", [".wav", ".FLAC", ".ogg", ".m4a", ".mp3"])
def test_a_recording_of_another_format_than_the_release_has_is_taken(built: tuple[str, Path], ending: str) -> None:
    name, root = built
    for path in [root / path for path in recording_paths(root)]:
        path.rename(path.with_suffix(ending))
    assert len(taken(listed(name, root))) == 3


@pytest.mark.parametrize("place", ["stray.wav", "clips/deep/stray.MP3", "train/stray.aiff", "data/train/wav/x/stray.WAV", ".hidden/stray.opus",
                                   "audio/none/stray.caf", "stray.wma"])
def test_a_recording_in_another_place_is_a_reject_with_its_path(built: tuple[str, Path], place: str) -> None:
    name, root = built
    write(root / place, "sound")
    rows = listed(name, root)
    if name == "folder":  # takes every recording; ingest rejects one without a text
        assert [row.source for row in rows if isinstance(row, Utterance) and not row.transcript] == [place]
    else:
        assert [(row.source, row.reason) for row in rows if isinstance(row, Reject)] == [(place, "unlisted")]
        assert len(taken(rows)) == 3


def test_a_recording_beside_the_release_is_a_reject(built: tuple[str, Path]) -> None:
    name, root = built
    (root.parent / "around").mkdir()
    root.rename(root.parent / "around/release")
    write(root.parent / "around/stray.wav", "sound")
    rows = listed(name, root.parent / "around")
    assert "stray.wav" in [row.source for row in rows if isinstance(row, Reject) or not row.transcript]
    assert len([row for row in rows if isinstance(row, Utterance) and row.transcript]) == 3


def test_a_set_without_its_table_is_rejected_not_passed_over(tmp_path: Path) -> None:
    for name, table in (("coraa", "metadata_dev_final.csv"), ("fleurs", "dev.tsv")):
        BUILDERS[name](tmp_path / name)
        (tmp_path / name / table).unlink()
        assert [row.reason for row in listed(name, tmp_path / name) if isinstance(row, Reject)] == ["unlisted"]


def test_clips_of_the_other_tables_of_common_voice_are_not_unlisted(tmp_path: Path) -> None:
    build_common_voice(tmp_path)
    assert not [row for row in listed("common_voice", tmp_path, sets="rebuilt") if isinstance(row, Reject)]
    (tmp_path / "other.tsv").unlink()
    assert [row.source for row in listed("common_voice", tmp_path) if isinstance(row, Reject)] == ["clips/pt_4.mp3"]


def test_a_submission_without_prompts_and_an_archive_beside_submissions_are_rejected(tmp_path: Path) -> None:
    build_voxforge(tmp_path)
    (tmp_path / "Ana-20130101-abc/etc/PROMPTS").unlink()
    write(tmp_path / "Ivo-20130101-abc.TGZ", "archive"), write(tmp_path / "Rui-20130101-abc.tgz", "archive, unpacked")
    sound(tmp_path / "Eva-20130101-abc/flac/pt-0001.flac")
    rejects = {row.source: row.reason for row in listed("voxforge", tmp_path) if isinstance(row, Reject)}
    assert rejects == {"Ana-20130101-abc/wav/pt-0001.wav": "unlisted", "Ivo-20130101-abc.TGZ": "not unpacked",
                       "Eva-20130101-abc/wav/pt-0001.wav": "same name"}


def test_prompts_of_windows_are_read_to_their_end(tmp_path: Path) -> None:
    write(tmp_path / "Ana-1-a/PROMPTS", "pt-0001\tolá\x85 tu\r\npt-0002 bom dia\r\n".encode("latin-1"))
    sound(tmp_path / "Ana-1-a/pt-0001.wav"), sound(tmp_path / "Ana-1-a/pt-0002.wav")
    assert [row.transcript for row in taken(listed("voxforge", tmp_path))] == ["olá\x85 tu", "bom dia"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    build_folder(tmp_path / "elsewhere")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/speakers").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "elsewhere")
    assert [row.source for row in taken(listed("folder", tmp_path / "corpus"))] == [
        "speakers/F002/F0021.wav", "speakers/M001/a.wav", "speakers/M001/b.wav"]


def test_accents_match_in_either_encoding_of_unicode(tmp_path: Path) -> None:
    write(tmp_path / "metadata_train_final.csv", f"{CORAA}train/ação.wav,pt_br,um\n")
    sound(tmp_path / unicodedata.normalize("NFD", "train/ação.wav"))
    assert len(taken(listed("coraa", tmp_path))) == len(listed("coraa", tmp_path)) == 1


def test_endings_that_params_declare_without_a_header_are_recordings(tmp_path: Path) -> None:
    write(tmp_path / "ana/1.dat", np.zeros(16_000, "<i2").tobytes())
    write(tmp_path / "ana/1.txt", "um")
    headerless = {"rate_hz": 16_000, "endings": (".dat",)}
    assert [row.source for row in taken(listed("folder", tmp_path, headerless=headerless))] == ["ana/1.dat"]


@pytest.mark.parametrize(("name", "expected"), [
    ("a.wav", True), ("A.WAV", True), ("a.b.Mp3", True), (".a.wav", True), ("._a.wav", False), ("wav", False), ("a.wav.txt", False), ("a", False),
    ("x/._y/a.flac", True), ("a.raw", True),
])
def test_a_recording_is_known_by_its_ending(name: str, expected: bool) -> None:
    assert is_recording(name) is expected
    assert all(is_recording(f"x{ending.upper()}") for ending in SUFFIXES)


# ---- Text that is not UTF-8 ---------------------------------------------------------------------------------------------


def latin_1(name: str) -> str:
    """Return a name that is Latin-1 on disk."""
    return os.fsdecode(name.encode("latin-1"))


@pytest.mark.parametrize("folder", ["com espaço", "[1]", "{a,b}", "o 'x' \"y\"", "a*b?", "#%20", "-n", latin_1("são"), "a\nb", "~"])
def test_folders_of_any_name_are_read(tmp_path: Path, folder: str) -> None:
    for name, build in BUILDERS.items():
        build(tmp_path / "built" / name)
    (tmp_path / "built").rename(tmp_path / folder)  # libsndfile writes to names in UTF-8 only
    for name in BUILDERS:
        assert len(taken(listed(name, tmp_path / folder / name))) == 3, name


def test_recordings_whose_names_are_not_utf_8_are_ingested_under_escapes(tmp_path: Path) -> None:
    source = tmp_path / "corpus"
    sound(source / "x.wav"), write(source / "x.txt", "um")
    (source / "x.wav").rename(source / latin_1("maçã.wav")), (source / "x.txt").rename(source / latin_1("maçã.TXT"))
    (source / "ana").mkdir()
    sound(source / "y.wav")
    (source / "y.wav").rename(source / "ana" / latin_1("ção.WAV"))
    rows, rejects = take_in(tmp_path, reader="folder", source="corpus", licence="CC0-1.0")
    assert rows[["utterance_id", "source", "transcript"]].to_numpy().tolist() == [["toy/ma\\xe7\\xe3", "ma\\xe7\\xe3.wav", "um"]]
    assert rejects[["source", "reason"]].to_numpy().tolist() == [["ana/\\xe7\\xe3o.WAV", "empty transcript"]]


def test_an_unlisted_recording_whose_name_is_not_utf_8_is_a_reject(built: tuple[str, Path]) -> None:
    name, root = built
    write(root / latin_1("maçã.wav"), "sound")
    assert "ma\\xe7\\xe3.wav" in [row.source for row in listed(name, root)]


@pytest.mark.parametrize(("text", "unicode", "escaped"), [
    ("olá", True, "olá"), ("a\udce7", False, "a\\xe7"), ("a\ud800b", False, "a\\ud800b"), ("a\udcc3\udca7", True, "aç"),
])
def test_what_is_not_unicode_is_escaped(text: str, unicode: bool, escaped: str) -> None:
    assert (release.is_unicode(text), release.shown(text)) == (unicode, escaped)


def test_rows_that_parquet_cannot_hold_are_rejects_or_escaped() -> None:
    row = Utterance(id="a\udce7", source="s\udce7.wav", audio=Path("s\udce7.wav"), transcript="um", locale="pt", licence="MIT", speaker="\ud800")
    stored = release.storable(row)
    assert isinstance(stored, Utterance)
    assert (stored.id, stored.source, stored.speaker, stored.audio) == ("a\\xe7", "s\\xe7.wav", "\\ud800", row.audio)
    bad = Utterance(id="a", source="s", audio=b"", transcript="u\ud800", locale="pt", licence="MIT")
    assert release.storable(bad) == Reject("a", "s", "not UTF-8", "transcript 'u\\\\ud800'")
    nowhere = Utterance(id="a", source="s", audio=Path("\ud800.wav"), transcript="um", locale="pt\ud800", licence="MIT")
    assert release.storable(nowhere) == Reject("a", "s", "not UTF-8", "its path")
    assert release.storable(Reject("a\udce7", "s", "r", "d\ud800")) == Reject("a\\xe7", "s", "r", "d\\ud800")


# ---- Durations that were not measured -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "0.0", "-1", "", " ", "nan", "NaN", "N/A", "None", "null", "-", "inf", "-0"])
def test_what_stands_for_a_missing_duration_is_none(text: str) -> None:
    assert release.measured(text) is None
    assert (release.measured("1.5"), release.measured(" 7 ")) == (1.5, 7.0)
    with pytest.raises(ValueError, match="could not convert"):
        release.measured("abc")


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "N/A", ""])
def test_a_duration_that_was_not_measured_is_not_checked(tmp_path: Path, value: str) -> None:
    for name, table, old in (("common_voice", "clip_durations.tsv", ""), ("fleurs", "train.tsv", "16000"), ("mls", "train/segments.txt", "\t1.0")):
        root = tmp_path / name
        BUILDERS[name](root)
        if name == "common_voice":
            write(root / table, f"clip\tduration[ms]\npt_1.mp3\t{value}\n")
        else:
            write(root / table, (root / table).read_text().replace(old, f"\t{value}" if old.startswith("\t") else value))
        rows = listed(name, root)
        assert len(taken(rows)) == 3
        assert [row.duration_s for row in taken(rows) if row.release_split == "train"] == [None], name


def test_the_list_holds_what_libsndfile_reads() -> None:
    known = {f".{name.lower()}" for name in soundfile.available_formats()} - {
        ".avr", ".htk", ".ircam", ".mat4", ".mat5", ".mpc2k", ".paf", ".pvf", ".sd2", ".sds", ".svx", ".voc", ".wavex", ".wve", ".xi"}
    assert known <= set(SUFFIXES)
