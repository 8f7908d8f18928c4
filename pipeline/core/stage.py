"""How a stage module is run: `python -m pipeline.split portuguese`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

from pipeline.core.errors import PipelineError


def stage_main(run: Callable[..., object]) -> None:
    """Call `run` with the command line's words; end with one message and an honest exit code, never a traceback
    for what the user can mend."""
    words = sys.argv[1:]
    try:
        inspect.signature(run).bind(*words)
    except TypeError:
        wanted = [name.upper() for name, parameter in inspect.signature(run).parameters.items() if parameter.default is parameter.empty]
        print(f"usage: python -m {run.__globals__['__spec__'].name} {' '.join(wanted)}".rstrip(), file=sys.stderr)
        sys.exit(2)
    try:
        run(*words)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
