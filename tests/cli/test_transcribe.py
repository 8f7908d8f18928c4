"""`vizinho transcribe`: every form of output, and files that fail beside files that do not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from pipeline.batching.waveforms import standardise
from pipeline.cli.main import app
from pipeline.cli.transcribe import render, transcribe_files
from pipeline.decoding.greedy import decode, logits_of
from pipeline.model.artifact import load_model, save_model
from tests import tiny

WORDS = [{"word": f"palavra{number}", "start_s": number * 1.0, "end_s": number + 0.5, "confidence": 0.9} for number in range(12)]


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


def invoke(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["transcribe", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_text_is_that_of_the_model_and_words_are_within_the_file(model: Path, sounds: list[Path]) -> None:
    results = transcribe_files(sounds, model)
    network, words, _ = load_model(model)
    assert results[0]["text"] == decode(logits_of(network, [standardise(tiny.spoken("rosa era"))])[0], words, 0.02).text != ""
    for result in results:
        assert " ".join(word["word"] for word in result["words"]) == result["text"]
        assert all(0 <= word["start_s"] < word["end_s"] <= result["duration_s"] for word in result["words"])
    assert results[1]["duration_s"] == pytest.approx(len(tiny.spoken("osso")) / 16_000, abs=1e-3)


def test_json_has_the_documented_keys(model: Path, sounds: list[Path]) -> None:
    code, out, _ = invoke("--model", model, "--format", "json", *sounds)
    found = json.loads(out)
    assert code == 0
    assert [set(result) for result in found] == [{"file", "text", "duration_s", "words"}] * 3
    assert set(found[0]["words"][0]) == {"word", "start_s", "end_s", "confidence"}


def test_files_that_fail_are_reported_and_the_others_are_transcribed(model: Path, sounds: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is no sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.int16), 16_000)
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan), 16_000, subtype="FLOAT")
    files = [tmp_path / "gone.wav", sounds[0], tmp_path / "text.wav", tmp_path / "empty.wav", tmp_path / "nan.wav", tmp_path]
    code, out, err = invoke("--model", model, "--format", "json", *files)
    assert code == 1
    found = json.loads(out)
    assert [("error" in result) for result in found] == [True, False, True, True, True, True]
    assert [result["file"] for result in found] == [str(file) for file in files]
    for name, reason in (("gone.wav", "No such file or directory"), ("text.wav", "Format not recognised"), ("empty.wav", "no samples"),
                         ("nan.wav", "samples that are not numbers"), ("", "Is a directory")):
        assert re.search(re.escape(f"error: {tmp_path / name}: {reason}"), err), (name, err)
    assert "Traceback" not in err


def test_a_recording_that_is_too_long_is_refused(model: Path, sounds: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.cli import transcribe

    monkeypatch.setattr(transcribe, "LONGEST_S", 0.5)
    assert transcribe_files(sounds[:1], model)[0]["error"].startswith("longer than 0.5 s")


def test_word_times_are_within_a_file_of_a_few_samples(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", tiny.spoken("a")[:90], 16_000)
    result = transcribe_files([tmp_path / "click.wav"], model)[0]
    assert all(word["end_s"] <= result["duration_s"] for word in result["words"])


def test_the_text_of_one_file_has_no_name_and_those_of_several_have(model: Path, sounds: list[Path]) -> None:
    texts = {str(result["file"]): result["text"] for result in transcribe_files(sounds, model)}
    assert invoke("--model", model, sounds[0])[1] == texts[str(sounds[0])] + "\n"
    lines = invoke("--model", model, *sounds)[1].splitlines()
    assert dict(line.split("\t") for line in lines) == texts


def test_a_missing_model_is_one_message(sounds: list[Path], tmp_path: Path) -> None:
    from pipeline.core.errors import MissingInputError

    with pytest.raises(MissingInputError, match=r"no model \(model\.safetensors with vizinho\.json\)"):
        invoke("--model", tmp_path / "none", sounds[0])


def test_subtitles_are_of_readable_length_and_in_order() -> None:
    result = [{"file": "a", "text": "", "duration_s": 12.0, "words": WORDS}]
    srt, vtt = render(result, "srt"), render(result, "vtt")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:05,500\npalavra0 palavra1 palavra2 palavra3 palavra4 palavra5\n\n2\n00:00:06,000 --> ")
    assert vtt.startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:05.500\n")
    cues = re.findall(r"(\d\d:\d\d:\d\d),(\d+) --> ", srt)
    assert cues == sorted(cues)
    long = [word | {"word": "x" * 30, "start_s": 0.1 * number, "end_s": 0.1 * number + 0.05} for number, word in enumerate(WORDS)]
    assert max(map(len, render([{"file": "a", "words": long}], "srt").splitlines())) <= 84
    late = [{"file": "a", "words": [WORDS[0] | {"start_s": 3661.5, "end_s": 3662.0}]}]
    assert render(late, "srt").splitlines()[1] == "01:01:01,500 --> 01:01:02,000"
