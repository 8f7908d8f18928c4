"""Train the donor of a language, or the multilingual one: one run at a constant rate, of which several snapshots are kept.

The rate is constant and the weights are averaged over the last steps, so that a snapshot does not depend on how long the run goes on:
the weights at a dev CER (`equal_cer`), those at a number of steps (`equal_steps`), and of Spanish some early ones (`weak`).

Reads:  studies/donors/data/speech/LANGUAGE; `donor.model` of the default's params
Writes: studies/donors/data/donor/LANGUAGE/: a model folder per snapshot, history.csv, donor.json
Params: donor
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.files import atomic_folder, hash_json, read_table, state_dir, write_json
from pipeline.core.params import read_params
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code
from pipeline.model.artifact import fresh_model, save_model
from pipeline.model.device import choose_device, exclusive, set_threads
from pipeline.model.provenance import TRAINED_ON, trained_on
from pipeline.model.vocabulary import Vocabulary
from pipeline.scoring.counts import error_rates
from pipeline.tokenise import SPECIAL, count_letters
from pipeline.training.config import RunConfig
from pipeline.training.distributed import ProcessGroup
from pipeline.training.metrics import discard
from pipeline.training.preflight import frames_and_needed
from pipeline.training.state import remove_state
from pipeline.training.trainer import Trainer, TrainingResult, Utterances
from studies.donors.settings import DONORS, MULTILINGUAL, SPEECH, Donor, Snapshot, donors, section


class SnapshotTrainer(Trainer):
    """A training that keeps the averaged weights of some evaluations, and ends when it has all of them."""

    def prepare(self, wanted: Mapping[Snapshot, int], target_cer: float, folder: Path, record: Mapping[str, Any], table: pd.DataFrame) -> None:
        """Set what to keep.

        Args:
            wanted: steps of the snapshots that are taken at a number of steps.
            target_cer: dev CER at or below which `equal_cer` is taken.
            folder: for the snapshots; it outlives an interruption.
            record: of the models.
            table: the training set.
        """
        self.wanted, self.target_cer, self.folder, self.record, self.table = wanted, target_cer, folder, record, table

    def evaluate(self, waited_s: float) -> str:
        """Evaluate, and keep the weights if this is the evaluation of a snapshot."""
        line = super().evaluate(waited_s)
        for name in taken(self.progress.history, self.wanted, self.target_cer, self.config.steps):
            with self.learner.ema.applied():
                row = self.progress.history[-1]
                save_model(self.learner.model, self.vocabulary, self.folder / name,
                           {"label": self.label, "system": "donor", "snapshot": name, "step": row["step"], "dev_cer": row["dev_cer"], **self.record},
                           lambda made: trained_on(self.table).to_parquet(made / TRAINED_ON, index=False))
                self.learner.model.train()
        return line

    def _stops_early(self) -> bool:
        history = self.progress.history
        return first_at(history, self.target_cer) is not None and history[-1]["step"] >= max(self.wanted.values())


def first_at(history: Sequence[Mapping[Any, Any]], cer: float) -> int | None:
    """Return the step of the first evaluation with a dev CER of at most `cer`, None if there is none."""
    return next((int(row["step"]) for row in history if row["dev_cer"] <= cer), None)


def taken(history: Sequence[Mapping[Any, Any]], wanted: Mapping[Snapshot, int], target_cer: float, last_step: int) -> list[Snapshot]:
    """Return the snapshots that are taken at the last evaluation of a history.

    A run that never reaches the target gives its last weights as `equal_cer`; donor.json records that.
    """
    step = int(history[-1]["step"])
    found: list[Snapshot] = [name for name, at in wanted.items() if at == step]
    reached = first_at(history, target_cer)
    if reached == step or (reached is None and step == last_step):
        found.append("equal_cer")
    return found


def tables_of(code: str, languages: list[str]) -> dict[str, pd.DataFrame]:
    """Return the train and dev tables of a donor; the multilingual one has an equal share of the hours of each language.

    Args:
        code: a language or `multilingual`.
        languages: of the multilingual donor.
    """
    tables = {}
    for name in ("train", "dev"):
        if code != MULTILINGUAL:
            tables[name] = read_table(SPEECH / code / f"{name}.parquet")
            continue
        parts = [read_table(SPEECH / one / f"{name}.parquet") for one in languages]
        tables[name] = pd.concat([first_share(part, len(parts), order) for order, part in enumerate(parts)], ignore_index=True)
    return tables


def first_share(table: pd.DataFrame, parts: int, order: int) -> pd.DataFrame:
    """Return one of `parts` shares of a table's hours: that of number `order`, so that languages with equal sentences have others."""
    position = table["duration_s"].cumsum() / table["duration_s"].sum()
    return table[(position > order / parts) & (position <= (order + 1) / parts)]


