"""How a stage module is run: `python -m pipeline.split portuguese`."""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.core.errors import PipelineError
from pipeline.core.progress import log_error


def arguments_of(run: Callable[..., object]) -> list[str]:
    """Return the words that `run` takes from a command line: its parameters without a default."""
    return [name for name, parameter in inspect.signature(run).parameters.items() if parameter.default is parameter.empty]


def stage_main(run: Callable[..., object]) -> None:
    """Call `run` with the command line's words, or say which words it takes (exit 2)."""
    words, wanted = sys.argv[1:], arguments_of(run)
    if len(words) != len(wanted):
        usage = " ".join([f"python -m {run.__globals__['__spec__'].name}", *(name.upper() for name in wanted)])
        print(f"usage: {usage}", file=sys.stderr)
        sys.exit(2)
    with exit_with_code():
        run(*words)


@contextmanager
def exit_with_code() -> Iterator[None]:
    """End the process with one message and an honest exit code where the work within fails, never with a traceback
    for what the user can mend.

    Collections of garbage are rarer within, and what is there at the end is left to the kernel: imports make objects that
    live as long as the process. Without it torch starts a sixth slower, and ends in 1.9 s instead of 0.4.
    """
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    except PipelineError as error:
        log_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a folder in place of a file, a file that may not be read
        log_error(f"{error.filename or 'a file'}: {error.strerror or error}")
        sys.exit(1)
    finally:
        gc.freeze()
