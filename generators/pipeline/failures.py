"""Says in one line where code of a question failed."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generators.errors import ProjectError, RenderError
from generators.pipeline.catalog import COURSES, GENERATORS, shown


@contextmanager
def named(what: str, whose: object = "") -> Iterator[None]:
    """Turn any other error into one that names the file, the line and what failed, and whose it is where the file does not."""
    try:
        yield
    except (ProjectError, OSError):  # a file that cannot be read is named by the command line
        raise
    except Exception as error:
        raise RenderError(described(error, what, whose)) from error


def described(error: Exception, what: str, whose: object = "") -> str:
    """The last place that an error passed, best in a question's package, what failed there, and why."""
    reason = f"{what} failed: {type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown(Path(error.filename))}: line {error.lineno}: {what} failed: {type(error).__name__}: {error.msg}"
    places = [one for one in traceback.extract_tb(error.__traceback__) if GENERATORS in Path(one.filename).parents]
    own = [one for one in places if COURSES in Path(one.filename).parents]
    if not places:
        return reason
    last = (own or places)[-1]
    prefix = "" if own or not whose else f"{whose}: "
    return f"{prefix}{shown(Path(last.filename))}: line {last.lineno}: {reason}"
