"""The fingerprint: near for copies through a codec, far for other recordings."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.codecs import read_audio
from pipeline.audio.fingerprint import fingerprint
from pipeline.audio.resample import resample
from pipeline.audio.samples import Waveform, to_int16
from pipeline.core.files import ROOT
from pipeline.core.manifest import SAMPLE_RATE_HZ
from tests.audio.signals import babble

CLIPS = ROOT.parent / "shared" / "speech" / "cv-corpus-6.1-2020-12-11" / "pt" / "clips"


def bits(waveform_S: Waveform) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(fingerprint(to_int16(waveform_S))), np.uint8))


def through(waveform_S: Waveform, rate_hz: int, **form: str) -> Waveform:
    """Return 16 kHz audio after coding at another rate."""
    encoded = io.BytesIO()
    soundfile.write(encoded, resample(waveform_S, SAMPLE_RATE_HZ, rate_hz), rate_hz, **form)
    encoded.seek(0)
    return resample(soundfile.read(encoded, dtype="float32")[0], rate_hz)


@pytest.mark.parametrize("samples", [1, 100, 5_000, 160_000])
def test_a_fingerprint_has_256_bits_whatever_the_length(samples: int) -> None:
    assert len(fingerprint(np.full(samples, 7, np.int16))) == 64


@pytest.mark.parametrize(("change", "limit"), [
    (lambda waveform_S: waveform_S / 8, 12),
    (lambda waveform_S: np.concatenate([np.zeros(4_000, np.float32), waveform_S, np.zeros(2_000, np.float32)]), 40),
    (lambda waveform_S: through(waveform_S, 48_000, format="WAV", subtype="PCM_16"), 8),
    (lambda waveform_S: through(waveform_S, 8_000, format="WAV", subtype="ULAW"), 30),
    (lambda waveform_S: through(waveform_S, 44_100, format="MP3"), 40),
    (lambda waveform_S: through(waveform_S, 48_000, format="OGG", subtype="OPUS"), 48),
], ids=["gain", "silence at the ends", "48 kHz", "telephone", "mp3", "opus"])
def test_a_fingerprint_survives(change, limit) -> None:  # type: ignore[no-untyped-def]
    for seed in range(5):
        speech_S = babble(seed)
        assert int((bits(change(speech_S)) != bits(speech_S)).sum()) <= limit


def test_fingerprints_of_other_recordings_differ_in_about_half_of_the_bits() -> None:
    prints = [bits(babble(seed)) for seed in range(30)]
    distances = [int((one != other).sum()) for number, one in enumerate(prints) for other in prints[:number]]
    assert min(distances) > 80
    assert 118 < np.median(distances) < 138


@pytest.mark.skipif(not CLIPS.exists(), reason="needs the recorded speech")
def test_real_clips_are_nearer_to_their_copies_than_to_each_other() -> None:
    clips = [resample(*read_audio(path, 30)) for path in sorted(Path(CLIPS).glob("*.mp3"))[:20]]
    prints = [bits(clip) for clip in clips]
    copies = [int((bits(through(clip, 22_050, format="MP3")) != own).sum()) for clip, own in zip(clips, prints, strict=True)]
    others = [int((one != other).sum()) for number, one in enumerate(prints) for other in prints[:number]]
    assert max(copies) <= 64 < min(others)
