"""README says what the project does, and no more."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from generators.pipeline.catalog import ROOT, entries, load_question
from generators.pipeline.course import load_course
from tests.browsing import CHROMIUM
from tests.first_page import PICTURE, TEXT, seen
from tests.project import Project

README = (ROOT / "README.md").read_text(encoding="utf-8")


def table_of_questions() -> str:
    """A row a document, with the titles of its questions in order."""
    documents: dict[tuple[str, str], list[str]] = {}
    for question_id in entries():
        course = load_course(question_id.course)
        number = "" if question_id.number is None else f"{question_id.number}. "
        row = (course.title, course.document(question_id.document).title)
        documents.setdefault(row, []).append(f"{number}{load_question(question_id).title}")
    rows = [f"| {course} | {document} | {'; '.join(titles)} |" for (course, document), titles in documents.items()]
    return "\n".join(["| Course | Document | Questions |", "|---|---|---|", *rows])


def test_the_table_of_questions() -> None:
    """Put what stands on the right of this comparison into README when a question is added or renamed."""
    stands = re.search(r"## What is answered\n\n(.*?)\n\n##", README, re.DOTALL)
    assert stands is not None
    assert stands[1] == table_of_questions()


@pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the path")
def test_the_picture_shows_the_first_page_as_it_is(browser: Browser, built: Project) -> None:
    """Run `make picture` when this fails."""
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    assert TEXT.read_text(encoding="utf-8") == seen(browser, built.path("site"))


def test_every_target_that_is_named_exists() -> None:
    """Each `make` command stands in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets
