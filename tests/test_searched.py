"""What search sees of pages."""

from __future__ import annotations

import html
import json

import pytest

from generators.pipeline.catalog import QuestionId
from generators.pipeline.site.markdown import mathml
from generators.pipeline.site.searched import searchable
from tests.conftest import IDS
from tests.project import Project


@pytest.mark.parametrize(
    ("latex", "typed"),
    [
        (r"\frac{4096}{3} \approx 1365.33\ \text{FLOP/B}", "4096/3 ≈ 1365.33 FLOP/B"),
        (r"3\,221\,225\,472\ \text{B} = 3\ \text{GiB}", "3221225472 B = 3 GiB"),
        (r"\frac{D L}{2 D + L}", "DL/(2D+L)"),
        (r"K_{\text{cache}}, W^Q, x_i^{(2)}", "K_cache, W^Q, x_i^(2)"),
        (r"\sqrt{D} < \sqrt{n + 1}", "√D < √(n+1)"),
        (r"\sum_{i=1}^{n} \hat{x}_i", "∑_(i = 1)^n x_i"),
        (r"\frac{L-1}{2} \log n + \log(n)", "(L-1)/2log n+log(n)"),
        (r"\text{\&foo;}", "&foo;"),
        (r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}", "[1 2 3 4]"),
    ],
)
def test_search_sees_formulas_as_a_reader_types_them(latex: str, typed: str) -> None:
    """A fraction has a slash: 4096/3 and not 40963."""
    assert searchable(f"<p>Is {mathml(latex, display=False)}.</p>") == f"<p>Is {html.escape(typed)}.</p>"


def test_the_search_index_can_be_read_from_files(built: Project) -> None:
    """The index stands as JSON for http and as a script for file, with the same content."""
    index = built.path("site/search/search_index.json").read_text(encoding="utf-8")
    script = built.path("site/search/search_index.js").read_text(encoding="utf-8")
    assert script == f"var __index = {index}"
    places = {one["location"].partition("#")[0] for one in json.loads(index)["docs"]}
    assert {f"answers/{QuestionId(*one.split('/')).path}.html" for one in IDS} <= places


def test_what_is_hidden_is_not_searched() -> None:
    """Rows, words and blocks that come and go; what is beside them and within other elements of their kind stays."""
    page = '<p>a<span data-of="1/x" hidden>b<span>c</span></span>d <span>e</span></p>'
    page += '<tr hidden="hidden"><td>f</td></tr><tr><td>g</td></tr>'
    assert searchable(page) == "<p>ad <span>e</span></p><tr><td>g</td></tr>"
    assert searchable('<div data-of="1/y" hidden><div>h</div>i</div><div id="hidden">j</div>') == '<div id="hidden">j</div>'
