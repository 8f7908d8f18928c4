"""Leaks planted in audio and text, through ingest, normalise and split: all are found, each by its rule; speakers keep their split."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from pipeline import ingest, normalise, split
from pipeline.audio.codecs import read_audio
from pipeline.audio.resample import resample
from pipeline.audio.samples import FULL_SCALE, Waveform, to_int16
from pipeline.core.files import ROOT
from pipeline.leakage import rules

RECORDED = ROOT.parent / "shared" / "speech"
PLAIN = {"reader": "manifest", "language": "portuguese", "locale": "pt-BR", "licence": "CC0-1.0"}
SPEAK = {"reader": "speak", "language": "portuguese", "source": "pipeline/corpora/lexicon", "locales": {"pt-BR": 1.0},
         "speakers": 20, "utterances": 66, "seed": 5}
SPARE = 4  # the last clips of the material: in the corpus only where a plant uses them


class Clip(NamedTuple):
    """An utterance with its audio at 16 kHz."""

    speaker: str
    text: str
    waveform_S: Waveform


class Plant(NamedTuple):
    """A leak in train of an utterance of test: the form of its file, its text, the rule that finds it."""

    name: str
    text: str
    rule: str
    form: dict[str, Any] | None = None  # of soundfile; None: another recording
    gain: float = 1.0
    rate_hz: int = 16_000


PLANTS = (
    Plant("sentence.wav", "", "sentence"),
    Plant("sentence-nearly.wav", "", "near_duplicate"),
    Plant("same.flac", "lua cheia", "audio", {"subtype": "PCM_16"}),
    Plant("gain.wav", "vento norte", "fingerprint", {"subtype": "PCM_16"}, gain=0.3),
    Plant("louder.flac", "mar alto", "fingerprint", {"subtype": "PCM_16"}, gain=1.02),
    Plant("mp3.mp3", "sol nascente", "fingerprint", {"format": "MP3"}, rate_hz=44_100),
    Plant("mp3-narrow.mp3", "pedra bruta", "fingerprint", {"format": "MP3"}, rate_hz=22_050),
    Plant("vorbis.ogg", "rio fundo", "fingerprint", {"format": "OGG", "subtype": "VORBIS"}, rate_hz=16_000),
    Plant("opus.opus", "folha seca", "fingerprint", {"format": "OGG", "subtype": "OPUS"}, rate_hz=48_000),
    Plant("telephone.wav", "areia fina", "fingerprint", {"format": "WAV", "subtype": "ULAW"}, rate_hz=8_000),
    Plant("mp3-gain.mp3", "chuva mansa", "fingerprint", {"format": "MP3"}, gain=0.3, rate_hz=32_000),
)


@pytest.fixture(scope="module", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIZINHO_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module", params=[
    "spoken by eSpeak",
    pytest.param("recorded", marks=[pytest.mark.slow, pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded speech is missing")]),
])
def clips(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Real audio: 66 clips of eSpeak's voices, or 63 of Common Voice."""
    if request.param == "recorded":
        table = pd.read_csv(RECORDED / "manifest.tsv", sep="\t", quoting=3, keep_default_na=False)
        table = table[(table["subset"] == "cv61") & (table["language"] == "pt")]
        samples = (to_int16(resample(*read_audio(RECORDED / path, 30))) for path in table["path"])
        return [Clip(*row, samples_S / np.float32(FULL_SCALE)) for *row, samples_S in zip(table["speaker"], table["text"], samples, strict=True)]
    root = tmp_path_factory.mktemp("spoken")
    (root / "params.yaml").write_text(yaml.safe_dump({"ingest": {"spoken": SPEAK}}), encoding="utf-8")
    ingest.run("spoken", root=root)
    table = pd.concat(map(pd.read_parquet, sorted((root / "data/ingest/portuguese/spoken").glob("shard-*.parquet"))))
    sounds = [soundfile.read(io.BytesIO(found["bytes"]), dtype="float32")[0] for found in table["audio"]]
    return [Clip(speaker.rpartition("/")[2], text, waveform_S)
            for speaker, text, waveform_S in zip(table["speaker"], table["transcript"], sounds, strict=True)]


def write_corpus(folder: Path, rows: list[tuple[str, str, str, str]]) -> None:
    """Write the table of a plain manifest: path, text, speaker, official split."""
    lines = ["path\ttext\tspeaker\tsplit", *("\t".join(row) for row in rows)]
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_clips(folder: Path, clips: list[Clip]) -> None:
    """Write clips as a corpus: 00000.wav, 00001.wav, ..."""
    folder.mkdir(parents=True)
    for number, clip in enumerate(clips):
        soundfile.write(folder / f"{number:05d}.wav", clip.waveform_S, 16_000, subtype="PCM_16")
    write_corpus(folder, [(f"{number:05d}.wav", clip.text, clip.speaker, "") for number, clip in enumerate(clips)])


