"""`vizinho transcribe`: sound files to text, JSON or subtitles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.core.errors import DataError, PipelineError
from pipeline.core.files import ROOT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LONGEST_S = 3600.0
BATCH_S = 60.0
CUE_S, CUE_LETTERS = 6.0, 84  # a subtitle of two lines of 42 letters, read in six seconds


def champion_folder() -> Path:
    """Return the folder of the model in use, according to champion.yaml."""
    return ROOT / str(yaml.safe_load((ROOT / "champion.yaml").read_text(encoding="utf-8"))["champion"]["path"])


def transcribe_files(files: Sequence[Path], model_folder: Path | None = None) -> list[dict[str, Any]]:
    """Return `{file, text, duration_s, words: [{word, start_s, end_s, confidence}]}` or `{file, error}` for each file."""
    import numpy as np

    from pipeline.batching.waveforms import prepare
    from pipeline.decoding.greedy import decode_all
    from pipeline.model.artifact import expects_normalised_input, load_model
    from pipeline.model.device import choose_device

    model, vocabulary, _ = load_model(model_folder or champion_folder())
    model.to(choose_device())  # type: ignore[arg-type]
    results: dict[Path, dict[str, Any]] = {}
    waveforms, durations_s, readable = [], [], []
    for file in dict.fromkeys(files):
        try:
            samples = read_samples(file)
        except PipelineError as error:
            results[file] = {"file": str(file), "error": str(error).removeprefix(f"{file}: ")}
            continue
        waveforms.append(prepare(samples, expects_normalised_input(model)))
        durations_s.append(len(samples) / 16_000)
        readable.append(file)
    if readable:
        decoded = decode_all(model, vocabulary, waveforms.__getitem__, np.array(durations_s), BATCH_S, words=True)
        for file, duration_s, item in zip(readable, durations_s, decoded, strict=True):
            end_s = round(duration_s, 3)  # the file may be shorter than a frame
            results[file] = {"file": str(file), "text": item.text, "duration_s": end_s, "words": [
                {"word": word.word, "start_s": word.start_s, "end_s": min(word.end_s, end_s), "confidence": word.confidence} for word in item.words]}
    return [results[file] for file in dict.fromkeys(files)]


def read_samples(file: Path) -> npt.NDArray[np.int16]:
    """Return a sound file's samples at 16 kHz.

    Raises:
        DataError: it cannot be read, has no samples, or is too long.
    """
    import numpy as np
    import soundfile

    from pipeline.audio.codecs import read_audio
    from pipeline.audio.resample import resample
    from pipeline.audio.samples import to_int16

    try:
        waveform_S, rate_hz = read_audio(file, LONGEST_S)
    except soundfile.LibsndfileError as error:
        raise DataError(str(file), error.error_string.rstrip("."), "wav, flac, mp3, ogg or opus", "convert it") from None
    except OSError as error:
        raise DataError(str(file), error.strerror or str(error), "a sound file") from None
    if not len(waveform_S) or not np.isfinite(waveform_S).all():
        raise DataError(str(file), "samples that are not numbers" if len(waveform_S) else "no samples", "sound", "check the recording")
    if len(waveform_S) > LONGEST_S * rate_hz:
        raise DataError(str(file), f"longer than {LONGEST_S:g} s", "at most that", "cut it")
    return to_int16(resample(waveform_S, rate_hz))


def render(results: Sequence[dict[str, Any]], form: str) -> str:
    """Return the results as text (one file: its text; several: `file<TAB>text`), JSON, SubRip or WebVTT."""
    if form == "json":
        return json.dumps(list(results), ensure_ascii=False, indent=2) + "\n"
    good = [result for result in results if "error" not in result]
    if form == "txt":
        alone = len(results) == 1
        return "".join(result["text"] + "\n" if alone else f"{result['file']}\t{result['text']}\n" for result in good)
    cues = [cue for result in good for cue in _cues(result["words"])]
    comma = form == "srt"
    blocks = [f"{number}\n{_clock(start_s, comma)} --> {_clock(end_s, comma)}\n{text}\n" for number, (start_s, end_s, text) in enumerate(cues, 1)]
    return ("" if comma else "WEBVTT\n\n") + "\n".join(blocks)


def _cues(words: Sequence[dict[str, Any]]) -> list[tuple[float, float, str]]:
    groups: list[list[dict[str, Any]]] = []
    for word in words:
        letters = sum(len(other["word"]) + 1 for other in groups[-1]) + len(word["word"]) if groups else 0
        if not groups or letters > CUE_LETTERS or word["end_s"] - groups[-1][0]["start_s"] > CUE_S:
            groups.append([])
        groups[-1].append(word)
    return [(group[0]["start_s"], group[-1]["end_s"], " ".join(word["word"] for word in group)) for group in groups]


def _clock(seconds: float, comma: bool) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, rest = divmod(rest, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{',' if comma else '.'}{rest:03}"
