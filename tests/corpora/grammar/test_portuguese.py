"""Portuguese inflection, contractions and clitics against a grammar's tables."""

from __future__ import annotations

import pytest

from pipeline.corpora.grammar.lexicon import Word
from pipeline.corpora.grammar.portuguese import add_ending, alternate_vowel, attach_enclitic, feminise, pluralise
from pipeline.corpora.grammar.romance import Agreement
from pipeline.corpora.sentences import grammar
from tests.corpora.grammar.inflection import forms


@pytest.mark.parametrize("infinitive, tense, expected", [
    ("cantar", "present", "canto cantas canta cantamos cantam"),
    ("cantar", "imperfect_subjunctive", "cantasse cantasses cantasse cantássemos cantassem"),
    ("vender", "preterite", "vendi vendeste vendeu vendemos venderam"),
    ("vender", "imperfect_subjunctive", "vendesse vendesses vendesse vendêssemos vendessem"),
    ("partir", "imperfect", "partia partias partia partíamos partiam"),
    ("fazer", "present", "faço fazes faz fazemos fazem"),
    ("fazer", "preterite", "fiz fizeste fez fizemos fizeram"),
    ("fazer", "future_subjunctive", "fizer fizeres fizer fizermos fizerem"),
    ("fazer", "conditional", "faria farias faria faríamos fariam"),
    ("fazer", "imperfect_subjunctive", "fizesse fizesses fizesse fizéssemos fizessem"),
    ("ir", "present", "vou vais vai vamos vão"),
    ("ir", "preterite", "fui foste foi fomos foram"),
    ("ir", "imperfect", "ia ias ia íamos iam"),
    ("ir", "imperfect_subjunctive", "fosse fosses fosse fôssemos fossem"),
    ("ir", "gerund", "indo"),
    ("pôr", "present", "ponho pões põe pomos põem"),
    ("pôr", "preterite", "pus puseste pôs pusemos puseram"),
    ("pôr", "future", "porei porás porá poremos porão"),
    ("pôr", "subjunctive", "ponha ponhas ponha ponhamos ponham"),
    ("propor", "subjunctive", "proponha proponhas proponha proponhamos proponham"),
    ("ter", "present", "tenho tens tem temos têm"),
    ("ter", "imperfect", "tinha tinhas tinha tínhamos tinham"),
    ("vir", "present", "venho vens vem vimos vêm"),
    ("vir", "preterite", "vim vieste veio viemos vieram"),
    ("vir", "future_subjunctive", "vier vieres vier viermos vierem"),
    ("ver", "present", "vejo vês vê vemos veem"),
    ("ver", "imperfect_subjunctive", "visse visses visse víssemos vissem"),
    ("sair", "present", "saio sais sai saímos saem"),
    ("sair", "preterite", "saí saíste saiu saímos saíram"),
    ("sair", "personal_infinitive", "sair saíres sair sairmos saírem"),
    ("sair", "future_subjunctive", "sair saíres sair sairmos saírem"),
    ("construir", "present", "construo constróis constrói construímos constroem"),
    ("traduzir", "present", "traduzo traduzes traduz traduzimos traduzem"),
    ("dormir", "present", "durmo dormes dorme dormimos dormem"),
    ("seguir", "present", "sigo segues segue seguimos seguem"),
    ("subir", "present", "subo sobes sobe subimos sobem"),
    ("pedir", "subjunctive", "peça peças peça peçamos peçam"),
    ("medir", "present", "meço medes mede medimos medem"),
    ("conhecer", "present", "conheço conheces conhece conhecemos conhecem"),
    ("proteger", "subjunctive", "proteja protejas proteja protejamos protejam"),
    ("começar", "preterite", "comecei começaste começou começamos começaram"),
    ("pagar", "subjunctive", "pague pagues pague paguemos paguem"),
    ("odiar", "present", "odeio odeias odeia odiamos odeiam"),
    ("saudar", "present", "saúdo saúdas saúda saudamos saúdam"),
    ("abrir", "participle", "aberto"),
    ("entregar", "passive", "entregue"),
])
def test_verbs_are_conjugated_as_in_the_grammar(infinitive: str, tense: str, expected: str) -> None:
    assert forms("pt-BR", infinitive, tense) == expected


def test_the_first_person_plural_of_the_preterite_has_an_accent_in_portugal() -> None:
    assert forms("pt-PT", "cantar", "preterite").split()[3] == "cantámos"
    assert forms("pt-BR", "cantar", "preterite").split()[3] == "cantamos"


@pytest.mark.parametrize("singular, expected", [
    ("leão", "leões"), ("animal", "animais"), ("papel", "papéis"), ("móvel", "móveis"), ("lençol", "lençóis"), ("barril", "barris"),
    ("fácil", "fáceis"), ("azul", "azuis"), ("jardim", "jardins"), ("mês", "meses"), ("flor", "flores"), ("luz", "luzes"),
    ("mesa", "mesas"), ("irmã", "irmãs"), ("ônibus", "ônibus"),
])
def test_regular_plurals_follow_the_ending(singular: str, expected: str) -> None:
    assert pluralise(singular) == expected


