"""Renew recordings on the machine at hand: python -m generators.measuring.measure_all [--device cpu|cuda] [--only NAME ...].

Each is saved as soon as it is made, and one that fails does not stop the others.
"""

from __future__ import annotations

import time
import traceback
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generators.errors import MeasureError, ProjectError
from generators.measuring.decoding.command import Parser, end_with, tell
from generators.measuring.machine import device_at_hand, device_named
from generators.measuring.measurements.collect import recorded
from generators.measuring.measurements.plan import NAMES, RECORDINGS, measure_of, parameters_of
from generators.pipeline.recorded import command_of


def parser() -> Parser:
    """The command line."""
    options = Parser(prog="python -m generators.measuring.measure_all", description=__doc__.splitlines()[0])
    options.add_argument("--device", help="cpu, cuda or cuda:N; a CUDA device where there is one")
    options.add_argument("--out", type=Path, default=RECORDINGS)
    options.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    options.add_argument("--small", action="store_true", help="tiny sizes, to see that everything runs")
    options.add_argument("--models", nargs=2, metavar=("MODEL", "DRAFT"), help="with --small: what to run instead")
    options.add_argument("--stop-after", type=float, default=3600.0, metavar="SECONDS", help="start no recording after this long")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Make the chosen recordings in order; end with status 2 and their names if any is missing."""
    arguments = parser().parse_args(argv)
    if arguments.small and arguments.out.resolve() == RECORDINGS:
        raise MeasureError("out: small recordings must not replace the ones that pages show; give another folder")
    if arguments.models and not arguments.small:
        raise MeasureError("models: is for --small only, else measurements.yml says what runs")
    device = device_named(arguments.device or device_at_hand())
    start, missing = time.perf_counter(), []
    for what in arguments.only:
        if time.perf_counter() - start > arguments.stop_after:
            tell(f"{what}: not started, {arguments.stop_after:.0f} s have passed")
            missing.append(what)
            continue
        parameters = _parameters(what, device.type, arguments)
        try:
            path = recorded(what, measure_of(what), parameters, device, arguments.out, command_of(what, device.type), tell)
        except ProjectError as error:
            tell(f"{what}: {error}")
            missing.append(what)
        except Exception:  # a measurement that breaks must not lose those after it
            tell(f"{what}: failed\n{traceback.format_exc()}")
            missing.append(what)
        else:
            tell(f"{what}: {path}, {time.perf_counter() - start:.0f} s since the start")
    if missing:
        raise MeasureError(f"not recorded: {', '.join(missing)}")


def _parameters(what: str, device_kind: str, arguments: Namespace) -> dict[str, Any]:
    """What measurements.yml says, with other models where they were asked for."""
    parameters = parameters_of(what, device_kind, small=arguments.small)
    model, draft = arguments.models or (None, None)
    others = {"model": model, "hf_model_name": model, "target": model, "assistant": draft}
    return {field: (isinstance(value, str) and others.get(field)) or value for field, value in parameters.items()}


if __name__ == "__main__":
    end_with(main)
