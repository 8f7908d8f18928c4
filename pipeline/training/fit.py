"""From split and vocabulary to a finished model folder: what `donor` and `train` have in common."""

from __future__ import annotations

import shutil
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
from pipeline.model.artifact import expects_normalised_input, save_model
from pipeline.model.device import choose_device, peak_bytes
from pipeline.model.provenance import TRAINED_ON, trained_on
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.config import Run
from pipeline.training.distributed import ProcessGroup
from pipeline.training.metrics import LIVE, follow, silent
from pipeline.training.preflight import device_bytes, preflight
from pipeline.training.state import forget
from pipeline.training.trainer import ErrorRates, Utterances, train


def fit(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, split: Path, run: Run, output: Path, label: str, error_rates: ErrorRates,
        record: Mapping[str, Any], before: pd.DataFrame | None = None) -> None:
    """Train `model` on a split and write the model folder `output`.

    The folder holds the model in Hugging Face layout, `vizinho.json` (the record), `history.csv` (a row an evaluation),
    `trained_on.parquet` (speaker, sentence hash and audio hash of everything it ever learned from) and `live/`, which is there while
    the training runs (`dvc plots show`, `dvc exp show`).

    Args:
        split: folder with train.parquet and dev.parquet.
        record: what to store beside the training's own figures.
        before: the `trained_on` of the model that this one starts from.

    Raises:
        TrainingError: preflight finds that training cannot work, or it fails.
    """
    tables = {name: read_table(split / f"{name}.parquet") for name in ("train", "dev")}
    found = preflight(model, vocabulary, tables, run, device_bytes(choose_device()))
    found.tell(label)
    possible = {name: table[~found.infeasible[name]].reset_index(drop=True) for name, table in tables.items()}
    dropped = int(found.infeasible["train"].sum())

    inputs = {"split": {name: hash_file(split / f"{name}.parquet") for name in tables}, "vocabulary": vocabulary.hash,
              "weights": _hash_weights(model)}
    resume = state_dir() / "train" / resume_key(label, run, model, inputs)
    sets = [Utterances.of(table, normalise=expects_normalised_input(model)) for table in possible.values()]
    is_rank_zero = ProcessGroup.joined().is_rank_zero
    history = train(model, vocabulary, *sets, run, resume, error_rates, label, follow(output / LIVE) if is_rank_zero else silent)
    if not is_rank_zero:
        return

    learned = trained_on(possible["train"])
    def write_tables(folder: Path) -> None:
        history.to_csv(folder / "history.csv", index=False)
        both = learned if before is None else pd.concat([before, learned], ignore_index=True).drop_duplicates(ignore_index=True)
        both.to_parquet(folder / TRAINED_ON, index=False, compression="zstd")
        if (output / LIVE).is_dir():
            shutil.copytree(output / LIVE, folder / LIVE)

    last, kept = history.iloc[-1], history[history["kept"] == 1].iloc[0]
    figures = {"train": {**counts(possible["train"]), "impossible": dropped}, "dev": counts(possible["dev"]),
               "dev_wer": float(kept["dev_wer"]), "dev_cer": float(kept["dev_cer"]), "kept_step": int(kept["step"]),
               "steps": int(last["step"]), "seconds": float(last["seconds"]),
               "skipped": int(last["skipped"]), "peak_memory_bytes": peak_bytes(choose_device()), "preflight": found.figures}
    save_model(model, vocabulary, output,
               {"label": label, "normaliser": str(tables["train"]["normaliser"].iloc[0]), "params": run.model_dump(), "seed": run.seed,
                "inputs": inputs, "figures": figures, **record}, write_tables)
    forget(resume)
    log(stage_line(label, counts(possible["train"]), {"more letters than frames": dropped})
        + f"; dev CER {kept['dev_cer']:.4f}, WER {kept['dev_wer']:.4f} after {last['step']:.0f} steps"
        + (f", the weights of step {kept['step']:.0f} kept" if kept["step"] != last["step"] else "") + f", {last['seconds']:.0f} s; "
        + f"{found.figures['trained_parameters'] / 1e6:.3g} of {found.figures['parameters'] / 1e6:.3g} M parameters trained, "
        + f"{figures['peak_memory_bytes'] / 2**30:.2f} GiB at most")


def resume_key(label: str, run: Run, model: Wav2Vec2ForCTC, inputs: Mapping[str, Any]) -> str:
    """Return the name of a run's resume state: a hash of everything that its result depends on, and of nothing else.

    The code is the closure of the stage's imports, so that an edit elsewhere keeps the state; the versions are those of the
    libraries that the numbers come from. When the state is written does not count (`checkpoint_s`).

    Args:
        label: the stage as DVC addresses it, such as train@transfer.
        inputs: hashes of split, vocabulary and initial weights.
    """
    versions = {name: version(name) for name in ("numpy", "scipy", "torch", "transformers", *(["peft"] if run.lora else []))}
    return hash_json([label, run.model_dump(exclude={"checkpoint_s"}), model.config.to_dict(), inputs,
                      code_hash(f"pipeline.{label.partition('@')[0]}"), versions])[:24]


def _hash_weights(model: Wav2Vec2ForCTC) -> str:
    return hash_bytes(*(tensor.detach().cpu().numpy().tobytes() for tensor in model.state_dict().values()))


