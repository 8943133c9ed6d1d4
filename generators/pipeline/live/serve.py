"""The loop of `serve`: what is saved is shown at once, and then checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchfiles import Change, DefaultFilter, watch

from generators.errors import ProjectError
from generators.pipeline.build import Tell
from generators.pipeline.catalog import ROOT
from generators.pipeline.files import SITE
from generators.pipeline.live.drafts import DRAFTS
from generators.pipeline.live.server import Showing, serving
from generators.pipeline.live.step import Step, warm_up
from generators.pipeline.stamp import READ, READ_FILES, made_by_builds

_CHECKING = "being checked"
_CODE = {".py", ""}
"""Endings of what may be modules: those of files, and of folders that are moved."""


class _Read(DefaultFilter):
    """Lets pass what a build reads, and nothing that it writes."""

    def __call__(self, change: Change, path: str) -> bool:
        return super().__call__(change, path) and not made_by_builds(Path(path))


def serve(port: int, tell: Tell) -> None:
    """Show the site on this machine until Ctrl-C; each change of a file is shown as a draft, and then checked."""
    showing = Showing(SITE)
    folders, files = [ROOT / name for name in READ], _saved()
    with serving(showing, port) as address:
        warm_up()
        tell(f"serving {address} (Ctrl-C ends it)")
        live = _Live(showing, tell)
        try:
            for changes in watch(*folders, watch_filter=_Read(), debounce=400, step=20, rust_timeout=100, yield_on_timeout=True):
                before, files = files, _saved()
                if changes or files != before:
                    live.change(code=any(Path(path).suffix in _CODE for _, path in changes))
                else:
                    live.look()
        finally:
            live.end()


def _saved() -> list[int]:
    """When each single file was saved; a watcher would lose one that an editor replaces."""
    return [path.stat().st_mtime_ns if path.is_file() else 0 for path in (ROOT / name for name in READ_FILES)]


class _Live:
    """What is shown, the step that runs, a draft or a check beside it, and one that stands ready for the next change."""

    def __init__(self, showing: Showing, tell: Tell) -> None:
        self.showing, self.tell = showing, tell
        self.step: Step | None = None
        self.ready: Step | None = None
        self.since = 0.0

    def change(self, *, code: bool) -> None:
        """Show what changed; after a change of code, what stands ready has the modules of before."""
        self._end_step()
        if code and self.ready:
            self.ready.end()
            self.ready = None
        with self._told():
            self._draft()

    def look(self) -> None:
        """Make a step ready, and show what a check that ended found."""
        self.ready = self.ready or Step()
        if self.step and self.step.has_ended():
            with self._told():
                self._checked(self.step)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except ProjectError as error:
            self.step = None
            self.tell(f"error: {error}")
            self.showing.note(f"error: {error}")

    def _next(self, work: str) -> Step:
        step, self.ready = self.ready or Step(), None
        step.begin(work)
        return step

    def _draft(self) -> None:
        self.since = time.perf_counter()
        self.step = self._next("build_drafts")
        complete = self.step.result()
        self.showing.pages(DRAFTS, "" if complete else _CHECKING)
        self.tell(f"shown after {self._seconds()}")
        self.step = self._next("build_checked")

    def _checked(self, check: Step) -> None:
        self.step = None
        check.result()
        if self.showing.now.note:
            self.showing.pages(SITE)
        self.tell(f"checked after {self._seconds()}")

    def _seconds(self) -> str:
        return f"{time.perf_counter() - self.since:.1f} s"

    def end(self) -> None:
        """End what runs or stands ready."""
        self._end_step()
        if self.ready:
            self.ready.end()

    def _end_step(self) -> None:
        if self.step:
            self.step.end()
            self.step = None
