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


FAILING = """
import time
from generators.pipeline.workers import workers
def wait_and_fail(seconds):
    time.sleep(seconds)
    raise ValueError
for round in range(8):
    try:
        with workers(2) as failing, workers(1) as other:
            failed = failing.submit(wait_and_fail, 0.02 + 0.01 * round)
            for _ in range(50):
                for pool in (failing, other):
                    pool.submit(bytes.upper, bytes(3_000_000))
            failed.result()
    except ValueError:
        print("failed")
"""


def test_workers_that_are_ended_while_they_pass_results_on_keep_nobody_waiting() -> None:
    """Who reads a result that is passed on in part would wait for the rest for ever."""
    done = subprocess.run([sys.executable, "-c", FAILING], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "failed\n" * 8, "")


KILLED = """
import os, signal
from generators.errors import WorkerDied
from generators.pipeline.workers import workers
try:
    with workers(2) as pool:
        os.kill(pool.submit(os.getpid).result(), signal.SIGKILL)
        while True:
            pool.submit(int, 7).result()
except WorkerDied:
    print("died")
"""


def test_a_worker_that_is_killed_is_noticed() -> None:
    """It may hold the lock under which the others take their jobs."""
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "died\n", "")
