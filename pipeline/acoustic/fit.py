"""From split and vocabulary to a finished model folder: what `donor` and `train` have in common."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import Wav2Vec2ForCTC

from pipeline.acoustic.device import choose_device, peak_bytes
from pipeline.acoustic.live import LIVE, follow, silent
from pipeline.acoustic.model import hears_standardised, save_model
from pipeline.acoustic.parallel import Team
from pipeline.acoustic.preflight import device_bytes, preflight
from pipeline.acoustic.recipe import Run
from pipeline.acoustic.training import ErrorRates, Utterances, forget, train
from pipeline.acoustic.vocabulary import Vocabulary
from pipeline.core.files import hash_bytes, hash_file, hash_json, read_table, state_dir
from pipeline.core.manifest import counts
from pipeline.core.progress import say, stage_line

TRAINED_ON = "trained_on.parquet"


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
    possible = {name: table[~found.hopeless[name]].reset_index(drop=True) for name, table in tables.items()}
    dropped = int(found.hopeless["train"].sum())

    inputs = {"split": {name: hash_file(split / f"{name}.parquet") for name in tables}, "vocabulary": vocabulary.hash,
              "weights": _hash_weights(model)}
    code = hash_bytes(*(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))))
    resume = state_dir() / "train" / hash_json([label, run.model_dump(), model.config.to_dict(), inputs, code])[:24]
    sets = [Utterances.of(table, normalise=hears_standardised(model)) for table in possible.values()]
    leads = Team.joined().leads
    history = train(model, vocabulary, *sets, run, resume, error_rates, label, follow(output / LIVE) if leads else silent)
    if not leads:
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
    say(stage_line(label, counts(possible["train"]), {"more letters than frames": dropped})
        + f"; dev CER {kept['dev_cer']:.4f}, WER {kept['dev_wer']:.4f} after {last['step']:.0f} steps"
        + (f", the weights of step {kept['step']:.0f} kept" if kept["step"] != last["step"] else "") + f", {last['seconds']:.0f} s; "
        + f"{found.figures['trained_parameters'] / 1e6:.3g} of {found.figures['parameters'] / 1e6:.3g} M parameters trained, "
        + f"{figures['peak_memory_bytes'] / 2**30:.2f} GiB at most")


def trained_on(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a model learns from a split table: speaker, sentence hash, audio hash; an utterance a row."""
    return pd.DataFrame({"speaker": table["speaker"], "sentence": [hash_bytes(text.encode())[:24] for text in table["text"]],
                         "audio": table["audio_hash"]})


def overlap(before: pd.DataFrame, test: pd.DataFrame) -> dict[str, int]:
    """Return how many speakers, sentences and recordings of a test split a model has learned from."""
    asked = trained_on(test)
    asked.loc[test["speaker_dependent"], "speaker"] = ""  # one speaker by declaration: shared on purpose, and marked
    return {f"{name}s" if name != "audio" else "recordings": int(asked[name][asked[name] != ""].drop_duplicates().isin(set(before[name])).sum())
            for name in ("speaker", "sentence", "audio")}


def _hash_weights(model: Wav2Vec2ForCTC) -> str:
    return hash_bytes(*(tensor.detach().cpu().numpy().tobytes() for tensor in model.state_dict().values()))


def empty_trained_on(folder: Path) -> None:
    """Write the `trained_on` of a checkpoint whose training data are not known."""
    pd.DataFrame({"speaker": [], "sentence": [], "audio": []}, dtype=str).to_parquet(folder / TRAINED_ON, index=False)
