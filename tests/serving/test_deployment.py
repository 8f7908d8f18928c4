"""Containers: what the Dockerfile and the blocks of the guide name exists in the code."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
import yaml

from pipeline.cli.main import serve
from pipeline.cli.serve import TOKEN
from pipeline.core.files import ROOT
from pipeline.serving.api import PATHS

GUIDE = (ROOT / "docs/guides/serving.md").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OPTIONS = {f"--{name.replace('_', '-')}" for name in inspect.signature(serve).parameters}


def block(name: str) -> list[Any]:
    """Return the documents of a YAML block of the guide."""
    found = re.search(rf"```yaml\n# {re.escape(name)}.*?\n(.*?)```", GUIDE, re.DOTALL)
    assert found, f"the guide has no block {name}"
    return list(yaml.safe_load_all(found[1]))


@pytest.fixture(scope="module")
def stage() -> dict[str, list[str]]:
    """The instructions of the target `serve`."""
    body = re.search(r"^FROM base AS serve\n(.*?)^FROM ", DOCKERFILE.replace("\\\n", ""), re.MULTILINE | re.DOTALL)
    assert body
    found: dict[str, list[str]] = {}
    for line in body[1].splitlines():
        instruction, _, rest = line.partition(" ")
        found.setdefault(instruction, []).append(rest)
    return found


@pytest.fixture(scope="module")
def entrypoint(stage: dict[str, list[str]]) -> list[str]:
    return json.loads(stage["ENTRYPOINT"][0])  # type: ignore[no-any-return]


def test_the_image_serves_on_its_port_as_a_user_without_rights(stage: dict[str, list[str]], entrypoint: list[str]) -> None:
    assert entrypoint[:2] == ["vizinho", "serve"]
    assert {word for word in entrypoint if word.startswith("--")} <= OPTIONS
    assert stage["EXPOSE"] == [entrypoint[entrypoint.index("--port") + 1]]
    assert f":{stage['EXPOSE'][0]}/health" in stage["HEALTHCHECK"][0]
    assert re.search(r"^USER 1000$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.rstrip().splitlines()[-1] == 'CMD ["--help"]', "without a target, the image of the workers is built"


def test_compose_names_targets_options_and_variables_that_exist(stage: dict[str, list[str]], entrypoint: list[str]) -> None:
    services = block("compose.yaml")[0]["services"]
    service = services["serve"]
    assert all(f" AS {one['build']['target']}\n" in DOCKERFILE for one in services.values())
    assert {word for word in service["command"] if word.startswith("--")} <= OPTIONS
    assert set(service["environment"]) == {TOKEN}
    assert service["ports"][0].split(":") == ["127.0.0.1", "8000", stage["EXPOSE"][0]]
    assert service["read_only"]
    volume, folder = service["volumes"][0].split(":")
    assert volume in block("compose.yaml")[0]["volumes"]
    assert entrypoint[entrypoint.index("--checkout") + 1].startswith(folder)


def test_the_manifest_names_ports_paths_options_and_variables_that_exist(stage: dict[str, list[str]], entrypoint: list[str]) -> None:
    deployment, service = block("kubernetes.yaml")
    assert (deployment["kind"], service["kind"]) == ("Deployment", "Service")
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": int(stage["EXPOSE"][0])}
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {probe["path"] for probe in probes.values()} <= set(PATHS)
    assert [probe["path"] for probe in probes.values()] == ["/ready", "/ready", "/health"]
    assert {probe["port"] for probe in probes.values()} <= set(ports)
    assert {word for word in container["args"] if word.startswith("--")} <= OPTIONS
    assert [variable["name"] for variable in container["env"]] == [TOKEN]
    assert container["env"][0]["valueFrom"]["secretKeyRef"]
    assert pod["securityContext"]["runAsNonRoot"]
    volumes = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    for one in (container, *pod["initContainers"]):
        assert one["securityContext"]["readOnlyRootFilesystem"]
        mounts = {mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]}
        assert set(mounts.values()) <= volumes
        assert set(re.findall(r"(?:HOME|TMPDIR)=(\S+)", stage["ENV"][0])) <= mounts.keys()
        assert any(entrypoint[entrypoint.index("--checkout") + 1].startswith(f"{path}/") for path in mounts)
    grace_s = float(container["args"][container["args"].index("--grace-s") + 1])
    pause_s = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > pause_s + grace_s + 10


def test_every_option_that_the_guide_names_exists() -> None:
    prose = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL)
    named = set(re.findall(r"`(--[a-z-]+)", prose)) - {"--target"}
    assert named <= OPTIONS | {"--ff-only"}
    assert "--pull-s" in named
