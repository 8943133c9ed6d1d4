"""The PDFs: tagged, titled, selectable, with every font inside, on A4, and without what belongs to a website."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from generators.errors import CheckFailed, RenderError
from generators.pipeline.catalog import QuestionId
from generators.pipeline.pdf import printing
from generators.pipeline.pdf.printed_check import check_printed
from generators.pipeline.pdf.submission import Document
from generators.pipeline.site.page import escaped
from tests.conftest import IDS
from tests.page_text import without_escapes
from tests.project import Project

A4 = (595, 841)  # points, rounded down


def pdf_of(question_id: str) -> str:
    """The submission file of a question of COMP4901Y, one file each."""
    return f"build/pdf/{QuestionId(*question_id.split('/')).path}.pdf"


PDFS = [pdf_of(one) for one in IDS if one.startswith("comp4901y/")]


@cache
def reader(project: Project, name: str) -> PdfReader:
    return PdfReader(project.path(name))


def objects(pdf: PdfReader) -> Iterator[DictionaryObject]:
    """Every dictionary of the file."""
    size: Any = pdf.trailer["/Size"]
    for number in range(1, int(size)):
        found = pdf.get_object(number)
        if isinstance(found, DictionaryObject):
            yield found


def text(pdf: PdfReader) -> str:
    return "\n".join(page.extract_text() for page in pdf.pages)


def test_the_files_that_the_course_asks_for(built: Project) -> None:
    """Homework 3 has question1.pdf, homework 4 question1.pdf and question2.pdf."""
    folder = built.path("build/pdf/comp4901y")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.pdf")}
    assert {"hw3/question1.pdf", "hw4/question1.pdf", "hw4/question2.pdf"} <= names


@pytest.mark.parametrize("name", PDFS)
def test_title_and_language(built: Project, name: str) -> None:
    """A reader's window shows the title; a screen reader knows the language."""
    pdf = reader(built, name)
    root: Any = pdf.trailer["/Root"]
    assert pdf.metadata is not None
    assert str(pdf.metadata.title).startswith("COMP4901Y, Homework ")
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"] is not False
    assert "/CreationDate" not in pdf.metadata


@pytest.mark.parametrize("name", PDFS)
def test_pdf_ua(built: Project, name: str) -> None:
    """The file is tagged and names the standard it keeps to."""
    root: Any = reader(built, name).trailer["/Root"]
    assert bool(root["/MarkInfo"]["/Marked"]) is True
    assert "/StructTreeRoot" in root
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()


@pytest.mark.parametrize("name", PDFS)
def test_formulas_and_figures_are_described(built: Project, name: str) -> None:
    """Each has a text for those who cannot see it; formulas are read without TeX."""
    tagged = [one for one in objects(reader(built, name)) if one.get("/S") in ("/Figure", "/Formula")]
    assert bool(tagged) != name.endswith("hw3/question3.pdf")  # which has texts alone
    for one in tagged:
        assert str(one.get("/Alt", "")).strip(), one
    assert not [one["/Alt"] for one in tagged if "\\" in str(one["/Alt"])]


@pytest.mark.parametrize("name", PDFS)
def test_tables_are_tables(built: Project, name: str) -> None:
    """Rows, header cells and cells are tagged as such."""
    kinds = {str(one.get("/S")) for one in objects(reader(built, name))}
    assert {"/H1", "/H2", "/P"} <= kinds
    course, document, question = name.removeprefix("build/pdf/").removesuffix(".pdf").split("/")
    printed = next(one for one in IDS if one.startswith(f"{course}/{document}_q{question[-1]}_"))
    has_table = "\n|" in built.made(printed)["render"]["pdf"]
    parts = {"/Table", "/TR", "/TH", "/TD"}
    assert kinds & parts == (parts if has_table else set())


@pytest.mark.parametrize("name", PDFS)
def test_every_font_is_embedded(built: Project, name: str) -> None:
    """Also those of pictures."""
    found = list(objects(reader(built, name)))
    fonts = [one for one in found if one.get("/Type") == "/Font" and one.get("/Subtype") != "/Type0"]
    assert fonts
    for font in fonts:
        descriptor: Any = font["/FontDescriptor"]
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor.keys()), font["/BaseFont"]


@pytest.mark.parametrize("name", PDFS)
def test_text_can_be_selected_and_is_no_source(built: Project, name: str) -> None:
    """Neither TeX nor Markdown nor Typst shows through."""
    found = without_escapes(text(reader(built, name))).replace("$value", "")  # a variable of a shell's loop
    assert "Conventions and errata" in found
    assert not re.search(r"\\[a-zA-Z]|\$|\*\*|#(math|figure|block|answer)|&#\d+;|\]\(|None|Fraction\(", found)


