"""The built site: its links, what it loads, its pages, and answers.json."""

from __future__ import annotations

import html
import io
import json
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont

from generators.figures.style import DARK, LIGHT
from generators.pipeline.catalog import ROOT, QuestionId
from generators.pipeline.course import load_course
from generators.pipeline.site.kept_pages import TAKEN_IN
from generators.pipeline.site.math_font import math_font
from tests.conftest import IDS
from tests.page_text import Page, without_escapes
from tests.project import Project

REMOTE = re.compile(r"(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
LOADING = {"src", "srcset", "poster", "data", "action", "background"}


def pages(project: Project) -> list[Path]:
    found = sorted(project.path("site").rglob("*.html"))
    assert len(found) > len(IDS)
    return found


@cache
def parsed(path: Path) -> Page:
    return Page(path)


def page_of(project: Project, question_id: str) -> Path:
    return project.path(f"site/answers/{QuestionId(*question_id.split('/')).path}.html")


@cache
def answers(project: Project) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(project.path("site/answers.json").read_text(encoding="utf-8"))
    return content


def test_every_question_has_a_page(built: Project) -> None:
    """At the place its id names."""
    for question_id in IDS:
        assert page_of(built, question_id).is_file()
    assert page_of(built, "comp4901y/hw3_q1_arithmetic_intensity").relative_to(built.path("site")).as_posix() == (
        "answers/comp4901y/hw3/question1.html"
    )


def leads_somewhere(path: Path, link: str) -> bool:
    """Whether a link of the page `path` names a file, and a place in it."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = Path(posixpath.normpath(path.parent / unquote(parts.path))) if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    place = unquote(parts.fragment)
    return target.is_file() and (not place or target.suffix != ".html" or place in parsed(target).values("id"))


def test_every_local_link_leads_somewhere(built: Project) -> None:
    """Links, pictures, scripts and styles exist, and so do the places inside pages; a 404 page knows only its host's root."""
    for path in pages(built):
        if path.name != "404.html":
            links = (*parsed(path).values("href"), *parsed(path).values("src"))
            assert len(links) > 10
            assert [link for link in links if not leads_somewhere(path, link)] == [], path.name


def test_nothing_is_loaded_from_another_host(built: Project) -> None:
    """Pages, styles and pictures name no address to fetch from; namespaces are names."""
    for path in pages(built):
        for _, attributes in parsed(path).elements:
            for name in LOADING & set(attributes):
                assert not REMOTE.match(attributes[name] or ""), (path.name, attributes)
        links = [attributes for tag, attributes in parsed(path).elements if tag == "link"]
        assert not [one for one in links if REMOTE.match(one.get("href") or "")]
    for path in (*built.path("site").rglob("*.css"), *built.path("site").rglob("*.svg")):
        addresses = re.findall(
            r"""(?:url\(|href=|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""", path.read_text(encoding="utf-8")
        )
        assert addresses == [], path.name


def test_no_page_links_to_another_host(built: Project) -> None:
    """But to papers; not even the theme's notices do."""
    for path in pages(built):
        links = [link for link in parsed(path).values("href") if REMOTE.match(link)]
        assert not [link for link in links if not link.startswith("https://arxiv.org/abs/")], path.name


def test_pictures_load_nothing(built: Project) -> None:
    """An SVG refers to its own parts alone."""
    for path in built.path("site/answers").rglob("*.svg"):
        for element in ElementTree.parse(path).iter():
            for name, value in element.attrib.items():
                if name.rpartition("}")[2] == "href":
                    assert value.startswith("#")
                assert "url(" not in value or "url(#" in value


@pytest.mark.parametrize("question_id", IDS)
def test_a_page_has_its_parts_in_order(built: Project, question_id: str) -> None:
    """Title, question, answer, working, meaning, conventions, checks."""
    text = page_of(built, question_id).read_text(encoding="utf-8")
    headings = re.findall(r'<h2[^>]* id="([^"]+)"', text)
    wanted = ["question", "answer", "working", "what-it-means", "conventions-and-errata", "checks"]
    assert [one for one in headings if one in wanted] == wanted


@pytest.mark.parametrize("question_id", IDS)
def test_a_page_links_its_pdf(built: Project, question_id: str) -> None:
    """The link says PDF, and the file is a PDF."""
    path = page_of(built, question_id)
    links = [link for link in parsed(path).values("href") if link.endswith(".pdf")]
    assert len(links) == 1
    assert (path.parent / links[0]).read_bytes().startswith(b"%PDF-1.7")


def test_every_page_leads_to_pdfs(built: Project) -> None:
    """A question's page to its own, every other page to the first, which has all; a 404 page knows only its host's root."""
    made = {path.relative_to(built.path("build/pdf")).as_posix() for path in built.path("build/pdf").rglob("*.pdf")}
    text = built.path("site/index.html").read_text(encoding="utf-8")
    assert made == set(re.findall(r'href="answers/([^"]+\.pdf)"', text.partition('id="pdfs"')[2]))
    questions = {page_of(built, question_id) for question_id in IDS}
    for path in pages(built):
        if path.name not in ("404.html", "index.html") and path not in questions:
            links = parsed(path).values("href")
            assert {"index.html#pdfs", "../index.html#pdfs"} & set(links), path.name


def test_where_questions_come_from_is_said(built: Project) -> None:
    """The institution on the first page, the source on each page where it says more than course and document."""
    contents = parsed(built.path("site/index.html")).text
    for question_id in (QuestionId(*one.split("/")) for one in IDS):
        course = load_course(question_id.course)
        assert course.institution in contents
        document = course.document(question_id.document)
        named = f"{course.title} {document.title}".casefold()
        says_more = any(word not in named for word in re.findall(r"\w+", document.source.casefold()))
        assert (f"Source: {document.source}" in parsed(page_of(built, str(question_id))).text) == says_more


@pytest.mark.parametrize("question_id", IDS)
def test_a_page_says_how_it_was_checked(built: Project, question_id: str) -> None:
    """What is asked stands with the published and the found value and the route, all else is counted by route."""
    found = next(one for one in answers(built)["questions"] if one["id"] == question_id)["found"]
    text = re.sub(r"\s", "", parsed(page_of(built, question_id)).text)
    assert f"{found['values']}valuesfoundagain" in text
    rows = ["".join(boxed[key] for key in ("name", "published", "found", "route")) for boxed in found["boxed"]]
    rows += [f"{route}{count}" for route, count in found["routes"].items()]
    for row in rows:
        assert row.replace(" ", "") in text, row


@pytest.mark.parametrize(
    ("question_id", "address", "published"),
    [
        ("comp4901y/hw3_q1_arithmetic_intensity", "1.1/form/1/intensity", "4096/3 ≈ 1365.33 FLOP/B"),  # 1365 1/3
        ("ift6135/a2_q4_low_rank_adaptation", "4.2/of_w", "25/32 = 0.78125 %"),  # 25 · 0.03125
        ("utaustin/lecture25_distillation", "1/hard", "-log(2) + log(11) ≈ 1.70475"),  # 2.397895 - 0.693147
        ("ift6135/a2_q2_decoding", "2.2/years", "≈ 3.34832·10^77 years"),  # 1.05665e94 / 3.15576e16
    ],
)
def test_boxed_values_have_decimals_to_compare(built: Project, question_id: str, address: str, published: str) -> None:
    """Beside the exact form, where that is a fraction or an irrational number; a number of many digits has decimals alone."""
    found = next(one for one in answers(built)["questions"] if one["id"] == question_id)["found"]
    assert next(boxed for boxed in found["boxed"] if boxed["address"] == address)["published"] == published


@pytest.mark.parametrize("question_id", IDS)
def test_formulas_are_mathml_without_errors(built: Project, question_id: str) -> None:
    """No formula is left as TeX, and none holds an error."""
    text = page_of(built, question_id).read_text(encoding="utf-8")
    assert text.count("<math") > 5
    assert "merror" not in text
    shown = without_escapes(parsed(page_of(built, question_id)).text)
    assert not re.search(r"\\[a-zA-Z(\[]|\$\$|arithmatex", shown)


@pytest.mark.parametrize("question_id", IDS)
def test_pictures_come_in_both_palettes(built: Project, question_id: str) -> None:
    """Each has alt text, a caption, and a twin of other colours and the same shape."""
    path = page_of(built, question_id)
    images = [attributes for tag, attributes in parsed(path).elements if tag == "img" and attributes.get("class")]
    light = [one for one in images if str(one["class"]).startswith("on-light")]
    pictures = built.made(question_id)["draw"].values()
    assert len(light) == len(pictures) + sum(one["tall"] != "" for one in pictures)
    for one in light:
        assert len(str(one["alt"])) > 20
        source = path.parent / str(one["src"])
        twin = (source.parent / source.name.replace(".svg", ".dark.svg")).read_text(encoding="utf-8")
        assert not [colour for colour in LIGHT.values() if colour in twin and colour not in DARK.values()]
        assert re.sub("#[0-9a-f]{6}", "", twin) == re.sub("#[0-9a-f]{6}", "", source.read_text(encoding="utf-8"))
    assert [tag for tag, _ in parsed(path).elements].count("figcaption") == len(pictures)


def test_the_first_page_lists_every_question_and_an_example(built: Project) -> None:
    """With how many values were found again, by how many routes, and with boxed values that both programs found."""
    first, questions = parsed(built.path("site/index.html")), answers(built)["questions"]
    anchors = [attributes.get("href") for tag, attributes in first.elements if tag == "a"]
    assert {one["page"] for one in questions} <= set(anchors)
    values = sum(one["found"]["values"] for one in questions)
    number = sum(len(one["found"]["routes"]) for one in questions)
    assert f"{len(IDS)} pages, {values} values found again by {number} routes" in first.text
    example = next(one for one in questions if one["id"] == "comp4901y/hw4_q1_finetuning_memory")
    asked = [row for row in example["found"]["boxed"] if row["address"].count("/") == 1][:3]
    assert len(asked) == 3
    for row in asked:
        assert f"{row['published']}{row['found']}{row['route']}".replace(" ", "") in re.sub(r"\s", "", first.text)


def test_every_route_stands_with_the_parts_that_it_covers(built: Project) -> None:
    """A row for each route of each question."""
    text = built.path("site/checks.html").read_text(encoding="utf-8").partition('id="routes"')[2]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)]
    shown = [[html.unescape(re.sub("<[^>]*>", "", cell)) for cell in row[1:]] for row in rows if row]
    wanted = []
    for one in answers(built)["questions"]:
        for route, count in one["found"]["routes"].items():
            labels = one["found"]["covers"][route]
            parts = [label if label[0].isdigit() else one["parts"][label]["title"] for label in labels]
            wanted.append([route, "; ".join(parts), str(count)])
    assert shown == wanted
    # peft is asked for LoRA (1.3) and VeRA (1.4), with bytes of parameters and of gradients each, of which it has the parameters.
    assert ["peft, beside query, key and value", "1.3; 1.4", "2"] in shown


