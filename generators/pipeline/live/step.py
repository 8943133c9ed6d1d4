"""One build in a process of its own, with this project's modules as they are now on the disk."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
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
    """A function of `drafts.py` that runs; ended from here if what it builds is out of date."""

    def __init__(self, work: str) -> None:
        context = multiprocessing.get_context("forkserver")
        self._told, teller = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(work, teller))
        self._process.start()
        teller.close()

    def has_ended(self) -> bool:
        """Whether `result` would not wait."""
        return self._told.poll()

    def result(self) -> Any:
        """What the function gave; ProjectError with one line where it failed."""
        try:
            error, made = self._told.recv()
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


def _run(work: str, teller: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # `serve` answers Ctrl-C, and ends its steps
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is open is closed
    end_with_parent()
    try:
        module = importlib.import_module("generators.pipeline.live.drafts")
        teller.send(("", getattr(module, work)(_tell)))
    except ProjectError as error:
        teller.send((str(error), None))
    except Exception as error:
        teller.send((described(error, "the build"), None))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
