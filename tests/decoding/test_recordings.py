"""Long recordings: at most a point worse than the same utterances one by one, in order, in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.audio.samples import Waveform
from pipeline.batching.waveforms import standardise
from pipeline.decoding.greedy import decode
from pipeline.decoding.recordings import LONGEST_S, Ended, Segment, Source, longest_part_s, transcribe
from pipeline.decoding.torch_network import TorchNetwork
from tests import tiny

WORDS = tiny.vocabulary()


@pytest.fixture(scope="module")
def network() -> TorchNetwork:
    import torch

    random = tiny.model(seed=3).eval()
    with torch.no_grad():
        random.lm_head.weight.mul_(60)
    return TorchNetwork(random)


def joined(texts: tuple[str, ...], pause_s: float = 0.5) -> tuple[Waveform, list[Waveform]]:
    utterances = [tiny.spoken(text).astype(np.float32) / 32_768 for text in texts]
    return np.concatenate([part for one in utterances for part in (one, np.zeros(round(pause_s * 16_000), np.float32))]), utterances


def greedily(logits_TV: Any) -> Any:
    return decode(logits_TV, WORDS, 0.02, words=True)


def run(network: TorchNetwork, sources: list[Source], **options: Any) -> list[Segment | Ended]:
    return list(transcribe(network, greedily, sources, options.pop("longest_s", 3.0), **options))


def test_segments_cover_the_recording_in_order_and_words_lie_within_them(network: TorchNetwork, tmp_path: Path) -> None:
    waveform, _ = joined(tiny.TEXTS)
    soundfile.write(tmp_path / "a.wav", waveform, 16_000)
    *segments, ended = run(network, [Source("a", tmp_path / "a.wav")])
    assert isinstance(ended, Ended)
    assert (ended.error, ended.warnings, ended.duration_s) == (None, [], pytest.approx(len(waveform) / 16_000))
    assert all(isinstance(segment, Segment) for segment in segments)
    assert [segment.start_s for segment in segments] == pytest.approx([0.0, *(segment.end_s for segment in segments[:-1])], abs=2e-3)
    assert segments[-1].end_s == pytest.approx(ended.duration_s, abs=2e-3)
    for segment in segments:
        assert " ".join(word.word for word in segment.words) == segment.text
        assert all(segment.start_s <= word.start_s < word.end_s <= segment.end_s + 1e-3 for word in segment.words)


def test_a_recording_within_the_limit_has_the_text_of_the_whole(network: TorchNetwork, tmp_path: Path) -> None:
    waveform, _ = joined(tiny.TEXTS[:2])
    soundfile.write(tmp_path / "a.wav", waveform, 16_000)
    segment, _ = run(network, [Source("a", tmp_path / "a.wav")], longest_s=30.0)
    samples = soundfile.read(tmp_path / "a.wav", dtype="int16")[0]
    whole = network.decode_all(greedily, lambda _: standardise(samples), np.array([len(samples) / 16_000]), 60.0)[0]
    assert isinstance(segment, Segment)
    assert segment.text == whole.text != ""


def test_recordings_share_rounds_and_a_broken_one_stops_no_other(network: TorchNetwork, tmp_path: Path) -> None:
    for number, text in enumerate(tiny.TEXTS):
        soundfile.write(tmp_path / f"{number}.wav", tiny.spoken(text), 16_000)
    (tmp_path / "3.wav").write_bytes(b"no audio")
    found = run(network, [Source(str(number), tmp_path / f"{number}.wav") for number in range(len(tiny.TEXTS))])
    ends = [item for item in found if isinstance(item, Ended)]
    assert [end.source.name for end in ends] == [str(number) for number in range(len(tiny.TEXTS))]
    assert [end.source.name for end in ends if end.error] == ["3"]
    alone = [item for number in (0, 1) for item in run(network, [Source(str(number), tmp_path / f"{number}.wav")])]
    assert [item.text for item in alone if isinstance(item, Segment)] == [item.text for item in found if isinstance(item, Segment)][:2]


def test_a_recording_that_ends_in_an_error_has_the_segments_before_it(network: TorchNetwork, tmp_path: Path) -> None:
    waveform, _ = joined(tiny.TEXTS * 12)
    assert len(waveform) > 12 * 16_000
    waveform[-10] = np.nan
    soundfile.write(tmp_path / "a.wav", waveform, 16_000, subtype="FLOAT")
    *segments, ended = run(network, [Source("a", tmp_path / "a.wav")])
    assert isinstance(ended, Ended)
    assert "samples that are not numbers" in str(ended.error)
    assert segments


def test_live_parts_come_before_the_recording_ends(network: TorchNetwork, tmp_path: Path) -> None:
    waveform, _ = joined(tiny.TEXTS * 3)
    soundfile.write(tmp_path / "a.wav", waveform, 16_000)
    content, release = (tmp_path / "a.wav").read_bytes(), threading.Event()

    class Microphone:
        """Half of the recording, and the rest once the first part was transcribed."""

        at = 0

        def read(self, size: int) -> bytes:
            if self.at > len(content) // 2:
                assert release.wait(30), "no part was transcribed from the first half"
            part = content[self.at : self.at + size]
            self.at += size
            return part

    found: Iterator[Segment | Ended] = transcribe(network, greedily, [Source("-", Microphone())], 3.0, live=True)  # type: ignore[arg-type]
    first = next(found)
    release.set()
    assert isinstance(first, Segment)
    assert isinstance([first, *found][-1], Ended)


def test_noise_between_utterances_stays_faint(network: TorchNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standardised by itself, a pause would reach the network as loud as speech."""
    levels: list[float] = []
    decode_all = network.decode_all

    def record(decode: Any, waveform: Any, duration_s: Any, *more: Any, **options: Any) -> Any:
        levels.extend(float(np.sqrt(np.square(waveform(index)).mean())) for index in range(len(duration_s)))
        return decode_all(decode, waveform, duration_s, *more, **options)

    monkeypatch.setattr(network, "decode_all", record)
    loud = np.concatenate([tiny.spoken(text) for text in tiny.TEXTS]).astype(np.float32) / 32_768
    noise = np.random.default_rng(0).normal(0, 3e-4, 10 * 16_000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.concatenate([loud, noise]), 16_000)
    run(network, [Source("a", tmp_path / "a.wav")])
    assert max(levels) == pytest.approx(1, abs=0.05)
    assert levels[-1] < 0.1


def test_the_longest_part_is_that_of_the_training_utterances() -> None:
    assert longest_part_s({"figures": {"train": {"longest_s": 6.9}}}) == 6.9
    assert longest_part_s({"figures": None}) == longest_part_s({}) == LONGEST_S
