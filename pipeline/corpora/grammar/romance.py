"""What the Romance languages share: agreement, noun phrases, verbs with their objects and pronouns.

A language's class adds inflection, function words, the place of pronouns and the written forms of numbers. The methods
`slot_*` are what the frames of a language are made of; each returns text and notes in the draft what it has said.
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
HUMAN = ("person", "kin")
SETTINGS = ("place", "room", "nature")

# Determiners of singular and plural, as often as they stand here.
SUBJECT = (("the",) * 14 + ("possessive",) * 4 + ("a", "a", "this", "this", "that", "yonder", "other", "the_same"),
           ("the",) * 14 + ("possessive", "possessive", "many", "some", "some", "several", "this", "numeral", "all", "few", "yonder"))
OBJECT = (("the",) * 12 + ("a",) * 12 + ("possessive",) * 5 + ("this", "this", "that", "yonder", "other", "the_same"),
          ("the",) * 10 + ("some",) * 6 + ("possessive",) * 4 + ("many", "many", "several", "numeral", "numeral", "this", "that",
                                                                 "few", "other", "so_many", "all", "yonder"))
DEFINITE = (("the",) * 6 + ("possessive", "this", "that", "yonder"), ("the",) * 6 + ("possessive", "this", "that", "yonder"))
UNCOUNTED = ("the",) * 6 + ("possessive", "possessive", "a_little", "this", "many", "that")


@dataclass(frozen=True, slots=True)
class Agreement:
    """A noun phrase or pronoun, as far as other words depend on it."""

    person: int                               # 0..5: I, you, he, we, you all, they
    gender: str                               # m | f
    classes: frozenset[str] = frozenset({"person", "human"})  # what it is
    explicit: bool = True                     # said, not only shown by the verb's ending
    attracts: bool = False                    # draws pronouns before the verb in Portuguese: todos se riem

    @property
    def plural(self) -> int:
        """1 for the plural, 0 for the singular."""
        return int(self.person > 2)

    @property
    def cell(self) -> int:
        """The place in a table of four: masculine, feminine, and their plurals."""
        return (self.gender == "f") + 2 * self.plural


def split(classes: tuple[str, ...]) -> frozenset[str]:
    """Return the classes of a slot's arguments: food+fruit → food, fruit."""
    return frozenset(name for part in classes for name in part.split("+"))


