"""Mixed precision by device, and the metrics of a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pipeline.training.acceleration import autocast, gpu_metrics


@pytest.mark.parametrize(("device", "precision", "enabled"), [
    ("cpu", "auto", False), ("cpu", "fp32", False), ("cpu", "bf16", True), ("cuda", "auto", True), ("cuda", "fp32", False)])
def test_auto_is_bf16_on_a_gpu_and_fp32_on_a_cpu(device: str, precision: Any, enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype, enabled: (kind, dtype, enabled))
    assert autocast(torch.device(device), precision) == (device, torch.bfloat16, enabled)


def test_a_cpu_has_no_metrics_and_a_gpu_reports_what_its_driver_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_metrics(torch.device("cpu")) == {}
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 12_300_000_000)
    monkeypatch.setattr(torch.cuda, "utilization", lambda _: 87)
    assert gpu_metrics(torch.device("cuda", 0)) == {"gpu_memory_gb": 12.3, "gpu_utilisation": 0.87}

    def unknown(_: Any) -> int:
        raise ModuleNotFoundError("pynvml")

    monkeypatch.setattr(torch.cuda, "utilization", unknown)
    assert gpu_metrics(torch.device("cuda", 0)) == {"gpu_memory_gb": 12.3}
