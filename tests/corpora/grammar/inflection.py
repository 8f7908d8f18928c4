"""Forms of a verb as one line."""

from __future__ import annotations

from pipeline.corpora.sentences import grammar


def forms(locale: str, infinitive: str, tense: str) -> str:
    """Return a verb's forms in a tense as one line, without vós."""
    verbs = [word for word in grammar(locale).lexicon.words.values() if word.part == "verb" and word.text == infinitive]
    return " ".join(form for form in grammar(locale).forms(verbs[0], tense) if form not in ("", "-"))
