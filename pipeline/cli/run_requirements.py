"""Requirements of a run, checked before it starts: data, checkpoint, device, memory, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files import ROOT, read_json
from pipeline.model.shards import WEIGHTS
from pipeline.sources.remote import is_address, shown

LARGE: int = 30_000_000  # parameters; a larger model needs a GPU
LETTERS = 40  # rows of a head whose vocabulary does not exist yet
COPIES = 12
"""Times a model's bytes: the donor and three systems here and in DVC's cache, and a resume state of three times the weights."""
GROWTH = 4
"""Times a release's bytes: MP3 at 48 kbit/s becomes FLAC of twice as much, which DVC's cache links where the file system can and copies otherwise."""

GPUS = ("proc/driver/nvidia/gpus/*", "dev/nvidia[0-9]*")
"""Files of a driver that has found a GPU: quicker to ask than torch, which takes seconds to load."""

Line = tuple[str, bool]


def examine_needs(params: dict[str, Any], root: Path = ROOT) -> tuple[list[str], bool]:
    """Return a line per requirement of valid params, with whether it is met, and whether all are met."""
    from pipeline.training.preflight import meta_model

    sources = {section["source"]: root / section["source"] for section in params["ingest"].values()}
    sizes = {name: 0 if path.is_relative_to(root / "pipeline") else _size(path) for name, path in sources.items() if path.exists()}
    checkpoint, config = _checkpoint(params, root)
    model = None if config is None else meta_model(config)
    aligners = [_aligner(section["aligner"], root) for section in params["align"].values()]
    lines = [*_data(params, root, sizes), *_texts(params["language_model"], root), checkpoint, *_starts(params, root), *aligners,
             *_device(params, model),
             _disk(model, root, list(sizes.values()), len(sizes) == len(sources))]
    return [line for line, _ in lines], all(good for _, good in lines)


def unmet_needs(params: dict[str, Any], stages: Collection[str], root: Path = ROOT, system: Path = Path("/")) -> list[str]:
    """Return a line per requirement of these stages that is not met: releases, texts, checkpoints, a GPU.

    It takes no second: torch is loaded only to confirm that a GPU is missing.

    Args:
        params: valid params.
        stages: addresses in dvc.yaml, such as ingest@speak-pt.
        root: the checkout.
        system: root of the system's files, where a driver lists its GPUs.
    """
    members = {module: {stage.partition("@")[2] for stage in stages if stage.partition("@")[0] == module}
               for module in ("ingest", "language_model", "align", "donor", "train")}
    corpora = {corpus: section for corpus, section in params["ingest"].items() if corpus in members["ingest"]}
    lines = _data({"ingest": corpora}, root, {section["source"]: 0 for section in corpora.values() if (root / section["source"]).exists()})
    lines += _texts({language: params["language_model"][language] for language in sorted(members["language_model"])}, root)
    lines += [_aligner(params["align"][language]["aligner"], root) for language in sorted(members["align"])]
    if members["donor"]:
        lines.append(_checkpoint(params, root)[0])
    lines += _starts(params, root, members["train"])
    trained_here = Path(params["donor"]["source"]).parts[:2] == ("data", "split")
    if (members["donor"] or members["train"]) and not trained_here and not any(any(system.glob(pattern)) for pattern in GPUS):
        checkpoint, config = _checkpoint(params, root)
        if checkpoint[1]:
            from pipeline.training.preflight import meta_model

            lines += [line for line in _device(params, None if config is None else meta_model(config)) if line[0].startswith("GPU")]
    return [line for line, good in lines if not good]


def _data(params: dict[str, Any], root: Path, sizes: dict[str, int]) -> list[Line]:
    found = []
    for corpus, section in params["ingest"].items():
        source, label = root / section["source"], f"{corpus}: {section['source']}"
        if is_address(section["source"]):
            found.append((f"data             {corpus}: {shown(section['source'])}, fetched by the run", True))
        elif source.is_relative_to(root / "pipeline") and source.exists():
            found.append((f"data             {corpus}: spoken here, nothing to fetch", True))
        elif section["source"] in sizes:
            found.append((f"data             {label}, {sizes[section['source']] / 2**30:.1f} GiB", True))
        elif source.with_name(f"{source.name}.dvc").exists():
            found.append((f"data             {label} is tracked by DVC and not checked out: `dvc pull {section['source']}`", False))
        else:
            found.append((f"data             {label} is missing: docs/guides/corpora.md lists the files of the reader {section['reader']}", False))
    return found


def _texts(sections: dict[str, Any], root: Path) -> list[Line]:
    """Return a line per text of a language model that is brought in: a file, or a release."""
    found = []
    for language, section in sections.items():
        for name, text in section["texts"].items():
            source = text.get("file") or (text.get("corpus") or {}).get("source")
            if source and not is_address(source):
                label, good = f"text             {language}, {name}: {source}", (root / source).exists()
                found.append((label if good else f"{label} is missing: docs/guides/corpora.md lists the files of a release; a file has one sentence "
                                                 "per line", good))
    return found


def _aligner(folder: str, root: Path) -> Line:
    """Return the line on the model that filters transcripts."""
    if not folder.startswith("data/raw/") or (root / folder / "config.json").exists():
        return f"aligner          {folder}", True
    return f"aligner          {folder} is missing: put a model (config.json, vocab.json, weights) into it", False


def _checkpoint(params: dict[str, Any], root: Path) -> tuple[Line, dict[str, Any] | None]:
    """Return the line on the donor, and its configuration; None if that is not known yet."""
    donor = params["donor"]
    source = root / donor["source"]
    if Path(donor["source"]).parts[:2] == ("data", "split"):
        return (f"donor            trained here, {donor['steps']} steps", True), {**donor["model"], "vocab_size": LETTERS}
    config = source / "config.json"
    if config.exists():
        weights = next((name for name in WEIGHTS if (source / name).exists()), None)
        lacking = [name for name, found in (("model.safetensors or pytorch_model.bin", weights), ("vocab.json", (source / "vocab.json").exists()))
                   if not found]
        if lacking:
            found = f"donor            {donor['source']} has no {' and no '.join(lacking)}: fetch the whole checkpoint"
            return (found, False), read_json(config)
        return (f"donor            {donor['source']}, {weights}", True), read_json(config)
    hub = donor.get("hub")
    if hub and hub.get("download"):
        return (f"donor            {hub['repository']} at {hub['revision'][:12]}, fetched by the run into {donor['source']}", True), None
    return (f"donor            {donor['source']} is missing: put a checkpoint (config.json, vocab.json, weights) into it, or set donor.hub "
            "(profiles/README.md)", False), None


def _starts(params: dict[str, Any], root: Path, systems: Collection[str] | None = None) -> list[Line]:
    """Return a line per system that starts from another checkpoint than the donor; only of these systems, if they are given."""
    found = []
    for system, section in params["train"]["systems"].items():
        if section["starts_from"].startswith("data/raw/") and (systems is None or system in systems):
            label = f"start            {system}: {section['starts_from']}"
            good = (root / section["starts_from"] / "config.json").exists()
            found.append((label if good else f"{label} is missing: put a checkpoint (config.json and weights) into it", good))
    return found


def _device(params: dict[str, Any], model: Any) -> list[Line]:
    from pipeline.model.device import choose_device
    from pipeline.training.config import RunConfig
    from pipeline.training.preflight import device_memory_bytes, estimate_memory

    device, config = choose_device(), params["train"]["config"]
    gpu = device.type == "cuda"
    if model is None:
        wanted = config.get("precision") == "bf16" and not gpu
        return [("GPU              none found, and train.config.precision: bf16 needs one", False)] if wanted else []
    if config.get("freeze_feature_encoder"):
        model.freeze_feature_encoder()
    number = sum(weight.numel() for weight in model.parameters())
    longest_s = max(section.get("max_duration_s", 20.0) for section in params["ingest"].values())
    run = RunConfig(**config, steps=params["train"]["steps"], peak_rate=1e-4, warmup_steps=0, seed=0)
    needed = sum(estimate_memory(model, run, longest_s))
    room = device_memory_bytes(device)
    what = f"about {needed / 2**30:.1f} GiB for a step of {number / 1e6:.1f} M parameters, {room / 2**30:.0f} GiB on the {'GPU' if gpu else 'CPU'}"
    lines = [(f"memory           {what}" + ("" if needed <= room else ": lower train.config.batch_s and raise accumulate, or gradient_checkpointing"),
              needed <= room)]
    if number > LARGE and not gpu:
        lines.append((f"GPU              none found, and {number / 1e6:.0f} M parameters need one", False))
    return lines


def _disk(model: Any, root: Path, sizes: list[int], whole: bool) -> Line:
    needed = (1 << 30) + GROWTH * sum(sizes)
    if model is not None:
        needed += COPIES * 4 * sum(weight.numel() for weight in model.parameters())
    free = shutil.disk_usage(root).free
    unknown = "" if model is not None and whole else ", and more for what is missing"
    return f"space            about {needed / 2**30:.0f} GiB needed{unknown}, {free / 2**30:.0f} GiB free", free >= needed


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except OSError as error:
                raise PipelineError(os.path.join(folder, name), f"cannot be read ({error.strerror})", "a whole release") from None
    return total
