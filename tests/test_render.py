"""Text from parameters is text in every output, whatever it means to the languages on the way there."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from functools import cache
from importlib import import_module
from itertools import pairwise
from xml.etree import ElementTree

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown import markdown
from markupsafe import Markup
from pypdf import PdfReader

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.errors import RenderError
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.style import DARK, LIGHT, dark, new_axes, plain, spread, subscripted, to_svg
from generators.pipeline import addresses, render
from generators.pipeline.catalog import load_question
from generators.pipeline.site.markdown import mathml
from generators.pipeline.site.page import escaped
from tests.conftest import worked_out
from tests.entries import composed_entry, entry_of
from tests.page_text import Page
from tests.project import HOSTILE, Project

TREES = "answers/comp4901y/hw4/question2"
INTENSITIES = "answers/comp4901y/hw3/question1"
SHOWN = [unicodedata.normalize("NFC", " ".join(text.split())) for text in HOSTILE]
EXTENSIONS = ["attr_list", "md_in_html", "tables", "toc", "pymdownx.arithmatex", "generators.pipeline.site.markdown"]


@cache
def page_of(project: Project, name: str) -> Page:
    return Page(project.path(f"site/{name}.html"))


@cache
def printed(project: Project, name: str) -> str:
    """A PDF's text without white space, in which lines may break anywhere."""
    reader = PdfReader(project.path(f"build/pdf/{name.removeprefix('answers/')}.pdf"))
    return "".join("".join(page.extract_text() for page in reader.pages).split())


@pytest.mark.parametrize("text", SHOWN)
def test_hostile_text_stands_on_the_page_as_it_is(hostile: Project, text: str) -> None:
    """A token is shown letter for letter, and so is an accelerator."""
    assert text in page_of(hostile, TREES).text
    if text in SHOWN[:8]:
        assert text in page_of(hostile, INTENSITIES).text


@pytest.mark.parametrize("text", [text for text in SHOWN if unicodedata.bidirectional(text[0]) not in ("R", "AL")])
def test_hostile_text_stands_in_the_pdf_as_it_is(hostile: Project, text: str) -> None:
    """Text can be selected letter for letter; text from right to left is read in another order."""
    assert "".join(text.split()) in printed(hostile, TREES)


def test_hostile_text_stands_in_pictures_as_it_is(hostile: Project) -> None:
    """A node bears its number and the token; the picture stays well-formed."""
    folder = hostile.path("site/answers/comp4901y/hw4")
    tree = ElementTree.fromstring((folder / "question2-tree_2.1.svg").read_text(encoding="utf-8"))
    labels = {element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert {str(label) for label in labels if not str(label).isdigit()} - {"t₁"} == set(SHOWN)
    for path in hostile.path("site/answers").rglob("*.svg"):
        elements = [element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()]
        assert not {"script", "img", "image", "foreignObject", "a"} & set(elements)


def test_hostile_text_adds_no_element_to_a_page(tame: Project, hostile: Project) -> None:
    """Neither scripts nor images, links or event handlers come from parameters."""
    for name in (TREES, INTENSITIES):
        before, after = page_of(tame, name), page_of(hostile, name)
        assert after.scripts == before.scripts
        assert not [attribute for _, attributes in after.elements for attribute in attributes if attribute.startswith("on")]
        for tag in ("script", "img", "a", "iframe", "b", "code", "h1", "h2", "h3", "ul", "ol", "nav"):
            counts = {sum(one == tag for one, _ in page.elements) for page in (before, after)}
            assert len(counts) == 1, tag


def test_hostile_text_is_not_evaluated(hostile: Project) -> None:
    """{{ 7*7 }} stays what it is."""
    for name in (TREES, INTENSITIES):
        assert "{{ 7*7 }}" in page_of(hostile, name).text
    assert "{{7*7}}" in printed(hostile, TREES)


def test_hostile_text_becomes_no_link_in_a_pdf(hostile: Project) -> None:
    """An address in a parameter is text."""
    reader = PdfReader(hostile.path("build/pdf/comp4901y/hw3/question1.pdf"))
    annotations = [one.get_object() for page in reader.pages for one in page.get("/Annots") or []]
    assert not [one for one in annotations if "/URI" in one.get("/A", {})]


def test_hostile_text_is_exported_as_it_is(hostile: Project) -> None:
    """In answers.json it is a string like any other."""
    questions = json.loads(hostile.path("site/answers.json").read_text(encoding="utf-8"))["questions"]
    (trees,) = [question for question in questions if question["id"] == "comp4901y/hw4_q2_tree_attention"]
    (tree,) = [table for table in trees["parts"]["2.1"]["tables"] if table["address"] == "2.1/tree"]
    tokens = [row["cells"]["token"] for row in tree["rows"]]
    assert set(tokens) == {"t1", *(unicodedata.normalize("NFC", text) for text in HOSTILE)}


PRINTABLE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f", exclude_categories=["C", "Z"])
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PRINTABLE, min_size=1, max_size=3))
def test_escaped_text_survives_markdown(words: list[str]) -> None:
    """Markdown gives back the text as one paragraph without any element, and as one table cell."""
    text = " ".join(word for word in words if word) or "x"
    for source, path in ((escaped(text), "."), (f"| a |\n|---|\n| {escaped(text)} |", ".//td")):
        root = ElementTree.fromstring(f"<root>{markdown(source, extensions=EXTENSIONS)}</root>")
        found = list(root) if path == "." else root.findall(path)
        assert ["".join(one.itertext()) for one in found] == [text]
        assert not list(found[0])


