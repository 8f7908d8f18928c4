"""One canonical form for variants of spelling and of number words, for the tolerant score only.

The score compares reference and hypothesis in this form, and so shows how much of an error rate is spelling. The form
need not be a correct spelling (facto → fato, but also impacto → impato), and no model is trained on it. Words of different
meaning keep different forms (avô and avó, pacto and pato, por and pôr), and so do different words (ônibus, autocarro).

Portuguese, the same for both locales, since much of Common Voice does not name the locale:

    consonants dropped in 1990            acção → ação    facto → fato    óptimo → ótimo    excepção → exceção
    consonants kept in one country        amnistia → anistia    súbdito → súdito    sumptuoso → suntuoso
    é, ê and ó, ô before m and n          académico = acadêmico    António = Antônio    prémio = prêmio    ténis = tênis
    é, ê at the end                       bebé = bebê    puré = purê
    accents dropped in 1990               idéia → ideia    heróico → heroico    vôo → voo    crêem → creem    feiúra → feiura
    the diaeresis                         lingüiça → linguiça
    prefixes, solid or not                anti-social = antissocial    microondas = micro-ondas    auto-estima = autoestima
    compounds, solid or not               pára-quedas = paraquedas    copo d'água = copo d água
    number words                          dezasseis → dezesseis    quatorze → catorze    dois mil milhões = dois bilhões
    pairs                                 connosco → conosco    registo → registro    húmido → úmido
    numbers read differently              um de maio → primeiro de maio    dez cêntimos → dez centavos    zero graus → zero grau
    times                                 duas horas e meia → duas e trinta    uma hora e dez minutos → uma e dez

Spanish:

    accents dropped in 2010               sólo → solo    éste → este    guión → guion
    free accents                          vídeo → video    período → periodo    policíaco → policiaco
    consonants                            psicología → sicología    septiembre → setiembre    obscuro → oscuro    transporte → trasporte
    number words                          diez y seis = dieciséis    veinte y dos = veintidós
    prefixes, solid or not                anti-social = antisocial
    numbers read differently              uno de mayo → primero de mayo    tres punto catorce → tres coma catorce
    times                                 dos horas y media → dos y treinta    una hora y diez minutos → una y diez
    names of letters                      uve doble → doble ve    i griega → ye    de uve de → de ve de
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pipeline.text.normaliser import normalise
from pipeline.text.numbers import cardinal, is_portuguese
from pipeline.text.portuguese import BRAZIL
from pipeline.text.spanish import SPAIN
from pipeline.text.words import pairs, words

_PREFIXES: Final = words(
    "aero agro anti auto bio electro eletro geo hidro hiper infra intra macro maxi mega micro mini multi neo pluri poli proto pseudo"
    " psico retro semi socio super supra tele ultra"
)
"""Prefixes that are rarely words: joined with the word after them, in reference and hypothesis."""

_DOUBLED: Final = re.compile(rf"^({'|'.join(sorted(_PREFIXES))})(?:rr|ss)")


def _number_pattern(locale: str, conjunction: str) -> str:
    """Return a pattern for a number below sixty in words."""
    spoken = {word for value in range(60) for form in ("alone", "feminine") for word in cardinal(value, locale, form).split()}
    word = "|".join(sorted(spoken - {conjunction}, key=len, reverse=True))
    return f"(?:{word})(?: {conjunction} (?:{word}))?"


_PT_NUMBER: Final = _number_pattern("pt-BR", "e")
_ES_NUMBER: Final = _number_pattern("es", "y")

_PT_PAIRS: Final = pairs("""
    dezasseis → dezesseis
    dezassete → dezessete
    dezanove → dezenove
    quatorze → catorze
    bilião → bilhão
    biliões → bilhões
    trilião → trilhão
    triliões → trilhões
    bebê → bebé
    bebês → bebés
    purê → puré
    purês → purés
    guichê → guiché
    guichês → guichés
    crochê → croché
    bidê → bidé
    matinê → matiné
    caratê → karaté
    caraté → karaté
    karatê → karaté
    judô → judo
    metrô → metro
    quotidiano → cotidiano
    quotidiana → cotidiana
    quota → cota
    quotas → cotas
    registo → registro
    registos → registros
    registar → registrar
    registado → registrado
    registada → registrada
    registou → registrou
    húmido → úmido
    húmida → úmida
    húmidos → úmidos
    húmidas → úmidas
    humidade → umidade
    subtil → sutil
    subtis → sutis
    súbdito → súdito
    súbditos → súditos
    amígdala → amídala
    amígdalas → amídalas
    pára → para
    pêlo → pelo
    pêlos → pelos
    pólo → polo
    pólos → polos
    pêra → pera
    fôrma → forma
    fôrmas → formas
    argúi → argui
    averigúe → averigue
    cêntimo → centavo
    cêntimos → centavos
    dâblio → dáblio
    connosco → conosco
    comummente → comumente
    benvindo → bemvindo
    benvinda → bemvinda
    benvindos → bemvindos
    benvindas → bemvindas
    berinjela → beringela
    berinjelas → beringelas
