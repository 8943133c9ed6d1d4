"""Fields of numbers that a reader changes: entries of lists, signs, and the way back."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.browsing import needs_chromium, page_without_errors
from tests.project import Project

pytestmark = needs_chromium

ENTRY = "Sample 2, channel 1, feature 1"
OPENS = "What if other numbers were given?"


def address(project: Project, name: str) -> str:
    """A page of answers."""
    return f"{project.path('site').as_uri()}/answers/{name}.html"


def test_an_entry_of_a_list_is_changed(browser: Browser, built: Project) -> None:
    """With -3 in place of 1 sample 2 has the layer mean (-3 + 2 + 4 + 1 + 2 + 2)/6 = 4/3; the others stay 19/6, 5/2 and 10/3."""
    with page_without_errors(browser, address(built, "ift6135/a2/question1")) as page:
        page.get_by_text(OPENS).click()
        page.get_by_label(ENTRY, exact=True).fill("\u22123")
        means = page.locator("[id='1/layer_mean'] mtd").all_text_contents()
        assert means == ["196", "43", "52", "103"]  # each numerator before its denominator
        assert page.locator("[id='sheet/tensor/sample_2.channel_1/feature_1']").text_content() == "\u22123"


def test_an_entry_that_no_page_has_is_refused(browser: Browser, built: Project) -> None:
    """Entries lie between -100 and 100 and are multiples of 1/600."""
    with page_without_errors(browser, address(built, "ift6135/a2/question1")) as page:
        page.get_by_text(OPENS).click()
        for number, rule in (
            ("-100.5", f"{ENTRY}: must be a number from \u2212100 to 100."),
            ("many", f"{ENTRY}: must be a number from \u2212100 to 100. Write it as 0.05 or 1/20."),
            (".001", f"{ENTRY}: entries must be multiples of 1/600, such as 0.01, 1/3 or 1/8."),
        ):
            page.get_by_label(ENTRY, exact=True).fill(number)
            told = page.locator("#what-if output").inner_text()
            assert told == f"{rule} The page shows the published numbers."


def test_a_rule_for_several_numbers_is_said(browser: Browser, built: Project) -> None:
    """200 000 tokens of 32 layers with 2 * 4096 keys and values of 2 bytes take 104 857 600 000, of 80 * 10^9 bytes.

    The weights take 13 147 045 888 and the embedding 2 * 4096 * 32 000 more. Only the number that was changed is marked.
    """
    with page_without_errors(browser, f"{address(built, 'utaustin/lecture25/batching')}#what-if?context_len=200000") as page:
        told = page.locator("#what-if output").inner_text()
        rule = "Memory must hold the bytes of the weights and one sequence: 118266789888 is more than 80000000000."
        assert told.replace("\u202f", "").startswith(f"{rule} The page")
        assert page.get_by_label("Cached tokens").get_attribute("aria-invalid") == "true"
        assert page.locator("#what-if [aria-invalid=true]").count() == 1


def test_a_list_that_must_rise(browser: Browser, built: Project) -> None:
    """Rates are .5, .7, .8 and .9, all below 1. With .99 for the last, 3 drafts give 1 + .99 + .9801 + .970299 tokens a call."""
    with page_without_errors(browser, address(built, "utaustin/lecture25/speculative_decoding")) as page:
        page.get_by_text(OPENS).click()
        status, last = page.locator("#what-if output"), page.get_by_label("Acceptance rate")
        page.get_by_label("Alpha 1").fill("70 %")
        assert status.inner_text() == "Alpha 1 (0.7) must be below alpha 2 (0.7). The page shows the published numbers."
        page.get_by_label("Alpha 1").fill("1/2")
        last.fill("1")
        assert status.inner_text().startswith("Acceptance rate: must be a number at least 0, below 1.")
        last.fill("0.99")
        assert page.locator("[id='4/tokens']").inner_text().replace("\n", "").endswith("≈3.94040")


def test_the_back_button_leads_to_the_published_page(browser: Browser, built: Project) -> None:
    """All of it: frames that the keyboard reaches keep their role, too."""
    with page_without_errors(browser, address(built, "utaustin/lecture25/speculative_decoding")) as page:
        text, roles = page.locator("article").inner_text(), page.locator("article [role='group']").count()
        page.evaluate("location.hash = 'what-if?gain.cost_ratio=0.1'")
        page.locator("body.what-if-changed").wait_for()
        page.go_back()
        page.wait_for_function("!document.querySelector('body.what-if-changed')")
        page.get_by_text(OPENS).click()
        assert page.locator("article").inner_text() == text
        assert page.locator("article [role='group']").count() == roles
        assert "#" not in page.url


def test_powers_of_ten(browser: Browser, built: Project) -> None:
    """1e-3 is 1/1000, as are 0.001, 0,001 and 0.1 %; a comma between thousands opens no decimals."""
    name = "utaustin/lecture25/speculative_decoding"
    with page_without_errors(browser, address(built, name)) as page:
        page.get_by_text(OPENS).click()
        field, gain = page.get_by_label("Time of a draft call"), page.locator("[id='4/gain']")
        field.fill("0.001")
        expected = gain.inner_text()
        for number in ("1e-3", "1E-3", "1×10^-3", "1x10^\u22123", "0.1e-2", "0,001", "0.1 %", "2^3/8,000"):
            field.fill("0.2")
            assert gain.inner_text() != expected
            field.fill(number)
            assert gain.inner_text() == expected
        field.fill("1/2,000")
        half = gain.inner_text()
        for number in ("1,000/2,000,000", "+.0005", "5.e-4"):
            field.fill("0.2")
            field.fill(number)
            assert gain.inner_text() == half
