"""Models and data in DVC: check out, add, push, and hash the bytes in cache and remote.

Every change is a `dvc` command that runs in the checkout: as a library, DVC reads the dvc.yaml of the process's current
folder and confuses two checkouts. Bytes in cache and remote are read through DVC's object databases, to which no
command gives access.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from pipeline.core.errors import DataError, PipelineError
from pipeline.registry.git import without_redirects

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB


LIMIT_S: Final = 3600.0
"""Time limit of a `dvc` command. DVC itself waits for ever for a remote that accepts connections and no bytes."""


def dvc(root: Path, *arguments: str, **environment: str) -> None:
    """Run `dvc ARGUMENTS` in a checkout, with further variables of the environment.

    Raises:
        PipelineError: it failed, or took longer than an hour; its error message is included.
    """
    try:
        done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True, check=False, timeout=LIMIT_S,
                              env={**without_redirects(os.environ), "DVC_NO_ANALYTICS": "1", **environment})
    except subprocess.TimeoutExpired:
        raise PipelineError(f"dvc {arguments[0]} in {root}", f"not done after {LIMIT_S:g} s", "a remote that sends and receives bytes",
                            "check the DVC remote, then run again: completed transfers are not repeated") from None
    if done.returncode:
        message = done.stderr.decode(errors="replace").partition("ERROR: ")[2] or done.stderr.decode(errors="replace")
        raise PipelineError(f"dvc {arguments[0]} in {root}", " ".join(message.split()) or f"exit code {done.returncode}")


def _config(root: Path) -> Any:
    """Return DVC's configuration of a checkout. It is written in UTF-8: DVC writes ASCII, and fails where a path has other letters."""
    from configobj import ConfigObj
    from dvc.config import Config, _pack_named

    class Utf8Config(Config):  # type: ignore[misc]
        def _save_config(self, level: str, conf_dict: dict[str, Any]) -> None:
            with open(self.files[level], "wb") as handle:
                ConfigObj(_pack_named(conf_dict), encoding="utf-8").write(handle)

    return Utf8Config(str(root / ".dvc"))


def has_remote(root: Path) -> bool:
    """Return whether a default DVC remote is configured."""
    return bool(_config(root)["core"].get("remote"))


def share(root: Path, clone: Path) -> None:
    """Let a clone use the cache and the remotes of `root`, secrets included."""
    shared = _config(root)
    with _config(clone).edit("local", validate=False) as config:
        config["cache"] = {**shared["cache"], "dir": shared["cache"].get("dir") or str(root / ".dvc/cache")}
        config["remote"] = shared["remote"]
        config["core"] = {key: value for key, value in shared["core"].items() if key == "remote"}


def set_cache(clone: Path, folder: Path) -> None:
    """Let a clone use a cache folder, unless this machine's DVC configuration names one."""
    if not _config(clone)["cache"].get("dir"):
        with _config(clone).edit("local", validate=False) as config:
            config["cache"] = {"dir": str(folder)}


def remotes(root: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of every DVC remote, secrets included."""
    return dict(_config(root)["remote"])


def check_out(root: Path, targets: Sequence[str]) -> None:
    """Check out tracked files or folders in a checkout, from the cache or else from the remote.

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
            raise DataError(", ".join(targets), f"cannot be checked out ({error.found})", "them in the DVC cache or the default remote",
                            "`dvc push` on the machine that made them") from None


def databases(root: Path) -> dict[str, HashFileDB]:
    """Return the object databases: `cache`, and `remote` if one is configured."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return {"cache": repo.cache.local} | ({"remote": repo.cloud.get_remote_odb()} if has_remote(root) else {})


def hashes(database: HashFileDB, oid: str) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder in a database; that of a single file under the name "".

    Args:
        database: the cache or the remote.
        oid: the object id in DVC: an MD5, ending in `.dir` for a folder.

    Raises:
        FileNotFoundError: the database lacks the folder or one of its files.
        DataError: the listing of the folder is damaged.
    """
    if not oid.endswith(".dir"):
        return {"": _sha256(database, oid)}
    with database.fs.open(database.oid_to_path(oid), "rb") as handle:
        listing = handle.read()
    if hashlib.md5(listing).hexdigest() != oid.removesuffix(".dir"):
        raise DataError(oid, "the folder's listing is damaged", f"content of that hash in {database.path}", "copy it from an intact one")
    return {entry["relpath"]: _sha256(database, entry["md5"]) for entry in json.loads(listing)}


def _sha256(database: HashFileDB, oid: str) -> str:
    digest = hashlib.sha256()
    with database.fs.open(database.oid_to_path(oid), "rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def locked_hashes(lock: Mapping[str, Any]) -> dict[str, str]:
    """Return DVC's object id of each out in a dvc.lock, by path."""
    return {out["path"]: out["md5"] for stage in lock.get("stages", {}).values() for out in stage.get("outs", ()) if "md5" in out}


def pointer_hash(pointer: str) -> str:
    """Return DVC's object id in the content of a pointer (`FOLDER.dvc`)."""
    return str(yaml.safe_load(pointer)["outs"][0]["md5"])
