"""The letters of normalised text, and how every other character becomes one of them, a space or nothing.

Portuguese: a to z and á â ã à ç é ê í ó ô õ ú ü. Spanish: a to z and á é í ó ú ü ñ. Both have the space and nothing
else: CTC learns each symbol from its examples, and a symbol without a sound has none.

- k, w, y are letters (Agreement of 1990, Base I). ü is one (names, and Brazilian spelling before 2009: freqüente).
- The hyphen has no sound: a space (disse-lhe → disse lhe, guarda-chuva → guarda chuva).
- The apostrophe joins what is pronounced as one word: d'água → dágua, Sant'Ana → santana. At a word's edge it is a quote: a space.
- Foreign letters are written by their sound: in Portuguese ñ → nh (Sueños → suenhos), in Spanish ç → s
  (Barça → barsa). Other Latin letters lose their foreign mark (Zoë → zoe, Škoda → skoda, Straße → strasse).
- Letters and digits of other scripts, and symbols that no rule verbalises, cannot be transcribed: `rejection_reason`
  names them.
"""

from __future__ import annotations

import unicodedata
from typing import Final

ALPHABETS: Final[dict[str, str]] = {
    "pt-BR": "abcdefghijklmnopqrstuvwxyzáâãàçéêíóôõúü",
    "pt-PT": "abcdefghijklmnopqrstuvwxyzáâãàçéêíóôõúü",
    "es": "abcdefghijklmnopqrstuvwxyzáéíóúüñ",
    "es-419": "abcdefghijklmnopqrstuvwxyzáéíóúüñ",
}
"""The letters of each locale's normalised text; words are separated by one space."""

NATIVE: Final[dict[str, str]] = {
    locale: "".join(letter for letter in letters if letter not in ("kwyü" if locale.startswith("pt") else "kw"))
    for locale, letters in ALPHABETS.items()
}
"""The letters of each locale without those that only names, foreign words and former spellings have."""

LETTER: Final = r"[^\W\d_ªº²³µ]"
"""A pattern for a letter, without the signs that Unicode counts as letters."""

_UNDECOMPOSABLE: Final = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
_TRANSLITERATED: Final = {"ñ": "nh", "ç": "s"}
"""Letters of one language, as the other writes their sound."""
_APOSTROPHES: Final = "'’‘ʼʻ´`′"
_HYPHENS: Final = "-‐‑‒–−"
_READ_BY_RULES: Final = "ªº²³µ⁰¹⁴⁵⁶⁷⁸⁹"
"""Signs that the rules read, though Unicode counts them as letters and digits."""
_EXPONENT_SIGNS: Final = "⁰¹⁴⁵⁶⁷⁸⁹µ^"
_EQUIVALENT: Final = {
    "μ": "µ", "ᵃ": "ª", "ᵒ": "º", "№": "nº", "℃": "°C", "℉": "°F", "ⁿ": "^n", "∗": "*", "⋅": "·", "Ω": "Ω", "ϕ": "φ", "ϑ": "θ", "∆": "Δ",
    "⩽": "≤", "⩾": "≥", "≅": "≈", "≃": "≈",
}
GREEK: Final = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρστυφχψω"
"""Greek letters, which are read by their names where they stand alone: Δt → delta t."""


def is_greek(character: str) -> bool:
    """Return whether a character is of the Greek script, with or without its marks."""
    return "Ͱ" <= character <= "Ͽ" or "ἀ" <= character <= "῿"


class _CharacterTable(dict[int, str]):
    """A mapping for `str.translate` that computes each entry at its first use."""

    def __init__(self, alphabet: str) -> None:
        super().__init__()
        self.alphabet = alphabet

    def replacement(self, character: str) -> str:
        """Return the replacement of a character."""
        raise NotImplementedError

    def __missing__(self, code: int) -> str:
        self[code] = value = self.replacement(chr(code))
        return value


class Canonical(_CharacterTable):
    """One form for each sign, so that the rules read one only: quotes, hyphens, spaces, digits, foreign letters.

    `１２` → `12`, `½` → ` 1/2`, `№` → `nº`, `Škoda` → `Skoda`; a soft hyphen becomes nothing, a letter of another script a space.
    """

    def replacement(self, character: str) -> str:
        """Return the character in the form that the rules read."""
        if character in _APOSTROPHES:
            return "'"
        if character in _HYPHENS:
            return "-"
        if character in _READ_BY_RULES or character in _EQUIVALENT:
            return _EQUIVALENT.get(character, character)
        category = unicodedata.category(character)
        if category in ("Cf", "Mn", "Mc", "Me"):
            return ""
        if category[0] in "ZC":
            return " "
        if category[0] not in "LN":
            return character
        plain = unicodedata.normalize("NFKC", character)
        if "⁄" in plain:
            return " " + plain.replace("⁄", "/")
        return "".join(letter if letter.isascii() else self._latin(letter) for letter in plain) if plain else " "

    def _latin(self, character: str) -> str:
        """Return the letters of the alphabet for a letter, in its case; a space where it is of another script."""
        lower = character.lower()
        if lower in self.alphabet:
            return character
        plain = _TRANSLITERATED.get(lower) or "".join(
            _UNDECOMPOSABLE.get(letter, letter)
            for letter in unicodedata.normalize("NFKD", "".join(_UNDECOMPOSABLE.get(letter, letter) for letter in lower))
            if not unicodedata.combining(letter)
        )
        if not (plain.isascii() and plain.isalpha()):
            return character if is_greek(character) else " "
        return plain.capitalize() if character.isupper() else plain


class Letters(_CharacterTable):
    """The lower-case letters of the alphabet; anything else becomes a space."""

    def replacement(self, character: str) -> str:
        """Return a letter in lower case, or a space."""
        lower = character.lower()
        return lower if lower in self.alphabet else " "


def rejection_reason(character: str, canonical: Canonical) -> str:
    """Return why a character cannot be transcribed: `other script`, `unknown symbol`; empty where it can, or is not read aloud.

    The caller excludes characters that a rule verbalises. Emoji, arrows, punctuation and invisible marks are not read aloud.
    """
    category = unicodedata.category(character)
    if category[0] in "LN" and (canonical[ord(character)] == " " or is_greek(character)):
        return "other script"
    if character in _EXPONENT_SIGNS:
        return "unknown symbol"
    if category in ("Sc", "Sm") and character not in "|~+<=>¬" and not "←" <= character <= "⇿":
        return "unknown symbol"
    return ""


CANONICAL: Final[dict[str, Canonical]] = {locale: Canonical(alphabet) for locale, alphabet in ALPHABETS.items()}
LETTERS: Final[dict[str, Letters]] = {locale: Letters(alphabet) for locale, alphabet in ALPHABETS.items()}
