"""`vizinho rank --audio` and `--checkpoint`: languages by recordings without transcripts, and checkpoints by a small transcribed set."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.cli.transcribe import audio_files, message
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import ROOT, read_json
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.progress import bar
from pipeline.similarity.acoustic import Array, Frames, Pieces, Settings, draws, similarity
from pipeline.similarity.advice import advice_lines, advise
from pipeline.similarity.levels import CONFIDENCE, concordance, describe_level, join_words, rounded
from pipeline.similarity.tables import read_languages

SCHEMA: Final = "vizinho.rank_audio/1"
CHECKPOINTS: Final = "vizinho.rank_checkpoints/1"
WHERE: Final = "vizinho rank"
TABLES: Final = (".tsv", ".csv", ".json", ".jsonl", ".ndjson", ".gz", ".scp")
LONGEST_S: Final = 20.0    # of a part of a recording
BATCH_S: Final = 60.0
FEW: Final = 5             # speakers below which the interval is called too narrow
QUIET: Final = 0.2         # frames below this share of the way, in dB, from the quietest to the loudest are no speech, as in `decoding.pauses`
LEVEL_S: Final = 0.02      # length over which a level is taken
PROBE_STEPS: Final = 300   # of the head on frozen frames
MOST_UTTERANCES: Final = 300


@dataclass(frozen=True, slots=True)
class Recording:
    """A file to read, and its speaker; "" if unknown."""

    file: Path
    speaker: str


@dataclass(slots=True)
class Speech:
    """What was read of a language.

    Args:
        waveforms: parts of recordings as the encoder expects them, (S,) each.
        groups: what a resample draws, for each part: its speaker, or its recording where no speaker is known.
        unit: the kind of group.
        recordings: files read.
        failed: files that were not, with the reason.
    """

    waveforms: list[npt.NDArray[np.float32]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    unit: str = "recording"
    recordings: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Return the length of the parts."""
        return sum(map(len, self.waveforms)) / SAMPLE_RATE_HZ

    def first(self, limit_s: float) -> Speech:
        """Return the parts up to a limit, the first one in any case."""
        ends = np.cumsum([len(waveform) for waveform in self.waveforms]) / SAMPLE_RATE_HZ
        kept = max(1, int((ends <= limit_s + 1e-6).sum()))
        return Speech(self.waveforms[:kept], self.groups[:kept], self.unit, self.recordings, self.failed)


def parse_audio(arguments: Sequence[str]) -> tuple[str, dict[str, list[str]]]:
    """Return the target's code, and the paths by language, in order.

    Raises:
        ParamsError: an argument is not LANG=PATH, Portuguese is missing or given twice, or there are fewer than two donors.
    """
    paths: dict[str, list[str]] = {}
    problems = []
    for argument in arguments:
        code, equals, path = argument.partition("=")
        if not (code and equals and path):
            problems.append(f"--audio: found {argument!r}; expected LANG=PATH, such as es=recordings/es")
        else:
            paths.setdefault(code, []).append(path)
    targets = [code for code in paths if code.partition("-")[0] == "pt"]
    donors = [code for code in paths if code not in targets]
    if len(targets) != 1:
        problems.append(f"--audio: found {join_words(targets) or 'no Portuguese'}; expected pt=PATH once: the donors are compared with it")
    if len(donors) < 2:
        problems.append(f"--audio: found {join_words(donors) or 'no donor'}; expected at least two donor languages beside Portuguese")
    if problems:
        raise ParamsError(WHERE, problems)
    return targets[0], {code: paths[code] for code in (targets[0], *donors)}


def recordings_of(code: str, paths: Sequence[str]) -> list[Recording]:
    """Return the recordings of a language: files, those in folders and below, and those that manifests name.

    A manifest is a table with a column of paths, relative to its folder or to `clips/` in it, and optionally of speakers; where it has a
    column `language` or `locale`, only the rows of this language are taken.

    Raises:
        DataError: a manifest cannot be read, or names nothing of this language.
    """
    found: list[Recording] = []
    for path in paths:
        if Path(path).name.lower().endswith(TABLES):
            found += _of_manifest(code, Path(path))
        else:
            found += [Recording(Path(file), "") for file in audio_files([path])]
    return found