def vocabulary_of(texts: pd.Series) -> Vocabulary:
    """Return the vocabulary of a donor: the special symbols and the letters of its training texts."""
    return Vocabulary((*SPECIAL, *count_letters(texts)))


def run(code: str) -> None:
    """Train a donor and write its snapshots.

    Args:
        code: a language or `multilingual`.

    Raises:
        DataError: the speech of a language is missing.
    """
    params = section(Donor, "donor")
    tables = tables_of(code, donors())
    vocabulary = vocabulary_of(tables["train"]["text"])
    model = fresh_model(read_params()["donor"]["model"], vocabulary, params.seed)
    for name, table in tables.items():
        frames, needed = frames_and_needed(model, vocabulary, table["text"].tolist(), table["duration_s"].to_numpy())
        tables[name] = table[frames >= needed].reset_index(drop=True)
        if tables[name].empty:
            raise DataError(f"donor@{code}", f"no utterance of {name} has enough frames for its text", "speech at 16 kHz", "make the speech again")
    config = RunConfig(**params.config.model_dump(), steps=params.max_steps, peak_rate=params.peak_rate, warmup_steps=params.warmup_steps,
                       seed=params.seed)
    wanted: dict[Snapshot, int] = {"equal_steps": params.steps} | ({"weak": params.weak_steps} if code == "es" else {})
    key = hash_json([code, params.model_dump(), model.config.to_dict(), {name: table["audio_hash"].tolist() for name, table in tables.items()},
                     {name: table["text"].tolist() for name, table in tables.items()}])
    state = state_dir() / "donors" / f"{code}-{key[:16]}"
    result = train_snapshots(model, vocabulary, tables, config, state, f"donor@{code}", params, wanted)
    with atomic_folder(DONORS / code) as folder:
        shutil.copytree(state / "snapshots", folder, dirs_exist_ok=True)
        result.history.to_csv(folder / "history.csv", index=False)
        history = result.history.to_dict("records")
        write_json(folder / "donor.json", {
            "language": code, "target_cer": params.target_cer, "steps_to_target": first_at(history, params.target_cer),
            "snapshots": {name: next({"step": int(row["step"]), "dev_cer": row["dev_cer"], "dev_wer": row["dev_wer"]} for row in history
                                     if name in taken(history[: history.index(row) + 1], wanted, params.target_cer, config.steps))
                          for name in (*wanted, "equal_cer")},
            "symbols": len(vocabulary.symbols),
            "hours": {name: round(float(table["duration_s"].sum()) / 3600, 4) for name, table in tables.items()},
            "speakers": {name: int(table["speaker"].nunique()) for name, table in tables.items()}})
    remove_state(state)
    log(f"donor@{code}: dev CER {params.target_cer:g} reached at step {first_at(history, params.target_cer)}, "
        f"{history[-1]['dev_cer']:.4f} at step {int(history[-1]['step'])}")


def train_snapshots(model: Any, vocabulary: Vocabulary, tables: Mapping[str, pd.DataFrame], config: RunConfig, state: Path, label: str,
                    params: Donor, wanted: Mapping[Snapshot, int]) -> TrainingResult:
    """Train a model and keep its snapshots under `state`; an interrupted run goes on from there.

    Args:
        model: with fresh weights.
        vocabulary: of the model.
        tables: train and dev.
        config: of the run.
        state: folder of the resume state and the snapshots.
        label: for the log.
        params: of the stage.
        wanted: steps of the snapshots.
    """
    train_set, dev_set = (Utterances.of(tables[name], SPEECH) for name in ("train", "dev"))
    set_threads(config.threads)
    device = choose_device()
    with exclusive(device, config.threads * config.replicas):
        model.to(device)
        trainer = SnapshotTrainer(model, vocabulary, train_set, dev_set, config, state, error_rates, label, discard, device, ProcessGroup.joined())
        trainer.prepare(wanted, params.target_cer, state / "snapshots", {"normaliser": "study/1", "params": config.model_dump(), "figures": {}},
                        tables["train"])
        return trainer.run()


if __name__ == "__main__":
    with exit_with_code():
        run(*sys.argv[1:])
