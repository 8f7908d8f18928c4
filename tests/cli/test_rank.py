"""`vizinho rank --audio`: folders, files and manifests, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from pipeline.cli import rank
from pipeline.cli.main import app
from pipeline.cli.rank import Recording, Speech, in_turns, parse_audio, read_speech, recordings_of, without_silence
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import ROOT
from pipeline.decoding.hidden import frames_of
from pipeline.model.artifact import save_model
from tests import checkpoints, tiny

WORDS = {"pt": ("arrasa", "rosa era", "serra", "asa ora"), "es": ("arrasa", "rosa ora", "serras", "asa era"),
         "fr": ("eee ooo", "oeoeo", "eoo oe", "ooee")}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("encoder") / "model"
    save_model(tiny.model(seed=3), tiny.vocabulary(), folder, {})
    return folder


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Return a folder with a folder of recordings per language."""
    for code, words in WORDS.items():
        (tmp_path / code).mkdir()
        for number, text in enumerate(words):
            soundfile.write(tmp_path / code / f"{number}.wav", tiny.spoken(text, number), 16_000)
    return tmp_path


def invoke(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["rank", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def options(folder: Path, encoder: Path) -> list[str]:
    return ["--audio", *(f"{code}={folder / code}" for code in WORDS), "--encoder", str(encoder), "--units", "8", "--pieces", "30"]


def test_the_language_with_the_targets_sounds_is_nearer_and_the_result_fits_its_schema(speech: Path, encoder: Path) -> None:
    for number, text in enumerate(WORDS["es"], 4):
        soundfile.write(speech / "es" / f"{number}.wav", tiny.spoken(text, number), 16_000)
    code, printed, errors = invoke(*options(speech, encoder), "--json")
    assert (code, errors) == (0, "")
    found = json.loads(printed)
    schema = json.loads((ROOT / "docs/schemas/rank_audio.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(found)
    assert found["level"]["order"] == ["es", "fr"]
    assert found["encoder"]["layer"] == 1
    read = {row["language"]: row for row in found["speech"]}
    assert read["es"]["used_s"] <= read["fr"]["used_s"] < read["es"]["seconds"], "as much speech as the donor with the least has"
    assert "The intervals are too narrow: few speakers or recordings" in found["advice"]["sure"]
    assert invoke(*options(speech, encoder), "--json")[1] == printed, "same input, same output"


def test_broken_and_silent_files_are_named_and_the_others_compared(speech: Path, encoder: Path) -> None:
    (speech / "es/broken.wav").write_bytes(b"RIFF, but no more")
    soundfile.write(speech / "es/silent.wav", np.zeros(16_000, np.int16), 16_000)
    code, printed, errors = invoke(*options(speech, encoder), "--layer", 0)
    assert code == 1
    assert [line.split()[-5] for line in printed.splitlines() if line.startswith("es  ")] == ["4"], "recordings that were read"
    assert errors.count("error: ") == 2
    assert f"{speech / 'es/broken.wav'}: " in errors
    assert f"{speech / 'es/silent.wav'}: it is silent" in errors
    assert "layer 0 of 1" in printed
    assert "Advice: " in printed


@pytest.mark.parametrize(("arguments", "message"), [
    (["es=a", "it=b"], "found no Portuguese; expected pt=PATH once"),
    (["es=a", "it=b", "pt-BR=c", "pt-PT=d"], "found pt-BR and pt-PT; expected pt=PATH once"),
    (["pt=a"], "found no donor; expected at least two"),
    (["pt=a", "es=b"], "found es; expected at least two"),
    (["pt=a", "es", "=b", "it="], "found 'es'; expected LANG=PATH"),
])
def test_wrong_arguments_are_reported_together(arguments: list[str], message: str) -> None:
    with pytest.raises(ParamsError) as caught:
        parse_audio(arguments)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_paths_of_one_language_are_joined_and_the_target_comes_first() -> None:
    assert parse_audio(["es=a", "pt-PT=x=y", "it=b", "es=c"]) == ("pt-PT", {"pt-PT": ["x=y"], "es": ["a", "c"], "it": ["b"]})


@pytest.mark.parametrize(("arguments", "message"), [(["es=a"], "es=a: only with --audio"), (["--encoder", "x"], "only with --audio")])
def test_options_of_audio_need_audio(arguments: list[str], message: str) -> None:
    code, _, errors = invoke(*arguments)
    assert code == 2
    assert message in errors


@pytest.mark.parametrize("name", ["facebook/wav2vec2-large-xlsr-53", checkpoints.SPANISH[0]])
def test_an_encoder_may_be_a_published_checkpoint_with_or_without_a_head(name: str, tmp_path: Path) -> None:
    checkpoints.lay(tmp_path / "base", name)
    model = rank.load_encoder(tmp_path / "base")
    assert frames_of(model, 1, [np.ones(8_000, np.float32)])[0].shape[1] == model.config.hidden_size


def test_without_a_donor_the_error_says_how_to_get_one(speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank, "ROOT", tmp_path)
    arguments = [f"{code}={speech / code}" for code in WORDS]
    with pytest.raises(MissingInputError, match=r"data/donor: no such folder; .*dvc repro donor.*--encoder"):
        rank.rank_audio(arguments, None, None, 1.0, rank.Settings(8, 30, 1, 1), 10)


def test_a_language_without_readable_speech_is_reported(speech: Path, encoder: Path) -> None:
    for file in (speech / "fr").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"--audio fr: no recording with speech for fr \(.*0.wav: "):
        rank.rank_audio([f"{code}={speech / code}" for code in WORDS], encoder, None, 1.0, rank.Settings(8, 30, 1, 1), 10)


@pytest.mark.parametrize(("table", "code", "files"), [
    ("path\tlanguage\tclient_id\na.wav\tpt\tana\nb.wav\tpt_br\trui\nc.wav\tes\teva\n", "pt", [("a.wav", "ana"), ("b.wav", "rui")]),
    ("path\tlanguage\na.wav\tpt-BR\nb.wav\tpt-PT\n", "pt-PT", [("b.wav", "")]),
    ("path\tsentence\nd.mp3\tola\n", "es", [("clips/d.mp3", "")]),
])
def test_a_manifest_names_recordings_and_speakers_of_a_language(table: str, code: str, files: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/d.mp3").touch()
    (tmp_path / "m.tsv").write_text(table, encoding="utf-8")
    assert recordings_of(code, [str(tmp_path / "m.tsv")]) == [Recording(tmp_path / file, speaker) for file, speaker in files]


@pytest.mark.parametrize(("table", "message"), [("path\tlanguage\na.wav\tes\n", "no row for pt"), ("text\nola\n", "no column for path; found text")])
def test_a_manifest_without_recordings_of_the_language_is_reported(table: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text(table, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        recordings_of("pt", [str(tmp_path / "m.tsv")])


def test_speakers_take_turns() -> None:
    recordings = [Recording(Path(f"{speaker}{number}"), speaker) for speaker in "ab" for number in range(3)]
    order = [recording.speaker for recording in in_turns(recordings, 1)]
    assert [set(order[start : start + 2]) for start in (0, 2, 4)] == [{"a", "b"}] * 3


@pytest.mark.parametrize(("speakers", "unit", "groups"), [(("ana", "rui"), "speaker", 2), (("ana", ""), "recording", 2), (("", ""), "recording", 2)])
def test_the_unit_of_resampling_is_the_speaker_where_each_is_known(speakers: tuple[str, str], unit: str, groups: int, speech: Path) -> None:
    read = read_speech([Recording(speech / f"pt/{number}.wav", speaker) for number, speaker in enumerate(speakers)], 60, True, 1)
    assert (read.unit, len(set(read.groups))) == (unit, groups)


def test_reading_stops_at_the_limit_and_one_recording_is_drawn_by_its_parts(speech: Path) -> None:
    recordings = [Recording(speech / f"pt/{number}.wav", "") for number in range(4)]
    assert read_speech(recordings, 0.5, True, 1).recordings == 1
    assert read_speech(recordings[:1], 60, True, 1).unit == "part"


def test_as_much_speech_is_used_as_the_limit_has() -> None:
    read = Speech([np.ones(16_000, np.float32)] * 3, ["a", "b", "b"])
    assert [len(read.first(limit_s).waveforms) for limit_s in (0.5, 1.0, 2.9, 9.0)] == [1, 1, 2, 3]


def test_frames_of_silence_are_left_out() -> None:
    waveform = np.concatenate([np.full(3_200, 1e-4), np.sin(np.arange(3_200)), np.full(3_200, 1e-4)]).astype(np.float32)
    frames: Any = np.arange(30, dtype=np.float32)[:, None]
    assert without_silence(frames, waveform).ravel().tolist() == list(range(10, 20))
    assert len(without_silence(frames, np.zeros(10, np.float32))) == 30


def test_checkpoints_are_compared_on_a_transcribed_set(tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank, "PROBE_STEPS", 5)
    tiny.write_split(tmp_path, tiny.TEXTS, name="dev")
    split = tmp_path / "data/split/portuguese/dev.parquet"
    code, printed, errors = invoke("--checkpoint", f"es={encoder}", "--checkpoint", f"it={encoder}", "--transcribed", split, "--json")
    assert (code, errors) == (0, "")
    found = json.loads(printed)
    Draft202012Validator(json.loads((ROOT / "docs/schemas/rank_checkpoints.json").read_text(encoding="utf-8"))).validate(found)
    assert found["utterances"] == len(tiny.TEXTS)
    one, other = found["checkpoints"]
    assert {name: value for name, value in one.items() if name != "language"} == {name: value for name, value in other.items() if name != "language"}
    assert "re-labelled" in rank.render_checkpoints(found)


@pytest.mark.parametrize(("words", "code", "message"), [
    (["--checkpoint", "es=a", "--audio", "es=b"], 2, "two rankings"), (["--checkpoint", "es"], 2, "found 'es'; expected LANG=FOLDER"),
    (["--checkpoint", "es=a", "--transcribed", "absent.parquet"], 1, "absent.parquet: no such file"),
])
def test_what_is_wrong_with_a_comparison_of_checkpoints_is_reported(words: list[str], code: int, message: str) -> None:
    try:
        found, _, printed = invoke(*words)
    except (ParamsError, DataError) as error:
        found, printed = error.exit_code, str(error)
    assert found == code
    assert message in printed
