"""What holds for every test."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Before anything loads OpenMP: threads that wait for one another sleep. By default they spin, which on a busy machine
# makes training with two threads ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


TEMPORARY = tempfile.mkdtemp(prefix="v")  # short: the path of a socket has at most 107 bytes
atexit.register(shutil.rmtree, TEMPORARY, ignore_errors=True)  # after what multiprocessing and Prefect remove when the process ends

TRAININGS = ("tests/training/", "tests/tuning/", "tests/alignment/", "tests/decoding/", "tests/test_train.py", "tests/test_donor.py",
             "tests/test_align.py", "tests/test_transcribe.py", "tests/test_recovery.py", "tests/test_run.py")
"""Tests that train or transcribe with all cores: of several workers one runs them."""
REGISTRIES = ("tests/flows/", "tests/registry/", "tests/cli/test_registry.py")
"""Tests that copy the toy registry, which a worker builds once; those of the flows share the one Prefect server of their worker."""
GROUPS = {"trainings": TRAININGS, "registry": REGISTRIES}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the group that one worker runs: one of `GROUPS`, otherwise its file. The largest groups come first."""
    groups = {}
    for item in items:
        file = item.nodeid.partition("::")[0]
        groups[item] = next((name for name, prefixes in GROUPS.items() if file.startswith(prefixes)), file)
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    order = {name: place for place, name in enumerate(GROUPS)}
    items.sort(key=lambda item: order.get(groups[item], len(order)))  # stable: within a group the order stays


def pytest_make_parametrize_id(val: object) -> str | None:
    """Return the beginning of a long text: the name of a test goes from each worker to the others."""
    return f"{val[:40]}..." if isinstance(val, str) and len(val) > 100 else None


def pytest_collection_finish() -> None:
    """Leave what was imported out of garbage collections: walking through it took a seventh of the suite's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _own_locks() -> Iterator[None]:
    """Keep the machine's lock files (pipeline/model/device.py) out of the tests: a training elsewhere would hold them up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", TEMPORARY)
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(autouse=True)
def _keep_denormal_numbers() -> Iterator[None]:
    """Undo what training in this process does to float arithmetic: Hypothesis refuses to draw floats without denormals."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)

# A deadline for each example measures the machine, not the code. The default suite tries the same examples each time; slow
# tests search at random.
settings.register_profile("vizinho", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("vizinho")
