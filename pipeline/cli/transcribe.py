"""`vizinho transcribe`: audio files to text, JSON or subtitles."""

from __future__ import annotations

import glob
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.audio.codecs import recording_paths
from pipeline.cli.subtitles import cues, render_cues
from pipeline.core.errors import DataError, MissingInputError, PipelineError
from pipeline.core.files import ROOT
from pipeline.core.progress import bar

if TYPE_CHECKING:
    from pipeline.decoding.beam import HotWord
    from pipeline.decoding.recordings import Ended, Segment


def champion_folder() -> Path:
    """Return the folder of the model in use, after a check against its record."""
    from pipeline.registry.record import champion_folder as checked

    return checked(ROOT)


def decoder_folder(model: Path) -> Path:
    """Return the folder of a model's decoder: its own, or that of this run for a model that the run trained."""
    from pipeline.decoding.beam import DECODER, INSIDE_MODEL

    run = ROOT / "data/language_model/portuguese"
    trained_here = model.resolve().parent == (ROOT / "data/train").resolve()
    return run if trained_here and not (model / INSIDE_MODEL / DECODER).exists() else model / INSIDE_MODEL


def exports_folder(model: Path) -> Path:
    """Return the folder of a model's exports: its own, or that of this run for a model that the run trained."""
    from pipeline.decoding.onnx_network import INSIDE_MODEL

    trained_here = model.resolve().parent == (ROOT / "data/train").resolve()
    return ROOT / "data/export" / model.resolve().name if trained_here and not (model / INSIDE_MODEL).exists() else model / INSIDE_MODEL


def audio_files(arguments: Sequence[str]) -> list[str]:
    """Return the files that the arguments name, in order and once each: files, folders (searched in depth), patterns, `-`.

    An argument that names none stays in the list: reading it fails, beside the transcripts of the others.
    """
    found: list[str] = []
    for argument in arguments:
        matches: list[str] = []
        if Path(argument).is_dir():
            found_in = (Path(argument) / path for path in recording_paths(Path(argument)))
            matches = sorted(str(path) for path in found_in if path.is_file() or path.is_symlink())
        elif glob.has_magic(argument) and not Path(argument).exists():
            matches = sorted(path for path in matches_of(argument) if Path(path).is_file())
        found += matches or [argument]
    return list(dict.fromkeys(found))


def matches_of(pattern: str) -> list[str]:
    """Return the files that a pattern matches; brackets in the name of a folder that exists are literal: « dir [1]/*.wav »."""
    folder, rest = os.path.split(pattern)
    while folder and not os.path.isdir(folder):
        folder, last = os.path.split(folder)
        rest = os.path.join(last, rest)
    return glob.glob(os.path.join(glob.escape(folder), rest), recursive=True)


def read_hot_words(file: Path) -> list[HotWord]:
    """Return the phrases in a file: one per line, optionally followed by a tab and its weight; blank lines and lines with # are skipped.

    Raises:
        MissingInputError: the file is missing.
        DataError: a line has no phrase, or a weight that is not a number of 0 or more.
    """
    from pipeline.decoding.beam import HotWord

    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MissingInputError(str(file), "no such file", "a text file with one phrase per line") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(str(file), str(error), "a text file in UTF-8 with one phrase per line") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        phrase, _, weight = line.partition("\t")
        try:
            value = float(weight) if weight.strip() else None
        except ValueError:
            value = math.nan
        if not phrase.strip() or not (value is None or 0 <= value < math.inf):
            raise DataError(f"{file}:{number}", f"{line!r}", "a phrase, optionally a tab and a weight of 0 or more", "correct the line")
        found.append(HotWord(" ".join(phrase.lower().split()), value))
    return found


