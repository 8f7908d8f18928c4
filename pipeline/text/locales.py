"""The words of each locale."""

from __future__ import annotations

from typing import Final

from pipeline.text.portuguese import BRAZIL, PORTUGAL
from pipeline.text.spanish import AMERICAS, SPAIN
from pipeline.text.words import Words

WORDS: Final[dict[str, Words]] = {words.locale: words for words in (BRAZIL, PORTUGAL, SPAIN, AMERICAS)}
