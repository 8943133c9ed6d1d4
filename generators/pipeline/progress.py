"""What a terminal shows below the lines that were told: how much is done, since when, and what still runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from generators.pipeline.catalog import QuestionId

AtWork = Callable[[Collection[QuestionId], int], None]
"""Called with the questions that processes work at, none for a while without them, and how many are not finished."""


def quiet(running: Collection[QuestionId], left: int) -> None:
    """Show nothing."""


@contextmanager
def progress(total: int) -> Iterator[AtWork]:
    """Show how far `total` questions are, on a terminal alone; a log has the lines that are told."""
    if not sys.stderr.isatty():
        yield quiet
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    line = Progress(*columns, console=Console(stderr=True), transient=True)
    task = line.add_task("", total=total)

    def at_work(running: Collection[QuestionId], left: int) -> None:
        if not running:
            line.stop()
            return
        line.start()  # only now, as processes must not fork from its thread's locks
        line.update(task, completed=total - left, description=", ".join(sorted({str(one) for one in running})))

    try:
        yield at_work
    finally:
        line.stop()
