"""Small releases for the readers' tests: sounds on disk, tables beside them, and what ingest makes of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import yaml

from pipeline import ingest
from pipeline.core.files import ROOT

SHARED = ROOT.parent / "shared" / "speech"


def sound(path: Path, duration_s: float = 1.0, rate_hz: int = 16_000, hz: float | None = None, **given: Any) -> None:
    """Write a tone, by default of a pitch of its own, in the format that the file's name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".opus":
        given |= {"format": "OGG", "subtype": "OPUS"}
    hz = hz or 200 + sum(str(path).encode()) % 1_000 + len(list(path.parent.iterdir()))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * duration_s)) / rate_hz), rate_hz, **given)


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def take_in(root: Path, **params: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what ingest took in of the corpus `toy`, and what it rejected; `source` is relative to `root`."""
    section = {"language": "portuguese", "max_reject_share": 0.9, **params}
    (root / "params.yaml").write_text(yaml.safe_dump({"ingest": {"toy": section}}))
    ingest.run("toy", root=root, workers=1)
    folder = root / "data" / "ingest" / section["language"] / "toy"
    taken = pd.concat(map(pd.read_parquet, sorted(folder.glob("shard-*.parquet"))))
    return taken, pd.read_parquet(folder / "rejects.parquet")
