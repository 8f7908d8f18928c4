"""Transcription of recordings of any length, many at a time, in bounded memory.

A recording is read as a stream, cut at its pauses (`pauses`), and its parts are decoded in rounds that may span several
recordings. Results come in the order of the recordings.
"""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.audio.samples import Waveform, to_int16
from pipeline.audio.streaming import MOST_CHANNELS, Blocks, open_blocks
from pipeline.batching.waveforms import prepare
from pipeline.core.errors import DataError, PipelineError
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.greedy import Decoded, Word
from pipeline.decoding.networks import Network
from pipeline.decoding.pauses import FRAME, PauseCutter

Decode = Callable[[npt.NDArray[np.float32]], Decoded]
"""Returns the hypothesis for the logits of one utterance, (T, V)."""

LONGEST_S: Final = 20.0
"""Longest part where a model's record does not have the length of its longest training utterance."""
ROUND_S: Final = 600.0
"""Audio decoded in one round: many batches, so that all threads stay busy."""
BATCH_S: Final = 60.0
"""Padded audio in a batch."""
PROBE_S: Final = 60.0
"""Audio from the start of a recording by which its channels are compared."""
SAME_SOURCE: Final = 0.3
"""Correlation of the channels' energies from which both carry the same voices."""
M_MMAP_THRESHOLD: Final = -3
"""Name of a setting in glibc's malloc.h."""
LARGE_BLOCK: Final = 4 << 20
"""Bytes from which a block of memory gets separate pages."""
FAINT: Final = 0.03
"""A part is amplified to full level only if its RMS is at least this share of the loudest part's."""


class Channels(StrEnum):
    """What to do with a recording of several channels."""

    AUTO = "auto"
    MIX = "mix"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Source:
    """A recording to transcribe: its name, and a file or an open binary stream."""

    name: str
    audio: Path | IO[bytes]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording with its transcript.

    Args:
        source: the recording.
        channel: 0 for a mixture of all channels, else the number of the channel.
        start_s: start in the recording.
        end_s: end in the recording.
        text: the transcript.
        words: with times in the recording.
    """

    source: Source
    channel: int
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...]


@dataclass(slots=True)
class Ended:
    """The end of a recording.

    Args:
        source: the recording.
        duration_s: how much of it was read.
        error: why it could not be read to its end; None if it was.
        warnings: what is unusual about its audio.
    """

    source: Source
    duration_s: float = 0.0
    error: PipelineError | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Piece:
    """A part of a recording before it is decoded.

    Args:
        source: the recording.
        channel: 0 for a mixture of all channels, else the number of the channel.
        start_s: start in the recording.
        end_s: end in the recording.
        waveform: as the network expects it, (S,).
    """

    source: Source
    channel: int
    start_s: float
    end_s: float
    waveform: Waveform


def longest_part_s(record: dict[str, object]) -> float:
    """Return the longest part that a model decodes at once: its longest training utterance, from its record."""
    figures = record.get("figures")
    train = figures.get("train") if isinstance(figures, dict) else None
    return float(train["longest_s"]) if isinstance(train, dict) and "longest_s" in train else LONGEST_S


def transcribe(network: Network, decode: Decode, sources: Iterable[Source], longest_s: float,
               channels: Channels = Channels.AUTO, live: bool = False,
               advance: Callable[[float], object] = lambda _: None) -> Iterator[Segment | Ended]:
    """Yield the segments of every recording and its end, in order.

    Args:
        network: what turns the parts into logits.
        decode: returns the hypothesis, with word times, for the logits of one part; several threads call it.
        sources: recordings.
        longest_s: longest part that is decoded at once.
        channels: for recordings of several channels: mixed, or each by itself; `AUTO` decides by the audio.
        live: whether to decode each part as soon as it is complete, instead of in full rounds.
        advance: is called with the seconds of audio done, for a progress bar.
    """
    for round_ in _ahead(pieces(sources, longest_s, channels, network.normalise, live), 0.0 if live else ROUND_S):
        waiting = [piece for piece in round_ if isinstance(piece, Piece)]
        durations_s = np.array([len(piece.waveform) / SAMPLE_RATE_HZ for piece in waiting])
        decoded: Iterator[Decoded] = iter(network.decode_all(decode, lambda index, waiting=waiting: waiting[index].waveform,  # type: ignore[misc]
                                                             durations_s, BATCH_S, advance) if waiting else ())
        for piece in round_:
            yield segment_of(piece, next(decoded)) if isinstance(piece, Piece) else piece
        if not live:
            _return_memory()


def _return_memory() -> None:
    """Return freed memory to the system, and let glibc return large blocks at once from now on.

    glibc keeps what lies between blocks in use, and takes ever larger blocks from there: over ten hours more than a gigabyte.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        library.malloc_trim(0)