def _of_manifest(code: str, table: Path) -> Iterator[Recording]:
    from pipeline.corpora.plain import ALIASES, read_rows
    from pipeline.corpora.release import MISSING

    problems: list[str] = []
    rows = [row for _, row in read_rows(table, problems) if isinstance(row, Mapping)]
    columns = {field: next((name for name in (field, *ALIASES.get(field, ())) if rows and name in rows[0]), None) for field in ("path", "speaker")}
    if rows and columns["path"] is None:
        problems.append(f"no column for path; found {', '.join(rows[0])}")
    if problems:
        raise DataError(str(table), "; ".join(problems[:5]), "a table with a column of paths", "correct it, or name a folder of recordings")
    spoken = [row for row in rows if all(_is_of(code, row[name]) for name in ("language", "locale") if row.get(name, "") not in ("", *MISSING))]
    if not spoken:
        raise DataError(str(table), f"no row for {code}", "recordings of this language", "check the columns `language` and `locale`")
    for row in spoken:
        path = row[str(columns["path"])]
        speaker = row.get(str(columns["speaker"]), "")
        clip = table.parent / "clips" / path
        yield Recording(clip if clip.exists() else table.parent / path, "" if speaker in MISSING else speaker)


def _is_of(code: str, label: str) -> bool:
    """Return whether a label such as pt_br or pt-BR names a language or its variety: pt, pt-BR → yes; pt-BR, pt-PT → no."""
    return f"{label.lower().replace('_', '-')}-".startswith(f"{code.lower()}-")


def in_turns(recordings: Sequence[Recording], seed: int) -> list[Recording]:
    """Return recordings in random order, the first of each speaker before the second of any."""
    mixed = [recordings[index] for index in np.random.default_rng(seed).permutation(len(recordings))]
    seen: dict[str, int] = {}
    turns = []
    for recording in mixed:
        turns.append(seen.get(recording.speaker, 0) if recording.speaker else 0)
        seen[recording.speaker] = turns[-1] + 1
    return [mixed[index] for index in np.argsort(turns, kind="stable")]


def read_speech(recordings: Sequence[Recording], limit_s: float, normalise: bool, seed: int) -> Speech:
    """Return the parts of recordings up to a limit of seconds. Those that cannot be read, or are silent, are listed with the reason.

    Args:
        recordings: of one language.
        limit_s: reading stops there.
        normalise: whether the encoder expects waveforms of zero mean and unit variance.
        seed: of the order in which they are read.
    """
    from pipeline.audio.quiet import quiet_libraries
    from pipeline.decoding.recordings import Channels, Piece, Source, pieces

    speech, seconds = Speech(), 0.0
    known = len(recordings) > 0 and all(recording.speaker for recording in recordings) and len({recording.speaker for recording in recordings}) > 1
    with quiet_libraries():
        for recording in in_turns(recordings, seed):
            if seconds >= limit_s:
                break
            parts = []
            for item in pieces([Source(str(recording.file), recording.file)], LONGEST_S, Channels.AUTO, normalise, live=True):
                if isinstance(item, Piece):
                    parts.append(item.waveform)
                    if seconds + sum(map(len, parts)) / SAMPLE_RATE_HZ < limit_s:
                        continue
                elif item.error is not None or "it is silent" in item.warnings:
                    reason = message(item.source.name, item.error) if item.error else "it is silent"
                    speech.failed.append({"file": item.source.name, "error": reason})
                    parts = []
                break
            if parts:
                speech.recordings += 1
                speech.waveforms += parts
                speech.groups += [recording.speaker if known else str(recording.file)] * len(parts)
                seconds += sum(map(len, parts)) / SAMPLE_RATE_HZ
    speech.unit = "speaker" if known else "recording"
    if len(set(speech.groups)) == 1:  # one long recording: its parts are drawn
        speech.unit, speech.groups = "part", [str(number) for number in range(len(speech.groups))]
    return speech


