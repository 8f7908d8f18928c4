"""The system that is served: the champion of a checkout, loaded, watched and replaced while requests run."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipeline.core.errors import PipelineError
from pipeline.core.files import hash_bytes
from pipeline.core.params import read_params
from pipeline.decoding.beam import HotWord
from pipeline.decoding.networks import Backend, Network
from pipeline.decoding.recordings import Decode
from pipeline.decoding.system import System
from pipeline.registry import tags
from pipeline.registry.record import CHAMPION_POINTER, DAY_ONE, champion, champion_folder

DECODERS: Final = 4
"""Decoders with hot words that are kept: each has an n-gram in memory."""

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Served:
    """A system that is in service.

    Args:
        version: of the champion, `day-one` for the first, or the start of the weights' hash for a model outside the registry.
        system: loaded.
    """

    version: str
    system: System
    network: Network = field(init=False)
    longest_s: float = field(init=False)
    _plain: Decode = field(init=False)
    _decoders: OrderedDict[tuple[str, ...], Decode] = field(init=False, default_factory=OrderedDict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.network, self.longest_s, self._plain = self.system.network, self.system.longest_s, self.system.decoder()

    def decoder(self, phrases: tuple[str, ...]) -> Decode:
        """Return what decodes logits and favours these phrases. The last few are kept; others load the n-gram, one thread at a time.

        Raises:
            DataError: the phrases have letters that the model does not write.
        """
        if not phrases:
            return self._plain
        with self._lock:
            if phrases not in self._decoders:
                self._decoders[phrases] = self.system.decoder([HotWord(phrase) for phrase in phrases])
            self._decoders.move_to_end(phrases)
            while len(self._decoders) > DECODERS:
                self._decoders.popitem(last=False)
            return self._decoders[phrases]


class Champion:
    """Loads the champion of a checkout and replaces it when the checkout has another one. All methods may be called from any thread.

    Args:
        root: of the checkout.
        backend: what runs the network.
        language_model: whether the model's decoder is used.
        model: a model folder to serve instead of the champion; it is not watched.
        unload_after_s: time without a request after which the model leaves memory; 0 for never.
        reloaded: is called with True after a replacement, with False after one that failed.
    """

    def __init__(self, root: Path, backend: Backend = Backend.TORCH, language_model: bool = True, model: Path | None = None,
                 unload_after_s: float = 0.0, reloaded: Callable[[bool], object] = lambda _: None) -> None:
        self._root, self._backend, self._language_model, self._model = root, backend, language_model, model
        self._unload_after_s, self._reloaded = unload_after_s, reloaded
        self._loading = threading.Lock()
        self._served: Served | None = None
        self._pointer = ""
        self._problem = ""
        self._used = time.monotonic()
        self.version = ""
        self.tagged: str | None = None

    @property
    def loaded(self) -> bool:
        """Return whether the model is in memory."""
        return self._served is not None

    @property
    def behind(self) -> bool:
        """Return whether the registry's tag names another version than the one that is served."""
        return self.tagged is not None and self.tagged != self.version

    def at_hand(self) -> Served | None:
        """Return the system in service, or None if it is not in memory. It waits for nothing."""
        self._used = time.monotonic()
        return self._served

    def acquire(self) -> Served:
        """Return the system in service; load it if it is not in memory.

        Raises:
            PipelineError: it cannot be loaded.
        """
        if (served := self.at_hand()) is not None:
            return served
        with self._loading:
            return self._served or self._load()

    def check(self) -> None:
        """Replace the system if `champion.yaml` has changed, and note what the registry's tag says. A failure leaves the old one in service."""
        if self._model is not None:
            return
        self._note_tag()
        with self._loading:
            try:
                if (pointer := self._read_pointer()) == self._pointer:
                    return
                if self._served is None:  # the next request loads the new one
                    champion_folder(self._root)
                    self.version, self._pointer = self._named(), pointer
                else:
                    self._load()
                self._problem = ""
                self._reloaded(True)
            except (PipelineError, OSError) as error:
                if str(error) != self._problem:
                    log.error("%s stays in service: %s", self.version, error)
                    self._reloaded(False)
                self._problem = str(error)

    def unload_if_idle(self, busy: Callable[[Served], bool]) -> bool:
        """Drop the model from memory if no request has used it for long; return whether it was dropped.

        Args:
            busy: returns whether a request still needs it.
        """
        with self._loading:
            if self._served is None or not self._unload_after_s:
                return False
            if busy(self._served):
                self._used = time.monotonic()
            if time.monotonic() - self._used <= self._unload_after_s:
                return False
            self._served = None
        _free_memory()
        log.info("%s was unloaded: no request for %g s", self.version, self._unload_after_s)
        return True

    def _load(self) -> Served:
        """Load the system that the checkout names; return it."""
        pointer = self._read_pointer()
        if self._model is None:
            folder, version = champion_folder(self._root), self._named()
        else:
            folder, version = self._model, ""
        started = time.monotonic()
        system = System(folder, self._backend, self._root, self._language_model)
        served, old = Served(version or system.weights_hash[:12], system), self._served
        self._served, self._pointer, self.version = served, pointer, served.version
        log.info("%s is in service, loaded in %.1f s", self.version, time.monotonic() - started)
        if old is not None:
            del old
            _free_memory()
        return served

    def _named(self) -> str:
        record = champion(self._root)[1]
        return record.version if record else DAY_ONE

    def _read_pointer(self) -> str:
        return "" if self._model is not None else hash_bytes((self._root / CHAMPION_POINTER).read_bytes())

    def _note_tag(self) -> None:
        """Read which version the registry's tag names; None without a repository, or on day one."""
        try:
            assignment = tags.current(self._root, read_params(self._root / "params.yaml")["registry"]["artefact"])
        except (PipelineError, KeyError, TypeError):
            return
        tagged = assignment.version if assignment else None
        if tagged != self.tagged and tagged is not None and tagged != self.version:
            log.warning("the registry's tag names %s, %s is in service: pull champion.yaml and the model's files", tagged, self.version)
        self.tagged = tagged


def _free_memory() -> None:
    gc.collect()
    if torch := sys.modules.get("torch"):
        torch.cuda.empty_cache()
