"""Generated sentences: inflection against written-out tables, agreement, locales, coverage, determinism."""

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
from pipeline.corpora.grammar import portuguese, spanish
from pipeline.corpora.grammar.frames import Draft, Frames
from pipeline.corpora.grammar.lexicon import FOLDER, read_lexicon, read_rows
from pipeline.corpora.grammar.romance import Agreement, Romance, finished
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


def forms(locale: str, infinitive: str, tense: str) -> str:
    """Return a verb's forms in a tense as one line, without vós."""
    verbs = [word for word in grammar(locale).lexicon.words.values() if word.part == "verb" and word.text == infinitive]
    return " ".join(form for form in grammar(locale).forms(verbs[0], tense) if form not in ("", "-"))


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
def test_spanish_verbs_are_inflected_as_in_the_grammar(infinitive: str, tense: str, expected: str) -> None:
    assert forms("es", infinitive, tense) == expected


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
def test_portuguese_verbs_are_inflected_as_in_the_grammar(infinitive: str, tense: str, expected: str) -> None:
    assert forms("pt-BR", infinitive, tense) == expected


def test_in_portugal_the_past_of_we_sang_is_written_with_an_accent() -> None:
    assert forms("pt-PT", "cantar", "preterite").split()[3] == "cantámos"
    assert forms("pt-BR", "cantar", "preterite").split()[3] == "cantamos"


@pytest.mark.parametrize("singular, expected", [
    ("leão", "leões"), ("animal", "animais"), ("papel", "papéis"), ("móvel", "móveis"), ("lençol", "lençóis"), ("barril", "barris"),
    ("fácil", "fáceis"), ("azul", "azuis"), ("jardim", "jardins"), ("mês", "meses"), ("flor", "flores"), ("luz", "luzes"),
    ("mesa", "mesas"), ("irmã", "irmãs"), ("ônibus", "ônibus"),
])
def test_portuguese_plurals_follow_the_ending(singular: str, expected: str) -> None:
    assert portuguese.pluralise(singular) == expected


@pytest.mark.parametrize("concept, expected", [
    ("bread", "pães"), ("hand", "mãos"), ("captain", "capitães"), ("brother", "irmãos"), ("lion", "leões"), ("mayor", "presidentes da câmara"),
    ("judge", "juízes"), ("bathroom", "casas de banho"), ("glasses", "óculos"),
])
def test_irregular_portuguese_plurals_come_from_the_table(concept: str, expected: str) -> None:
    assert grammar("pt-PT").noun(grammar("pt-PT").lexicon.words[concept], "m", 1) == expected


@pytest.mark.parametrize("singular, expected", [
    ("mesa", "mesas"), ("luz", "luces"), ("canción", "canciones"), ("autobús", "autobuses"), ("país", "países"), ("lunes", "lunes"),
    ("árbol", "árboles"), ("mes", "meses"), ("café", "cafés"), ("rubí", "rubíes"), ("jardín", "jardines"),
])
def test_spanish_plurals_follow_the_ending(singular: str, expected: str) -> None:
    assert spanish.pluralise(singular) == expected


