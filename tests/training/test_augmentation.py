"""Tempo, reverberation and noise: of the given amount, at the given rate, the same in an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pipeline.audio.degrade import add_reverberation
from pipeline.batching.waveforms import standardise
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.scoring.counts import error_rates
from pipeline.training.augmentation import augment, move_ends
from pipeline.training.config import Augment
from pipeline.training.trainer import train
from tests import tiny
from tests.training.test_trainer import WORDS, cut_at, equal, run_config, trained, utterances

SPEECH = standardise(tiny.spoken("rosa era"))
ALL = {"rate": 0.7, "speed": (0.9, 1.1), "rt60_s": (0.1, 0.3), "snr_db": (10.0, 30.0), "edge_s": 0.05}


def changed(seed: int, fits: bool = True, **values: Any) -> Any:
    return augment(SPEECH, Augment.model_validate({"rate": 1.0, **values}), lambda _: fits, np.random.default_rng(seed))


def pitch_hz(waveform_S: Any) -> float:
    return float(np.abs(np.fft.rfft(waveform_S)).argmax() * SAMPLE_RATE_HZ / len(waveform_S))


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1, 1.25])
def test_another_tempo_changes_length_and_pitch_by_its_factor(speed: float) -> None:
    fast = changed(1, speed=(speed, speed))
    assert len(fast) == pytest.approx(len(SPEECH) / speed, abs=1)
    assert pitch_hz(fast) == pytest.approx(speed * pitch_hz(SPEECH), rel=0.01)


def test_tempos_lie_in_their_range_in_steps_of_a_twentieth() -> None:
    factors = {round(len(SPEECH) / len(changed(seed, speed=(0.9, 1.1))), 3) for seed in range(60)}
    assert factors == {0.9, 0.95, 1.0, 1.05, 1.1}


def test_a_tempo_at_which_the_labels_no_longer_fit_is_left_out() -> None:
    assert len(changed(1, fits=False, speed=(1.2, 1.2))) == len(SPEECH)


def test_ends_are_cut_or_lengthened_by_their_mirror_image() -> None:
    waveform = np.arange(10, dtype=np.float32)
    assert move_ends(waveform, 2, 1).tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert move_ends(waveform, -2, -3).tolist() == [2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6]
    assert move_ends(waveform, 5, 5) is waveform


def test_both_ends_move_by_up_to_their_seconds_unless_the_labels_no_longer_fit() -> None:
    moved = np.array([len(changed(seed, edge_s=0.1)) - len(SPEECH) for seed in range(200)])
    assert 2_400 < moved.max() <= 3_200 and -3_200 <= moved.min() < -2_400
    assert abs(changed(1, edge_s=0.1).mean()) < 1e-4
    assert changed(1, fits=False, edge_s=0.1) is SPEECH


def test_noise_has_the_given_level() -> None:
    noisy = changed(3, snr_db=(10.0, 10.0))
    gain = np.dot(noisy, SPEECH) / np.dot(SPEECH, SPEECH)
    rest = noisy - gain * SPEECH
    assert 10 * np.log10(gain**2 * np.mean(SPEECH**2) / np.mean(rest**2)) == pytest.approx(10.0, abs=0.3)


def test_reverberation_falls_by_sixty_decibels_in_its_time_after_the_direct_sound() -> None:
    click = np.zeros(SAMPLE_RATE_HZ, np.float32)
    click[100] = 1.0
    reverberated = add_reverberation(click, 0.5, 6.0, np.random.default_rng(1))
    assert reverberated[100] == pytest.approx(1.0, abs=1e-4) and np.abs(reverberated[:100]).max() < 1e-5
    assert 10 * np.log10(1 / np.sum(reverberated[101:] ** 2)) == pytest.approx(6.0, abs=0.3)
    level = [10 * np.log10(np.mean(reverberated[start : start + 800] ** 2)) for start in (101, 101 + 4000)]
    assert level[0] - level[1] == pytest.approx(30.0, abs=2.0)
    assert np.abs(reverberated[100 + 8000 :]).max() < 1e-5


def test_augmented_audio_is_standardised_and_other_audio_is_unchanged() -> None:
    augmented = changed(5, **{name: value for name, value in ALL.items() if name != "rate"})
    assert abs(float(augmented.mean())) < 1e-4 and float(augmented.std()) == pytest.approx(1.0, abs=1e-3)
    assert augmented.dtype == np.float32
    assert augment(SPEECH, Augment(rate=0.5), lambda _: True, np.random.default_rng(1)) is SPEECH


def test_changes_are_made_at_their_rate_and_independently() -> None:
    config = Augment(rate=0.3, snr_db=(20.0, 20.0), speed=(1.1, 1.1))
    augmented = [augment(SPEECH, config, lambda _: True, np.random.default_rng([1, seed])) for seed in range(400)]
    faster = np.array([len(one) != len(SPEECH) for one in augmented])
    untouched = np.array([one is SPEECH for one in augmented])
    assert 0.24 < faster.mean() < 0.36 and 0.42 < untouched.mean() < 0.56


def test_an_invalid_range_is_refused_with_its_name() -> None:
    for values in ({"speed": (1.1, 0.9)}, {"speed": (0.1, 1.0)}, {"snr_db": (10, 90)}, {"rt60_s": (0.0, 0.1)}):
        with pytest.raises(ValidationError, match=f"{next(iter(values))}: found "):
            Augment.model_validate(values)


def test_a_run_with_augmentation_is_resumed_to_the_same_weights(root: Path, tmp_path: Path) -> None:
    values = {"steps": 10, "evaluate_every": 2, "augment": ALL}
    plain, _ = trained(root, tmp_path / "plain", steps=10, evaluate_every=2)
    whole, history = trained(root, tmp_path / "whole", **values)
    assert not equal(plain, whole)
    sets, run = (utterances(root, "train"), utterances(root, "dev")), run_config(**values, checkpoint_s=0)
    with pytest.raises(KeyboardInterrupt):
        train(tiny.model(WORDS), WORDS, *sets, run, tmp_path / "cut", cut_at(2), "test")
    resumed = tiny.model(WORDS, seed=50)
    rest = train(resumed, WORDS, *sets, run, tmp_path / "cut", error_rates, "test").history
    assert equal(whole, resumed)
    pd.testing.assert_frame_equal(history, rest)
