"""Low-rank adapters (LoRA): a small product beside each of the encoder's matrices moves in their place, and is added to them at the end.

`peft` puts them in and works out what they add; it is loaded only where a recipe asks for it.

Source: Hu et al., "LoRA: low-rank adaptation of large language models" (2022), sections 4.1 and 4.2.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import Wav2Vec2ForCTC

from pipeline.core.errors import ParamsError, PipelineError
from pipeline.training.config import Lora, Run

BLOCKS = "wav2vec2.encoder.layers."
CONVOLUTIONS = "wav2vec2.feature_extractor."


def targets(model: Wav2Vec2ForCTC, chosen: Lora) -> dict[str, nn.Linear]:
    """Return the matrices of the encoder's blocks that get an adapter, by their whole names.

    Raises:
        ParamsError: a name is that of no matrix there.
    """
    there = {name: module for name, module in model.named_modules() if name.startswith(BLOCKS) and isinstance(module, nn.Linear)}
    kinds = sorted({name.rsplit(".", 1)[1] for name in there})
    if unknown := sorted(set(chosen.target_modules) - set(kinds)):
        raise ParamsError("params.yaml", [f"train.config.lora.target_modules: found {', '.join(unknown)}; expected some of {', '.join(kinds)}, "
                                          "the matrices of the model's blocks"])
    return {name: module for name, module in there.items() if name.rsplit(".", 1)[1] in chosen.target_modules}


def moving(model: Wav2Vec2ForCTC, run: Run) -> int:
    """Return how many parameters a run trains, at the end of its schedule, of a model as it is before the run."""
    if run.lora is not None:
        head = sum(weight.numel() for weight in model.lm_head.parameters())
        return head + sum(run.lora.rank * (matrix.in_features + matrix.out_features) for matrix in targets(model, run.lora).values())
    return sum(weight.numel() for name, weight in model.named_parameters()
               if weight.requires_grad and not (run.freeze_feature_encoder and name.startswith(CONVOLUTIONS)))


def adapt(model: Wav2Vec2ForCTC, chosen: Lora, seed: int) -> None:
    """Put an adapter beside each target, in place; from now on nothing moves but these and the head.

    The model computes what it did before: one of an adapter's two factors is zero.

    Raises:
        ParamsError: as `targets`.
        PipelineError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise PipelineError("train.config.lora", f"peft cannot be imported ({error})", "peft, which trains adapters",
                            "install what requirements/main.txt names, or leave train.config.lora out") from None
    config = LoraConfig(r=chosen.rank, lora_alpha=chosen.alpha, lora_dropout=chosen.dropout, target_modules=list(targets(model, chosen)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model)
    model.lm_head.requires_grad_(True)


def merge(model: Wav2Vec2ForCTC) -> None:
    """Add the adapters to the matrices beside them, and leave the model as one that never had any."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            model.set_submodule(name, module.get_base_layer())
    del model.peft_config
