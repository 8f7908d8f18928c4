"""`vizinho serve`: the champion over HTTP until a signal stops the process."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.core.files import ROOT

TOKEN = "VIZINHO_SERVE_TOKEN"


def serve_until_stopped(host: str, port: int, backend: str, model: Path | None, *, checkout: Path | None, language_model: bool,
                        workers: int | None, batch_s: float, requests: int, upload_bytes: int, upload_s: float, audio_s: float, answer_s: float,
                        connections: int, grace_s: float, pull_s: float, unload_after_s: float) -> None:
    """Serve until SIGTERM or SIGINT; the arguments are those of `make_server` and `Bounds`.

    Raises:
        ParamsError: the service would listen on another interface without a token.
        PipelineError: the champion cannot be loaded.
    """
    from pipeline.audio.quiet import quiet_libraries
    from pipeline.decoding.networks import Backend
    from pipeline.serving.api import Bounds
    from pipeline.serving.server import gpu_lock, log_to_standard_error, make_server

    with quiet_libraries(), gpu_lock(Backend(backend)):
        log_to_standard_error()
        make_server(checkout or ROOT, host, port, os.environ.get(TOKEN, "").strip() or None, Backend(backend), model=model,
                    language_model=language_model, bounds=Bounds(requests, upload_bytes, upload_s, answer_s, connections), workers=workers,
                    batch_s=batch_s, audio_s=audio_s, grace_s=grace_s, pull_s=pull_s, unload_after_s=unload_after_s).run()
