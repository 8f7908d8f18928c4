"""The acoustic level of the ranking with other frames and other numbers of pieces, and with controls whose answer is known.

    python -m benchmarks.rank [--encoder data/donor] [--audio LANG=PATH ...] [--seed 1]

Frames: each layer of the encoder, the same network with random weights, and log-mel filterbank energies. Without `--audio` the speech is the
word list, by four voices of eSpeak NG, and there are two controls: the target by four other voices, which must be first, and European
Portuguese, which must be second. With `--audio` the speech is recorded, as for `vizinho rank --audio`; the control is the half of the target's
speakers that the other half is compared with. An order is repeated with another seed of k-means: Kendall's tau between the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau

from pipeline.batching.waveforms import standardise
from pipeline.cli.rank import Speech, parse_audio, read_speech, recordings_of, without_silence
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.hidden import encode_all
from pipeline.model.artifact import fresh_model, load_model
from pipeline.rank import BATCH_S, resample_weights
from pipeline.registry.markdown import markdown_table
from pipeline.similarity.acoustic import Array, Frames, Pieces, Settings, draws, similarity
from pipeline.similarity.levels import describe_level
from pipeline.similarity.spoken import VARIANTS, speak_words
from pipeline.similarity.tables import read_languages, read_words

DONORS = ("es", "it", "fr", "ca", "ro", "de", "en")
PIECES = (64, 200, 400)
UNITS, RESTARTS, RESAMPLES, VOICES = 64, 5, 1_000, 4
OWN, EUROPEAN = "itself", "pt-PT"
Encode = Callable[[Sequence[npt.NDArray[np.float32]]], list[Frames]]


def log_mel(waveforms: Sequence[npt.NDArray[np.float32]], bands: int = 40) -> list[Frames]:
    """Return log-mel filterbank energies of standardised waveforms: 25 ms windows every 10 ms."""
    def mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 2595 * np.log10(1 + hz / 700)

    edges, line = np.linspace(*mel(np.array([60.0, 7600.0])), bands + 2), mel(np.fft.rfftfreq(512, 1 / SAMPLE_RATE_HZ))[:, None]
    bank_KB = np.clip(np.minimum((line - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - line) / (edges[2:] - edges[1:-1])), 0, None)
    found = []
    for waveform_S in waveforms:
        padded_S = np.pad(waveform_S, (0, max(0, 400 - len(waveform_S))))
        windows_TS = np.lib.stride_tricks.sliding_window_view(padded_S, 400)[::160] * np.hanning(400)
        found.append(np.log(np.abs(np.fft.rfft(windows_TS, 512)) ** 2 @ bank_KB + 1e-6).astype(np.float32))
    return found


def frames_by_kind(encoder: Path, seed: int) -> Iterator[tuple[str, Encode]]:
    """Yield the kinds of frames and what makes them."""
    model, vocabulary, _ = load_model(encoder)
    layers = model.config.num_hidden_layers
    for layer in range(layers + 1):
        yield f"encoder, layer {layer} of {layers}", lambda waveforms, layer=layer: encode_all(model, layer, waveforms, BATCH_S)  # type: ignore[misc]
    random = fresh_model(model.config.to_dict(), vocabulary, seed).eval()
    yield f"random weights, layer {layers} of {layers}", lambda waveforms: encode_all(random, layers, waveforms, BATCH_S)
    yield "log-mel energies", log_mel


def spoken_words(seed: int) -> tuple[dict[str, list[npt.NDArray[np.float32]]], dict[str, Array], str]:
    """Return the words of each language and of the controls, their weights, and the target."""
    languages, words = read_languages(), read_words()

    def speak(code: str, variants: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        spelt = [word.lower() for word in words[languages[code].words].values()]
        return [standardise(waveform) for waveform in speak_words(languages[code].voice, spelt, variants, seed)]

    speech = {"pt-BR": speak("pt-BR", VARIANTS[:VOICES]), OWN: speak("pt-BR", VARIANTS[VOICES : 2 * VOICES])}
    speech |= {code: speak(code, VARIANTS[:VOICES]) for code in (EUROPEAN, *DONORS)}
    concepts = len(speech["pt-BR"]) // VOICES
    weights_RC = resample_weights(concepts, RESAMPLES, seed)
    voices_RN = draws(np.repeat(np.arange(VOICES), concepts).tolist(), RESAMPLES, (seed, 1))
    return speech, dict.fromkeys(speech, voices_RN * np.tile(weights_RC, VOICES)), "pt-BR"


def recorded(arguments: Sequence[str], seed: int) -> tuple[dict[str, list[npt.NDArray[np.float32]]], dict[str, Array], str]:
    """Return the recordings of each language, their weights, and the target; half of the target's speakers are the control."""
    target, paths = parse_audio(arguments)
    read = {code: read_speech(recordings_of(code, given), 600, True, seed) for code, given in paths.items()}
    half = set(sorted(set(read[target].groups))[::2])
    halves = [[index for index, group in enumerate(read[target].groups) if (group in half) == own] for own in (True, False)]
    ours, own = (Speech([read[target].waveforms[i] for i in part], [read[target].groups[i] for i in part]) for part in halves)
    least_s = min(speech.seconds for code, speech in {**read, OWN: own}.items() if code != target)
    used = {target: ours} | {code: speech.first(least_s) for code, speech in {OWN: own, **read}.items() if code != target}
    print(f"{least_s:.0f} s per language, {ours.seconds:.0f} s of the target; speakers or recordings: "
          + ", ".join(f"{code} {len(set(speech.groups))}" for code, speech in used.items()), flush=True)
    weights = {code: draws(speech.groups, RESAMPLES, (seed, number)) for number, (code, speech) in enumerate(used.items())}
    return {code: speech.waveforms for code, speech in used.items()}, weights, target


def main() -> None:
    """Print a row per kind of frames and number of pieces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, default=Path("data/donor"))
    parser.add_argument("--audio", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    speech, weights, target = recorded(args.audio, args.seed) if args.audio else spoken_words(args.seed)
    others = [code for code in speech if code != target]
    donors = [code for code in others if code not in (OWN, EUROPEAN)]
    rows = []
    for kind, encode in frames_by_kind(args.encoder, args.seed):
        frames = {code: encode(waveforms) for code, waveforms in speech.items()}
        if args.audio:
            frames = {code: [without_silence(one, waveform) for one, waveform in zip(found, speech[code], strict=True)]
                      for code, found in frames.items()}
        for number in PIECES:
            found = []
            for seed in (args.seed, args.seed + 100):
                settings = Settings(UNITS, number, RESTARTS, seed)
                learned = [Pieces.learn(frames[target], settings, restart) for restart in range(RESTARTS)]
                ours = [pieces.count(frames[target]) for pieces in learned]
                found.append({code: similarity(ours, weights[target], [pieces.count(frames[code]) for pieces in learned], weights[code])
                              for code in others})
            level = describe_level("acoustic", "", False, np.array([found[0][code] for code in donors]), donors)
            controls = {code: f"{found[0][code][0]:.3f}" for code in (OWN, EUROPEAN) if code in others}
            tau = kendalltau(*([values[code][0] for code in donors] for values in found)).statistic
            order = ", ".join(f"{code} {level['values'][code]['value']:.3f}" for code in level["order"])
            rows.append({"frames": kind, "pieces": number, **controls, "donors": order,
                         "not separated from the first": ", ".join(level["not_distinguished"]) or "none", "tau": f"{tau:.2f}"})
    print(markdown_table(rows))


if __name__ == "__main__":
    main()