def run(root: Path, salt: str, *corpora: str) -> dict[str, Any]:
    """Run the three stages over the corpora; return the certificate."""
    params = {
        "ingest": {name: {**PLAIN, "source": name} for name in corpora},
        "normalise": {name: {"language": "portuguese", "locale": "pt-BR"} for name in corpora},
        "split": {"portuguese": {"salt": salt, "dev_share": 0.2, "test_share": 0.3}},
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for name in corpora:
        ingest.run(name, root=root)
        normalise.run(name, root / "data", root / "params.yaml")
    split.run("portuguese", root / "data", root / "params.yaml")
    certificate: dict[str, Any] = json.loads((root / "data/split/portuguese/certificate.json").read_text(encoding="utf-8"))
    return certificate


def where(root: Path) -> pd.DataFrame:
    """Return speaker and split of each utterance that is in one, by its id."""
    tables = {name: pd.read_parquet(root / f"data/split/portuguese/{name}.parquet") for name in split.SPLITS}
    return pd.concat([table.assign(split=name) for name, table in tables.items()]).set_index("utterance_id")[["speaker", "split"]]


def falls(salt: str, speaker: str) -> str:
    """Return the split of a speaker, as the shares in `run` have it."""
    at = split.position(salt, rules.identity(speaker))
    return "test" if at < 0.3 else "dev" if at < 0.5 else "train"


def salt_for(clips: list[Clip]) -> str:
    """Return a salt with a speaker in each split among the first half of the clips, and long sentences in test."""
    def fits(salt: str) -> bool:
        half = {clip.speaker for clip in clips[: len(clips) // 2]}
        return {falls(salt, f"base/{who}") for who in half} == set(split.SPLITS) and len(victims(clips, salt)) >= 3
    return next(salt for salt in map(str, count()) if fits(salt))


def victims(clips: list[Clip], salt: str) -> list[int]:
    """Return the clips of test, outside the spare ones, that have six words or more."""
    return [number for number, clip in enumerate(clips[:-SPARE])
            if falls(salt, f"base/{clip.speaker}") == "test" and len(set(clip.text.split())) >= 6]


def plant(folder: Path, clips: list[Clip], salt: str) -> dict[str, tuple[str, str]]:
    """Write a corpus of plants for a speaker of train; return for each the rule that must find it and which utterance it meets."""
    folder.mkdir()
    names = (f"speaker {number}" for number in count())
    speaker = next(name for name in names if falls(salt, f"planted/{name}") == "train")
    chosen, spare = victims(clips, salt), iter(clips[-SPARE:])
    rows, expected = [], {}
    for number, (name, text, rule, form, gain, rate_hz) in enumerate(PLANTS):
        met = chosen[number % len(chosen)]
        if form is None:
            waveform_S = np.tile(next(spare).waveform_S, 3)  # long enough for any sentence
            text = clips[met].text.upper().rstrip(".") + " !" if rule == "sentence" else clips[met].text + " Ora!"
        else:
            waveform_S = np.clip(resample(clips[met].waveform_S, 16_000, rate_hz) * np.float32(gain), -1, 1 - 2**-15)
        soundfile.write(folder / name, waveform_S, rate_hz, **(form or {}))
        rows.append((name, text, speaker, ""))
        expected[f"planted/{Path(name).stem}"] = rule, f"base/{met:05d}"
    for part, text in (("test", "barco de papel"), ("train", "cesto de frutas")):
        soundfile.write(folder / f"{part}.wav", next(spare).waveform_S, 16_000, subtype="PCM_16")
        rows.append((f"{part}.wav", text, "an official speaker", part))
    expected["planted/train"] = "speaker", "planted/test"
    write_corpus(folder, rows)
    return expected


def test_planted_leaks_in_real_audio_are_removed_from_train_each_by_its_rule(clips: list[Clip], tmp_path: Path) -> None:
    salt = salt_for(clips)
    write_clips(tmp_path / "base", clips[:-SPARE])
    run(tmp_path, salt, "base")
    before = where(tmp_path)
    expected = plant(tmp_path / "planted", clips, salt)
    certificate = run(tmp_path, salt, "base", "planted")
    removed = pd.read_parquet(tmp_path / "data/split/portuguese/removed.parquet").set_index("utterance_id")
    found = {name: (rule, meets) for name, rule, meets in zip(removed.index, removed["rule"], removed["meets"], strict=True) if name in expected}
    assert found == expected
    assert certificate["left_total"] == 0
    assert sum(certificate["removed"]["train"].values()) == (removed["split"] == "train").sum()
    assert where(tmp_path).drop("planted/test").equals(before)


def test_a_speaker_keeps_its_split_when_the_corpus_grows(clips: list[Clip], tmp_path: Path) -> None:
    salt = salt_for(clips)
    found = []
    for share in (2, 1):
        root = tmp_path / str(share)
        write_clips(root / "base", clips[: len(clips) // share])
        run(root, salt, "base")
        found.append(where(root))
    small, large = found
    both = small.index.intersection(large.index)
    assert 0.8 * len(small) < len(both) < len(large)
    assert small.loc[both].equals(large.loc[both])
    assert (large.groupby("speaker")["split"].nunique() == 1).all()
