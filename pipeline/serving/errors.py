"""Errors that a client sees, in the form of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import JSONResponse

from pipeline.core.errors import DataError, PipelineError
from pipeline.serving.engine import StoppedError, TooLongError

RETRY_AFTER_S: Final = 2
RECORDING: Final = "recording"
"""Name of a recording in the engine: that of the uploaded file is never used."""
TYPES: Final = {401: "authentication_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """An error that the client sees.

    Args:
        status: of the response.
        message: what is wrong, without the value that was sent.
        code: a word for programs.
        param: the field that is wrong.
        headers: further ones of the response.
    """

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None,
                 headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.headers = status, message, code, param, dict(headers or {})

    def content(self) -> dict[str, Any]:
        """Return the error in the API's form."""
        kind = TYPES.get(self.status) or ("server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """Return the error as a response."""
        return JSONResponse(self.content(), self.status, self.headers)


def error_of_recording(error: PipelineError) -> ApiError:
    """Return the error of a recording as the client sees it."""
    message = str(error).removeprefix(f"{RECORDING}: ")
    if isinstance(error, TooLongError):
        return ApiError(413, f"the recording: {message}", "audio_too_long", "file")
    if isinstance(error, StoppedError):
        return stopped()
    if isinstance(error, DataError):
        return ApiError(400, f"the recording: {message}", "invalid_audio", "file")
    return ApiError(500, "the recording cannot be transcribed", "internal_error")


def unauthorised() -> ApiError:
    """Return the error of a request without the token."""
    return ApiError(401, "a valid token is missing: Authorization: Bearer TOKEN", "invalid_api_key", headers={"www-authenticate": "Bearer"})


def too_many(running: int) -> ApiError:
    """Return the error of a request for which there is no place."""
    return ApiError(429, f"{running} requests are running, which is the limit; try again later", "rate_limit_exceeded",
                    headers={"retry-after": str(RETRY_AFTER_S)})


def too_large(most_bytes: int) -> ApiError:
    """Return the error of an upload that is too large."""
    return ApiError(413, f"the request is larger than {most_bytes} bytes", "request_too_large", "file")


def took_too_long(timeout_s: float) -> ApiError:
    """Return the error of a recording that was not done in time; the same recording would take as long again."""
    return ApiError(408, f"the transcription took more than {timeout_s:g} s", "timeout", headers={"x-should-retry": "false"})


def client_closed() -> ApiError:
    """Return the error of a client that has gone, which only the log sees."""
    return ApiError(400, "the client closed the connection", "client_closed")


def no_model(name: str, version: str) -> ApiError:
    """Return the error of a request for another model.

    Args:
        name: of the model in service.
        version: of the model in service.
    """
    return ApiError(404, f"this model is not in service; {name} is {version}", "model_not_found", "model")


def unavailable() -> ApiError:
    """Return the error of a request for which the model's files are missing or damaged."""
    return ApiError(503, "the model cannot be loaded", "model_unavailable", headers={"retry-after": "30"})


def stopped() -> ApiError:
    """Return the error of a request that another process has to take."""
    return ApiError(503, "the service is stopping; send the request again", "stopping",
                    headers={"retry-after": str(RETRY_AFTER_S), "x-should-retry": "true"})
