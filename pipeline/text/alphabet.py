"""The letters that a normalised text may hold, and how every other character becomes one of them, a space or nothing.

Portuguese: a to z and á â ã à ç é ê í ó ô õ ú ü. Spanish: a to z and á é í ó ú ü ñ. Both have the space and nothing
else: CTC learns each symbol from its examples, so a symbol without a sound costs and teaches nothing.

- k, w, y are letters (Agreement of 1990, Base I). ü is one (names, and Brazilian spelling before 2009: freqüente).
- The hyphen has no sound: a space (disse-lhe → disse lhe, guarda-chuva → guarda chuva).
- The apostrophe joins what is said as one: d'água → dágua, Sant'Ana → santana. At a word's edge it is a quote: a space.
- Foreign letters are written by the sound that they have: in Portuguese ñ → nh (Sueños → suenhos), in Spanish ç → s
  (Barça → barsa). Other Latin letters lose their foreign mark (Zoë → zoe, Škoda → skoda, Straße → strasse).
- Letters and digits of other scripts, and symbols that no rule speaks, cannot be transcribed: `fault` says so.
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

LETTER: Final = r"[^\W\d_ªº²³µ]"
"""A pattern for a letter, without the signs that Unicode counts as one."""

_NOT_DECOMPOSED: Final = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
_BY_SOUND: Final = {"ñ": "nh", "ç": "s"}
"""Letters of one language that the other writes otherwise."""
_APOSTROPHES: Final = "'’‘ʼʻ´`′"
_HYPHENS: Final = "-‐‑‒–−"
_KEPT: Final = "ªº²³µ"
"""Signs that the rules read, though Unicode takes them for letters and digits."""
_ALIKE: Final = {"μ": "µ", "ᵃ": "ª", "ᵒ": "º", "№": "nº", "℃": "°C"}


class _Table(dict[int, str]):
    """A mapping for `str.translate` that is filled as characters are met."""

    def __init__(self, alphabet: str) -> None:
        super().__init__()
        self.alphabet = alphabet

    def replacement(self, character: str) -> str:
        """Return what stands for a character."""
        raise NotImplementedError

    def __missing__(self, code: int) -> str:
        self[code] = value = self.replacement(chr(code))
        return value


class Tidy(_Table):
    """One form for each sign, so that the rules need to know one: quotes, hyphens, blanks, digits, foreign letters.

    `１２` → `12`, `½` → ` 1/2`, `№` → `nº`, `Škoda` → `Skoda`; a soft hyphen goes, a letter of another script is a blank.
    """

    def replacement(self, character: str) -> str:
        """Return the character in the form that the rules know."""
        if character in _APOSTROPHES:
            return "'"
        if character in _HYPHENS:
            return "-"
        if character in _KEPT or character in _ALIKE:
            return _ALIKE.get(character, character)
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
        """Return the letters of the alphabet for a letter, as capital as it is; a blank where it is of another script."""
        small = character.lower()
        if small in self.alphabet:
            return character
        plain = _BY_SOUND.get(small) or "".join(
            _NOT_DECOMPOSED.get(letter, letter)
            for letter in unicodedata.normalize("NFKD", "".join(_NOT_DECOMPOSED.get(letter, letter) for letter in small))
            if not unicodedata.combining(letter)
        )
        if not (plain.isascii() and plain.isalpha()):
            return " "
        return plain.capitalize() if character.isupper() else plain


class Letters(_Table):
    """The small letters of the alphabet; anything else is a blank."""

    def replacement(self, character: str) -> str:
        """Return a letter as a small one, or a blank."""
        small = character.lower()
        return small if small in self.alphabet else " "


def fault(character: str, tidy: Tidy) -> str:
    """Return why a character cannot be transcribed: `other script`, `unknown symbol`; empty where it can, or is silent.

    Signs that a rule speaks are the caller's to except. Pictures, arrows, punctuation and invisible marks are silent.
    """
    category = unicodedata.category(character)
    if category[0] in "LN" and tidy[ord(character)] == " ":
        return "other script"
    if category in ("Sc", "Sm") and character not in "|~+<=>¬⁄" and not "←" <= character <= "⇿":
        return "unknown symbol"
    return ""


TIDY: Final[dict[str, Tidy]] = {locale: Tidy(alphabet) for locale, alphabet in ALPHABETS.items()}
LETTERS: Final[dict[str, Letters]] = {locale: Letters(alphabet) for locale, alphabet in ALPHABETS.items()}
