"""What the first page and the page of checks take in, of few questions and of drafts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from markdown import Markdown

from generators.pipeline.listed import Listed
from generators.pipeline.site.overview import example, questions, routes
from generators.pipeline.site.page import grouped, site_page

LEDGER = {
    "values": 3,
    "routes": {"by hand": 3},
    "covers": {"by hand": ["1.1", "sheet"]},
    "boxed": [
        {"address": "1.1/table/row/column", "name": "1.1, row: Column", "published": "1", "found": "1", "route": "by hand"},
        {"address": "1.1/area", "name": "1.1, its area", "published": "6 m²", "found": "6 m²", "route": "by hand"},
    ],
}
PARTS = {
    "sheet": {"title": "Given", "quantities": []},
    "1.1": {"title": "A field", "quantities": [{"address": "1.1/area", "what": "its area"}]},
}


def listed(title: str, pdf: str, number: int | None = None, ledger: Any = LEDGER, site: str = "") -> Listed:
    """A question that was worked out; of a draft nothing was found again yet."""
    worked: Any = SimpleNamespace(
        title=title,
        points=5,
        site=site,
        readings=(),
        ledger=ledger,
        slips={"numbers": [], "rows": []},
        what_if=None,
        answer={"parts": PARTS},
        question_id=SimpleNamespace(number=number),
    )
    return Listed("Course", "Course", "Quiz", "source", f"course/{title}", pdf, worked)


def test_questions_keep_their_numbers_and_pdfs() -> None:
    """Not every question of a sheet must be answered."""
    text = questions([listed("two", "q2.pdf", 2), listed("four", "q4.pdf", 4)])
    assert "2 pages, 6 values found again by [2 routes](checks.md#routes)" in text
    assert "10 points · 6 values found again · [q2&#46;pdf](answers/q2.pdf), [q4&#46;pdf](answers/q4.pdf)" in text
    assert "- [2&#46; two](answers/course/two.md)\n- [4&#46; four](answers/course/four.md)" in text


def test_a_pdf_of_several_questions_stands_once() -> None:
    text = questions([listed("one", "hw/both.pdf"), listed("two", "hw/both.pdf")])
    assert text.count("[both&#46;pdf](answers/hw/both.pdf)") == 1


def test_a_pdf_that_is_handed_in_says_so() -> None:
    """And that an agreement in it must be signed."""
    sheet = listed("one", "sheet.pdf")._replace(handed_in=True)
    assert "to hand in: [sheet&#46;pdf](answers/sheet.pdf)\n" in questions([sheet])
    signed = "to hand in: [sheet&#46;pdf](answers/sheet.pdf) with an agreement to sign, in our words\n"
    assert signed in questions([sheet._replace(agreement=True)])


def test_a_draft_names_no_routes() -> None:
    """Before anything was found again there is neither a number, an example nor a table."""
    draft = [listed("one", "one.pdf", 1, ledger=None)]
    assert "checks.md#routes" not in questions(draft)
    assert "being checked" in questions(draft)
    assert (example(draft), routes(draft)) == ("", "")


def test_the_example_has_quantities_in_words() -> None:
    """A cell of a table has no words of its own."""
    text = example([listed("one", "one.pdf", 1)])
    assert "A field&#58; its area | 6 m² | 6 m² | by hand" in text
    assert "column" not in text


def test_long_numbers_have_their_digits_in_groups() -> None:
    """Not the decimals, and no number of four digits."""
    assert (
        grouped("1234567 B = 1.234567 MB, 12345/1234") == "1&#8239;234&#8239;567 B &#61; 1&#46;234567 MB, 12&#8239;345&#47;1234"
    )


def test_text_of_recordings_takes_in_no_file() -> None:
    """A line that would take one in gets a semicolon, which the extension removes when it shows the line."""
    one = listed("one", "one.pdf", 1, ledger=None, site='Words.\n\n    --8<-- "index.md"\n--8<--\n')
    shown = 'Words.\n\n    ;--8<-- "index.md"\n;--8<--\n'
    assert shown in site_page(one, "one.pdf")
    assert Markdown(extensions=["pymdownx.snippets"]).convert(shown).count("--8&lt;--") == 2


def test_a_route_stands_with_the_parts_it_covers() -> None:
    """A numbered part by its number, another by its title."""
    assert "| [one](answers/course/one.md) | by hand | 1&#46;1; Given | 3 |" in routes([listed("one", "one.pdf", 1)])
