"""The study's speech: the same synthetic speakers read each donor language's sentences; more Portuguese for the trials.

Reads:  `ingest.speak-es` of the default's params (ranges of voices, rooms and noises), studies/donors/lexicon/;
        for Portuguese `ingest.speak-pt`, data/ingest/portuguese and data/split/portuguese
Writes: studies/donors/data/speech/LANGUAGE/: speech/shard-NNNNN.parquet, train.parquet and dev.parquet
Params: speech
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.audio.codecs import encode_flac
from pipeline.audio.resample import resample
from pipeline.audio.samples import to_int16
from pipeline.core.errors import DataError, PipelineError
from pipeline.core.files import atomic_folder, hash_bytes, read_table
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.params import load_section
from pipeline.core.processors import usable_processors
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code
from pipeline.corpora import sentences as portuguese
from pipeline.corpora import speak
from pipeline.espeak.launcher import RATE_HZ, Espeak
from pipeline.leakage.rules import words_of
from pipeline.leakage.search import similar_sets
from pipeline.text import normalise, variants
from studies.donors.sentences import LANGUAGES, language, transcript
from studies.donors.settings import SPEECH, Speech, section

SHARD: Final = 200  # sentences; a fresh eSpeak process reads each, so that its bytes depend on nothing else
SIMILARITY: Final = 0.8
"""Of an added Portuguese sentence's words to those of a sentence of dev or test, at which it is left out; as in the default's split."""
PORTUGUESE: Final = "portuguese"


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence that a speaker reads."""

    index: int
    spoken: str  # what eSpeak NG reads
    text: str    # the reference
    speaker: speak.Speaker


class Voice(Espeak):
    """An eSpeak process that reads everything in one voice, with the variant, rate and pitch of each speaker."""

    def __init__(self, voice: str, seed: int) -> None:
        """Start the child; `voice` is eSpeak's name of the language."""
        super().__init__(seed)
        self._voice = voice

    def synthesise(self, text: str, voice: str, variant: str, **settings: Any) -> bytearray:
        """Return the text in this process's voice instead of `voice`."""
        return super().synthesise(text, self._voice, variant, **settings)


def donor_lines(code: str, params: Speech) -> list[Line]:
    """Return the sentences of a donor language with their speakers; speakers are the same in every language."""
    readers = speak.speakers(voices("speak-es", params))
    found = ((index, language(code).sentence(params.seed, index)) for index in range(params.sentences))
    return [Line(index, written, transcript(written), readers[index % params.speakers]) for index, written in found]


def voices(corpus: str, params: Speech) -> speak.Params:
    """Return the default's params of synthetic speakers, with the study's number of speakers and its seed, in one locale."""
    default = load_section(speak.Params, "ingest", corpus)
    return default.model_copy(update={"locales": {"es": 1.0}, "speakers": params.speakers, "seed": params.seed})


def read_lines(lines: Sequence[Line], voice: str | None, seed: int, shortest_s: float, longest_s: float) -> list[dict[str, Any]]:
    """Return the rows of a shard; sentences that are too short or too long are left out, as in the default.

    Args:
        lines: to read, in order.
        voice: of eSpeak NG; None for that of each speaker's locale.
        seed: of eSpeak's random numbers and of the recordings.
        shortest_s: duration.
        longest_s: duration.
    """
    rows = []
    with (Voice(voice, seed * 1_000_003 + lines[0].index) if voice else Espeak(seed * 1_000_003 + lines[0].index)) as espeak:
        for line in lines:
            draw = np.random.default_rng([seed, line.index, 1])
            spoken_S = speak.synthesise(espeak, line.spoken, line.speaker, pace=float(draw.uniform(0.94, 1.06)))
            if not len(spoken_S):
                continue
            recorded_S = speak.record(spoken_S, line.speaker, draw)
            if not shortest_s <= len(recorded_S) / RATE_HZ <= longest_s:
                continue
            samples_S = to_int16(resample(recorded_S, RATE_HZ))
            rows.append({"number": line.index, "speaker": line.speaker.id, "text": line.text, "duration_s": len(samples_S) / SAMPLE_RATE_HZ,
                         "audio_hash": hash_bytes(samples_S.astype("<i2", copy=False).data), "audio": {"bytes": encode_flac(samples_S), "path": ""}})
    return rows


def write_speech(folder: Path, language_name: str, lines: Sequence[Line], read: Callable[[Sequence[Line]], list[dict[str, Any]]]) -> pd.DataFrame:
    """Write the shards of some sentences and return their manifest, with the columns of a split that training needs.

    Args:
        folder: for `speech/`.
        language_name: the manifest's `language`.
        lines: to read.
        read: returns the rows of some of them; runs in processes.
    """
    (folder / "speech").mkdir(parents=True)
    parts = []
    with ProcessPoolExecutor(usable_processors(), get_context("spawn")) as pool:
        for shard, rows in enumerate(pool.map(partial(_rows_or_problem, read), list(_chunks(lines)))):
            if isinstance(rows, tuple):
                raise DataError(*rows)
            name = f"shard-{shard:05d}.parquet"
            pq.write_table(pa.Table.from_pylist([{"audio": row["audio"]} for row in rows]), folder / "speech" / name, row_group_size=16,
                           compression="none")
            parts.append(pd.DataFrame([{key: value for key, value in row.items() if key != "audio"} for row in rows])
                         .assign(shard=name, row=range(len(rows))))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(language=language_name, corpus="speech", normaliser="study/1",
                        utterance_id=[f"{language_name}/{number:06d}" for number in table["number"]],
                        speaker=[f"study/{speaker}" for speaker in table["speaker"]])


