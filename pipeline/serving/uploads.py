"""The body of a transcription request: counted while it is received, read into a form and a file without a name, in memory if it is small."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from pipeline.serving.errors import ApiError, client_closed, stopped, too_large
from pipeline.serving.forms import FormError, Upload, read_form

DRAIN_S: Final = 5.0
"""Time for which the rest of a refused upload is read: a client that is cut off while it sends does not read the answer."""
FIELDS: Final = 500
FIELD_BYTES: Final = 64 << 10

log = logging.getLogger(__name__)


class Body:
    """The body of a request as it is received, counted."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive, self._most_bytes, self._size, self._over = receive, most_bytes, 0, False
        self.complete = False

    async def __call__(self) -> Message:
        """Return the next message.

        Raises:
            ApiError: the body is too large.
        """
        message = await self._receive()
        self.complete = message["type"] != "http.request" or not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        if self._size > self._most_bytes and not self._over:
            self._over = True
            raise too_large(self._most_bytes)
        return message

    async def drain(self) -> None:
        """Read and drop the rest of the body, for a while."""
        self._over = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while not self.complete:
                    await self()


@contextmanager
def unnamed(file: UploadFile) -> Iterator[Path]:
    """Yield a path at which this process and its children (FFmpeg) can open an upload; close the upload at the end.

    An upload that the parser has kept in memory stays there: a file on disk takes milliseconds.
    """
    with file.file as content:
        if (file.size or 0) < MultiPartParser.spool_max_size:
            with open(os.memfd_create("upload"), "wb", buffering=0) as memory:
                memory.write(content.read())
                yield _path_of(memory.fileno())
        else:
            yield _path_of(content.fileno())


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/{os.getpid()}/fd/{descriptor}")


async def read_upload(request: Request, timeout_s: float, stopping: asyncio.Event) -> Upload:
    """Return the request that a client uploads.

    Args:
        request: whose body is read.
        timeout_s: for the whole upload.
        stopping: ends the upload when it is set.

    Raises:
        ApiError: the form is wrong, too large, late, or not sent to its end.
    """
    parsing = asyncio.ensure_future(request.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES))
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({parsing, stop}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not parsing.done():
            raise stopped() if stopping.is_set() else ApiError(408, f"the upload took more than {timeout_s:g} s", "timeout")
        form = parsing.result()
        try:
            return read_form(form.multi_items())
        except FormError as error:
            await form.close()
            raise ApiError(400, str(error), "invalid_value", error.param) from None
    except ApiError:
        raise
    except ClientDisconnect:
        raise client_closed() from None
    except HTTPException as error:
        raise ApiError(400, f"the form cannot be read: {error.detail}", "invalid_form") from None
    except Exception as error:  # whatever a damaged form makes the parser do
        log.warning("a form cannot be read: %s", type(error).__name__)
        raise ApiError(400, "the form cannot be read", "invalid_form") from None
    finally:
        parsing.cancel()
        stop.cancel()
