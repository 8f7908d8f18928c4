"""The training config: settings for a donor, and settings that exclude each other."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.training.config import TRANSFER_ONLY, RunConfig, TrainingConfig, without_donor_settings


def test_a_model_without_a_donor_trains_all_its_weights() -> None:
    config = TrainingConfig(batch_s=5, freeze_feature_encoder=True, freeze_encoder_steps=5, unfreeze_every=2, layer_decay=0.5, reinit_top_layers=1,
                    head_rate_factor=2.0)
    assert without_donor_settings(config) == TrainingConfig(batch_s=5, head_rate_factor=2.0)
    assert {name for name in TRANSFER_ONLY if getattr(config, name) != TrainingConfig.model_fields[name].default} == {*TRANSFER_ONLY} - {"lora"}
    assert without_donor_settings(TrainingConfig.model_validate({"batch_s": 5, "lora": {}})) == TrainingConfig(batch_s=5)


def test_adapters_and_fresh_top_blocks_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="lora beside reinit_top_layers: 1; expected one of them"):
        TrainingConfig.model_validate({"batch_s": 5, "lora": {}, "reinit_top_layers": 1})


def test_a_run_config_refuses_unknown_keys_and_values_out_of_range() -> None:
    valid = {"batch_s": 5, "steps": 1, "peak_rate": 1e-3, "warmup_steps": 0, "seed": 1}
    assert RunConfig.model_validate(valid).keep == "last"
    for wrong in ({"colour": "red"}, {"batch_s": 0}, {"peak_rate": 1.0}, {"ema": 1.0}, {"precision": "fp16"}):
        with pytest.raises(ValidationError):
            RunConfig.model_validate(valid | wrong)