@pytest.mark.parametrize("feminise, masculine, expected", [
    (spanish.feminise, "alto", "alta"), (spanish.feminise, "trabajador", "trabajadora"), (spanish.feminise, "francés", "francesa"),
    (spanish.feminise, "español", "española"), (spanish.feminise, "verde", "verde"), (spanish.feminise, "campeón", "campeona"),
    (portuguese.feminise, "alto", "alta"), (portuguese.feminise, "cantor", "cantora"), (portuguese.feminise, "europeu", "europeia"),
    (portuguese.feminise, "francês", "francesa"), (portuguese.feminise, "feliz", "feliz"),
])
def test_feminines_follow_the_ending(feminise, masculine: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    assert feminise(masculine) == expected


@pytest.mark.parametrize("locale, apart, merged", [
    ("pt-PT", "de o em a por os a as a a em um de este a aquela", "do na pelos às à num deste àquela"),
    ("pt-BR", "em uma casa em aquela rua por a tarde", "em uma casa naquela rua pela tarde"),
    ("pt-BR", "O livro de a Ana", "O livro da Ana"),
    ("es", "de el a el padre e hijo y Inés", "del al padre e hijo e Inés"),
    ("es", "agua y hielo o otro y yo", "agua y hielo u otro y yo"),
    ("es", "de él a ella", "de él a ella"),
])
def test_words_that_merge_are_merged(locale: str, apart: str, merged: str) -> None:
    assert grammar(locale).merged(apart) == merged


@pytest.mark.parametrize("form, pronoun, expected", [
    ("levantamos", "nos", "levantamo-nos"), ("ajudar", "o", "ajudá-lo"), ("ver", "as", "vê-las"), ("viram", "o", "viram-no"),
    ("ajudou", "me", "ajudou-me"), ("ouvir", "a", "ouvi-la"), ("destruir", "o", "destruí-lo"), ("seguir", "o", "segui-lo"),
    ("jogou fora", "o", "jogou-o fora"),
])
def test_portuguese_pronouns_are_attached_as_they_are_spelt(form: str, pronoun: str, expected: str) -> None:
    assert portuguese.attached(form, pronoun) == expected


def clause(locale: str, concept: str, tense: str, pronoun: str, drawn: bool = False) -> str:
    language = grammar(locale)
    return language.group(language.lexicon.words[concept], tense, Agreement(2, "f"), pronoun, drawn)


def test_each_variety_places_pronouns_by_its_own_rule() -> None:
    assert clause("pt-BR", "help", "preterite", "me") == "me ajudou"
    assert clause("pt-PT", "help", "preterite", "me") == "ajudou-me"
    assert clause("pt-PT", "help", "preterite", "me", drawn=True) == "me ajudou"
    assert clause("pt-BR", "get_up", "going", "se") == "vai se levantar"
    assert clause("pt-PT", "get_up", "going", "se") == "vai levantar-se"
    assert clause("pt-BR", "get_up", "progressive", "se") == "está se levantando"
    assert clause("pt-PT", "get_up", "progressive", "se") == "está a levantar-se"
    assert clause("es", "get_up", "progressive", "se") == "se está levantando"
    assert clause("es", "get_up", "infinitive", "se") == "levantarse"
    assert clause("es", "get_up", "gerund", "se") == "levantándose"


def test_feminine_nouns_with_a_stressed_a_take_the_masculine_article() -> None:
    language = grammar("es")
    draft = Draft("any")
    eagle = language.lexicon.words["eagle"]
    assert language.noun_phrase(draft, eagle, kind="the", plural=0, adjectives=0) == "el águila"
    assert language.noun_phrase(draft, eagle, kind="this", plural=0, adjectives=0) == "esta águila"
    assert language.noun_phrase(draft, eagle, kind="the", plural=1, adjectives=0) == "las águilas"
    assert draft.noun.gender == "f"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_concept_has_one_word_in_every_locale(locale: str) -> None:
    concepts = {row["concept"] for row in read_rows(FOLDER / "concepts.tsv") if row["part"] != "class"}
    assert set(grammar(locale).lexicon.words) == concepts
    assert all(word.text.strip() for word in grammar(locale).lexicon.words.values())


def test_no_concept_or_class_occurs_twice_in_the_tables() -> None:
    for name, columns in (("concepts", ("concept",)), ("spanish", ("concept", "locale")), ("portuguese", ("concept", "locale"))):
        counted = Counter(tuple(row[column] for column in columns) for row in read_rows(FOLDER / f"{name}.tsv"))
        assert [key for key, count in counted.items() if count > 1] == []


def test_a_concept_without_a_word_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name in ("concepts.tsv", "spanish.tsv", "spanish.verbs.tsv"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(re.sub(r"(?m)^dog\tperro.*\n", "", text), encoding="utf-8")
    monkeypatch.setattr("pipeline.corpora.grammar.lexicon.FOLDER", tmp_path)
    with pytest.raises(DataError, match=r"spanish.tsv: concepts.tsv and the table differ in dog; expected one word for every concept in es"):
        read_lexicon("spanish", "es")


@pytest.mark.parametrize("text, message", [
    ("[sentence]\n{nonsense}", r"frames.txt: unknown slot \{nonsense\}"),
    ("[sentence]\n<nowhere>", r"frames.txt: unknown rule <nowhere>"),
    ("[sentence]\n[one|two", r"frames.txt: a \[ is not closed"),
    ("[sentence]\none]", "a bracket too many"),
])
def test_an_invalid_frame_is_reported(tmp_path, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "frames.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        Frames(path, grammar("es"))


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
        made = [finished(language.merged(frames.expand("only", Draft(f"{index}")))) for index in range(12)]
        assert len(set(made)) >= 8, frame
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
        nouns = {language.noun(word, word.gender, plural): 2 * plural + (word.gender == "f")
                 for word in language.lexicon.of("noun") if word.gender in ("m", "f") and "article" not in word.forms
                 for plural in ((1,) if word.forms.get("number") == "plural" else (0, 1))}
        verbs = {form for word in language.lexicon.of("verb") for tense in ("present", "subjunctive") for form in language.forms(word, tense)}
        homographs = Counter(form for word in language.lexicon.of("noun")
                             for form in (language.noun(word, word.gender, 0), language.noun(word, word.gender, 1)))
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
