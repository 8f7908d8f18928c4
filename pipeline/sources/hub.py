"""A repository of a hub in a local folder: one pinned commit, downloaded once, and only if the params allow it.

The caller provides the hub's client: nothing here uses the network.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import DataError, MissingInputError, PipelineError
from pipeline.core.files import read_json, write_json

NOTE: Final = ".hub.json"  # hidden: `datasets` skips it
UNFINISHED: Final = ".cache"
"""The client's record of its downloads. It has times, which would change the folder's hash from machine to machine."""


def fetch_once(folder: Path, wanted: dict[str, Any], what: str, key: str, allowed: bool, download: Callable[[], object]) -> None:
    """Download a commit's files to `folder`, unless it has them already; an interrupted download is resumed.

    Args:
        folder: of the files.
        wanted: repository, revision, and `files` if only some are selected.
        what: such as dataset, for the message.
        key: of the section of params.yaml that has `download`.
        allowed: whether the network may be used.
        download: downloads the files; may raise any exception of the hub's client.

    Raises:
        DataError: the folder has another commit or files of unknown origin, or the hub does not answer.
        MissingInputError: files are missing, and the network may not be used.
    """
    note, account = folder / NOTE, folder / UNFINISHED
    found = read_json(note) if note.exists() else None
    if found != wanted and folder.is_dir() and any(path.name not in (NOTE, UNFINISHED) for path in folder.iterdir()):
        raise DataError(str(folder), f"a {what} " + (f"from {_named(found)}" if found else "of unknown origin"), _named(wanted),
                        f"empty the folder, or remove {key} to use its files")
    if found == wanted and not account.exists():
        return
    at = f"{wanted['repository']} at {wanted['revision']}"
    if not allowed:
        raise MissingInputError(str(folder), f"no {what}, or only a part of it", at,
                                f"set {key}.download: true, or download it elsewhere and remove {key}")
    if found != wanted:
        shutil.rmtree(account, ignore_errors=True)
    account.mkdir(parents=True, exist_ok=True)
    write_json(note, wanted)
    try:
        download()
    except PipelineError:
        raise
    except Exception as error:  # the client of the hub raises many kinds, the network's among them
        raise DataError(wanted["repository"], f"cannot be downloaded ({first_line(error)})", f"revision {wanted['revision']} on the hub",
                        f"run it again (finished files are kept), or download it elsewhere and remove {key}") from None
    shutil.rmtree(account)


def first_line(error: BaseException) -> str:
    """Return an error of other code in one line: its type, and the first line of its message."""
    error = error.__cause__ or error  # "an error occurred while generating the dataset" has no information
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"


def _named(commit: dict[str, Any]) -> str:
    return f"{commit['repository']} at {commit['revision']}" + (f", files {commit['files'] or 'all'}" if "files" in commit else "")
