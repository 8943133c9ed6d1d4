"""Pages on which a reader changes numbers: what they then show is what Python shows of these numbers."""

from __future__ import annotations

import operator
import random
import re
from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction
from functools import cache, reduce
from typing import Any

import pytest
from markdown import Markdown
from mkdocs.config import load_config
from playwright.sync_api import Browser, Page

from generators.answer import Figure
from generators.errors import ParameterError
from generators.params import RecordedParams
from generators.pipeline.catalog import QuestionId, load_question
from generators.pipeline.render import body
from generators.pipeline.unit import Task, drawn
from generators.pipeline.what_if import at as value_at
from generators.pipeline.what_if import fields
from tests.browsing import needs_chromium
from tests.entries import ENTRIES
from tests.project import Project
from tests.soak import SOAK, soak

pytestmark = needs_chromium
FOLLOWING = [one for one in ENTRIES if load_question(one).what_if]
SETS = 300 if SOAK else 3
VISIBLE = """([root, struck]) => {
  const addressOf = (element) => element.dataset?.of ?? (element.id?.includes("/") ? element.id : "");
  const isStruck = (element) => struck.includes(addressOf(element).split("/")[0]);
  const left = ".headerlink, .what-if, .compare, .of-published, figure, .facts, script, [hidden], h1";
  const visible = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.matches?.(left) || isStruck(node)) return "";
    return [...node.childNodes].map(visible).join("");
  };
  return visible(root).replace(/\\s/g, "").split("Howitwaschecked")[0].split("Seealso:")[0];
}"""
"""All that is visible but pictures, and but what stands at addresses of parts that are struck out."""
STRUCK = """() => [...new Set([...document.querySelectorAll(".not-followed")].map((one) => one.closest("[id*='/'], [data-of]"))
  .map((one) => (one.dataset.of ?? one.id).split("/")[0]))]"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page whose errors fail the test."""
    opened = browser.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert not errors


@cache
def converter() -> Markdown:
    """Markdown to HTML as mkdocs makes it."""
    config = load_config("mkdocs.yml")
    return Markdown(extensions=config.markdown_extensions, extension_configs=config.mdx_configs)


@cache
def pictures(question_id: QuestionId) -> dict[str, Figure]:
    """The published pictures, which stand on the page that is compared but are not looked at."""
    return dict(drawn(Task.at(question_id, ENTRIES[question_id])))


