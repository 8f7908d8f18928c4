"""Versions and the stage `champion` as git tags, through GTO.

`asr-pt-embedded@v0.1.0` registers a version, `asr-pt-embedded#champion#3` is the third version that came into use. Tags
are only ever added. A push does not overwrite a tag of the remote, so that two promotions cannot add the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.core.errors import PromotionError

STAGE: Final = "champion"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A version that came into use.

    Args:
        tag: name of the git tag.
        number: 1 for the first version that came into use.
        version: that the tag names.
        commit: of the version.
    """

    tag: str
    number: int
    version: str
    commit: str


def register(root: Path, artefact: str, version: str, commit: str) -> str:
    """Tag `commit` as a version of the artefact; return the tag."""
    import gto.api

    with _gto_errors(f"{artefact}@{version}"):
        return str(gto.api.register(root.as_posix(), artefact, commit, version=version, message=f"{artefact} {version}").tag)


def assign(root: Path, artefact: str, version: str) -> str:
    """Tag a registered version as the champion; return the tag."""
    import gto.api

    with _gto_errors(f"{artefact}#{STAGE}"):
        return str(gto.api.assign(root.as_posix(), artefact, STAGE, version=version, message=f"{artefact} {version} is the champion").tag)


def history(root: Path, artefact: str) -> list[Assignment]:
    """Return every version that came into use, the first one first.

    The number in the tag gives the order: the time of a tag has a resolution of one second, and clocks differ.
    """
    import gto.api

    found = [
        Assignment(event["ref"], int(event["ref"].rpartition("#")[2]), event["version"], event["commit"])
        for event in gto.api.history(root.as_posix(), artefact)
        if event["event"] == "assignment" and event["stage"] == STAGE
    ]
    return sorted(found, key=lambda assignment: assignment.number)


def current(root: Path, artefact: str) -> Assignment | None:
    """Return the version in use; None on day one."""
    found = history(root, artefact)
    return found[-1] if found else None


@contextmanager
def _gto_errors(tag: str) -> Iterator[None]:
    """Raise GTO's errors as PromotionError."""
    from gto.exceptions import GTOException

    try:
        yield
    except GTOException as error:
        raise PromotionError(f"tag {tag}", str(error), "a new version", "vizinho registry verify") from None
