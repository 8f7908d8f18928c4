"""Forward passes: logits that depend neither on the batch nor on the padding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from pipeline.batching.waveforms import standardise
from pipeline.core.errors import DataError
from pipeline.decoding.forward import decode_all, logits_of
from pipeline.decoding.greedy import Decoded, decode
from pipeline.model.geometry import frame_duration_s, num_frames, receptive_field
from pipeline.model.vocabulary import Vocabulary
from tests import tiny


def greedily(vocabulary: Vocabulary) -> Callable[[np.ndarray], Decoded]:
    return partial(decode, vocabulary=vocabulary, frame_s=0.02, words=True)


def waveforms() -> list[np.ndarray]:
    return [standardise(tiny.spoken(text, number)) for number, text in enumerate(("a", "raros ares", "osso", "era", "o rosa"))]


def test_logits_do_not_depend_on_batch_or_padding() -> None:
    model = tiny.model()
    alone = [logits_of(model, [waveform])[0] for waveform in waveforms()]
    for order in ([0, 1, 2, 3, 4], [4, 0, 3, 1, 2], [1, 0]):
        for index, batched in zip(order, logits_of(model, [waveforms()[index] for index in order]), strict=True):
            assert batched.shape == alone[index].shape
            assert np.abs(batched - alone[index]).max() < 1e-4


def test_a_model_with_group_normalisation_is_decoded_one_by_one() -> None:
    import torch

    model = tiny.model(feat_extract_norm="group", do_stable_layer_norm=False, front_end="random")
    together = logits_of(model, waveforms())
    for waveform, logits_TV in zip(waveforms(), together, strict=True):
        assert np.array_equal(logits_of(model, [waveform])[0], logits_TV)
    short, long = waveforms()[:2]
    with torch.inference_mode():  # the case to avoid: padding that changes the logits
        padded = model(torch.from_numpy(np.stack([np.pad(short, (0, len(long) - len(short))), long]))).logits[0, : len(together[0])].numpy()
    assert np.abs(padded - together[0]).max() > 1e-3


def test_utterances_shorter_than_the_receptive_field_give_one_frame() -> None:
    model = tiny.model()
    assert receptive_field(model) == 400 + 3 * 160
    for samples in (1, 100, receptive_field(model) - 1, receptive_field(model)):
        assert logits_of(model, [np.ones(samples, np.float32)])[0].shape == (1, len(tiny.vocabulary().symbols))
    assert [len(logits_TV) for logits_TV in logits_of(model, [np.ones(10, np.float32), waveforms()[1]])][0] == 1


def test_the_number_of_frames_equals_the_length_of_the_logits() -> None:
    model = tiny.model(conv_kernel=[10, 3], conv_stride=[5, 2], front_end="random")
    samples = np.array([0, 5, 19, 20, 21, 100, 1601, 16_000])
    expected = [len(logits_of(model, [np.ones(count, np.float32)])[0]) for count in samples[3:]]
    assert num_frames(model, samples).tolist() == [0, 0, 0, *expected]
    assert frame_duration_s(model) == 10 / 16_000


def test_hypotheses_keep_the_order_of_the_utterances_and_progress_adds_up() -> None:
    model, words = tiny.model(seed=3), tiny.vocabulary()
    model.lm_head.weight.data *= 50
    utterances = waveforms()
    duration_s = np.array([len(utterance) / 16_000 for utterance in utterances])
    progress_s: list[float] = []
    decoded = decode_all(model, greedily(words), utterances.__getitem__, duration_s, 1.0, progress_s.append)
    expected = [decode(logits_of(model, [utterance])[0], words, 0.02, words=True) for utterance in utterances]
    assert [item.text for item in decoded] == [item.text for item in expected]
    assert len({item.text for item in decoded}) > 1
    assert sum(progress_s) == pytest.approx(duration_s.sum())
    assert all(word.end_s <= seconds for item, seconds in zip(decoded, duration_s, strict=True) for word in item.words)
    assert decode_all(model, greedily(words), utterances.__getitem__, np.zeros(0), 1.0) == []


@pytest.mark.parametrize("count", [1, 2, 4])
def test_hypotheses_do_not_depend_on_the_number_of_threads_which_stays_unchanged(count: int) -> None:
    import torch

    from pipeline.model.device import threads

    model, words = tiny.model(seed=3), tiny.vocabulary()
    model.lm_head.weight.data *= 50
    utterances = waveforms() * 4
    duration_s = np.array([len(utterance) / 16_000 for utterance in utterances])
    expected = [decode(logits_of(model, [utterance])[0], words, 0.02, words=True) for utterance in utterances]
    with threads(count):
        decoded = decode_all(model, greedily(words), utterances.__getitem__, duration_s, 1.0)
        assert torch.get_num_threads() == count
    assert [item.text for item in decoded] == [item.text for item in expected]
    assert [item.confidence for item in decoded] == pytest.approx([item.confidence for item in expected], abs=1e-4)


def test_an_utterance_that_cannot_be_read_fails_the_decoding_with_its_own_error() -> None:
    def waveform(index: int) -> np.ndarray:
        if index == 3:
            raise DataError("tones/3", "broken")
        return waveforms()[index]

    with pytest.raises(DataError, match="tones/3: broken"):
        decode_all(tiny.model(), greedily(tiny.vocabulary()), waveform, np.ones(5), 1.0)


def test_a_capital_vocabulary_decodes_to_lower_case_words() -> None:
    capitals = Vocabulary(("<pad>", "<unk>", "|", "A", "S"))
    logits_TV = np.eye(5, dtype=np.float32)[[3, 4, 0, 4, 3]] * 9
    found = decode(logits_TV, capitals, 0.02, words=True)
    assert (found.text, found.words[0].word) == ("assa", "assa")
