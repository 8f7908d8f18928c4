"""Versions and the stage `champion` as git tags in GTO's form.

`asr-pt-embedded@v0.1.0` registers a version, `asr-pt-embedded#champion#3` is the third version that came into use. Tags
are only ever added. A push does not overwrite a tag of the remote, so that two promotions cannot add the same one.

They are annotated tags, which git signs if its configuration demands that. GTO has more forms, for people who write tags by hand: they
change nothing here, and `by_hand` lists those that GTO reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.core.errors import PipelineError, PromotionError
from pipeline.registry.git import git, resolves
from pipeline.registry.record import number

STAGE: Final = "champion"
COUNTED: Final = re.compile(r"#[^#]+#([0-9]+)")
"""The end of a tag with a number, of any stage: GTO counts them together."""
BY_HAND: Final = re.compile(rf"#{STAGE}!?|#{STAGE}!#[0-9]+|@v.+!(#[0-9]+)?|@deprecated(#[0-9]+)?")


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
    """Tag `commit` as a version of the artefact; return the tag.

    Raises:
        PromotionError: git cannot make the tag.
    """
    return _make(root, f"{artefact}@{version}", commit, f"{artefact} {version}")


def assign(root: Path, artefact: str, version: str) -> str:
    """Tag a registered version as the champion; return the tag.

    Raises:
        PromotionError: the version is not registered, or git cannot make the tag.
    """
    numbers = [int(found[1]) for end in _ends(root, artefact) if (found := COUNTED.fullmatch(end))]
    return _make(root, f"{artefact}#{STAGE}#{max(numbers, default=0) + 1}", f"refs/tags/{artefact}@{version}^{{commit}}",
                 f"{artefact} {version} is the champion")


def exists(root: Path, artefact: str, version: str) -> bool:
    """Return whether a version of the artefact is tagged, in any form."""
    return resolves(root, f"refs/tags/{artefact}@{version}") is not None


def history(root: Path, artefact: str) -> list[Assignment]:
    """Return every version that came into use, the first one first.

    The number in the tag gives the order: the time of a tag has a resolution of one second, and clocks differ. As in GTO, tags that
    are not annotated do not count. Of several versions at one commit, the one whose number is the lowest counts.
    """
    versions: dict[str, str] = {}
    assigned: list[tuple[int, str, str]] = []
    for end, commit in _ends(root, artefact).items():
        if commit is None:
            continue
        if found := re.fullmatch(r"@(v[0-9]+\.[0-9]+\.[0-9]+)", end):
            versions[commit] = min(versions.get(commit, found[1]), found[1], key=number)
        elif found := re.fullmatch(rf"#{STAGE}#([0-9]+)", end):
            assigned.append((int(found[1]), end, commit))
    return [Assignment(f"{artefact}{end}", place, versions[commit], commit) for place, end, commit in sorted(assigned) if commit in versions]


def current(root: Path, artefact: str) -> Assignment | None:
    """Return the version in use; None on day one."""
    found = history(root, artefact)
    return found[-1] if found else None


def by_hand(root: Path, artefact: str) -> list[str]:
    """Return the tags of forms that no promotion writes and GTO reads: without a number, unassigned, deregistered, deprecated."""
    return sorted(f"{artefact}{end}" for end, commit in _ends(root, artefact).items() if commit and BY_HAND.fullmatch(end))


def _make(root: Path, tag: str, commit: str, message: str) -> str:
    try:
        git(root, "tag", "--message", message, tag, commit)
    except PipelineError as error:
        raise PromotionError(f"tag {tag}", error.found, "a new tag", "vizinho registry verify") from None
    return tag


def _ends(root: Path, artefact: str) -> dict[str, str | None]:
    """Return the tags of an artefact without its name, with their commits; None for one that is not annotated, or not of a commit."""
    listed = git(root, "for-each-ref", "--format=%(refname:strip=2)%09%(*objecttype)%09%(*objectname)",
                 f"refs/tags/{artefact}@*", f"refs/tags/{artefact}#*")
    rows = (line.split("\t") for line in listed.splitlines())
    return {name.removeprefix(artefact): commit if kind == "commit" else None for name, kind, commit in rows}