def load_encoder(folder: Path) -> Any:
    """Return the model in a folder: of this project, or a foreign checkpoint with or without a head.

    Raises:
        MissingInputError: there is none.
        DataError: it is damaged, or another kind of network.
    """
    from pipeline.model.artifact import RECORD, load_model
    from pipeline.model.checkpoint import read_checkpoint
    from pipeline.model.device import choose_device

    if not folder.is_dir():
        raise MissingInputError(str(folder), "no such folder", "an encoder: a model folder of this project or a wav2vec2 checkpoint",
                                "run `dvc repro donor` or `dvc pull`, or name one with --encoder")
    model: Any
    if (folder / RECORD).exists():
        model = load_model(folder)[0]
    else:
        with tempfile.TemporaryDirectory() as headless:  # the head is not used; a base without one gets any
            (Path(headless) / "vocab.json").write_text(json.dumps({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}), encoding="utf-8")
            model = read_checkpoint(folder, headless=Path(headless) / "vocab.json")[0]
    return model.to(choose_device())


def rank_checkpoints(arguments: Sequence[str], split: Path, seed: int) -> dict[str, Any]:
    """Return how well donor checkpoints do on a transcribed set of the target (`vizinho.rank_checkpoints/1`).

    Args:
        arguments: LANG=FOLDER.
        split: a Parquet file of a split, such as data/split/portuguese/dev.parquet; its audio is in data/ingest beside data/split.
        seed: of the probe.

    Raises:
        ParamsError: an argument is not LANG=FOLDER.
        DataError: a checkpoint or the set is missing, damaged or too small, or a checkpoint has no head.
    """
    import pandas as pd

    from pipeline.batching.waveforms import UtteranceAudio
    from pipeline.decoding.greedy import decode
    from pipeline.decoding.hidden import encode_all
    from pipeline.decoding.torch_network import TorchNetwork
    from pipeline.model.artifact import RECORD, load_model
    from pipeline.model.checkpoint import read_checkpoint
    from pipeline.tuning.checkpoints import character_errors, probed_cer, relabelled_cer

    pairs = [argument.partition("=") for argument in arguments]
    if wrong := [argument for argument, (code, _, folder) in zip(arguments, pairs, strict=True) if not (code and folder)]:
        raise ParamsError(WHERE, [f"--checkpoint: found {argument!r}; expected LANG=FOLDER" for argument in wrong])
    if not split.exists():
        raise MissingInputError(str(split), "no such file", "a transcribed set: a Parquet file of a split", "run `dvc repro split@portuguese`")
    table = pd.read_parquet(split).iloc[:MOST_UTTERANCES]
    references = table["text"].tolist()
    rows: list[dict[str, Any]] = []
    for code, _, folder in pairs:
        model, vocabulary, _ = (load_model if (Path(folder) / RECORD).exists() else read_checkpoint)(Path(folder))
        network = TorchNetwork(model)
        audio = UtteranceAudio(table, split.parents[2] / "ingest", normalise=network.normalise)
        waveforms = [audio.waveform(index) for index in range(len(table))]
        hypotheses = network.decode_all(lambda logits, words=vocabulary, frame_s=network.frame_s: decode(logits, words, frame_s).text,  # type: ignore[misc]
                                        lambda index, waveforms=waveforms: waveforms[index],  # type: ignore[misc]
                                        table["duration_s"].to_numpy(dtype=np.float64), BATCH_S)
        frames = encode_all(model, int(model.config.num_hidden_layers), waveforms, BATCH_S)
        rows.append({"language": code, "folder": folder, "cer": rounded(character_errors(hypotheses, references)),
                     "relabelled_cer": rounded(relabelled_cer(hypotheses, references)),
                     "probe_cer": rounded(probed_cer(frames, references, PROBE_STEPS, seed))})
    rows.sort(key=lambda row: row["probe_cer"])
    return {"schema": CHECKPOINTS, "set": str(split), "utterances": len(table), "speakers": int(table["speaker"].nunique()),
            "minutes": rounded(float(table["duration_s"].sum()) / 60), "probe_steps": PROBE_STEPS, "seed": seed, "checkpoints": rows}


