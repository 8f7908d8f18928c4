"""Stop-band leakage and speed of resamplers: ours beside torchaudio, SciPy and, if they are installed, soxr and libsamplerate.

    python -m benchmarks.resample [RATE_HZ ...]

To 16 kHz from each rate (48,000, 44,100 and 22,050 unless given). `ripple` is the most that a tone of 50 to 7,500 Hz changes,
`at 7.8 kHz` what is left of that tone, `stop band` the most that is left of one over 8 kHz, folded back below it (at 48 kHz:
8,000 to 24,000 Hz, at twenty frequencies between each two multiples of 1 kHz). `noise` is what a tone of 1 kHz gets beside itself.
The times are CPU time on one thread, the best of five, of clips of 4.2 s as Common Voice's are in the mean.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import scipy.signal

from pipeline.audio.resample import resample
from pipeline.audio.samples import Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ

Resampler = Callable[[Waveform, int], Any]
CLIP_S: Final = 4.2
KAISER_BEST: Final = {"lowpass_filter_width": 64, "rolloff": 0.9475937167399596, "resampling_method": "sinc_interp_kaiser",
                      "beta": 14.769656459379492}
"""What torchaudio's documentation gives for the quality of librosa's `kaiser_best`."""


def of_torchaudio(**how: Any) -> Resampler:
    """Return torchaudio's resampler on one thread."""
    import torch
    import torchaudio

    torch.set_num_threads(1)
    return lambda waveform_S, rate_hz: torchaudio.functional.resample(torch.from_numpy(waveform_S), rate_hz, SAMPLE_RATE_HZ, **how).numpy()


def polyphase(waveform_S: Waveform, rate_hz: int) -> Any:
    """Resample as `scipy.signal.resample_poly` does by default."""
    step = int(np.gcd(rate_hz, SAMPLE_RATE_HZ))
    return scipy.signal.resample_poly(waveform_S, SAMPLE_RATE_HZ // step, rate_hz // step)


def whole_spectrum(waveform_S: Waveform, rate_hz: int) -> Any:
    """Resample as `scipy.signal.resample` does: the spectrum of all of it, cut off."""
    return scipy.signal.resample(waveform_S, -(-len(waveform_S) * SAMPLE_RATE_HZ // rate_hz))


def installed() -> dict[str, Resampler]:
    """Return the installed resamplers."""
    found: dict[str, Resampler] = {
        "ours": resample, "torchaudio, default": of_torchaudio(), "torchaudio, kaiser_best": of_torchaudio(**KAISER_BEST),
        "scipy resample_poly": polyphase, "scipy resample (whole)": whole_spectrum,
    }
    try:
        import soxr

        for quality in ("HQ", "VHQ"):
            found[f"soxr {quality}"] = lambda waveform_S, rate_hz, quality=quality: soxr.resample(
                waveform_S, rate_hz, SAMPLE_RATE_HZ, quality)
    except ImportError:
        pass
    try:
        import samplerate

        found["libsamplerate, best"] = lambda waveform_S, rate_hz: samplerate.resample(waveform_S, SAMPLE_RATE_HZ / rate_hz, "sinc_best")
    except ImportError:
        pass
    return found


def tone(hz: float, rate_hz: int) -> Waveform:
    """Return a second of a tone at full scale."""
    return np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz).astype(np.float32)


def level_db(waveform_S: Any) -> float:
    """Return the level of the middle half, 0 dB for a tone at full scale."""
    middle_S = waveform_S[len(waveform_S) // 4 : -len(waveform_S) // 4]
    return float(10 * np.log10(2 * np.mean(np.square(middle_S, dtype=np.float64)) + 1e-20))


def noise_db(resample: Resampler, rate_hz: int) -> float:
    """Return the level of what a tone of 1 kHz gets beside itself, under the tone."""
    output_S = np.asarray(resample(tone(1_000, rate_hz), rate_hz), np.float64)[4_000:12_000]
    angle_S = 2 * np.pi * 1_000 * np.arange(len(output_S)) / SAMPLE_RATE_HZ
    basis_SB = np.stack([np.sin(angle_S), np.cos(angle_S)], axis=1)
    return level_db(output_S - basis_SB @ np.linalg.lstsq(basis_SB, output_S, rcond=None)[0])


def clip_ms(resample: Resampler, rate_hz: int) -> float:
    """Return the milliseconds of CPU that a clip takes, the best of five, of twenty clips."""
    draw = np.random.default_rng(0)
    clips = [draw.standard_normal(int(rate_hz * CLIP_S * (0.5 + number / 20))).astype(np.float32) * np.float32(0.1) for number in range(20)]
    best_s = [float("inf")] * len(clips)
    for _ in range(5):
        for number, waveform_S in enumerate(clips):
            start_s = time.process_time()
            resample(waveform_S, rate_hz)
            best_s[number] = min(best_s[number], time.process_time() - start_s)
    return 1e3 * sum(best_s) / len(clips)


def main() -> None:
    for rate_hz in [int(rate) for rate in sys.argv[1:]] or [48_000, 44_100, 22_050]:
        print(f"{rate_hz} Hz to {SAMPLE_RATE_HZ} Hz   ripple dB   at 7.8 kHz   stop band dB   noise dB   ms per {CLIP_S} s")
        for name, resampler in installed().items():
            passed = [level_db(resampler(tone(hz, rate_hz), rate_hz)) for hz in (50, 200, *range(500, 7_501, 500))]
            stopped = [level_db(resampler(tone(hz, rate_hz), rate_hz)) for hz in np.arange(8_000, rate_hz / 2, 50) + 0.5]
            edge = level_db(resampler(tone(7_800, rate_hz), rate_hz))
            print(f"{name:<26}{max(map(abs, passed)):>10.4f}{edge:>13.1f}{max(stopped):>15.1f}{noise_db(resampler, rate_hz):>11.1f}"
                  f"{clip_ms(resampler, rate_hz):>10.2f}", flush=True)


if __name__ == "__main__":
    main()
