"""Run the study: `python -m studies.donors [--reduced N]`.

It is a DVC pipeline in a separate DVC repository below this one (`studies/donors/.dvc`), so that `dvc repro` and `dvc status` of the
checkout do not see its stages. Needs `dvc repro` of the checkout (Portuguese data and data/rank). What is finished is not repeated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from pipeline.core.files import ROOT, state_dir
from pipeline.core.params import read_params
from studies.donors.settings import HERE, PARAMS

REDUCED = 3
"""Groups of trials in the reduced form, one seed: every start with 10 minutes of Portuguese, the donors at equal steps, every start with 3."""


def commands(groups: list[str], limit: int | None) -> list[list[str]]:
    """Return the `dvc` commands: the groups in order, each followed by the results so far.

    Args:
        groups: keys of `trials`.
        limit: how many of them; None for all.
    """
    return [command for group in groups[:limit] for command in (["repro", f"trials@{group}"], ["repro", "--single-item", "results"])]


def main() -> None:
    """Run the study and end with the exit code of DVC."""
    parser = argparse.ArgumentParser(prog="python -m studies.donors", description="Which donor language helps Portuguese most?")
    parser.add_argument("--reduced", nargs="?", type=int, const=REDUCED, metavar="N", help=f"only the first N groups of trials (default {REDUCED})")
    arguments = parser.parse_args()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "VIZINHO_STATE": str(state_dir().resolve())}
    for command in commands(list(read_params(PARAMS)["trials"]), arguments.reduced):
        if code := subprocess.run(["dvc", *command], cwd=ROOT / HERE, env=environment, check=False).returncode:
            sys.exit(code)


if __name__ == "__main__":
    main()
