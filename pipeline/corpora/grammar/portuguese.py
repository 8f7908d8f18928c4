"""Portuguese: inflection, contractions and clitic placement.

Persons are numbered eu, tu, ele, nós, (vós: not used), eles; você and vocês take the forms of ele and eles.

Source: Celso Cunha and Lindley Cintra, Nova gramática do português contemporâneo, chapters 8, 10, 11 and 13; spelling
of the 1990 agreement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from pipeline.corpora.grammar.frames import Draft
from pipeline.corpora.grammar.lexicon import Word
from pipeline.corpora.grammar.romance import Agreement, Romance

ACCENTED = "áéíóúâêôãõ"
ENDINGS = {
    "present": {"a": "o as a amos - am", "e": "o es e emos - em", "i": "o es e imos - em"},
    "preterite": {"a": "ei aste ou amos - aram", "e": "i este eu emos - eram", "i": "i iste iu imos - iram"},
    "imperfect": {"a": "ava avas ava ávamos - avam", "e": "ia ias ia íamos - iam", "i": "ia ias ia íamos - iam"},
    "subjunctive": {"a": "e es e emos - em", "e": "a as a amos - am", "i": "a as a amos - am"},
}
FUTURE = ("ei", "ás", "á", "emos", "-", "ão")
CONDITIONAL = ("ia", "ias", "ia", "íamos", "-", "iam")
PERSONAL_INFINITIVE = ("", "es", "", "mos", "-", "em")
STEM_STRESSED = (0, 1, 2, 5)  # persons with stress on the stem


def pluralise(word: str) -> str:
    """Return the regular plural: leão → leões, animal → animais, fácil → fáceis, barril → barris, mês → meses."""
    for old, new in (("ão", "ões"), ("m", "ns"), ("al", "ais"), ("ol", "óis"), ("ul", "uis"), ("ês", "eses"), ("ás", "ases")):
        if word.endswith(old):
            return word[: -len(old)] + ("ois" if old == "ol" and _has_accent(word) else new)
    if word.endswith("el"):
        return word[:-2] + ("eis" if _has_accent(word) else "éis")
    if word.endswith("il"):
        return word[:-2] + ("eis" if _has_accent(word) else "is")
    if word[-1] in "rz":
        return word + "es"
    if word[-1] == "s":
        return word
    return word + "s"


def _has_accent(word: str) -> bool:
    return any(letter in ACCENTED for letter in word)


def feminise(word: str) -> str:
    """Return the regular feminine: alto → alta, cantor → cantora, francês → francesa, europeu → europeia."""
    if word.endswith("ês"):
        return word[:-2] + "esa"
    if word.endswith("eu"):
        return word[:-2] + "eia"
    if word.endswith("or"):
        return word + "a"
    if word == "espanhol":
        return "espanhola"
    return word[:-1] + "a" if word[-1] == "o" else word


def alternate_vowel(stem: str, old: str, new: str) -> str:
    """Return the stem with its last `old` vowel replaced: dorm, o, u → durm."""
    index = stem.rfind(old)
    return stem[:index] + new + stem[index + 1:]


def add_ending(stem: str, theme: str, ending: str) -> str:
    """Return stem and ending in standard spelling: toc + ei → toquei, proteg + o → protejo, distingu + o → distingo."""
    if ending == "-":
        return ending
    front = ending[0] in "eéêií"
    if theme == "a" and front:
        for old, new in (("c", "qu"), ("g", "gu"), ("ç", "c")):
            if stem.endswith(old):
                return stem[:-1] + new + ending
    if theme != "a" and not front:
        for old, new in (("gu", "g"), ("g", "j"), ("c", "ç")):
            if stem.endswith(old):
                return stem[: -len(old)] + new + ending
    return stem + ending


def conjugate(verb: str, tense: str, change: str, irregular: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the forms of one tense: six of a finite tense ("-" for vós), one of a non-finite form.

    Args:
        verb: infinitive without pronoun.
        tense: present, preterite, imperfect, future, conditional, subjunctive, imperfect_subjunctive,
            future_subjunctive, personal_infinitive, imperative, infinitive, gerund, participle or passive (the
            participle used with ser).
        change: vowel alternation of the stem: `i` and `u` in the first person (sinto, durmo), `o` in the
            others (sobe), `ú` in all (saúdo).
        irregular: irregular forms by tense.
    """
    stem, theme = verb[:-2], "e" if verb[-2] in "ôo" else verb[-2]  # pôr and what derives from it
    hiatus = theme == "i" and stem[-1:] in ("a", "u") and stem[-2:] not in ("gu", "qu")  # sair, construir
    if tense == "infinitive":
        return (verb,)
    if tense == "passive" and tense not in irregular:
        tense = "participle"
    if tense in irregular and tense not in ("future", "imperative"):
        return irregular[tense]
    if tense in ("future", "conditional"):
        base = irregular["future"][0] if "future" in irregular else verb
        return tuple(_add_endings(base, FUTURE if tense == "future" else CONDITIONAL))
    if tense == "personal_infinitive":
        base = irregular["future"][0] if verb == "pôr" else verb
        forms = _add_endings(base[:-2] + "ír" if hiatus else base, PERSONAL_INFINITIVE)
        return verb, forms[1], verb, base + "mos", "-", forms[5]
    if tense == "participle":
        return (stem + ("ado" if theme == "a" else "ído" if hiatus else "ido"),)
    if tense == "gerund":
        return (stem + theme + "ndo",)
    if tense == "imperative":
        subjunctive = conjugate(verb, "subjunctive", change, irregular)
        you = irregular["imperative"][0] if "imperative" in irregular else conjugate(verb, "present", change, irregular)[2]
        return ("", you, subjunctive[2], subjunctive[3], "-", subjunctive[5])
    if tense in ("imperfect_subjunctive", "future_subjunctive"):
        base = conjugate(verb, "preterite", change, irregular)[5][:-3]
        if tense == "future_subjunctive":
            short = base[:-1] + "i" if base[-1:] == "í" else base
            return short + "r", base + "res", short + "r", short + "rmos", "-", base + "rem"
        closed = {"a": "á", "e": "é" if "preterite" in irregular else "ê", "i": "í", "o": "ô", "í": "í"}
        return (base + "sse", base + "sses", base + "sse", base[:-1] + closed[base[-1]] + "ssemos", "-", base + "ssem")
    if hiatus and tense in ("present", "preterite", "imperfect"):
        return _conjugate_hiatus(stem, tense)
    endings = ENDINGS[tense][theme].split()
    if tense == "subjunctive" and theme != "a":
        first = conjugate(verb, "present", change, irregular)[0]
        return tuple(_add_endings(first[:-1], endings))
    forms = []
    for person, ending in enumerate(endings):
        base = stem
        if tense in ("present", "subjunctive") and person in STEM_STRESSED:
            if verb.endswith("ear"):
                base = stem + "i"
            elif change == "ú":
                base = alternate_vowel(stem, "u", "ú")
            elif change == "o" and person:
                base = alternate_vowel(stem, "u", "o")
            elif change in ("i", "u") and not person:
                base = alternate_vowel(stem, {"i": "e", "u": "o"}[change], change)
        forms.append(add_ending(base, theme, ending))
    if tense == "present" and verb.endswith("zir"):
        forms[2] = forms[2][:-1]
    return tuple(forms)


