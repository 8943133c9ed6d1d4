"""A real browser for tests: pages served or opened from files, and what they ask for, say and raise."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, Response, ViewportSize

from tests.project import Project

CHROMIUM = shutil.which("chromium")
DESK: ViewportSize = {"width": 1280, "height": 900}
SCHEMES = {"light": "default", "dark": "slate"}
"""What the theme calls them."""
UNREACHABLE = """() => [...document.querySelectorAll('.frame, div.formula, :is(p, li) .formula')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0).length"""
"""How many frames and formulas scroll where the keyboard does not reach them."""

needs_chromium = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the path")]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window; it asks nothing of its own."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


def page_names(project: Project) -> list[str]:
    """Every page's path below site/."""
    folder = project.path("site")
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html") if path.name != "404.html")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not printed."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Watched:
    """What a page asked for, said and raised while it was open."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("dialog", self._asked)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a page still loads when the next one is opened
            self.complaints.append(f"{request.failure}: {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def page_without_errors(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A page whose scripts must raise nothing; `options` are those of a page that is opened."""
    opened = browser.new_page(**options)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(address)
    yield opened
    opened.close()
    assert not errors


def loaded_everything(page: Page) -> bool:
    """Whether each shown picture has a size."""
    found: bool = page.evaluate(
        "() => [...document.images].filter(i => i.offsetParent).every(i => i.complete && i.naturalWidth > 0)"
    )
    return found
