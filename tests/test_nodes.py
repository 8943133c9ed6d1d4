"""Nodes of trees and masks that a reader points at, and searches that are shown a step at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from generators.pipeline.places import places
from tests.browsing import needs_chromium
from tests.project import Project

SEARCH, MASKS = "answers/comp4901y/hw3/question2.html", "answers/comp4901y/hw4/question2.html"


def test_places_are_in_per_cent_of_the_picture() -> None:
    """The view begins at (10, 20) and is 200 by 100 large; the group moves its nodes by (30, 40)."""
    svg = (
        '<svg viewBox="10 20 200 100" xmlns="http://www.w3.org/2000/svg"><g transform="scale(1 1) translate(30 40)">'
        '<g class="node"><title>a</title><path d="M0,-10C5,-10 20,-10 20,0"/><text>one</text><text>.5</text></g></g>'
        '<g><g class="node"><title>b</title><path d="M10 20L210 30"/><path d="M110 20L120 120"/></g><g class="edge"/></g></svg>'
    )
    # a: x from 0 + 30 - 10 = 20, which is 10 % of 200, y from -10 + 40 - 20 = 10, which is 10 % of 100; 20 by 10 large.
    assert places(svg) == {"a": ["one .5", [10, 10, 10, 10]], "b": ["", [0, 0, 100, 10], [50, 0, 5, 100]]}


@pytest.fixture
def page(browser: Browser, built: Project) -> Iterator[Page]:
    """A page whose errors fail the test."""
    opened = browser.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(f"{built.path('site').as_uri()}/{SEARCH}")
    yield opened
    opened.close()
    assert not errors


POINTED = "() => [...document.querySelectorAll('.pointed')].map(e => e.matches('tr') ? e.innerText.split('\\t')[0] : e.localName)"


@pytest.mark.browser
class TestPointing:
    """In a real browser."""

    pytestmark = needs_chromium

    def test_a_node_is_shown_in_the_tree_and_in_its_table(self, page: Page) -> None:
        """By the keyboard and by a mouse, from the picture and from the table; both forms of the tree are marked."""
        page.locator(".nodes.wide button").nth(0).focus()  # the root, which is in no table
        assert page.evaluate(POINTED) == ["button", "button"]
        page.keyboard.press("ArrowDown")  # of a, b and c below it, b is the nearest
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(POINTED) == ["button", "button", "a"]
        page.get_by_role("button", name="b .5").first.hover()
        assert page.evaluate(POINTED) == ["button", "button", "b"]
        page.locator("tr", has_text="c a b").last.hover()
        assert page.evaluate(POINTED) == ["button", "button", "c a b"]
        page.locator("h1").hover()  # back to the one with the focus
        assert page.evaluate(POINTED) == ["button", "button", "a"]
        page.locator("h1").click()
        assert page.evaluate(POINTED) == []

    def test_a_token_is_shown_in_the_tree_and_in_the_mask_of_its_part_alone(self, page: Page, built: Project) -> None:
        """Of a mask it is a row and a column; a square of the mask belongs to the row of one and to the column of another."""
        page.goto(f"{built.path('site').as_uri()}/{MASKS}")
        page.get_by_role("button", name="t₅", exact=True).focus()
        assert page.evaluate(POINTED) == ["button", "span", "span"]
        mask = page.locator("figure.picture").nth(1).locator(".nodes")
        box = mask.bounding_box()
        assert box
        cell = page.evaluate("() => document.querySelector('figure:nth-of-type(2) span.node:nth-last-child(2)').offsetHeight")
        mask.hover(
            position={"x": box["width"] - 3 * cell / 2, "y": box["height"] - cell / 2}
        )  # the last row, the last column but one
        assert page.evaluate(POINTED) == ["button"] * 2 + ["span"] * 2

    def test_a_tap_points_too(self, browser: Browser, built: Project) -> None:
        """On a phone nothing hovers; what is pointed at stays so after the finger left."""
        phone = browser.new_page(has_touch=True, viewport={"width": 360, "height": 740})
        phone.goto(f"{built.path('site').as_uri()}/{MASKS}")
        phone.locator("figure.picture").nth(1).locator(".nodes").tap(position={"x": 60, "y": 60})
        assert phone.evaluate(POINTED) != []
        phone.close()

    def test_a_search_a_step_at_a_time(self, page: Page) -> None:
        """Of .2, .5 and .3 two beams keep b and c; what comes later is not shown."""
        assert page.locator("figure output").inner_text().replace("\u00a0", " ").startswith("Step 3 keeps b c a, c a b; pruned: ")
        page.locator(".nodes.wide button").last.focus()
        page.get_by_label("Step through the 3 steps of the search").focus()
        page.keyboard.press("Home")
        assert page.locator("figure output").inner_text() == "Step 1 keeps b, c; pruned: a."
        assert page.locator(".nodes.wide button:visible").count() == 1 + 3
        assert page.locator(".nodes.wide button:visible[tabindex='0']").count() == 1
        assert page.locator("tr.of-step td:first-child").all_inner_texts() == ["b", "c", "a"]
        clip = page.locator(".nodes.wide img.on-light").evaluate("e => getComputedStyle(e).clipPath")
        assert clip.startswith("inset(0px 0px ")
        page.emulate_media(media="print")  # paper shows the whole search
        assert not page.locator(".steps:visible, .node:visible").count()
        assert page.locator(".nodes.wide img.on-light").evaluate("e => getComputedStyle(e).clipPath") == "none"
        page.emulate_media(media="screen")
        page.get_by_label("Step through the 3 steps of the search").press("End")
        assert page.locator(".nodes.wide button:visible").count() == 1 + 3 + 9 + 27
        assert page.locator(".nodes.wide img.on-light").evaluate("e => getComputedStyle(e).clipPath") == "none"
        assert not page.locator("tr.of-step").count()

    def test_another_reading_has_steps_too(self, page: Page) -> None:
        """Three beams keep all of a, b and c. What was pointed at is not so when its page comes back."""
        page.get_by_role("button", name="b .5").first.hover()
        page.evaluate("location.hash = 'variant=3%20beams'")
        page.locator("body.variant-shown").wait_for()
        page.get_by_label("Step through the 3 steps of the search").fill("1")
        assert page.locator("figure output").inner_text() == "Step 1 keeps a, b, c."
        page.get_by_role("button", name="Back to the published page").press("Enter")
        assert page.evaluate(POINTED) == []
