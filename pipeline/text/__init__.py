"""Written text to spoken form, for Portuguese and Spanish: pure functions of strings."""

from __future__ import annotations

from pipeline.text.alphabet import ALPHABETS, NATIVE
from pipeline.text.normaliser import LOCALES, VERSION, Result, UnknownLocaleError, check, explain, normalise, version
from pipeline.text.variants import variants

__all__ = ["ALPHABETS", "LOCALES", "NATIVE", "VERSION", "Result", "UnknownLocaleError", "check", "explain", "normalise", "variants", "version"]
