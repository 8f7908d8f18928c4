"""Checkpoints from a model hub: one pinned revision, downloaded once, and only if the params allow it."""

from __future__ import annotations

import os
from pathlib import Path

import huggingface_hub

from pipeline.core.errors import DataError
from pipeline.core.progress import log
from pipeline.model.shards import WEIGHTS, shards
from pipeline.sources.hub import fetch_once

SETTINGS = ("processor_config.json", "preprocessor_config.json", "feature_extractor_config.json", "vocab.json", "added_tokens.json",
            "special_tokens_map.json", "tokenizer_config.json", "config.json")
"""config.json last: a folder that has it is complete."""


def fetch(repository: str, revision: str, folder: Path, language: str | None, download: bool) -> None:
    """Download the files of a revision into `folder` unless it has them; an interrupted download resumes.

    Args:
        repository: OWNER/NAME.
        folder: the folder of the checkpoint.
        revision: 40 hexadecimal digits, since a branch may change.
        language: whose adapter is needed too, if there are any.
        download: whether the network may be used.

    Raises:
        DataError: the folder holds another revision or files of unknown origin, the hub does not answer, or there are no weights.
        MissingInputError: files are missing, and `download` is false.
    """
    def download_files() -> None:
        log(f"donor: fetching {repository} at {revision[:12]}")
        endpoint = os.environ.get("HF_ENDPOINT")
        available = set(huggingface_hub.HfApi(endpoint).list_repo_files(repository, revision=revision))

        def get(name: str) -> Path:
            return Path(huggingface_hub.hf_hub_download(repository, name, revision=revision, local_dir=folder, endpoint=endpoint))

        weights = next((name for name in WEIGHTS if name in available), None)
        if weights is None:
            raise DataError(repository, f"no {' or '.join(WEIGHTS)} at {revision[:12]}", "weights of PyTorch", "take another checkpoint")
        adapter = next((name for ending in ("safetensors", "bin") if (name := f"adapter.{language}.{ending}") in available), None)
        for name in shards(get(weights)):
            get(name)
        for name in (adapter, *SETTINGS):  # type: ignore[assignment]
            if name in available:
                get(name)

    fetch_once(folder, {"repository": repository, "revision": revision}, "checkpoint", "donor.hub", download, download_files)
