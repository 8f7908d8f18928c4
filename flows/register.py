"""Register work pool, deployments (prefect.yaml) and automations on the server at `PREFECT_API_URL`; a second call updates them.

    python -m flows.register
    python -m flows.register --pool-type kubernetes

A run is a process of a worker, or a job in Kubernetes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any, Final

from pipeline.core.errors import PipelineError
from pipeline.core.files import ROOT
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code

POOL: Final = "vizinho"
QUEUES: Final = {"training": 1}
"""Work queues of the pool, with the number of runs that may be active in each. The server counts the runs in its database. A deployment's
`concurrency_limit` is a lease that the server keeps in memory by default: when the server restarts, Prefect ends the run that holds it."""
TEMPLATES: Final = {"process": None, "kubernetes": ROOT / "flows/kubernetes.json"}


def register(pool_type: str) -> None:
    """Create or update everything that the flows need on the server.

    Args:
        pool_type: "process" or "kubernetes".

    Raises:
        PipelineError: no server answers, its pool has another type, or it refuses a deployment.
        ParamsError: `VIZINHO_NOTIFY` names an unknown receiver.
    """
    from prefect.client.orchestration import get_client

    from flows import notify

    if not os.environ.get("PREFECT_API_URL"):
        raise PipelineError("PREFECT_API_URL", "not set", "the server's address, as http://127.0.0.1:4200/api", "export it, or run `make ui`")
    with get_client(sync_client=True) as client:
        if trouble := client.api_healthcheck():
            raise PipelineError(os.environ["PREFECT_API_URL"], f"no answer ({trouble or type(trouble).__name__})", "a Prefect server", "start it")
        make_pool(client, pool_type)
        make_queues(client)
        deployed = subprocess.run([sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=ROOT, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if deployed.returncode:
            raise PipelineError("prefect deploy --all", "\n".join(deployed.stdout.splitlines()[-15:]), "every deployment of prefect.yaml registered")
        names = notify.register(client, pool_type)
    log(f"registered: pool {POOL} ({pool_type}), deployments of prefect.yaml, automations {', '.join(names)}")


def make_pool(client: Any, pool_type: str) -> None:
    """Create the work pool, or update its template.

    Args:
        client: of the server.
        pool_type: "process" or "kubernetes".

    Raises:
        PipelineError: the pool exists with another type.
    """
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    file = TEMPLATES[pool_type]
    template = json.loads(file.read_text(encoding="utf-8")) if file else ProcessWorker.get_default_base_job_template()
    try:
        found = client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type=pool_type, base_job_template=template))
        return
    if found.type != pool_type:
        raise PipelineError(f"work pool {POOL}", f"of type {found.type}", pool_type, f"`prefect work-pool delete {POOL}` first, with no active run")
    client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


def make_queues(client: Any) -> None:
    """Create the work queues, or update their limits.

    Args:
        client: of the server.
    """
    from prefect.exceptions import ObjectNotFound

    for name, limit in QUEUES.items():
        try:
            found = client.read_work_queue_by_name(name, work_pool_name=POOL)
        except ObjectNotFound:
            client.create_work_queue(name=name, work_pool_name=POOL, concurrency_limit=limit)
        else:
            client.update_work_queue(found.id, concurrency_limit=limit)


def main() -> None:
    """Register from the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.register", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pool-type", choices=sorted(TEMPLATES), default="process")
    with exit_with_code():
        register(parser.parse_args().pool_type)


if __name__ == "__main__":
    main()
