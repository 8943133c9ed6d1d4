"""The site in a real browser: over http, its search, its colour scheme, without JavaScript, and with hostile text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from generators.pipeline.catalog import QuestionId
from tests.browsing import DESK, SCHEMES, Watched, loaded_everything, needs_chromium, page_names, served
from tests.conftest import IDS
from tests.project import HOSTILE, Project

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def site(built: Project) -> Iterator[str]:
    """The address of the built site."""
    with served(built.path("site")) as address:
        yield address


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


@pytest.fixture(scope="module")
def reading(site: str, open_page: Callable[..., tuple[Page, Watched]]) -> tuple[Page, Watched]:
    """One page, which tests that change nothing of it share: each page loads the search anew."""
    return open_page(f"{site}/answers/comp4901y/hw4/question2.html")


def test_pages_ask_only_their_own_host(built: Project, site: str, open_page: Callable[..., tuple[Page, Watched]]) -> None:
    """Over http every request goes to the site itself, and the console stays empty."""
    page, watched = open_page(site)
    for name in page_names(built)[::5]:
        page.goto(f"{site}/{name}", wait_until="load")
        assert loaded_everything(page), name
    page.wait_for_load_state("networkidle")
    assert [url for url in watched.requests if not url.startswith((f"{site}/", "data:", "blob:"))] == []
    assert watched.complaints == []


def first_result(page: Page, word: str) -> Locator:
    """Type a word into the search once it is ready and empty."""
    page.locator(".md-search__input").clear()
    ready = "document.querySelector('.md-search-result__meta').textContent.includes('Type to start')"
    page.wait_for_function(ready, timeout=10_000)
    page.locator(".md-search__input").press_sequentially(word)
    result = page.locator(".md-search-result__link").first
    result.wait_for(timeout=10_000)
    return result


@pytest.mark.parametrize(
    ("words", "found"),
    [("roofline", "comp4901y/hw3/question1"), ("VeRA", "comp4901y/hw4/question1"), ("beam", "comp4901y/hw3/question2"),
     ("4096/3", "comp4901y/hw3/question1"), ("8/21", "comp4901y/hw4/question2")],
)  # fmt: skip
def test_search_finds_words_and_numbers(reading: tuple[Page, Watched], words: str, found: str) -> None:
    """Typing leads to the page that holds what was typed; search has a name for screen readers."""
    page, watched = reading
    assert page.locator(".md-search").get_attribute("aria-label") == "Search"
    first_result(page, words)
    # The first results may be those of the word as far as it was typed.
    first_two = "[...new Set([...document.querySelectorAll('.md-search-result__link')].map(link => link.pathname))].slice(0, 2)"
    page.wait_for_function(f"found => {first_two}.includes(found)", arg=f"/answers/{found}.html", timeout=10_000)
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


def test_mathml_is_laid_out_with_the_maths_font(reading: tuple[Page, Watched]) -> None:
    """The font of the site itself is used, not one that a machine may lack."""
    page, _ = reading
    page.evaluate("document.fonts.ready")
    assert page.evaluate("document.fonts.check('16px \"STIX Two Math\"')")
    assert page.evaluate("[...document.fonts].filter(f => f.family.includes('STIX')).map(f => f.status)") == ["loaded"]


def test_text_from_parameters_runs_nothing(
    small: Project, hostile: Project, open_page: Callable[..., tuple[Page, Watched]]
) -> None:
    """Scripts and markup in parameters are shown, not executed; pages and search ask for nothing else."""
    with served(hostile.path("site")) as address:
        page, watched = open_page(f"{address}/answers/comp4901y/hw4/question2.html")
        assert HOSTILE[0] in page.inner_text("article")
        before, after = small.kept(), hostile.kept()
        changed = [name for name in page_names(hostile) if before[f"site/{name}"] != after[f"site/{name}"]]
        assert len(changed) > 2
        for name in changed:
            page.goto(f"{address}/{name}", wait_until="load")
        first_result(page, "candidates")
        page.wait_for_timeout(200)
        assert [url for url in watched.requests if not url.startswith((f"{address}/", "data:", "blob:"))] == []
        assert watched.complaints == []
        page.context.close()
