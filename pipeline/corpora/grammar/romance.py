"""The grammar shared by the Romance languages: agreement, noun phrases, verbs with their complements and clitic pronouns.

The class of a language adds inflection, function words, clitic placement and the written forms of numbers. Each method `slot_NAME`
fills the slot {NAME} of a frame: it returns text and updates the draft with what later slots agree with.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from pipeline.corpora.grammar.frames import Draft, Frames
from pipeline.corpora.grammar.lexicon import FOLDER, Word, read_lexicon

PERSONS = {"I": 0, "you": 1, "he": 2, "we": 3, "you_all": 4, "they": 5}
NONFINITE = {"infinitive", "gerund", "participle", "passive"}
PERSON_CLASSES = ("person", "kin")
LOCATIONS = ("place", "room", "nature")

# Determiners of singular and plural; repetition is weight.
SUBJECT_DETERMINERS = (("the",) * 14 + ("possessive",) * 4 + ("a", "a", "this", "this", "that", "that_distal", "other", "the_same"),
           ("the",) * 14 + ("possessive", "possessive", "many", "some", "some", "several", "this", "numeral", "all", "few", "that_distal"))
OBJECT_DETERMINERS = (("the",) * 12 + ("a",) * 12 + ("possessive",) * 5 + ("this", "this", "that", "that_distal", "other", "the_same"),
          ("the",) * 10 + ("some",) * 6 + ("possessive",) * 4 + ("many", "many", "several", "numeral", "numeral", "this", "that",
                                                                 "few", "other", "so_many", "all", "that_distal"))
DEFINITE_DETERMINERS = (("the",) * 6 + ("possessive", "this", "that", "that_distal"), ("the",) * 6 + ("possessive", "this", "that", "that_distal"))
MASS_DETERMINERS = ("the",) * 6 + ("possessive", "possessive", "a_little", "this", "many", "that")


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement features of a noun phrase or pronoun."""

    person: int                               # 0..5: I, you, he, we, you all, they
    gender: str                               # m | f
    classes: frozenset[str] = frozenset({"person", "human"})  # semantic classes
    overt: bool = True                        # False for a null subject, which only the verb's ending shows
    triggers_proclisis: bool = False          # Portuguese: todos se riem

    @property
    def plural(self) -> int:
        """1 for the plural, 0 for the singular."""
        return int(self.person > 2)

    @property
    def form_index(self) -> int:
        """The index in a paradigm of four forms: masculine, feminine, and their plurals."""
        return (self.gender == "f") + 2 * self.plural


def class_set(classes: tuple[str, ...]) -> frozenset[str]:
    """Return the semantic classes in a slot's arguments: food+fruit → food, fruit."""
    return frozenset(name for part in classes for name in part.split("+"))


