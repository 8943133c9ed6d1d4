"""Pages that a reader switches to: other conventions, other numbers of beams and of guesses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from generators.errors import RenderError
from generators.pipeline import variants
from generators.pipeline.catalog import ROOT, QuestionId, load_params, load_question
from generators.pipeline.kept import Section
from generators.pipeline.match import problems
from generators.pipeline.readings import changes
from generators.pipeline.reads import files_read
from generators.pipeline.unit import Task, composed, varied
from generators.question import overlaid
from tests.browsing import needs_chromium, page_without_errors, served
from tests.entries import ENTRIES, found, id_of
from tests.project import Project

pytestmark = needs_chromium

BEAMS = "answers/comp4901y/hw3/question2.html"
UNFIT = "An adapter's value, its gradient and an activation take 4 bytes each"
"""With it the tokens of NF4's entry would exceed the memory."""
ALL = [
    pytest.param(one, change, id=f"{one}-{name}")
    for one, entry in ENTRIES.items()
    for _, name, change in changes(load_question(one), load_params(one, load_question(one), entry))
    if name != UNFIT
]


def offered(project: Project, name: str) -> list[Any]:
    """Groups and names of a question's variants."""
    return [[one["group"], one["name"]] for one in project.made(name)["solve"]["readings"]]


def test_other_conventions_are_offered_and_what_fixes_the_one_in_force(built: Project) -> None:
    """Not those that can be chosen beside the numbers, such as FLOPs of a multiply-add."""
    group = "Variances divide by the number of values (from solutions of earlier years)"
    assert offered(built, "ift6135/a2_q1_normalization") == [[group, "Variances divide by one less than the number of values"]]
    bytes_each = ["A weight, key or value takes 2 bytes (our choice)", "A weight, key or value takes 4 bytes"]
    assert offered(built, "utaustin/lecture25_batching") == [bytes_each]
    assert UNFIT not in [name for _, name in offered(built, "utaustin/lecture25_nf4")]


def test_the_number_in_force_is_not_offered(built: Project) -> None:
    """The sheet asks for 2 beams."""
    beams = [name for group, name in offered(built, "comp4901y/hw3_q2_beam_search") if group.startswith("Number of beams")]
    assert beams == ["1 beam", "3 beams", "4 beams"]


@pytest.mark.parametrize(("question_id", "change"), ALL)
def test_every_value_of_a_variant_is_found_again(question_id: QuestionId, change: dict[str, Any]) -> None:
    task = Task.at(question_id, overlaid(ENTRIES[question_id], change))
    assert not problems(task.answer, found(question_id, task.params))


def test_variants_are_made_again_when_what_makes_a_page_changes() -> None:
    """Mkdocs.yml names the extension for formulas, which no module of the pipeline imports."""
    read = files_read(id_of("comp4901y/hw3_q2")).variants
    own = "generators/courses/comp4901y/hw3_q2_beam_search"
    names = ("mkdocs.yml", "generators/pipeline/site/markdown.py", f"{own}/solve.py", f"{own}/draw.py", f"{own}/params.py")
    assert {ROOT / name for name in names} <= set(read)


