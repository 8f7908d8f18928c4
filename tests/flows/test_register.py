"""prefect.yaml and the work pools' templates match the flows."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from flows.notify import TAG
from flows.register import POOL, QUEUES, TEMPLATES
from pipeline.core.files import ROOT

PREFECT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))


def arguments(entrypoint: str) -> set[str]:
    """Return the parameters of a flow."""
    file, _, name = entrypoint.partition(":")
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    flow = next(node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name)
    return {argument.arg for argument in [*flow.args.args, *flow.args.kwonlyargs]}


@pytest.mark.parametrize("deployment", PREFECT["deployments"], ids=lambda found: found["entrypoint"])
def test_a_deployment_names_a_flow_its_parameters_and_the_pool(deployment: dict[str, Any]) -> None:
    assert set(deployment.get("parameters", {})) <= arguments(deployment["entrypoint"])
    assert deployment["work_pool"]["name"] == POOL
    assert TAG in deployment["tags"]


def test_the_nightly_run_requires_approval_and_its_schedule_is_off_at_first() -> None:
    nightly = next(found for found in PREFECT["deployments"] if found["name"] == "nightly")
    assert nightly["parameters"]["promote"] == "approve"
    assert [schedule["active"] for schedule in nightly["schedules"]] == [False]
    assert all(schedule["timezone"] for found in PREFECT["deployments"] for schedule in found.get("schedules", ()))


def test_a_retraining_is_limited_by_a_queue_not_by_a_lease() -> None:
    nightly = next(found for found in PREFECT["deployments"] if found["name"] == "nightly")
    assert QUEUES[nightly["work_pool"]["work_queue_name"]] == 1
    assert not any("concurrency_limit" in found for found in PREFECT["deployments"]), "a lease ends the run when the server restarts"


def test_every_variable_of_a_template_is_declared_and_used() -> None:
    for name, file in TEMPLATES.items():
        if file is None:
            continue
        template = json.loads(file.read_text(encoding="utf-8"))
        used = set(re.findall(r"{{ (\w+) }}", json.dumps(template["job_configuration"])))
        assert used == set(template["variables"]["properties"]), name
        pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
        assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "{{ gpus }}"
        expected = {key for found in PREFECT["deployments"] for key in found["work_pool"].get("job_variables", {})}
        assert expected <= used


def test_registering_without_a_server_is_an_error_with_an_action() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    done = subprocess.run([sys.executable, "-m", "flows.register"], cwd=ROOT, env=environment, text=True, capture_output=True)
    assert done.returncode == 1
    assert "PREFECT_API_URL: not set; expected the server's address" in done.stderr
    assert "Traceback" not in done.stderr
