"""Operators, ranges, apostrophes and other signs."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.agreement import previous_word
from pipeline.text.alphabet import GREEK, LETTER
from pipeline.text.numbers import is_portuguese, whole_number
from pipeline.text.portuguese import BRAZIL
from pipeline.text.quantity import NUMBER, parse, verbalise
from pipeline.text.rules.patterns import CAPITAL, any_of
from pipeline.text.rules.rule import Line, rule
from pipeline.text.words import words as word_set

_RESULT: Final = re.compile(rf" ?{NUMBER} ?=")
_LEFT_FACTOR: Final = re.compile(rf"(?:(?P<word>{LETTER}{{1,20}}) )?(?<![0-9.,])[0-9.,]{{1,12}} ?(?P<unit>[a-zA-Z²³%]{{0,4}}) ?$")
_FACTOR: Final = re.compile(rf" ?{NUMBER} ?[=⁰¹²³⁴⁵⁶⁷⁸⁹⁻^]")
"""A second factor before an equals sign or with an exponent."""
_PERCENT: Final = re.compile(rf" ?{NUMBER} ?%")
_SCORE_WORDS: Final = re.compile(rf"{LETTER}{{1,20}}|[0-9]{{1,3}} ?[xX/-] ?[0-9]{{1,3}}")
_BETWEEN: Final = word_set("de por em o a um uma e no na jogo placar pelo com final y un con el la del en marcador")
"""Words between one that announces a score and the score."""
_SETS: Final = word_set("set sets parcial parciais parciales placar marcador")
_PRICE: Final = re.compile(r"(?:[$€£] ?[0-9.,]{1,12}|[0-9] ?(?:€|k?m|k?g|m?g|m?[lL]))\Z")
"""A price or a mass, before a slash and a quantity."""
_RAISED: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_ASPECTS: Final = frozenset({("16", "9"), ("18", "9"), ("21", "9")})
_RIGHT_TEAM: Final = re.compile(f" ?[0-9]{{1,2}} [{CAPITAL}]")


@rule("0xX×*·", lambda words: (
    rf"(?<![\w.,])(?P<number>[0-9]{{1,4}}(?:[.,][0-9]{{1,2}})?) ?[xX](?! ?[0-9]|{LETTER})"
    r"|(?:(?<=[0-9%])|(?<=[0-9%] )|(?<=[a-z²³] ))[xX×](?= ?[0-9])"
    rf"|(?:(?<=%)|(?<=% ))(?P<shares>[xX×])(?= {LETTER}{{1,20}} {NUMBER} ?%)"
    r"|(?:(?<=[0-9])|(?<=[0-9] ))(?P<product>[*·])(?= ?[0-9])"
    rf"|(?<={LETTER} )(?P<teams>[x×])(?= [{CAPITAL}]{LETTER})"
), then=" xX.,")
def multiplication(match: re.Match[str], line: Line) -> str | None:
    """An x beside numbers: a multiple, dimensions, a score, or a product where an equals sign follows.

    pt     em 12x sem juros → em doze vezes sem juros
    pt     2x → duas vezes
    pt     2,3x → duas vírgula três vezes
    pt     uma foto 3x4 → uma foto três por quatro
    pt     4 x 100 → quatro por cem
    pt     2 m x 3 m → dois metros por três metros
    pt     o eixo x 2 → o eixo x dois
    pt     ganhou por 3x1 → ganhou por três a um
    pt     Brasil 3 x 1 Chile → brasil três a um chile
    pt     3 × 4 = 12 → três vezes quatro igual a doze
    pt     51,3% x 48,7% → cinquenta e um vírgula três por cento a quarenta e oito vírgula sete por cento
    pt     Sim 52% x Não 48% → sim cinquenta e dois por cento a não quarenta e oito por cento
    pt     venceu por 3:2 → venceu por três a dois
    pt     um placar de 3x0 → um placar de três a zero
    pt     parciais de 6x4 e 7x5 → parciais de seis a quatro e sete a cinco
    pt     por 6x4, 3x6 e 7x5 → por seis a quatro três a seis e sete a cinco
    pt     6x4 e 7x5 → seis a quatro e sete a cinco
    pt     fotos 3x4 e 5x7 → fotos três por quatro e cinco por sete
    es     6x4 y 7x5 → seis a cuatro y siete a cinco
    pt     Brasil x Chile → brasil versus chile
    pt     3 × 10⁸ → três vezes dez elevado a oito
    pt     2 * 3 → dois vezes três
    es     51,3% x 48,7% → cincuenta y uno coma tres por ciento a cuarenta y ocho coma siete por ciento
    es     un marcador de 3x0 → un marcador de tres a cero
    es     3 × 10⁸ → tres por diez elevado a ocho
    es     2x → dos veces
    es     21x → veintiuna veces
    es     ganó 3x1 → ganó tres a uno
    es     3 × 4 = 12 → tres por cuatro igual a doce
    """
    if match["number"]:
        quantity = parse(match["number"], line.words)
        return quantity.with_noun(line.words.times, line.words) if quantity else None
    if match["teams"]:
        return line.words.versus if previous_word(line.text, match.start())[:1].isupper() and not line.all_capitals else None
    if match["shares"]:
        return line.words.to
    if match["product"] or _FACTOR.match(line.text, match.end()):
        return line.words.symbols["×"]
    before = _LEFT_FACTOR.search(line.text[max(0, match.start() - 34) : match.start()])
    if not before:
        return None
    after = _RIGHT_TEAM.match(line.text, match.end())
    word = before["word"] or ""
    if before["unit"] == "%":
        return line.words.to if _PERCENT.match(line.text, match.end()) else line.words.by
    is_score = word.lower() in line.words.before_score or (after and word[:1].isupper()) or _announces_score(line, match.start())
    is_score = is_score or _is_in_sets(line.text, match.start())
    return line.words.to if is_score and not before["unit"] else line.words.by


_SET: Final = "(?:6 ?[xX] ?[0-4]|[0-4] ?[xX] ?6|7 ?[xX] ?[56]|[56] ?[xX] ?7)(?![0-9])"
_ONE_SET: Final = re.compile(_SET)
_SETS_PLAYED: Final = re.compile(rf"(?<![\w.,])(?:{_SET}(?: ?\([0-9]{{1,2}}-[0-9]{{1,2}}\))?(?:, | e | y |; ?| )){{1,4}}{_SET}(?![\w/]|[.,][0-9])")


def _is_in_sets(text: str, position: int) -> bool:
    """Return whether an x is in a list of two or more scores of sets of tennis: 6x4 e 7x5."""
    if not _ONE_SET.search(text[max(0, position - 2) : position + 3]):
        return False
    start = max(0, position - 40)
    return any(found.start() <= position - start < found.end() for found in _SETS_PLAYED.finditer(text[start : position + 40]))


def is_set_score(line: Line, position: int) -> bool:
    """Return whether a slash is in a list of scores of sets after such a word as `parciais`: 6/4 e 7/5."""
    start = max(0, position - 40)
    listed = any(found.start() <= position - start < found.end() for found in _PAIRS.finditer(line.text[start : position + 40]))
    return listed and _announces_score(line, position)


_PAIRS: Final = re.compile(
    r"(?<![\w.,/])(?:[0-9]{1,2}/[0-9]{1,2}(?: ?\([0-9]{1,2}-[0-9]{1,2}\))?(?:, | e | y |; ?)){1,4}[0-9]{1,2}/[0-9]{1,2}(?![\w/])"
)


def _announces_score(line: Line, position: int) -> bool:
    """Return whether a word such as `placar` precedes a score, past other scores and short words such as `de` and `por`."""
    for word in reversed(_SCORE_WORDS.findall(line.text[max(0, position - 64) : position])):
        lower = word.lower()
        if lower in _SETS or lower in line.words.before_score - _BETWEEN:
            return True
        if not (lower in _BETWEEN or word[0].isdecimal()):
            return False
    return False


@rule(_RAISED + "⁻^", lambda words: (
    rf"(?:(?<=[\wΑ-ω)\]])(?<!{LETTER}{LETTER}{LETTER})(?:(?P<raised>⁻?[{_RAISED}]{{1,6}})|\^(?P<caret>\(?-?[0-9]{{1,4}}\)?|[a-z](?!{LETTER})))"
    rf"(?: ?(?P<unit>{any_of(words.units)})(?![\w'{_RAISED}]))?|(?P<note>(?<={LETTER}{LETTER}{LETTER})[{_RAISED}]{{1,3}}(?!\w)))"
))
def power(match: re.Match[str], line: Line) -> str:
    """Exponents; a raised figure after a word is the mark of a note, and not read.

    pt     10⁶ → dez elevado a seis
    pt     10⁹ bactérias → dez elevado a nove bactérias
    pt     10⁻³ m → dez elevado a menos três metros
    pt     6,02 × 10²³ → seis vírgula zero dois vezes dez elevado a vinte e três
    pt     2⁵ = 32 → dois elevado a cinco igual a trinta e dois
    pt     x⁴ → x elevado a quatro
    pt     2^10 → dois elevado a dez
    pt     2ⁿ → dois elevado a ene
    pt     10³ → dez ao cubo
    pt     uma palavra¹ → uma palavra
    es     10⁶ → diez elevado a seis
    es     10⁻³ m → diez elevado a menos tres metros
    es     5² → cinco al cuadrado
    """
    words = line.words
    if match["note"]:
        return "" if line.text[match.start() - 3 : match.start()].lower() not in _FUNCTIONS else words.symbols.get(match["note"], "")
    written = match["raised"] or match["caret"].strip("()")
    negative = written[0] in "⁻-"
    figures = "".join(str(_RAISED.index(figure)) if figure in _RAISED else figure for figure in written.strip("⁻-"))
    if figures in ("2", "3") and not negative:
        spoken = words.symbols["²" if figures == "2" else "³"]
    else:
        exponent = whole_number(figures, words.locale) if figures.isdecimal() else words.letters.get(figures, figures)
        spoken = f"{words.power} {words.minus + ' ' if negative else ''}{exponent}"
    return f"{spoken} {words.units[match['unit']].many}" if match["unit"] else spoken


_FUNCTIONS: Final = frozenset({"sen", "sin", "cos", "tan", "log"})


@rule("0", lambda words: (
    rf"(?<![\w.,:/])(?P<left>[0-9]{{1,4}}(?:[.,][0-9]{{1,3}})?):(?P<right>{NUMBER})(?::(?P<third>[0-9]{{1,4}}))?(?![\w:]|[.,/]?[0-9])"
))
def ratio(match: re.Match[str], line: Line) -> str | None:
    """Ratios and scales; after a book of the Bible a chapter and a verse.

    A colon before two figures is one of a time of the day (2:10), except after such a word as `escala`.

    pt     2:1 → dois para um
    pt     escala 1:50 → escala um para cinquenta
    pt     na escala de 1:50.000 → na escala de um para cinquenta mil
    pt     diluição 1:1000 → diluição um para mil
    pt     1:2:3 → um para dois para três
    pt-BR  16:9 → dezesseis por nove
    pt-BR  João 3:16 → joão três dezesseis
    pt     Salmo 23:1 → salmo vinte e três um
    pt     fez 1:21.345 → fez um minuto e vinte e um vírgula trezentos e quarenta e cinco segundos
    pt     às 2:10 → às duas e dez
    es     2:1 → dos a uno
    es     escala 1:50 → escala uno a cincuenta
    es     16:9 → dieciséis novenos
    es     Juan 3:16 → juan tres dieciséis
    """
    words, left, right = line.words, match["left"], match["right"]
    before = previous_word(line.text, match.start())
    if before.lower() in words.books and before[0].isupper() and left.isdecimal() and len(right) < 4 and line.text[match.start() - 1] == " ":
        return f"{verbalise(left, words)} {verbalise(right, words)}"
    if before.lower() == words.of:
        before = previous_word(line.text, match.start() - len(words.of) - 1)
    if not (before.lower() in words.before_ratio or len(right) == 1 or len(right) > 2):
        return None
    if (left, right) in _ASPECTS:
        ninths = f"{words.by} {verbalise(right, words)}" if is_portuguese(words.locale) else "novenos"
        return f"{verbalise(left, words)} {ninths}"
    if not match["third"] and before.lower() not in words.before_ratio and _LAP.fullmatch(left + ":" + right):
        minutes, seconds = (parse(part, words) for part in (left, right[:2] + "," + right[3:]))
        if minutes and seconds:
            return f"{minutes.with_noun(words.minute, words)} {words.conjunction} {seconds.with_noun(words.second, words)}"
    link = words.to if before.lower() in words.before_score or _announces_score(line, match.start()) else words.ratio
    return f" {link} ".join(verbalise(part, words) for part in (left, right, match["third"]) if part)


_LAP: Final = re.compile(r"[0-9]{1,2}:[0-5][0-9][.,][0-9]{1,2}[1-9]")
"""Minutes, seconds and thousandths of a race."""
_OPERAND: Final = re.compile(rf"(?<!{LETTER}{LETTER})[^\W_][)²³]? ?\Z")
"""A figure or a variable of one or two letters."""


@rule("~≈", lambda words: r"≈|(?<![\w~])~(?=[0-9])")
def approximation(match: re.Match[str], line: Line) -> str:
    """Signs of an approximation, before a number and between two operands.

    pt     ~5 → aproximadamente cinco
    pt     ≈ 20% → aproximadamente vinte por cento
    pt     π ≈ 3,14 → pi aproximadamente igual a três vírgula catorze
    es     ~5 → aproximadamente cinco
    es     π ≈ 3,14 → pi aproximadamente igual a tres coma catorce
    """
    operand = match[0] == "≈" and _OPERAND.search(line.text[max(0, match.start() - 4) : match.start()])
    return line.words.about_equal if operand else line.words.about


@rule(GREEK, lambda words: rf"(?<![Ͱ-Ͽἀ-῿])[{GREEK}](?![Ͱ-Ͽἀ-῿])")
def greek(match: re.Match[str], line: Line) -> str:
    """Greek letters that stand alone, in either case.

    pt     partículas α e β → partículas alfa e beta
    pt     Δt → delta t
    es     partículas α → partículas alfa
    """
    return line.words.greek[match[0].lower()]


@rule("-/", lambda words: (
    r"(?<=[0-9h%€ºª])-(?=[0-9])|(?<=[0-9h%€ºª] )-(?= [0-9])|(?<=[IVX]{2})-(?=[IVX]{2})|(?<=[0-9a-z€])/(?=[0-9])"
    r"|(?<=[A-Z]{2})/(?=(?:19|20)[0-9]{2}(?![0-9])|[4-9][0-9](?![0-9]))"
))
def between_numbers(match: re.Match[str], line: Line) -> str:
    """A hyphen between two numbers is a range, a score, or a minus where an equals sign follows; a slash is named.

    pt     10-15 pessoas → dez a quinze pessoas
    pt     1914–1918 → mil novecentos e catorze a mil novecentos e dezoito
    pt     das 13h-15h → das treze horas a quinze horas
    pt     ganhou por 3-1 → ganhou por três a um
    pt     10 - 3 = 7 → dez menos três igual a sete
    pt     R$ 5/100 g → cinco reais por cem gramas
    pt     maio/2024 → maio de dois mil e vinte e quatro
    pt     a CF/88 e o CPC/1973 → a cê efe de oitenta e oito e o cê pê cê de mil novecentos e setenta e três
    pt     PA 120/80 mmHg → pê a cento e vinte por oitenta milímetros de mercúrio
    pt     PA 12/8 → pê a doze por oito
    pt     de 8/8h → de oito em oito horas
    pt     parciais de 6/4, 3/6 e 7/6 → parciais de seis a quatro três a seis e sete a seis
    pt-BR  3 sets a 1 (25/22, 23/25 e 25/20) → três sets a um vinte e cinco a vinte e dois vinte e três a vinte e cinco e vinte e cinco a vinte
    es     TA 120/80 mmHg → te a ciento veinte sobre ochenta milímetros de mercurio
    pt     lei 8.666/93 → lei oito mil seiscentos e sessenta e seis barra noventa e três
    es     10-15 días → diez a quince días
    es     10 - 3 = 7 → diez menos tres igual a siete
    es     mayo/2024 → mayo de dos mil veinticuatro
    """
    words = line.words
    if match[0] == "/" and _PRICE.search(line.text[max(0, match.start() - 24) : match.start()]):
        return words.by
    if match[0] == "/":
        return _slash(line, match.start())
    return words.minus if _RESULT.match(line.text, match.end()) else words.to


def _slash(line: Line, position: int) -> str:
    """Return the words for a slash before a figure."""
    words, text = line.words, line.text
    before = previous_word(text, position)
    if before.lower() in words.months or (before.isupper() and len(before) > 1 and text[position - 1].isupper()):
        return words.of
    if is_set_score(line, position):
        return words.to
    figures = position
    while position - figures < 4 and text[figures - 1 : figures].isdecimal():
        figures -= 1
    if _PRESSURE.match(text, position) or previous_word(text, figures).lower() in words.before_pressure:
        return words.pressure
    if (times := _EVERY_HOURS.search(text[max(0, position - 3) : position + 8])) and times[1] == times[2]:
        return words.every
    return words.slash


_PRESSURE: Final = re.compile("/[0-9]{2,3} ?mm ?Hg")
_EVERY_HOURS: Final = re.compile(r"(?<![0-9])([0-9]{1,2})/([0-9]{1,2}) ?(?:h(?!\w)|hs|hrs|hora)")


@rule("'A", lambda words: rf"(?<={LETTER})'(?={LETTER})|(?<!{LETTER})(?<!')D (?=[AEIOUÁÉÍÓÚÂÊÔ]{LETTER})")
def apostrophe(match: re.Match[str], line: Line) -> str | None:
    """An apostrophe within a word joins its parts, pronounced as one; at the edge of a word it is a quotation mark.

    A lone D between a name and the vowel of another has lost its apostrophe.

    pt     debaixo d'água → debaixo dágua
    pt     Sant’Ana → santana
    pt     McDonald's → mcdonalds
    pt     um clube chamado 'Gruta' → um clube chamado gruta
    pt     Moura D Avila → moura davila
    pt     a vitamina D Ajuda → a vitamina dê ajuda
    es     d'Artagnan → dartagnan
    """
    if match[0] == "'":
        return ""
    return "d" if previous_word(line.text, match.start())[:1].isupper() and not line.all_capitals else None


@rule("".join(BRAZIL.symbols), lambda words: (
    rf"[<>](?= ?[0-9])|[√∛](?= ?(?:[0-9(]|{LETTER}(?!{LETTER}{{2}})))|§§|[" + re.escape("".join({*words.symbols} - {*"<>√∛"})) + "]"
))
def symbol(match: re.Match[str], line: Line) -> str:
    """Signs that are read aloud; < and > only before a number, since elsewhere they are markup; roots only before an operand.

    pt     2 + 2 = 4 → dois mais dois igual a quatro
    pt     pai & filho → pai e filho
    pt     x² → x ao quadrado
    pt     § 2 → parágrafo dois
    pt     §§ 1º e 2º → parágrafos primeiro e segundo
    pt     √2 → raiz quadrada de dois
    pt     ∛(x + 1) → raiz cúbica de x mais um
    pt     ∑ x² → somatório de x ao quadrado
    pt     ∫ f(x) dx → integral de f x dx
    pt     x ∈ A → x pertence a a
    es     √16 = 4 → raíz cuadrada de dieciséis igual a cuatro
    es     n ∈ B → n pertenece a be
    pt     x ≥ 5 → x maior ou igual a cinco
    es     a ≠ b → a distinto de b
    pt     5 > 3 → cinco maior que três
    es     2 + 2 = 4 → dos más dos igual a cuatro
    es     Women & Media → women y media
    """
    return line.words.symbols[match[0]]


@rule("#", lambda words: r"#(?= ?[0-9])")
def number_sign(match: re.Match[str], line: Line) -> str:
    """A hash before a number.

    pt     o #1 → o número um
    es     el #1 → el número uno
    """
    return line.words.number_sign
