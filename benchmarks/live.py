"""Seconds from saving a file to the page that `serve` then shows, as a browser that asks all the time would see it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 60
SETTLED_S = 10
"""How long nothing is saved before each change, so that the check of the change before has ended."""


def until_shown(folder: Path, page: str, change: Callable[[Path], None], runs: int) -> list[float]:
    """Seconds of each change until the text of a page is another, after one change that is not counted."""
    samples = []
    with _serving(folder) as address:
        for _ in range(runs + 1):
            time.sleep(SETTLED_S)
            before = _text(address + page)
            change(folder)
            start = time.perf_counter()
            while _text(address + page) == before:
                if time.perf_counter() - start > PATIENCE_S:
                    raise TimeoutError(f"{page} stays as it was")
                time.sleep(0.01)
            samples.append(round(time.perf_counter() - start, 3))
    return samples[1:]


def _text(address: str) -> str:
    """A page without the script of the server, which counts versions."""
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        text: str = answer.read().decode()
    return text.rpartition("<script>")[0]


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "generators", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        yield next(found[1] for line in process.stderr or () if (found := re.match(r"serving (\S+)", line)))
    finally:
        process.terminate()
        process.communicate()
