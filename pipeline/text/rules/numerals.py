"""Ordinals, fractions and every other number in Arabic numerals."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import form_of, is_feminine, next_word, numbers_an_act, previous_word
from pipeline.text.alphabet import LETTER
from pipeline.text.numbers import cardinal, fraction, is_portuguese, ordinal, whole_number
from pipeline.text.quantity import NUMBER, Quantity, parse, verbalise
from pipeline.text.rules.patterns import any_of
from pipeline.text.rules.rule import Line, rule
from pipeline.text.rules.signs import is_set_score
from pipeline.text.words import Noun, Words


@rule("0", lambda words: (
    r"(?<![\w.,/])(?P<number>[0-9]{1,4})(?:\.?(?P<sign>[ºª]s?|os|as|ºs|ªs)"
    + (r"|\.?(?P<plain>[oa])" if is_portuguese(words.locale) else r"|\.?(?P<plain>er|ero|ro|ra|do|da|to|ta|mo|ma|vo|va|no|na|[oa])")
    + rf"|(?P<degree>°)(?= {LETTER}{{3}}))(?!\w|['°ºª])"
))
def ordinal_number(match: re.Match[str], line: Line) -> str | None:
    """Ordinals, in the gender of their sign; 1° with a degree sign is one before a noun.

    pt     1º lugar → primeiro lugar
    pt     2ª fase → segunda fase
    pt     3.º andar → terceiro andar
    pt     os 3.os lugares → os terceiros lugares
    pt     as 1as notas → as primeiras notas
    pt     a 21.ª edição → a vigésima primeira edição
    pt     o 100º dia → o centésimo dia
    pt     na 2a feira → na segunda feira
    pt     o 1o colocado → o primeiro colocado
    pt     2ª-feira → segunda feira
    pt     3.o andar → terceiro andar
    pt     a 2.a via → a segunda via
    pt     o 1° andar → o primeiro andar
    pt     de 2ª a 6ª → de segunda a sexta
    pt     40º Congresso → quadragésimo congresso
    es     el 1.er piso → el primer piso
    es     el 2.º piso → el segundo piso
    es     la 3ª vez → la tercera vez
    es     llegó 1º → llegó primero
    es     el 1º piso → el primer piso
    es     la 1ra vez → la primera vez
    es     el 3er lugar → el tercer lugar
    es     el 8vo grado → el octavo grado
    es     la 12.ª edición → la duodécima edición
    es     3.º B → tercero be
    """
    words = line.words
    sign = match["sign"] or match["plain"] or "º"
    after = next_word(line.text, match.end()).lower()
    if match["degree"] and after in ("celsius", "fahrenheit", "graus", "grados", "latitude", "longitude", *words.not_counted):
        return None
    plural = sign.endswith("s")
    if sign.rstrip("s") in ("ª", "a", "ra", "da", "ta", "ma", "va", "na"):
        return ordinal(int(match["number"]), words.locale, "feminine", plural)
    noun = len(after) > 1 and after not in words.not_counted and after not in words.sides and not is_feminine(after, plural, words)
    return ordinal(int(match["number"]), words.locale, "masculine" if noun or sign == "er" else "alone", plural)


@rule("0", lambda words: (
    r"(?<![\w.,/-])(?:(?P<whole>[0-9]{1,3})(?: {1,2}| (?P<and>[ey]) (?=[1-7]/[2-8](?![0-9]))))?(?P<above>[0-9]{1,2})/(?P<below>[0-9]{1,3}|1000)"
    rf"(?:(?: ?(?P<unit>{any_of(words.units)})(?![\w'²³]))|(?![\w/]|[.,-][0-9]))"
    r"(?:(?:(?<=[0-9] [0-9]/[0-9])|(?<=[0-9]  [0-9]/[0-9])|(?<=[0-9] [ey] [0-9]/[0-9]))"
    rf" (?P<noun>(?!(?:{any_of(words.not_counted)})(?!{LETTER})){LETTER}{{3,30}}))?"
), then=" /")
def fraction_number(match: re.Match[str], line: Line) -> str | None:
    """Fractions below one, alone or after a whole number.

    pt     3/4 → três quartos
    pt     1/2 → um meio
    pt     1/2 xícara → meia xícara
    pt     ½ quilo → meio quilo
    pt     2 1/2 → dois e meio
    pt     1 e 1/2 xícara de arroz → uma xícara e meia de arroz
    es     1 y 1/2 tazas de arroz → una taza y media de arroz
    pt     2½ horas → duas horas e meia
    pt     1 3/4 → um e três quartos
    pt     1 3/4 xícara de açúcar → uma xícara e três quartos de açúcar
    pt     2 1/2 e 3 1/2 → dois e meio e três e meio
    pt     2/3 dos votos → dois terços dos votos
    pt     3 ½ horas → três horas e meia
    pt     1/12 → um doze avo
    pt     1/2 kg de queijo → meio quilo de queijo
    pt     1/2 t → meia tonelada
    pt     3/4 l de leite → três quartos de litro de leite
    pt     1/4 h → um quarto de hora
    pt     1 1/2 kg → um quilo e meio
    pt     2 1/4 h → duas horas e um quarto
    pt     1/2 % → meio por cento
    pt     Lei 30/92 → lei trinta barra noventa e dois
    es     Ley 30/92 → ley treinta barra noventa y dos
    es     1/2 kg de queso → medio kilo de queso
    es     3/4 l de leche → tres cuartos de litro de leche
    es     1 1/2 t → una tonelada y media
    es     2 1/2 km → dos kilómetros y medio
    es     3/4 → tres cuartos
    es     1/2 taza → media taza
    es     2 1/2 → dos y medio
    es     1 1/2 tazas de arroz → una taza y media de arroz
    es     2 1/2 horas → dos horas y media
    """
    words = line.words
    above, below = int(match["above"]), int(match["below"])
    if not 0 < above < below or below < 2 or "0" in (match["above"][0], match["below"][0]):
        return None
    if not match["whole"] and is_set_score(line, match.end("above")):
        return None
    if match["and"] and previous_word(line.text, match.start()).lower() in ("dia", "dias", "día", "días"):
        return None
    if below > 10 and not match["whole"] and numbers_an_act(line.text, match.start(), words):
        return None
    if match["unit"]:
        return _fraction_of_unit(int(match["whole"] or 0), above, below, words.units[match["unit"]], words)
    noun = match["noun"] or ""
    end = match.end() - len(noun)
    if match["whole"] == "1" and noun.endswith(("as", "os")):
        noun = noun[:-1]
    form = form_of(line.text, match.start(), end, False, words)
    if form != "feminine":
        form = form_of(line.text, match.start(), end, True, words)
    if (above, below) == (1, 2) and (match["whole"] or form != "alone"):
        spoken = words.half.many if form == "feminine" else words.half.one
    else:
        spoken = fraction(above, below, words.locale)
    if match["whole"]:
        return f"{cardinal(int(match['whole']), words.locale, form)} {noun.lower()} {words.conjunction} {spoken}".replace("  ", " ")
    return spoken


def _fraction_of_unit(whole: int, above: int, below: int, unit: Noun, words: Words) -> str:
    """Return a fraction of a unit: meio quilo, três quartos de litro, dois quilos e meio."""
    is_half = (above, below) == (1, 2)
    half = words.half.many if unit.feminine else words.half.one
    part = half if is_half else fraction(above, below, words.locale)
    if whole:
        return f"{Quantity(str(whole)).with_noun(unit, words)} {words.conjunction} {part}"
    if is_half or unit.one.startswith("por "):
        return f"{part} {unit.one}"
    return f"{part} {words.of} {unit.one}"


@rule("0", lambda words: (
    rf"(?<![\w.,/$-])(?P<number>{NUMBER})"
    rf"(?: ?(?P<magnitude>{any_of(_short_magnitudes(words))})(?!\w)|(?P<glued>[kMB])(?= {LETTER}{{2}})"
    rf"| (?P<spaced>[MB])(?= {words.of} {LETTER}{{2}}))"
))
def magnitude(match: re.Match[str], line: Line) -> str | None:
    """Magnitudes by letters without a currency.

    pt-BR  5 bi de reais → cinco bilhões de reais
    pt-BR  10 mi de pessoas → dez milhões de pessoas
    pt-BR  1 bi → um bilhão
    pt     10k seguidores → dez mil seguidores
    pt     2M de visitas → dois milhões de visitas
    es     300 mill. de euros → trescientos millones de euros
    es     5 M de euros → cinco millones de euros
    es     10k seguidores → diez mil seguidores
    es     2M de visitas → dos millones de visitas
    """
    words = line.words
    quantity = parse(match["number"], words)
    if quantity is None:
        return None
    large = words.magnitudes[match["magnitude"] or match["glued"] or match["spaced"]]
    if large != "mil":
        after = next_word(line.text, match.end()).lower()
        link = f" {words.of}" if match["glued"] and after not in words.not_counted else ""
        return quantity.with_large(large, words) + link
    feminine = is_feminine(next_word(line.text, match.end()).lower(), True, words)
    return f"{quantity.in_words(words, 'feminine' if feminine else 'masculine')} mil"


def _short_magnitudes(words: Words) -> list[str]:
    """Return the magnitudes that are read without a currency too."""
    return [key for key in words.magnitudes if key in ("mi", "bi", "tri", "MM", "mill.")]


@rule("0", lambda words: (
    r"(?<![\w.,])(?P<number>[0-9]{1,4}(?:(?P<part>[.,])[0-9]{1,8})?)[eE](?P<sign>[+−-]?)(?P<exponent>[0-9]{1,3})(?!\w|[.,][0-9])"
))
def scientific(match: re.Match[str], line: Line) -> str | None:
    """Numbers with an exponent after an e: with a sign or decimals, without which they are codes.

    pt     1e-9 → um vezes dez elevado a menos nove
    pt     2,5E+6 → dois vírgula cinco vezes dez elevado a seis
    pt     6.02e23 → seis ponto zero dois vezes dez elevado a vinte e três
    pt     sala 2E5 → sala dois e cinco
    es     1e-9 → uno por diez elevado a menos nueve
    """
    words = line.words
    quantity = parse(match["number"], words)
    if quantity is None or not (match["sign"] or match["part"]):
        return None
    minus = f"{words.minus} " if match["sign"] in ("-", "−") else ""
    exponent = f"{minus}{whole_number(match['exponent'], words.locale)}"
    return f"{quantity.in_words(words)} {words.symbols['×']} {whole_number('10', words.locale)} {words.power} {exponent}"


@rule("0-", lambda words: rf"(?P<minus>(?<![\w)])-)?(?P<number>{NUMBER})")
def number(match: re.Match[str], line: Line) -> str:
    """Every other number, in the gender of what it counts.

    pt     2 meninas e 2 meninos → duas meninas e dois meninos
    pt     21 casas → vinte e uma casas
    pt     200 pessoas → duzentas pessoas
    pt     2.000 pessoas → duas mil pessoas
    pt     2 mil pessoas → duas mil pessoas
    pt     2 problemas → dois problemas
    pt     1 vez → uma vez
    pt     Sporting 2-1 Braga → sporting dois a um braga
    pt     Brasil 3 x 2 Argentina → brasil três a dois argentina
    pt     2 das casas → duas das casas
    pt     2 em cada 3 mulheres → duas em cada três mulheres
    pt     101 dálmatas → cento e um dálmatas
    pt     2 artistas e 2 revistas → dois artistas e duas revistas
    pt     2 questões → duas questões
    pt     2 paredes e 2 doses → duas paredes e duas doses
    pt     as 2 chegaram → as duas chegaram
    pt     às 2 → às duas
    pt     1 da manhã → uma da manhã
    pt     página 2 → página dois
    pt-BR  16 dias → dezesseis dias
    pt-PT  16 dias → dezasseis dias
    pt-BR  19 → dezenove
    pt-PT  19 → dezanove
    pt     100 → cem
    pt     101 → cento e um
    pt     1.000 → mil
    pt     1100 → mil e cem
    pt     2024 → dois mil e vinte e quatro
    pt     em 1999 → em mil novecentos e noventa e nove
    pt     anos 80 → anos oitenta
    pt-BR  1.000.000.000 → um bilhão
    pt-PT  1.000.000.000 → mil milhões
    pt-BR  2 bilhões → dois bilhões
    pt     1.000.000 habitantes → um milhão de habitantes
    pt     3,14 → três vírgula catorze
    pt     1,1 tonelada → uma vírgula uma tonelada
    pt     0,05 → zero vírgula zero cinco
    pt     -7 → menos sete
    pt     007 → zero zero sete
    pt-BR  Covid-19 → covid dezenove
    pt     H2O → agá dois o
    pt     versão 2.0 → versão dois ponto zero
    es     21 años → veintiún años
    es     1 casa → una casa
    es     1 libro → un libro
    es     tengo 1 → tengo uno
    es     200 personas → doscientas personas
    es     21 mil → veintiún mil
    es     hay 21 mil aquí → hay veintiún mil aquí
    es     21 mil casas → veintiuna mil casas
    es     2.000 mujeres → dos mil mujeres
    es     31 personas → treinta y una personas
    es     1 de cada 5 niñas → una de cada cinco niñas
    es     21 análisis → veintiún análisis
    es     21 cuestiones → veintiuna cuestiones
    es     1 aula → un aula
    es     16 → dieciséis
    es     1.000.000.000 → mil millones
    es     3,14 → tres coma catorce
    es-419 3.14 → tres punto catorce
    es     en 1984 → en mil novecientos ochenta y cuatro
    """
    words = line.words
    token = match["number"]
    quantity = parse(token, words)
    is_one = quantity is not None and quantity.is_singular(words)
    form = "alone" if _scores(line, match) else form_of(line.text, match.start(), match.end(), is_one, words)
    spoken = verbalise(token, words, form)
    if quantity and quantity.is_round_million:
        after = next_word(line.text, match.end()).lower()
        if after and after not in words.not_counted and after not in words.magnitudes:
            spoken += f" {words.of}"
    return f"{words.minus} {spoken}" if match["minus"] else spoken


_SCORE_BEFORE: Final = re.compile("[0-9] ?[-xX×] ?$")


def _scores(line: Line, match: re.Match[str]) -> bool:
    """Return whether a number is the second of a score before the name of a team, which it does not count."""
    text, start = line.text, match.start()
    return text[start - 1 : start] in " -xX×" and text[match.end() + 1 : match.end() + 2].isupper() and (
        _SCORE_BEFORE.search(text[max(0, start - 4) : start]) is not None and not line.all_capitals
    )
