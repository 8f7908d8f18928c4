"""What a model hears in the test split: greedy hypotheses, with its speed, size and invariance.

Reads:  a model folder, data/split/portuguese/test.parquet
Writes: data/transcribe/SYSTEM.parquet (core.manifest.HYPOTHESIS), data/transcribe/SYSTEM.json (figures)
Params: transcribe
"""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipeline.core.errors import PipelineError
from pipeline.core.files import read_table, write_json, write_table
from pipeline.core.manifest import HYPOTHESIS, conform, duration_band, snr_band
from pipeline.core.params import Section, load_section
from pipeline.core.progress import bar, say
from pipeline.core.stage import stage_main

if TYPE_CHECKING:
    from pipeline.acoustic.clips import Clips

TEST = Path("data/split/portuguese/test.parquet")


class Transcribe(Section):
    """Params of the stage."""

    batch_s: float = Field(gt=0, description="padded seconds of audio in a batch")
    threads: int = Field(ge=1, description="CPU threads")
    invariance_utterances: int = Field(ge=0, description="utterances decoded alone and in a mixed batch")
    max_logit_difference: float = Field(gt=0, description="largest difference of a logit between the two")


def run(system: str, model_folder: str) -> None:
    """Transcribe the test split with one system."""
    from pipeline.acoustic.clips import Clips
    from pipeline.acoustic.decoding import decode_all
    from pipeline.acoustic.device import choose_device, exclusive, set_threads
    from pipeline.acoustic.fit import TRAINED_ON, overlap
    from pipeline.acoustic.model import load_model, parameters

    params = load_section(Transcribe, "transcribe")
    set_threads(params.threads)
    test = read_table(TEST)
    model, vocabulary, record = load_model(model_folder)
    clips = Clips(test)
    duration_s = test["duration_s"].to_numpy(dtype=float)
    device = choose_device()
    with exclusive(device, params.threads):
        model.to(device)
        invariance = check_invariance(model, clips, duration_s, params)
        began = time.perf_counter()
        with bar(float(duration_s.sum()), "s", f"transcribe@{system}") as progress:
            decoded = decode_all(model, vocabulary, clips.waveform, duration_s, params.batch_s, progress.update)
        seconds = time.perf_counter() - began

    test["duration_band"] = [duration_band(value) for value in duration_s]
    test["snr_band"] = [snr_band(value) for value in test["snr_db"]]
    test["reference"], test["reference_variants"] = test["text"], test["variants"]
    test["hypothesis"], test["confidence"] = [item.text for item in decoded], [item.confidence for item in decoded]
    write_table(f"data/transcribe/{system}.parquet", conform(test, HYPOTHESIS, f"transcribe@{system}"))
    figures: dict[str, Any] = {
        "system": system, "model": model_folder, "rtfx": float(duration_s.sum()) / seconds, "seconds": seconds,
        "audio_s": float(duration_s.sum()), "parameters": parameters(model),
        "model_bytes": (Path(model_folder) / "model.safetensors").stat().st_size,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "weights_hash": record["weights_hash"], "vocabulary_hash": vocabulary.hash, "normaliser": record["normaliser"],
        "invariance": invariance, "trained_on_test": overlap(read_table(Path(model_folder) / TRAINED_ON), test),
        "training_data_known": record["figures"] is not None,
    }
    write_json(f"data/transcribe/{system}.json", figures)
    say(f"transcribe@{system}: {len(test)} utterances, {duration_s.sum() / 3600:.2f} hours in {seconds:.1f} s "
        f"({figures['rtfx']:.0f} times real time); batch changes a logit by at most {invariance['max_logit_difference']:.1e}")


def check_invariance(model: Any, clips: Clips, duration_s: Any, params: Transcribe) -> dict[str, Any]:
    """Return how much a logit moves between decoding alone and in a batch of mixed lengths.

    Raises:
        PipelineError: by more than `max_logit_difference`: hypotheses would depend on the batch.
    """
    import numpy as np

    from pipeline.acoustic.decoding import logits_of

    sample = np.argsort(duration_s, kind="stable")[:: max(1, len(duration_s) // max(1, params.invariance_utterances))][: params.invariance_utterances]
    waveforms = [clips.waveform(int(index)) for index in sample]
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
