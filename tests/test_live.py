"""`serve` in a real browser: an open page follows what is saved, and says what is wrong with it."""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import needs_chromium
from tests.project import Project, environment

pytestmark = needs_chromium

TEMPLATE = "templates/comp4901y/hw4_q2_tree_attention.md.j2"
PARAMS = "generators/courses/comp4901y/params.yml"
PATIENCE_MS = 60_000


@pytest.fixture
def page(project: Project, browser: Browser) -> Iterator[Page]:
    """The page of one question, served while its project is edited."""
    terminal = project.path("terminal.txt")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # programs inherit that a shell lets tests ignore Ctrl-C
    with terminal.open("w") as lines:
        serving = subprocess.Popen(project.command("serve", "--port", "0"), cwd=project.folder, env=environment(), stderr=lines)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = context.new_page()
        page.goto(f"{address(project)}answers/comp4901y/hw4/question2.html")
        yield page
    finally:
        context.close()
        signal.signal(signal.SIGINT, before)
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=30) == 0
    assert "Traceback" not in told(project)


def told(project: Project) -> str:
    """What the terminal shows so far."""
    return project.path("terminal.txt").read_text(encoding="utf-8")


def address(project: Project) -> str:
    """What `serve` says that it serves."""
    until(lambda: "(Ctrl-C ends it)" in told(project))
    return told(project).partition("serving ")[2].split()[0]


def until(holds: Callable[[], bool]) -> None:
    """Wait for what happens within a minute."""
    for _ in range(PATIENCE_MS // 100):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen")


def test_an_open_page_follows_what_is_saved(project: Project, page: Page) -> None:
    """Words at once; a parameter at once, with a mark until its values are found again; nothing here opens the page anew."""
    article, bar = page.locator("article"), page.locator("#live")
    expect(bar).to_be_hidden()
    project.replace(TEMPLATE, "Candidate continuations can", "Several continuations can")
    expect(article).to_contain_text("Several continuations can", timeout=PATIENCE_MS)
    expect(article).to_contain_text("values found again, ")

    before = project.kept()
    project.replace(PARAMS, "rows: ancestors", "rows: queries")
    expect(article.locator(".being-checked")).to_be_visible(timeout=PATIENCE_MS)
    expect(bar).to_have_text("being checked")
    expect(article).to_contain_text("values found again, ", timeout=PATIENCE_MS)
    expect(article.locator(".being-checked")).to_have_count(0)
    expect(bar).to_be_hidden()
    assert project.kept() != before

    project.replace(TEMPLATE, "Several continuations can", "Many {{ continuations can")
    expect(bar).to_contain_text(f"error: {TEMPLATE}: line ", timeout=PATIENCE_MS)
    expect(article).to_contain_text("Several continuations can")
    assert f"error: {TEMPLATE}: line " in told(project)

    project.replace(TEMPLATE, "Many {{ continuations can", "Many continuations can")
    expect(article).to_contain_text("Many continuations can", timeout=PATIENCE_MS)
    expect(bar).to_be_hidden()

    port = page.url.split(":")[2].split("/")[0]
    refusal = project.run("serve", "--port", port)
    message = f"error: port {port}: cannot be used (Address already in use); name another with --port"
    assert (refusal.returncode, refusal.stderr.splitlines()[-1]) == (2, message)


def test_a_step_that_stands_ready_gives_way_to_changed_code(project: Project, page: Page) -> None:
    """The draft has the new module, not the check alone, which is a step of its own."""
    place = page.url
    page.goto("about:blank")
    project.replace(TEMPLATE, "Candidate continuations can", "Several continuations can")
    until(lambda: "checked after" in told(project))
    time.sleep(1)  # a step now stands ready, with this module as it is
    project.replace("generators/pipeline/site/page.py", "PDF to hand in: ", "PDF to give in: ")
    until(lambda: "PDF to give in" in urllib.request.urlopen(place, timeout=30).read().decode())
    assert told(project).count("checked after") == 1


def test_a_value_that_is_not_found_again_is_said(project: Project, page: Page) -> None:
    """The draft stays marked, the check's message stands below it, and `site/` is left as it was."""
    before = project.kept()
    project.replace("generators/topics/prefix_tree.py", "int(i in above[j])", "int(i in above[j] or j == i + 1)")
    # Node 5 is no ancestor of node 4: the changed line alone says so.
    expect(page.locator("#live")).to_contain_text("2.1/mask/4/5: published 1, found 0", timeout=PATIENCE_MS)
    expect(page.locator("article .being-checked")).to_be_visible()
    assert project.kept() == before
