"""Audio of utterances: the samples that were written, from any shard, within the memory given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.codecs import encode_flac
from pipeline.batching.waveforms import UtteranceAudio, collate, prepare, standardise
from pipeline.core.errors import DataError, MissingInputError
from tests.tiny import TEXTS, spoken, write_shard, write_split


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_split(tmp_path, TEXTS)
    return tmp_path


def utterance_audio(root: Path, keep_bytes: int = 1 << 20, normalise: bool = True) -> UtteranceAudio:
    import pandas as pd

    return UtteranceAudio(pd.read_parquet(root / "data/split/portuguese/train.parquet"), root / "data/ingest", keep_bytes, normalise)


def test_samples_are_those_written_in_any_order_across_shards_and_row_groups(root: Path) -> None:
    found = utterance_audio(root)
    assert len(found) == len(TEXTS)
    for index in [7, 0, 9, 3, 4, 5, 2, 8, 1, 6, 7, 0]:
        assert np.array_equal(found.samples(index), spoken(TEXTS[index], index)), index


def test_threads_that_share_the_audio_get_the_right_samples_within_the_memory_limit(root: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    found = utterance_audio(root, 3 * spoken(TEXTS[0], 0).nbytes)
    wanted = [number % len(TEXTS) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        for index, samples in zip(wanted, pool.map(found.samples, wanted), strict=True):
            assert np.array_equal(samples, spoken(TEXTS[index], index)), index
    assert sum(samples.nbytes for samples in found._kept.values()) <= 3 * spoken(TEXTS[0], 0).nbytes


def test_samples_are_kept_in_memory_up_to_the_limit(root: Path) -> None:
    sizes = [spoken(text, number).nbytes for number, text in enumerate(TEXTS)]
    bound = sum(sizes[:3]) + min(sizes) // 2
    found = utterance_audio(root, bound)
    for index in range(len(TEXTS)):
        found.samples(index)
    kept = [index for index in range(len(TEXTS)) if found.samples(index) is found.samples(index)]
    assert kept == [0, 1, 2]
    assert sum(sizes[index] for index in kept) <= bound
    none = utterance_audio(root, 0)
    assert none.samples(0) is not none.samples(0)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_utterances_in_order_are_decoded_ahead_up_to_the_memory_limit(root: Path, workers: int) -> None:
    order = [7, 0, 9, 3, 4, 5, 2, 8, 1, 6]
    sizes = [spoken(TEXTS[index], index).nbytes for index in order]
    found = utterance_audio(root, sum(sizes[:6]) + min(sizes) // 2)
    assert found.keep(order, workers) == 6
    assert sorted(found._kept) == sorted(order[:6])
    for index in order:
        assert np.array_equal(found.samples(index), spoken(TEXTS[index], index)), index
    assert found.keep(order[:6], workers) == 0  # already in memory


def test_broken_audio_is_named_when_it_is_decoded_ahead(root: Path) -> None:
    with pytest.raises(DataError, match=r"tones/train-00\d: audio does not decode .*; expected FLAC; run ingest again"):
        broken(root, b"fLaC and nothing more").keep([9, 3], 2)
    (root / "data/ingest/portuguese/tones/train-00001.parquet").unlink()
    with pytest.raises(MissingInputError, match=r"train-00001\.parquet: no such shard"):
        utterance_audio(root).keep(range(10), 2)


def test_kept_samples_survive_a_deleted_shard_and_others_name_it(root: Path) -> None:
    found = utterance_audio(root)
    found.samples(0)
    shard = root / "data/ingest/portuguese/tones/train-00001.parquet"
    shard.unlink()
    assert len(found.samples(0)) and len(found.samples(1))
    with pytest.raises(MissingInputError, match=r"train-00001\.parquet: no such shard.*run `dvc repro` or `dvc pull`"):
        found.samples(9)


def broken(root: Path, file: bytes) -> UtteranceAudio:
    write_shard(root / "data/ingest/portuguese/tones/train-00000.parquet", [file] * 5)
    return utterance_audio(root)


def test_broken_audio_is_named_by_its_utterance(root: Path) -> None:
    with pytest.raises(DataError, match=r"tones/train-003: audio does not decode .*; expected FLAC; run ingest again"):
        broken(root, b"fLaC and nothing more").samples(3)


def test_audio_of_another_rate_or_with_two_channels_is_refused(root: Path) -> None:
    import io

    def flac(samples: np.ndarray, rate_hz: int) -> bytes:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate_hz, format="FLAC", subtype="PCM_16")
        return buffer.getvalue()

    with pytest.raises(DataError, match="audio at 8000 Hz"):
        broken(root, flac(np.zeros(800, np.int16), 8000)).samples(0)
    with pytest.raises(DataError, match="expected 16000 Hz mono"):
        broken(root, flac(np.zeros((800, 2), np.int16), 16_000)).samples(0)


def test_standardising_agrees_with_the_feature_extractor_of_transformers() -> None:
    from transformers import Wav2Vec2FeatureExtractor

    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    loud = spoken("rosa era")
    for samples in (loud, loud // 40, loud + np.int16(3000), np.zeros(1000, np.int16), np.array([32767, -32768] * 200, np.int16)):
        expected = extractor(samples.astype(np.float32) / 32768, sampling_rate=16_000).input_values[0]
        assert np.abs(standardise(samples) - expected).max() < 2e-5
        assert np.abs(standardise(samples.astype(np.float32) / 32768) - expected).max() < 2e-5
        assert standardise(samples).dtype == np.float32


def test_the_input_of_the_model_has_zero_mean_and_unit_variance(root: Path) -> None:
    waveform = utterance_audio(root).waveform(2)
    assert abs(float(waveform.mean())) < 1e-5
    assert float(waveform.var()) == pytest.approx(1, abs=1e-3)


def test_collating_pads_with_zeros_and_masks_them() -> None:
    padded_BS, mask_BS = collate([np.ones(3, np.float32), np.ones(5, np.float32)])
    assert padded_BS.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert mask_BS.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert collate([np.ones(5, np.float32)], 4)[1].tolist() == [[1, 1, 1, 1, 1, 0, 0, 0]]
    assert collate([np.ones(8, np.float32)], 4)[0].shape == (1, 8)


def test_a_shard_round_trip_is_lossless_at_full_scale(tmp_path: Path) -> None:
    extreme = np.array([32767, -32768, 0, 1, -1] * 100, np.int16)
    table = write_split(tmp_path, TEXTS[:1])
    write_shard(tmp_path / "data/ingest/portuguese/tones/train-00000.parquet", [encode_flac(extreme)])
    assert np.array_equal(UtteranceAudio(table, tmp_path / "data/ingest").samples(0), extreme)


def test_samples_are_only_scaled_for_a_model_that_expects_raw_input(root: Path) -> None:
    plain, samples = utterance_audio(root, normalise=False), utterance_audio(root).samples(2)
    assert np.array_equal(plain.waveform(2), samples / np.float32(32768)) and plain.waveform(2).dtype == np.float32
    assert np.array_equal(prepare(samples / np.float32(32768), False), plain.waveform(2))
    assert np.array_equal(prepare(samples, True), standardise(samples))
