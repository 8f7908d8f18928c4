"""Cutting at pauses: nothing lost, nothing doubled, no part too long, and the same cuts whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.samples import Waveform
from pipeline.decoding.pauses import FRAME, Part, PauseCutter
from tests.audio.signals import babble


def talk(*lengths_s: float, pause_s: float = 0.3, noise: float = 1e-3) -> Waveform:
    """Return stretches of loud noise with pauses between them."""
    parts: list[Waveform] = []
    for number, length_s in enumerate(lengths_s):
        loud = np.random.default_rng(number).normal(0, 0.1, round(length_s * 16_000)).astype(np.float32)
        parts += [loud, np.zeros(round(pause_s * 16_000), np.float32)]
    waveform = np.concatenate(parts[:-1])
    return (waveform + np.random.default_rng(0).normal(0, noise, len(waveform))).astype(np.float32)


def cut(waveform: Waveform, longest_s: float, block: int = 16_000, whole_if_short: bool = True) -> list[Part]:
    cutter = PauseCutter(longest_s, whole_if_short)
    parts = [part for start in range(0, len(waveform), block) for part in cutter.push(waveform[start : start + block])]
    return parts + cutter.finish()


def test_every_sample_is_in_exactly_one_part_and_none_is_too_long() -> None:
    waveform = talk(3.0, 9.0, 2.0, 0.5, 14.0, pause_s=0.25)
    parts = cut(waveform, 7.0)
    assert np.array_equal(np.concatenate([part.waveform for part in parts]), waveform)
    assert [round(part.start_s * 16_000) for part in parts] == [0, *np.cumsum([len(part.waveform) for part in parts])[:-1]]
    assert max(len(part.waveform) for part in parts) <= 7 * 16_000
    assert min(len(part.waveform) for part in parts[:-1]) >= 16_000


def test_a_pause_ends_a_part_in_its_middle() -> None:
    waveform = talk(3.0, 4.0, 5.0, pause_s=0.4)
    assert [part.start_s for part in cut(waveform, 7.0)][1:] == pytest.approx([3.2, 7.6], abs=0.08)


def test_a_pause_is_found_between_a_loud_voice_and_a_soft_one_with_a_lower_floor() -> None:
    loud = talk(4.0, 0.001, pause_s=0.12, noise=4e-3)[:-16]
    soft = np.float32(0.1) * loud[::-1]
    assert [part.start_s for part in cut(np.concatenate([loud, soft]), 10.0, whole_if_short=False)][1:] == pytest.approx([4.12], abs=0.1)


def test_a_recording_that_is_short_enough_stays_whole_unless_it_is_live() -> None:
    waveform = talk(2.0, 3.0)
    assert len(cut(waveform, 7.0)) == 1
    assert len(cut(waveform, 7.0, whole_if_short=False)) == 2


@settings(max_examples=25)
@given(st.lists(st.integers(100, 40_000), min_size=1, max_size=30), st.floats(0.15, 0.6))
def test_the_cuts_do_not_depend_on_the_blocks(blocks: list[int], pause_s: float) -> None:
    waveform = talk(2.0, 6.5, 3.0, pause_s=pause_s)
    cutter, parts, at = PauseCutter(5.0), [], 0
    while at < len(waveform):
        block = blocks[len(parts) % len(blocks)]
        parts += cutter.push(waveform[at : at + block])
        at += block
    parts += cutter.finish()
    assert [part.start_s for part in parts] == [part.start_s for part in cut(waveform, 5.0)]


def test_what_is_kept_between_blocks_does_not_grow() -> None:
    cutter = PauseCutter(7.0)
    for _ in range(60):
        cutter.push(babble(1))
        assert len(cutter._audio) < 20 * 16_000
        assert len(cutter._energy_db) < 30 * 50


@pytest.mark.parametrize("waveform", [np.zeros(40 * 16_000, np.float32), np.full(40 * 16_000, 0.5, np.float32), np.zeros(5, np.float32)])
def test_silence_and_steady_sound_are_cut_by_length_alone(waveform: Waveform) -> None:
    parts = cut(waveform, 7.0)
    assert sum(len(part.waveform) for part in parts) == len(waveform)
    assert max(len(part.waveform) for part in parts) <= 7 * 16_000
    assert cut(np.zeros(0, np.float32), 7.0) == []


def test_cuts_lie_on_frames() -> None:
    assert all(round(part.start_s * 16_000) % FRAME == 0 for part in cut(talk(3.0, 9.0, 2.0), 7.0))
