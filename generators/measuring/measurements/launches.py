"""Homework 3, question 3: the program started as a reader starts it, once for each value of each argument."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from generators.errors import MeasureError
from generators.measuring import hw3_generate
from generators.measuring.decoding.command import launch_options
from generators.measuring.measurements.collect import Item, Model
from generators.pipeline.catalog import ROOT
from generators.recording import At, Output

PROGRAM = f"generators.measuring.{hw3_generate.PROGRAM}"


def measure(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """Every sequence that each launch returned, with the command; what a command leaves out is the program's default."""
    usual = vars(hw3_generate.parser().parse_args([]))
    given = {name: parameters[name] for name in usual if name in parameters} | {"device": device.type}
    for argument, values in parameters["values"].items():
        for value in values:
            others = {name: one for name, one in given.items() if name != argument and one != usual[name]}
            options = {**others, argument: value}
            at: At = {"argument": argument, "value": value, "command": f"python -m {PROGRAM} {launch_options(options)}"}
            made = _recorded(options)
            yield from (Model(name, card) for name, card in made["models"].items())
            yield from (Output(at={**at, **one["at"]}, text=one["text"]) for one in made["outputs"])


def _recorded(options: dict[str, Any]) -> dict[str, Any]:
    """What the program writes of a launch."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "launch.json"
        words = [sys.executable, "-m", PROGRAM, "--record", str(path), *shlex.split(launch_options(options))]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MeasureError(f"{' '.join(words)}: ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
