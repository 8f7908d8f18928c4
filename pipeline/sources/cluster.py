"""Work on a Ray cluster: the one at `RAY_ADDRESS`, or one on this machine that is started and stopped here.

Ray is not a requirement of a run: this module alone imports it, and late.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pipeline.core.errors import MissingInputError
from pipeline.core.files import ROOT

TIMEOUT_S: Final = 10
STORE_BYTES: Final = 200_000_000  # of a cluster started here; jobs and results are small, audio goes through files
LONGEST_TMPDIR: Final = 30  # bytes: the paths of Ray's sockets are 75 longer, and have at most 107
ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",              # no usage reports
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",   # otherwise a warning; no job uses a GPU
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",       # the stage has one
    "OMP_NUM_THREADS": "1",
}


def on_ray(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yield the result of `function` for each item, in order of completion. One core per item; an item whose machine dies is repeated.

    Args:
        function: of a module that the machines can import; the checkout has the same path on all of them.
        items: picklable; each is sent to one machine only.
        workers: items at a time on a cluster started here; a running cluster uses all its cores.

    Raises:
        MissingInputError: Ray is not installed, or the cluster does not answer.
    """
    with _connected(workers) as ray:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.verbose_stats_logs = False
        rows = ray.data.from_items([{"work": pickle.dumps((function, item))} for item in items], override_num_blocks=len(items))
        for row in rows.map(_run_item, num_cpus=1).iter_rows():
            yield pickle.loads(row["result"])


def _run_item(row: dict[str, Any]) -> dict[str, Any]:
    """Run one item in a worker of Ray."""
    function, item = pickle.loads(row["work"])
    with _no_main_program():
        return {"result": pickle.dumps(function(item))}


@contextmanager
def _connected(workers: int) -> Iterator[Any]:
    """Yield Ray, connected to a cluster; a cluster started here is stopped at the end.

    Raises:
        MissingInputError: as `on_ray`.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingInputError("engine: ray", "Ray is not installed", "the package ray[data], of the release in requirements/dev.txt",
                                "install it on every machine of the cluster, or set engine: processes")
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if len(os.fsencode(os.environ.get("TMPDIR", ""))) > LONGEST_TMPDIR:
        os.environ.setdefault("RAY_TMPDIR", "/tmp")
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    connect: Any = ray.init
    address = os.environ.get("RAY_ADDRESS", "")
    own = {} if address else {"num_cpus": workers, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    try:
        host, _, port = address.rpartition(":")
        if host and "/" not in address:
            socket.create_connection((host, int(port)), TIMEOUT_S).close()  # without an answer, Ray itself waits for minutes
        connect(address=address or "local", logging_level=logging.ERROR, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}}, **own)
    except OSError as error:
        raise MissingInputError("engine: ray", f"no cluster at RAY_ADDRESS={address} ({error})", "a cluster that answers",
                                "start it (`ray start --head`) and give its token (RAY_AUTH_TOKEN or ~/.ray/auth_token), "
                                "or unset RAY_ADDRESS for one on this machine") from None
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _no_main_program() -> Iterator[None]:
    """Keep child processes from importing the main program of this one: it is Ray's, and takes seconds to import."""
    main = sys.modules["__main__"]
    file = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file
