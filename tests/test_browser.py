"""The site in a real browser: over http and from file, light and dark, on a phone, and without JavaScript."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from generators.pipeline.catalog import QuestionId
from tests.conftest import IDS
from tests.project import HOSTILE, Project
from tests.watched import Watched, loaded_everything, served

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
SCHEMES = ("light", "dark")

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the path")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site(built: Project) -> Iterator[str]:
    """The address of the built site."""
    with served(built.path("site")) as address:
        yield address


def names(project: Project) -> list[str]:
    """Every page's path below site/."""
    folder = project.path("site")
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html") if path.name != "404.html")


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Callable[..., tuple[Page, Watched]]]:
    """Opens an address in a context of its own."""
    contexts: list[BrowserContext] = []

    def open_(address: str, **settings: Any) -> tuple[Page, Watched]:
        context = browser.new_context(**{"viewport": DESK, **settings})
        contexts.append(context)
        watched = Watched(context)
        page = context.new_page()
        page.goto(address, wait_until="load")
        return page, watched

    yield open_
    for context in contexts:
        context.close()


def test_pages_ask_only_their_own_host(built: Project, site: str, open_page: Callable[..., tuple[Page, Watched]]) -> None:
    """Over http every request goes to the site itself, and the console stays empty."""
    page, watched = open_page(site)
    for name in names(built):
        page.goto(f"{site}/{name}", wait_until="load")
        assert loaded_everything(page), name
    page.wait_for_load_state("networkidle")
    assert len(watched.requests) > len(IDS)
    assert [url for url in watched.requests if not url.startswith((f"{site}/", "data:", "blob:"))] == []
    assert watched.complaints == []


def test_pages_open_from_files_on_a_phone(built: Project, open_page: Callable[..., tuple[Page, Watched]]) -> None:
    """Without a server nothing but files is asked for, and nothing fails; what is wide scrolls in a frame of its own.

    Every value and formula in a box is seen without scrolling sideways.
    """
    folder = built.path("site").as_uri()
    page, watched = open_page(f"{folder}/index.html", viewport=PHONE, has_touch=True)
    for name in names(built):
        page.goto(f"{folder}/{name}", wait_until="load")
        assert loaded_everything(page), name
        width = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        assert width <= PHONE["width"], name
        unreachable = page.evaluate(
            "() => [...document.querySelectorAll('.frame, div.formula')]"
            ".filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0).length"
        )
        assert unreachable == 0, name
        assert page.evaluate(OUTSIDE, PHONE["width"]) == [], name
    assert [url for url in watched.requests if not url.startswith((f"{folder}/", "data:", "blob:"))] == []
    assert watched.complaints == []


OUTSIDE = """width => [...document.querySelectorAll('.answer [id*="/"], .answer div.formula math')]
    .filter(e => e.getClientRects().length)
    .filter(e => e.getBoundingClientRect().left < 0 || e.getBoundingClientRect().right > width + 1)
    .map(e => e.id || e.parentElement.id)"""


SHOWN = """() => [...document.querySelectorAll('figure.picture')].map(
    f => [...f.querySelectorAll('img')].filter(i => i.getClientRects().length).map(i => [i.src, i.clientWidth]))"""
