"""Subtitles: of readable length, in order, broken at pauses and at changes of speaker."""

from __future__ import annotations

import re
from typing import Any

from pipeline.decoding.subtitles import Cue, cues, render_cues


def words(*texts: str, start_s: float = 0.0, step_s: float = 1.0, length_s: float = 0.5, **more: Any) -> list[dict[str, Any]]:
    return [{"word": text, "start_s": start_s + number * step_s, "end_s": start_s + number * step_s + length_s, **more}
            for number, text in enumerate(texts)]


def test_a_cue_lasts_at_most_six_seconds_and_has_two_lines_of_42_letters() -> None:
    found = cues(words(*(f"palavra{number}" for number in range(100)), step_s=0.6))
    assert all(cue.end_s - cue.start_s <= 6 for cue in found)
    assert all(len(line) <= 42 for cue in found for line in cue.text.split("\n"))
    assert all(cue.text.count("\n") <= 1 for cue in found)
    assert " ".join(cue.text.replace("\n", " ") for cue in found) == " ".join(f"palavra{number}" for number in range(100)), "no word is lost"
    assert all(later.start_s >= cue.end_s for cue, later in zip(found, found[1:], strict=False))


def test_a_long_pause_ends_a_cue_and_a_full_cue_ends_at_its_last_pause() -> None:
    assert [cue.text for cue in cues(words("bom", "dia") + words("boa", "noite", start_s=5))] == ["bom dia", "boa noite"]
    talk = (words("a", "loja", "abre", "às", "oito", step_s=0.5, length_s=0.45)
            + words("e", "fecha", "às", "dez", "da", "noite", "em", "ponto", start_s=3.0, step_s=0.5, length_s=0.45))
    assert [cue.text.replace("\n", " ") for cue in cues(talk)] == ["a loja abre às oito", "e fecha às dez da noite em ponto"]


def test_each_speaker_has_cues_of_his_own() -> None:
    found = cues(words("bom", "dia", speaker="1") + words("bom", "dia", start_s=2.0, speaker="2"))
    assert [cue.text for cue in found] == ["Speaker 1: bom dia", "Speaker 2: bom dia"]


def test_a_short_cue_is_shown_for_a_second_unless_the_next_one_starts() -> None:
    assert cues(words("sim", length_s=0.2))[0].end_s == 1.0
    assert cues(words("sim", length_s=0.2, speaker="1") + words("não", start_s=0.4, speaker="2"))[0].end_s == 0.4


def test_the_formats_differ_in_header_and_clock() -> None:
    found = [Cue(0.0, 5.5, "bom dia"), Cue(3661.5, 3662.0, "boa noite")]
    assert render_cues(found, "srt") == "1\n00:00:00,000 --> 00:00:05,500\nbom dia\n\n2\n01:01:01,500 --> 01:01:02,000\nboa noite\n"
    assert render_cues(found, "vtt").startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:05.500\n")
    starts = re.findall(r"(\d\d:\d\d:\d\d,\d+) -->", render_cues(found, "srt"))
    assert starts == sorted(starts)
    assert cues([]) == []