def test_pictures_of_a_reading_are_kept_while_words_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its page is made anew, its pictures are those that were drawn for the same answer."""
    question_id = id_of("comp4901y/hw4_q2")
    made = composed(question_id, ENTRIES[question_id], {})
    at = (made.answers, made.sections["draw"].content)
    first = varied(question_id, ENTRIES[question_id], {}, *at)
    assert any(one["pictures"] for one in first.content)
    monkeypatch.setattr(variants, "draw_strictly", None)
    kept = {"variants": Section("of other words", first.content)}
    assert varied(question_id, ENTRIES[question_id], kept, *at) == first
    with pytest.raises(RenderError):
        varied(question_id, ENTRIES[question_id], {}, *at)


@pytest.fixture
def page(browser: Browser, built: Project) -> Iterator[Page]:
    """The page of a beam search."""
    with page_without_errors(browser, f"{built.path('site').as_uri()}/{BEAMS}") as opened:
        yield opened


def told(page: Page) -> str:
    """What the panel says, once the other pages are loaded."""
    page.locator("#variants output", has_text=re.compile("^Shown: ")).wait_for()
    return page.locator("#variants output").inner_text()


def test_there_and_back(page: Page) -> None:
    """With 3 beams a b a (.2 * .8 * .8 = .128), b c a (.5 * .4 * .6 = .12) and c a b (.3 * .8 * .4 = .096) stay."""
    before = page.locator("article").inner_text()
    page.get_by_text("What if it were read another way?").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Show the page with").select_option("3 beams")
    # 3 sequences and their probabilities, and the rank of the third; one picture.
    assert told(page).startswith("Shown: 3 beams. These are not the checked answers.")
    assert told(page).endswith("The boxes differ from the published ones in 7 places and 1 picture. New ones are outlined.")
    rows = page.locator("[id='2/final'] tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [
        ["1", "a", "b", "a", "0.128"], ["2", "b", "c", "a", "0.12"], ["3", "c", "a", "b", "0.096"],
    ]  # fmt: skip
    assert page.url.endswith("#variant=3%20beams")
    page.get_by_text("Back to the published page").press("Enter")
    page.get_by_text("What if it were read another way?").click()
    assert page.locator("article").inner_text() == before
    assert "#" not in page.url


def listed(page: Page, *, opened: bool = False) -> list[str]:
    """What the panel says of each other reading."""
    if not opened:
        page.get_by_text("What if it were read another way?").click()
    page.locator("#variants dd").first.wait_for()
    return page.locator("#variants dd").all_text_contents()


def test_what_each_reading_gives_is_listed(page: Page) -> None:
    """With 3 beams as above: a probability, a third row and the picture are not shown. A row that is gone is one change.

    Equal scores are at rank 3 or below, so with 2 beams ties change nothing.
    """
    text = listed(page)
    assert text[0] == "1 beam: Rank 2 is gone; tree diagram of the track of 2 beams becomes tree diagram of the track of 1 beam."
    assert text[1] == (
        "3 beams: Rank 1, Sequence b c a becomes a b a; Rank 1, Probability 0.12 becomes 0.128;"
        " Rank 2, Sequence c a b becomes b c a; and 3 changes more."
    )
    assert text[-1].endswith("is preferred: the boxes stay as they are.")


def test_values_and_pictures_are_named_in_the_list(page: Page, built: Project) -> None:
    """The first guesses of 3 heads after the root are 4 nodes. 6573522944 weights of 2 bytes take 13147045888 B."""
    page.goto(f"{built.path('site').as_uri()}/answers/comp4901y/hw4/question2.html")
    assert listed(page)[0] == (
        "only the first guess of each head: tree diagram of 15 nodes becomes tree diagram of 4 nodes;"
        " mask of 15 rows and as many columns becomes mask of 4 rows and as many columns."
    )
    assert listed(page, opened=True)[1].endswith(
        ": mask of 13 rows and as many columns is drawn anew; mask of 15 rows and as many columns is drawn anew."
    )
    page.goto(f"{built.path('site').as_uri()}/answers/utaustin/lecture25/batching.html")
    said = re.sub(r"\s", "", listed(page)[0])
    assert "4bytes:1:weightsthatastepreads,13147045888Bbecomes26294091776B;" in said
    page.goto(f"{built.path('site').as_uri()}/answers/utaustin/lecture25/parameter_efficient_tuning.html")
    assert "2: BERT-large, Adapters, Share " in listed(page)[0]  # the rows of other methods begin with BERT-large too
    page.goto(f"{built.path('site').as_uri()}/answers/ift6135/a2/question3.html")
    assert "; and 3 changes more." in listed(page)[0]  # no box has a number


def test_the_list_is_of_the_published_page(page: Page, built: Project) -> None:
    """Whatever numbers a reader has changed before, and once, though an address opens the panel and asks for a reading."""
    page.goto(f"{built.path('site').as_uri()}/answers/ift6135/a2/question2.html#what-if?sizes.vocabulary_size=10")
    page.get_by_text("What if it were read another way?").click()
    page.locator("#variants dd").first.wait_for()
    assert page.locator("#variants dd").last.text_content() == (
        "Of two equal candidates the one further right in the tree is preferred: the boxes stay as they are."
    )
    page.goto(f"{built.path('site').as_uri()}/{BEAMS}#variant=3%20beams")
    told(page)
    assert page.locator("#variants dd").count() == page.locator("#variants option").count() - 1


def test_the_table_of_contents_follows_the_reading(page: Page) -> None:
    """Its entries lead to the headings that are shown; a place on the page leaves the reading in the address."""
    page.evaluate("location.hash = 'variant=3%20beams'")
    told(page)
    page.locator(".md-nav--secondary a:visible", has_text="2 Beam search with 3 beams").click()
    page.wait_for_function("location.hash === '#variant=3%20beams' && scrollY > 500")
    page.get_by_role("button", name="Back to the published page").press("Enter")
    assert page.locator(".md-nav--secondary a:visible", has_text="2 Beam search with 2 beams").count() == 1
    assert page.get_by_role("heading", name="2 Beam search with 2 beams").count() == 1


def test_an_address_opens_a_variant(page: Page) -> None:
    name = "The score of a sequence is the sum of the logarithms of its probabilities"
    page.evaluate("name => { location.hash = `variant=${encodeURIComponent(name)}`; }", name)
    told(page)
    text = page.locator("article").inner_text()
    assert f"{name} (conventions.scoring: sum of logs; our choice)." in text  # the lectures speak for products alone


def test_only_what_differs_is_counted(page: Page, built: Project) -> None:
    """Biases in adapters change the bytes of their parameters and of their gradients."""
    page.goto(f"{built.path('site').as_uri()}/answers/comp4901y/hw4/question1.html")
    page.get_by_text("What if it were read another way?").click()
    page.get_by_label("Show the page with").select_option("The two matrices of an adapter have biases")
    assert told(page).endswith("The boxes differ from the published ones in 2 places. New ones are outlined.")


def test_one_change_at_a_time(page: Page, built: Project) -> None:
    """Numbers go back to the published ones when another reading is chosen, and the reading when a number is."""
    page.goto(f"{built.path('site').as_uri()}/answers/ift6135/a2/question2.html#what-if?sizes.length=10")
    page.get_by_text("What if it were read another way?").click()
    page.get_by_label("Show the page with").select_option("3 beams")
    told(page)
    assert not page.locator("body.what-if-changed").count()
    page.evaluate("location.hash = 'what-if?sizes.length=10'")
    page.locator("body.what-if-changed").wait_for()
    assert not page.locator("body.variant-shown").count()


def test_a_script_that_cannot_be_loaded(page: Page, built: Project) -> None:
    """The published page stays."""
    page.route("**/*.variants.js", lambda route: route.abort())
    with served(built.path("site")) as address:
        page.goto(f"{address}/{BEAMS}")
        page.get_by_text("What if it were read another way?").click()
        page.get_by_label("Show the page with").select_option("3 beams")
        page.get_by_text("The other pages cannot be loaded.").wait_for()
        assert "#variant" not in page.url
        assert not page.locator("body.variant-shown").count()
        assert page.locator("[id='2/final'] tbody tr").count() == 2


def test_an_address_that_is_damaged_shows_the_published_page(page: Page, built: Project) -> None:
    page.goto(f"{built.path('site').as_uri()}/{BEAMS}#variant=%E0%A4")
    page.reload()
    assert not page.locator("body.variant-shown").count()
