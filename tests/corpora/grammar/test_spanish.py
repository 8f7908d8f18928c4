"""Spanish inflection, contractions and clitics against a grammar's tables."""

from __future__ import annotations

import pytest

from pipeline.corpora.grammar.frames import Draft
from pipeline.corpora.grammar.romance import Agreement
from pipeline.corpora.grammar.spanish import accent_gerund, add_ending, alternate_vowel, feminise, pluralise
from pipeline.corpora.sentences import grammar
from tests.corpora.grammar.inflection import forms


@pytest.mark.parametrize("infinitive, tense, expected", [
    ("hablar", "present", "hablo hablas habla hablamos habláis hablan"),
    ("hablar", "imperfect_subjunctive", "hablara hablaras hablara habláramos hablarais hablaran"),
    ("comer", "preterite", "comí comiste comió comimos comisteis comieron"),
    ("vivir", "imperfect", "vivía vivías vivía vivíamos vivíais vivían"),
    ("vivir", "future", "viviré vivirás vivirá viviremos viviréis vivirán"),
    ("hacer", "present", "hago haces hace hacemos hacéis hacen"),
    ("hacer", "preterite", "hice hiciste hizo hicimos hicisteis hicieron"),
    ("hacer", "conditional", "haría harías haría haríamos haríais harían"),
    ("ir", "present", "voy vas va vamos vais van"),
    ("ir", "imperfect", "iba ibas iba íbamos ibais iban"),
    ("ir", "gerund", "yendo"),
    ("ir", "participle", "ido"),
    ("tener", "present", "tengo tienes tiene tenemos tenéis tienen"),
    ("tener", "subjunctive", "tenga tengas tenga tengamos tengáis tengan"),
    ("tener", "future", "tendré tendrás tendrá tendremos tendréis tendrán"),
    ("detener", "preterite", "detuve detuviste detuvo detuvimos detuvisteis detuvieron"),
    ("detener", "imperative", "detén detenga detengamos detened detengan"),
    ("venir", "present", "vengo vienes viene venimos venís vienen"),
    ("venir", "imperfect_subjunctive", "viniera vinieras viniera viniéramos vinierais vinieran"),
    ("decir", "present", "digo dices dice decimos decís dicen"),
    ("decir", "preterite", "dije dijiste dijo dijimos dijisteis dijeron"),
    ("decir", "participle", "dicho"),
    ("pensar", "present", "pienso piensas piensa pensamos pensáis piensan"),
    ("dormir", "preterite", "dormí dormiste durmió dormimos dormisteis durmieron"),
    ("dormir", "subjunctive", "duerma duermas duerma durmamos durmáis duerman"),
    ("pedir", "present", "pido pides pide pedimos pedís piden"),
    ("pedir", "preterite", "pedí pediste pidió pedimos pedisteis pidieron"),
    ("pedir", "gerund", "pidiendo"),
    ("preferir", "preterite", "preferí preferiste prefirió preferimos preferisteis prefirieron"),
    ("seguir", "present", "sigo sigues sigue seguimos seguís siguen"),
    ("elegir", "present", "elijo eliges elige elegimos elegís eligen"),
    ("jugar", "subjunctive", "juegue juegues juegue juguemos juguéis jueguen"),
    ("empezar", "preterite", "empecé empezaste empezó empezamos empezasteis empezaron"),
    ("buscar", "subjunctive", "busque busques busque busquemos busquéis busquen"),
    ("conocer", "present", "conozco conoces conoce conocemos conocéis conocen"),
    ("convencer", "subjunctive", "convenza convenzas convenza convenzamos convenzáis convenzan"),
    ("construir", "present", "construyo construyes construye construimos construís construyen"),
    ("construir", "preterite", "construí construiste construyó construimos construisteis construyeron"),
    ("leer", "preterite", "leí leíste leyó leímos leísteis leyeron"),
    ("leer", "participle", "leído"),
    ("traducir", "preterite", "traduje tradujiste tradujo tradujimos tradujisteis tradujeron"),
    ("enviar", "present", "envío envías envía enviamos enviáis envían"),
    ("continuar", "present", "continúo continúas continúa continuamos continuáis continúan"),
    ("oír", "present", "oigo oyes oye oímos oís oyen"),
    ("reírse", "present", "río ríes ríe reímos reís ríen"),
    ("volver", "participle", "vuelto"),
])
def test_verbs_are_conjugated_as_in_the_grammar(infinitive: str, tense: str, expected: str) -> None:
    assert forms("es", infinitive, tense) == expected


