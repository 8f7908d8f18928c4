"""Generated sentences: frames, agreement, locales, coverage, determinism."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise

import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import ROOT
from pipeline.corpora.grammar.frames import Draft, Frames
from pipeline.corpora.grammar.lexicon import FOLDER
from pipeline.corpora.grammar.romance import Romance, finished
from pipeline.corpora.sentences import LOCALES, grammar, sentence

LANGUAGES = {"spanish": ("es", "es-419"), "portuguese": ("pt-BR", "pt-PT")}
LETTERS = {"spanish": set("abcdefghijklmnopqrstuvwxyzáéíóúüñ"), "portuguese": set("abcdefghijklmnopqrstuvwxyzáâãàçéêíóôõú")}
WRITTEN = set(" .,;:?!¿¡—-«»“”0123456789%€$ºª°")


@cache
def sample(locale: str, count: int = 2500) -> tuple[str, ...]:
    return tuple(sentence(locale, 11, index) for index in range(count))


def words_of(language: str) -> list[str]:
    """Return the words of 5 000 sentences, half of each locale, without what holds a digit."""
    return [word for locale in LANGUAGES[language] for text in sample(locale)
            for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text.lower())]


def frames_of(language: Romance) -> list[str]:
    return [match[2] for line in (FOLDER / f"{language.language}.frames.txt").read_text(encoding="utf-8").splitlines()
            if (match := re.fullmatch(r"(?:(\w\w(?:-\w+)?): )?(?:\d+x )?([^[#].*)", line)) and match[1] in (None, language.locale)]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_frame_makes_varied_text(locale: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    language = grammar(locale)
    rules = "\n".join(line for line in (FOLDER / f"{language.language}.frames.txt").read_text(encoding="utf-8").splitlines())
    for frame in frames_of(language):
        path = tmp_path / "frames.txt"
        path.write_text(f"{rules}\n[only]\n{frame}\n", encoding="utf-8")
        frames = Frames(path, language) if "<" in frame else Frames(_alone(path, frame), language)
        made = [finished(language.contract(frames.expand("only", Draft(f"{index}")))) for index in range(8)]
        assert len(set(made)) >= 6, frame
        assert not any("  " in text or "{" in text or " ." in text or "[" in text for text in made), frame


def _alone(path, frame: str):  # type: ignore[no-untyped-def]
    path.write_text(f"[only]\n{frame}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_reaches_thousands_of_words_and_sentences(language: str) -> None:
    counted = Counter(words_of(language))
    assert len(counted) >= 3500
    texts = [text for locale in LANGUAGES[language] for text in sample(locale)]
    bare = {re.sub(r"[\W\d_]+", " ", text.lower()) for text in texts}
    assert len(bare) > 0.97 * len(texts)
    content = [count for word, count in counted.most_common() if len(word) > 5]
    assert content[0] < 0.04 * len(texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_of_the_alphabet_is_written_and_no_other(language: str) -> None:
    letters = Counter(letter for locale in LANGUAGES[language] for text in sample(locale) for letter in text.lower())
    assert set(letters) - WRITTEN == LETTERS[language] | {"/"} & set(letters)


@pytest.mark.parametrize("locale", LOCALES)
def test_sentences_are_short_enough_for_one_breath(locale: str) -> None:
    for text in sample(locale):
        assert 4 <= len(text.split()) <= 14
        assert len(text) <= 95


@pytest.mark.parametrize("locale", LOCALES)
def test_sentences_begin_with_a_capital_and_end_with_a_stop(locale: str) -> None:
    for text in sample(locale):
        assert re.match(r"[¿¡«“—]? ?[¿¡]?[A-ZÁÉÍÓÚÂÊÔÀÇ]|\d", text), text
        assert text[-1] in ".?!»”", text
        assert text.count("¿") == (text.count("?") if locale.startswith("es") else 0), text


@pytest.mark.parametrize("locale", LOCALES)
def test_a_share_of_the_sentences_holds_numbers_or_abbreviations(locale: str) -> None:
    share = sum(bool(re.search(r"\d|Sr|Dr", text)) for text in sample(locale)) / len(sample(locale))
    assert 0.10 < share < 0.20


@pytest.mark.parametrize("locale", LOCALES)
def test_no_word_is_repeated_or_left_uncontracted(locale: str) -> None:
    unmerged = {"es": ("de el", "a el"), "pt": ("de o", "de a", "em o", "em a", "por o", "por a", "a o", "a os")}[locale[:2]]
    for text in sample(locale):
        words = re.findall(r"\w+", text)
        assert not any(one == other and not one.isdigit() for one, other in pairwise(words)), text
        assert not any(f" {pair} " in text for pair in unmerged), text


def test_articles_and_nouns_agree_in_gender_and_number() -> None:
    for locale, articles in (("es", ("el", "la", "los", "las")), ("pt-PT", ("o", "a", "os", "as"))):
        language = grammar(locale)
        nouns = {language.noun_form(word, word.gender, plural): 2 * plural + (word.gender == "f")
                 for word in language.lexicon.select("noun") if word.gender in ("m", "f") and "article" not in word.forms
                 for plural in ((1,) if word.forms.get("number") == "plural" else (0, 1))}
        verbs = {form for word in language.lexicon.select("verb") for tense in ("present", "subjunctive") for form in language.forms(word, tense)}
        homographs = Counter(form for word in language.lexicon.select("noun")
                             for form in (language.noun_form(word, word.gender, 0), language.noun_form(word, word.gender, 1)))
        seen = 0
        for text in sample(locale):
            for article, noun in re.findall(rf"(?<!\w)({'|'.join(articles)}) ([^\W\d_]+)", text.lower()):
                if noun in nouns and homographs[noun] == 1 and noun not in verbs:
                    seen += 1
                    assert article == articles[nouns[noun]], text
        assert seen > 500


def test_the_varieties_of_a_language_differ_where_they_should() -> None:
    text = {locale: " ".join(sample(locale)).lower() for locale in LOCALES}
    for word, here, elsewhere in (
        ("comboio", "pt-PT", "pt-BR"), ("trem", "pt-BR", "pt-PT"), ("autocarro", "pt-PT", "pt-BR"), ("ônibus", "pt-BR", "pt-PT"),
        ("telemóvel", "pt-PT", "pt-BR"), ("celular", "pt-BR", "pt-PT"),
        ("você", "pt-BR", "pt-PT"), ("vosotros", "es", "es-419"), ("ustedes", "es-419", "es"),
        ("ordenador", "es", "es-419"), ("computadora", "es-419", "es"), ("zumo", "es", "es-419"), ("jugo", "es-419", "es"),
        ("coche", "es", "es-419"),
    ):
        assert re.search(rf"\b{word}s?\b", text[here]), (word, here)
        assert not re.search(rf"\b{word}\b", text[elsewhere]), (word, elsewhere)
    for concept, brazil, portugal in (("fact", "fato", "facto"), ("economic", "econômico", "económico"), ("suit", "terno", "fato")):
        assert grammar("pt-BR").lexicon.words[concept].text == brazil
        assert grammar("pt-PT").lexicon.words[concept].text == portugal
    assert len(re.findall(r"\best(?:á|ão|ou|amos) \w+ndo\b", text["pt-BR"])) > 20
    assert not re.findall(r"\best(?:á|ão|ou|amos) \w+ndo\b", text["pt-PT"])
    assert "r$ " in text["pt-BR"]
    assert "€" in text["pt-PT"]
    assert "r$ " not in text["pt-PT"]


def test_a_sentence_depends_on_locale_seed_and_index_alone() -> None:
    wanted = [sentence(locale, 5, index) for locale in LOCALES for index in (0, 7, 999)]
    code = ("from pipeline.corpora.sentences import LOCALES, sentence\n"
            "made = [sentence(locale, 5, index) for index in (999, 7, 0) for locale in reversed(LOCALES)]\n"
            "print('|'.join(made))")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
                            env={"PYTHONHASHSEED": "77", "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"})
    made = result.stdout.strip().split("|")
    assert sorted(made) == sorted(wanted)
    assert sentence("es", 5, 1) != sentence("es", 6, 1) != sentence("es-419", 6, 1)


def test_an_unknown_locale_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"locale 'fr': no grammar for it; expected one of pt-BR, pt-PT, es, es-419"):
        sentence("fr", 1, 1)
