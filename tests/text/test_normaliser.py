"""Locales, versions, rejection reasons, and the normalisation of letters and signs."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.core.files import ROOT
from pipeline.text import ALPHABETS, VERSION, UnknownLocaleError, check, explain, normalise, variants, version

SHARED = ROOT.parent / "shared"


@pytest.mark.parametrize("locale", ["pt", "pt_BR", "PT-BR", "en", ""])
def test_the_error_for_an_unknown_locale_lists_the_known_ones(locale: str) -> None:
    message = f"locale: found {locale!r}; expected one of pt-BR, pt-PT, es, es-419"
    for function in (normalise, check, explain, variants):
        with pytest.raises(UnknownLocaleError) as raised:
            function("olá", locale)
        assert str(raised.value) == message
    with pytest.raises(UnknownLocaleError):
        version(locale)


def test_the_version_names_the_locale() -> None:
    assert version("pt-BR") == f"pt-BR/{VERSION}"


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "disse-lhe, fá-lo-ei", "disse lhe fá lo ei"),
        ("pt-BR", "guarda‑chuva – sim — não", "guarda chuva sim não"),
        ("pt-BR", "“Olá”, «olá», ‘olá’ e 'olá'", "olá olá olá e olá"),
        ("pt-BR", "freqüência, Müller", "freqüência müller"),
        ("pt-BR", "Sueños, Zoë, Škoda, Straße, Œuvre", "suenhos zoe skoda strasse oeuvre"),
        ("es", "Barça, São Paulo, pingüino, Zoë", "barsa sao paulo pingüino zoe"),
        ("pt-BR", "Kátia, Wilson e Yara", "kátia wilson e yara"),
        ("pt-BR", "acos\u00adtumada vulneráveis \u200b\u200bda", "acostumada vulneráveis da"),
        ("pt-BR", "a\u0303o e Sa\u0303o", "ão e são"),
        ("pt-BR", "１２ ﬁlhos №５", "doze filhos número cinco"),
        ("pt-BR", "bom dia 😀👍🏽🇧🇷!", "bom dia"),
        ("pt-BR", "  muito\t\tbom \r\n", "muito bom"),
        ("es", "¿Qué? ¡Vale!", "qué vale"),
        ("pt-BR", "NUNCA MAIS VOLTO", "nunca mais volto"),
    ],
)
def test_letters_and_signs_are_normalised_as_the_alphabet_requires(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
    assert check(written, locale).reason == ""


@pytest.mark.parametrize(
    "written, text, reason",
    [
        ("", "", "nothing spoken"),
        (" ... — !", "", "nothing spoken"),
        ("😀", "", "nothing spoken"),
        ("Привет", "", "other script"),
        ("a palavra Αθήνα", "a palavra", "other script"),
        ("são ٣ casas", "são casas", "other script"),
        ("cаsa", "c sa", "other script"),
        ("custa 5 ₿", "custa cinco", "unknown symbol"),
        ("a √ feito", "a feito", "unknown symbol"),
        ("π ≈ 3,14 e ∮", "pi aproximadamente igual a três vírgula catorze e", "unknown symbol"),
        ("x ⊂ A", "x a", "unknown symbol"),
        ("a √2", "a raiz quadrada de dois", ""),
        ("x ∈ A", "x pertence a a", ""),
        ("π ≈ 3,14", "pi aproximadamente igual a três vírgula catorze", ""),
        ("x ≥ 5", "x maior ou igual a cinco", ""),
        ("seta → casa", "seta casa", ""),
        ("5 € | 3 ~ 4", "cinco euros três quatro", ""),
    ],
)
def test_text_that_cannot_be_transcribed_has_a_rejection_reason(written: str, text: str, reason: str) -> None:
    result = check(written, "pt-BR")
    assert (result.text, result.reason) == (text, reason)


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        # Speech Data Processor: "a doctor ga e o doctor ma do doctor gão"; "oSenhor Silva"
        ("pt-BR", "a droga e o drama do dragão", "a droga e o drama do dragão"),
        ("pt-BR", "o Sr. Silva", "o senhor silva"),
        # Open ASR Leaderboard: "umo lugar"; "doisa fase"; "catorzehtrinta"; "mil zero"; "dezasseis" for Brazil
        ("pt-BR", "1º lugar", "primeiro lugar"),
        ("pt-BR", "2ª fase", "segunda fase"),
        ("pt-BR", "14h30", "catorze horas e trinta"),
        ("pt-BR", "1.000.000.000", "um bilhão"),
        ("pt-PT", "1.000.000.000", "mil milhões"),
        ("pt-BR", "16", "dezesseis"),
        # num2words#546: pt-BR is silently European
        ("pt-BR", "17 e 19", "dezessete e dezenove"),
        ("pt-PT", "16, 17 e 19", "dezasseis dezassete e dezanove"),
        # Whisper's basic normaliser: every accent and ç lost
        ("pt-BR", "Avó, avô e ação", "avó avô e ação"),
    ],
)
def test_known_errors_of_other_normalisers_do_not_occur(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


def test_explain_returns_each_rule_with_the_text_before_and_after() -> None:
    assert explain("O Sr. Silva, às 14h.", "pt-BR") == [("abbreviation", "Sr.", "senhor"), ("unit", "14h", "catorze horas")]
    assert explain("O senhor Silva.", "pt-BR") == []


SAMPLE = (
    "O Sr. Silva e a Sra. Lima, n.º 5, R$ 1.234,56, € 2, US$ 0,01, 1/2 xícara, 2 1/2, 3/4, 5/12, 25/12/2020, 1/1/2001, 14h30, 14:30, 2h, 00:00",
    "1º 2ª 21.º 3.os 100% -5 °C 1,5 km 0 km 120 km/h 2 t 3x4 12x 10-15 1914-1918 (11) 98765-4321 01310-100 12345678 007 1.000.000 casas",
    "2 casas, 2 dias, 21 mulheres, 200 vezes, as 2, página 2, 1 da manhã, século V, século XXI, D. Pedro II, Isabel II, capítulo IV, II Guerra",
    "ONU IBGE USP CDs E.U.A. K W Y V, maria@exemplo.com.br, www.exemplo.pt/a-b, @ana #tema d'água Zoë ñ ç ü & + = 10³ p. ex. etc. a.C. S. Paulo",
    "años 21 personas 1.er 3ra 2.º EE. UU. p. ej. 1 libro 21 libros 31 casas 3.14 3,14 1,234 $ 5 16:30 1 de mayo 1 de maio acção facto idéia sólo",
    "24/7, 05/2024, 2min30s, 2 1/2 horas, 3x1, 2 m x 3 m, 10 - 3 = 7, 0,1 km, 2,2 t, 2 em cada 3 mulheres, 1 de cada 5 niñas, D Avila, Sr. D. Juan",
    "páginas 1000-1200, 3456-7890, líneas 1000-1200",
    "1KM' 5 CM 2km_ dez Dm 'IBGE' 4WD CD's √2 x ∈ A 38° 42′ 50″ N 5′ 30″ 24″ 6x4 e 7x5 bilhões de t HC 126.292 STC 53/1985 CF/88 120/80 mmHg 8/8h",
    *(str(number) for number in range(0, 2_200, 7)),
    *(str(10**power + power) for power in range(3, 19)),
)


def test_the_version_changes_with_any_result() -> None:
    """If this fails, a result has changed: increment VERSION and record the new digest."""
    results = [function(line, locale) for function in (normalise, variants) for locale in ALPHABETS for line in SAMPLE]
    assert (VERSION, hashlib.sha256("\n".join(results).encode()).hexdigest()[:16]) == (8, "7555ed690aa3150e")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real sentences is missing")
@pytest.mark.parametrize("name, locale", [("pt", "pt-BR"), ("pt", "pt-PT"), ("es", "es"), ("es", "es-419")])
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_no_real_sentence_is_rejected(name: str, locale: str, every: int) -> None:
    lines = (SHARED / "text" / f"{name}_no_heldout.txt").read_text(encoding="utf-8").splitlines()[::every]
    rejected = [(line, result.reason) for line in lines if (result := check(line, locale)).reason]
    assert rejected == []
    assert all(set(normalise(line, locale)) <= {*ALPHABETS[locale], " "} for line in lines)
