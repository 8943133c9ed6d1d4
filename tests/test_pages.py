"""Every page of the site in a real browser, opened once: on a desk, on a phone and on paper, light and dark."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from generators.pipeline.catalog import entries
from tests import axe
from tests.browsing import DESK, SCHEMES, UNREACHABLE, Watched, loaded_everything, needs_chromium, page_names
from tests.project import Project

pytestmark = needs_chromium

HAND_WRITTEN = ("index", "checks", "answers-json", "answers/conventions")
PAGES = sorted(f"{name}.html" for name in (*HAND_WRITTEN, *(f"answers/{one.path}" for one in entries())))
PHONE: ViewportSize = {"width": 360, "height": 740}
ZOOMED: ViewportSize = {"width": 320, "height": 256}
"""A window of 1280 by 1024 pixels at 400 %, from which WCAG's reflow begins."""
PAPER: ViewportSize = {"width": 718, "height": 1047}
"""A4 without margins of 1 cm, in CSS pixels."""


LOADING = """async () => {
    for (const image of document.images) if (image.getClientRects().length) {
        image.scrollIntoView();
        await image.decode();
    }
}"""


class Opened:
    """A page that is open, with what it asked for."""

    def __init__(self, watched: Watched, page: Page, folder: str, name: str) -> None:
        self.watched, self.page, self.folder, self.name = watched, page, folder, name
        self.page.goto("about:blank")
        self.page.set_viewport_size(DESK)
        self.page.emulate_media(media="screen")
        self.watched.requests.clear()
        self.watched.complaints.clear()
        self.page.goto(f"{folder}/{name}", wait_until="load")
        self.page.add_style_tag(content="* { transition: none !important; }")
        self.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")

    def asked_for_files_alone(self) -> None:
        """Require that nothing but files was asked for so far, and that nothing failed."""
        assert [url for url in self.watched.requests if not url.startswith((f"{self.folder}/", "data:", "blob:"))] == []
        assert self.watched.complaints == []

    def evaluate(self, code: str, argument: Any = None) -> Any:
        """What JavaScript says."""
        return self.page.evaluate(code, argument)

    def shown(self, size: ViewportSize, scheme: str, media: Literal["screen", "print"] = "screen") -> None:
        """Show the page in a window of this size, in this scheme's colours, on a screen or on paper."""
        self.page.set_viewport_size(size)
        self.page.emulate_media(media=media)
        self.evaluate("name => document.body.setAttribute('data-md-color-scheme', name)", SCHEMES[scheme])
        self.load_pictures()

    def load_pictures(self) -> None:
        """Scroll to every picture that is shown, which loads it."""
        self.page.evaluate(LOADING)


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[tuple[Watched, Page]]:
    """What one page after another is opened in, which takes less time than a process for each."""
    context = browser.new_context(viewport=DESK, has_touch=True, reduced_motion="reduce")
    yield Watched(context), context.new_page()
    context.close()


@pytest.fixture(scope="module", params=PAGES)
def opened(request: pytest.FixtureRequest, built: Project, tab: tuple[Watched, Page]) -> Opened:
    """A page opened from its file; all tests of one page follow each other."""
    return Opened(*tab, built.path("site").as_uri(), request.param)


def test_these_are_all_pages(built: Project) -> None:
    """No page of the site is left out here."""
    assert page_names(built) == PAGES


def test_a_page_asks_for_files_alone(opened: Opened) -> None:
    """Without a server nothing but files is asked for, and nothing fails; after all other tests of a page this still holds."""
    assert loaded_everything(opened.page)
    opened.asked_for_files_alone()


HEAVIEST_BYTES = 250 * 1024
"""Of a page with all it loads, compressed as servers do."""


def test_a_page_is_light(built: Project, opened: Opened) -> None:
    """With its pictures, which load when they are scrolled to, and without their twins, which are not shown."""
    opened.load_pictures()
    assert loaded_everything(opened.page)
    site = built.path("site")
    files = {site / one.removeprefix(f"{opened.folder}/").partition("?")[0] for one in opened.watched.requests}
    asked = [path for path in files if path.is_file()]
    assert site / opened.name in asked
    assert sum(len(gzip.compress(path.read_bytes())) for path in asked) <= HEAVIEST_BYTES


def test_scripts_have_no_lines_of_comments(built: Project) -> None:
    """Nor is a line indented; each has as many other lines as in the project."""
    for script in built.path("docs/assets").glob("*.js"):
        lines = built.path(f"site/assets/{script.name}").read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith((" ", "//"))]
        assert lines == [line.strip(" ") for line in script.read_text(encoding="utf-8").splitlines() if line.strip()[:2] != "//"]


OUTSIDE = """width => [...document.querySelectorAll('.answer [id*="/"], .answer div.formula math')]
    .filter(e => e.getClientRects().length)
    .filter(e => e.getBoundingClientRect().left < 0 || e.getBoundingClientRect().right > width + 1)
    .map(e => e.id || e.parentElement.id)"""


