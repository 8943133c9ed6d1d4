"""What comes and goes when a reader changes numbers: rows, cells, and the words that a comparison chooses."""

from __future__ import annotations

import re

from playwright.sync_api import Browser

from generators.depending import either, holds_now, while_holds
from generators.table import table
from generators.traced import Trace, is_condition
from tests.browsing import DESK, needs_chromium, page_without_errors
from tests.project import Project


def address(project: Project, name: str, numbers: str) -> str:
    """A page of answers with numbers in its address."""
    return f"{project.path('site').as_uri()}/answers/{name}.html#what-if?{numbers}"


def test_plain_comparisons_decide() -> None:
    assert (either(True, "a", "b"), either(False, "a", "b")) == ("a", "b")
    assert (while_holds(True, 3), while_holds(False, 3)) == (3, None)
    assert list(table("t", ["a"], {"one": (1,), "two": (2,)}, depending={"two": False}).rows) == ["one"]


def test_traced_comparisons_stay_open() -> None:
    """Nothing is decided: no condition is noted, and all rows are kept."""
    trace = Trace()
    number = trace.parameter("n", 5)
    assert (either(number > 3, "a", "b"), either(number > 7, "a", "b")) == ("a", "b")
    made = table("t", ["a"], {"one": (1,), "two": (2,)}, depending={"two": number > 7})
    assert (list(made.rows), list(made.depending)) == (["one", "two"], ["two"])
    assert (holds_now(number > 3), holds_now(number > 7)) == (True, False)
    assert is_condition((number > 7).opposite())
    assert (number > 7).opposite().holds
    assert trace.conditions == {}


class TestPages:
    """In a browser."""

    pytestmark = needs_chromium

    def test_rows(self, browser: Browser, built: Project) -> None:
        """With 16 layers, 80 GB hold (80e9 - 6704594944 - 262144000) / 2^29 = 136.04 caches, with 64 layers 25.01.

        64 layers take 2 (64 * 12 * 4096^2 + 4096 * 32000) = 26031947776 bytes, and a cache 2^31.
        """
        for layers, largest in ((16, ["64", "128", "136"]), (64, ["25"])):
            with page_without_errors(browser, address(built, "utaustin/lecture25/batching", f"model.n_layers={layers}")) as page:
                shown = page.locator(".answer table").first.locator("tbody tr:visible td:first-child").all_inner_texts()
                smaller = [str(2**power) for power in range(6) if 2**power < int(largest[0])]
                assert [one.strip() for one in shown] == [*smaller, *largest]
                page.set_viewport_size({"width": 360, "height": 740})
                cards = page.locator(".answer table").first.locator("tbody tr:visible")
                assert cards.count() == len(shown)
                page.set_viewport_size(DESK)
                marks = page.locator(".chart g[style]").first.locator("path.mark")
                assert marks.count() == len(shown)

    def test_a_row_that_would_stand_twice(self, browser: Browser, built: Project) -> None:
        """The width of a reader takes the place of the same one in the list of others."""
        name = "utaustin/lecture25/parameter_efficient_tuning"
        with page_without_errors(browser, address(built, name, "adapter_width=8")) as page:
            rows = page.locator("[id='3/printed'] tr:visible", has_text="Adapters").all_inner_texts()
            assert [re.findall(r"\b(?:8|64|256)\b", row)[:1] for row in rows] == [["8"], ["256"]]

    def test_a_choice(self, browser: Browser, built: Project) -> None:
        """A matrix of one weight takes 4 bytes in LoRA, and in QLoRA half a byte and 4 bytes of its step."""
        with page_without_errors(browser, address(built, "ift6135/a2/question4", "d_model=1&rank=1&n_heads=1")) as page:
            least = page.locator("tr:has([id='4.4b/choices/memory_limit/mha'])").inner_text()
            assert least.split() == ["Memory", "limit", "LoRA", "LoRA"]
            assert page.get_by_text("All fits unquantized").is_visible()

    def test_cells(self, browser: Browser, built: Project) -> None:
        """Where drafting costs next to nothing, the gain still rises at the longest draft, which is said below the table."""
        with page_without_errors(
            browser, address(built, "utaustin/lecture25/speculative_decoding", "gain.cost_ratio=0.001")
        ) as page:
            cells = page.locator("tr:has([id='4/best/alpha_4/alpha']) td")
            assert cells.all_inner_texts()[1:] == ["–", "–"]
            assert page.get_by_text("the gain still rises at").is_visible()
            page.get_by_role("button", name="Back to the published numbers").click()
            assert "–" not in "".join(cells.all_inner_texts())
            assert not page.get_by_text("the gain still rises at").is_visible()

    def test_chosen_words(self, browser: Browser, built: Project) -> None:
        """Arithmetic takes 4 * 4096^2 * 128 / 312e12 = 27.5 µs with heads of 128, and memory 73089024 / 2039e9 = 35.8 µs.

        SRAM holds 98304 elements, so blocks have 98304 / (4 * 128) = 192 tokens and there are 22 passes. With L = 4096, H = 128
        they move 2 (2 L H + 22 (2 L H + 2 L) + 23 (L H + 2 L)) bytes.
        """
        with page_without_errors(browser, address(built, "utaustin/lecture25/flash_attention", "head_width=64")) as page:
            bound_by = page.locator("[id='3/times/FlashAttention/bound_by']")
            assert bound_by.inner_text() == "arithmetic"
            page.evaluate("location.hash = 'what-if?head_width=128'")
            page.locator("body.what-if-changed").wait_for()
            assert bound_by.inner_text() == "memory"
