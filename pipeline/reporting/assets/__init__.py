"""The files of the pages: templates, styles, scripts. The scripts under vendor/ are wavesurfer.js 8.0.1 as released (BSD-3-Clause)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent


def asset(name: str) -> str:
    """Return the text of a file of the pages.

    Args:
        name: its path in this folder.
    """
    return (FOLDER / name).read_text(encoding="utf-8")


def content_policy(scripts: Sequence[str]) -> str:
    """Return the Content-Security-Policy of a page: nothing from a network, and no inline script but these.

    Args:
        scripts: the text of each inline script.
    """
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data: blob:; script-src 'self' file: {hashes}"
