from __future__ import annotations

import pytest

from pipeline.core.errors import DataError
from pipeline.similarity.phonemes import ASJP, asjp, phonemise, segments
from pipeline.similarity.tables import read_languages, read_words


@pytest.mark.parametrize(("ipa", "voice", "expected"), [
    ("nˈo͡ɪt͡ʃy", "pt-BR", ["n", "o", "ɪ", "tʃ", "i"]),     # affricate one, diphthong two, final e is [i]
    ("vˈeɾəd͡ʒy", "pt-BR", ["v", "e", "ɾ", "dʒ", "i"]),      # no vowel after the tap
    ("mˈɐ̃͡ʊ̃", "pt-BR", ["m", "ɐ̃", "ʊ̃"]),
    ("ˈũɲæ", "pt-BR", ["ũ", "ɲ", "ɐ"]),
    ("todˈoðo", "es", ["t", "o", "d", "o", "d", "o"]),       # approximants are /b d ɡ/
    ("ˈɔs͡so", "it", ["ɔ", "s", "s", "o"]),
    ("tˈutːo", "it", ["t", "u", "t", "o"]),
    ("ɪç", "de", ["ɪ", "ç"]),
    ("nˈɑːmə", "de", ["n", "a", "m", "ə"]),
    ("ʒə-", "fr", ["ʒ", "ə"]),
    ("mˈult͡sʲʲ", "ro", ["m", "u", "l", "ts"]),
])
def test_ipa_is_cut_into_segments(ipa: str, voice: str, expected: list[str]) -> None:
    import unicodedata

    assert [unicodedata.normalize("NFC", segment) for segment in segments(ipa, voice)] == [
        unicodedata.normalize("NFC", segment) for segment in expected]


def test_segments_become_asjp_symbols_and_nasal_vowels_keep_their_mark() -> None:
    assert asjp(segments("mˈɐ̃͡ʊ̃", "pt-BR")) == ("m", "a*", "u*")
    assert asjp(("ʃ", "u", "v", "ɐ")) == ("S", "u", "v", "a")
    assert asjp(("ɲ", "ʎ", "tʃ", "ʁ")) == ("5", "L", "C", "r")


def test_the_asjp_code_has_seven_vowels_and_each_segment_one_symbol() -> None:
    assert set("ieE3auo") <= set(ASJP.values())
    assert all(len(symbol) == 1 for symbol in ASJP.values())


def test_a_segment_without_a_symbol_is_reported() -> None:
    with pytest.raises(DataError, match="no ASJP symbol for ǃ"):
        asjp(("ǃ", "a"))


def test_every_voice_transcribes_every_word_the_same_each_time() -> None:
    words = read_words()
    for language in read_languages().values():
        spellings = list(words[language.words].values())
        transcribed = phonemise(language.voice, spellings)
        assert all(asjp(segments(ipa, language.voice)) for ipa in transcribed)
        assert phonemise(language.voice, spellings[::-1]) == transcribed[::-1]


def test_an_unknown_voice_is_reported() -> None:
    with pytest.raises(DataError, match="eSpeak NG: no voice 'xx-none'"):
        phonemise("xx-none", ["sol"])