def test_what_a_page_takes_in_is_known() -> None:
    """Else the page would stay as it was when the text that it takes in changes."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")]
    lines = [line for text in texts for line in text.splitlines() if "8<" in line]
    assert len(lines) == 4
    assert all(TAKEN_IN.fullmatch(line) for line in lines)


def test_the_maths_font_has_every_character_of_the_formulas(built: Project) -> None:
    """But the one that stands unseen between a function and its argument."""
    font = TTFont(io.BytesIO(math_font())).getBestCmap()
    texts = [path.read_text(encoding="utf-8") for path in pages(built)]
    formulas = "".join(one for text in texts for one in re.findall(r"<math.*?</math>", text, re.DOTALL))
    shown = {mark for mark in html.unescape(re.sub("<[^>]*>", "", formulas)) if not mark.isspace()}
    assert len(shown) > 100
    assert {mark for mark in shown if ord(mark) not in font} <= {"\u2061"}


def test_pages_link_both_ways(built: Project) -> None:
    """A page that another one links to links back."""
    places = {page_of(built, question_id).resolve() for question_id in IDS}
    leads = {}
    for path in places:
        article = re.findall(r"<article.*</article>", path.read_text(encoding="utf-8"), re.DOTALL)[0]
        links = {(path.parent / link).resolve() for link in re.findall(r'href="([^"#]+)', article)}
        leads[path] = links & places - {path}
    assert sum(map(len, leads.values())) > 70
    assert [(path.name, other.name) for path, others in leads.items() for other in others if path not in leads[other]] == []


def test_conventions_are_gathered(built: Project) -> None:
    """Every convention of every question stands on one page."""
    text = parsed(built.path("site/answers/conventions.html")).text
    for question in answers(built)["questions"]:
        for name, value in question["params"].get("conventions", {}).items():
            assert value is None or f"conventions.{name}" in text
    assert "Row 10 is answered" in text


def test_generated_texts_stand_as_they_were_recorded(built: Project) -> None:
    """Every line on the page is one that the program gave, but for spaces at its end."""
    question = next(one for one in answers(built)["questions"] if one["id"].startswith("comp4901y/hw3_q3"))
    page = parsed(page_of(built, question["id"]))
    shown = without_ends(page.raw_text.replace("\xa0", " "))
    tables = [table for part in question["parts"].values() for table in part["tables"] if table["address"].endswith("/outputs")]
    assert len(tables) == 4
    for row in (row for table in tables for row in table["rows"]):
        assert without_ends(row["cells"]["text"]).rstrip() in shown


def without_ends(text: str) -> str:
    """Lines without spaces at their ends."""
    return "\n".join(line.rstrip() for line in text.splitlines())
