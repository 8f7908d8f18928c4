"""Spanish: inflection, contractions and clitic placement. Persons are numbered yo, tú, él, nosotros, vosotros, ellos.

Source: Real Academia Española, Nueva gramática de la lengua española (2009), chapters 2, 3, 4 and 16.
"""

from __future__ import annotations

import re
from typing import ClassVar

from pipeline.corpora.grammar.frames import Draft
from pipeline.corpora.grammar.lexicon import Word
from pipeline.corpora.grammar.romance import Agreement, Romance

ACUTE = str.maketrans("aeiou", "áéíóú")
PLAIN = str.maketrans("áéíóú", "aeiou")
ENDINGS = {
    "present": {"a": "o as a amos áis an", "e": "o es e emos éis en", "i": "o es e imos ís en"},
    "preterite": {"a": "é aste ó amos asteis aron", "e": "í iste ió imos isteis ieron", "i": "í iste ió imos isteis ieron"},
    "imperfect": {"a": "aba abas aba ábamos abais aban", "e": "ía ías ía íamos íais ían", "i": "ía ías ía íamos íais ían"},
    "subjunctive": {"a": "e es e emos éis en", "e": "a as a amos áis an", "i": "a as a amos áis an"},
}
FUTURE = ("é", "ás", "á", "emos", "éis", "án")
CONDITIONAL = ("ía", "ías", "ía", "íamos", "íais", "ían")
STEM_STRESSED = (0, 1, 2, 5)  # persons with stress on the stem


def pluralise(word: str) -> str:
    """Return the plural: mesa → mesas, luz → luces, canción → canciones, lunes → lunes, rubí → rubíes."""
    if word[-1] in "íú":
        return word + "es"
    if word[-1] in "aeiouáéó":
        return word + "s"
    if word[-1] == "z":
        return word[:-1] + "ces"
    if match := re.fullmatch(r"(.*)([áéíóú])([ns])", word):
        if match[3] == "s" and match[1][-1:] in ("a", "e", "o"):  # a hiatus keeps its accent: país → países
            return word + "es"
        return match[1] + match[2].translate(PLAIN) + match[3] + "es"
    if word[-1] == "s" and len(re.findall("[aeiouáéíóú]+", word)) > 1:
        return word
    return word + "es"


def feminise(word: str) -> str:
    """Return the regular feminine: alto → alta, trabajador → trabajadora, francés → francesa."""
    if word[-1] == "o":
        return word[:-1] + "a"
    if word.endswith("or"):
        return word + "a"
    if match := re.fullmatch(r"(.*)([áéíó])([ns])", word):
        return match[1] + match[2].translate(PLAIN) + match[3] + "a"
    return word + "a" if word == "español" else word


def alternate_vowel(stem: str, change: str) -> str:
    """Return the stem with its last vowel replaced: pens, ie → piens; mor, u → mur; env, í → enví."""
    olds = {"ie": "e", "ue": "ou", "i": "e", "u": "o", "í": "i", "ú": "u"}[change]
    index = max(stem.rfind(old) for old in olds)
    return stem[:index] + change + stem[index + 1:]


def add_ending(stem: str, theme: str, ending: str) -> str:
    """Return stem and ending in standard spelling: toc + é → toqué, proteg + o → protejo, conoc + o → conozco."""
    front = ending[0] in "eéií"
    if theme == "a" and front:
        for old, new in (("gu", "gü"), ("c", "qu"), ("g", "gu"), ("z", "c")):
            if stem.endswith(old):
                return stem[: -len(old)] + new + ending
    if theme != "a" and not front:
        if stem.endswith("gu"):
            return stem[:-1] + ending
        if stem.endswith("g"):
            return stem[:-1] + "j" + ending
        if stem.endswith("c"):
            return stem[:-1] + ("zc" if stem[-2] in "aeiou" else "z") + ending
    return stem + ending


