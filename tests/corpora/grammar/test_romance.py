"""The shared grammar: agreement, noun phrases, subjects, clitics and the written form of sentences."""

from __future__ import annotations

import pytest

from pipeline.corpora.grammar.frames import Draft
from pipeline.corpora.grammar.romance import Agreement, class_set, finished
from pipeline.corpora.sentences import LOCALES, grammar


@pytest.fixture(params=range(12))
def draft(request: pytest.FixtureRequest) -> Draft:
    return Draft(str(request.param))


@pytest.mark.parametrize("person, gender, plural, index", [(2, "m", 0, 0), (2, "f", 0, 1), (5, "m", 1, 2), (3, "f", 1, 3)])
def test_a_person_and_gender_select_one_of_four_forms(person: int, gender: str, plural: int, index: int) -> None:
    agreement = Agreement(person, gender)
    assert (agreement.plural, agreement.form_index) == (plural, index)


def test_classes_of_a_slot_are_joined_by_a_plus() -> None:
    assert class_set(("food+fruit", "animal")) == {"food", "fruit", "animal"}


@pytest.mark.parametrize("locale", ["es", "pt-PT"])
def test_a_noun_phrase_records_gender_and_number_for_agreement(locale: str, draft: Draft) -> None:
    language = grammar(locale)
    article = {"es": ("el", "la", "los", "las"), "pt-PT": ("o", "a", "os", "as")}[locale]
    word = language.lexicon.words["dog"]
    text = language.noun_phrase(draft, word, kind="the", adjectives=0.0)
    agreement = draft.last_phrase
    assert text.split()[0] == article[agreement.form_index]
    assert text.split()[1] == language.noun_form(word, agreement.gender, agreement.plural)


def test_a_mass_noun_is_singular_and_a_plural_noun_plural(draft: Draft) -> None:
    language = grammar("es")
    numbers = {word.forms["number"]: word for word in language.lexicon.select("noun") if "number" in word.forms}
    language.noun_phrase(draft, numbers["mass"])
    assert draft.last_phrase.person == 2
    language.noun_phrase(draft, numbers["plural"])
    assert draft.last_phrase.person == 5


@pytest.mark.parametrize("locale", LOCALES)
def test_a_verb_agrees_with_the_subject_before_it(locale: str, draft: Draft) -> None:
    language = grammar(locale)
    language.slot_subject(draft, "animal")
    person = draft.subject.person
    assert language.slot_verb(draft, "be", "present") == language.verb_form("be", "present", person)
    assert person in (2, 5)


def test_a_null_subject_has_no_text_and_a_person_that_the_language_may_drop(draft: Draft) -> None:
    language = grammar("pt-PT")
    assert language.slot_null_subject(draft) == ""
    assert draft.subject.person in language.null_subject_persons()
    assert not draft.subject.overt
    language.slot_null_subject(draft, "we")
    assert draft.subject.person == 3


def test_a_deferred_subject_follows_its_verb(draft: Draft) -> None:
    language = grammar("es")
    assert language.slot_defer_subject(draft, "animal") == ""
    assert language.slot_deferred_subject(draft)
    assert draft.subject == draft.last_phrase


def test_the_head_of_a_relative_clause_can_become_the_subject_again(draft: Draft) -> None:
    language = grammar("es")
    language.slot_relative_head(draft, "document")
    head = draft.subject
    language.slot_third_person(draft)
    assert draft.subject is not head
    assert language.slot_resume_head(draft) == ""
    assert draft.subject is head


def test_an_object_relative_has_a_verb_whose_objects_include_the_head(draft: Draft) -> None:
    language = grammar("es")
    verbs = language.transitive_verbs(frozenset({"document"}))
    assert verbs
    assert all(verb.object_classes & {"document"} and not verb.recipient_classes and "preposition" not in verb.forms for verb in verbs)


def test_a_state_verb_has_no_progressive_and_no_imperative() -> None:
    language = grammar("es")
    states = {word for word in language.lexicon.select("verb") if "state" in word.classes}
    subject = frozenset({"person", "human"})
    assert states & set(language.eligible_verbs(subject, "present", True, False))
    for tense in ("progressive", "imperative", "gerund"):
        assert not states & set(language.eligible_verbs(subject, tense, True, False))


def test_a_reflexive_verb_needs_a_form_that_allows_a_clitic() -> None:
    language = grammar("pt-PT")
    verbs = language.eligible_verbs(frozenset({"person", "human"}), "future", False, False)
    assert verbs
    assert not any(language.is_reflexive(verb) for verb in verbs)


def test_a_sentence_has_one_location_at_most(draft: Draft) -> None:
    language = grammar("es")
    assert language.slot_location(draft).startswith("en ")
    assert language.slot_location(draft) == ""


def test_words_of_a_sentence_are_different_concepts() -> None:
    language = grammar("es")
    pool = language.candidates("noun", frozenset({"animal"}))
    draft = Draft("1")
    assert len({language.choose_word(pool, draft).concept for _ in range(8)}) == 8


@pytest.mark.parametrize("raw, text", [
    ("hola  , Ana .", "Hola, Ana."),
    ("¿vienes ?  sí .", "¿Vienes? Sí."),
    ("— bom dia ! diz ela .", "— Bom dia! Diz ela."),
])
def test_a_finished_sentence_has_single_blanks_and_capitals(raw: str, text: str) -> None:
    assert finished(raw) == text


@pytest.mark.parametrize("form, gender, number, expected", [
    ("escrito", "m", 2, "escrito"), ("escrito", "f", 2, "escrita"), ("escrito", "f", 5, "escritas"), ("entregue", "f", 5, "entregues"),
])
def test_a_participle_agrees_with_the_subject(form: str, gender: str, number: int, expected: str) -> None:
    assert grammar("pt-PT").agreeing_participle(form, Agreement(number, gender)) == expected
