"""Checkpoints from a model hub: one pinned revision, fetched once, only where the params allow it."""

from __future__ import annotations

import os
from pathlib import Path

import huggingface_hub

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import read_json, write_json
from pipeline.core.progress import say

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
SETTINGS = ("preprocessor_config.json", "vocab.json", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json", "config.json")
"""config.json last: a folder that has it is whole."""
NOTE = "hub.json"


def fetch(repository: str, revision: str, folder: Path, language: str | None, download: bool) -> None:
    """Bring a revision's files into `folder`, unless it holds them already; what was cut off goes on where it was.

    Args:
        repository: OWNER/NAME.
        revision: 40 hexadecimal digits; a branch would be another model tomorrow.
        language: whose adapter is wanted too, where there are any.
        download: whether the network may be used.

    Raises:
        DataError: the folder holds another revision or nobody knows what, or the hub does not answer.
        MissingInputError: it holds nothing, and nothing may be downloaded.
    """
    wanted = {"repository": repository, "revision": revision}
    if (folder / "config.json").exists():
        found = read_json(folder / NOTE) if (folder / NOTE).exists() else None
        if found != wanted:
            raise DataError(str(folder), f"a checkpoint from {found['repository'] + ' at ' + found['revision'] if found else 'nobody says where'}",
                            f"{repository} at {revision}", "empty the folder, or leave donor.hub out to take what is there")
        return
    if not download:
        raise MissingInputError(str(folder), "no checkpoint", f"{repository} at {revision}",
                                "set donor.hub.download: true, or copy the checkpoint there and leave donor.hub out")
    say(f"donor: fetching {repository} at {revision[:12]}")
    try:
        weights = _fetch(repository, revision, folder, language, wanted)
    except Exception as error:  # the client of the hub raises many kinds, the network's among them
        raise DataError(repository, f"cannot be fetched ({str(error).splitlines()[0]})", f"revision {revision} on the hub",
                        "run it again (what has come is kept), or copy the checkpoint there and leave donor.hub out") from None
    if weights is None:
        raise DataError(repository, f"no {' or '.join(WEIGHTS)} at {revision[:12]}", "weights of PyTorch", "take another checkpoint")


def _fetch(repository: str, revision: str, folder: Path, language: str | None, note: dict[str, str]) -> str | None:
    endpoint = os.environ.get("HF_ENDPOINT")
    there = set(huggingface_hub.HfApi(endpoint).list_repo_files(repository, revision=revision))
    weights = next((name for name in WEIGHTS if name in there), None)
    if weights is not None:
        adapter = next((name for ending in ("safetensors", "bin") if (name := f"adapter.{language}.{ending}") in there), None)
        write_json(folder / NOTE, note)
        for name in (weights, adapter, *SETTINGS):
            if name in there:
                huggingface_hub.hf_hub_download(repository, name, revision=revision, local_dir=folder, endpoint=endpoint)
    return weights
