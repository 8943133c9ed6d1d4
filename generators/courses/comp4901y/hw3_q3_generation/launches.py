"""The command lines that a page prints, and the texts that the recorded runs gave."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from generators.answer import Item, text
from generators.cells import Cell
from generators.recording import Recording, Scalar
from generators.table import column, table


def launch(arguments: Mapping[str, Any]) -> str:
    """A command line for a shell; an exact decimal is written as one."""
    values = {name: float(value) if isinstance(value, Fraction) else value for name, value in arguments.items()}
    words = (f"--{name} {shlex.quote(str(value))}" for name, value in values.items())
    return f"python -m generators.measuring.hw3_generate {' '.join(words)}"


def setting(value: Scalar) -> Cell:
    """A top-k or a length as it is, a top-p as the decimal that was typed."""
    return value if isinstance(value, int) else Fraction(str(value))


def launched(recording: Recording, argument: str) -> Iterator[Item]:
    """The launch with its changed argument left open as N, and the first text that was drawn for each N."""
    taken = recording.parameters
    arguments = {"hf_model_name": taken["model"], "prompt_seq": taken["prompt"]}
    arguments |= {name: taken[name] for name in ("output_len", "beam_width", "top_k", "top_p") if name in taken}
    arguments |= {"seed": taken["seed"], "device": recording.device_kind, "dtype": taken["dtype"]}
    rows: dict[str, Sequence[Cell]] = {}
    for output in recording.outputs:
        if output.at.get("do_sample", True):
            rows.setdefault(f"n_{output.at[argument]}", (setting(output.at[argument]), ascii(output.text)))
    yield text("launch", f"{launch(arguments)} --{argument} N")
    yield table("outputs", [column("n", "N"), column("text", "Generated text, as a Python literal")], rows, asked=True)
