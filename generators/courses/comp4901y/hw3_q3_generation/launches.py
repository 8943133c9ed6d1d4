"""The command lines that a page prints, and the texts that the recorded launches gave."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from generators.answer import Item, text
from generators.recording import Recording
from generators.table import table
from generators.topics.commands import wrapped

PROGRAM = "python -m generators.measuring.hw3_generate"


def launched(recording: Recording, argument: str) -> Iterator[Item]:
    """A loop over the launches that gave an argument other values, and every text that each returned."""
    found: dict[str, list[str]] = {}
    commands: list[str] = []
    for output in recording.outputs:
        if output.at["argument"] == argument:
            found.setdefault(str(output.at["value"]), []).append(output.text)
            commands.append(str(output.at["command"]))
    options = [*_options(commands[0])[:-1], f"--{argument} $value"]
    command = wrapped(PROGRAM, options).replace(" \\\n", " \\\n  ")
    yield text("launch", f"for value in {' '.join(found)}; do\n  {command}\ndone")
    rows = {f"n_{value}": (f"--{argument} {value}", _printed(texts)) for value, texts in found.items()}
    yield table("outputs", ["setting", "text"], rows, asked=True)


def _options(command: str) -> list[str]:
    """The options of a command, each with its value as a shell needs it."""
    options: list[str] = []
    for word in shlex.split(command)[len(shlex.split(PROGRAM)) :]:
        if word.startswith("--"):
            options.append(word)
        else:
            options[-1] += f" {shlex.quote(word)}"
    return options


def _printed(texts: Sequence[str]) -> str:
    """The lines that the program prints of texts, with other letters than ASCII's escaped."""
    return "\n".join(f"Generated: {text}" for text in texts).encode("ascii", "backslashreplace").decode()