def transcribe_files(files: Sequence[str], model_folder: Path | None = None, channels: str = "auto",
                     live: bool = False, language_model: bool = True, hot_words: Sequence[HotWord] = (),
                     backend: str = "torch") -> Iterator[Segment | Ended]:
    """Yield segments and ends of the recordings as they are decoded, with a progress bar where a terminal is.

    Args:
        files: paths, or `-` for standard input.
        model_folder: the model; None for the champion.
        channels: `auto`, `mix` or `each`.
        live: whether to decode each part at once.
        language_model: whether the model's decoder is used, if it has one; otherwise greedy decoding.
        hot_words: phrases to favour.
        backend: what runs the network: `torch`, `onnx` or `onnx-int8`.
    """
    from pipeline.audio.quiet import quiet_libraries
    from pipeline.decoding.beam import BeamDecoder, Settings, load_decoder
    from pipeline.decoding.greedy import decode
    from pipeline.decoding.networks import Backend, load_network
    from pipeline.decoding.recordings import Channels, Source, longest_part_s, transcribe

    folder = model_folder or champion_folder()
    network, vocabulary, record = load_network(folder, Backend(backend), exports_folder(folder) if backend != Backend.TORCH else None)
    frame_s = network.frame_s
    if unknown := sorted({letter for hot in hot_words for letter in vocabulary.missing(hot.phrase)}):
        raise DataError("hot words", f"{', '.join(unknown)}", "letters that the model writes", "write the phrases as they are spoken, without signs")
    if language_model:
        search = load_decoder(decoder_folder(folder), vocabulary, frame_s, hot_words)
    else:
        search = BeamDecoder(vocabulary, frame_s, Settings(), hot_words=hot_words) if hot_words else None
    decoder = search or partial(decode, vocabulary=vocabulary, frame_s=frame_s, words=True)
    sources = [Source(file, sys.stdin.buffer if file == "-" else Path(file)) for file in files]
    with quiet_libraries():
        total_s = None if live or not sys.stderr.isatty() else total_duration_s(files)
        with bar(total_s, "s", "transcribe") as progress:
            yield from transcribe(network, decoder, sources, longest_part_s(record), Channels(channels), live, progress.update)


def total_duration_s(files: Sequence[str]) -> float | None:
    """Return the duration of all files by their headers; None if one has no header that can be read without decoding the file."""
    import soundfile

    try:
        return sum(float(soundfile.info(file).duration) for file in files)
    except (soundfile.LibsndfileError, OSError):
        return None


def results(items: Iterator[Segment | Ended]) -> list[dict[str, Any]]:
    """Return `{file, text, duration_s, words: [{word, start_s, end_s, confidence, speaker?}], warnings?}` or `{file, error}` for each file."""
    from pipeline.decoding.recordings import Segment

    finished, segments = [], []
    for item in items:
        if isinstance(item, Segment):
            segments.append(item)
            continue
        if item.error is not None:
            finished.append({"file": item.source.name, "error": message(item.source.name, item.error)})
        else:
            segments.sort(key=lambda segment: (segment.start_s, segment.channel))
            result: dict[str, Any] = {"file": item.source.name, "text": " ".join(segment.text for segment in segments if segment.text),
                                      "duration_s": round(item.duration_s, 3),
                                      "words": [word for segment in segments for word in words_of(segment)]}
            result["words"].sort(key=lambda word: word["start_s"])
            warnings = item.warnings + ([] if result["text"] or "it is silent" in item.warnings else ["no word was found in it"])
            finished.append(result | ({"warnings": warnings} if warnings else {}))
        segments = []
    return finished


def words_of(segment: Segment) -> list[dict[str, Any]]:
    """Return a segment's words as the JSON format has them; the speaker is the channel where channels are transcribed one by one."""
    speaker = {"speaker": str(segment.channel)} if segment.channel else {}
    return [{"word": word.word, "start_s": word.start_s, "end_s": word.end_s, "confidence": word.confidence, **speaker} for word in segment.words]


def message(name: str, error: PipelineError) -> str:
    """Return an error's message without the name of the file that it is listed beside."""
    return str(error).removeprefix(f"{name}: ")


def stream_entry(item: Segment | Ended) -> dict[str, Any]:
    """Return a segment, or the end of a recording, as a stream prints it in a line of JSON."""
    from pipeline.decoding.recordings import Segment

    name = item.source.name
    if isinstance(item, Segment):
        return {"file": name, "start_s": item.start_s, "end_s": item.end_s, "text": item.text, "words": words_of(item)}
    if item.error is not None:
        return {"file": name, "error": message(name, item.error)}
    return {"file": name, "duration_s": round(item.duration_s, 3), "end": True} | ({"warnings": item.warnings} if item.warnings else {})


def render(found: Sequence[dict[str, Any]], form: str) -> str:
    """Return the results as text (one file: its text; several: `file<TAB>text`), JSON, SubRip or WebVTT."""
    if form == "json":
        return json.dumps(list(found), ensure_ascii=False, indent=2) + "\n"
    good = [result for result in found if "error" not in result]
    if form == "txt":
        alone = len(found) == 1
        return "".join(_turns(result) + "\n" if alone else f"{result['file']}\t{result['text']}\n" for result in good)
    return render_cues([cue for result in good for cue in cues(result["words"])], form)


def _turns(result: dict[str, Any]) -> str:
    """Return a recording's text; with several speakers, a line for each turn."""
    if not any("speaker" in word for word in result["words"]):
        return str(result["text"])
    turns: list[tuple[str, list[str]]] = []
    for word in result["words"]:
        if not turns or turns[-1][0] != word["speaker"]:
            turns.append((word["speaker"], []))
        turns[-1][1].append(word["word"])
    return "\n".join(f"Speaker {speaker}: {' '.join(words)}" for speaker, words in turns)
