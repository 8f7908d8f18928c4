"""Abbreviations and abbreviated titles."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pipeline.text.agreement import previous_word
from pipeline.text.alphabet import LETTER
from pipeline.text.locales import WORDS
from pipeline.text.numbers import is_portuguese
from pipeline.text.rules.patterns import CAPITAL, any_abbreviation, any_of
from pipeline.text.rules.rule import Line, rule

_GROUPS: Final = (("anywhere", "abbreviations"), ("name", "before_name"), ("number", "before_number"), ("letter", "before_letter"))
_FLOOR: Final = re.compile(r"(?:[ºª]|[0-9][.]?o|/[cC]|chão|andar|piso|cave|bajo|planta|puerta|esc\. [A-Z0-9]|[eE]xt\.|[iI]nt\.),? ?\Z", re.IGNORECASE)
_HOURS: Final = re.compile(r" ?[0-9]{1,3} ?(?:hs?|horas?|días?)(?!\w)")
_AMOUNT: Final = re.compile(" ?(?:[A-Z]{0,2}[$€£]|[0-9])")
_NUMERAL: Final = re.compile("[IVXLCDM]")


@rule("aA°º", lambda words: (
    rf"(?<!{LETTER})(?<!{LETTER}')(?:(?P<anywhere>{any_abbreviation(words.abbreviations)})"
    rf"|(?P<number>{any_abbreviation(words.before_number)})(?= ?(?:[0-9]|[(+]{{1,2}}[0-9]|[IVXLCDM]{{1,9}}(?!{LETTER})))"
    rf"|(?P<letter>{any_abbreviation(words.before_letter)})(?= ?(?:[a-z](?=\)|[,;.]|$)|[A-Z](?!\.[A-Z]|\. [A-Z][a-z]))(?!{LETTER}))"
    rf"|(?P<name>{any_abbreviation(words.before_name)})(?= (?:d[aeo]s? |de las? |del )?[{CAPITAL}]))"
))
def abbreviation(match: re.Match[str], line: Line) -> str | None:
    """Abbreviations, whole words only; some only before a name, some only before a number.

    pt     o Sr. Silva → o senhor silva
    pt     a Sra. Lima → a senhora lima
    pt     a Sr.ª Lima → a senhora lima
    pt     Dr. João e Dra. Ana → doutor joão e doutora ana
    pt     Dr João → doutor joão
    pt     a Prof.ª Rita → a professora rita
    pt     Av. Paulista → avenida paulista
    pt     na R. Augusta → na rua augusta
    pt     o José R. Silva → o josé erre silva
    pt     R.I.P. → erre i pê
    pt     nº 5 → número cinco
    pt     n.º 12 → número doze
    pt     a Sr.a Ministra → a senhora ministra
    pt     a Dr.a Ana e o Eng.o Costa → a doutora ana e o engenheiro costa
    pt     o Ex.mo Sr. Juiz → o excelentíssimo senhor juiz
    pt     V. Ex.a → vossa excelência
    pt     n.o 5 → número cinco
    pt     art. 5º, inc. XXXV → artigo quinto inciso trinta e cinco
    pt     sal q.b. → sal quanto baste
    es     1 g c/ 8 h → un gramo cada ocho horas
    pt     al. b) → alínea b
    pt     fls. 12 → folhas doze
    pt     Telef. 213 456 789 → telefone dois um três quatro cinco seis sete oito nove
    pt     r/c → rés do chão
    pt     cel. (11) 98765-4321 → celular um um nove oito sete seis cinco quatro três dois um
    pt     pão, leite, etc. → pão leite et cetera
    pt     pão etc → pão et cetera
    pt     p. ex. hoje → por exemplo hoje
    pt     p.ex. hoje → por exemplo hoje
    pt     V. Exa. → vossa excelência
    pt     50 a.C. → cinquenta antes de cristo
    pt     pág. 12 → página doze
    pt     p. 12 → página doze
    pt     cap. II → capítulo dois
    pt     o Cap. Nascimento → o capitão nascimento
    pt     R. das Flores → rua das flores
    pt     na R. 25 de Março → na rua vinte e cinco de março
    pt     de seg. a sex. → de segunda a sexta
    pt     Vossa Ex.ª → vossa excelência
    pt     a D.ª Rita → a dona rita
    pt     a/c do Sr. Zé → aos cuidados do senhor zé
    pt     Ex.: maçã → exemplo maçã
    pt     C# e C++ → cê sharp e cê mais mais
    pt     R. XV de Novembro, s/n → rua quinze de novembro sem número
    pt     art. 5º → artigo quinto
    pt     Sta. Maria → santa maria
    pt     café c/ leite → café com leite
    pt     café s/ açúcar → café sem açúcar
    pt     5% s/ R$ 100 → cinco por cento sobre cem reais
    pt-BR  no km 45 → no quilômetro quarenta e cinco
    pt     a droga e o drama do dragão → a droga e o drama do dragão
    pt     eu pago tudo. O mar. → eu pago tudo o mar
    es     el Sr. Pérez → el señor pérez
    es     la Sra. Ruiz → la señora ruiz
    es     pan, leche, etc. → pan leche etcétera
    es     p. ej. hoy → por ejemplo hoy
    es     EE. UU. → estados unidos
    es     n.º 5 → número cinco
    es     la Sr.a Ruiz → la señora ruiz
    es     D.a María → doña maría
    es     Excmos. Sres. → excelentísimos señores
    es     inc. XXXV → inciso treinta y cinco
    es     Teléf. 612 34 56 78 → teléfono seis uno dos tres cuatro cinco seis siete ocho
    es     pág. 3 → página tres
    es     s. XX → siglo veinte
    es     Ud. sabe → usted sabe
    es     Mª José → maría josé
    es     C/ Mayor, 5 → calle mayor cinco
    es     RR. HH. y FF.AA. → recursos humanos y fuerzas armadas
    es     P. D.: te quiero → posdata te quiero
    es     Sr. D. Juan → señor don juan
    es-419 el Ing. López → el ingeniero lópez
    es     ya no. Gracias → ya no gracias
    """
    if match["anywhere"] == "c/" and not is_portuguese(line.locale) and _HOURS.match(line.text, match.end()):
        return "cada"
    if match["anywhere"] == "s/" and _AMOUNT.match(line.text, match.end()):
        return "sobre"
    for group, table in _GROUPS:
        if written := match[group]:
            if written == "R." and (_is_initial(line.text, match.start()) or _NUMERAL.match(line.text, match.end())):
                return None
            return _spoken(line.locale, table)[written.replace(" ", "").lower()]
    return None


@rule("aA", lambda words: (
    rf"(?<!{LETTER})(?<!{LETTER}')(?:(?P<act>{any_abbreviation(words.acts)})(?= (?:n\.? ?[ºo°]?\.? ?)?[0-9][0-9.]{{0,7}}/[0-9]{{2}})"
    rf"|(?P<ruling>{any_abbreviation(words.rulings)})(?= (?:n\.? ?[ºo°]?\.? ?)?(?:[0-9]{{1,3}}(?:\.[0-9]{{3}}){{1,2}}(?!\w)|[0-9]{{4,7}}(?!\w)))"
    rf"|(?P<month>{any_abbreviation(words.month_abbreviations)})\.?/(?=(?:[0-9]{{2}}|(?:19|20)[0-9]{{2}})(?![0-9/])))"
))
def reference(match: re.Match[str], line: Line) -> str:
    """Laws and rulings before their numbers, and months before a year.

    pt-BR  EC 95/2016 → emenda constitucional noventa e cinco barra dois mil e dezesseis
    pt-BR  EC nº 95/2016 → emenda constitucional número noventa e cinco barra dois mil e dezesseis
    pt     o HC 126.292 → o habeas corpus cento e vinte e seis mil duzentos e noventa e dois
    pt     o RE 593.727/MG → o recurso extraordinário quinhentos e noventa e três mil setecentos e vinte e sete eme gê
    pt     REsp nº 1.123 → recurso especial número mil cento e vinte e três
    pt     o RE 5 → o re cinco
    pt     mar./24 → março de vinte e quatro
    pt     Dez/2023 → dezembro de dois mil e vinte e três
    es     dic./2023 → diciembre de dos mil veintitrés
    es     LO 3/2007 → ley orgánica tres barra dos mil siete
    es     RD 1720/2007 → real decreto mil setecientos veinte barra dos mil siete
    es     STC 53/1985 → sentencia del tribunal constitucional cincuenta y tres barra mil novecientos ochenta y cinco
    """
    if month := match["month"]:
        return f"{line.words.months[line.words.month_abbreviations.index(month.lower())]} {line.words.of}"
    table, written = ("acts", match["act"]) if match["act"] else ("rulings", match["ruling"])
    return _spoken(line.locale, table)[written.replace(" ", "").lower()]


@rule("aA", lambda words: rf"(?P<side>{any_abbreviation(words.sides)})\.?(?!{LETTER})")
def side(match: re.Match[str], line: Line) -> str | None:
    """The side of a floor.

    pt     3.º esq. → terceiro esquerdo
    pt     3.º dto. → terceiro direito
    pt     3º Esq → terceiro esquerdo
    pt     r/c dto. → rés do chão direito
    pt     4.º fte. → quarto frente
    es     3.º izq. → tercero izquierda
    es     2.º dcha. → segundo derecha
    es     bajo dcha. → bajo derecha
    """
    if not _FLOOR.search(line.text[max(0, match.start() - 12) : match.start()]):
        return None
    return _spoken(line.locale, "sides")[match["side"].replace(" ", "").lower()]


def _is_initial(text: str, position: int) -> bool:
    """Return whether a single capital letter is part of a name: José R. Silva."""
    before = previous_word(text, position)
    if (len(before) > 1) == (text[max(0, position - 2) : position] == ". "):
        return False  # Sr. D. João, A D. Ana; but J. D. Salinger
    return bool(before) and before[0].isupper() and text[max(0, position - 2) : position] != ", "


@rule("A", lambda words: (
    rf"(?<![\w.])(?<!{LETTER}')(?:S\. ?(?P<saint>{any_of(sorted(words.saints))})(?!{LETTER})|D\. ?(?P<don>[{CAPITAL}]{LETTER}{{1,30}}))"
))
def honorific(match: re.Match[str], line: Line) -> str | None:
    """S. before a saint's name, D. before any.

    pt     S. Paulo → são paulo
    pt     D. Pedro II → dom pedro segundo
    pt     D. Maria → dona maria
    pt     'D. Maria' → dona maria
    pt     D. Inês → dona inês
    pt     Sr. D. Duarte → senhor dom duarte
    pt     A D. Ana e o D. Pedro → a dona ana e o dom pedro
    pt     J. D. Salinger → jota dê salinger
    pt     Rua D. Pedro II → rua dom pedro segundo
    pt     Falta vitamina D. Ela sabe. → falta vitamina dê ela sabe
    es     Calle D. Antonio → calle don antonio
    es     el plan D. Después → el plan de después
    es     S. Juan → san juan
    es     D. Antonio → don antonio
    """
    if match["saint"]:
        return f"{'são' if is_portuguese(line.locale) else 'san'} {match['saint'].lower()}"
    before = previous_word(line.text, match.start()).lower()
    if before in line.words.letter_nouns or (before not in line.words.name_nouns and _is_initial(line.text, match.start())):
        return None
    name = match["don"]
    return f"{line.words.don[name.endswith('a') or name in line.words.dona]} {name.lower()}"


@lru_cache(maxsize=64)
def _spoken(locale: str, table: str) -> dict[str, str]:
    """Return a table of abbreviations by their letters in lower case, without spaces."""
    return {key.replace(" ", "").lower(): value for key, value in getattr(WORDS[locale], table).items()}