TEXT_PT = re.compile(r'font-size="([\d.]+)"|<g id="text_\d+">\s*<g [^>]*scale\((0\.\d+) ')
"""Sizes of an SVG's texts: of letters, or the scale of outlines that are drawn 100 points high."""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_can_be_read_on_a_phone(
    built: Project, site: str, open_page: Callable[..., tuple[Page, Watched]], scheme: str
) -> None:
    """One of a picture's twins is shown, no wider than its frame, with letters that are at least 9 pixels high."""
    page, _ = open_page(site, viewport=PHONE, color_scheme=scheme)
    for name in names(built):
        page.goto(f"{site}/{name}", wait_until="load")
        for shown in page.evaluate(SHOWN):
            ((source, width),) = shown
            svg = built.path(f"site/{source.removeprefix(f'{site}/')}").read_text(encoding="utf-8")
            box = float(re.findall(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', svg)[0])
            sizes = [float(letters or 100 * float(outlines)) for letters, outlines in TEXT_PT.findall(svg)]
            assert source.endswith(".dark.svg") == (scheme == "dark")
            assert min(sizes) * width / box >= 9, source
            assert width <= PHONE["width"], source


def first_result(page: Page, word: str) -> Locator:
    """Type a word into the search once it is ready."""
    ready = "document.querySelector('.md-search-result__meta').textContent.includes('Type to start')"
    page.wait_for_function(ready, timeout=10_000)
    page.locator(".md-search__input").press_sequentially(word)
    result = page.locator(".md-search-result__link").first
    result.wait_for(timeout=10_000)
    return result


def test_search_finds_a_word(site: str, open_page: Callable[..., tuple[Page, Watched]]) -> None:
    """Typing leads to the page that holds the word; search has a name for screen readers."""
    page, watched = open_page(f"{site}/index.html")
    assert page.locator(".md-search").get_attribute("aria-label") == "Search"
    result = first_result(page, "roofline")
    assert "answers/comp4901y/hw3/question1.html" in str(result.get_attribute("href"))
    assert watched.complaints == []


def test_search_works_without_a_server(built: Project, open_page: Callable[..., tuple[Page, Watched]]) -> None:
    """A page opened from file:// finds words too."""
    page, watched = open_page(built.path("site/answers/comp4901y/hw4/question1.html").as_uri())
    page.locator(".md-search__input").press_sequentially("roofline")
    result = page.locator(".md-search-result__link").first
    result.wait_for(timeout=10_000)
    assert "answers/comp4901y/hw3/question1.html" in str(result.get_attribute("href"))
    assert watched.complaints == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_follow_the_colour_scheme(site: str, open_page: Callable[..., tuple[Page, Watched]], scheme: str) -> None:
    """The twin of the reader's scheme is shown, the other is not."""
    page, _ = open_page(f"{site}/answers/comp4901y/hw4/question2.html", color_scheme=scheme)
    shown = {name: page.locator(f"img.on-{name}").first.is_visible() for name in SCHEMES}
    assert shown == {name: name == scheme for name in SCHEMES}


@pytest.mark.parametrize("question_id", [*IDS[::6], "comp4901y/hw4_q2_tree_attention"])
def test_a_page_can_be_read_without_javascript(
    built: Project, site: str, open_page: Callable[..., tuple[Page, Watched]], question_id: str
) -> None:
    """Answers, formulas, one picture of each pair, checks and navigation need no script."""
    page, _ = open_page(f"{site}/answers/{QuestionId(*question_id.split('/')).path}.html", java_script_enabled=False)
    assert page.locator("#checks").is_visible()
    assert page.locator("table").first.is_visible()
    assert page.locator("math").first.is_visible()
    light = page.locator("img.on-light:not(.tall)").all()
    assert len(light) == len(built.made(question_id)["draw"])
    assert all(one.is_visible() for one in light)
    assert not any(one.is_visible() for one in page.locator("img.on-dark, img.tall").all())
    assert page.locator("nav a[href$='.html']").count() > 3


def test_mathml_is_laid_out_with_the_maths_font(site: str, open_page: Callable[..., tuple[Page, Watched]]) -> None:
    """The font of the site itself is used, not one that a machine may lack."""
    page, _ = open_page(f"{site}/answers/comp4901y/hw3/question1.html")
    page.evaluate("document.fonts.ready")
    assert page.evaluate("document.fonts.check('16px \"STIX Two Math\"')")
    assert page.evaluate("[...document.fonts].filter(f => f.family.includes('STIX')).map(f => f.status)") == ["loaded"]


PAPER = {"width": 718, "height": 1047}
"""A4 without margins of 1 cm, in CSS pixels."""
CLIPPED = """() => [...document.querySelectorAll('article *')]
    .filter(e => e.getClientRects().length && !e.closest('math'))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
    .filter(e => e.offsetWidth > 1)
    .map(e => `${e.tagName} ${e.className} ${e.innerText.slice(0, 40)}`).slice(0, 3)"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_printing_from_the_browser(
    built: Project, site: str, open_page: Callable[..., tuple[Page, Watched]], scheme: str
) -> None:
    """Paper is light and shows every picture whole; nothing is clipped at its right side."""
    page, _ = open_page(site, viewport=PAPER, color_scheme=scheme)
    page.emulate_media(media="print")
    for name in names(built):
        page.goto(f"{site}/{name}", wait_until="load")
        assert page.evaluate(CLIPPED) == [], name
        pictures = "c => [...document.querySelectorAll(`img.on-${c}`)].filter(i => i.getClientRects().length).length"
        assert page.evaluate(pictures, "dark") == 0, name
        assert page.evaluate(pictures, "light") == page.locator("figure.picture").count(), name
        if page.locator("h1").count():
            assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(36, 41, 47)"
            assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


OPTIONS: dict[str, dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},
}
"""A scheme changes colours alone."""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_serious_violation(
    built: Project, site: str, open_page: Callable[..., tuple[Page, Watched]], scheme: str
) -> None:
    """Names, roles, order, keyboard and contrast of pages; formulas look like their text, long tables like their top."""
    page, _ = open_page(site, color_scheme=scheme)
    found = []
    for name in names(built):
        page.goto(f"{site}/{name}", wait_until="load")
        context = {"exclude": [["math"], ["tbody tr:nth-child(n+5)"]]}
        for one in Axe().run(page, context=context, options=OPTIONS[scheme]).response["violations"]:
            if one["impact"] in ("serious", "critical"):
                found.append((name, one["id"], [node["target"] for node in one["nodes"]][:3]))
    assert found == []


def test_text_from_parameters_runs_nothing(
    built: Project, hostile: Project, open_page: Callable[..., tuple[Page, Watched]]
) -> None:
    """Scripts and markup in parameters are shown, not executed; pages and search ask for nothing else."""
    with served(hostile.path("site")) as address:
        page, watched = open_page(f"{address}/answers/comp4901y/hw4/question2.html")
        assert HOSTILE[0] in page.inner_text("article")
        before, after = built.kept(), hostile.kept()
        changed = [name for name in names(hostile) if before[f"site/{name}"] != after[f"site/{name}"]]
        assert len(changed) > 2
        for name in changed:
            page.goto(f"{address}/{name}", wait_until="load")
        first_result(page, "candidates")
        page.wait_for_timeout(200)
        assert [url for url in watched.requests if not url.startswith((f"{address}/", "data:", "blob:"))] == []
        assert watched.complaints == []
        page.context.close()
