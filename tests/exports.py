"""Exports for tests: the outs of the stage `export` for what reads them, and a champion with real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.files import hash_file, write_json, write_table
from pipeline.scoring.planted import omit_words

FILES = {"onnx": "model.onnx", "onnx-int8": "model.int8.onnx"}


def write_exports(root: Path, table: pd.DataFrame, lost: Mapping[str, float], challenger: str = "transfer", **changed: Any) -> None:
    """Write the exports of a system.

    Args:
        root: of the run.
        table: PyTorch's hypotheses.
        lost: backend to the share of words that its hypotheses lack, in whole per cents.
        challenger: its name.
        changed: other values in parity.json.
    """
    texts = [pd.DataFrame({"utterance_id": table["utterance_id"], "backend": backend, **{
        name: omit_words(table[name].tolist(), lambda position, share=share: position * 61 % 100 < 100 * share)  # type: ignore[misc]
        for name in ("hypothesis", "hypothesis_served")}}) for backend, share in lost.items()]
    write_table(root / f"data/export/{challenger}/hypotheses.parquet", pd.concat(texts))
    write_json(root / f"data/export/{challenger}/parity.json", {
        "schema": "vizinho.export/1", "system": challenger, "weights_hash": "ab" * 32, "decoder": None, "exports": [
            {"backend": backend, "file": FILES[backend], "hash": "cd" * 32, "bytes": 1000,
             "batch": {"batched": backend == "onnx", "max_logit_difference": 1e-6}} for backend in lost]} | changed)


def write_champion(folder: Path) -> Path:
    """Write a tiny model with its exports in `onnx/`; return its folder."""
    import torch

    from pipeline.exporting.int8 import quantise
    from pipeline.exporting.network import export_network
    from pipeline.model.artifact import load_model, save_model
    from tests import tiny

    random = tiny.model(seed=3)
    with torch.no_grad():
        random.lm_head.weight.mul_(60)
    words = tiny.vocabulary()
    save_model(random, words, folder, {})
    network, _, record = load_model(folder)
    (folder / "onnx").mkdir()
    export_network(network, folder / "onnx/model.onnx", {"vocabulary_hash": words.hash, "weights_hash": record["weights_hash"]})
    quantise(folder / "onnx/model.onnx", folder / "onnx/model.int8.onnx")
    write_json(folder / "onnx/parity.json", {"exports": [{"file": file, "hash": hash_file(folder / "onnx" / file)} for file in FILES.values()]})
    return folder