@pytest.mark.parametrize("concept, expected", [
    ("bread", "pães"), ("hand", "mãos"), ("captain", "capitães"), ("brother", "irmãos"), ("lion", "leões"), ("mayor", "presidentes da câmara"),
    ("judge", "juízes"), ("bathroom", "casas de banho"), ("glasses", "óculos"),
])
def test_irregular_plurals_come_from_the_lexicon(concept: str, expected: str) -> None:
    assert grammar("pt-PT").noun_form(grammar("pt-PT").lexicon.words[concept], "m", 1) == expected


@pytest.mark.parametrize("masculine, expected", [
    ("alto", "alta"), ("cantor", "cantora"), ("europeu", "europeia"), ("francês", "francesa"), ("espanhol", "espanhola"), ("feliz", "feliz"),
])
def test_regular_feminines_follow_the_ending(masculine: str, expected: str) -> None:
    assert feminise(masculine) == expected


@pytest.mark.parametrize("stem, theme, ending, expected", [
    ("toc", "a", "ei", "toquei"), ("pag", "a", "ei", "paguei"), ("começ", "a", "ei", "comecei"), ("proteg", "e", "o", "protejo"),
    ("distingu", "i", "o", "distingo"), ("conhec", "e", "o", "conheço"), ("cant", "a", "o", "canto"), ("cant", "a", "-", "-"),
])
def test_stem_and_ending_are_joined_in_standard_spelling(stem: str, theme: str, ending: str, expected: str) -> None:
    assert add_ending(stem, theme, ending) == expected


def test_the_last_vowel_of_the_stem_alternates() -> None:
    assert alternate_vowel("dorm", "o", "u") == "durm"
    assert alternate_vowel("prefer", "e", "i") == "prefir"


@pytest.mark.parametrize("locale, separate, contracted", [
    ("pt-PT", "de o em a por os a as a a em um de este a aquela", "do na pelos às à num deste àquela"),
    ("pt-BR", "em uma casa em aquela rua por a tarde", "em uma casa naquela rua pela tarde"),
    ("pt-BR", "O livro de a Ana", "O livro da Ana"),
    ("pt-BR", "De o alto", "Do alto"),
])
def test_prepositions_contract_with_articles_and_demonstratives(locale: str, separate: str, contracted: str) -> None:
    assert grammar(locale).contract(separate) == contracted


@pytest.mark.parametrize("form, pronoun, expected", [
    ("levantamos", "nos", "levantamo-nos"), ("ajudar", "o", "ajudá-lo"), ("ver", "as", "vê-las"), ("viram", "o", "viram-no"),
    ("ajudou", "me", "ajudou-me"), ("ouvir", "a", "ouvi-la"), ("destruir", "o", "destruí-lo"), ("seguir", "o", "segui-lo"),
    ("jogou fora", "o", "jogou-o fora"),
])
def test_enclitic_pronouns_change_the_verb_as_in_standard_spelling(form: str, pronoun: str, expected: str) -> None:
    assert attach_enclitic(form, pronoun) == expected


def verb_group(locale: str, concept: str, tense: str, pronoun: str, proclisis: bool = False) -> str:
    """Return the third person singular of a verb with its clitic."""
    language = grammar(locale)
    verb: Word = language.lexicon.words[concept]
    return language.verb_group(verb, tense, Agreement(2, "f"), pronoun, proclisis)


@pytest.mark.parametrize("tense, brazil, portugal", [
    ("preterite", "se levantou", "levantou-se"),
    ("going", "vai se levantar", "vai levantar-se"),
    ("progressive", "está se levantando", "está a levantar-se"),
    ("pluperfect", "tinha se levantado", "tinha-se levantado"),
])
def test_clitics_precede_the_verb_in_brazil_and_follow_it_in_portugal(tense: str, brazil: str, portugal: str) -> None:
    assert verb_group("pt-BR", "get_up", tense, "se") == brazil
    assert verb_group("pt-PT", "get_up", tense, "se") == portugal


def test_proclisis_puts_the_clitic_before_the_verb_in_portugal() -> None:
    assert verb_group("pt-PT", "help", "preterite", "me") == "ajudou-me"
    assert verb_group("pt-PT", "help", "preterite", "me", proclisis=True) == "me ajudou"


@pytest.mark.parametrize("locale, proclisis, allowed", [("pt-PT", False, False), ("pt-PT", True, True), ("pt-BR", False, True)])
def test_a_future_has_a_clitic_only_before_the_verb(locale: str, proclisis: bool, allowed: bool) -> None:
    assert grammar(locale).allows_clitic("future", Agreement(2, "m"), proclisis) is allowed
