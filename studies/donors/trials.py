"""Transfer to Portuguese from every donor, and training from scratch, with the same Portuguese and the same seed.

Reads:  studies/donors/data/donor, studies/donors/data/speech/portuguese; data/split/portuguese, data/ingest/portuguese and
        data/tokenise/portuguese of the default run; `donor.model` of its params
Writes: studies/donors/data/trials/GROUP/: hypotheses.parquet, histories.csv, group.json
Params: transfer, trials.GROUP

Each finished training of a group is in the state folder until the group is complete: a killed group repeats none of them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.batching.waveforms import UtteranceAudio
from pipeline.core.files import atomic_folder, hash_bytes, hash_json, read_table, state_dir, write_json, write_table
from pipeline.core.params import read_params
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code
from pipeline.decoding.forward import decode_all
from pipeline.decoding.greedy import decode
from pipeline.model.artifact import fresh_model, load_model
from pipeline.model.device import choose_device, exclusive, set_threads
from pipeline.model.geometry import frame_duration_s
from pipeline.model.head import plan_head, transfer_head
from pipeline.model.vocabulary import Vocabulary
from pipeline.scoring.counts import error_rates
from pipeline.training.config import RunConfig
from pipeline.training.preflight import frames_and_needed
from pipeline.training.state import remove_state
from pipeline.training.trainer import Utterances, train
from studies.donors.settings import DONORS, MULTILINGUAL, SCRATCH, SPEECH, TRIALS, WEAK, Group, Transfer, donors, section
from studies.donors.speech import PORTUGUESE

SPLIT, INGEST, VOCABULARY = Path("data/split/portuguese"), Path("data/ingest/portuguese"), Path("data/tokenise/portuguese/vocabulary.json")
ANYWHERE = Path(".")
"""Root of all shards: the column `language` of a table holds the folder of its corpus."""


def starts(group: Group) -> dict[str, Path | None]:
    """Return the model that each training of a group starts from, None for scratch; donors alone at equal steps."""
    snapshot = group.snapshot
    found: dict[str, Path | None] = {code: DONORS / code / snapshot for code in donors()}
    if snapshot == "equal_cer":
        found |= {MULTILINGUAL: DONORS / MULTILINGUAL / snapshot, WEAK: DONORS / "es" / "weak", SCRATCH: None}
    return found


def pool() -> pd.DataFrame:
    """Return the Portuguese utterances to draw training sets from: the default's training split and the additional speech."""
    columns = ["utterance_id", "speaker", "text", "duration_s", "audio_hash", "corpus", "shard", "row"]
    return pd.concat([read_table(SPLIT / "train.parquet", columns).assign(language=INGEST.as_posix()),
                      read_table(SPEECH / PORTUGUESE / "train.parquet", columns).assign(language=(SPEECH / PORTUGUESE).as_posix())],
                     ignore_index=True)


def drawn(table: pd.DataFrame, minutes: float, seed: int) -> pd.DataFrame:
    """Return utterances of a table that last so many minutes together: a seed's larger set contains its smaller one."""
    rank = [hash_bytes(f"{seed}\0{name}".encode()) for name in table["utterance_id"]]
    table = table.assign(rank=rank).sort_values("rank", ignore_index=True).drop(columns="rank")
    return table[table["duration_s"].cumsum() <= minutes * 60]


def test_set(utterances: int) -> pd.DataFrame:
    """Return the part of the default's test split that every trial transcribes."""
    table = read_table(SPLIT / "test.parquet").assign(language=INGEST.as_posix())
    rank = pd.Series([hash_bytes(name.encode()) for name in table["utterance_id"]], table.index)
    return table.loc[rank.sort_values().index[:utterances]].sort_values("utterance_id", ignore_index=True)


def start_model(start: Path | None, vocabulary: Vocabulary, params: Transfer, seed: int) -> Any:
    """Return a model with a head for Portuguese: a donor's, or one with fresh weights.

    Args:
        start: folder of the donor, None for scratch.
        vocabulary: of Portuguese.
        params: of the transfer.
        seed: of fresh weights.
    """
    if start is None:
        return fresh_model(read_params()["donor"]["model"], vocabulary, seed)
    model, own, _ = load_model(start)
    plan = plan_head(own, vocabulary, params.head)
    model.lm_head = transfer_head(model.lm_head, plan, model.lm_head.in_features, model.config.initializer_range, seed)
    model.config.update({"vocab_size": len(plan), "pad_token_id": vocabulary.blank_row})
    return model


