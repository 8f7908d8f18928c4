"""The synthetic speaker: the same params give the same voices and audio; speakers differ in voice, room and microphone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.core.params import problems_of
from pipeline.corpora import speak
from pipeline.espeak.launcher import Espeak


def params(**given: Any) -> speak.Params:
    return speak.Params(**{"reader": "speak", "language": "portuguese", "source": "pipeline/corpora/lexicon", "seed": 7,
                           "locales": {"pt-BR": 0.6, "pt-PT": 0.4}, "speakers": 40, "utterances": 100, **given})


@pytest.fixture(scope="module")
def espeak() -> Iterator[Espeak]:
    with Espeak(seed=1) as child:
        yield child


def test_speakers_keep_the_shares_of_locales_and_both_genders() -> None:
    speakers = speak.speakers(params())
    assert [sum(one.locale == locale for one in speakers) for locale in ("pt-BR", "pt-PT")] == [24, 16]
    for locale in ("pt-BR", "pt-PT"):
        genders = [one.gender for one in speakers if one.locale == locale]
        assert genders.count("female") == genders.count("male")


def test_speakers_are_distinct_and_depend_on_the_seed_alone() -> None:
    speakers = speak.speakers(params())
    assert speakers == speak.speakers(params())
    assert len({one.voice for one in speakers}) >= 30
    assert len({(one.rate_wpm, one.pitch, one.room_seed) for one in speakers}) == 40
    assert all(one != other for one, other in zip(speakers, speak.speakers(params(seed=8)), strict=True))


def test_a_larger_number_of_speakers_begins_with_the_same_ones() -> None:
    assert speak.speakers(params(speakers=90))[:40] == speak.speakers(params())


def test_every_voice_and_variant_exists_and_speaks(espeak: Espeak) -> None:
    one = speak.speakers(params())[0]
    for gender, variants in speak.VARIANTS.items():
        for variant in variants:
            dry_S = speak.synthesise(espeak, "uma casa amarela", dataclasses.replace(one, variant=variant, gender=gender))
            assert 0.5 < len(dry_S) / speak.RATE_HZ < 3, variant
    for locale in speak.VOICES:
        assert len(speak.synthesise(espeak, "casa", dataclasses.replace(one, locale=locale)))


def test_an_unknown_variant_is_an_error_not_the_default_voice(espeak: Espeak) -> None:
    with pytest.raises(DataError, match="no variant 'nobody'"):
        speak.synthesise(espeak, "uma casa", dataclasses.replace(speak.speakers(params())[0], variant="nobody"))


def test_rate_pitch_and_voice_change_the_samples(espeak: Espeak) -> None:
    one = dataclasses.replace(speak.speakers(params())[0], variant="m3", rate_wpm=150.0, pitch=50)
    text = "o menino comprou pão e queijo para a avó"
    usual_S = speak.synthesise(espeak, text, one)
    assert len(speak.synthesise(espeak, text, dataclasses.replace(one, rate_wpm=200.0))) < 0.9 * len(usual_S)
    assert not np.array_equal(speak.synthesise(espeak, text, dataclasses.replace(one, pitch=65))[:10_000], usual_S[:10_000])
    assert len(speak.synthesise(espeak, text, dataclasses.replace(one, locale="pt-PT"))) != len(usual_S)


@pytest.mark.parametrize("snr_db", [15.0, 25.0, 35.0])
def test_the_noise_has_the_signal_to_noise_ratio_of_the_speaker(snr_db: float) -> None:
    one = dataclasses.replace(speak.speakers(params())[0], snr_db=snr_db, drr_db=60.0, peak_db=-6.0)
    clean = dataclasses.replace(one, snr_db=120.0)
    speech_S = np.sin(np.arange(44_100) / 10).astype(np.float32)
    noisy_S, clean_S = (speak.record(speech_S, who, np.random.default_rng(3)) for who in (one, clean))
    scale = float(noisy_S @ clean_S) / float(clean_S @ clean_S)
    noise_S = noisy_S - scale * clean_S
    spoken = np.flatnonzero(np.abs(clean_S) > 0.01)
    power = np.mean((scale * clean_S[spoken[0] : spoken[-1]]) ** 2)
    assert 10 * np.log10(power / np.mean(noise_S**2)) == pytest.approx(snr_db, abs=2.5)


def test_a_recording_has_pauses_around_it_and_the_speakers_level() -> None:
    one = dataclasses.replace(speak.speakers(params())[0], peak_db=-10.0)
    speech_S = np.sin(np.arange(44_100) / 10).astype(np.float32)
    output_S = speak.record(speech_S, one, np.random.default_rng(3))
    assert 0.1 < (len(output_S) - len(speech_S)) / speak.RATE_HZ < 0.65
    assert 20 * np.log10(np.abs(output_S).max()) == pytest.approx(-10, abs=1)


def test_a_room_starts_with_the_direct_sound_and_decays() -> None:
    one = speak.speakers(params())[0]
    room_S = speak.room(one)
    assert room_S[0] == 1
    assert not room_S[1:80].any()
    tail_S = room_S[88:]
    assert 10 * np.log10(1 / np.square(tail_S).sum()) == pytest.approx(one.drr_db, abs=0.01)
    third = len(tail_S) // 3
    assert np.square(tail_S[:third]).sum() > 10 * np.square(tail_S[-third:]).sum()


@pytest.mark.parametrize(("given", "expected"), [
    ({"locales": {"pt-BR": 0.5, "pt-AO": 0.5}}, "no voice for locale pt-AO; expected any of pt-BR, pt-PT, es, es-419"),
    ({"locales": {"pt-BR": 0.5, "pt-PT": 0.4}}, "they sum to 0.9"),
    ({"locales": {}}, "sum to 1"),
    ({"speakers": 0}, "ingest.toy.speakers: found 0"),
    ({"rate_wpm": [210, 130]}, "rate_wpm"),
])
def test_wrong_params_are_reported_with_their_key(given: dict[str, Any], expected: str) -> None:
    assert expected in "\n".join(problems_of(speak.Params, {**params().model_dump(), **given}, "ingest.toy"))
