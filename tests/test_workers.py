"""Worker processes, and what a signal does to them."""

from __future__ import annotations

import subprocess
import sys

from generators.pipeline.catalog import ROOT

FORKING = """
import os, signal, sys
from generators.pipeline.workers import workers
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
os.register_at_fork(**{when: lambda: os.kill(os.getpid(), signal.SIGTERM) for when in ("after_in_parent", "after_in_child")})
with workers(1) as pool:
    print(pool.submit(int, 7).result())
"""


def test_a_signal_in_the_middle_of_a_fork_is_answered_once() -> None:
    """By the parent, after the fork: Python loses what is raised within one, and a child would answer for its parent."""
    done = subprocess.run([sys.executable, "-c", FORKING], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
