"""Pictures of lines that follow the numbers that a reader changes."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browsing import needs_chromium, page_without_errors
from tests.project import Project

pytestmark = needs_chromium

INTENSITY, SPECULATIVE, BATCHING, NF4 = (
    "comp4901y/hw3/question1",
    "utaustin/lecture25/speculative_decoding",
    "utaustin/lecture25/batching",
    "utaustin/lecture25/nf4",
)
WRITTEN = """axis => [...document.querySelectorAll(`.chart .axes text[text-anchor=${axis}]`)]
  .filter(one => !Number.isNaN(Number(one.textContent.replace(/\\s/g, ""))))
  .map(one => [Number(one.textContent.replace(/\\s/g, "")), Number(one.getAttribute(axis === "end" ? "y" : "x"))])"""
MARKS = r"all => all.map(one => /translate\((.*),(.*)\)/.exec(one.getAttribute('transform')).slice(1).map(Number))"


def address(project: Project, name: str, numbers: str) -> str:
    """A page with numbers in its address."""
    return f"{project.path('site').as_uri()}/answers/{name}.html#what-if?{numbers}"


def read_at(page: Page, axis: str, place: float, *, log: bool = False) -> float:
    """What an axis says at a place, from the numbers at its ends: `middle` are those below the picture, `end` those beside it."""
    (first, start), *_, (last, end) = page.evaluate(WRITTEN, axis)
    share = (place - start) / (end - start)
    return math.exp(math.log(first) + share * math.log(last / first)) if log else first + share * (last - first)


def marks(page: Page, line: int) -> list[list[float]]:
    """Where a line has its marks."""
    found: list[list[float]] = page.locator(".chart g[style]").nth(line).locator(".mark").evaluate_all(MARKS)
    return found


def test_marks_and_words_follow(browser: Browser, built: Project) -> None:
    """With c = 0.1 two drafted tokens gain 1.75/1.2 = 1.4583 at α = 0.5, one only 1.5/1.1 and three 1.875/1.3.

    For 16 it is 2/2.6 = 0.7692, as 0.5 to the power of 17 is next to nothing.
    """
    with page_without_errors(browser, address(built, SPECULATIVE, "gain.cost_ratio=0.1")) as page:
        ((left, top),) = marks(page, 0)
        assert read_at(page, "middle", left) == pytest.approx(2, abs=0.01)
        assert read_at(page, "end", top) == pytest.approx(1.4583, abs=0.01)
        assert page.locator("[id='4/best/alpha_1/best']").inner_text() == "2"
        label = page.locator(".chart").get_attribute("aria-label") or ""
        assert label.startswith(
            "expected walltime gain, over drafted tokens γ. α = 0.5: 1 at 0 to 0.7692 at 16; α = 0.7: 1 at 0 to "
        )
        assert not page.locator("figure.picture img:visible").count()
        assert page.evaluate("getComputedStyle(document.querySelector('figcaption'), '::after').content") == "none"
        page.get_by_role("button", name="Back to the published numbers").click()
        assert not page.locator(".chart").count()
        assert page.locator("figure.picture img:visible").count() == 1


def test_marks_on_logarithmic_axes(browser: Browser, built: Project) -> None:
    """X W^Q of prefill with L = 65536, D = 4096 has L D / (2 L + D) = 1985.9 FLOP/B: it reaches the A100's 312 TFLOP/s."""
    with page_without_errors(browser, address(built, INTENSITY, "seq_len=65536")) as page:
        left, top = marks(page, 0)[0]
        assert read_at(page, "middle", left, log=True) == pytest.approx(1985.9, rel=0.01)
        assert read_at(page, "end", top, log=True) == pytest.approx(312, rel=0.01)


def test_a_line_of_one_point(browser: Browser, built: Project) -> None:
    """Caches of 65536 tokens take 32 GiB: one fits beside 13.4 GB of weights into 80 GB, and no second one."""
    with page_without_errors(browser, address(built, BATCHING, "context_len=65536")) as page:
        names = page.locator(".chart g[style] > text:last-child").all_text_contents()
        assert names[0] == "context 65536, up to 1"
        assert page.locator(".chart g[style]").nth(0).locator("path.mark").count() == 1
        assert page.locator(".chart g[style]").nth(0).locator("text").all_text_contents() == ["1", names[0]]


def test_numbers_within_names_follow(browser: Browser, built: Project) -> None:
    """The table and the picture say the same largest batch; each mark but the last has its batch size beside it."""
    with page_without_errors(browser, address(built, BATCHING, "model.d_ff=12000")) as page:
        largest = page.locator("[id='3/fitting']").inner_text()
        assert largest.endswith("64")
        names = page.locator(".chart g[style] > text:last-child").all_text_contents()
        assert names[0] == "context 2048, up to 64"
        assert page.locator(".chart g[style]").nth(0).locator("text").all_text_contents()[:-1] == ["1", "2", "4", "8", "16", "32"]


SAID = "getComputedStyle(document.querySelector('figcaption'), '::after').content"


def test_a_picture_that_does_not_follow_says_so(browser: Browser, built: Project, tmp_path: Path) -> None:
    """One that is of another kind than lines."""
    name = "answers/utaustin/lecture25/batching.html"
    for folder in ("assets", "search"):
        shutil.copytree(built.path(f"site/{folder}"), tmp_path / folder)
    text = built.path(f"site/{name}").read_text(encoding="utf-8")
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text.replace("{&quot;lines&quot;", "{&quot;bars&quot;"), encoding="utf-8")
    with page_without_errors(browser, f"{(tmp_path / name).as_uri()}#what-if?model.d_ff=12000") as page:
        assert not page.locator(".chart").count()
        assert page.evaluate(SAID) == '" (The picture is of the published numbers.)"'
        page.get_by_role("button", name="Back to the published numbers").click()
        assert page.evaluate(SAID) == "none"


def test_a_picture_of_what_stays_says_nothing(browser: Browser, built: Project) -> None:
    """The levels of NF4 are the same for every size of a block."""
    with page_without_errors(browser, address(built, NF4, "block_len=32")) as page:
        assert page.locator("body.what-if-changed").count()
        assert page.evaluate(SAID) == "none"


def test_an_axis_within_a_decade_has_numbers(browser: Browser, built: Project) -> None:
    """A step takes 11 to 24 ms."""
    with page_without_errors(browser, address(built, BATCHING, "model.d_ff=64000")) as page:
        assert [number for number, _ in page.evaluate(WRITTEN, "middle")] == [12, 14, 16, 18, 20, 22, 24]


def test_names_stand_above_the_axis(browser: Browser, built: Project) -> None:
    """All gains are near zero where a draft call takes a hundred times as long as a target call."""
    with page_without_errors(browser, address(built, SPECULATIVE, "gain.cost_ratio=100")) as page:
        heights = [float(one.get_attribute("y") or 0) for one in page.locator(".chart g[style] > text:last-child").all()]
        (_, axis), *_ = page.evaluate(WRITTEN, "end")
        assert sorted(heights, reverse=True) == pytest.approx([axis - 7.5 - 15 * n for n in range(4)])