class Romance(ABC):
    """A Romance language in one of its locales."""

    language: ClassVar[str]
    locales: ClassVar[tuple[str, ...]]
    determiners: ClassVar[dict[str, tuple[str, str, str, str]]]   # masculine, feminine, and their plurals
    possessives: ClassVar[tuple[tuple[str, str, str, str], ...]]  # the same for each of six persons
    owners: tuple[int, ...] = (0, 0, 1, 2, 3)                     # whose things are spoken of, as often as they stand here
    numerals: ClassVar[tuple[str, ...]]
    reflexives: ClassVar[tuple[str, ...]]
    recipients: ClassVar[tuple[str, ...]]     # pronouns of the indirect object
    personal: ClassVar[str] = ""              # what marks a human direct object
    doubling: ClassVar[bool] = False          # an indirect object is announced by a pronoun: le di el libro a Juan
    place_preposition: ClassVar[str]
    suppletive: ClassVar[frozenset[str]] = frozenset()  # adjectives with a comparative of their own: grande, maior

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self.lexicon = read_lexicon(self.language, locale)
        self.forms = cache(self._forms)
        self.pool = cache(self._pool)
        self.frames = Frames(FOLDER / f"{self.language}.frames.txt", self)

    # ---- what a language adds

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
        """Return a verb's forms in a tense: six, or one where there are no persons."""

    @abstractmethod
    def pronouns(self) -> tuple[tuple[str, Agreement], ...]:
        """Return the pronouns that may be a subject."""

    @abstractmethod
    def dropped(self) -> tuple[int, ...]:
        """Return the persons that the verb's ending shows well enough."""

    @abstractmethod
    def addressed(self) -> tuple[int, ...]:
        """Return the persons of those who are told or asked something."""

    @abstractmethod
    def group(self, verb: Word, tense: str, subject: Agreement, pronoun: str, drawn: bool) -> str:
        """Return the verb with its auxiliary and its pronoun; `drawn` where something before it attracts pronouns."""

    @abstractmethod
    def may_have_pronoun(self, tense: str, subject: Agreement, drawn: bool) -> bool:
        """Return whether a pronoun has a place beside this form."""

    @abstractmethod
    def object_pronoun(self, person: int, gender: str) -> str:
        """Return the pronoun of a direct object."""

    @abstractmethod
    def own(self, person: int, cell: int, draft: Draft) -> str:
        """Return the possessive of a person, with its article where it takes one."""

    @abstractmethod
    def first_name(self, name: str, gender: str, draft: Draft) -> str:
        """Return a first name as it stands in a sentence, with its article where it takes one."""

    @abstractmethod
    def country(self, word: Word) -> str:
        """Return a country's name with its article, if it has one."""

    @abstractmethod
    def merged(self, text: str) -> str:
        """Return the text with the words that merge merged: de o → do."""

    @abstractmethod
    def numeral(self, gender: str, draft: Draft) -> str:
        """Return a number from two on, in letters."""

    # ---- words and their forms

    def _forms(self, verb: Word, tense: str) -> tuple[str, ...]:
        infinitive, *rest = verb.text.split(" ", 1)
        infinitive = self.bare(infinitive)
        base = verb.forms.get("like", infinitive)
        prefix = infinitive[: len(infinitive) - len(base)]
        table = {name: tuple(prefix + form for form in forms) for name, forms in self.lexicon.irregular.get(base, {}).items()}
        table |= self.lexicon.irregular.get(infinitive, {})
        forms = self.conjugate(infinitive, tense, verb.forms.get("change", ""), table)
        return tuple(" ".join([form, *rest]) if form else "" for form in forms)

    def bare(self, infinitive: str) -> str:
        """Return a reflexive infinitive without its pronoun: levantarse → levantar, levantar-se → levantar."""
        return re.sub(r"-?se$", "", infinitive)

    def is_reflexive(self, verb: Word) -> bool:
        """Return whether the verb always has a reflexive pronoun."""
        return verb.text.endswith("se") and self.bare(verb.text) != verb.text

    def verb(self, concept: str, tense: str, person: int = 0) -> str:
        """Return one form of a verb."""
        forms = self.forms(self.lexicon.words[concept], tense)
        return forms[0] if tense in NONFINITE else forms[person]

    def noun(self, word: Word, gender: str, plural: int) -> str:
        """Return a noun in this gender and number."""
        if word.forms.get("number") == "plural":
            return word.text if word.text.endswith("s") else word.forms.get("plural") or self.pluralise(word.text)
        text = word.text
        if gender == "f" and word.gender == "mf":
            first, *rest = text.split(" ", 1)
            text = word.forms.get("feminine") or " ".join([self.feminise(first), *rest])
            return self._pluralised(text) if plural else text
        return (word.forms.get("plural") or self._pluralised(text)) if plural else text

    def _pluralised(self, text: str) -> str:
        first, *rest = text.split(" ", 1)
        return " ".join([self.pluralise(first), *rest])

    def adjective(self, word: Word, gender: str, plural: int) -> str:
        """Return an adjective in this gender and number."""
        if gender == "f":
            text = word.forms.get("feminine") or self.feminise(word.text)
            return self.pluralise(text) if plural else text
        return (word.forms.get("plural") or self.pluralise(word.text)) if plural else word.text

    def _pool(self, part: str, classes: frozenset[str], without: frozenset[str] = frozenset()) -> tuple[Word, ...]:
        return tuple(word for word in self.lexicon.words.values()
                     if word.part == part and word.classes & classes and not word.classes & without)

    def choose(self, pool: tuple[Word, ...], draft: Draft) -> Word:
        """Return a word of the pool, one not yet used in this sentence if it is quickly found."""
        word = draft.pick(pool)
        for _ in range(5):
            if word.concept not in draft.used:
                break
            word = draft.pick(pool)
        draft.used.add(word.concept)
        return word

    # ---- noun phrases

    def determiner(self, kind: str, word: Word | None, gender: str, plural: int, draft: Draft) -> str:
        """Return a determiner that agrees."""
        if kind == "possessive":
            subject = draft.subject
            spoken_to = subject is not None and not subject.explicit and subject.person in (1, 2, 4, 5)
            owners = (0, subject.person, subject.person, 3) if spoken_to else self.owners
            if word is not None and "kin" in word.classes:  # my husband, hardly our husband
                owners = owners[:-1]
            return self.own(draft.pick(owners), (gender == "f") + 2 * plural, draft)
        if kind == "numeral":
            return self.numeral(gender, draft)
        if kind == "bare":
            return ""
        return self.determiners[kind][(gender == "f") + 2 * plural]

    def noun_phrase(self, draft: Draft, word: Word, kinds: tuple[tuple[str, ...], tuple[str, ...]] = OBJECT,
                    kind: str = "", plural: int | None = None, adjectives: float = 0.25) -> str:
        """Return a noun with its determiner and perhaps an adjective; `draft.noun` is set to what it agrees as."""
        if word.part == "name":
            draft.noun = Agreement(2, word.gender or "m", word.classes)
            return self.country(word) if "country" in word.classes else word.text
        number = word.forms.get("number", "")
        gender = word.gender if word.gender in "mf" and len(word.gender) == 1 else "m" if draft.chance() < 0.5 else "f"
        if number:
            plural = int(number == "plural")
        elif plural is None:
            plural = int(draft.chance() < 0.3)
        if not kind:
            kind = draft.pick(UNCOUNTED if number == "mass" else ("the",) if number == "singular" else
                              ("the", "possessive") if number == "plural" else kinds[plural])
        text = self.noun(word, gender, plural)
        before = after = ""
        if draft.chance() < adjectives and (pool := self.pool("adjective", word.classes)):
            adjective = self.choose(pool, draft)
            form = self.adjective(adjective, gender, plural)
            if "position" in adjective.forms and draft.chance() < 0.5:
                before = form
            else:
                after = form
        if kind == "the" and not after and draft.chance() < 0.07 and "thing" in word.classes:
            name = self.choose(self.pool("name", frozenset({"male", "female"})), draft)
            after = "de " + self.first_name(name.text, "m" if "male" in name.classes else "f", draft)
        draft.noun = Agreement(5 if plural else 2, gender, word.classes, attracts=kind in ("all", "few", "many", "none"))
        first = self.determiner(kind, None if before else word, gender, plural, draft)
        if not before and "article" in word.forms and not plural:
            first = self.determiner(kind, word, "m" if kind in ("the", "a", "some", "none") else gender, plural, draft)
        return " ".join(filter(None, (first, before, text, after)))

    def human(self, draft: Draft, classes: tuple[str, ...] = HUMAN) -> str:
        """Return a name, a title with surname, or a noun phrase for a person; `draft.noun` is set."""
        chance = draft.chance()
        if chance < 0.36 and "person" in classes:
            gender = "m" if draft.chance() < 0.5 else "f"
            name = self.choose(self.pool("name", frozenset({"male" if gender == "m" else "female"})), draft)
            draft.noun = Agreement(2, gender)
            if chance < 0.24:
                return self.first_name(name.text, gender, draft)
            surname = self.choose(self.pool("name", frozenset({"surname"})), draft)
            if chance < 0.30:
                return f"{name.text} {surname.text}"
            return f"{self.determiners['the'][gender == 'f']} {self.title(gender)} {surname.text}"
        word = self.choose(self.pool("noun", frozenset(classes)), draft)
        kind = "possessive" if "kin" in word.classes else ""
        return self.noun_phrase(draft, word, SUBJECT, kind, adjectives=0.15, plural=0 if kind and draft.chance() < 0.8 else None)

    @abstractmethod
    def title(self, gender: str) -> str:
        """Return the title before a surname."""

    def slot_subject(self, draft: Draft, *classes: str) -> str:
        """A subject: a person unless other classes are named; the next verb agrees with it."""
        if not classes and draft.chance() < 0.15:
            text, draft.subject = draft.pick(self.pronouns())
            return text
        if not classes or classes == HUMAN:
            text = self.human(draft)
        else:
            word = self.choose(self.pool("noun", split(classes)), draft)
            text = self.noun_phrase(draft, word, SUBJECT)
        draft.subject = draft.noun
        return text

    def slot_definite(self, draft: Draft, classes: str) -> str:
        """A subject of the classes that is known: the, this, my."""
        text = self.noun_phrase(draft, self.choose(self.pool("noun", split((classes,))), draft), DEFINITE, adjectives=0.1)
        draft.subject = draft.noun
        return text

    def slot_third(self, draft: Draft) -> str:
        """A person as a subject, never a pronoun."""
        text = self.human(draft)
        draft.subject = draft.noun
        return text

    def slot_choose(self, draft: Draft, *classes: str) -> str:
        """Nothing yet: a subject is chosen, so that a verb can stand before it; `{chosen}` says it."""
        draft.chosen = self.slot_definite(draft, *classes) if classes else self.slot_third(draft)
        return ""

    def slot_chosen(self, draft: Draft) -> str:
        """The subject that was chosen before."""
        return draft.chosen

    def slot_someone(self, draft: Draft, *persons: str) -> str:
        """Nothing: a subject that only the verb's ending shows."""
        person = PERSONS[draft.pick(persons)] if persons else draft.pick(self.dropped())
        draft.subject = Agreement(person, "m" if draft.chance() < 0.5 else "f", explicit=False)
        return ""

    def slot_said(self, draft: Draft, person: str, gender: str = "m") -> str:
        """Nothing: the frame itself has named the subject: você, ninguém, quem."""
        draft.subject = Agreement(PERSONS[person], gender)
        return ""

    def slot_addressed(self, draft: Draft, number: str = "") -> str:
        """Nothing: the subject is whoever is spoken to, `one` person or any."""
        persons = tuple(person for person in self.addressed() if not number or person < 3)
        draft.subject = Agreement(draft.pick(persons), "m" if draft.chance() < 0.5 else "f", explicit=False)
        return ""

    def slot_head(self, draft: Draft, *classes: str) -> str:
        """A definite noun phrase that a relative clause can follow; `{back}` makes it the subject again."""
        word = self.choose(self.pool("noun", split(classes)), draft)
        text = self.noun_phrase(draft, word, kind="the", adjectives=0.1)
        draft.head = draft.subject = draft.noun
        return text

    def slot_back(self, draft: Draft) -> str:
        """Nothing: the head is the subject again."""
        draft.subject = draft.head
        return ""

    def slot_object(self, draft: Draft) -> str:
        """Nothing: the last noun phrase is the subject of what follows."""
        draft.subject = draft.noun
        return ""

    def slot_noun(self, draft: Draft, classes: str, kind: str = "", number: str = "") -> str:
        """A noun phrase of the classes (joined by +), with this determiner and number if they are named."""
        pool = self.pool("noun", split((classes,)))
        if number == "plural" or kind in ("a", "each", "many"):
            pool = tuple(word for word in pool if "number" not in word.forms)
        word = self.choose(pool, draft)
        plural = {"": None, "singular": 0, "plural": 1}[number]
        adjectives = 0.0 if kind in ("bare", "none", "each") else 0.25
        text = self.noun_phrase(draft, word, kind=kind, plural=plural, adjectives=adjectives)
        draft.head = draft.noun
        return text

    def slot_human(self, draft: Draft) -> str:
        """A person, not a subject."""
        return self.human(draft)

    def slot_word(self, draft: Draft, *classes: str) -> str:
        """A name or a set phrase of the classes."""
        word = self.choose(self.pool("phrase", frozenset(classes)) or self.pool("name", frozenset(classes)), draft)
        return self.country(word) if "country" in word.classes else word.text

    def slot_name(self, draft: Draft) -> str:
        """A first name in address, without article."""
        return self.choose(self.pool("name", frozenset({"male", "female"})), draft).text

    def slot_place(self, draft: Draft) -> str:
        """Where something happens; nothing if a place has been named."""
        if draft.placed:
            return ""
        draft.placed = True
        if draft.chance() < 0.2:
            return f"{self.place_preposition} {self.slot_word(draft, 'city')}"
        word = self.choose(self.pool("noun", frozenset(SETTINGS)), draft)
        noun = draft.noun
        text = self.noun_phrase(draft, word, kind="the" if draft.chance() < 0.75 else "", plural=0)
        draft.noun = noun
        return f"{self.place_preposition} {text}"

    def slot_adjective(self, draft: Draft, kind: str = "lasting") -> str:
        """An adjective said of the subject: `lasting`, `compared` (after more) or `relational` with ser, or `state` with estar."""
        subject = draft.subject
        if kind in ("state", "relational"):
            pool = tuple(word for word in self.pool("adjective", subject.classes) if kind in word.classes)
        else:
            pool = self.pool("adjective", subject.classes, frozenset({"state", "relational"}))
        if kind == "compared":
            pool = tuple(word for word in pool if word.text not in self.suppletive)
        return self.adjective(self.choose(pool, draft), subject.gender, subject.plural)

    def slot_predicate(self, draft: Draft, classes: str) -> str:
        """What a person is to somebody: o primo, as irmãs."""
        word = self.choose(tuple(w for w in self.pool("noun", split((classes,))) if w.gender == "mf"), draft)
        subject = draft.subject
        return f"{self.determiners['the'][subject.cell]} {self.noun(word, subject.gender, subject.plural)}"

    def slot_occupation(self, draft: Draft) -> str:
        """What a person is by profession, without article."""
        word = self.choose(tuple(w for w in self.pool("noun", frozenset({"person"})) if w.gender != "f"), draft)
        return self.noun(word, draft.subject.gender, draft.subject.plural)

    def slot_agreeing(self, draft: Draft, *forms: str) -> str:
        """That one of four forms (masculine, feminine, and their plurals) that agrees with the subject."""
        subject: Agreement = draft.subject
        return forms[subject.cell]

    # ---- verbs

    def slot_verb(self, draft: Draft, concept: str, tense: str, *flags: str) -> str:
        """This verb alone, agreeing with the subject."""
        verb = self.lexicon.words[concept]
        pronoun = self.reflexives[draft.subject.person] if self.is_reflexive(verb) else ""
        return self.group(verb, tense, draft.subject, pronoun, "drawn" in flags)

    def slot_says(self, draft: Draft, concept: str) -> str:
        """A verb of saying with its subject behind it: disse a Maria."""
        text = self.human(draft)
        return f"{self.verb(concept, 'preterite', draft.noun.person)} {text}"

    @cache  # noqa: B019 (grammars live as long as the process)
    def actions(self, classes: frozenset[str], tense: str, pronoun: bool, transitive: bool) -> tuple[Word, ...]:
        """Return the verbs that such a subject can have in this tense."""
        return tuple(
            verb for verb in self.pool("verb", classes - {"state"})
            if (pronoun or not self.is_reflexive(verb))
            and not ("state" in verb.classes and tense in ("imperative", "progressive", "was_progressive", "gerund", "prohibition"))
            and (not transitive or (verb.takes and "preposition" not in verb.forms and not self.is_reflexive(verb))))

    def slot_act(self, draft: Draft, tense: str, *flags: str) -> str:
        """What the subject does: a verb that fits it, with its objects.

        `drawn`: pronouns stand before the verb. `inverted`: the chosen subject stands behind it.
        """
        subject, drawn = draft.subject, "drawn" in flags or draft.subject.attracts
        allowed = self.may_have_pronoun(tense, subject, drawn)
        verb = self.choose(self.actions(subject.classes, tense, allowed, False), draft)
        pronoun = self.reflexives[subject.person] if self.is_reflexive(verb) else ""
        objects = []
        preposition = verb.forms.get("preposition", "")
        if verb.takes:
            people = verb.takes & frozenset(HUMAN)
            if people and not preposition and not pronoun and allowed and draft.chance() < 0.28:
                pronoun = self._object_pronoun(draft, subject)
            else:
                objects.append(self.complement(draft, verb, preposition))
        if verb.gives_to:
            if not pronoun and allowed and draft.chance() < 0.4:
                pronoun = self.recipients[self._other(draft, subject)]
            else:
                recipient = self.human(draft, ("person", "kin") if "person" in verb.gives_to else ("kin",))
                if self.doubling and allowed and not pronoun:
                    pronoun = self.recipients[draft.noun.person]
                objects.append("a " + recipient)
        if "inverted" in flags:
            objects.insert(0, draft.chosen)
        return " ".join([self.group(verb, tense, subject, pronoun, drawn), *objects])

    def complement(self, draft: Draft, verb: Word, preposition: str) -> str:
        """Return a verb's object with what introduces it."""
        takes = verb.takes
        if takes & {"place", "room", "nature", "city", "country"}:
            draft.placed = True
        if preposition and "place" in takes and "person" not in takes and draft.chance() < 0.15:
            return f"{preposition} {self.slot_word(draft, 'city')}"
        if takes & frozenset(HUMAN) and draft.chance() < len(takes & frozenset(HUMAN)) / len(takes):
            text = self.human(draft, tuple(takes & frozenset(HUMAN)))
            return f"{preposition} {text}" if preposition else self.personal + text
        nouns = takes - frozenset(HUMAN) or takes
        word = self.choose(self.pool("noun", nouns) or self.pool("name", nouns), draft)
        text = self.noun_phrase(draft, word, kind=verb.forms.get("determiner", ""))
        if "group" in word.classes and not preposition:
            return self.personal + text
        return f"{preposition} {text}" if preposition else text

    def _other(self, draft: Draft, subject: Agreement) -> int:
        person = draft.pick((0, 1, 2, 3, 5, 2))
        while person % 3 == subject.person % 3 != 2:  # not "I see me", not "I see us"
            person = draft.pick((0, 1, 2, 3, 5))
        return person

    def _object_pronoun(self, draft: Draft, subject: Agreement) -> str:
        return self.object_pronoun(self._other(draft, subject), "m" if draft.chance() < 0.5 else "f")

    @cache  # noqa: B019
    def doings(self, objects: frozenset[str]) -> tuple[Word, ...]:
        """Return what people do to such an object: verbs with a direct object alone."""
        return tuple(verb for verb in self.actions(frozenset({"human"}), "preterite", False, True)
                     if verb.takes & objects and not verb.gives_to)

    def slot_done(self, draft: Draft, tense: str) -> str:
        """A verb whose object is the head (before the subject): the book that Juan `bought`."""
        verb = self.choose(self.doings(draft.head.classes), draft)
        return self.group(verb, tense, draft.subject, "", True)

    def slot_passive(self, draft: Draft, tense: str) -> str:
        """The passive of something that people do to the subject: fue escrita."""
        verb = self.choose(tuple(v for v in self.doings(draft.subject.classes) if " " not in v.text), draft)
        participle = self.forms(verb, "passive")[0]
        form = self.adjective_of(participle, draft.subject)
        return f"{self.verb('be', tense, draft.subject.person)} {form}"

    def adjective_of(self, participle: str, subject: Agreement) -> str:
        """Return a participle that agrees: escrito → escritas."""
        text = participle[:-1] + "a" if participle.endswith("o") and subject.gender == "f" else participle
        return text + "s" if subject.plural else text

    def slot_impersonal(self, draft: Draft, *concepts: str) -> str:
        """One of the verbs with a noun as its grammatical subject: se venden casas."""
        verb = self.lexicon.words[draft.pick(concepts)]
        word = self.choose(self.pool("noun", verb.takes), draft)
        number = word.forms.get("number", "")
        phrase = self.noun_phrase(draft, word, kind="bare", plural=int(number in ("", "plural")), adjectives=0.5)
        return f"{self.with_se(verb, draft.noun.person)} {phrase}"

    @abstractmethod
    def with_se(self, verb: Word, person: int) -> str:
        """Return the impersonal present of a verb: se vende, vende-se."""

    # ---- written forms: digits, units, abbreviations

    def slot_int(self, draft: Draft, low: str, high: str) -> str:
        """A whole number in digits, between two limits."""
        return str(int(low) + int(draft.chance() * (int(high) - int(low) + 1)))

    def slot_decimal(self, draft: Draft) -> str:
        """A number with a decimal comma: 3,5."""
        return f"{int(1 + draft.chance() * 40)},{int(1 + draft.chance() * 9)}"

    def slot_year(self, draft: Draft) -> str:
        """A year in digits."""
        return str(1900 + int(draft.chance() * 126))

    def slot_thing_count(self, draft: Draft, classes: str) -> str:
        """A number in digits with what is counted: 12 libros."""
        word = self.choose(tuple(w for w in self.pool("noun", split((classes,))) if "number" not in w.forms), draft)
        return f"{self.slot_int(draft, '3', '99')} {self.noun_phrase(draft, word, kind='bare', plural=1, adjectives=0.0)}"

    @abstractmethod
    def slot_clock(self, draft: Draft, low: str = "7", high: str = "22") -> str:
        """A time of day in digits, between two hours."""

    @abstractmethod
    def slot_money(self, draft: Draft) -> str:
        """An amount of money."""

    @abstractmethod
    def slot_ordinal(self, draft: Draft, gender: str) -> str:
        """An ordinal in digits."""

    # ---- the whole

    def sentence(self, seed: str, rule: str = "sentence") -> str:
        """Return a sentence of 4 to 14 words for the seed."""
        draft = Draft(seed)
        while True:
            text = finished(self.merged(self.frames.expand(rule, draft)))
            if 4 <= text.count(" ") + 1 <= 14 and len(text) <= 95:
                return text
            draft.restart()


def finished(text: str) -> str:
    """Return the text with single blanks, none before punctuation, and a capital at its start."""
    text = re.sub(r" +(?=[,.;:?!…»”])", "", re.sub(r" {2,}", " ", text)).strip()
    return re.sub(r"^\W*\w|[.!?] \w", lambda match: match[0][:-1] + match[0][-1].upper(), text)
