"""From a split and a vocabulary to a finished model folder: what `donor` and `train` share."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import Wav2Vec2ForCTC

from pipeline.core.closure import code_hash
from pipeline.core.files import hash_bytes, hash_file, hash_json, read_table, state_dir
from pipeline.core.manifest import counts
from pipeline.core.progress import log, stage_line
from pipeline.core.timing import curves_folder, peak_memory_bytes, record_timing, timing_folder
from pipeline.model.artifact import expects_normalised_input, save_model
from pipeline.model.device import choose_device, peak_bytes
from pipeline.model.provenance import TRAINED_ON, trained_on
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.config import RunConfig
from pipeline.training.distributed import ProcessGroup
from pipeline.training.metrics import discard, dvclive_logger
from pipeline.training.preflight import Preflight, device_memory_bytes, preflight
from pipeline.training.state import remove_state
from pipeline.training.trainer import ErrorRates, TrainingResult, Utterances, train


def fit(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, split: Path, config: RunConfig, output: Path, label: str, error_rates: ErrorRates,
        record: Mapping[str, Any], donor_trained_on: pd.DataFrame | None = None) -> None:
    """Train `model` on a split, in place, and write the model folder `output`.

    The folder holds the model in Hugging Face layout, `vizinho.json` (the record), `history.csv` (a row per evaluation) and
    `trained_on.parquet` (hashes of speaker, sentence and audio of everything that the model was trained on). Inputs, config and
    code determine all of it. Seconds, throughput and memory go to data/timing/, with live curves while the training runs
    (`dvc plots show`, `dvc exp show`).

    Args:
        model: with its initial weights.
        vocabulary: of the model.
        split: folder with train.parquet and dev.parquet.
        config: of the run.
        output: folder of the model.
        label: the stage as DVC addresses it, such as train@transfer.
        error_rates: corpus-level WER and CER.
        record: what to store in addition to the training's own figures.
        donor_trained_on: the `trained_on` table of the model that this one starts from.

    Raises:
        TrainingError: the checks before the first step find that training cannot work, or it fails.
    """
    tables = {name: read_table(split / f"{name}.parquet") for name in ("train", "dev")}
    checks = preflight(model, vocabulary, tables, config, device_memory_bytes(choose_device()))
    checks.report(label)
    feasible = {name: table[~checks.infeasible[name]].reset_index(drop=True) for name, table in tables.items()}

    inputs = {"split": {name: hash_file(split / f"{name}.parquet") for name in tables}, "vocabulary": vocabulary.hash,
              "weights": _hash_weights(model)}
    resume = state_dir() / "train" / resume_key(label, config, model, inputs)
    train_set, dev_set = (Utterances.of(feasible[name], normalise=expects_normalised_input(model)) for name in ("train", "dev"))
    is_rank_zero = ProcessGroup.joined().is_rank_zero
    result = train(model, vocabulary, train_set, dev_set, config, resume, error_rates, label,
                   dvclive_logger(timing_folder(label, Path.cwd()), curves_folder(label, Path.cwd())) if is_rank_zero else discard)
    if not is_rank_zero:
        return

    learned = trained_on(feasible["train"])
    if donor_trained_on is not None:
        learned = pd.concat([donor_trained_on, learned], ignore_index=True).drop_duplicates(ignore_index=True)

    def write_tables(folder: Path) -> None:
        result.history.to_csv(folder / "history.csv", index=False)
        learned.to_parquet(folder / TRAINED_ON, index=False, compression="zstd")

    figures = _figures(result.history, feasible, checks)
    save_model(model, vocabulary, output,
               {"label": label, "normaliser": str(tables["train"]["normaliser"].iloc[0]), "params": config.model_dump(), "seed": config.seed,
                "inputs": inputs, "figures": figures, **record}, write_tables)
    remove_state(resume)
    timing = _timing(result, checks)
    record_timing(label, Path.cwd(), **timing)
    _log_result(label, feasible["train"], figures, timing)


def resume_key(label: str, config: RunConfig, model: Wav2Vec2ForCTC, inputs: Mapping[str, Any]) -> str:
    """Return the name of a run's resume state: a hash of everything that its result depends on, and of nothing else.

    The code is the closure of the stage's imports, so that an edit elsewhere keeps the state; the versions are those of the
    libraries that compute the numbers. The time between checkpoints (`checkpoint_s`) is left out.

    Args:
        label: the stage as DVC addresses it, such as train@transfer.
        config: of the run.
        model: its configuration counts; its weights are in `inputs`.
        inputs: hashes of split, vocabulary and initial weights.
    """
    versions = {name: version(name) for name in ("numpy", "scipy", "torch", "transformers", *(["peft"] if config.lora else []))}
    return hash_json([label, config.model_dump(exclude={"checkpoint_s"}), model.config.to_dict(), inputs,
                      code_hash(f"pipeline.{label.partition('@')[0]}"), versions])[:24]


def _figures(history: pd.DataFrame, feasible: Mapping[str, pd.DataFrame], checks: Preflight) -> dict[str, Any]:
    """Return the record's figures; inputs, config and code determine them."""
    last, kept = history.iloc[-1], history[history["kept"] == 1].iloc[0]
    train_figures = {**counts(feasible["train"]), "longest_s": round(float(feasible["train"]["duration_s"].max()), 3),
                     "infeasible": int(checks.infeasible["train"].sum())}
    return {"train": train_figures, "dev": counts(feasible["dev"]),
            "dev_wer": float(kept["dev_wer"]), "dev_cer": float(kept["dev_cer"]), "kept_step": int(kept["step"]), "steps": int(last["step"]),
            "skipped": int(last["skipped"]), "preflight": checks.figures}


def _timing(result: TrainingResult, checks: Preflight) -> dict[str, Any]:
    """Return what was measured: seconds of the training, throughput, share of the time spent waiting for data, memory in bytes."""
    last, measured = result.history.iloc[-1], result.timing.iloc[-1]
    seconds, device = max(float(measured["seconds"]), 1e-9), choose_device()
    timing = {"training_seconds": float(measured["seconds"]), "steps_per_second": round(int(last["step"]) / seconds, 3),
              "audio_seconds_per_second": round(float(last["audio_s"]) / seconds, 2), "waiting": float(measured["waiting"]),
              "peak_memory_bytes": peak_memory_bytes(), **checks.device_figures}
    return timing if device.type == "cpu" else timing | {"peak_gpu_memory_bytes": peak_bytes(device)}


def _log_result(label: str, table: pd.DataFrame, figures: Mapping[str, Any], timing: Mapping[str, Any]) -> None:
    sizes, kept_step, steps = figures["preflight"], figures["kept_step"], figures["steps"]
    memory = timing.get("peak_gpu_memory_bytes", timing["peak_memory_bytes"])
    log(stage_line(label, counts(table), {"more labels than frames": figures["train"]["infeasible"]})
        + f"; dev CER {figures['dev_cer']:.4f}, WER {figures['dev_wer']:.4f} after {steps} steps"
        + (f", the weights of step {kept_step} kept" if kept_step != steps else "") + f", {timing['training_seconds']:.0f} s; "
        + f"{sizes['trained_parameters'] / 1e6:.3g} of {sizes['parameters'] / 1e6:.3g} M parameters trained, "
        + f"peak memory {memory / 2**30:.2f} GiB")


def _hash_weights(model: Wav2Vec2ForCTC) -> str:
    return hash_bytes(*(tensor.detach().cpu().numpy().tobytes() for tensor in model.state_dict().values()))