@pytest.mark.parametrize("name", PDFS)
def test_website_furniture_is_not_printed(built: Project, name: str) -> None:
    """No link to the PDF itself, no table of checks, no address."""
    found = text(reader(built, name))
    assert "checks passed" not in found
    assert "http" not in found
    annotations = [one.get_object() for page in reader(built, name).pages for one in page.get("/Annots") or []]
    assert not [one for one in annotations if "/URI" in one.get("/A", {})]


@pytest.mark.parametrize("name", PDFS)
def test_pages_are_a4(built: Project, name: str) -> None:
    """Each with something on it."""
    for page in reader(built, name).pages:
        assert (int(page.mediabox.width), int(page.mediabox.height)) == A4
        assert len(page.extract_text()) > 100


@pytest.mark.parametrize("question_id", [one for one in IDS if one.startswith("comp4901y/")])
def test_every_part_of_the_sheet_has_a_heading(built: Project, question_id: str) -> None:
    """In the outline, in the sheet's order."""
    pdf = reader(built, pdf_of(question_id))
    titles: list[str] = []

    def walk(items: Any) -> None:
        for item in items:
            if isinstance(item, list):
                walk(item)
            else:
                titles.append(item.title)

    walk(pdf.outline)
    numbered = [title.split()[0] for title in titles if title[0].isdigit()]
    assert numbered == sorted(numbered)
    assert numbered


def document(markdown: str, **changes: Any) -> Document:
    fields = {"path": "x.pdf", "title": "t", "header": "h", "pictures": {}, "questions": [("Q", ["1.1"])]}
    return Document(**{"pages": {"templates/x.md.j2": markdown}, **fields, **changes})


@pytest.mark.parametrize(
    ("markdown", "message"),
    [
        ("# Q\n\n$\\nosuch{1}$\n", "templates/x.md.j2: pandoc: "),
        ("# Q\n\n![a](none.svg \"b\")\n", "build/pdf/x.pdf: typst: "),
        ("# Q\n\n### 3\n", "build/pdf/x.pdf: typst: PDF/UA-1 error: "),
        ("# Q\n\n`#panic()`{=typst}\n", "build/pdf/x.pdf: typst: "),
    ],
)  # fmt: skip
def test_what_pandoc_or_typst_warn_of_is_an_error(markdown: str, message: str) -> None:
    """One line that names the PDF, or the template, and who complained."""
    with pytest.raises(RenderError) as refusal:
        printing.compiled_pdf(document(markdown))
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)


def test_of_several_pages_the_one_that_pandoc_complains_of_is_named() -> None:
    """Though all pages of a document go through one run of pandoc."""
    one = document("# Q\n", pages={"templates/x.md.j2": "# Q\n", "templates/y.md.j2": "$\\nosuch{1}$\n"})
    with pytest.raises(RenderError, match=r"^templates/y.md.j2: pandoc: "):
        printing.compiled_pdf(one)


@pytest.mark.parametrize(
    ("markdown", "message"),
    [
        ("# Q\n\n## 1.2 b\n", "parts of 'Q'"),
        ("# P\n\n## 1.1 a\n", "question 'Q'"),
        ("Before.\n\n# Q\n\n## 1.1 a\n", "the top of a page"),
        ("# Q\n\n## 1.1 a\n\n\\\\frac stays\n", "no raw TeX"),
        ("# Q\n\n## 1.1 a\n\n    --n $N\n\n\\$ stays\n", "no raw TeX"),
    ],
)
def test_a_finished_pdf_is_read_back(markdown: str, message: str) -> None:
    """What is missing, misplaced or left in TeX is found in the file itself."""
    one = document(markdown)
    with pytest.raises(CheckFailed, match=re.escape(message)):
        check_printed(printing.compiled_pdf(one), one)


def test_a_good_pdf_passes() -> None:
    """Text of parameters may look like TeX, and a shell's variables in code."""
    one = document("# Q\n\n## 1.1 a\n\n" + escaped(r"\frac and \alpha $$") + "\n\n    --n $N\n")
    check_printed(printing.compiled_pdf(one), one)


def test_the_same_document_gives_the_same_bytes() -> None:
    """Nothing in a PDF depends on the time."""
    one = document("# Q\n\n## 1.1 a\n\n$x^2$\n")
    assert printing.compiled_pdf(one) == printing.compiled_pdf(one)
