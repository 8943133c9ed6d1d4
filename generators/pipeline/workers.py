"""Processes that work questions out side by side."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from generators.errors import WorkerDied

FORKS = sys.platform == "linux"
"""Whether a worker begins with all that this process has in memory."""

SETTINGS = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""What must stand in the environment before torch and transformers are imported."""


@contextmanager
def workers(jobs: int, *, gives_way: bool = False) -> Iterator[ProcessPoolExecutor]:
    """Processes that share the machine's cores and import slow packages only when they need them; a failure ends them at once.

    Those that give way run when other processes leave a core idle.
    """
    method = "fork" if FORKS else "spawn"
    count = max(1, min(os.cpu_count() or 1, jobs))
    pool = _Pool(count, multiprocessing.get_context(method), initializer=_prepare_worker, initargs=(os.getpid(), gives_way))
    _pools.append(pool)
    try:
        yield pool
    except BaseException as failure:
        _end_all()
        if isinstance(failure, BrokenProcessPool):
            raise WorkerDied(
                "a worker process was ended from outside, perhaps for lack of memory; run the command again"
            ) from failure
        raise
    _pools.remove(pool)
    pool.shutdown()


_pools: list[ProcessPoolExecutor] = []
"""Those in use."""


def _end_all() -> None:
    """End the processes of all pools: one that is left holds pipes open in which another pool waits to write."""
    with _signals_wait():
        for child in multiprocessing.active_children():
            child.kill()
        for pool in _pools:
            pool._result_queue._writer.close()  # type: ignore[attr-defined]  # else a result sent in part is waited for
        while _pools:
            _pools.pop().shutdown(cancel_futures=True)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """A signal that comes meanwhile is answered afterwards, here alone; of two kinds the one that ends this process.

    Within a fork Python loses what its answer raises; within a pool's end some workers would be left.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    answers = {one: signal.signal(one, lambda number, _: came.append(number)) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, answer in answers.items():
            signal.signal(one, answer)
        if came:
            signal.raise_signal(signal.SIGTERM if signal.SIGTERM in came else signal.SIGINT)


class _Pool(ProcessPoolExecutor):
    def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
        """Processes begin with the first job."""
        with _signals_wait():
            return super().submit(*arguments, **named)


def _prepare_worker(parent: int, gives_way: bool) -> None:
    """One thread a process, no hub, no notices; no garbage collection, which costs a fifth of torch's import."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C, and ends its workers
    os.environ |= SETTINGS
    gc.disable()
    if gives_way and hasattr(os, "nice"):
        os.nice(5)
    end_with_parent(parent)


def end_with_parent(parent: int | None = None) -> None:
    """End this process when its parent was killed and could not."""
    threading.Thread(target=_end_with, args=(parent or os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
