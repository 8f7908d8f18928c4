"""What a ranking advises: the donor to take, how sure that is, and what would change it. Never more than its intervals show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.similarity.levels import join_words


def advise(leader: Mapping[str, Any], order: Sequence[str], names: Mapping[str, str], target: str, evidence: str, recorded: bool) -> dict[str, Any]:
    """Return the advice of a ranking: codes of the donors, and sentences.

    Args:
        leader: as `levels.leader` returns it.
        order: codes of all donors, the nearest first.
        names: of the languages, by code.
        target: name of the target language.
        evidence: what the order is by, for print: "words, sounds and letters".
        recorded: whether it is by recordings.
    """
    first, close = leader["language"], leader["not_distinguished"]
    together = [code for code in order if code == first or code in close]
    behind = [code for code in order if code not in together]
    verb = "is" if len(behind) == 1 else "are"
    far = f" {join_words([names[code] for code in behind])} {verb} farther from {target} by more than the interval." if behind else ""
    share = f"{names[first]} is first in {leader['share_first']:.0%} of the resamples"
    if len(order) > 2 and not behind:
        take = "The ranking does not decide: take the language with the best checkpoint."
        sure = f"By {evidence} none of the {len(order)} candidates is separated from the first ({share})."
    elif close:
        take = f"Take {join_words([names[code] for code in together], 'or')}, whichever has the better checkpoint."
        sure = f"By {evidence} these {len(together)} are not separated ({share}).{far}"
    else:
        take = f"Take {names[first]}, unless another language has a much better checkpoint."
        sure = f"By {evidence} it leads every other candidate by more than the interval ({share})."
    changes = [
        "A checkpoint trained on more hours: the ranking compares languages and knows nothing of checkpoints.",
        f"The amount of {target}: the less of it, the more a donor is worth. With a few hours, train from two donors and compare them on dev.",
    ]
    if not recorded:
        changes.append("Recordings of the candidates: `vizinho rank --audio` compares speech, without transcripts.")
    return {"donor": first, "alternatives": [code for code in together if code != first], "take": take, "sure": sure, "changes": changes}


def advice_lines(advice: Mapping[str, Any]) -> list[str]:
    """Return the advice as lines for a terminal."""
    return [f"Advice: {advice['take']} {advice['sure']}", "What would change it:", *(f"- {line}" for line in advice["changes"])]