@settings(max_examples=100, deadline=None)
@given(PRINTABLE)
def test_labels_survive_dot(text: str) -> None:
    """Graphviz shows a label letter for letter."""
    graph = new_graph()
    graph.node("1", label(f"{text}.") + "\\n(1)")
    root = ElementTree.fromstring(laid_out(graph))
    assert [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")] == [f"{text}.", "(1)"]


def test_braces_in_a_template_escape_text() -> None:
    """Only what a filter made is Markdown."""
    template = render.environment().from_string("{{ text }} {{ one | formula }}")
    x = sympy.Symbol("x_1")
    one = Quantity(address="1/one", value=1, formula=x)
    assert addresses.bare(template.render(text="*a*", one=one)) == "&#42;a&#42; $x_{1}$"


def test_an_undefined_name_in_a_template_is_an_error() -> None:
    """Nothing is silently left out."""
    with pytest.raises(Exception, match="'nothing' is undefined"):
        render.environment().from_string("{{ nothing }}").render()


def test_tokens_have_subscripts() -> None:
    """t13 is t₁₃ wherever tokens are shown; other text is left alone."""
    assert subscripted("t13") == "t₁₃"
    assert subscripted("utf8") == "utf8"


def test_an_image_carries_alt_text_and_caption() -> None:
    """Both are escaped."""
    figure = Figure(svg="<svg/>", caption='say "x"', alt="a ] b")
    assert render.image("a.svg", figure) == Markup('![a &#93; b](a.svg "say &#34;x&#34;")')


def test_a_broken_template_names_file_and_reason() -> None:
    """Whatever a template does wrong, the error is one line."""
    question_id, params, answer = worked_out("comp4901y/hw3_q1")
    with pytest.raises(RenderError) as refusal:
        render.body(question_id, params, answer, {}, "site")
    where = f"templates/{question_id.template}"
    assert str(refusal.value) == f"{where}: roofline: no such address, key or figure in the answer"
    more = Answer({**answer.parts, "1.3": replace(answer["1.1"], label="1.3")})
    with pytest.raises(RenderError) as refusal:
        render.body(question_id, params, more, {}, "site")
    said = "TemplateError: part 1.3 needs {% block answer_1_3 %} ... {% endblock %}"
    assert str(refusal.value) == f"{where}: {said}"


@pytest.mark.filterwarnings("ignore")
def test_a_picture_that_warns_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matplotlib only warns when labels leave no room for the picture."""
    question_id = worked_out("comp4901y/hw3_q1")[0]

    def crowded(answer: Answer) -> dict[str, Figure]:
        drawing, axes = new_axes(height_in=1.0)
        axes.text(0, 0, "x" * 200, rotation=90)
        return {"roofline": Figure(svg=to_svg(drawing), caption="", alt="")}

    question = load_question(question_id)
    monkeypatch.setattr(import_module(question_id.module), "QUESTION", replace(question, draw=crowded))
    with pytest.raises(RenderError) as refusal:
        composed_entry(str(question_id), entry_of(str(question_id)))
    where = rf"{question_id}: generators/figures/style\.py: line \d+: a figure failed: UserWarning: Tight layout not applied"
    assert re.match(where, str(refusal.value))


def test_dark_pictures_use_the_dark_palette() -> None:
    """Every colour has its counterpart, and nothing else changes."""
    assert set(LIGHT) == set(DARK)
    assert dark("".join(LIGHT.values())) == "".join(DARK.values())
    assert dark("<svg>#123456</svg>") == "<svg>#123456</svg>"


def test_a_dollar_sign_starts_no_formula_in_a_plot() -> None:
    """Matplotlib would take what stands between two as mathematics."""
    assert plain("$x$") == r"\$x\$"


@given(st.lists(st.floats(0, 10), min_size=1, max_size=5))
def test_labels_are_spread(positions: list[float]) -> None:
    """Neighbours stand at least the gap apart, nearly, and in the same order."""
    placed = spread(positions, 1.0)
    order = sorted(range(len(positions)), key=positions.__getitem__)
    assert all(placed[right] - placed[left] > 0.9 for left, right in pairwise(order))


def test_no_line_begins_with_a_full_stop_or_ends_with_a_bracket() -> None:
    """What stands right beside a formula stays on its line; words after it may go to the next."""
    generic = {"pymdownx.arithmatex": {"generic": True}}
    html = markdown("of $x$, and ($y$). Then $z$ (see).", extensions=EXTENSIONS, extension_configs=generic)
    assert re.findall(r"</span>([^<]*)", html) == [" and ", " Then ", " (see)."]
    assert html.count('class="formula">(<math>') == 1


def test_a_formula_that_is_no_formula_is_an_error() -> None:
    """Nothing unknown is shown as it is."""
    with pytest.raises(Exception, match=r"formula \\nosuch: "):
        mathml(r"\nosuch", display=False)
    assert mathml("x", display=True).startswith("<math")
