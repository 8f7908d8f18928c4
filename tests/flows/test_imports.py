"""What an import of the flows costs."""

from __future__ import annotations

import subprocess
import sys

from pipeline.core.files import ROOT


def cpu_s(statement: str) -> float:
    """Return the CPU seconds that a fresh process takes for an import, and check that nothing heavy came with it."""
    code = (f"{statement}\nimport resource, sys\n"
            "heavy = sys.modules.keys() & {'torch', 'torchaudio', 'transformers', 'matplotlib', 'dvc', 'gto'}\nassert not heavy, heavy\n"
            "used = resource.getrusage(resource.RUSAGE_SELF)\nprint(used.ru_utime + used.ru_stime)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_flows_are_imported_without_torch_and_for_little_more_than_prefect_itself() -> None:
    assert cpu_s("import flows") < 2.0
    prefect = cpu_s("import prefect, prefect.flow_engine")
    assert cpu_s("import flows.retrain, flows.promote, flows.rollback, flows.watch, flows.evaluate") < 2 * prefect  # pandas is most of the rest
