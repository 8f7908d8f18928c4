"""URLs, e-mail addresses, user names and topics."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.alphabet import LETTER
from pipeline.text.quantity import verbalise
from pipeline.text.rules.acronyms import is_pronounceable, letter_names
from pipeline.text.rules.rule import Line, rule

_DOMAINS: Final = ("com", "org", "net", "gov", "edu", "info")


@rule("aA", lambda words: (
    r"(?<![\w@.])(?:(?:https?://|www\.)[^\s<>\"]{1,500}(?<![.,;:!?)'])"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"
    r"|(?:[a-z0-9-]{2,63}\.){1,4}(?:com|org|net|gov|edu|io|br|pt|es|mx|ar)(?:\.[a-z]{2})?(?:/[\w./-]{0,200}\w)?(?![\w@]))"
))
def address(match: re.Match[str], line: Line) -> str:
    """URLs and e-mail addresses: words are read, signs named, unpronounceable parts spelled; the scheme is left out.

    pt-BR  www.exemplo.com.br → dáblio dáblio dáblio ponto exemplo ponto com ponto bê erre
    pt     fale em maria.silva@exemplo.pt → fale em maria ponto silva arroba exemplo ponto pê tê
    pt     https://exemplo.org/a-b_2 → exemplo ponto org barra a hífen bê sublinhado dois
    es     visita ejemplo.com/ayuda → visita ejemplo punto com barra ayuda
    es     ana@correo.es → ana arroba correo punto es
    """
    body = re.sub(r"^https?://", "", match[0])
    return " ".join(_address_part(part, line) for part in re.findall(rf"{LETTER}+|[0-9]+|.", body))


def _address_part(part: str, line: Line) -> str:
    if part.isdecimal():
        return verbalise(part, line.words)
    if part.isalpha():
        readable = len(part) > 4 or part in _DOMAINS or is_pronounceable(part.lower())
        return part.lower() if readable else letter_names(part, line.words)
    return line.words.in_addresses.get(part, "")


@rule("@#", lambda words: rf"(?<![\w@#])[@#](?={LETTER})")
def tag(match: re.Match[str], line: Line) -> str:
    """The sign of a user name or a topic.

    pt     siga @maria → siga arroba maria
    pt     #SomosTodos → hashtag somostodos
    es     sigue a @ana → sigue a arroba ana
    """
    return line.words.symbols["@"] if match[0] == "@" else line.words.tag