def number(chance: random.Random, published: Any) -> str:
    """A number near the published one or far from it, as a reader types it."""
    if isinstance(published, Fraction) or not isinstance(published, int):
        return str(chance.choice([Fraction(published) * 2, Fraction(chance.randint(0, 200), chance.choice([1, 2, 4, 5, 8, 10]))]))
    far = 2 ** chance.randint(0, 20)
    return str(chance.choice([published, published * 2, max(1, published // 2), far, 3 * far, chance.randint(1, 9)]))


def chosen(chance: random.Random, task: Task) -> dict[str, str]:
    """What a reader may type in all fields; every other time shares that rise, where a list must rise."""
    numbers = {name: number(chance, value_at(task.params, name)) for name in fields(task.question, task.params)}
    rates = [name for name in numbers if name.startswith("gain.acceptance_rates.")] if chance.randint(0, 1) else []
    shares = sorted(chance.sample(range(100), len(rates)))
    return numbers | {name: str(Fraction(share, 100)) for name, share in zip(rates, shares, strict=True)}


def typed(page: Page, numbers: dict[str, str]) -> str:
    """Give a page numbers by its address; returns what it says of them."""
    page.evaluate("hash => { location.hash = hash; }", "what-if?" + "&".join(f"{name}={one}" for name, one in numbers.items()))
    page.wait_for_timeout(20)
    return page.locator("#what-if output").inner_text()


def by_python(question_id: QuestionId, numbers: dict[str, str]) -> str | None:
    """The page of these numbers as HTML; none where they break a rule."""
    entry = deepcopy(dict(ENTRIES[question_id]))
    for name, one in numbers.items():
        *outer, own = (int(place) if place.isdigit() else place for place in name.split("."))
        holder: Any = reduce(operator.getitem, outer, entry)  # type: ignore[arg-type]
        holder[own] = int(one) if one.isdigit() else one
    try:
        params = Task.at(question_id, entry).params
    except ParameterError:
        return None
    published = Task.at(question_id, ENTRIES[question_id]).params
    if isinstance(params, RecordedParams) and isinstance(published, RecordedParams):
        params._measured = published.measured  # the page strikes out what does not fit
    answer = load_question(question_id).solve(params)
    site = body(question_id, params, answer, pictures(question_id), "site", following=True)
    return str(converter().reset().convert(site.text))


@soak
@pytest.mark.parametrize("question_id", FOLLOWING, ids=str)
def test_a_changed_page_is_the_page_of_the_changed_numbers(page: Page, built: Project, question_id: QuestionId) -> None:
    """As published and changed: what is struck out aside, all that is visible is what Python renders, to the character."""
    chance, task = random.Random(f"{question_id}"), Task.at(question_id, ENTRIES[question_id])
    page.goto(f"{built.path('site').as_uri()}/answers/{question_id.path}.html")
    same_as(page, by_python(question_id, {}) or "", {})
    compared = 0
    while compared < SETS:
        numbers = chosen(chance, task)
        said, expected = typed(page, numbers), by_python(question_id, numbers)
        refused = page.locator("#what-if [aria-invalid='true']").count() > 0
        assert refused == (expected is None), (numbers, said)
        if expected is not None:
            same_as(page, expected, numbers)
            compared += 1


def same_as(page: Page, expected: str, numbers: dict[str, str]) -> None:
    """Require that all that is not struck out is as Python renders it."""
    struck = page.evaluate(STRUCK)
    shown = page.evaluate(f"struck => ({VISIBLE})([document.querySelector('article'), struck])", struck)
    wanted = page.evaluate(
        f"([html, struck]) => ({VISIBLE})([new DOMParser().parseFromString(html, 'text/html').body, struck])", [expected, struck]
    )
    place = next((place for place, (one, other) in enumerate(zip(shown, f"{wanted}$", strict=False)) if one != other), 0)
    assert shown == wanted, (numbers, struck, shown[max(0, place - 60) :][:150], wanted[max(0, place - 60) :][:150])


INTENSITY, LOW_RANK = "comp4901y/hw3/question1", "ift6135/a2/question4"
BATCHING = "utaustin/lecture25/batching"
FIRST = "[id='1.1/form/1/intensity']"
RANGE = "Heads: must be a whole number from 1 to 1\u202f099\u202f511\u202f627\u202f776."
UNREAD = f"{RANGE} Write it as 32."


@pytest.fixture
def opened(page: Page, built: Project) -> Page:
    """Homework 3, question 1, as published."""
    return at(page, built, INTENSITY)


def at(page: Page, built: Project, name: str, numbers: str = "") -> Page:
    """A page opened anew, with numbers in its address."""
    page.goto("about:blank")
    page.goto(f"{built.path('site').as_uri()}/answers/{name}.html{numbers}")
    return page


def told(page: Page) -> str:
    """What the page says of the numbers."""
    return page.locator("#what-if output").inner_text()


def test_keyboard_reset_and_address(opened: Page) -> None:
    """All by keyboard: the numbers change, the address holds them, and one key brings the published page back."""
    text = opened.locator("article").inner_text()
    opened.get_by_text("What if other numbers were given?").focus()
    opened.keyboard.press("Enter")
    opened.keyboard.press("Tab")
    opened.keyboard.press("Control+A")
    opened.keyboard.type("8192")
    # L D / (2 L + D) with L = 8192 and D = 4096 is 8192 * 4096 / 20480 = 1638.4.
    assert opened.locator(FIRST).inner_text() == "1638.4"
    assert told(opened).startswith("These are not the checked answers")
    assert opened.url.endswith("#what-if?seq_len=8192")
    for _ in range(3):
        opened.keyboard.press("Tab")
    opened.keyboard.press("Enter")
    assert told(opened) == ""
    assert "#" not in opened.url
    opened.get_by_text("What if other numbers were given?").click()
    assert opened.locator("article").inner_text() == text


def test_a_convention_is_chosen(page: Page, built: Project) -> None:
    """A multiply-add as one FLOP in place of two halves the 13 147 045 888 FLOPs of a token; the sentence on it follows."""
    at(page, built, BATCHING).get_by_text("What if other numbers were given?").click()
    field = page.get_by_label("A multiply-add counts as … (our choice)")
    field.select_option("1 FLOP")
    assert "6573522944" in re.sub(r"\s", "", page.locator("[id='1/flops_weights']").inner_text())
    assert page.get_by_text("A multiply-add counts as 1 FLOP (").is_visible()
    field.select_option("2 FLOPs")
    assert told(page) == ""


def test_an_address_with_numbers_opens_changed(page: Page, built: Project) -> None:
    """So that it can be shared; what it does not name stays as published."""
    at(page, built, INTENSITY, "#what-if?seq_len=8192&nothing=3")
    assert page.locator(FIRST).inner_text() == "1638.4"
    assert page.get_by_label("Model width").input_value() == "4096"
    page.get_by_role("link", name="What it means").last.click()  # a place on the page leaves the numbers in the address
    page.wait_for_function("location.hash === '#what-if?seq_len=8192'")
    at(page, built, INTENSITY, "#answer")
    assert page.locator("#what-if").get_attribute("open") is None


@pytest.fixture(scope="module")
def asked(browser: Browser, built: Project) -> Iterator[Page]:
    """The same page with its fields in view, for tests that leave it as published."""
    tab = browser.new_page()
    at(tab, built, INTENSITY).get_by_text("What if other numbers were given?").click()
    yield tab
    tab.close()


def require_refused(page: Page, label: str, said: str) -> None:
    """The rule is said, the field is marked, and the page shows what is published."""
    assert told(page) == f"{said} The page shows the published numbers."
    assert page.get_by_label(label).get_attribute("aria-invalid") == "true"
    assert page.locator(FIRST).inner_text().split() == ["4096", "3", "≈", "1365.33"]  # L D / (2 L + D) with L = D = 4096
    assert not page.locator("body.what-if-changed").count()


@pytest.mark.parametrize(("label", "number", "said"), [
    ("Heads", "33", "Model width (4096) must be a multiple of heads (33)."),
    *(("Heads", number, RANGE) for number in ("0", "1.5", "-1", "2^41", "1/2e3", "4,09", "0,032", "9" * 41)),
    *(("Heads", text, UNREAD) for text in ("many", "", "8k", "e3", "1/0", "5 %", "9" * 81)),
])  # fmt: skip
def test_refused_numbers(asked: Page, label: str, number: str, said: str) -> None:
    asked.get_by_label(label).fill(number)
    require_refused(asked, label, said)
    asked.evaluate("dispatchEvent(new Event('hashchange'))")  # the page reads its address, as when it is opened
    assert asked.get_by_label(label).input_value() == number
    require_refused(asked, label, said)
    asked.get_by_label(label).fill("32")
    assert told(asked) == ""
    assert asked.get_by_label(label).get_attribute("aria-invalid") == "false"


def test_every_fault_is_said(opened: Page) -> None:
    """Not the first alone."""
    opened.evaluate("location.hash = 'what-if?n_heads=0&d_model=many'")
    width = RANGE.replace("Heads", "Model width")
    opened.wait_for_function("document.querySelectorAll('#what-if [aria-invalid=true]').length === 2")
    assert told(opened) == f"{width} Write it as 4096. {RANGE} The page shows the published numbers."


def test_a_refused_number_stays_when_the_page_is_loaded_again(opened: Page) -> None:
    opened.get_by_text("What if other numbers were given?").click()
    opened.get_by_label("Heads").fill("33")
    opened.reload()
    require_refused(opened, "Heads", "Model width (4096) must be a multiple of heads (33).")


@pytest.mark.parametrize("number", ["4096", "4 096", "4,096", "4096.0", "8192/2", "04096", "4.096e3", "4.096 × 10^3", "2^12"])
def test_the_published_number_in_other_words_changes_nothing(asked: Page, number: str) -> None:
    """The page is still the checked one."""
    asked.get_by_label("Model width").fill(number)
    assert told(asked) == ""
    assert "#" not in asked.url
    asked.get_by_label("Model width").fill("4096")


def test_what_does_not_follow_is_crossed_out(opened: Page) -> None:
    """What was timed with 32 heads says nothing of 16; of width 256, they have 4096 * 256 / (4096 + 512) = 227.56 FLOP/B.

    The sentence that says of what sizes the times are stays, and says so.
    """
    typed(opened, {"n_heads": "16"})
    crossed = opened.locator(".not-followed[id]").evaluate_all("all => all.map(one => one.id.split('/')[0])")
    assert set(crossed) == {"measured_cuda"}
    assert opened.locator("[id='1.1/form/7/intensity']").inner_text().endswith("227.556")
    assert "crossed out" in told(opened)
    note = opened.get_by_text("Measured with the published numbers. Each product was timed on NVIDIA H200")
    assert note.locator("xpath=self::p").locator(".not-followed").count() == 0
    assert note.is_visible()
    typed(opened, {"n_heads": "32"})
    assert not note.is_visible()


def test_a_sentence_follows_its_claim(page: Page, built: Project) -> None:
    """What is said of a single token beside many falls away where there is only one."""
    at(page, built, LOW_RANK)
    more = page.get_by_text("more for a single one")
    assert more.is_visible()
    typed(page, {"context_len": "1"})
    assert not more.is_visible()
    typed(page, {"context_len": "2"})
    assert more.is_visible()


def test_only_pages_that_follow_are_marked(built: Project) -> None:
    """What one page quotes of another, such as its errata, is as published; and no mark is left where text became HTML."""
    for path in built.path("site").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search("[\ue000-\ue00f]", text), path
        assert ("data-slot" in text) == ("data-what-if" in text), path
