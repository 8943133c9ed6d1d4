"""States into which a reader puts a page keep to WCAG 2.2 AA: other numbers, another reading, a number compared, a step shown."""

from __future__ import annotations

from itertools import product
from typing import Literal

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests import axe
from tests.browsing import SCHEMES, UNREACHABLE, needs_chromium, page_without_errors
from tests.project import Project
from tests.soak import SOAK, soak
from tests.test_pages import PAGES, PAPER

pytestmark = needs_chromium

SHORT = {
    "answers/comp4901y/hw3/question1.html": "what-if?n_heads=16",  # what was timed with 32 heads is crossed out
    "answers/comp4901y/hw3/question2.html": "variant=3%20beams",
    "answers/utaustin/lecture25/speculative_decoding.html": "what-if?gain.cost_ratio=0.1",  # a picture is drawn anew
}
DARK = "a narrow phone in the dark"
WINDOWS: dict[str, tuple[ViewportSize, str, Literal["screen", "print"]]] = {
    DARK: ({"width": 320, "height": 740}, "dark", "screen"),
    "a desk at 200 %": ({"width": 640, "height": 450}, "light", "screen"),
    "paper": (PAPER, "light", "print"),
}
REACHED = {"": "", "what-if": ".what-if-changed", "variant": ".variant-shown"}
"""What marks a page in a state, by what its address begins with."""
STATES = """() => {
    const marker = document.querySelector("[data-what-if]");
    const changed = ({ name, value, options }) =>
        `what-if?${name}=${options ? Object.keys(options).find((one) => one !== value) : 2 * value || "1/7"}`;
    const numbers = marker ? JSON.parse(marker.dataset.whatIf).fields.slice(0, 1).map(changed) : [];
    const readings = [...document.querySelectorAll("#variants optgroup option")].map((one) => one.textContent);
    return ["", ...numbers, ...readings.map((name) => `variant=${encodeURIComponent(name)}`)];
}"""
"""What stands behind the # for a page as published, with its first number changed, and with each other reading."""
OPENED = """() => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
    for (const one of document.querySelectorAll(".compare input")) { one.value = "1"; one.dispatchEvent(new Event("input")); }
    for (const one of document.querySelectorAll(".steps input")) { one.value = 1; one.dispatchEvent(new Event("input")); }
}"""
"""All that opens, a number compared below each box, the first step of each search."""


@soak
@pytest.mark.parametrize("name", PAGES if SOAK else SHORT)
def test_states_are_accessible(browser: Browser, built: Project, name: str) -> None:
    """Each fits its window too, and the keyboard reaches all that scrolls."""
    address = f"{built.path('site').as_uri()}/{name}"
    with page_without_errors(browser, address) as page:
        states = page.evaluate(STATES) if SOAK else [SHORT[name]]
    for state, window in product(states, WINDOWS if SOAK else [DARK]):
        size, scheme, media = WINDOWS[window]
        with page_without_errors(browser, f"{address}#{state}", viewport=size, color_scheme=scheme) as page:
            page.emulate_media(media=media)
            reached = REACHED[state.partition("=")[0].partition("?")[0]]
            page.locator(f"body{reached}[data-md-color-scheme='{SCHEMES[scheme]}']").wait_for()
            page.evaluate(OPENED)
            page.wait_for_function("!document.querySelector('#variants') || document.querySelector('#variants dd')")
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], (state, window)
            assert page.evaluate(UNREACHABLE) == 0, (state, window)
            # The text of a formula may be wider than the formula.
            assert axe.broken(page, axe.WCAG, without=["scrollable-region-focusable"]) == [], (state, window)
