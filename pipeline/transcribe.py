"""Transcribe the test split, and a degraded sample of it, with one system, greedily and as it serves; size, invariance to the batch.

A system is weights, vocabulary and decoder. One without a decoder, or whose decoder was not adopted, serves greedily.

Reads:  a model folder, a decoder's folder (the model's own folder `language_model/` if none is named), data/split/portuguese/test.parquet
Writes: data/transcribe/SYSTEM.parquet (core.manifest.HYPOTHESIS), data/transcribe/SYSTEM.json (figures);
        data/timing/transcribe/SYSTEM/ (speed, memory)
Params: transcribe
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.files import hash_json, read_table, write_json, write_table
from pipeline.core.manifest import HYPOTHESIS, conform, duration_band, has_names, has_numbers, snr_band
from pipeline.core.params import Section, load_section
from pipeline.core.progress import bar, log
from pipeline.core.stage import stage_main
from pipeline.core.timing import peak_memory_bytes, record_timing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.batching.waveforms import UtteranceAudio
    from pipeline.decoding.greedy import Decoded

    Both = tuple[Decoded, Decoded]

TEST = Path("data/split/portuguese/test.parquet")


class Condition(Section):
    """How an utterance is degraded before it is transcribed; several changes apply in this order."""

    speed: float = Field(1.0, ge=0.5, le=2.0, description="tempo and pitch; 1.1 is a tenth faster")
    snr_db: float | None = Field(None, ge=-10, le=60, description="signal-to-noise ratio of pink noise added, dB")
    telephone: bool = Field(False, description="300 to 3,400 Hz, G.711 μ-law at 8 kHz")
    codec: Literal["mp3", "opus"] | None = Field(None, description="coded at a low rate; opus takes eight times as long as mp3")

    @model_validator(mode="after")
    def _change_something(self) -> Condition:
        if self == Condition.model_construct():
            raise ValueError("nothing is changed; expected speed, snr_db, telephone or codec")
        return self


class Robustness(Section):
    """Acoustic conditions, and which systems transcribe which utterances under them."""

    systems: tuple[str, ...] = Field(description="systems to measure; the gate compares challenger and champion")
    utterances: int = Field(ge=1, description="a sample of the test split; the same one for every system and condition")
    seed: int = Field(ge=0, description="of the sample and the noise")
    conditions: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Condition] = Field(min_length=1, description="name to what is done")


class Transcribe(Section):
    """Params of the stage."""

    batch_s: float = Field(gt=0, description="padded seconds of audio in a batch")
    threads: int = Field(ge=1, description="CPU threads")
    invariance_utterances: int = Field(ge=0, description="utterances decoded alone and in a mixed batch")
    speed_utterances: int = Field(24, ge=1, description="first utterances of the test split on which relative speed is measured")
    max_logit_difference: float = Field(gt=0, description="largest difference of a logit between the two")
    robustness: Robustness | None = Field(None, description="null: not measured")


def run(system: str, model_folder: str, decoder_folder: str | None = None) -> None:
    """Transcribe the test split with one system.

    Args:
        system: its name.
        model_folder: its weights and vocabulary.
        decoder_folder: its decoder; by default the folder `language_model` of the model, if there is one.
    """
    from pipeline.batching.waveforms import UtteranceAudio
    from pipeline.decoding.beam import INSIDE_MODEL, describe_decoder, load_decoder
    from pipeline.decoding.forward import decode_all
    from pipeline.decoding.greedy import decode
    from pipeline.decoding.speed import relative_speed
    from pipeline.model.artifact import expects_normalised_input, load_model, parameters
    from pipeline.model.device import choose_device, exclusive, set_threads
    from pipeline.model.geometry import frame_duration_s
    from pipeline.model.provenance import TRAINED_ON, overlap

    params = load_section(Transcribe, "transcribe")
    set_threads(params.threads)
    test = read_table(TEST)
    model, vocabulary, record = load_model(model_folder)
    frame_s, decoders = frame_duration_s(model), Path(decoder_folder or Path(model_folder) / INSIDE_MODEL)
    search = load_decoder(decoders, vocabulary, frame_s)
    audio = UtteranceAudio(test, normalise=expects_normalised_input(model))
    duration_s = test["duration_s"].to_numpy(dtype=float)
    device = choose_device()

    def both(logits_TV: Any) -> Both:
        greedy = decode(logits_TV, vocabulary, frame_s, words=True)
        return greedy, search(logits_TV) if search else greedy

    def transcribe_sample() -> float:
        sample_s = duration_s[: params.speed_utterances]
        decode_all(model, both, audio.waveform, sample_s, params.batch_s)
        return float(sample_s.sum())

    with exclusive(device, params.threads):
        model.to(device)  # type: ignore[arg-type]
        invariance = check_invariance(model, audio, duration_s, params)
        began = time.perf_counter()
        with bar(float(duration_s.sum()), "s", f"transcribe@{system}") as progress:
            decoded = decode_all(model, both, audio.waveform, duration_s, params.batch_s, progress.update)
        seconds = time.perf_counter() - began
        measured = params.robustness if params.robustness and system in params.robustness.systems else None
        degraded: list[list[dict[str, str]]] = [[] for _ in decoded] if measured is None else transcribe_conditions(
            measured, test["utterance_id"].tolist(), audio, duration_s,
            lambda waveform, lengths: decode_all(model, both, waveform, lengths, params.batch_s), params.threads)
        speed = relative_speed(transcribe_sample, device)

    test["duration_band"] = [duration_band(value) for value in duration_s]
    test["snr_band"] = [snr_band(value) for value in test["snr_db"]]
    test["numbers"], test["names"] = (list(map(has, test["transcript"], test["text"])) for has in (has_numbers, has_names))
    test["reference"], test["reference_variants"] = test["text"], test["variants"]
    for number, ending in enumerate(("", "_served")):
        found = [item[number] for item in decoded]
        test[f"hypothesis{ending}"], test[f"confidence{ending}"] = [one.text for one in found], [one.confidence for one in found]
        test[f"word_confidence{ending}"] = [[word.confidence for word in one.words] for one in found]
        test[f"word_times{ending}"] = [[[word.start_s, word.end_s] for word in one.words] for one in found]  # type: ignore[assignment]
    test["robustness"] = degraded  # type: ignore[assignment]
    write_table(f"data/transcribe/{system}.parquet", conform(test, HYPOTHESIS, f"transcribe@{system}"))
    write_json(f"data/transcribe/{system}.json", {
        "system": system, "model": model_folder, "audio_s": float(duration_s.sum()), "parameters": parameters(model),
        "model_bytes": (Path(model_folder) / "model.safetensors").stat().st_size,
        "weights_hash": record["weights_hash"], "vocabulary_hash": vocabulary.hash, "normaliser": record["normaliser"],
        "decoder": describe_decoder(decoders),
        "invariance": invariance, "trained_on_test": overlap(read_table(Path(model_folder) / TRAINED_ON), test),
        "training_data_known": record["figures"] is not None,
        "robustness": measured.model_dump(mode="json") if measured else None,
    })
    rtfx = float(duration_s.sum()) / seconds
    record_timing(f"transcribe@{system}", Path.cwd(), weights_hash=record["weights_hash"], rtfx=rtfx, decoding_seconds=seconds,
                  audio_s=float(duration_s.sum()), peak_memory_bytes=peak_memory_bytes(), relative_speed=speed.as_json())
    log(f"transcribe@{system}: {len(test)} utterances, {duration_s.sum() / 3600:.2f} hours in {seconds:.1f} s ({rtfx:.0f} times real time, "
        f"{speed.value:.0f} times the reference network); the batch changes a logit by at most {invariance['max_logit_difference']:.1e}")


def transcribe_conditions(robustness: Robustness, utterance_ids: Sequence[str], audio: UtteranceAudio, duration_s: npt.NDArray[np.float64],
                    decode: Callable[[Callable[[int], Any], Any], list[Both]], threads: int) -> list[list[dict[str, str]]]:
    """Return the hypotheses of each utterance in each condition: rows of the column `robustness`, empty outside of the sample.

    The sample is the utterances with the lowest hashes of seed and id, so that one stays in it when others come or go.

    Args:
        robustness: conditions and sample.
        utterance_ids: of the test split.
        audio: its audio.
        duration_s: its lengths, (N,).
        decode: returns greedy and served hypotheses, given waveforms by number and lengths in seconds.
        threads: CPU threads that degrade audio.
    """
    from pipeline.audio.degrade import degrade
    from pipeline.batching.waveforms import prepare

    def prepared(number: int) -> Any:
        return prepare(degrade(audio.samples(number), seed=[robustness.seed, int(rank[number][:16], 16)], **changes), audio.normalise)

    rank = {number: hash_json([robustness.seed, name]) for number, name in enumerate(utterance_ids)}
    sample = sorted(rank, key=rank.__getitem__)[: robustness.utterances]
    degraded: list[list[dict[str, str]]] = [[] for _ in utterance_ids]
    for name, condition in robustness.conditions.items():
        changes = condition.model_dump()
        with ThreadPoolExecutor(threads) as pool:  # filters and codecs release the GIL
            waveforms = list(pool.map(prepared, sample))
        for number, (greedy, served) in zip(sample, decode(waveforms.__getitem__, duration_s[sample] / condition.speed), strict=True):
            degraded[number].append({"condition": name, "hypothesis": greedy.text, "hypothesis_served": served.text})
    return degraded


def check_invariance(model: Any, audio: UtteranceAudio, duration_s: Any, params: Transcribe) -> dict[str, Any]:
    """Return how much a logit moves between decoding alone and in a batch of mixed lengths.

    Raises:
        PipelineError: by more than `max_logit_difference`: hypotheses would depend on the batch.
    """
    import numpy as np

    from pipeline.decoding.forward import logits_of

    sample = np.argsort(duration_s, kind="stable")[:: max(1, len(duration_s) // max(1, params.invariance_utterances))][: params.invariance_utterances]
    waveforms = [audio.waveform(int(index)) for index in sample]
    difference, changed = 0.0, 0
    if waveforms:
        for alone, mixed in zip((logits_of(model, [waveform])[0] for waveform in waveforms), logits_of(model, waveforms), strict=True):
            difference = max(difference, float(np.abs(alone - mixed).max()))
            changed += int((alone.argmax(1) != mixed.argmax(1)).any())
    if difference > params.max_logit_difference:
        raise PipelineError("transcribe", f"a logit moves by {difference:.2e} between decoding alone and in a batch",
                            f"at most {params.max_logit_difference:.0e}", "the model lacks a mask or uses group normalisation: decode one by one")
    return {"max_logit_difference": difference, "utterances_changed": changed, "utterances": len(sample)}


if __name__ == "__main__":
    stage_main(run)
