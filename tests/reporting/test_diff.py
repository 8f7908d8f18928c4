from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.diff import Edit, align, count_errors

texts = st.lists(st.sampled_from(("a", "casa", "caza", "é", "azul")), max_size=6).map(" ".join)


def edit_distance(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """The definition, without a table."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return edit_distance(one[1:], other[1:])
    return 1 + min(edit_distance(one[1:], other), edit_distance(one, other[1:]), edit_distance(one[1:], other[1:]))


@given(texts, texts)
def test_an_alignment_is_cheapest_and_spells_both_texts(reference: str, hypothesis: str) -> None:
    edits = align(reference, hypothesis)
    assert " ".join(edit.reference for edit in edits if edit.reference) == reference
    assert " ".join(edit.hypothesis for edit in edits if edit.hypothesis) == hypothesis
    assert all((edit.reference == edit.hypothesis) == (edit.kind == "hit") for edit in edits)
    assert count_errors(edits) == edit_distance(tuple(reference.split()), tuple(hypothesis.split()))


def test_a_word_changed_and_a_word_added_are_a_substitution_and_an_insertion() -> None:
    assert align("a casa azul", "a caza azul grande") == [
        Edit("hit", "a", "a"), Edit("substitution", "casa", "caza"), Edit("hit", "azul", "azul"), Edit("insertion", "", "grande"),
    ]