def trial(name: str, start: Path | None, group: Group, params: Transfer, state: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train from one start and transcribe the test set; return its hypotheses and its history.

    Args:
        name: of the start.
        start: its folder, None for scratch.
        group: minutes and seed.
        params: of the transfer.
        state: folder of the resume state.
    """
    vocabulary = Vocabulary.read(VOCABULARY)
    model = start_model(start, vocabulary, params, group.seed)
    tables = {"train": drawn(pool(), group.minutes, group.seed), "dev": read_table(SPLIT / "dev.parquet").assign(language=INGEST.as_posix())}
    sets = []
    for table in tables.values():
        frames, needed = frames_and_needed(model, vocabulary, table["text"].tolist(), table["duration_s"].to_numpy())
        sets.append(Utterances.of(table[frames >= needed].reset_index(drop=True), ANYWHERE))
    config = RunConfig(**params.config.model_dump(), steps=params.steps, peak_rate=params.peak_rate, warmup_steps=params.warmup_steps,
                       seed=group.seed)
    result = train(model, vocabulary, sets[0], sets[1], config, state, error_rates, f"{name}, {group.minutes:g} minutes, seed {group.seed}")
    test = test_set(params.test_utterances)
    audio, frame_s, device = UtteranceAudio(test, ANYWHERE), frame_duration_s(model), choose_device()
    set_threads(config.threads * config.replicas)
    with exclusive(device, config.threads * config.replicas):
        hypotheses = decode_all(model, lambda logits_TV: decode(logits_TV, vocabulary, frame_s).text, audio.waveform,
                                test["duration_s"].to_numpy(dtype=float), 60)
    table = pd.DataFrame({"start": name, "utterance_id": test["utterance_id"], "speaker": test["speaker"], "reference": test["text"],
                          "hypothesis": hypotheses})
    log(f"{name}: test WER {error_rates(test['text'].tolist(), hypotheses)[0]:.4f}, CER {error_rates(test['text'].tolist(), hypotheses)[1]:.4f}")
    return table, result.history.assign(start=name)


def run(name: str) -> None:
    """Run the trainings of a group that are not done yet, and write their hypotheses and histories.

    Args:
        name: a key of `trials`.
    """
    params, group = section(Transfer, "transfer"), section(Group, "trials", name)
    corpora = [read_table(SPLIT / f"{part}.parquet", ["audio_hash"])["audio_hash"].tolist() for part in ("train", "dev", "test")]
    extra = read_table(SPEECH / PORTUGUESE / "train.parquet", ["audio_hash"])["audio_hash"].tolist()
    parts, used = [], []
    for start_name, start in starts(group).items():
        weights = load_model(start)[2]["weights_hash"] if start else None
        key = hash_json([group.minutes, group.seed, params.model_dump(), weights, corpora, extra, read_params()["donor"]["model"]])
        folder = state_dir() / "donors" / f"trial-{key[:16]}"
        if not (folder / "done").exists():
            hypotheses, history = trial(start_name, start, group, params, folder / "training")
            write_table(folder / "hypotheses.parquet", hypotheses)
            history.to_csv(folder / "history.csv", index=False)
            remove_state(folder / "training")
            (folder / "done").touch()
        parts.append((read_table(folder / "hypotheses.parquet").assign(start=start_name),
                      pd.read_csv(folder / "history.csv").assign(start=start_name)))
        used.append(folder)
    with atomic_folder(TRIALS / name) as made:
        write_table(made / "hypotheses.parquet", pd.concat([one for one, _ in parts], ignore_index=True))
        pd.concat([one for _, one in parts], ignore_index=True).to_csv(made / "histories.csv", index=False)
        write_json(made / "group.json", {"group": name, **group.model_dump(), "fixed_cer": params.fixed_cer, "steps": params.steps,
                                         "test_utterances": int(parts[0][0]["utterance_id"].nunique())})
    for folder in used:
        shutil.rmtree(folder)


if __name__ == "__main__":
    with exit_with_code():
        run(*sys.argv[1:])
