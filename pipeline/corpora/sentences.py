"""Generated sentences, an unlimited list per seed, for the synthetic speakers of the embedded default.

A lexicon and a grammar per language over the same concepts (`lexicon/`, `grammar/`) make sentences in ordinary written
form: capitals, punctuation and, in a share of them, digits, times, money and abbreviations.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from pipeline.core.errors import DataError
from pipeline.corpora.grammar.portuguese import Portuguese
from pipeline.corpora.grammar.romance import Romance
from pipeline.corpora.grammar.spanish import Spanish

LANGUAGES: Final[tuple[type[Romance], ...]] = (Portuguese, Spanish)
LOCALES: Final[tuple[str, ...]] = tuple(locale for language in LANGUAGES for locale in language.locales)


@cache
def grammar(locale: str) -> Romance:
    """Return the grammar of a locale.

    Raises:
        DataError: no grammar has this locale.
    """
    for language in LANGUAGES:
        if locale in language.locales:
            return language(locale)
    raise DataError(f"locale {locale!r}", "no grammar for it", f"one of {', '.join(LOCALES)}")


def sentence(locale: str, seed: int, index: int) -> str:
    """Return sentence `index` of the list of a seed, in written form.

    Args:
        locale: pt-BR, pt-PT, es or es-419.
        seed: of the whole list.
        index: from 0.
    """
    return grammar(locale).sentence(f"{seed}/{locale}/{index}")
