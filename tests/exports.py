"""The outs of the stage `export` for tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.files import write_json, write_table
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
