"""Patterns for the entries of a table."""

from __future__ import annotations

import re

import pytest

from pipeline.text.rules.patterns import any_abbreviation, any_of


@pytest.mark.parametrize("keys", [["k", "km", "km/h"], ["km/h", "k", "km"]])
def test_the_longest_entry_matches_in_any_order_of_the_table(keys: list[str]) -> None:
    for key in keys:
        match = re.match(any_of(keys), f"{key} depois")
        assert match and match[0] == key


def test_signs_in_an_entry_are_literal() -> None:
    assert re.fullmatch(any_of(["p.p.", "R$"]), "p.p.")
    assert not re.fullmatch(any_of(["p.p.", "R$"]), "pppp")


@pytest.mark.parametrize("written", ["p. ex.", "p.ex.", "P. Ex.", "P.EX."])
def test_an_abbreviation_matches_without_its_space_and_in_capitals(written: str) -> None:
    assert re.fullmatch(any_abbreviation(["p. ex."]), written)


def test_an_abbreviation_in_capitals_does_not_match_lower_case() -> None:
    assert re.fullmatch(any_abbreviation(["R."]), "R.")
    assert not re.fullmatch(any_abbreviation(["R."]), "r.")


def test_an_abbreviation_that_ends_in_a_letter_is_a_whole_word() -> None:
    assert re.match(any_abbreviation(["dr"]), "Dr João")
    assert not re.match(any_abbreviation(["dr"]), "drama")
