"""Replicas share their weights and sum their gradients: two threads give the result of one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.batching.waveforms import collate, standardise
from pipeline.training.replicas import Replicas, SubBatch
from tests import tiny

WORDS = tiny.vocabulary()


def part(texts: tuple[str, ...]) -> SubBatch:
    padded_BS, mask_BS = collate([standardise(tiny.spoken(text)) for text in texts])
    encoded = [WORDS.encode(text) for text in texts]
    labels_BU = np.full((len(texts), max(map(len, encoded))), -100)
    for row, rows in enumerate(encoded):
        labels_BU[row, : len(rows)] = rows
    return torch.from_numpy(padded_BS), torch.from_numpy(mask_BS), torch.from_numpy(labels_BU)


def loss_of(model, batch: SubBatch) -> torch.Tensor:  # type: ignore[no-untyped-def]
    waveform_BS, mask_BS, labels_BU = batch
    return model(waveform_BS, attention_mask=mask_BS, labels=labels_BU).loss * len(labels_BU) / 4


def gradients(count: int, parts: list[SubBatch]) -> tuple[float, dict[str, torch.Tensor]]:
    replicas = Replicas(tiny.model(), count)
    replicas.train()
    loss = replicas.backward(parts, loss_of)
    replicas.close()
    return loss, {name: parameter.grad.clone() for name, parameter in replicas.model.named_parameters() if parameter.grad is not None}


def test_two_halves_on_two_threads_give_the_gradients_of_the_whole() -> None:
    whole_loss, whole = gradients(1, [part(tiny.TEXTS[:4])])
    loss, halves = gradients(2, [part(tiny.TEXTS[:2]), part(tiny.TEXTS[2:4])])
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert halves.keys() == whole.keys()
    for name, expected in whole.items():
        assert torch.allclose(halves[name], expected, rtol=1e-3, atol=1e-5), name


def test_the_result_does_not_depend_on_the_order_of_the_threads() -> None:
    runs = [gradients(2, [part(tiny.TEXTS[:2]), part(tiny.TEXTS[2:4])]) for _ in range(4)]
    for loss, found in runs[1:]:
        assert loss == runs[0][0]
        assert all(torch.equal(found[name], runs[0][1][name]) for name in found)


def test_gradients_add_up_over_batches_and_the_copies_have_none() -> None:
    replicas = Replicas(tiny.model(), 2)
    halves = [part(tiny.TEXTS[:2]), part(tiny.TEXTS[2:4])]
    replicas.backward(halves, loss_of)
    once = replicas.model.lm_head.weight.grad.clone()
    replicas.backward(halves, loss_of)
    replicas.close()
    assert torch.allclose(replicas.model.lm_head.weight.grad, 2 * once, rtol=1e-4)
    assert all(parameter.grad is None for parameter in replicas._copies[0].parameters())


def test_replicas_share_the_storage_of_the_weights() -> None:
    replicas = Replicas(tiny.model(), 3)
    assert len(replicas) == 3
    with torch.no_grad():
        replicas.model.lm_head.weight.fill_(7.0)
        replicas.model.wav2vec2.encoder.layers[0].attention.q_proj.weight.mul_(2)
    for replica in replicas._copies:
        for mine, theirs in zip(replicas.model.parameters(), replica.parameters(), strict=True):
            assert mine.data_ptr() == theirs.data_ptr()
    replicas.close()


def test_one_part_needs_no_second_replica() -> None:
    loss, found = gradients(2, [part(tiny.TEXTS[:1])])
    alone, expected = gradients(1, [part(tiny.TEXTS[:1])])
    assert loss == alone
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_an_error_in_a_thread_is_raised() -> None:
    replicas = Replicas(tiny.model(), 2)
    def fail(model, batch: SubBatch) -> torch.Tensor:  # type: ignore[no-untyped-def]
        raise RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        replicas.backward([part(("asa",)), part(("era",))], fail)
    replicas.close()
