"""The loader: the schedule's batches in order, whoever makes them, from audio that was decoded before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.batching.batches import Schedule
from pipeline.batching.waveforms import Clips
from pipeline.core.errors import DataError
from pipeline.training.loader import Loader
from tests import tiny

WORDS = tiny.vocabulary()
CPU = torch.device("cpu")


def loader(root: Path, first: int, last: int, replicas: int = 2, keep_bytes: int = 1 << 30, share: Any = None) -> tuple[Loader, Schedule, Any]:
    table = pd.read_parquet(root / "data/split/portuguese/train.parquet")
    clips, duration_s = Clips(table, root / "data/ingest", keep_bytes), table["duration_s"].to_numpy()
    schedule = Schedule(duration_s, 5.0, 1, replicas)
    encoded = [WORDS.encode(text) for text in table["text"]]
    made = Loader(clips, lambda index, _: clips.waveform(index), encoded, duration_s, schedule,
                  share or (lambda batch: batch), replicas, CPU, first, last)
    return made, schedule, clips


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tones")
    tiny.write_split(folder, tiny.TEXTS * 3)
    return folder


@pytest.mark.parametrize("workers", [1, 4])
def test_batches_come_in_the_schedules_order_over_epochs_however_many_threads_make_them(root: Path, workers: int) -> None:
    found, schedule, clips = loader(root, 3, 40)
    found.workers = workers
    with found:
        for number in range(3, 40):
            parts, utterances, audio_s = found.take()
            shares = np.array_split(schedule[number], min(2, len(schedule[number])))
            assert utterances == len(schedule[number])
            assert audio_s == pytest.approx(sum(len(clips.samples(index)) for index in schedule[number]) / 16_000)
            for (waveform_BS, mask_BS, labels_BU), share in zip(parts, shares, strict=True):
                assert mask_BS.sum(1).tolist() == [len(clips.samples(index)) for index in share]
                assert waveform_BS.shape[1] % 4_000 == 0 and waveform_BS.shape[1] - int(mask_BS.sum(1).max()) < 4_000
                for row, index in enumerate(share):
                    waveform = clips.waveform(int(index))
                    assert np.array_equal(waveform_BS[row, : len(waveform)].numpy(), waveform) and not waveform_BS[row, len(waveform):].any()
                    assert labels_BU[row][labels_BU[row] >= 0].tolist() == WORDS.encode((tiny.TEXTS * 3)[index])
        with pytest.raises(IndexError):
            found.take()


def test_what_the_run_comes_to_is_decoded_before_its_first_batch_and_nothing_else(root: Path) -> None:
    found, schedule, clips = loader(root, 2, 5)
    with found:
        assert set(clips._kept) == {int(index) for number in (2, 3, 4) for index in schedule[number]}
    whole, _, clips = loader(root, 0, 10_000)
    with whole:
        assert len(clips._kept) == 30
    small, _, clips = loader(root, 0, 10_000, keep_bytes=200_000)
    with small:
        assert 0 < len(clips._kept) < 30 and sum(samples.nbytes for samples in clips._kept.values()) <= 200_000
        small.take()


def test_a_batch_that_cannot_be_made_is_told_and_no_thread_is_left(root: Path) -> None:
    found, _, _ = loader(root, 0, 40, keep_bytes=0)

    def broken(index: int, number: int) -> Any:
        raise DataError("tones/train-003", "no audio", "some", "run ingest again")

    found._heard = broken
    with pytest.raises(DataError, match="tones/train-003"), found:
        found.take()
    assert all(not thread.is_alive() for thread in found._threads._threads)


def test_a_process_makes_its_share_of_each_batch_and_nothing_where_it_has_none(root: Path) -> None:
    found, schedule, _ = loader(root, 0, 12, share=lambda batch: batch[len(batch) // 2 :][:2] if len(batch) > 3 else batch[:0])
    with found:
        for number in range(12):
            parts, utterances, _ = found.take()
            assert utterances == len(schedule[number])
            assert sum(len(labels) for _, _, labels in parts) == (min(2, utterances - utterances // 2) if utterances > 3 else 0)
