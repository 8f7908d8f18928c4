"""`vizinho transcribe`: every form of output, and files that fail beside files that do not."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from pipeline.batching.waveforms import standardise
from pipeline.cli.main import app
from pipeline.cli.transcribe import audio_files, read_hot_words, results, transcribe_files
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_file, write_json
from pipeline.decoding.beam import DECODER, INSIDE_MODEL, LEXICON, NGRAM, SCHEMA, HotWord, Settings
from pipeline.decoding.forward import logits_of
from pipeline.decoding.greedy import decode
from pipeline.model.artifact import load_model, save_model
from tests import tiny
from tests.exports import write_champion


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("model") / "model"
    random = tiny.model(seed=3)
    with torch.no_grad():
        random.lm_head.weight.mul_(60)
    save_model(random, tiny.vocabulary(), folder, {})
    return folder


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    files = []
    for number, (text, rate_hz, form) in enumerate((("rosa era", 16_000, "wav"), ("osso", 48_000, "flac"), ("serra", 44_100, "ogg"))):
        files.append(tmp_path / f"{number}.{form}")
        soundfile.write(files[-1], np.repeat(tiny.spoken(text), 1 if rate_hz == 16_000 else 3), rate_hz)
    return files


def transcribed(files: list[Path], model: Path, **options: Any) -> list[dict[str, Any]]:
    return results(transcribe_files([str(file) for file in files], model, **options))


def invoke(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["transcribe", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_text_is_that_of_the_model_and_words_lie_within_the_clip(model: Path, sounds: list[Path]) -> None:
    found = transcribed(sounds, model)
    network, words, _ = load_model(model)
    assert found[0]["text"] == decode(logits_of(network, [standardise(tiny.spoken("rosa era"))])[0], words, 0.02).text != ""
    for result in found:
        assert " ".join(word["word"] for word in result["words"]) == result["text"]
        assert all(0 <= word["start_s"] < word["end_s"] <= result["duration_s"] for word in result["words"])
    assert found[1]["duration_s"] == pytest.approx(len(tiny.spoken("osso")) / 16_000, abs=1e-3)


def test_json_holds_what_the_contract_says(model: Path, sounds: list[Path]) -> None:
    code, out, _ = invoke("--model", model, "--format", "json", *sounds)
    found = json.loads(out)
    assert code == 0
    assert [set(result) for result in found] == [{"file", "text", "duration_s", "words"}] * 3
    assert set(found[0]["words"][0]) == {"word", "start_s", "end_s", "confidence"}


def test_files_that_fail_are_named_and_the_others_are_done(model: Path, sounds: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is no sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.int16), 16_000)
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan), 16_000, subtype="FLOAT")
    (tmp_path / "none").mkdir()
    files = [tmp_path / "gone.wav", sounds[0], tmp_path / "text.wav", tmp_path / "empty.wav", tmp_path / "nan.wav", tmp_path / "none"]
    code, out, err = invoke("--model", model, "--format", "json", *files)
    assert code == 1
    found = json.loads(out)
    assert [("error" in result) for result in found] == [True, False, True, True, True, True]
    assert [result["file"] for result in found] == [str(file) for file in files]
    for name, reason in (("gone.wav", "No such file or directory"), ("text.wav", "Format not recognised"), ("empty.wav", "no samples"),
                         ("nan.wav", "samples that are not numbers"), ("none", "a folder without audio files")):
        assert re.search(re.escape(f"error: {tmp_path / name}: {reason}"), err), (name, err)
    assert "Traceback" not in err


def test_a_clip_of_a_few_samples_ends_within_itself(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", tiny.spoken("a")[:90], 16_000)
    result = transcribed([tmp_path / "click.wav"], model)[0]
    assert all(word["end_s"] <= result["duration_s"] for word in result["words"])


def test_one_files_text_stands_alone_and_several_carry_their_names(model: Path, sounds: list[Path]) -> None:
    texts = {str(result["file"]): result["text"] for result in transcribed(sounds, model)}
    assert invoke("--model", model, sounds[0])[1] == texts[str(sounds[0])] + "\n"
    lines = invoke("--model", model, *sounds)[1].splitlines()
    assert dict(line.split("\t") for line in lines) == texts


def test_a_missing_model_is_one_message(sounds: list[Path], tmp_path: Path) -> None:
    from pipeline.core.errors import MissingInputError

    with pytest.raises(MissingInputError, match=r"no model \(model\.safetensors with vizinho\.json\)"):
        invoke("--model", tmp_path / "none", sounds[0])


def test_folders_and_patterns_name_their_audio_files_once_each(sounds: list[Path], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    upper = tmp_path / "deep/3.WAV"
    upper.write_bytes(sounds[0].read_bytes())
    (tmp_path / "notes.txt").write_text("no audio")
    assert audio_files([str(tmp_path)]) == [*map(str, sounds), str(upper)]
    assert audio_files([str(tmp_path / "*.flac"), str(sounds[1]), "-"]) == [str(sounds[1]), "-"]
    assert audio_files([str(tmp_path / "*.mp3")]) == [str(tmp_path / "*.mp3")], "reported as missing when it is read"


def test_recordings_in_folders_of_any_name_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "fala [1] 'ç'"
    folder.mkdir()
    for name in ("a.WAV", "b [2].Opus", "c.m4b", "._a.WAV", "d.txt"):
        (folder / name).write_bytes(b"")
    recordings = [str(folder / name) for name in ("a.WAV", "b [2].Opus", "c.m4b")]
    assert audio_files([str(folder)]) == recordings
    assert audio_files([str(folder / "*.WAV"), str(folder / "b [[]2].*")]) == recordings[:2]
    assert audio_files([str(tmp_path / "*" / "*.WAV"), str(tmp_path / "**" / "c.m4b")]) == [recordings[0], recordings[2]]
    assert audio_files([str(folder / "b [2].Opus")]) == [recordings[1]]
    (tmp_path / "link").symlink_to(folder)
    assert audio_files([str(tmp_path / "link")]) == [str(tmp_path / "link" / Path(name).name) for name in recordings]


def test_a_stream_prints_each_part_as_a_line_of_json(model: Path, tmp_path: Path) -> None:
    silence = np.zeros(16_000, np.int16)
    talk = [part for text in ("rosa era", "osso", "serra") for part in (tiny.spoken(text), silence)]
    soundfile.write(tmp_path / "talk.wav", np.concatenate(talk), 16_000)
    code, out, _ = invoke("--model", model, "--stream", tmp_path / "talk.wav")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(lines) > 2
    assert lines[-1] == {"file": str(tmp_path / "talk.wav"), "duration_s": pytest.approx(lines[-2]["end_s"], abs=1e-2), "end": True}
    starts, ends = [line["start_s"] for line in lines[:-1]], [line["end_s"] for line in lines[:-1]]
    assert starts == pytest.approx([0.0, *ends[:-1]], abs=2e-3), "no gap and no overlap"
    assert invoke("--model", model, "--stream", "--format", "srt", tmp_path / "talk.wav")[0] == 2


def test_unusual_audio_is_transcribed_with_a_warning(model: Path, tmp_path: Path) -> None:
    speech = tiny.spoken("rosa era").astype(np.float64) / 32_768
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    soundfile.write(tmp_path / "clipped.wav", np.clip(speech * 50, -1, 1), 16_000)
    soundfile.write(tmp_path / "integers.wav", speech * 32_768, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "opposite.wav", np.stack([speech, -speech], axis=1), 16_000)
    soundfile.write(tmp_path / "plain.wav", speech, 16_000)
    files = [tmp_path / f"{name}.wav" for name in ("silent", "clipped", "integers", "opposite", "plain")]
    code, out, err = invoke("--model", model, "--format", "json", *files)
    assert code == 0
    found = {Path(result["file"]).stem: result for result in json.loads(out)}
    assert found["integers"]["text"] == found["opposite"]["text"] == found["plain"]["text"] != ""
    assert {name: result.get("warnings") is not None for name, result in found.items()} == {
        "silent": True, "clipped": True, "integers": True, "opposite": False, "plain": False}
    assert f"warning: {tmp_path}/silent.wav: it is silent" in err
    assert "% of its samples are clipped" in err


def test_a_call_of_two_channels_is_transcribed_channel_by_channel(model: Path, tmp_path: Path) -> None:
    """Two speakers take turns, one per channel; two microphones in front of one speaker are no call."""
    first, second = (tiny.spoken(text).astype(np.float64) / 32_768 for text in ("rosa era", "serra"))
    quiet = [np.random.default_rng(1).normal(0, 1e-4, len(speech)) for speech in (first, second)]
    call = np.stack([np.concatenate([first, quiet[1]]), np.concatenate([quiet[0], second])], axis=1)
    soundfile.write(tmp_path / "call.wav", call, 16_000)
    soundfile.write(tmp_path / "talk.wav", np.stack([first, 0.4 * np.roll(first, 8)], axis=1), 16_000)
    for channel in (0, 1):
        soundfile.write(tmp_path / f"{channel + 1}.wav", call[:, channel], 16_000)
    call_, talk, *alone = transcribed([tmp_path / f"{name}.wav" for name in ("call", "talk", "1", "2")], model)
    for channel, result in zip("12", alone, strict=True):
        assert [word["word"] for word in call_["words"] if word["speaker"] == channel] == [word["word"] for word in result["words"]] != []
    assert not any("speaker" in word for word in talk["words"])
    text = invoke("--model", model, tmp_path / "call.wav")[1]
    assert {line.partition(":")[0] for line in text.splitlines()} == {"Speaker 1", "Speaker 2"}
    mixed = transcribed([tmp_path / "call.wav"], model, channels="mix")[0]
    assert not any("speaker" in word for word in mixed["words"])


# ---- Language model and hot words ------------------------------------------------------------------------------------


@pytest.fixture
def with_decoder(model: Path, tmp_path: Path) -> Path:
    """A copy of the model with an adopted decoder, whose n-gram knows one word."""
    folder = Path(shutil.copytree(model, tmp_path / "with_decoder"))
    inside = folder / INSIDE_MODEL
    inside.mkdir()
    (inside / NGRAM).write_text("\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-99\t<s>\t-0.3\n-0.6\t</s>\t0\n-0.9\trosa\t-0.3\n\n"
                                "\\2-grams:\n-0.1\t<s> rosa\n\n\\end\\\n", encoding="utf-8")
    (inside / LEXICON).write_text("rosa\t1\n", encoding="utf-8")
    write_json(inside / DECODER, {
        "schema": SCHEMA, "adopted": True, "vocabulary_hash": load_model(folder)[1].hash, "hot_words": [], "settings": asdict(Settings()),
        "files": {name: hash_file(inside / name) for name in (NGRAM, LEXICON)}})
    return folder


def test_the_decoder_in_a_models_folder_is_used_unless_it_is_switched_off(model: Path, with_decoder: Path, sounds: list[Path]) -> None:
    greedy = [result["text"] for result in transcribed(sounds, model)]
    code, out, _ = invoke("--model", with_decoder, "--no-lm", "--format", "json", *sounds)
    assert (code, [result["text"] for result in json.loads(out)]) == (0, greedy)
    code, out, _ = invoke("--model", with_decoder, "--format", "json", *sounds)
    assert code == 0
    assert [result["text"] for result in json.loads(out)] != greedy, "words that the n-gram lacks are expensive"
    (with_decoder / INSIDE_MODEL / LEXICON).write_text("osso\t1\n", encoding="utf-8")
    with pytest.raises(DataError, match="with which the decoder was tuned"):
        transcribed(sounds, with_decoder)


@pytest.mark.parametrize(("content", "message"), [
    ("osso\t0x\n", r"names.txt:1: 'osso\\t0x'; expected a phrase, optionally a tab and a weight of 0 or more"),
    ("# names\n\n\t3\n", r"names.txt:3: '\\t3'; expected a phrase"), ("osso\t-1", "names.txt:1"), ("osso\tinf", "names.txt:1"),
    ("żółw\n", "hot words: .* expected letters that the model writes"),
])
def test_a_wrong_line_of_hot_words_is_named(model: Path, sounds: list[Path], tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "names.txt").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        invoke("--model", model, "--hotwords", tmp_path / "names.txt", sounds[0])


def test_hot_words_are_read_with_their_weights(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\ufeff# names\nSão Tomé\t2.5\n\nAroeira\n", encoding="utf-8")
    assert read_hot_words(tmp_path / "names.txt") == [HotWord("são tomé", 2.5), HotWord("aroeira")]
    with pytest.raises(MissingInputError, match=r"none.txt: no such file"):
        read_hot_words(tmp_path / "none.txt")


@pytest.fixture(scope="module")
def with_exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_champion(tmp_path_factory.mktemp("exported") / "model")


def test_every_backend_transcribes_with_hot_words_and_word_times(with_exports: Path, sounds: list[Path], tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("serra\n", encoding="utf-8")
    for options in ([], ["--hotwords", tmp_path / "names.txt"]):
        found = {}
        for backend in ("torch", "onnx", "onnx-int8"):
            code, out, _ = invoke("--model", with_exports, "--backend", backend, "--format", "json", *options, *sounds)
            found[backend] = json.loads(out)
            assert code == 0
        assert [result["text"] for result in found["onnx"]] == [result["text"] for result in found["torch"]]
        for mine, theirs in zip(found["onnx"], found["torch"], strict=True):
            assert [(word["word"], word["start_s"], word["end_s"]) for word in mine["words"]] == [
                (word["word"], word["start_s"], word["end_s"]) for word in theirs["words"]]
        assert all(result["words"] for result in found["onnx-int8"])


def test_a_backend_that_does_not_exist_is_wrong_usage_and_a_missing_export_a_failure(model: Path, sounds: list[Path]) -> None:
    assert invoke("--model", model, "--backend", "tensorrt", sounds[0])[0] == 2
    with pytest.raises(MissingInputError, match=r"onnx/model\.onnx: no such export; expected .* use --backend torch") as caught:
        invoke("--model", model, "--backend", "onnx", sounds[0])
    assert caught.value.exit_code == 1
