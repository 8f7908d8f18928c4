"""A person's Git configuration and environment with every setting that has stood in the way of somebody's scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

HOOKS = ("applypatch-msg", "pre-commit", "pre-merge-commit", "prepare-commit-msg", "commit-msg", "post-checkout", "post-commit", "pre-rebase")

CONFIG = """
[user]
    useConfigOnly = true
[init]
    defaultBranch = trunk
    templateDir = {folder}/template
[core]
    autocrlf = true
    safecrlf = true
    eol = crlf
    excludesFile = {folder}/ignored
    attributesFile = {folder}/attributes
    hooksPath = {folder}/hooks
    editor = false
    pager = false
    quotePath = true
    fsmonitor = {folder}/missing
    logAllRefUpdates = always
[sequence]
    editor = false
[color]
    ui = always
    status = always
    branch = always
[log]
    showSignature = true
    follow = true
    date = relative
[format]
    pretty = fuller
[status]
    showUntrackedFiles = no
    branch = true
    short = true
[commit]
    template = {folder}/missing
    verbose = true
    cleanup = scissors
[i18n]
    commitEncoding = ISO-8859-1
    logOutputEncoding = ISO-8859-1
[merge]
    ff = only
    verifySignatures = true
    log = true
[branch "main"]
    mergeOptions = --squash
    rebase = true
[pull]
    rebase = true
    ff = only
[rebase]
    autoStash = true
[fetch]
    prune = true
    pruneTags = true
[push]
    default = nothing
    followTags = true
    autoSetupRemote = true
[clone]
    defaultRemoteName = upstream
    rejectShallow = true
[submodule]
    recurse = true
[protocol "file"]
    allow = never
[rerere]
    enabled = true
    autoUpdate = true
[tag]
    sort = -version:refname
[alias]
    commit = !false
    push = !false
    merge = !false
    st = status
"""


def set_personal(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Write the configuration, hooks that refuse and a template with them to a folder, and let Git use them; set variables as a hook would."""
    for place in (folder / "hooks", folder / "template/hooks"):
        place.mkdir(parents=True)
        for name in HOOKS:
            hook(place / name, "exit 1")
    (folder / "ignored").write_text("*.json\n*.csv\n*.md\n")
    (folder / "attributes").write_text("*.json text eol=crlf\n*.md filter=missing\n")
    configure(folder, CONFIG.format(folder=folder), patch)
    for name, value in {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index", "GIT_PREFIX": "sub/", "GIT_LITERAL_PATHSPECS": "1",
                        "GIT_EDITOR": "false", "LANGUAGE": "pt", "LANG": "pt_PT.UTF-8"}.items():
        patch.setenv(name, value)


def configure(folder: Path, content: str, patch: pytest.MonkeyPatch) -> None:
    """Let Git read this as the person's configuration, and no other of the machine."""
    (folder / "gitconfig").write_text(content)
    patch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def hook(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