@pytest.mark.parametrize("singular, expected", [
    ("mesa", "mesas"), ("luz", "luces"), ("canción", "canciones"), ("autobús", "autobuses"), ("país", "países"), ("lunes", "lunes"),
    ("árbol", "árboles"), ("mes", "meses"), ("café", "cafés"), ("rubí", "rubíes"), ("jardín", "jardines"),
])
def test_plurals_follow_the_ending(singular: str, expected: str) -> None:
    assert pluralise(singular) == expected


@pytest.mark.parametrize("masculine, expected", [
    ("alto", "alta"), ("trabajador", "trabajadora"), ("francés", "francesa"), ("español", "española"), ("verde", "verde"), ("campeón", "campeona"),
])
def test_feminines_follow_the_ending(masculine: str, expected: str) -> None:
    assert feminise(masculine) == expected


@pytest.mark.parametrize("stem, theme, ending, expected", [
    ("toc", "a", "é", "toqué"), ("pag", "a", "é", "pagué"), ("averigu", "a", "é", "averigüé"), ("empez", "a", "é", "empecé"),
    ("proteg", "e", "o", "protejo"), ("distingu", "i", "o", "distingo"), ("conoc", "e", "o", "conozco"), ("convenc", "e", "o", "convenzo"),
])
def test_stem_and_ending_are_joined_in_standard_spelling(stem: str, theme: str, ending: str, expected: str) -> None:
    assert add_ending(stem, theme, ending) == expected


@pytest.mark.parametrize("stem, change, expected", [
    ("pens", "ie", "piens"), ("mor", "u", "mur"), ("envi", "í", "enví"), ("jug", "ue", "jueg"),
])
def test_the_last_vowel_of_the_stem_alternates(stem: str, change: str, expected: str) -> None:
    assert alternate_vowel(stem, change) == expected


@pytest.mark.parametrize("separate, contracted", [
    ("de el a el padre e hijo y Inés", "del al padre e hijo e Inés"),
    ("agua y hielo o otro y yo", "agua y hielo u otro y yo"),
    ("de él a ella", "de él a ella"),
])
def test_articles_contract_and_conjunctions_change_before_the_same_vowel(separate: str, contracted: str) -> None:
    assert grammar("es").contract(separate) == contracted


@pytest.mark.parametrize("tense, expected", [
    ("progressive", "se está levantando"), ("perfect", "se ha levantado"), ("going", "se va a levantar"), ("preterite", "se levantó"),
    ("infinitive", "levantarse"), ("gerund", "levantándose"),
])
def test_clitics_precede_finite_verbs_and_follow_infinitive_and_gerund(tense: str, expected: str) -> None:
    language = grammar("es")
    assert language.verb_group(language.lexicon.words["get_up"], tense, Agreement(2, "f"), "se", False) == expected


def test_a_gerund_before_an_enclitic_has_an_accent() -> None:
    assert accent_gerund("hablando") == "hablándo"
    assert accent_gerund("comiendo") == "comiéndo"


def test_feminine_nouns_with_initial_stressed_a_take_the_masculine_article() -> None:
    language = grammar("es")
    draft = Draft("any")
    eagle = language.lexicon.words["eagle"]
    assert language.noun_phrase(draft, eagle, kind="the", plural=0, adjectives=0) == "el águila"
    assert language.noun_phrase(draft, eagle, kind="this", plural=0, adjectives=0) == "esta águila"
    assert language.noun_phrase(draft, eagle, kind="the", plural=1, adjectives=0) == "las águilas"
    assert draft.last_phrase.gender == "f"
