"""Secrets masked in what a run writes: logs, errors and artifacts go to a database that many people may read."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Final

NAMES: Final = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|AUTH_STRING|(API|ACCESS|ACCOUNT|PRIVATE)_KEY|CONNECTION_(STRING|URL)",
                          re.IGNORECASE)
IN_URL: Final = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)
SHORTEST: Final = 6
MASK: Final = "***"

_known: set[str] = set()


def keep_secret(*values: str) -> None:
    """Mask these values from now on, in addition to those in the environment.

    Args:
        values: those shorter than six characters are ignored: masking them would hide ordinary text.
    """
    _known.update(value for value in values if len(value) >= SHORTEST)


def redact(text: str) -> str:
    """Return the text with the user part of each URL and the value of each secret masked.

    "https://ana:s3cret@example.org/x" → "https://***@example.org/x"
    """
    text = IN_URL.sub(rf"\g<scheme>{MASK}@", text)
    named = {line.strip() for name, value in os.environ.items() if NAMES.search(name) for line in (value, *value.splitlines())}  # a log is lines
    secrets = {value for value in named if len(value) >= SHORTEST} | _known
    return _pattern(tuple(sorted(secrets, key=len, reverse=True))).sub(MASK, text) if secrets else text


@lru_cache(maxsize=4)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, secrets)))