def _rows_or_problem(read: Callable[[Sequence[Line]], list[dict[str, Any]]],
                     lines: Sequence[Line]) -> list[dict[str, Any]] | tuple[str, str, str, str]:
    """Return the rows, or the problem as text: an error of the pipeline does not pass between processes."""
    try:
        return read(lines)
    except PipelineError as error:
        return error.where, error.found, error.expected, error.action


def _chunks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    for start in range(0, len(lines), SHARD):
        yield lines[start : start + SHARD]


def donor_split(table: pd.DataFrame, params: Speech) -> dict[str, pd.DataFrame]:
    """Return train and dev, cut to their hours: speakers are disjoint, no sentence occurs twice.

    Raises:
        DataError: too few sentences for the hours.
    """
    table = table.drop_duplicates("text", ignore_index=True)
    is_dev = table["number"] % params.speakers >= params.speakers - params.dev_speakers
    parts = {}
    for name, rows, hours in (("train", table[~is_dev], params.train_hours), ("dev", table[is_dev], params.dev_hours)):
        total_s = rows["duration_s"].cumsum()
        if total_s.iloc[-1] < hours * 3600:
            raise DataError(f"speech@{table['language'].iloc[0]}", f"{total_s.iloc[-1] / 3600:.3f} hours of {name}", f"{hours:g}",
                            "raise speech.sentences in studies/donors/params.yaml")
        parts[name] = rows[total_s <= hours * 3600].reset_index(drop=True)
    return parts


def portuguese_lines(params: Speech, split: Path = Path("data/split/portuguese")) -> tuple[list[Line], speak.Params]:
    """Return more sentences of the default's Portuguese training speakers: those that follow its corpus in the list of its seed.

    Sentences that are near-duplicates of one in dev or test are left out.
    """
    default = load_section(speak.Params, "ingest", "speak-pt")
    readers = speak.speakers(default)
    trained = {name.rpartition("/")[2] for name in read_table(split / "train.parquet", ["speaker"])["speaker"]}
    lines = []
    for index in range(default.utterances, default.utterances + params.portuguese_sentences):
        speaker = readers[index % default.speakers]
        if speaker.id in trained:
            text = normalise(portuguese.sentence(speaker.locale, default.seed, index), speaker.locale)
            lines.append(Line(index, text, text, speaker))
    held_out = pd.concat([read_table(split / f"{name}.parquet", ["variants"]) for name in ("dev", "test")])["variants"]
    met = similar_sets([words_of(variants(line.text, line.speaker.locale), PORTUGUESE) for line in lines],
                       [words_of(text, PORTUGUESE) for text in held_out], SIMILARITY)
    return [line for line, partner in zip(lines, met, strict=True) if partner < 0], default


def run(code: str) -> None:
    """Write the speech of a donor language, or the additional Portuguese.

    Args:
        code: a donor language, or `portuguese`.
    """
    params = section(Speech, "speech")
    with atomic_folder(SPEECH / code) as folder:
        if code == PORTUGUESE:
            lines, default = portuguese_lines(params)
            read = partial(read_lines, voice=None, seed=default.seed, shortest_s=default.min_duration_s, longest_s=default.max_duration_s)
            table = write_speech(folder, code, lines, read)
            known = read_table("data/split/portuguese/train.parquet", ["text"])["text"]
            parts = {"train": table[~table["text"].isin(known)].drop_duplicates("text", ignore_index=True)}
        else:
            default = voices("speak-es", params)
            read = partial(read_lines, voice=LANGUAGES[code][1], seed=params.seed, shortest_s=default.min_duration_s,
                           longest_s=default.max_duration_s)
            parts = donor_split(write_speech(folder, code, donor_lines(code, params), read), params)
        for name, rows in parts.items():
            rows.to_parquet(folder / f"{name}.parquet", index=False)
        for shard in {path.name for path in (folder / "speech").iterdir()} - {name for rows in parts.values() for name in rows["shard"]}:
            (folder / "speech" / shard).unlink()
    shown = ", ".join(f"{name} {len(rows)} utterances, {rows['duration_s'].sum() / 3600:.3f} hours, {rows['speaker'].nunique()} speakers"
                      for name, rows in parts.items())
    log(f"speech@{code}: {shown}")


if __name__ == "__main__":
    with exit_with_code():
        run(*sys.argv[1:])
