"""Low-rank adapters (LoRA): a small product beside each of the encoder's matrices is trained instead of them, and merged at the end.

`peft` injects and merges the adapters; it is imported only where the training config has `lora`.

Source: Hu et al., "LoRA: low-rank adaptation of large language models" (2022), sections 4.1 and 4.2.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import Wav2Vec2ForCTC

from pipeline.core.errors import ParamsError, PipelineError
from pipeline.training.config import Lora, RunConfig

BLOCKS = "wav2vec2.encoder.layers."
CONVOLUTIONS = "wav2vec2.feature_extractor."


def target_matrices(model: Wav2Vec2ForCTC, config: Lora) -> dict[str, nn.Linear]:
    """Return the matrices of the encoder's blocks that get an adapter, by their full names.

    Raises:
        ParamsError: the blocks have no matrix of a name in `target_modules`.
    """
    matrices = {name: module for name, module in model.named_modules() if name.startswith(BLOCKS) and isinstance(module, nn.Linear)}
    kinds = sorted({name.rsplit(".", 1)[1] for name in matrices})
    if unknown := sorted(set(config.target_modules) - set(kinds)):
        raise ParamsError("params.yaml", [f"train.config.lora.target_modules: found {', '.join(unknown)}; expected some of {', '.join(kinds)}, "
                                          "the matrices of the model's blocks"])
    return {name: module for name, module in matrices.items() if name.rsplit(".", 1)[1] in config.target_modules}


def count_trainable(model: Wav2Vec2ForCTC, config: RunConfig) -> int:
    """Return the number of parameters that a run trains at the end of its freezing schedule.

    Args:
        model: as it is before the run, without adapters.
        config: of the run.
    """
    if config.lora is not None:
        head = sum(weight.numel() for weight in model.lm_head.parameters())
        return head + sum(config.lora.rank * (matrix.in_features + matrix.out_features)
                          for matrix in target_matrices(model, config.lora).values())
    return sum(weight.numel() for name, weight in model.named_parameters()
               if weight.requires_grad and not (config.freeze_feature_encoder and name.startswith(CONVOLUTIONS)))


def add_adapters(model: Wav2Vec2ForCTC, config: Lora, seed: int) -> None:
    """Put an adapter beside each target matrix, in place, and freeze everything but adapters and head.

    The model's logits do not change, since one of an adapter's two factors is zero. The global random state is left as it was.

    Args:
        model: to adapt.
        config: rank, scale, dropout and targets.
        seed: of the other factor.

    Raises:
        ParamsError: the blocks have no matrix of a name in `target_modules`.
        PipelineError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise PipelineError("train.config.lora", f"peft cannot be imported ({error})", "peft, which trains adapters",
                            "install the versions in requirements/main.txt, or remove train.config.lora") from None
    adapters = LoraConfig(r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=list(target_matrices(model, config)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(adapters, model)
    model.lm_head.requires_grad_(True)


def merge_adapters(model: Wav2Vec2ForCTC) -> None:
    """Add the adapters to the matrices beside them and remove them, in place: the model is then a plain one."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            model.set_submodule(name, module.get_base_layer())
    del model.peft_config
