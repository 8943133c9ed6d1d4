"""One build in a process of its own, with this project's modules as they are now on the disk."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from generators.errors import ProjectError
from generators.pipeline.failures import described
from generators.pipeline.workers import SETTINGS, end_with_parent


def warm_up() -> None:
    """Begin to import what builds need of other packages, in the process that they fork from."""
    os.environ |= SETTINGS | {"NO_MKDOCS_2_WARNING": "1"}
    multiprocessing.set_forkserver_preload(["generators.pipeline.live.warm"])
    forkserver.ensure_running()


class Step:
    """A process that imports this project's modules, and then does one function of `drafts.py`; ended if out of date."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_run, args=(there,))
        self._process.start()
        there.close()

    def begin(self, work: str) -> None:
        """Do this function."""
        with suppress(BrokenPipeError):  # it has failed, and `result` says how
            self._here.send(work)

    def has_ended(self) -> bool:
        """Whether `result` would not wait."""
        return self._here.poll()

    def result(self) -> Any:
        """What the function gave; ProjectError with one line where it failed."""
        try:
            error, made = self._here.recv()
        except EOFError:
            error, made = "the build ended without a word; the terminal may say why", None
        self._process.join()
        if error:
            raise ProjectError(error)
        return made

    def end(self) -> None:
        """End it; its own processes follow."""
        self._process.terminate()
        self._process.join()


def _run(parent: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # `serve` answers Ctrl-C, and ends its steps
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is open is closed
    end_with_parent()
    try:
        drafts = importlib.import_module("generators.pipeline.live.drafts")
        importlib.import_module("generators.pipeline.unit")
        parent.send(("", getattr(drafts, parent.recv())(_tell)))
    except ProjectError as error:
        parent.send((str(error), None))
    except Exception as error:
        parent.send((described(error, "the build"), None))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