def _conjugate_hiatus(stem: str, tense: str) -> tuple[str, ...]:
    if tense == "preterite":
        endings = "í íste iu ímos - íram"
    elif tense == "imperfect":
        endings = "ía ías ía íamos - íam"
    elif stem[-1] == "a":
        endings = "io is i ímos - em"
    else:
        open_stem = stem[:-1] + "ó"
        return (stem + "o", open_stem + "is", open_stem + "i", stem + "ímos", "-", stem[:-1] + "oem")
    return tuple(_add_endings(stem, endings.split()))


def _add_endings(stem: str, endings: Iterable[str]) -> list[str]:
    return [ending if ending == "-" else stem + ending for ending in endings]


CONTRACTIONS = {
    **{f"de {rest}": f"d{rest}" for rest in (
        "o", "a", "os", "as", "ele", "ela", "eles", "elas", "este", "esta", "estes", "estas", "esse", "essa", "esses", "essas",
        "aquele", "aquela", "aqueles", "aquelas")},
    **{f"em {rest}": f"n{rest}" for rest in (
        "o", "a", "os", "as", "um", "uma", "uns", "umas", "ele", "ela", "eles", "elas", "este", "esta", "estes", "estas",
        "esse", "essa", "esses", "essas", "aquele", "aquela", "aqueles", "aquelas", "outro", "outra", "outros", "outras")},
    **{f"por {rest}": f"pel{rest}" for rest in ("o", "a", "os", "as")},
    "a o": "ao", "a os": "aos", "a a": "à", "a as": "às", "a aquele": "àquele", "a aquela": "àquela",
    "a aqueles": "àqueles", "a aquelas": "àquelas",
}
CONTRACTION = re.compile(rf"\b(?:{'|'.join(sorted(CONTRACTIONS, key=len, reverse=True))})\b(?!-)", re.IGNORECASE)


