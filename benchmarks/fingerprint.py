"""Distance of a clip's fingerprint from its copies, by codec, and from other clips, in bits of 256; and its speed.

    python -m benchmarks.fingerprint [FOLDER ...]

Reads the sound files of the folders, at any depth, or without one the outs of `dvc repro ingest@speak-pt`: clips of
0.7 to 15 s, at most 250 per folder, drawn by hash. The peer is the fingerprint cut into equal times (Haitsma and Kalker), instead
of parts of equal loudness. Bound in use: 64 bits.
"""

from __future__ import annotations

import hashlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import scipy.fft
import soundfile

from pipeline.audio.codecs import read_audio
from pipeline.audio.fingerprint import BANDS, HOP, TIMES, WINDOW, fingerprint, fingerprint_bands
from pipeline.audio.resample import resample
from pipeline.audio.samples import FULL_SCALE, Samples, to_int16
from pipeline.core.manifest import SAMPLE_RATE_HZ

FORMS = {
    "MP3, 44.1 kHz": (44_100, {"format": "MP3"}),
    "MP3, 16 kHz": (16_000, {"format": "MP3"}),
    "Vorbis, 16 kHz": (16_000, {"format": "OGG", "subtype": "VORBIS"}),
    "Opus, 48 kHz": (48_000, {"format": "OGG", "subtype": "OPUS"}),
    "μ-law, 8 kHz": (8_000, {"format": "WAV", "subtype": "ULAW"}),
}
Bits = npt.NDArray[np.uint8]


def equal_times(samples_S: Samples) -> str:
    """Return the fingerprint of 33 equal times between 1 % and 99 % of the energy."""
    window, edges_B = fingerprint_bands()
    frames_FS = np.lib.stride_tricks.sliding_window_view(np.pad(samples_S.astype(np.float32), WINDOW), WINDOW)[:: HOP]
    power_FB = np.add.reduceat(np.abs(scipy.fft.rfft(frames_FS * window)) ** 2, edges_B, axis=1)[:, : BANDS]
    energy_FB = np.concatenate([np.zeros((1, BANDS)), np.cumsum(power_FB, axis=0, dtype=np.float64)])
    total_F, frames = energy_FB.sum(axis=1), np.arange(len(energy_FB))
    cuts = np.linspace(*np.interp([0.01 * total_F[-1], 0.99 * total_F[-1]], total_F, frames), TIMES + 1)
    energy_TB = np.diff(np.stack([np.interp(cuts, frames, energy_F) for energy_F in energy_FB.T], axis=1), axis=0)
    return np.packbits(np.diff(np.diff(np.log(energy_TB + 1e-4 * energy_TB.max() + 1e-9), axis=1), axis=0) > 0).tobytes().hex()


def through(samples_S: Samples, rate_hz: int, form: dict[str, str]) -> Samples:
    """Return the samples after coding at another rate."""
    waveform_S = resample(samples_S / np.float32(FULL_SCALE), SAMPLE_RATE_HZ, rate_hz)
    coded = io.BytesIO()
    soundfile.write(coded, np.clip(waveform_S, -1, 1 - 2**-15), rate_hz, **form)
    coded.seek(0)
    return to_int16(resample(soundfile.read(coded, dtype="float32")[0], rate_hz))


def prints(function: Callable[[Samples], str], clips: list[Samples]) -> Bits:
    """Return the bits of the clips, one clip per row."""
    return np.stack([np.unpackbits(np.frombuffer(bytes.fromhex(function(clip)), np.uint8)) for clip in clips])


def in_folder(folder: Path) -> Iterator[Samples]:
    """Yield the sound files of a folder at 16 kHz, in the order of their names' hashes."""
    paths = [path for path in folder.rglob("*") if path.suffix in (".wav", ".flac", ".mp3", ".ogg", ".opus")]
    for path in sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).digest()):
        yield to_int16(resample(*read_audio(path, 16)))


def ingested() -> Iterator[Samples]:
    """Yield the clips of the embedded Portuguese corpus."""
    for shard in sorted(Path("data/ingest/portuguese").glob("*/shard-*.parquet")):
        for sound in pq.read_table(shard, columns=["audio"])["audio"].to_pylist():
            yield soundfile.read(io.BytesIO(sound["bytes"]), dtype="int16")[0]


def main() -> None:
    """Print the table."""
    found = map(in_folder, map(Path, sys.argv[1:])) if len(sys.argv) > 1 else [ingested()]
    clips = [clip for part in found for clip in islice((clip for clip in part if 0.7 < len(clip) / SAMPLE_RATE_HZ < 15), 250)]
    if not clips:
        sys.exit("no clip found: name a folder of sound files, or run `dvc repro ingest@speak-pt` first")
    copies = {name: [through(clip, *form) for clip in clips] for name, form in FORMS.items()}
    copies["gain 0.3"] = [(clip * 0.3).astype(np.int16) for clip in clips]
    for name, function in (("equal loudness", fingerprint), ("equal times", equal_times)):
        prints(function, clips[:20])
        start = time.process_time()
        own = prints(function, clips)
        speed = sum(map(len, clips)) / SAMPLE_RATE_HZ / (time.process_time() - start)
        others = (own[:, None, :] != own[None]).sum(axis=2)[np.triu_indices(len(clips), 1)]
        print(f"{name}: {len(clips)} clips, {speed:,.0f} audio-s/s; other clips at least {others.min()}, median {np.median(others):.0f}")
        for form, copied in copies.items():
            far = (prints(function, copied) != own).sum(axis=1)
            shares = f"median {np.median(far):2.0f}   99 % {np.percentile(far, 99):3.0f}   most {far.max():3}   over 64: {(far > 64).sum()}"
            print(f"    {form:15} {shares}")


if __name__ == "__main__":
    main()
