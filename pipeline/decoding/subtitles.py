"""Subtitles: SubRip and WebVTT from words with times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipeline.decoding.recordings import Segment

LINE_LETTERS: Final = 42
"""Letters in a line; a cue has two."""
CUE_S: Final = 6.0
"""Longest cue."""
PAUSE_S: Final = 0.8
"""A pause of this length ends a cue."""
BREAK_S: Final = 0.25
"""A full cue ends at its last pause of at least this length, if that is after its first third."""
READ_S: Final = 1.0
"""Shortest time for which a cue is shown, unless the next one starts."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle: what is shown from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    text: str


def words_of(segment: Segment) -> list[dict[str, Any]]:
    """Return a segment's words as the JSON format and `cues` have them; the speaker is the channel where channels are transcribed one by one."""
    speaker = {"speaker": str(segment.channel)} if segment.channel else {}
    return [{"word": word.word, "start_s": word.start_s, "end_s": word.end_s, "confidence": word.confidence, **speaker} for word in segment.words]


def cues(words: Sequence[dict[str, Any]]) -> list[Cue]:
    """Return subtitles that break at pauses and at changes of speaker; each has at most two lines of 42 letters and six seconds.

    Args:
        words: `{word, start_s, end_s, speaker?}` in order of time.
    """
    groups: list[list[dict[str, Any]]] = []
    for word in words:
        if not groups or word["start_s"] - groups[-1][-1]["end_s"] >= PAUSE_S or word.get("speaker") != groups[-1][-1].get("speaker"):
            groups.append([word])
        elif not _fits([*groups[-1], word]) or word["end_s"] - groups[-1][0]["start_s"] > CUE_S:
            groups[-1], carried = _broken(groups[-1])
            groups.append([*carried, word])
        else:
            groups[-1].append(word)
    found = []
    for number, group in enumerate(groups):
        follows_s = groups[number + 1][0]["start_s"] if number + 1 < len(groups) else float("inf")
        shown_until_s = max(group[-1]["end_s"], min(group[0]["start_s"] + READ_S, follows_s))
        found.append(Cue(group[0]["start_s"], shown_until_s, _lines(group)))
    return found


def render_cues(found: Sequence[Cue], form: str) -> str:
    """Return cues as `srt` or `vtt`."""
    comma = form == "srt"
    blocks = [f"{number}\n{_clock(cue.start_s, comma)} --> {_clock(cue.end_s, comma)}\n{cue.text}\n" for number, cue in enumerate(found, 1)]
    return ("" if comma else "WEBVTT\n\n") + "\n".join(blocks)


def _broken(group: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a full group in two: what stays, and what follows its longest late pause (nothing if it has none)."""
    gaps = [(group[index]["start_s"] - group[index - 1]["end_s"], index) for index in range(max(1, len(group) // 3), len(group))]
    gap_s, index = max(gaps, default=(0.0, len(group)))
    return (group[:index], group[index:]) if gap_s >= BREAK_S else (group, [])


def _fits(group: Sequence[dict[str, Any]]) -> bool:
    return max(map(len, _lines(group).split("\n"))) <= LINE_LETTERS


def _lines(group: Sequence[dict[str, Any]]) -> str:
    """Return a cue's text, in two lines of about equal length if it is too long for one."""
    speaker = group[0].get("speaker")
    text = (f"Speaker {speaker}: " if speaker else "") + " ".join(word["word"] for word in group)
    spaces = [index for index, letter in enumerate(text) if letter == " "]
    if len(text) <= LINE_LETTERS or not spaces:
        return text
    middle = min(spaces, key=lambda index: max(index, len(text) - index - 1))
    return f"{text[:middle]}\n{text[middle + 1:]}"


def _clock(seconds: float, comma: bool) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, rest = divmod(rest, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{',' if comma else '.'}{rest:03}"
