from __future__ import annotations

import hashlib
import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.core.files import ROOT
from pipeline.similarity.acoustic import FIRST, Frames, Pieces, Settings, cosine, draws, learn_units, similarity, unit_string

SOUNDS = np.random.default_rng(7).normal(size=(8, 4)) * 6
"""Centres of eight planted sounds."""
SMALL = Settings(units=8, pieces=30, restarts=2, seed=1)


def speech(order: float, seed: int, utterances: int = 40) -> list[Frames]:
    """Return utterances whose next sound follows the target's own sequence with this probability, otherwise any sound."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(utterances):
        sounds = [int(draw.integers(8))]
        for _ in range(15):
            sounds.append((sounds[-1] + 3) % 8 if draw.random() < order else int(draw.integers(8)))
        frames = np.repeat(SOUNDS[sounds], draw.integers(1, 4, len(sounds)), axis=0)
        found.append((frames + draw.normal(size=frames.shape) * 0.3).astype(np.float32))
    return found


def compared(target: list[Frames], donors: list[list[Frames]], settings: Settings = SMALL) -> list[float]:
    pieces = [Pieces.learn(target, settings, restart) for restart in range(settings.restarts)]
    ours = [found.count(target) for found in pieces]
    return [float(similarity(ours, np.ones((1, len(target))), [found.count(donor) for found in pieces], np.ones((1, len(donor))))[0])
            for donor in donors]


@pytest.mark.parametrize(("units", "string"), [([3, 3, 0, 3], [3, 0, 3]), ([5], [5]), ([1, 1, 1], [1])])
def test_a_run_of_one_unit_is_one_character(units: list[int], string: list[int]) -> None:
    assert unit_string(np.array(units)) == "".join(chr(FIRST + unit) for unit in string)


@pytest.mark.parametrize(("target", "donor", "value"), [
    ([3.0, 4.0], [3.0, 4.0], 1.0), ([3.0, 4.0], [30.0, 40.0], 1.0), ([3.0, 4.0], [4.0, 3.0], 24 / 25), ([1.0, 0.0], [0.0, 9.0], 0.0),
    ([1.0, 2.0], [0.0, 0.0], 0.0),
])
def test_the_cosine_of_known_counts(target: list[float], donor: list[float], value: float) -> None:
    assert cosine(np.array([target]), np.array([donor])) == pytest.approx([value])


def test_the_similarity_is_the_mean_over_the_starts_of_weighted_counts() -> None:
    """Two utterances; the second row draws the first one twice. Start 1: cos((1,1),(1,0)) = 0.7071, then cos((2,0),(2,0)) = 1."""
    starts = [np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])]
    weights = np.array([[1.0, 1.0], [2.0, 0.0]])
    donor = [np.array([[1.0, 0.0]]), np.array([[4.0, 3.0]])]
    found = similarity(starts, weights, donor, np.array([[1.0], [2.0]]))
    assert found == pytest.approx([(np.sqrt(0.5) + 0.8) / 2, (1.0 + 0.8) / 2])


def test_a_language_against_itself_is_one() -> None:
    own = speech(0.8, seed=1)
    assert compared(own, [own]) == pytest.approx([1.0])


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_planted_languages_depends_neither_on_the_seed_nor_on_half_of_the_speech(seed: int) -> None:
    """All donors have the same sounds as often; only their sequences differ, which single units cannot show."""
    settings = Settings(units=8, pieces=30, restarts=2, seed=seed)
    target, donors = speech(0.9, seed=1), [speech(order, seed=number) for number, order in enumerate((0.9, 0.6, 0.2), 2)]
    for share in (40, 20):
        near, middle, far = compared(target[:share], [donor[:share] for donor in donors], settings)
        assert near > middle + 0.02 > far + 0.04


def test_units_are_the_planted_sounds_and_an_empty_unit_keeps_its_place() -> None:
    frames = np.repeat(SOUNDS, 5, axis=0)
    found = learn_units(frames, 8, np.random.default_rng(0))
    assert {tuple(row) for row in found.round(6)} == {tuple(row) for row in SOUNDS.round(6)}
    twice = learn_units(frames, 12, np.random.default_rng(0))  # more units than different frames
    assert np.isfinite(twice).all()
    assert {tuple(row) for row in twice.round(6)} == {tuple(row) for row in SOUNDS.round(6)}


def test_too_little_speech_is_reported() -> None:
    with pytest.raises(DataError, match="32 frames for 8 units; expected at least 80"):
        Pieces.learn([np.zeros((32, 4), np.float32)], SMALL, 0)


def test_an_utterance_without_frames_counts_nothing() -> None:
    pieces = Pieces.learn(speech(0.8, 1), SMALL, 0)
    assert pieces.count([np.zeros((0, 4), np.float32)]).sum() == 0


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.integers(0, 5))
def test_a_resample_draws_all_utterances_of_a_speaker_together(speakers: list[str], seed: int) -> None:
    drawn = draws(speakers, 20, (seed,))
    assert (drawn[0] == 1).all()
    for one, other in itertools.combinations(range(len(speakers)), 2):
        if speakers[one] == speakers[other]:
            assert (drawn[:, one] == drawn[:, other]).all()
    first_of = [speakers.index(speaker) for speaker in sorted(set(speakers))]
    assert (drawn[1:, first_of].sum(axis=1) == len(first_of)).all()


def fingerprint() -> str:
    """Return a hash of pieces and counts; printed by another process too."""
    frames = [np.random.default_rng(number).normal(size=(60, 4)).astype(np.float32) for number in range(20)]
    pieces = Pieces.learn(frames, Settings(units=8, pieces=60, restarts=1, seed=1), 0)
    return hashlib.sha256(pieces.tokenizer.to_str().encode() + pieces.count(frames).tobytes()).hexdigest()


def test_another_process_learns_the_same_pieces() -> None:
    code = ("import hashlib\nimport numpy as np\nfrom pipeline.similarity.acoustic import Pieces, Settings\n"
            + inspect.getsource(fingerprint) + "print(fingerprint())")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
                          env={"PYTHONHASHSEED": "2", "PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == fingerprint()
