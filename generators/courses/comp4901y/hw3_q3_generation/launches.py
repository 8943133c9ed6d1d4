"""The command lines that a page prints, and the texts that the recorded runs gave."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from generators.answer import Item, claim, text
from generators.recording import Recording
from generators.table import table

PROGRAM = "python -m generators.measuring.hw3_generate"
LONGEST = 72
"""Letters of a command's line, unless one option alone is longer."""
MOST = 3
"""Settings of an argument that are shown, the first and the last among them."""


def launch(arguments: Mapping[str, Any], *last: str) -> str:
    """A command for a shell, whose lines break between options only; an exact decimal is written as one."""
    values = {name: float(value) if isinstance(value, Fraction) else value for name, value in arguments.items()}
    lines = [PROGRAM]
    for option in (*(f"--{name} {shlex.quote(str(value))}" for name, value in values.items()), *last):
        if len(lines[-1]) + 1 + len(option) <= LONGEST:
            lines[-1] += f" {option}"
        else:
            lines.append(option)
    return " \\\n    ".join(lines)


def launched(recording: Recording, argument: str) -> Iterator[Item]:
    """A loop over the launches, and what each returned, as far as that was recorded.

    A launch returns as many texts as it has beams. Where a recording drew many texts at once, the first of them is taken.
    """
    taken = recording.parameters
    arguments = {"hf_model_name": taken["model"], "prompt_seq": taken["prompt"]}
    arguments |= {name: taken[name] for name in ("output_len", "beam_width", "top_k", "top_p") if name in taken}
    arguments |= {"seed": taken["seed"], "device": recording.device_kind, "dtype": taken["dtype"]}
    found: dict[Any, list[str]] = {}
    for output in recording.outputs:
        if output.at.get("do_sample", True):
            found.setdefault(output.at[argument], []).append(output.text)
    step = max(Fraction(1), Fraction(len(found) - 1, MOST - 1))
    found = {value: found[value] for value in (list(found)[round(step * place)] for place in range(min(MOST, len(found))))}
    widths = {value: value if argument == "beam_width" else 1 for value in found}
    command = launch(arguments, f"--{argument} $N").replace(" \\\n", " \\\n  ")
    yield text("launch", f"for N in {' '.join(map(str, found))}; do\n  {command}\ndone")
    rows = {f"n_{value}": (f"--{argument} {value}", _printed(texts[: widths[value]])) for value, texts in found.items()}
    yield table("outputs", ["setting", "text"], rows, asked=True)
    batched, several = "sequences" in taken, any(len(found[value]) < widths[value] for value in found)
    yield claim("batched", batched, "many texts were drawn at once")
    yield claim("first_of_several", several, "only the first text was recorded")
    yield claim("as_launched", not (batched or several), "every text of a launch is shown")


def _printed(texts: Sequence[str]) -> str:
    """The lines that the program prints of texts, with other letters than ASCII's escaped."""
    return "\n".join(f"Generated: {text}" for text in texts).encode("ascii", "backslashreplace").decode()
