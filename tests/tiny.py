"""Models and corpora small enough to train within a test: an alphabet of tones instead of speech."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from pipeline.audio.codecs import encode_flac
from pipeline.audio.samples import to_int16
from pipeline.core.manifest import SAMPLE_RATE_HZ, SLICES
from pipeline.model.artifact import fresh_model
from pipeline.model.vocabulary import Vocabulary

torch.set_num_threads(1)  # more only wait for each other on work this small

LETTERS = "aeosr"
TEXTS = ("asa", "ossos", "rosa era", "era", "arrasa", "serra", "ora essa", "raros ares", "seres", "o rosa")

SHAPE: dict[str, Any] = {
    "conv_dim": [32, 32], "conv_kernel": [400, 4], "conv_stride": [160, 2], "conv_bias": True, "hidden_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 64, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
    "hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "feat_proj_dropout": 0.0, "final_dropout": 0.0,
    "apply_spec_augment": False, "mask_time_prob": 0.0, "front_end": "filterbank",
}
"""20 ms per frame, one layer of 32."""


def vocabulary(letters: str = LETTERS) -> Vocabulary:
    """Return a vocabulary as `tokenise` would write it."""
    return Vocabulary(("<pad>", "<unk>", "|", *letters))


def model(words: Vocabulary | None = None, seed: int = 1, **shape: Any) -> Any:
    """Return a tiny model with random weights, in evaluation mode."""
    return fresh_model({**SHAPE, **shape}, words or vocabulary(), seed).eval()


def spoken(text: str, seed: int = 0) -> npt.NDArray[np.int16]:
    """Return 16 kHz samples in which each letter is a tone of 100 ms with a pause of 40 ms after it."""
    draw = np.random.default_rng([seed, *text.encode()])
    pieces = [np.zeros(800)]
    for letter in text:
        time_s = np.arange(1600) / SAMPLE_RATE_HZ
        hz = 0 if letter == " " else 350.0 * 1.6 ** LETTERS.index(letter)
        pieces += [0.3 * np.sin(2 * np.pi * hz * time_s) * np.hanning(1600), np.zeros(640)]
    clean = np.concatenate(pieces)
    return to_int16((clean + draw.normal(0, 0.003, len(clean))).astype(np.float32))


def write_split(root: Path, texts: Sequence[str], name: str = "train", language: str = "portuguese", corpus: str = "tones",
                seed: int = 0) -> pd.DataFrame:
    """Write the texts' audio to two shards of several row groups under `data/ingest`, the split table to `data/split`;
    return the table.
    """
    samples = [spoken(text, seed + number) for number, text in enumerate(texts)]
    table = pd.DataFrame({
        "utterance_id": [f"{corpus}/{name}-{number:03d}" for number in range(len(texts))], "corpus": corpus, "language": language,
        **dict.fromkeys(set(SLICES) - {"corpus"}, ""), "speaker": [f"{corpus}/{name}-{number % 2}" for number in range(len(texts))],
        "licence": "CC0-1.0", "duration_s": [len(one) / SAMPLE_RATE_HZ for one in samples], "snr_db": 30.0,
        "audio_hash": [f"{name}{number}" for number in range(len(texts))], "text": list(texts), "variants": list(texts),
        "transcript": [f"{text.capitalize()}." for text in texts],
        "normaliser": "pt-BR/1", "speaker_dependent": False,
    })
    half = (len(texts) + 1) // 2
    table["shard"] = [f"{name}-{number // half:05d}.parquet" for number in range(len(texts))]
    table["row"] = [number % half for number in range(len(texts))]
    for shard, rows in table.groupby("shard"):
        write_shard(root / "data/ingest" / language / corpus / str(shard), [encode_flac(samples[number]) for number in rows.index])
    target = root / "data/split" / language / f"{name}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(target)
    return table


def write_shard(path: Path, files: Sequence[bytes]) -> None:
    """Write sound files to a shard as ingest lays it out, three to a row group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = pa.array([{"bytes": file, "path": f"{number}.flac"} for number, file in enumerate(files)],
                     pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"utterance_id": [str(number) for number in range(len(files))], "audio": audio}), path, row_group_size=3)