def conjugate(verb: str, tense: str, change: str, irregular: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the forms of one tense: six of a finite tense, one of infinitive, gerund and participle.

    Args:
        verb: infinitive without pronoun.
        tense: present, preterite, imperfect, future, conditional, subjunctive, imperfect_subjunctive, imperative,
            infinitive, gerund or participle.
        change: vowel changes of the stem: where it is stressed, then where an ending with i follows ("ie,i").
        irregular: irregular forms by tense.
    """
    stressed, _, weak = change.partition(",")
    stem, theme = verb[:-2], verb[-2].translate(PLAIN)
    weak = weak or (stressed if theme == "i" and stressed == "i" else "")
    weak_stem = alternate_vowel(stem, weak) if weak else stem
    vowel = stem[-1:] in ("a", "e", "o") or (theme == "i" and stem[-1:] == "u" and stem[-2:] not in ("gu", "qu"))
    if tense == "infinitive":
        return (verb,)
    if tense == "passive" and "participle" in irregular:
        return irregular["participle"]
    if tense in irregular and tense not in ("future", "imperative"):
        return irregular[tense]
    if tense in ("future", "conditional"):
        base = irregular["future"][0] if "future" in irregular else verb
        return tuple(base + ending for ending in (FUTURE if tense == "future" else CONDITIONAL))
    if tense in ("participle", "passive"):
        return (stem + ("ado" if theme == "a" else "ído" if stem[-1:] in ("a", "e", "o") else "ido"),)
    if tense == "gerund":
        return (stem + "ando" if theme == "a" else weak_stem + ("yendo" if vowel else "iendo"),)
    if tense == "imperative":
        present = conjugate(verb, "present", change, irregular)
        subjunctive = conjugate(verb, "subjunctive", change, irregular)
        you = irregular["imperative"][0] if "imperative" in irregular else present[2]
        return ("", you, subjunctive[2], subjunctive[3], verb[:-1] + "d", subjunctive[5])
    if tense == "imperfect_subjunctive":
        base = conjugate(verb, "preterite", change, irregular)[5][:-3]
        accented = base[:-1] + base[-1].translate(ACUTE)
        return base + "ra", base + "ras", base + "ra", accented + "ramos", base + "rais", base + "ran"
    endings = ENDINGS[tense][theme].split()
    if tense == "subjunctive":
        first = conjugate(verb, "present", change, irregular)[0]
        if theme == "a":
            return tuple(add_ending(alternate_vowel(stem, stressed) if stressed and person in STEM_STRESSED else stem, theme, ending)
                         for person, ending in enumerate(endings))
        if "present" in irregular or not stressed:
            return tuple(first[:-1] + ending for ending in endings)
        return tuple(add_ending(alternate_vowel(stem, stressed) if person in STEM_STRESSED else weak_stem, theme, ending)
                     for person, ending in enumerate(endings))
    forms = []
    for person, ending in enumerate(endings):
        base = stem
        if tense == "present" and person in STEM_STRESSED:
            base = alternate_vowel(stem, stressed) if stressed else stem + "y" if vowel and stem[-1] == "u" else stem
        elif tense == "preterite":
            if verb.endswith("ducir"):
                forms.append(verb[:-3] + "j" + ("e", "iste", "o", "imos", "isteis", "eron")[person])
                continue
            if person in (2, 5):
                base = weak_stem
                ending = "y" + ending[1:] if vowel and theme != "a" else ending
            elif theme != "a" and stem[-1:] in ("a", "e", "o"):
                ending = ending.replace("i", "í", 1)
        forms.append(add_ending(base, theme, ending))
    return tuple(forms)


SINGULAR_PRONOUNS = (("yo", 0, "m"), ("yo", 0, "f"), ("tú", 1, "m"), ("tú", 1, "f"), ("él", 2, "m"), ("ella", 2, "f"),
                     ("usted", 2, "m"), ("nosotros", 3, "m"), ("nosotras", 3, "f"), ("ellos", 5, "m"), ("ellas", 5, "f"))


class Spanish(Romance):
    """Spanish of Spain (es) and of America (es-419)."""

    language = "spanish"
    locales = ("es", "es-419")
    pluralise = staticmethod(pluralise)
    feminise = staticmethod(feminise)
    conjugate = staticmethod(conjugate)
    determiners: ClassVar[dict[str, tuple[str, str, str, str]]] = {
        "the": ("el", "la", "los", "las"), "a": ("un", "una", "unos", "unas"),
        "some": ("algún", "alguna", "algunos", "algunas"), "none": ("ningún", "ninguna", "", ""),
        "this": ("este", "esta", "estos", "estas"), "that": ("ese", "esa", "esos", "esas"),
        "that_distal": ("aquel", "aquella", "aquellos", "aquellas"), "many": ("mucho", "mucha", "muchos", "muchas"),
        "few": ("poco", "poca", "pocos", "pocas"), "several": ("", "", "varios", "varias"),
        "all": ("todo el", "toda la", "todos los", "todas las"), "other": ("otro", "otra", "otros", "otras"),
        "each": ("cada", "cada", "", ""), "so_many": ("tanto", "tanta", "tantos", "tantas"),
        "any": ("cualquier", "cualquier", "", ""), "a_little": ("un poco de", "un poco de", "", ""),
        "the_other": ("el otro", "la otra", "los otros", "las otras"),
        "the_same": ("el mismo", "la misma", "los mismos", "las mismas"),
        "which": ("qué", "qué", "qué", "qué"), "how_many": ("cuánto", "cuánta", "cuántos", "cuántas"),
    }
    possessives: ClassVar[tuple[tuple[str, str, str, str], ...]] = (
        ("mi", "mi", "mis", "mis"), ("tu", "tu", "tus", "tus"), ("su", "su", "sus", "sus"),
        ("nuestro", "nuestra", "nuestros", "nuestras"), ("vuestro", "vuestra", "vuestros", "vuestras"),
        ("su", "su", "sus", "sus"))
    cardinals = ("dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce", "trece",
                "catorce", "quince", "veinte", "treinta", "cuarenta", "cien")
    reflexive_pronouns = ("me", "te", "se", "nos", "os", "se")
    dative_pronouns = ("me", "te", "le", "nos", "os", "les")
    object_marker = "a "
    clitic_doubling = True
    locative_preposition = "en"

    def subject_pronouns(self) -> tuple[tuple[str, Agreement], ...]:
        plural_you = (("vosotros", 4, "m"), ("vosotras", 4, "f")) if self.locale == "es" else (("ustedes", 5, "m"),)
        return tuple((text, Agreement(person, gender)) for text, person, gender in (*SINGULAR_PRONOUNS, *plural_you))

    def null_subject_persons(self) -> tuple[int, ...]:
        return (0, 0, 1, 3, 4, 5) if self.locale == "es" else (0, 0, 1, 3, 5)

    def addressee_persons(self) -> tuple[int, ...]:
        return (1, 1, 2, 4) if self.locale == "es" else (1, 1, 2, 5)

    def allows_clitic(self, tense: str, subject: Agreement, proclisis: bool) -> bool:
        return tense != "imperative"

    def verb_group(self, verb: Word, tense: str, subject: Agreement, pronoun: str, proclisis: bool) -> str:
        """Va a comer, está comiendo, ha comido, levantarse, levantándose, me ayuda."""
        person = subject.person
        forms = self.forms
        if tense == "infinitive":
            return forms(verb, tense)[0] + pronoun
        if tense == "gerund":
            gerund = forms(verb, tense)[0]
            return accent_gerund(gerund) + pronoun if pronoun else gerund
        if tense == "going":
            text = f"{self.verb_form('go', 'present', person)} a {forms(verb, 'infinitive')[0]}"
        elif tense in ("progressive", "was_progressive"):
            be = self.verb_form("be_located", "present" if tense == "progressive" else "imperfect", person)
            text = f"{be} {forms(verb, 'gerund')[0]}"
        elif tense in ("perfect", "pluperfect"):
            have = self.verb_form("there_be", "present" if tense == "perfect" else "imperfect", person)
            text = f"{have} {forms(verb, 'participle')[0]}"
        else:
            text = forms(verb, "subjunctive" if tense == "prohibition" else tense)[person]
        return f"{pronoun} {text}" if pronoun else text

    def accusative_pronoun(self, person: int, gender: str) -> str:
        return ("me", "te", "lo" if gender == "m" else "la", "nos", "os", "los" if gender == "m" else "las")[person]

    def possessive(self, person: int, form_index: int, draft: Draft) -> str:
        return self.possessives[person][form_index]

    def given_name(self, name: str, gender: str, draft: Draft) -> str:
        return name

    def title(self, gender: str) -> str:
        return "señor" if gender == "m" else "señora"

    def country_name(self, word: Word) -> str:
        return word.text

    def cardinal(self, gender: str, draft: Draft) -> str:
        return draft.choice(self.cardinals)

    def impersonal_se(self, verb: Word, person: int) -> str:
        return f"se {self.forms(verb, 'present')[person]}"

    def contract(self, text: str) -> str:
        """De el → del, a el → al, y Inés → e Inés, o otro → u otro."""
        text = re.sub(r"\b([Dd]e|[Aa]) el\b", lambda match: match[1] + "l", text)
        text = re.sub(r"\by (?=[IÍií](?![ae])|[Hh]i(?!e))", "e ", text)
        return re.sub(r"\bo (?=[OÓoó]|[Hh]o)", "u ", text)

    def slot_clock_time(self, draft: Draft, low: str = "7", high: str = "22") -> str:
        return f"{self.slot_integer(draft, low, high)}:{draft.choice(('05', '10', '15', '20', '30', '40', '45', '50'))}"

    def slot_money(self, draft: Draft) -> str:
        euros = 2 + int(draft.random() * 98)
        if self.locale == "es-419":
            return f"{euros * 10} pesos"
        return f"{euros},{draft.choice(('20', '50', '75', '90'))} €" if draft.random() < 0.5 else f"{euros} €"

    def slot_ordinal(self, draft: Draft, gender: str) -> str:
        return f"{2 + int(draft.random() * 9)}.{'º' if gender == 'm' else 'ª'}"


def accent_gerund(gerund: str) -> str:
    """Return a gerund with the accent that it needs before an enclitic: hablando → hablándo(me)."""
    return re.sub("([ae])ndo$", lambda match: match[1].translate(ACUTE) + "ndo", gerund)
