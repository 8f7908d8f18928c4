"""The loader: the schedule's batches in order, with any number of threads, from audio decoded in advance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.batching.batches import Schedule
from pipeline.batching.waveforms import UtteranceAudio
from pipeline.core.errors import DataError
from pipeline.training.loader import BatchLoader
from tests import tiny

WORDS = tiny.vocabulary()
CPU = torch.device("cpu")


def loader(root: Path, first: int, last: int, replicas: int = 2, keep_bytes: int = 1 << 30, shard: Any = None) -> tuple[BatchLoader, Schedule, Any]:
    table = pd.read_parquet(root / "data/split/portuguese/train.parquet")
    audio, duration_s = UtteranceAudio(table, root / "data/ingest", keep_bytes), table["duration_s"].to_numpy()
    schedule = Schedule(duration_s, 5.0, 1, replicas)
    encoded = [WORDS.encode(text) for text in table["text"]]
    made = BatchLoader(audio, lambda index, _: audio.waveform(index), encoded, duration_s, schedule,
                       shard or (lambda batch: batch), replicas, CPU, first, last)
    return made, schedule, audio


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tones")
    tiny.write_split(folder, tiny.TEXTS * 3)
    return folder


@pytest.mark.parametrize("workers", [1, 4])
def test_batches_come_in_the_schedules_order_with_any_number_of_threads(root: Path, workers: int) -> None:
    found, schedule, audio = loader(root, 3, 40)
    found.workers = workers
    with found:
        for number in range(3, 40):
            batch = found.next_batch()
            parts, utterances, audio_s = batch.parts, batch.utterances, batch.audio_s
            shares = np.array_split(schedule[number], min(2, len(schedule[number])))
            assert utterances == len(schedule[number])
            assert audio_s == pytest.approx(sum(len(audio.samples(index)) for index in schedule[number]) / 16_000)
            for (waveform_BS, mask_BS, labels_BU), share in zip(parts, shares, strict=True):
                assert mask_BS.sum(1).tolist() == [len(audio.samples(index)) for index in share]
                assert waveform_BS.shape[1] % 4_000 == 0 and waveform_BS.shape[1] - int(mask_BS.sum(1).max()) < 4_000
                for row, index in enumerate(share):
                    waveform = audio.waveform(int(index))
                    assert np.array_equal(waveform_BS[row, : len(waveform)].numpy(), waveform) and not waveform_BS[row, len(waveform):].any()
                    assert labels_BU[row][labels_BU[row] >= 0].tolist() == WORDS.encode((tiny.TEXTS * 3)[index])
        with pytest.raises(IndexError):
            found.next_batch()


def test_only_the_utterances_of_the_run_are_decoded_before_its_first_batch(root: Path) -> None:
    found, schedule, audio = loader(root, 2, 5)
    with found:
        assert set(audio._kept) == {int(index) for number in (2, 3, 4) for index in schedule[number]}
    whole, _, audio = loader(root, 0, 10_000)
    with whole:
        assert len(audio._kept) == 30
    small, _, audio = loader(root, 0, 10_000, keep_bytes=200_000)
    with small:
        assert 0 < len(audio._kept) < 30 and sum(samples.nbytes for samples in audio._kept.values()) <= 200_000
        small.next_batch()


def test_unreadable_audio_is_an_error_and_no_thread_is_left(root: Path) -> None:
    found, _, _ = loader(root, 0, 40, keep_bytes=0)

    def broken(index: int, number: int) -> Any:
        raise DataError("tones/train-003", "no audio", "some", "run ingest again")

    found._waveform = broken
    with pytest.raises(DataError, match="tones/train-003"), found:
        found.next_batch()
    assert all(not thread.is_alive() for thread in found._threads._threads)


def test_a_process_loads_its_shard_of_each_batch_which_may_be_empty(root: Path) -> None:
    found, schedule, _ = loader(root, 0, 12, shard=lambda batch: batch[len(batch) // 2 :][:2] if len(batch) > 3 else batch[:0])
    with found:
        for number in range(12):
            batch = found.next_batch()
            utterances = batch.utterances
            assert utterances == len(schedule[number])
            assert sum(len(labels) for _, _, labels in batch.parts) == (min(2, utterances - utterances // 2) if utterances > 3 else 0)
