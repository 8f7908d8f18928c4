"""Which runs still have a process."""

from __future__ import annotations

import os
import subprocess
import sys

from flows.reschedule import has_process


def test_a_run_has_a_process_while_one_has_its_id_in_its_environment() -> None:
    run_id = f"0f9e5a1c-0000-4000-8000-{os.getpid():012d}"
    child = [sys.executable, "-c", "input()"]
    with subprocess.Popen(child, stdin=subprocess.PIPE, env={**os.environ, "PREFECT__FLOW_RUN_ID": run_id}) as process:
        assert has_process(run_id)
        assert not has_process(run_id[:-1])
        process.communicate(b"\n")
    assert not has_process(run_id)
