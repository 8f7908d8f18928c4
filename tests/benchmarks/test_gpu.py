"""The benchmark for a GPU runs at toy size anywhere, and counts a model's operations right."""

from __future__ import annotations

import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the profiler's own
def test_it_runs_at_toy_size_and_prints_every_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--toy"])
    gpu.main()
    output = capsys.readouterr().out
    for row in ("matrix products", "one shape", "ours", "waiting for data", "profile of 4 steps"):
        assert row in output


@pytest.mark.skipif(torch.cuda.is_available(), reason="it would measure")
def test_without_a_gpu_it_measures_nothing_and_prints_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    gpu.main()
    assert capsys.readouterr().out.startswith("no GPU: nothing is measured; --toy")


def test_the_operations_of_a_model_are_those_counted_by_torch() -> None:
    model = gpu.fresh("toy", False).train()
    model.config.apply_spec_augment = False
    length_s = 4.0
    waveform_BS, labels_BU = torch.randn(2, int(length_s * gpu.HZ)), torch.randint(3, 20, (2, 30))
    with FlopCounterMode(display=False) as counted:
        model(waveform_BS, labels=labels_BU).loss.backward()
    assert gpu.flops_per_second_of_audio(model, length_s) * 2 * length_s == pytest.approx(counted.get_total_flops(), rel=0.1)


def test_the_shapes_have_the_sizes_of_their_names() -> None:
    with torch.device("meta"):
        sizes = {size: gpu.parameters(gpu.fresh_model(gpu.SHAPES[size], gpu.WORDS, 1)) / 1e6 for size in ("base", "xlsr")}
    assert sizes == {"base": pytest.approx(94.4, abs=1), "xlsr": pytest.approx(315.5, abs=1)}
