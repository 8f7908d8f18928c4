"""Models and data in DVC: laid out, put in, copied to the remote, and hashed where they lie.

What changes something is a `dvc` command run in the checkout meant: as a library DVC reads the dvc.yaml of whatever
folder the process is in, and mixes two checkouts up. Bytes in cache and remote are read through its object stores,
which no command gives access to.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from pipeline.core.errors import DataError, PipelineError

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB


LIMIT_S: Final = 3600.0
"""A champion's folder that has not come or gone in an hour: DVC itself waits for ever for a remote that takes connections and no bytes."""


def dvc(root: Path, *words: str) -> None:
    """Run `dvc WORDS` in a checkout.

    Raises:
        PipelineError: it failed, or was not done in an hour; what it said is in the message.
    """
    try:
        done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, capture_output=True, check=False, timeout=LIMIT_S,
                              env={**os.environ, "DVC_NO_ANALYTICS": "1"})
    except subprocess.TimeoutExpired:
        raise PipelineError(f"dvc {words[0]} in {root}", f"not done after {LIMIT_S:g} s", "a remote that takes and gives bytes",
                            "look at the DVC remote, then run again: what has arrived is not sent twice") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").partition("ERROR: ")[2] or done.stderr.decode(errors="replace")
        raise PipelineError(f"dvc {words[0]} in {root}", " ".join(said.split()) or f"exit code {done.returncode}")


def _config(root: Path) -> Any:
    from dvc.config import Config

    return Config(str(root / ".dvc"))


def has_remote(root: Path) -> bool:
    """Return whether a default DVC remote is configured."""
    return bool(_config(root)["core"].get("remote"))


def share(root: Path, clone: Path) -> None:
    """Let a clone use the cache and the remotes of `root`, secrets included."""
    known = _config(root)
    with _config(clone).edit("local", validate=False) as config:
        config["cache"] = {**known["cache"], "dir": known["cache"].get("dir") or str(root / ".dvc/cache")}
        config["remote"] = known["remote"]
        config["core"] = {key: value for key, value in known["core"].items() if key == "remote"}


def set_cache(clone: Path, folder: Path) -> None:
    """Let a clone use a cache folder, unless this machine's DVC configuration names one."""
    if not _config(clone)["cache"].get("dir"):
        with _config(clone).edit("local", validate=False) as config:
            config["cache"] = {"dir": str(folder)}


def remotes(root: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of every DVC remote, secrets included."""
    return dict(_config(root)["remote"])


def take(root: Path, targets: Sequence[str]) -> None:
    """Lay tracked files or folders out in a checkout: from the cache, else from the remote.

    Raises:
        DataError: neither has them.
    """
    try:
        dvc(root, "checkout", "--force", *targets)
    except PipelineError as error:
        try:
            if not has_remote(root):
                raise
            dvc(root, "pull", "--force", *targets)
        except PipelineError:
            raise DataError(", ".join(targets), f"cannot be laid out ({error.found})", "them in the DVC cache or the default remote",
                            "`dvc push` where they were made") from None


def places(root: Path) -> dict[str, HashFileDB]:
    """Return where contents may lie: `cache`, and `remote` if one is configured."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return {"cache": repo.cache.local} | ({"remote": repo.cloud.get_remote_odb()} if has_remote(root) else {})


def hashes(place: HashFileDB, oid: str) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder (of a file: under the name ""), as its bytes are in `place` now.

    Args:
        place: the cache or the remote.
        oid: the object id in DVC: an MD5, ending in `.dir` for a folder.

    Raises:
        FileNotFoundError: `place` lacks it, or a file of it.
        DataError: the listing of the folder is damaged.
    """
    if not oid.endswith(".dir"):
        return {"": _sha256(place, oid)}
    with place.fs.open(place.oid_to_path(oid), "rb") as handle:
        listing = handle.read()
    if hashlib.md5(listing).hexdigest() != oid.removesuffix(".dir"):
        raise DataError(oid, "the folder's listing is damaged", f"content of that hash in {place.path}", "copy it from a good one")
    return {entry["relpath"]: _sha256(place, entry["md5"]) for entry in json.loads(listing)}


def _sha256(place: HashFileDB, oid: str) -> str:
    digest = hashlib.sha256()
    with place.fs.open(place.oid_to_path(oid), "rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def locked(lock: dict[str, Any]) -> dict[str, str]:
    """Return what each out of a dvc.lock is called by DVC: path to hash."""
    return {out["path"]: out["md5"] for stage in lock.get("stages", {}).values() for out in stage.get("outs", ()) if "md5" in out}


def pointed(pointer: str) -> str:
    """Return what a pointer (`FOLDER.dvc`) calls its folder."""
    return str(yaml.safe_load(pointer)["outs"][0]["md5"])
