"""Nodes of trees and masks that a reader points at, and searches that are shown a step at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browsing import needs_chromium, page_without_errors
from tests.project import Project

pytestmark = needs_chromium

SEARCH, MASKS = "answers/comp4901y/hw3/question2.html", "answers/comp4901y/hw4/question2.html"


@pytest.fixture
def page(browser: Browser, built: Project) -> Iterator[Page]:
    """The page of a beam search."""
    with page_without_errors(browser, f"{built.path('site').as_uri()}/{SEARCH}") as opened:
        yield opened


POINTED = "() => [...document.querySelectorAll('.pointed')].map(e => e.matches('tr') ? e.innerText.split('\\t')[0] : e.localName)"


def test_a_node_is_shown_in_the_tree_and_in_its_table(page: Page) -> None:
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


def test_a_token_is_shown_in_the_tree_and_in_the_mask_of_its_part_alone(page: Page, built: Project) -> None:
    """Of a mask it is a row and a column; a square of the mask belongs to the row of one and to the column of another."""
    page.goto(f"{built.path('site').as_uri()}/{MASKS}")
    page.get_by_role("button", name="t₅", exact=True).focus()
    assert page.evaluate(POINTED) == ["button", "span", "span"]
    mask = page.locator("figure.picture").nth(1).locator(".nodes")
    box = mask.bounding_box()
    assert box
    cell = page.evaluate("() => document.querySelector('figure:nth-of-type(2) span.node:nth-last-child(2)').offsetHeight")
    # The last row, and the last column but one.
    mask.hover(position={"x": box["width"] - 3 * cell / 2, "y": box["height"] - cell / 2})
    assert page.evaluate(POINTED) == ["button"] * 2 + ["span"] * 2


def test_a_tap_points_too(browser: Browser, built: Project) -> None:
    """On a phone nothing hovers; what is pointed at stays so after the finger left."""
    phone = browser.new_page(has_touch=True, viewport={"width": 360, "height": 740})
    phone.goto(f"{built.path('site').as_uri()}/{MASKS}")
    phone.locator("figure.picture").nth(1).locator(".nodes").tap(position={"x": 60, "y": 60})
    assert phone.evaluate(POINTED) != []
    phone.close()


def test_a_search_a_step_at_a_time(page: Page) -> None:
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


def test_another_reading_has_steps_too(page: Page) -> None:
    """Three beams keep all of a, b and c. What was pointed at is not so when its page comes back."""
    page.get_by_role("button", name="b .5").first.hover()
    page.evaluate("location.hash = 'variant=3%20beams'")
    page.locator("body.variant-shown").wait_for()
    page.get_by_label("Step through the 3 steps of the search").fill("1")
    assert page.locator("figure output").inner_text() == "Step 1 keeps a, b, c."
    page.get_by_role("button", name="Back to the published page").press("Enter")
    assert page.evaluate(POINTED) == []
