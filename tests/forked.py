"""Commands in forks of a process that has imported the libraries of a build: each begins a second earlier."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

CHECKOUT = Path(__file__).resolve().parent.parent
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["generators.pipeline.live.warm"])


def run(arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> CompletedProcess[str]:
    """Run `python -m generators`, or code after `-c`, in a folder to its end; both streams are kept as text."""
    with tempfile.TemporaryDirectory() as place:
        streams = [Path(place, name) for name in ("stdout", "stderr")]
        for stream in streams:
            stream.touch()
        process = SERVER.Process(target=_become, args=(arguments, folder, environment, streams))
        process.start()
        try:
            process.join()
        except BaseException:
            process.kill()
            raise
        stdout, stderr = (stream.read_text(encoding="utf-8") for stream in streams)
    return CompletedProcess(arguments, process.exitcode or 0, stdout, stderr)


def _become(arguments: Sequence[str], folder: Path, environment: dict[str, str], streams: Sequence[Path]) -> None:
    """Run the command as this process, with the modules of the folder, after a module of the tests if the environment says so."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if first := environment.get("IMPORTED_FIRST"):
        importlib.import_module(first)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("generators", "tests", "benchmarks")]:
        del sys.modules[name]
    sys.path[:] = [str(folder), *(one for one in sys.path if one not in ("", str(CHECKOUT)))]
    sys.argv[1:] = arguments
    sys.dont_write_bytecode = False
    if arguments[0] == "-c":
        exec(arguments[1], {})
    else:
        runpy.run_module("generators", run_name="__main__", alter_sys=True)