class Romance(ABC):
    """A Romance language in one of its locales."""

    language: ClassVar[str]
    locales: ClassVar[tuple[str, ...]]
    determiners: ClassVar[dict[str, tuple[str, str, str, str]]]   # masculine, feminine, and their plurals
    possessives: ClassVar[tuple[tuple[str, str, str, str], ...]]  # the same for each of six persons
    possessors: tuple[int, ...] = (0, 0, 1, 2, 3)  # persons of possessives; repetition is weight
    cardinals: ClassVar[tuple[str, ...]]
    reflexive_pronouns: ClassVar[tuple[str, ...]]
    dative_pronouns: ClassVar[tuple[str, ...]]
    object_marker: ClassVar[str] = ""  # marks a human direct object: veo a Juan
    clitic_doubling: ClassVar[bool] = False  # a clitic repeats the indirect object: le di el libro a Juan
    locative_preposition: ClassVar[str]
    suppletive_comparatives: ClassVar[frozenset[str]] = frozenset()  # adjectives with a suppletive comparative: grande, maior

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self.lexicon = read_lexicon(self.language, locale)
        self.forms = cache(self._forms)
        self.candidates = cache(self._candidates)
        self.frames = Frames(FOLDER / f"{self.language}.frames.txt", self)

    # ---- defined by each language

    @staticmethod
    @abstractmethod
    def pluralise(word: str) -> str:
        """Return a noun's or adjective's regular plural."""

    @staticmethod
    @abstractmethod
    def feminise(word: str) -> str:
        """Return a noun's or adjective's regular feminine."""

    @staticmethod
    @abstractmethod
    def conjugate(verb: str, tense: str, change: str, irregular: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Return a verb's forms in a tense: six, or one for a non-finite form."""

    @abstractmethod
    def subject_pronouns(self) -> tuple[tuple[str, Agreement], ...]:
        """Return the subject pronouns with their agreement."""

    @abstractmethod
    def null_subject_persons(self) -> tuple[int, ...]:
        """Return the persons that may have a null subject; repetition is weight."""

    @abstractmethod
    def addressee_persons(self) -> tuple[int, ...]:
        """Return the grammatical persons of an addressee; repetition is weight."""

    @abstractmethod
    def verb_group(self, verb: Word, tense: str, subject: Agreement, pronoun: str, proclisis: bool) -> str:
        """Return the verb with its auxiliary and its clitic pronoun.

        Args:
            verb: of the lexicon.
            tense: of `conjugate`, or one with an auxiliary, such as going or progressive.
            subject: what the verb agrees with.
            pronoun: the clitic, "" for none.
            proclisis: whether an earlier word attracts the clitic before the verb.
        """

    @abstractmethod
    def allows_clitic(self, tense: str, subject: Agreement, proclisis: bool) -> bool:
        """Return whether this form can have a clitic pronoun."""

    @abstractmethod
    def accusative_pronoun(self, person: int, gender: str) -> str:
        """Return the clitic pronoun of a direct object."""

    @abstractmethod
    def possessive(self, person: int, form_index: int, draft: Draft) -> str:
        """Return the possessive of a person, with its article where it takes one."""

    @abstractmethod
    def given_name(self, name: str, gender: str, draft: Draft) -> str:
        """Return a given name with its article where it takes one."""

    @abstractmethod
    def country_name(self, word: Word) -> str:
        """Return a country's name with its article, if it has one."""

    @abstractmethod
    def contract(self, text: str) -> str:
        """Return the text with its contractions: de o → do."""

    @abstractmethod
    def cardinal(self, gender: str, draft: Draft) -> str:
        """Return a cardinal from two on, spelt out."""

    # ---- words and their forms

    def _forms(self, verb: Word, tense: str) -> tuple[str, ...]:
        infinitive, *rest = verb.text.split(" ", 1)
        infinitive = self.without_reflexive(infinitive)
        base = verb.forms.get("like", infinitive)
        prefix = infinitive[: len(infinitive) - len(base)]
        table = {name: tuple(prefix + form for form in forms) for name, forms in self.lexicon.irregular.get(base, {}).items()}
        table |= self.lexicon.irregular.get(infinitive, {})
        forms = self.conjugate(infinitive, tense, verb.forms.get("change", ""), table)
        return tuple(" ".join([form, *rest]) if form else "" for form in forms)

    def without_reflexive(self, infinitive: str) -> str:
        """Return a reflexive infinitive without its pronoun: levantarse → levantar, levantar-se → levantar."""
        return re.sub(r"-?se$", "", infinitive)

    def is_reflexive(self, verb: Word) -> bool:
        """Return whether the verb always has a reflexive pronoun."""
        return verb.text.endswith("se") and self.without_reflexive(verb.text) != verb.text

    def verb_form(self, concept: str, tense: str, person: int = 0) -> str:
        """Return one form of a verb."""
        forms = self.forms(self.lexicon.words[concept], tense)
        return forms[0] if tense in NONFINITE else forms[person]

    def noun_form(self, word: Word, gender: str, plural: int) -> str:
        """Return a noun in this gender and number."""
        if word.forms.get("number") == "plural":
            return word.text if word.text.endswith("s") else word.forms.get("plural") or self.pluralise(word.text)
        text = word.text
        if gender == "f" and word.gender == "mf":
            first, *rest = text.split(" ", 1)
            text = word.forms.get("feminine") or " ".join([self.feminise(first), *rest])
            return self._pluralise_head(text) if plural else text
        return (word.forms.get("plural") or self._pluralise_head(text)) if plural else text

    def _pluralise_head(self, text: str) -> str:
        first, *rest = text.split(" ", 1)
        return " ".join([self.pluralise(first), *rest])

    def adjective_form(self, word: Word, gender: str, plural: int) -> str:
        """Return an adjective in this gender and number."""
        if gender == "f":
            text = word.forms.get("feminine") or self.feminise(word.text)
            return self.pluralise(text) if plural else text
        return (word.forms.get("plural") or self.pluralise(word.text)) if plural else word.text

    def _candidates(self, part: str, classes: frozenset[str], without: frozenset[str] = frozenset()) -> tuple[Word, ...]:
        return tuple(word for word in self.lexicon.words.values()
                     if word.part == part and word.classes & classes and not word.classes & without)

    def choose_word(self, pool: tuple[Word, ...], draft: Draft) -> Word:
        """Return a word of the pool; up to five draws avoid a concept that the sentence already has."""
        word = draft.choice(pool)
        for _ in range(5):
            if word.concept not in draft.used_concepts:
                break
            word = draft.choice(pool)
        draft.used_concepts.add(word.concept)
        return word

    # ---- noun phrases

    def determiner(self, kind: str, word: Word | None, gender: str, plural: int, draft: Draft) -> str:
        """Return a determiner that agrees."""
        if kind == "possessive":
            subject = draft.subject
            second_person = subject is not None and not subject.overt and subject.person in (1, 2, 4, 5)
            persons = (0, subject.person, subject.person, 3) if second_person else self.possessors
            if word is not None and "kin" in word.classes:  # my husband, hardly our husband
                persons = persons[:-1]
            return self.possessive(draft.choice(persons), (gender == "f") + 2 * plural, draft)
        if kind == "numeral":
            return self.cardinal(gender, draft)
        if kind == "bare":
            return ""
        return self.determiners[kind][(gender == "f") + 2 * plural]

    def noun_phrase(self, draft: Draft, word: Word, kinds: tuple[tuple[str, ...], tuple[str, ...]] = OBJECT_DETERMINERS,
                    kind: str = "", plural: int | None = None, adjectives: float = 0.25) -> str:
        """Return a noun with its determiner and perhaps an adjective; set `draft.last_phrase` to its agreement."""
        if word.part == "name":
            draft.last_phrase = Agreement(2, word.gender or "m", word.classes)
            return self.country_name(word) if "country" in word.classes else word.text
        number = word.forms.get("number", "")
        gender = word.gender if word.gender in "mf" and len(word.gender) == 1 else "m" if draft.random() < 0.5 else "f"
        if number:
            plural = int(number == "plural")
        elif plural is None:
            plural = int(draft.random() < 0.3)
        if not kind:
            kind = draft.choice(MASS_DETERMINERS if number == "mass" else ("the",) if number == "singular" else
                              ("the", "possessive") if number == "plural" else kinds[plural])
        text = self.noun_form(word, gender, plural)
        before = after = ""
        if draft.random() < adjectives and (pool := self.candidates("adjective", word.classes)):
            adjective = self.choose_word(pool, draft)
            form = self.adjective_form(adjective, gender, plural)
            if "position" in adjective.forms and draft.random() < 0.5:
                before = form
            else:
                after = form
        if kind == "the" and not after and draft.random() < 0.07 and "thing" in word.classes:
            name = self.choose_word(self.candidates("name", frozenset({"male", "female"})), draft)
            after = "de " + self.given_name(name.text, "m" if "male" in name.classes else "f", draft)
        draft.last_phrase = Agreement(5 if plural else 2, gender, word.classes, triggers_proclisis=kind in ("all", "few", "many", "none"))
        first = self.determiner(kind, None if before else word, gender, plural, draft)
        if not before and "article" in word.forms and not plural:
            first = self.determiner(kind, word, "m" if kind in ("the", "a", "some", "none") else gender, plural, draft)
        return " ".join(filter(None, (first, before, text, after)))

    def person_phrase(self, draft: Draft, classes: tuple[str, ...] = PERSON_CLASSES) -> str:
        """Return a name, a title with surname, or a noun phrase for a person; set `draft.last_phrase`."""
        number = draft.random()
        if number < 0.36 and "person" in classes:
            gender = "m" if draft.random() < 0.5 else "f"
            name = self.choose_word(self.candidates("name", frozenset({"male" if gender == "m" else "female"})), draft)
            draft.last_phrase = Agreement(2, gender)
            if number < 0.24:
                return self.given_name(name.text, gender, draft)
            surname = self.choose_word(self.candidates("name", frozenset({"surname"})), draft)
            if number < 0.30:
                return f"{name.text} {surname.text}"
            return f"{self.determiners['the'][gender == 'f']} {self.title(gender)} {surname.text}"
        word = self.choose_word(self.candidates("noun", frozenset(classes)), draft)
        kind = "possessive" if "kin" in word.classes else ""
        return self.noun_phrase(draft, word, SUBJECT_DETERMINERS, kind, adjectives=0.15, plural=0 if kind and draft.random() < 0.8 else None)

    @abstractmethod
    def title(self, gender: str) -> str:
        """Return the title before a surname."""

    def slot_subject(self, draft: Draft, *classes: str) -> str:
        """A subject: a person unless other classes are named; the next verb agrees with it."""
        if not classes and draft.random() < 0.15:
            text, draft.subject = draft.choice(self.subject_pronouns())
            return text
        if not classes or classes == PERSON_CLASSES:
            text = self.person_phrase(draft)
        else:
            word = self.choose_word(self.candidates("noun", class_set(classes)), draft)
            text = self.noun_phrase(draft, word, SUBJECT_DETERMINERS)
        draft.subject = draft.last_phrase
        return text

    def slot_definite_subject(self, draft: Draft, classes: str) -> str:
        """A definite subject of the classes: the, this, my."""
        text = self.noun_phrase(draft, self.choose_word(self.candidates("noun", class_set((classes,))), draft), DEFINITE_DETERMINERS, adjectives=0.1)
        draft.subject = draft.last_phrase
        return text

    def slot_third_person(self, draft: Draft) -> str:
        """A person as subject, never a pronoun."""
        text = self.person_phrase(draft)
        draft.subject = draft.last_phrase
        return text

    def slot_defer_subject(self, draft: Draft, *classes: str) -> str:
        """Empty: chooses a subject that follows its verb; `{deferred_subject}` is its text."""
        draft.deferred_subject = self.slot_definite_subject(draft, *classes) if classes else self.slot_third_person(draft)
        return ""

    def slot_deferred_subject(self, draft: Draft) -> str:
        """The subject that `{defer_subject}` chose."""
        return draft.deferred_subject

    def slot_null_subject(self, draft: Draft, *persons: str) -> str:
        """Empty: a null subject, which only the verb's ending shows."""
        person = PERSONS[draft.choice(persons)] if persons else draft.choice(self.null_subject_persons())
        draft.subject = Agreement(person, "m" if draft.random() < 0.5 else "f", overt=False)
        return ""

    def slot_fixed_subject(self, draft: Draft, person: str, gender: str = "m") -> str:
        """Empty: the subject is a word of the frame: você, ninguém, quem."""
        draft.subject = Agreement(PERSONS[person], gender)
        return ""

    def slot_addressee(self, draft: Draft, number: str = "") -> str:
        """Empty: the null subject is the addressee, `one` person or any number."""
        persons = tuple(person for person in self.addressee_persons() if not number or person < 3)
        draft.subject = Agreement(draft.choice(persons), "m" if draft.random() < 0.5 else "f", overt=False)
        return ""

    def slot_relative_head(self, draft: Draft, *classes: str) -> str:
        """A definite noun phrase that a relative clause can modify; `{resume_head}` makes it the subject again."""
        word = self.choose_word(self.candidates("noun", class_set(classes)), draft)
        text = self.noun_phrase(draft, word, kind="the", adjectives=0.1)
        draft.relative_head = draft.subject = draft.last_phrase
        return text

    def slot_resume_head(self, draft: Draft) -> str:
        """Empty: the head of the relative clause is the subject again."""
        draft.subject = draft.relative_head
        return ""

    def slot_resume_last(self, draft: Draft) -> str:
        """Empty: the last noun phrase is the subject of the next verb."""
        draft.subject = draft.last_phrase
        return ""

    def slot_noun_phrase(self, draft: Draft, classes: str, kind: str = "", number: str = "") -> str:
        """A noun phrase of the classes (joined by +), with this determiner and number if they are given."""
        pool = self.candidates("noun", class_set((classes,)))
        if number == "plural" or kind in ("a", "each", "many"):
            pool = tuple(word for word in pool if "number" not in word.forms)
        word = self.choose_word(pool, draft)
        plural = {"": None, "singular": 0, "plural": 1}[number]
        adjectives = 0.0 if kind in ("bare", "none", "each") else 0.25
        text = self.noun_phrase(draft, word, kind=kind, plural=plural, adjectives=adjectives)
        draft.relative_head = draft.last_phrase
        return text

    def slot_person(self, draft: Draft) -> str:
        """A person, not a subject."""
        return self.person_phrase(draft)

    def slot_phrase(self, draft: Draft, *classes: str) -> str:
        """A name or a set phrase of the classes."""
        word = self.choose_word(self.candidates("phrase", frozenset(classes)) or self.candidates("name", frozenset(classes)), draft)
        return self.country_name(word) if "country" in word.classes else word.text

    def slot_vocative(self, draft: Draft) -> str:
        """A given name in address, without article."""
        return self.choose_word(self.candidates("name", frozenset({"male", "female"})), draft).text

    def slot_location(self, draft: Draft) -> str:
        """A locative phrase; empty if the sentence has one."""
        if draft.has_location:
            return ""
        draft.has_location = True
        if draft.random() < 0.2:
            return f"{self.locative_preposition} {self.slot_phrase(draft, 'city')}"
        word = self.choose_word(self.candidates("noun", frozenset(LOCATIONS)), draft)
        noun = draft.last_phrase
        text = self.noun_phrase(draft, word, kind="the" if draft.random() < 0.75 else "", plural=0)
        draft.last_phrase = noun
        return f"{self.locative_preposition} {text}"

    def slot_adjective(self, draft: Draft, kind: str = "lasting") -> str:
        """A predicative adjective: `lasting`, `compared` (after more) or `relational` with ser, or `state` with estar."""
        subject = draft.subject
        if kind in ("state", "relational"):
            pool = tuple(word for word in self.candidates("adjective", subject.classes) if kind in word.classes)
        else:
            pool = self.candidates("adjective", subject.classes, frozenset({"state", "relational"}))
        if kind == "compared":
            pool = tuple(word for word in pool if word.text not in self.suppletive_comparatives)
        return self.adjective_form(self.choose_word(pool, draft), subject.gender, subject.plural)

    def slot_predicate_noun(self, draft: Draft, classes: str) -> str:
        """A definite predicate noun that agrees with the subject: o primo, as irmãs."""
        word = self.choose_word(tuple(w for w in self.candidates("noun", class_set((classes,))) if w.gender == "mf"), draft)
        subject = draft.subject
        return f"{self.determiners['the'][subject.form_index]} {self.noun_form(word, subject.gender, subject.plural)}"

    def slot_occupation(self, draft: Draft) -> str:
        """A profession as predicate, without article."""
        word = self.choose_word(tuple(w for w in self.candidates("noun", frozenset({"person"})) if w.gender != "f"), draft)
        return self.noun_form(word, draft.subject.gender, draft.subject.plural)

    def slot_agreeing_form(self, draft: Draft, *forms: str) -> str:
        """The one of four forms (masculine, feminine, and their plurals) that agrees with the subject."""
        subject: Agreement = draft.subject
        return forms[subject.form_index]

    # ---- verbs

    def slot_verb(self, draft: Draft, concept: str, tense: str, *flags: str) -> str:
        """This verb without complements; it agrees with the subject."""
        verb = self.lexicon.words[concept]
        pronoun = self.reflexive_pronouns[draft.subject.person] if self.is_reflexive(verb) else ""
        return self.verb_group(verb, tense, draft.subject, pronoun, "proclitic" in flags)

    def slot_quotative(self, draft: Draft, concept: str) -> str:
        """A verb of saying with its subject after it: disse a Maria."""
        text = self.person_phrase(draft)
        return f"{self.verb_form(concept, 'preterite', draft.last_phrase.person)} {text}"

    @cache  # noqa: B019 (grammars live as long as the process)
    def eligible_verbs(self, classes: frozenset[str], tense: str, pronoun: bool, transitive: bool) -> tuple[Word, ...]:
        """Return the verbs whose subject can have these classes, in this tense."""
        return tuple(
            verb for verb in self.candidates("verb", classes - {"state"})
            if (pronoun or not self.is_reflexive(verb))
            and not ("state" in verb.classes and tense in ("imperative", "progressive", "was_progressive", "gerund", "prohibition"))
            and (not transitive or (verb.object_classes and "preposition" not in verb.forms and not self.is_reflexive(verb))))

    def slot_verb_phrase(self, draft: Draft, tense: str, *flags: str) -> str:
        """A verb that can have this subject, with its complements.

        Flags: `proclitic` puts clitic pronouns before the verb, `inverted` puts the deferred subject after it.
        """
        subject, proclisis = draft.subject, "proclitic" in flags or draft.subject.triggers_proclisis
        allowed = self.allows_clitic(tense, subject, proclisis)
        verb = self.choose_word(self.eligible_verbs(subject.classes, tense, allowed, False), draft)
        pronoun = self.reflexive_pronouns[subject.person] if self.is_reflexive(verb) else ""
        objects = []
        preposition = verb.forms.get("preposition", "")
        if verb.object_classes:
            people = verb.object_classes & frozenset(PERSON_CLASSES)
            if people and not preposition and not pronoun and allowed and draft.random() < 0.28:
                pronoun = self._accusative_pronoun(draft, subject)
            else:
                objects.append(self.complement(draft, verb, preposition))
        if verb.recipient_classes:
            if not pronoun and allowed and draft.random() < 0.4:
                pronoun = self.dative_pronouns[self._other_person(draft, subject)]
            else:
                recipient = self.person_phrase(draft, ("person", "kin") if "person" in verb.recipient_classes else ("kin",))
                if self.clitic_doubling and allowed and not pronoun:
                    pronoun = self.dative_pronouns[draft.last_phrase.person]
                objects.append("a " + recipient)
        if "inverted" in flags:
            objects.insert(0, draft.deferred_subject)
        return " ".join([self.verb_group(verb, tense, subject, pronoun, proclisis), *objects])

    def complement(self, draft: Draft, verb: Word, preposition: str) -> str:
        """Return a verb's object with its preposition or object marker."""
        takes = verb.object_classes
        if takes & {"place", "room", "nature", "city", "country"}:
            draft.has_location = True
        if preposition and "place" in takes and "person" not in takes and draft.random() < 0.15:
            return f"{preposition} {self.slot_phrase(draft, 'city')}"
        if takes & frozenset(PERSON_CLASSES) and draft.random() < len(takes & frozenset(PERSON_CLASSES)) / len(takes):
            text = self.person_phrase(draft, tuple(takes & frozenset(PERSON_CLASSES)))
            return f"{preposition} {text}" if preposition else self.object_marker + text
        nouns = takes - frozenset(PERSON_CLASSES) or takes
        word = self.choose_word(self.candidates("noun", nouns) or self.candidates("name", nouns), draft)
        text = self.noun_phrase(draft, word, kind=verb.forms.get("determiner", ""))
        if "group" in word.classes and not preposition:
            return self.object_marker + text
        return f"{preposition} {text}" if preposition else text

    def _other_person(self, draft: Draft, subject: Agreement) -> int:
        person = draft.choice((0, 1, 2, 3, 5, 2))
        while person % 3 == subject.person % 3 != 2:  # not "I see me", not "I see us"
            person = draft.choice((0, 1, 2, 3, 5))
        return person

    def _accusative_pronoun(self, draft: Draft, subject: Agreement) -> str:
        return self.accusative_pronoun(self._other_person(draft, subject), "m" if draft.random() < 0.5 else "f")

    @cache  # noqa: B019
    def transitive_verbs(self, objects: frozenset[str]) -> tuple[Word, ...]:
        """Return the verbs with a human subject and a direct object of these classes, without indirect object."""
        return tuple(verb for verb in self.eligible_verbs(frozenset({"human"}), "preterite", False, True)
                     if verb.object_classes & objects and not verb.recipient_classes)

    def slot_object_relative(self, draft: Draft, tense: str) -> str:
        """A verb whose object is the head of the relative clause: the book that Juan `bought`."""
        verb = self.choose_word(self.transitive_verbs(draft.relative_head.classes), draft)
        return self.verb_group(verb, tense, draft.subject, "", True)

    def slot_passive(self, draft: Draft, tense: str) -> str:
        """A passive whose subject is the patient: fue escrita."""
        verb = self.choose_word(tuple(v for v in self.transitive_verbs(draft.subject.classes) if " " not in v.text), draft)
        participle = self.forms(verb, "passive")[0]
        form = self.agreeing_participle(participle, draft.subject)
        return f"{self.verb_form('be', tense, draft.subject.person)} {form}"

    def agreeing_participle(self, participle: str, subject: Agreement) -> str:
        """Return a participle that agrees: escrito → escritas."""
        text = participle[:-1] + "a" if participle.endswith("o") and subject.gender == "f" else participle
        return text + "s" if subject.plural else text

    def slot_impersonal(self, draft: Draft, *concepts: str) -> str:
        """One of the verbs with a noun as its grammatical subject: se venden casas."""
        verb = self.lexicon.words[draft.choice(concepts)]
        word = self.choose_word(self.candidates("noun", verb.object_classes), draft)
        number = word.forms.get("number", "")
        phrase = self.noun_phrase(draft, word, kind="bare", plural=int(number in ("", "plural")), adjectives=0.5)
        return f"{self.impersonal_se(verb, draft.last_phrase.person)} {phrase}"

    @abstractmethod
    def impersonal_se(self, verb: Word, person: int) -> str:
        """Return the impersonal present of a verb: se vende, vende-se."""

    # ---- written forms: digits, units, abbreviations

    def slot_integer(self, draft: Draft, low: str, high: str) -> str:
        """A whole number in digits, between two limits."""
        return str(int(low) + int(draft.random() * (int(high) - int(low) + 1)))

    def slot_decimal(self, draft: Draft) -> str:
        """A number with a decimal comma: 3,5."""
        return f"{int(1 + draft.random() * 40)},{int(1 + draft.random() * 9)}"

    def slot_year(self, draft: Draft) -> str:
        """A year in digits."""
        return str(1900 + int(draft.random() * 126))

    def slot_quantity(self, draft: Draft, classes: str) -> str:
        """A number in digits with a plural noun: 12 libros."""
        word = self.choose_word(tuple(w for w in self.candidates("noun", class_set((classes,))) if "number" not in w.forms), draft)
        return f"{self.slot_integer(draft, '3', '99')} {self.noun_phrase(draft, word, kind='bare', plural=1, adjectives=0.0)}"

    @abstractmethod
    def slot_clock_time(self, draft: Draft, low: str = "7", high: str = "22") -> str:
        """A time of day in digits, between two hours."""

    @abstractmethod
    def slot_money(self, draft: Draft) -> str:
        """An amount of money."""

    @abstractmethod
    def slot_ordinal(self, draft: Draft, gender: str) -> str:
        """An ordinal in digits."""

    # ---- sentences

    def sentence(self, seed: str, rule: str = "sentence") -> str:
        """Return a sentence of 4 to 14 words for the seed."""
        draft = Draft(seed)
        while True:
            text = finished(self.contract(self.frames.expand(rule, draft)))
            if 4 <= text.count(" ") + 1 <= 14 and len(text) <= 95:
                return text
            draft.restart()


def finished(text: str) -> str:
    """Return the text with single blanks, none before punctuation, and a capital at its start."""
    text = re.sub(r" +(?=[,.;:?!…»”])", "", re.sub(r" {2,}", " ", text)).strip()
    return re.sub(r"^\W*\w|[.!?] \w", lambda match: match[0][:-1] + match[0][-1].upper(), text)