def render_checkpoints(found: Mapping[str, Any]) -> str:
    """Return the checkpoints as a table, that with the lowest CER of the probe first."""
    rows = [["donor", "CER", "re-labelled", "probe", "folder"]]
    rows += [[row["language"], *(f"{row[name] * 100:.1f} %" for name in ("cer", "relabelled_cer", "probe_cer")), row["folder"]]
             for row in found["checkpoints"]]
    return "\n".join([
        f"Checkpoints on {found['utterances']} utterances of {found['speakers']} speakers ({found['minutes']:.1f} minutes) of {found['set']}",
        *_aligned(rows), "",
        "CER: its own symbols. Re-labelled: after the best assignment of its symbols to the letters of the set. Probe: a new head on its",
        f"frozen encoder, {found['probe_steps']} steps. The last two learn on one half of the set and are scored on the other.",
    ])


def without_silence(frames_TD: Frames, waveform_S: npt.NDArray[np.float32]) -> Frames:
    """Return the frames during which the waveform is not quiet: San et al. use a voice activity detector here."""
    size = round(LEVEL_S * SAMPLE_RATE_HZ)
    power_L = np.square(waveform_S[: len(waveform_S) // size * size]).reshape(-1, size).mean(axis=1)
    if len(power_L) < 2 or not len(frames_TD):
        return frames_TD
    level_L = 10 * np.log10(power_L + 1e-9)
    limit = level_L.min() + QUIET * (level_L.max() - level_L.min())
    at_T = np.minimum(np.arange(len(frames_TD)) * len(level_L) // len(frames_TD), len(level_L) - 1)
    return frames_TD[level_L[at_T] > limit]


def rank_audio(arguments: Sequence[str], encoder: Path | None, layer: int | None, minutes: float, settings: Settings,
               resamples: int) -> dict[str, Any]:
    """Return the ranking by recordings (`vizinho.rank_audio/1`).

    Every donor is compared by as much speech as the one with the least: less speech has rarer pieces, and so a lower similarity.

    Args:
        arguments: LANG=PATH, one of them Portuguese.
        encoder: folder of the model; None for data/donor.
        layer: 0 for the input of the first block; None for the default.
        minutes: of speech per language, at most.
        settings: of units and pieces.
        resamples: of the speakers.

    Raises:
        ParamsError: wrong arguments; lists all problems.
        DataError: a language has no readable speech, or too little; the encoder is missing or has no such layer.
    """
    from pipeline.decoding.hidden import choose_layer, encode_all
    from pipeline.model.artifact import expects_normalised_input

    target, paths = parse_audio(arguments)
    found = {code: recordings_of(code, given) for code, given in paths.items()}
    model = load_encoder(encoder or ROOT / "data/donor")
    layers = int(model.config.num_hidden_layers)
    chosen = choose_layer(model, layer)
    speech = {code: read_speech(recordings, 60 * minutes, expects_normalised_input(model), settings.seed) for code, recordings in found.items()}
    if unread := [code for code, read in speech.items() if not read.waveforms]:
        reasons = "; ".join(f"{entry['file']}: {entry['error']}" for code in unread for entry in speech[code].failed[:2])
        raise DataError(f"--audio {unread[0]}", f"no recording with speech for {join_words(unread)} ({reasons or 'no file'})",
                        "audio that can be read", "check the paths")
    least_s = min(read.seconds for code, read in speech.items() if code != target)
    used = {code: read if code == target else read.first(least_s) for code, read in speech.items()}
    pieces: list[Pieces] = []
    counts: dict[str, list[Array]] = {}
    with bar(sum(read.seconds for read in used.values()), "s", "rank") as progress:
        for code, read in used.items():  # the target first: units and pieces are learned from it
            encoded = encode_all(model, chosen, read.waveforms, BATCH_S)
            frames = [without_silence(frames_TD, waveform) for frames_TD, waveform in zip(encoded, read.waveforms, strict=True)]
            pieces = pieces or [Pieces.learn(frames, settings, restart) for restart in range(settings.restarts)]
            counts[code] = [learned.count(frames) for learned in pieces]
            progress.update(read.seconds)
    weights = {code: draws(read.groups, resamples, (settings.seed, number)) for number, (code, read) in enumerate(used.items())}
    donors = [code for code in paths if code != target]
    values_DR = np.array([similarity(counts[target], weights[target], counts[code], weights[code]) for code in donors])
    languages = read_languages()
    names = {code: languages[code].name if code in languages else code for code in paths} | {"pt": "Portuguese"}
    level = describe_level("acoustic", "cosine of the counts of acoustic pieces; 1: the same shares", True, values_DR, donors)
    few = [f"{names[code]} ({len(set(read.groups))})" for code, read in used.items() if len(set(read.groups)) < FEW or read.unit == "part"]
    advice = advise(level, level["order"], names, names[target], f"{least_s / 60:.1f} minutes of speech per language", recorded=True)
    if few:
        advice["sure"] += f" The intervals are too narrow: few speakers or recordings of {join_words(few)}."
    return {
        "schema": SCHEMA, "target": target, "confidence": CONFIDENCE, "resamples": resamples, "seed": settings.seed,
        "encoder": {"folder": str(encoder or "data/donor"), "layer": chosen, "layers": layers},
        "units": settings.units, "pieces": settings.pieces, "restarts": settings.restarts,
        "speech": [{"language": code, "name": names[code], "recordings": read.recordings, "failed": read.failed, "seconds": rounded(read.seconds),
                    "used_s": rounded(used[code].seconds), "unit": read.unit, "units_drawn": len(set(used[code].groups))}
                   for code, read in speech.items()],
        "level": level, "agreement": _agreement_with_text(level), "advice": advice,
    }


def _agreement_with_text(level: Mapping[str, Any]) -> str | None:
    """Return how far the order agrees with the stored ranking by text; None without one of two or more of the same languages."""
    stored = ROOT / "data/rank/ranking.json"
    if not stored.exists():
        return None
    scores = {row["language"]: row["score"]["value"] for row in read_json(stored)["candidates"]}
    common = [code for code in level["order"] if code in scores]
    if len(common) < 2:
        return None
    w = concordance(np.array([[level["values"][code]["value"] for code in common], [scores[code] for code in common]]))
    return (f"By words, sounds and letters the order of the {len(common)} languages is {', '.join(sorted(common, key=lambda code: -scores[code]))} "
            f"(Kendall's W with the order by speech: {w:.2f}; 0.5 by chance).")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def render_rank_audio(found: Mapping[str, Any]) -> str:
    """Return the ranking by recordings as a table, with what could not be read and the advice."""
    level, speech = found["level"], {row["language"]: row for row in found["speech"]}
    rows = [["donor", "", f"similarity [{found['confidence']:.0%}]", "recordings", "minutes used", "drawn", "failed"]]
    for code in (*level["order"], found["target"]):
        row, value = speech[code], level["values"].get(code)
        rows.append([code, row["name"], f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" if value else "(the target)",
                     str(row["recordings"]), f"{row['used_s'] / 60:.1f}", f"{row['units_drawn']} {row['unit']}s", str(len(row["failed"]))])
    encoder, lead, close = found["encoder"], level["lead"], level["not_distinguished"]
    return "\n".join([
        f"Similarity of speech to {found['target']}: layer {encoder['layer']} of {encoder['layers']} of {encoder['folder']},"
        f" {found['units']} units, {found['pieces']} pieces",
        *_aligned(rows), "",
        f"{level['language']} leads {level['runner_up']} by {lead['value']:+.3f} [{lead['low']:+.3f}, {lead['high']:+.3f}]."
        f" Not distinguished from it: {', '.join(close) or 'none'}.",
        *([found["agreement"]] if found["agreement"] else []), "",
        *advice_lines(found["advice"]),
    ])
