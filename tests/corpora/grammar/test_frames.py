"""Frames: rules, weights, locales, alternatives and slots; invalid frames are reported."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.core.errors import DataError
from pipeline.corpora.grammar.frames import Draft, Frames


class Slots:
    """A grammar with one slot, which returns its arguments."""

    locale = "pt-PT"

    def slot_echo(self, draft: Draft, *arguments: str) -> str:
        return "+".join(arguments)


def frames(folder: Path, text: str) -> Frames:
    path = folder / "frames.txt"
    path.write_text(text, encoding="utf-8")
    return Frames(path, Slots())


def expansions(folder: Path, text: str, count: int = 400) -> Counter[str]:
    """Return how often each text comes from the rule `sentence`, over as many seeds."""
    compiled = frames(folder, text)
    return Counter(compiled.expand("sentence", Draft(str(seed))) for seed in range(count))


def test_a_frame_has_text_rules_slots_and_comments(tmp_path: Path) -> None:
    text = "[sentence]\n<who> {echo one two}. ## a comment\n## another\n[who]\nAna\n"
    assert expansions(tmp_path, text).keys() == {"Ana one+two."}


def test_alternatives_are_equally_likely_and_may_be_empty_or_nested(tmp_path: Path) -> None:
    found = expansions(tmp_path, "[sentence]\na[ b| c [d|e]|]\n", 600)
    assert found.keys() == {"a", "a b", "a c d", "a c e"}
    assert found["a"] == pytest.approx(200, abs=50)
    assert found["a c d"] == pytest.approx(100, abs=40)


def test_a_line_of_weight_three_is_three_times_as_likely(tmp_path: Path) -> None:
    found = expansions(tmp_path, "[sentence]\n3x often\nrarely\n", 800)
    assert found["often"] == pytest.approx(600, abs=50)
    assert found["rarely"] == pytest.approx(200, abs=50)


def test_lines_of_another_locale_are_left_out(tmp_path: Path) -> None:
    assert expansions(tmp_path, "[sentence]\npt-PT: here\npt-BR: 2x there\n").keys() == {"here"}


def test_the_same_seed_gives_the_same_expansion_and_restart_continues_the_random_numbers() -> None:
    one, other = Draft("7"), Draft("7")
    assert [one.choice("abc") for _ in range(9)] == [other.choice("abc") for _ in range(9)]
    one.used_concepts.add("dog")
    one.has_location = True
    one.restart()
    assert (one.used_concepts, one.has_location) == (set(), False)
    assert one.random() == other.random() != Draft("7").random()


@pytest.mark.parametrize("text, message", [
    ("[sentence]\n{nonsense}", r"frames.txt: unknown slot \{nonsense\}"),
    ("[sentence]\n<nowhere>", r"frames.txt: unknown rule <nowhere>"),
    ("[sentence]\n[one|two", r"frames.txt: a \[ is not closed"),
    ("[sentence]\none]", "a bracket too many"),
])
def test_an_invalid_frame_is_reported(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        frames(tmp_path, text)