""")

_PT_SPELLINGS: Final = tuple((re.compile(pattern), replacement) for pattern, replacement in (
    (r"ü", "u"),
    (r"éi(?!s?$)", "ei"),
    (r"ói(?!s?$)", "oi"),
    (r"ôo", "oo"),
    (r"êem", "eem"),
    (r"(?<=[aeiou]i)ú", "u"),
    (r"ê(?=[mn])", "é"),
    (r"ô(?=[mn])", "ó"),
    (r"[cp](?=ç)", ""),
    (r"(?<!^pa)c(?=t)", ""),
    (r"(?<=m)p(?=t)", ""),
    (r"(?<!^a)(?<![^b]a)p(?=t)", ""),
    (r"[cp](?=c[eiéêí])", ""),
    (r"m(?=n)", ""),
    (r"m(?=t)", "n"),
))

_PT_PHRASES: Final = tuple((re.compile(pattern), replacement) for pattern, replacement in (
    (r"\bmil milhões\b", "bilhões"),
    (r"\bum bilhão\b", "bilhões"),
    (r"\bd (?=[aeiouáéíóúâêôh])", "d"),
    (r"\bpara (?=(?:quedas|choques?|brisas?|raios|lamas?)\b)", "para"),
    (r"\bmanda chuva\b", "mandachuva"),
    (r"\bbem (?=vind[oa]s?\b)", "bem"),
    (rf"\bum de (?=(?:{'|'.join(BRAZIL.months)})\b)", "primeiro de "),
    (r"\bzero (hora|grau|minuto|segundo|quilo|grama|litro|(?:quiló|centí|milí)?metro)s\b", r"zero \1"),
    (r"\bvinte e quatro sobre sete\b", "vinte e quatro por sete"),
    (rf"\b({_PT_NUMBER}) horas? e meia\b", r"\1 e trinta"),
    (rf"\b({_PT_NUMBER}) horas? e ({_PT_NUMBER})(?: minutos?)?\b", r"\1 e \2"),
))

_ES_PAIRS: Final = pairs("""
    sólo → solo
    éste → este
    ésta → esta
    éstos → estos
    éstas → estas
    ése → ese
    ésa → esa
    ésos → esos
    ésas → esas
    aquél → aquel
    aquélla → aquella
    aquéllos → aquellos
    aquéllas → aquellas
    guión → guion
    guiones → guiones
    truhán → truhan
    vídeo → video
    vídeos → videos
    fútbol → futbol
    chófer → chofer
    ícono → icono
    íconos → iconos
    cóctel → coctel
    élite → elite
    élites → elites
    quizás → quizá
    méjico → méxico
    mejicano → mexicano
    mejicana → mexicana
    remplazar → reemplazar
    remplazo → reemplazo
""")

_ES_SPELLINGS: Final = tuple((re.compile(pattern), replacement) for pattern, replacement in (
    (r"^ps", "s"),
    (r"^(s[eé])pt(?=i)", r"\1t"),
    (r"^obsc", "osc"),
    (r"^subst", "sust"),
    (r"^trans(?=[bcdfgjlmnpqtv])", "tras"),
    (r"íod(?=[oa]s?$)", "iod"),
    (r"íac(?=[oa]s?$)", "iac"),
))

_ES_PHRASES: Final = tuple((re.compile(pattern), replacement) for pattern, replacement in (
    (r"\bdiez y seis\b", "dieciséis"),
    (r"\bdiez y (?=(?:siete|ocho|nueve)\b)", "dieci"),
    (r"\bveinte y dos\b", "veintidós"),
    (r"\bveinte y tres\b", "veintitrés"),
    (r"\bveinte y seis\b", "veintiséis"),
    (r"\bveinte y (?=(?:un|uno|una|cuatro|cinco|siete|ocho|nueve)\b)", "veinti"),
    (rf"\buno de (?=(?:{'|'.join(SPAIN.months)})\b)", "primero de "),
    (rf"\b({_ES_NUMBER}) punto (?={_ES_NUMBER}\b)", r"\1 coma "),
    (rf"\b({_ES_NUMBER}) horas? y media\b", r"\1 y treinta"),
    (rf"\b({_ES_NUMBER}) horas? y ({_ES_NUMBER})(?: minutos?)?\b", r"\1 y \2"),
    (r"\buve doble\b", "doble ve"),
    (r"\buve\b", "ve"),
    (r"\bi griega\b", "ye"),
))


@lru_cache(maxsize=131072)
def _canonical_word(word: str, portuguese: bool) -> str:
    """Return the canonical form of a word."""
    known = _PT_PAIRS if portuguese else _ES_PAIRS
    if word in known:
        return known[word]
    written = word
    for pattern, replacement in _PT_SPELLINGS if portuguese else _ES_SPELLINGS:
        word = pattern.sub(replacement, word)
    word = _DOUBLED.sub(lambda found: found[0][:-1], word)
    return word if word == written else _canonical_word(word, portuguese)


def variants(text: str, locale: str) -> str:
    """Return the canonical form of a text: normalised, with one form for spelling variants.

    Args:
        text: as written, or normalised.
        locale: pt-BR, pt-PT, es or es-419.

    Raises:
        UnknownLocaleError: the locale has no rules.
    """
    portuguese = is_portuguese(locale)
    joined: list[str] = []
    prefix = ""
    for word in normalise(text, locale).split():
        if word in _PREFIXES:
            prefix += word
            continue
        joined.append(_canonical_word(prefix + word, portuguese))
        prefix = ""
    if prefix:
        joined.append(prefix)
    canonical = " ".join(joined)
    for pattern, replacement in _PT_PHRASES if portuguese else _ES_PHRASES:
        canonical = pattern.sub(replacement, canonical)
    return canonical