class Portuguese(Romance):
    """Portuguese of Brazil (pt-BR) and of Portugal (pt-PT)."""

    language = "portuguese"
    locales = ("pt-BR", "pt-PT")
    pluralise = staticmethod(pluralise)
    feminise = staticmethod(feminise)
    determiners: ClassVar[dict[str, tuple[str, str, str, str]]] = {
        "the": ("o", "a", "os", "as"), "a": ("um", "uma", "uns", "umas"),
        "some": ("algum", "alguma", "alguns", "algumas"), "none": ("nenhum", "nenhuma", "", ""),
        "this": ("este", "esta", "estes", "estas"), "that": ("esse", "essa", "esses", "essas"),
        "that_distal": ("aquele", "aquela", "aqueles", "aquelas"), "many": ("muito", "muita", "muitos", "muitas"),
        "few": ("pouco", "pouca", "poucos", "poucas"), "several": ("", "", "vários", "várias"),
        "all": ("todo o", "toda a", "todos os", "todas as"), "other": ("outro", "outra", "outros", "outras"),
        "each": ("cada", "cada", "", ""), "so_many": ("tanto", "tanta", "tantos", "tantas"),
        "any": ("qualquer", "qualquer", "", ""), "a_little": ("um pouco de", "um pouco de", "", ""),
        "the_other": ("o outro", "a outra", "os outros", "as outras"),
        "the_same": ("o mesmo", "a mesma", "os mesmos", "as mesmas"),
        "which": ("que", "que", "que", "que"), "how_many": ("quanto", "quanta", "quantos", "quantas"),
    }
    possessives: ClassVar[tuple[tuple[str, str, str, str], ...]] = (
        ("meu", "minha", "meus", "minhas"), ("teu", "tua", "teus", "tuas"), ("seu", "sua", "seus", "suas"),
        ("nosso", "nossa", "nossos", "nossas"), ("seu", "sua", "seus", "suas"), ("seu", "sua", "seus", "suas"))
    cardinals = ("dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove", "dez", "onze", "doze", "treze",
                "catorze", "quinze", "vinte", "trinta", "quarenta", "cem")
    reflexive_pronouns = ("me", "te", "se", "nos", "se", "se")
    dative_pronouns = ("me", "te", "lhe", "nos", "lhes", "lhes")
    locative_preposition = "em"
    suppletive_comparatives = frozenset({"grande", "pequeno"})

    def conjugate(self, verb: str, tense: str, change: str, irregular: dict[str, tuple[str, ...]]) -> tuple[str, ...]:  # type: ignore[override]
        """Return the forms of a tense; in Portugal falámos (past) differs from falamos."""
        forms = conjugate(verb, tense, change, irregular)
        if self.locale == "pt-PT" and tense == "preterite" and verb.endswith("ar") and tense not in irregular:
            return (*forms[:3], verb[:-2] + "ámos", *forms[4:])
        return forms

    @property
    def possessors(self) -> tuple[int, ...]:  # type: ignore[override]
        return (0, 0, 2, 2, 3) if self.locale == "pt-BR" else (0, 0, 1, 2, 3)

    def subject_pronouns(self) -> tuple[tuple[str, Agreement], ...]:
        common = (("eu", 0, "m"), ("eu", 0, "f"), ("ele", 2, "m"), ("ela", 2, "f"), ("nós", 3, "m"), ("nós", 3, "f"),
                  ("eles", 5, "m"), ("elas", 5, "f"), ("vocês", 5, "m"))
        local = ((("você", 2, "m"), ("você", 2, "f"), ("a gente", 2, "m")) if self.locale == "pt-BR" else
                 (("tu", 1, "m"), ("tu", 1, "f"), ("o senhor", 2, "m"), ("a senhora", 2, "f")))
        return tuple((text, Agreement(person, gender)) for text, person, gender in (*common, *local))

    def null_subject_persons(self) -> tuple[int, ...]:
        return (0, 0, 3) if self.locale == "pt-BR" else (0, 0, 1, 3, 5)

    def addressee_persons(self) -> tuple[int, ...]:
        return (2, 2, 5) if self.locale == "pt-BR" else (1, 1, 2, 5)

    def allows_clitic(self, tense: str, subject: Agreement, proclisis: bool) -> bool:
        """Return whether this form can have a clitic pronoun; mesoclisis (levantar-se-á) is not generated."""
        if tense in ("imperative", "prohibition"):
            return tense == "prohibition"
        if tense in ("future", "conditional"):
            return proclisis or (self.locale == "pt-BR" and subject.overt)
        return True

    def verb_group(self, verb: Word, tense: str, subject: Agreement, pronoun: str, proclisis: bool) -> str:
        """Me ajudou (Brazil), ajudou-me (Portugal), vai se levantar, vai levantar-se, está fazendo, está a fazer."""
        person, forms, brazil = subject.person, self.forms, self.locale == "pt-BR"
        light = pronoun not in ("o", "a", "os", "as")
        auxiliary = {"going": ("go", "present"), "progressive": ("be_located", "present"),
                     "was_progressive": ("be_located", "imperfect"), "pluperfect": ("have", "imperfect")}.get(tense)
        if auxiliary:
            first = self.verb_form(auxiliary[0], auxiliary[1], person)
            if tense == "pluperfect":
                participle = forms(verb, "participle")[0]
                if not pronoun:
                    return f"{first} {participle}"
                if brazil and light:
                    return f"{first} {pronoun} {participle}"
                return f"{pronoun} {first} {participle}" if proclisis or brazil else f"{attach_enclitic(first, pronoun)} {participle}"
            if tense == "going" or not brazil:
                link = "" if tense == "going" else "a "
                return f"{first} {link}{self._infinitive_with_clitic(forms(verb, 'infinitive')[0], pronoun)}"
            gerund = forms(verb, "gerund")[0]
            return f"{first} {pronoun} {gerund}" if pronoun and light else f"{first} {attach_enclitic(gerund, pronoun)}"
        if tense == "infinitive":
            if pronoun and proclisis and light:
                return f"{pronoun} {forms(verb, tense)[0]}"
            return self._infinitive_with_clitic(forms(verb, tense)[0], pronoun)
        if tense == "gerund":
            return attach_enclitic(forms(verb, tense)[0], pronoun)
        form = forms(verb, "subjunctive" if tense == "prohibition" else tense)[person]
        if not pronoun:
            return form
        if proclisis or tense == "prohibition" or (brazil and subject.overt) or "subjunctive" in tense or "personal" in tense:
            return f"{pronoun} {form}"
        return attach_enclitic(form, pronoun)

    def _infinitive_with_clitic(self, infinitive: str, pronoun: str) -> str:
        if pronoun and self.locale == "pt-BR" and pronoun not in ("o", "a", "os", "as"):
            return f"{pronoun} {infinitive}"
        return attach_enclitic(infinitive, pronoun)

    def accusative_pronoun(self, person: int, gender: str) -> str:
        return ("me", "te", "o" if gender == "m" else "a", "nos", "", "os" if gender == "m" else "as")[person]

    def possessive(self, person: int, form_index: int, draft: Draft) -> str:
        possessive = self.possessives[person][form_index]
        with_article = self.locale == "pt-PT" or draft.random() < 0.15
        return f"{self.determiners['the'][form_index]} {possessive}" if with_article else possessive

    def given_name(self, name: str, gender: str, draft: Draft) -> str:
        with_article = self.locale == "pt-PT" or draft.random() < 0.15
        return f"{'o' if gender == 'm' else 'a'} {name}" if with_article else name

    def title(self, gender: str) -> str:
        return "senhor" if gender == "m" else "senhora"

    def country_name(self, word: Word) -> str:
        return f"{'o' if word.gender == 'm' else 'a'} {word.text}" if word.gender else word.text

    def cardinal(self, gender: str, draft: Draft) -> str:
        word = draft.choice(self.cardinals)
        return "duas" if gender == "f" and word == "dois" else word

    def impersonal_se(self, verb: Word, person: int) -> str:
        return f"{self.forms(verb, 'present')[person]}-se"

    def contract(self, text: str) -> str:
        """De o → do, em uma → numa, por as → pelas, a a → à; in Brazil em uma stays."""
        def merge(match: re.Match[str]) -> str:
            found = match[0]
            if self.locale == "pt-BR" and found[3:5] in ("um", "ou", "un") and found[:2] in ("em", "Em"):
                return found
            contracted = CONTRACTIONS[found.lower()]
            return contracted[0].upper() + contracted[1:] if found[0].isupper() else contracted
        return CONTRACTION.sub(merge, text)

    def slot_clock_time(self, draft: Draft, low: str = "7", high: str = "22") -> str:
        return f"{self.slot_integer(draft, low, high)}h{draft.choice(('05', '10', '15', '20', '30', '30', '40', '45', '50', ''))}"

    def slot_money(self, draft: Draft) -> str:
        whole, cents = 2 + int(draft.random() * 98), draft.choice(("20", "50", "75", "90"))
        if self.locale == "pt-BR":
            return f"R$ {whole},{cents}" if draft.random() < 0.6 else f"R$ {whole}"
        return f"{whole},{cents} €" if draft.random() < 0.6 else f"{whole} €"

    def slot_ordinal(self, draft: Draft, gender: str) -> str:
        point = "" if self.locale == "pt-BR" else "."
        return f"{2 + int(draft.random() * 9)}{point}{'º' if gender == 'm' else 'ª'}"


def attach_enclitic(form: str, pronoun: str) -> str:
    """Return a verb with an enclitic pronoun: levantamos + nos → levantamo-nos, ajudar + o → ajudá-lo, viram + o → viram-no."""
    if not pronoun:
        return form
    form, *rest = form.split(" ", 1)
    if pronoun in ("o", "a", "os", "as"):
        if form[-1] in "rsz":
            stem = form[:-1]
            if form[-1] != "s":
                stem = stem[:-1] + {"a": "á", "e": "ê", "o": "ô"}.get(stem[-1], stem[-1])
                if form[-1] == "r" and stem[-2:] in ("ai", "ui") and stem[-3:] not in ("gui", "qui"):
                    stem = stem[:-1] + "í"
            text = f"{stem}-l{pronoun}"
        elif form.endswith(("m", "ão", "õe")):
            text = f"{form}-n{pronoun}"
        else:
            text = f"{form}-{pronoun}"
    elif pronoun == "nos" and form.endswith("mos"):
        text = f"{form[:-1]}-nos"
    else:
        text = f"{form}-{pronoun}"
    return " ".join([text, *rest])
