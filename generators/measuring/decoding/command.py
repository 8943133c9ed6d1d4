"""What the two generation programs share on the command line: refusals on one line, timing, recording."""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from generators.errors import MeasureError, ProjectError
from generators.measuring.machine import DTYPES, described
from generators.recording import Output, Recording, Series, save


class Parser(argparse.ArgumentParser):
    """Refuses with one line and status 2, without printing the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the refusal and end."""
        self.exit(2, f"error: {message}\n")


def utf8(text: str) -> str:
    """An argument; bytes that are no text, which a shell may pass, are refused."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("must be text in UTF-8") from None
    return text


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Options that the course's programs lack; their defaults do what those programs do."""
    parser.add_argument("--chat", action="store_true", help="give the prompt as a user's turn, as a chat model was trained")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--dtype", default="float32", choices=DTYPES)
    parser.add_argument("--seed", type=int, default=0, help="torch's seed, set again before every run")
    parser.add_argument("--warmup", type=int, default=1, help="runs before the timed ones")
    parser.add_argument("--runs", type=int, default=3, help="timed runs")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write raw samples and outputs as a Recording")


def refuse_bad_runs(arguments: argparse.Namespace) -> None:
    """Raise MeasureError on impossible numbers of runs, or a record that could not be written at the end."""
    if arguments.runs < 1:
        raise MeasureError(f"runs: must be at least 1 (got {arguments.runs})")
    if arguments.warmup < 0:
        raise MeasureError(f"warmup: must be at least 0 (got {arguments.warmup})")
    if not 0 <= arguments.seed < 2**63:
        raise MeasureError(f"seed: must be from 0 to 2^63 - 1 (got {arguments.seed})")
    if arguments.record and (arguments.record.is_dir() or not arguments.record.absolute().parent.is_dir()):
        raise MeasureError(f"record: must be a file in a folder that exists (got {arguments.record})")


def seconds_line(samples: Sequence[float]) -> str:
    """Median, range and number of timed runs, in words."""
    low, high, number = min(samples), max(samples), len(samples)
    median = statistics.median(samples)
    return f"seconds per run: {median:.4f} s (median of {number} runs, {low:.4f} to {high:.4f})"


def record(
    arguments: argparse.Namespace, program: str, device: Any, models: dict[str, Any], series: list[Series], outputs: list[Output]
) -> None:
    """Write what a program ran as a Recording, where asked to."""
    if not arguments.record:
        return
    parameters = {name: value for name, value in vars(arguments).items() if name != "record"}
    options = launch_options({**parameters, "record": arguments.record})
    recording = Recording(
        what=program,
        parameters=parameters,
        command=f"python -m generators.measuring.{program} {options}",
        models=models,
        series=tuple(series),
        outputs=tuple(outputs),
        **described(device),
    )
    try:
        save(recording, arguments.record)
    except OSError as error:
        raise MeasureError(f"record: {arguments.record} cannot be written ({type(error).__name__})") from error


def launch_options(parameters: dict[str, Any]) -> str:
    """Options as one would type them in a shell; True is an option without a value, and False is left out."""
    said = {
        name: "" if value is True else f" {shlex.quote(str(value))}" for name, value in parameters.items() if value is not False
    }
    return " ".join(f"--{name}{value}" for name, value in said.items())


def tell(line: str) -> None:
    """Progress, with the time of day."""
    print(f"{datetime.now().astimezone():%H:%M:%S} {line}", flush=True)


def end_with(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a program; what it refuses ends with one line and its status."""
    try:
        main(None)
    except ProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
