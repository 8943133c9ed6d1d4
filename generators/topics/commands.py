"""Commands for a shell, as pages print them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

LONGEST = 72
"""Letters of a command's line, unless one option alone is longer."""


def command(program: str, arguments: Mapping[str, Any]) -> str:
    """A program with its options; an exact decimal is written as one, and a switch has no value."""
    return wrapped(program, [_option(name, value) for name, value in arguments.items()])


def wrapped(program: str, options: Sequence[str]) -> str:
    """A program with options; lines break between options only."""
    lines = [program]
    for option in options:
        if len(lines[-1]) + 1 + len(option) <= LONGEST:
            lines[-1] += f" {option}"
        else:
            lines.append(option)
    return " \\\n    ".join(lines)


def _option(name: str, value: Any) -> str:
    if value is True:
        return f"--{name}"
    return f"--{name} {shlex.quote(str(float(value) if isinstance(value, Fraction) else value))}"
