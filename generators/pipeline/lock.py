"""One build at a time in a project's folder; a second one waits and says for what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from generators.errors import Busy
from generators.pipeline.catalog import document_names
from generators.pipeline.digest import digest_of_file
from generators.pipeline.files import write_whole
from generators.pipeline.kept import BUILD

if TYPE_CHECKING:
    from generators.pipeline.build import Tell

_LOCK, _HOLDER = BUILD / "lock", BUILD / "lock.holder"


@contextmanager
def alone(command: str, tell: Tell, *, wait: bool = True) -> Iterator[None]:
    """Hold the folder while a command works; the system lets go of it when the process ends, however it ends.

    Another command that holds it is waited for, or raises Busy where `wait` is false.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise Busy(f"build/: {_holder()} works here; wait for its end, or leave --no-wait out") from None
        tell(f"waiting for the end of {_holder()}, which works here")
        lock.acquire()
        for read in (digest_of_file, document_names):  # what was read before may have changed
            read.cache_clear()
    try:
        write_whole(_HOLDER, f"`{command}` (process {os.getpid()})".encode())
        yield
    finally:
        _HOLDER.unlink(missing_ok=True)
        lock.release()


def _holder() -> str:
    with suppress(OSError):
        return _HOLDER.read_text(encoding="utf-8")
    return "another command"
