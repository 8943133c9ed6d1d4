"""Commands for a shell, found again: a space inside an option is hidden from the wrapping, which breaks between options only."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping
from typing import Any


def command(program: str, options: Mapping[str, Any], more: str = "") -> str:
    """A program and its options as a shell needs them, on lines of 72 letters; `more` stands last."""
    said = ("--" + name + ("" if value is True else f" {shlex.quote(str(value))}") for name, value in options.items())
    hidden = (word.replace(" ", "\0") for word in [program, *said, *filter(None, [more])])
    lines = textwrap.wrap(" ".join(hidden), 72, break_long_words=False, break_on_hyphens=False)
    return " \\\n    ".join(lines).replace("\0", " ")
