"""`vizinho budget`: find the largest `batch_s` that fits this device, without training data."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.core.errors import ParamsError
from pipeline.core.files import ROOT, read_json, read_table

LIMIT_S = 110.0
"""Time limit; the rest of the two minutes is for the start and end of the process."""
SHARE = 0.9
"""Share of the device's memory to use; the rest is for fragmentation and other processes."""
SHORTEST_S, LONGEST_S = 1.0, 20.0
"""Lengths of utterances if neither a split nor a corpus limits them."""
LETTERS = 40
"""Rows of a head whose vocabulary does not exist yet."""
CEILING_S = 3600.0
"""Seconds of audio without a split; more than any device can process in a batch."""


def budget_of(params: dict[str, Any], system: str, memory_gib: float | None, root: Path = ROOT, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """Return the largest budget of a system's config on this machine's device, with each attempt.

    Raises:
        ParamsError: no system is trained with that config, or the shape of the network is not known yet.
        TrainingError: not even one utterance fits.
    """
    began = time.perf_counter()
    section, key = (params["donor"], "donor.config") if system == "donor" else (params["train"], "train.config")
    network, lengths_s, hours_s = shape(params, system, root), *lengths(params, system, root)

    from pipeline.model.device import choose_device, exclusive
    from pipeline.training.config import RunConfig, TrainingConfig, without_donor_settings
    from pipeline.training.preflight import device_memory_bytes
    from pipeline.tuning.batch_size import Attempt, find_budget

    config = TrainingConfig.model_validate(section["config"])
    if system != "donor" and section["systems"][system]["starts_from"].endswith(".json"):  # fresh weights
        config = without_donor_settings(config)
    run = RunConfig(**config.model_dump(), steps=section["steps"], peak_rate=1e-6, warmup_steps=0, seed=1)
    device = choose_device()
    limit = int(memory_gib * 2**30 if memory_gib else SHARE * device_memory_bytes(device))

    def report(attempt: Attempt) -> None:
        result = "fits" if attempt.fits else "does not fit" if attempt.seconds else "would not fit"
        print(f"{attempt.budget_s:8.1f} s  {result:13}  {attempt.peak_bytes / 2**30:6.2f} GiB  in {attempt.seconds:4.1f} s", file=sys.stderr,
              flush=True)

    with exclusive(device, run.threads * run.replicas):
        found = find_budget(network, run, lengths_s, device, limit, max(hours_s / run.processes, max(lengths_s)),
                            limit_s - (time.perf_counter() - began), report)
    best = next(attempt for attempt in reversed(found.attempts) if attempt.budget_s == found.budget_s)
    return {"key": f"{key}.batch_s", "batch_s": rounded(found.budget_s), "now": config.batch_s, "closed": found.closed, "device": str(device),
            "memory_bytes": limit, "peak_bytes": best.peak_bytes, "lengths_s": list(lengths_s), "seconds": round(time.perf_counter() - began, 1),
            "attempts": [{"budget_s": one.budget_s, "fits": one.fits, "seconds": round(one.seconds, 2), "peak_bytes": one.peak_bytes}
                         for one in found.attempts]}


def render_budget(found: dict[str, Any]) -> str:
    """Return the budget as text for the terminal, with what to do next."""
    longest, shortest = max(found["lengths_s"]), min(found["lengths_s"])
    bound = "" if found["closed"] else "; more may fit: the time limit was reached, or all of the audio is used"
    return (f"{found['key']}: {found['batch_s']:g}\n"
            f"the largest that fits {found['memory_bytes'] / 2**30:.1f} GiB on {found['device']}, with utterances of {shortest:.1f} to "
            f"{longest:.1f} s ({found['peak_bytes'] / 2**30:.1f} GiB at most, {len(found['attempts'])} attempts in {found['seconds']:.0f} s{bound}). "
            f"Now it is {found['now']:g}.\n"
            "Write it into the params yourself: the batches, and so the weights, depend on it. A larger batch is fewer and better steps, not "
            "always a better model: keep batch_s * accumulate * processes as it was to change the speed alone.")


def shape(params: dict[str, Any], system: str, root: Path) -> dict[str, Any]:
    """Return the content of config.json of the network to train.

    Raises:
        ParamsError: the donor is a checkpoint, so it is not trained; or its checkpoint is missing, so its shape is not known.
    """
    source = root / params["donor"]["source"]
    checkpoint = (source / "config.json").exists() or bool(params["donor"].get("hub"))
    from_scratch = Path(params["donor"]["source"]).parts[:2] == ("data", "split")
    if system == "donor" and (checkpoint or not from_scratch):
        raise ParamsError("params.yaml", [f"donor.source: found {params['donor']['source']}, a checkpoint; no system is trained with donor.config"])
    language = "spanish" if system == "donor" else "portuguese"
    vocabulary = root / f"data/tokenise/{language}/vocabulary.json"
    rows = len(read_json(vocabulary)) if vocabulary.exists() else LETTERS
    if from_scratch:
        from pipeline.model.artifact import CTC

        return {**CTC, **params["donor"]["model"], "vocab_size": rows}
    for config in (root / "data/donor/config.json", source / "config.json"):
        if config.exists():
            return {**read_json(config), "vocab_size": rows}
    raise ParamsError("params.yaml", [f"donor.source: {params['donor']['source']} has no config.json; fetch the checkpoint first "
                                      "(profiles/README.md), or run `dvc repro donor`"])


def lengths(params: dict[str, Any], system: str, root: Path) -> tuple[tuple[float, float], float]:
    """Return the lengths of the longest and of a short utterance, and the seconds of audio.

    They come from the split if it exists, otherwise from the limits of the corpora.
    """
    language = "spanish" if system == "donor" else "portuguese"
    split = root / f"data/split/{language}/train.parquet"
    if split.exists():
        duration_s = read_table(split, ["duration_s"])["duration_s"]
        if len(duration_s):
            return (float(duration_s.max()), float(duration_s.quantile(0.01))), float(duration_s.sum())
    corpora = [section for section in params["ingest"].values() if section["language"] == language]
    return (max((section.get("max_duration_s", LONGEST_S) for section in corpora), default=LONGEST_S), SHORTEST_S), CEILING_S


def rounded(budget_s: float) -> float:
    """Return a budget to three figures, downwards: a smaller budget fits too."""
    digits = 2 - math.floor(math.log10(budget_s))
    return math.floor(budget_s * 10**digits) / 10**digits
