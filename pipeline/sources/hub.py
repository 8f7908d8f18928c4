"""A repository of a hub in a folder of ours: one pinned commit, fetched once, and only where the params allow it.

The hub's client is the caller's: nothing here uses the network.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import DataError, MissingInputError, PipelineError
from pipeline.core.files import read_json, write_json

NOTE: Final = ".hub.json"  # hidden: `datasets` passes over it
UNFINISHED: Final = ".cache"
"""Where the client keeps account of what has come. It holds times: with it, the folder's hash would be another on each machine."""


def fetch_once(folder: Path, wanted: dict[str, Any], what: str, key: str, download: bool, bring: Callable[[], object]) -> None:
    """Bring a commit's files into `folder`, unless it holds them already; what was cut off goes on where it was.

    Args:
        wanted: repository, revision, and `files` where some may be left out.
        what: such as dataset.
        key: of the section of params.yaml, which has `download`.
        download: whether the network may be used.
        bring: fetches the files; the client of the hub may raise whatever it likes.

    Raises:
        DataError: the folder holds another commit or nobody knows what, or the hub does not answer.
        MissingInputError: it does not hold all, and nothing may be downloaded.
    """
    note, account = folder / NOTE, folder / UNFINISHED
    found = read_json(note) if note.exists() else None
    if found != wanted and folder.is_dir() and any(path.name not in (NOTE, UNFINISHED) for path in folder.iterdir()):
        raise DataError(str(folder), f"a {what} from {_named(found) if found else 'nobody says where'}", _named(wanted),
                        f"empty the folder, or leave {key} out to take what is there")
    if found == wanted and not account.exists():
        return
    at = f"{wanted['repository']} at {wanted['revision']}"
    if not download:
        raise MissingInputError(str(folder), f"no {what}, or a part of it", at,
                                f"set {key}.download: true, or fetch it elsewhere and leave {key} out")
    if found != wanted:
        shutil.rmtree(account, ignore_errors=True)
    account.mkdir(parents=True, exist_ok=True)
    write_json(note, wanted)
    try:
        bring()
    except PipelineError:
        raise
    except Exception as error:  # the client of the hub raises many kinds, the network's among them
        raise DataError(wanted["repository"], f"cannot be fetched ({first_line(error)})", f"revision {wanted['revision']} on the hub",
                        f"run it again (what has come is kept), or fetch it elsewhere and leave {key} out") from None
    shutil.rmtree(account)


def first_line(error: BaseException) -> str:
    """Return an error of somebody else's code in one line: its kind, and the first line of what it says."""
    error = error.__cause__ or error  # "an error occurred while generating the dataset" tells nobody anything
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"


def _named(commit: dict[str, Any]) -> str:
    return f"{commit['repository']} at {commit['revision']}" + (f", files {commit['files'] or 'all'}" if "files" in commit else "")
