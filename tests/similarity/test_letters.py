from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.model.vocabulary import base_letter
from pipeline.similarity.letters import Chunk, letter_sounds, row_for
from pipeline.similarity.phonemes import asjp, phonemise, segments
from pipeline.similarity.tables import read_languages, read_words

SPANISH = read_languages()["es"].alphabet
ENGLISH = read_languages()["en"].alphabet


@pytest.mark.parametrize(("letter", "alphabet", "row"), [
    ("a", SPANISH, "a"), ("á", SPANISH, "á"), ("ã", SPANISH, "a"), ("ç", SPANISH, "c"), ("ñ", ENGLISH, "n"),
    ("ß", ENGLISH, None), ("œ", ENGLISH, None),
])
def test_a_letter_starts_from_itself_or_else_from_its_base_letter(letter: str, alphabet: str, row: str | None) -> None:
    assert row_for(letter, alphabet) == row


def test_the_base_letter_is_the_one_that_the_head_transfer_takes() -> None:
    for letter in "".join(language.alphabet for language in read_languages().values()):
        assert row_for(letter, ENGLISH) == (base_letter(letter) if base_letter(letter) in ENGLISH else None)


SPOKEN = st.tuples(st.text("abc", min_size=1, max_size=5), st.lists(st.sampled_from("xyz"), max_size=5))


@given(st.lists(SPOKEN.filter(lambda pair: len(pair[1]) <= 2 * len(pair[0])), min_size=1, max_size=6))
def test_expected_counts_use_every_letter_and_every_sound_once(pairs: list[tuple[str, list[str]]]) -> None:
    counted = letter_sounds([word for word, _ in pairs], [sounds for _, sounds in pairs])
    for (word, sounds), counts in zip(pairs, counted, strict=True):
        assert sum(counts.values()) == pytest.approx(len(word), abs=1e-5)
        assert sum(count * len(chunk) for (_, chunk), count in counts.items()) == pytest.approx(len(sounds), abs=1e-5)


def test_portuguese_letters_are_aligned_to_their_sounds() -> None:
    shares = portuguese_shares()
    assert shares["ç"] == {("s",): 1.0}
    assert shares["j"] == {("Z",): 1.0}
    assert shares["v"] == {("v",): 1.0}
    assert shares["ã"] == {("a*",): 1.0}
    assert set(shares["t"]) >= {("t",), ("C",)}        # [tʃ] before [i]
    assert shares["h"][()] == pytest.approx(0.5, abs=0.1)  # nothing in "homem", the glide of lh after l
    assert shares["c"][("k",)] > 0.7


def portuguese_shares() -> dict[str, dict[Chunk, float]]:
    words = list(read_words()["pt"].values())
    sounds = [asjp(segments(ipa, "pt-BR")) for ipa in phonemise("pt-BR", words)]
    table: dict[str, dict[Chunk, float]] = defaultdict(lambda: defaultdict(float))
    for counts in letter_sounds(words, sounds):
        for (letter, chunk), count in counts.items():
            table[letter][chunk] += count
    return {letter: {chunk: round(count / sum(row.values()), 3) for chunk, count in row.items() if count > 0.01}
            for letter, row in table.items()}


def test_a_word_with_more_sounds_than_its_letters_can_write_is_reported() -> None:
    with pytest.raises(DataError, match="'a' /x y z/: 3 sounds for 1 letters"):
        letter_sounds(["a"], [("x", "y", "z")])