def test_a_page_fits_a_phone(opened: Opened) -> None:
    """What is wide scrolls in a frame of its own; every value and formula in a box is seen without scrolling sideways."""
    for size in (PHONE, ZOOMED):
        opened.shown(size, "light")
        width = opened.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        assert width <= size["width"]
        assert opened.evaluate(UNREACHABLE) == 0
        assert opened.evaluate(OUTSIDE, size["width"]) == []


SHOWN = """() => [...document.querySelectorAll('figure.picture')].map(
    f => [...f.querySelectorAll('img')].filter(i => i.getClientRects().length).map(i => [i.src, i.clientWidth]))"""
TEXT_PT = re.compile(r'font-size="([\d.]+)"|<g id="text_\d+">\s*<g [^>]*scale\((0\.\d+) ')
"""Sizes of an SVG's texts: of letters, or the scale of outlines that are drawn 100 points high."""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_can_be_read_on_a_phone(built: Project, opened: Opened, scheme: str) -> None:
    """One of a picture's twins is shown, no wider than its frame, with letters that are at least 9 pixels high."""
    opened.shown(PHONE, scheme)
    for shown in opened.evaluate(SHOWN):
        ((source, width),) = shown
        svg = built.path(f"site/{source.removeprefix(f'{opened.folder}/')}").read_text(encoding="utf-8")
        box = float(re.findall(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', svg)[0])
        sizes = [float(letters or 100 * float(outlines)) for letters, outlines in TEXT_PT.findall(svg)]
        assert source.endswith(".dark.svg") == (scheme == "dark")
        assert min(sizes) * width / box >= 9, source
        assert width <= PHONE["width"], source


CLIPPED = """() => [...document.querySelectorAll('article *')]
    .filter(e => e.getClientRects().length && !e.closest('math'))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
    .filter(e => e.offsetWidth > 1)
    .map(e => `${e.tagName} ${e.className} ${e.innerText.slice(0, 40)}`).slice(0, 3)"""
PICTURES = "scheme => [...document.querySelectorAll(`img.on-${scheme}`)].filter(i => i.getClientRects().length).length"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_printing_from_the_browser(opened: Opened, scheme: str) -> None:
    """Paper is light and shows every picture whole; nothing is clipped at its right side."""
    opened.shown(PAPER, scheme, media="print")
    assert opened.evaluate(CLIPPED) == []
    assert opened.evaluate(PICTURES, "dark") == 0
    assert opened.evaluate(PICTURES, "light") == opened.page.locator("figure.picture").count()
    if opened.page.locator("h1").count():
        assert opened.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(36, 41, 47)"
        assert opened.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


SHORTENED = """() => {
    for (const row of document.querySelectorAll('tbody tr:nth-child(n+5)')) row.remove();
    const frame = '.md-header, .md-sidebar--primary, .md-footer';
    if (!location.pathname.endsWith('/site/index.html')) document.querySelectorAll(frame).forEach(e => e.remove());
}"""
"""Long tables look like their top, and what frames a page is that of the home page.

The time that axe takes grows with the number of elements.
"""


FEW_OF_A_KIND = """(schemes) => {
    const STYLES = ["color", "backgroundColor", "backgroundImage", "fontSize", "fontWeight", "opacity", "textShadow"];
    const looks = (one) => (one ? STYLES.map((name) => getComputedStyle(one)[name]) + looks(one.parentElement) : "");
    const shown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = [], kinds = new Map();
    while (walker.nextNode()) {
        const text = walker.currentNode;
        if (text.data.trim() && shown(text.parentElement)) texts.push({ text, kind: "", long: text.data.trim().length > 1 });
    }
    for (const scheme of schemes) {
        document.body.setAttribute("data-md-color-scheme", scheme);
        for (const one of texts) one.kind += looks(one.text.parentElement);
    }
    for (const one of texts.sort((one, other) => other.long - one.long)) {
        kinds.set(one.kind, (kinds.get(one.kind) ?? 0) + 1);
        if (kinds.get(one.kind) > 3) one.text.remove();
    }
}"""
"""Of texts that look alike in each scheme three stay, longer than a letter if there are such: contrast takes most of the time."""


def test_axe_finds_no_violation(opened: Opened) -> None:
    """Names, roles, order, keyboard and contrast; it shortens the page, which its scripts do not expect, so it comes last."""
    opened.asked_for_files_alone()
    opened.shown(DESK, "light")
    opened.evaluate(SHORTENED)
    assert axe.broken(opened.page, [*axe.WCAG, "best-practice"], without=[axe.CONTRAST]) == []
    opened.evaluate(FEW_OF_A_KIND, list(SCHEMES.values()))
    for scheme in SCHEMES:
        opened.shown(DESK, scheme)
        assert axe.broken(opened.page, [axe.CONTRAST]) == [], scheme
