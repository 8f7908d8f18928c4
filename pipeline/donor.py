"""The donor, the Spanish model that Portuguese starts from: trained here, or an imported checkpoint.

Reads:  data/split/spanish and data/tokenise/spanish/vocabulary.json, or a checkpoint folder in Hugging Face layout
        (downloaded first if donor.hub.download is true)
Writes: data/donor/ (model, vizinho.json, history.csv, trained_on.parquet); data/timing/donor/
Params: donor
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.core.errors import DataError, ParamsError
from pipeline.core.params import Section, load_section
from pipeline.core.progress import log
from pipeline.core.stage import stage_main
from pipeline.training.config import RunConfig, TrainingConfig
from pipeline.training.distributed import launch_distributed

OUTPUT = Path("data/donor")


class Hub(Section):
    """A checkpoint on a model hub; its folder here is donor.source."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="OWNER/NAME")
    revision: str = Field(pattern="^[0-9a-f]{40}$", description="a commit; a branch may point to another model tomorrow")
    download: bool = Field(False, description="download it if the folder is empty; otherwise the network is not used")
    weights_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="of the file with the weights, if known in advance")


class Donor(Section):
    """Params of the stage."""

    source: str = Field(description="a split to train on (data/split/spanish), or a checkpoint's folder")
    vocabulary: str = Field(description="vocabulary of the split or of the checkpoint; of the fresh head if a checkpoint has no head")
    language: str | None = Field(None, description="of a checkpoint with a vocabulary per language (MMS): spa")
    hub: Hub | None = Field(None, description="where the checkpoint was published")
    steps: int = Field(ge=1)
    peak_rate: float = Field(gt=0, lt=1, description="learning rate after the warm-up")
    warmup_steps: int = Field(ge=0)
    seed: int = Field(ge=0)
    config: TrainingConfig
    model: dict[str, Any] = Field(description="shape of the network: keys of transformers' Wav2Vec2Config")


def run() -> None:
    """Train the donor on its split, or import a checkpoint, and write its model folder.

    Raises:
        DataError: donor.source is neither a split nor a checkpoint.
    """
    params = load_section(Donor, "donor")
    if params.hub is not None or (Path(params.source) / "config.json").exists():
        import_checkpoint(params)
    elif (Path(params.source) / "train.parquet").exists():
        train_donor(params)
    else:
        raise DataError(params.source, "neither a checkpoint nor a split", "config.json or train.parquet in that folder",
                        "correct donor.source in params.yaml, or `dvc pull` the folder")


def train_donor(params: Donor) -> None:
    """Train a model of the shape in `donor.model` from scratch.

    Args:
        params: of the stage.

    Raises:
        ParamsError: the config has adapters, which need trained weights.
    """
    launch_distributed("pipeline.donor", [], params.config.processes)
    from pipeline.model.artifact import fresh_model, parameters
    from pipeline.model.vocabulary import Vocabulary
    from pipeline.scoring.counts import error_rates
    from pipeline.training.fit import fit

    if params.config.lora is not None:
        raise ParamsError("params.yaml", ["donor.config.lora: found adapters; expected none, since the donor is trained from scratch"])
    vocabulary = Vocabulary.read(params.vocabulary)
    model = fresh_model(params.model, vocabulary, params.seed)
    log(f"donor: {parameters(model) / 1e6:.2f} M parameters, {len(vocabulary.symbols)} symbols")
    run_config = RunConfig(**params.config.model_dump(), steps=params.steps, peak_rate=params.peak_rate, warmup_steps=params.warmup_steps,
                           seed=params.seed)
    fit(model, vocabulary, Path(params.source), run_config, OUTPUT, "donor", error_rates, {"system": "donor", "origin": params.source})


def import_checkpoint(params: Donor) -> None:
    """Convert a checkpoint to a model folder: safetensors, with the hash of its vocabulary in the file of the weights.

    Args:
        params: of the stage.

    Raises:
        DataError: the checkpoint is not the published one.
        VocabularyError: weights and vocabulary do not match.
    """
    from pipeline.model.artifact import parameters, save_model
    from pipeline.model.checkpoint import read_checkpoint
    from pipeline.model.provenance import TRAINED_ON, empty_trained_on

    folder = Path(params.source)
    if params.hub is not None:
        from pipeline.model.hub import fetch

        fetch(params.hub.repository, params.hub.revision, folder, params.language, params.hub.download)
    model, vocabulary, origin = read_checkpoint(folder, params.language, params.vocabulary, params.seed)
    if params.hub is not None:
        if params.hub.weights_sha256 not in (None, origin["weights_sha256"]):
            raise DataError(str(folder / origin["weights"]), f"SHA-256 {origin['weights_sha256']}", str(params.hub.weights_sha256),
                            "correct donor.hub.weights_sha256, or download the checkpoint again")
        origin |= {"repository": params.hub.repository, "revision": params.hub.revision}
    known = folder / TRAINED_ON  # a model of this project has a record of what it was trained on
    save_model(model, vocabulary, OUTPUT, {"system": "donor", "label": "donor", "origin": origin, "normaliser": None, "params": None,
                                           "figures": None},
               lambda made: shutil.copyfile(known, made / TRAINED_ON) if known.exists() else empty_trained_on(made))
    log(f"donor: {parameters(model) / 1e6:.1f} M parameters and {len(vocabulary.symbols)} symbols from {folder}"
        + (" (with a fresh head: the checkpoint has none)" if origin["head"] == "fresh" else ""))


if __name__ == "__main__":
    stage_main(run)