def segment_of(piece: Piece, decoded: Decoded) -> Segment:
    """Return a part with its hypothesis; the words' times are those in the recording."""
    words = tuple(Word(word.word, round(piece.start_s + word.start_s, 3), round(min(piece.start_s + word.end_s, piece.end_s), 3), word.confidence)
                  for word in decoded.words)
    return Segment(piece.source, piece.channel, round(piece.start_s, 3), round(piece.end_s, 3), decoded.text, words)


def _ahead(parts: Iterator[Piece | Ended], round_s: float) -> Iterator[list[Piece | Ended]]:
    """Yield rounds of about `round_s` of audio, read by a thread while the last round is decoded."""
    ready: queue.Queue[list[Piece | Ended] | BaseException | None] = queue.Queue(maxsize=1)
    stop = threading.Event()

    def put(item: list[Piece | Ended] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.2)
            except queue.Full:
                continue

    def read() -> None:
        try:
            gathered: list[Piece | Ended] = []
            seconds = 0.0
            for piece in parts:
                gathered.append(piece)
                seconds += len(piece.waveform) / SAMPLE_RATE_HZ if isinstance(piece, Piece) else 0.0
                if seconds >= round_s:
                    put(gathered)
                    gathered, seconds = [], 0.0
                if stop.is_set():
                    return
            if gathered:
                put(gathered)
            put(None)
        except BaseException as error:
            put(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()


def pieces(sources: Iterable[Source], longest_s: float, channels: Channels, normalise: bool, live: bool,
           most_channels: int = MOST_CHANNELS) -> Generator[Piece | Ended, None, None]:
    """Yield the parts of every recording and its end, in order; each is read when it is asked for.

    Args:
        sources: recordings.
        longest_s: longest part.
        channels: for recordings of several channels.
        normalise: whether the network expects waveforms of zero mean and unit variance.
        live: whether a short recording is cut at its pauses too, so that its first part is complete sooner.
        most_channels: a recording of more channels ends in an error.
    """
    for source in sources:
        ended = Ended(source)
        try:
            if isinstance(source.audio, Path) and source.audio.is_dir():
                raise DataError(source.name, "a folder without audio files", "a file, or a folder that has some", "check the path")
            with open_blocks(source.audio, most_channels) as blocks:
                yield from _pieces_of(source, blocks, ended, longest_s, channels, normalise, live)
        except soundfile.LibsndfileError as error:
            ended.error = DataError(source.name, error.error_string.rstrip("."), "audio: wav, flac, mp3, ogg, opus, m4a, webm", "convert it")
        except OSError as error:
            ended.error = DataError(source.name, error.strerror or str(error), "an audio file")
        except PipelineError as error:
            ended.error = error
        yield ended


def _pieces_of(source: Source, blocks: Blocks, ended: Ended, longest_s: float, channels: Channels, normalise: bool,
               live: bool) -> Iterator[Piece]:
    """Yield the parts of a recording, ready for the network; update what `ended` reports."""
    first, taken_s = [], 0.0
    for block_SC in blocks.blocks:
        first.append(block_SC)
        taken_s += len(block_SC) / SAMPLE_RATE_HZ
        if blocks.channels == 1 or channels is not Channels.AUTO or taken_s >= PROBE_S:
            break
    weights = _lanes(np.concatenate(first) if first else np.zeros((0, blocks.channels), np.float32), channels)
    cutters = [PauseCutter(longest_s, whole_if_short=not live) for _ in weights]
    loudest = [0.0] * len(weights)
    peak, samples, clipped = 0.0, 0, 0

    def piece(lane: int, start_s: float, waveform_S: Waveform) -> Piece:
        rms = float(np.sqrt(np.square(waveform_S).mean()))
        loudest[lane] = max(loudest[lane], rms)
        if (highest := float(np.abs(waveform_S).max())) <= 1:
            ready = prepare(to_int16(waveform_S), normalise)
        else:  # float samples beyond full scale: nothing is clipped
            ready = prepare(waveform_S if normalise else waveform_S / highest, normalise)
        if normalise and rms < FAINT * loudest[lane]:
            ready *= np.float32(rms / (FAINT * loudest[lane]))  # background noise between utterances stays faint
        return Piece(source, lane + 1 if len(weights) > 1 else 0, start_s, start_s + len(waveform_S) / SAMPLE_RATE_HZ, ready)

    for block_SC in chain(first, blocks.blocks):
        if not np.isfinite(block_SC).all():
            raise DataError(source.name, f"samples that are not numbers after {samples / SAMPLE_RATE_HZ:.1f} s", "audio", "check the recording")
        peak, samples = max(peak, float(np.abs(block_SC).max(initial=0))), samples + len(block_SC)
        clipped += int((np.abs(block_SC) >= 0.9999).sum())
        ended.duration_s = samples / SAMPLE_RATE_HZ
        for lane, weight in enumerate(weights):
            for part in cutters[lane].push(block_SC @ weight):
                yield piece(lane, part.start_s, part.waveform)
    if not samples:
        raise DataError(source.name, "no samples", "audio", "check the recording")
    for lane, cutter in enumerate(cutters):
        for part in cutter.finish():
            yield piece(lane, part.start_s, part.waveform)
    ended.warnings += _warnings(peak, clipped / (samples * blocks.channels))


def _lanes(first_SC: Waveform, channels: Channels) -> list[Waveform]:
    """Return the weights of the channels in every mixture to transcribe, (C,) each.

    Channels whose energies rise and fall together carry the same voices: they are mixed, one of opposite polarity with its
    sign changed. Otherwise, as in a telephone call with one person a channel, each is transcribed by itself. A channel that is
    silent beside another is left out.
    """
    count = first_SC.shape[1]
    if count == 1:
        return [np.ones(1, np.float32)]
    signs = np.ones(count, np.float32)
    loudest = int(np.square(first_SC).mean(0).argmax()) if len(first_SC) else 0
    signs[(first_SC * first_SC[:, [loudest]]).sum(0) < 0] = -1
    mixture = [signs / count]
    if channels is Channels.MIX:
        return mixture
    each = list(np.eye(count, dtype=np.float32))
    if channels is Channels.EACH:
        return each
    energy_TC = np.square(first_SC[: len(first_SC) // FRAME * FRAME]).reshape(-1, FRAME, count).mean(1)
    if len(energy_TC) < 2:
        return mixture
    total = energy_TC.mean(0)
    audible = total > 1e-4 * total.max()
    if audible.sum() <= 1:
        return [each[loudest]]
    centred_TC = (db_TC := 10 * np.log10(energy_TC[:, audible] + 1e-9)) - db_TC.mean(0)
    spread = np.sqrt(np.square(centred_TC).sum(0)) + 1e-9
    correlation = (centred_TC / spread).T @ (centred_TC / spread)
    if correlation.min() >= SAME_SOURCE:
        return mixture
    return [weights for weights, kept in zip(each, audible, strict=True) if kept]


def _warnings(peak: float, clipped: float) -> list[str]:
    warnings = []
    if peak < 1e-4:
        warnings.append("it is silent")
    elif peak > 1:
        warnings.append(f"its samples reach {peak:.4g} times full scale; they were scaled, not clipped")
    elif clipped > 1e-3:
        warnings.append(f"{100 * clipped:.1f} % of its samples are clipped")
    return warnings
