"""Python-Markdown extension of the site: formulas become MathML, figures get a caption and their twins."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE
from math_core import LatexError, LatexToMathML

from generators.errors import RenderError
from generators.pipeline.addresses import AGAIN
from generators.pipeline.slots import as_rows, take_row_mark

_RAISED_PRIME = re.compile(r"<msup>(<m[in]>[^<]*</m[in]>)<mo>([′″])</mo></msup>")
"""As a superscript, browsers draw the prime of a maths font tiny; beside its base it has the right size and height."""

_LABEL = re.compile(r"\\label\{([^{}]*)\} ?")
"""The address of what a formula shows; it becomes the element's id."""

_STOP = re.compile(r"[.,;:?)]+")
"""What must not begin a line."""

_OPENING = re.compile(r"[(“]+$")
"""What must not end a line."""

_NAMED_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)[A-Za-z]+;")
"""Names such as &ApplyFunction; behind a logarithm, which HTML knows and XML does not."""


@lru_cache(maxsize=4096)
def mathml(latex: str, *, display: bool) -> str:
    """LaTeX as a <math> element; anything the converter does not know raises RenderError."""
    try:
        element = LatexToMathML(fancy_error=False).convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        raise RenderError(f"formula {' '.join(latex.split())}: {' '.join(str(error).split())}") from error
    element = as_rows(element)
    element = _NAMED_ENTITY.sub(lambda entity: html.unescape(entity[0]), element)
    return _RAISED_PRIME.sub(r'<mrow>\1<mo lspace="0" rspace="0">\2</mo></mrow>', element)


class _Formulas(Treeprocessor):
    """Replaces what `pymdownx.arithmatex` marked as formulas."""

    def run(self, root: ElementTree.Element) -> None:
        for parent in root.iter():
            before = None
            for element in parent:
                if element.get("class") == "arithmatex":
                    self._replace(element)
                    self._take_opening(parent, before, element)
                before = element

    @staticmethod
    def _take_opening(parent: ElementTree.Element, before: ElementTree.Element | None, formula: ElementTree.Element) -> None:
        """Move a bracket that opens right before the formula into it."""
        text = (parent.text if before is None else before.tail) or ""
        opening = _OPENING.search(text)
        if opening:
            formula.text = opening[0]
            text = text.removesuffix(opening[0])
            if before is None:
                parent.text = text
            else:
                before.tail = text

    @staticmethod
    def _replace(element: ElementTree.Element) -> None:
        display = element.tag == "div"
        latex = (
            html.unescape(element.text or "")
            .strip()
            .removeprefix(r"\[" if display else r"\(")
            .removesuffix(r"\]" if display else r"\)")
        )
        element.text = None
        element.set("class", "formula")
        if display:
            element.set("tabindex", "0")  # a wide formula scrolls, so the keyboard must reach it
            element.set("role", "group")
            element.set("aria-label", "formula")
        address = _LABEL.match(latex.strip())
        if address:
            name = "data-of" if address[1].startswith(AGAIN) else "id"
            element.set(name, address[1].removeprefix(AGAIN))
        math = ElementTree.fromstring(mathml(_LABEL.sub("", latex.strip()), display=display))
        element.append(math)
        stop = None if display else _STOP.match(element.tail or "")
        if stop:
            math.tail, element.tail = stop[0], (element.tail or "").removeprefix(stop[0])


class _Figures(Treeprocessor):
    """Turns a paragraph that is one image with a title into a figure, with the picture in both palettes and its tall twin."""

    def run(self, root: ElementTree.Element) -> None:
        for paragraph in root.iter("p"):
            images = list(paragraph)
            if len(images) == 1 and images[0].tag == "img" and images[0].get("title"):
                self._replace(paragraph, images[0])

    @staticmethod
    def _replace(paragraph: ElementTree.Element, image: ElementTree.Element) -> None:
        caption = image.attrib.pop("title")
        stem = image.get("src", "").removesuffix(".svg")
        forms = {"wide": "", "tall": ".tall"} if image.get("class") else {"": ""}
        paragraph.tag = "figure"
        paragraph.set("class", "picture")
        frame = ElementTree.Element("div", {"class": "frame", "tabindex": "0", "role": "group", "aria-label": "picture"})
        for form, ending in forms.items():
            for scheme, palette in (("on-light", ""), ("on-dark", ".dark")):
                twin = {"class": f"{scheme} {form}".strip(), "src": f"{stem}{ending}{palette}.svg"}
                if palette or ending:
                    twin["loading"] = "lazy"  # where it is not shown, it is not loaded
                ElementTree.SubElement(frame, "img", {**image.attrib, **twin})
        words = ElementTree.Element("figcaption")
        words.text = caption
        paragraph[:] = [frame, words]


_PHONE_CHARACTERS = 36
"""What fits beside each other on a phone 360 px wide."""
_FEW_COLUMNS = 8
"""A table of more is a matrix, whose cells are short and must stand in their columns."""


class _Tables(Treeprocessor):
    """Puts each table into a frame that scrolls on narrow screens and that the keyboard can reach."""

    def run(self, root: ElementTree.Element) -> None:
        seen: set[str] = set()  # columns of one table may stand apart
        for parent in list(root.iter()):
            for index, child in enumerate(list(parent)):
                if child.tag == "table":
                    self._rows_that_come_and_go(child)
                    frame = ElementTree.Element(
                        "div", {"class": "frame", "tabindex": "0", "role": "group", "aria-label": "table"}
                    )
                    cells = (one.get("id", "") for one in child.iter())
                    address = next(("/".join(one.split("/")[:2]) for one in cells if one.count("/") >= 2), "")
                    if address and address not in seen:
                        frame.set("id", address)
                        seen.add(address)
                    if self._is_wide(child):
                        self._stackable(child)
                    frame.tail, child.tail = child.tail, None
                    parent[index] = frame
                    frame.append(child)

    @staticmethod
    def _rows_that_come_and_go(table: ElementTree.Element) -> None:
        for row in table.iter("tr"):
            attributes, row[0].text = take_row_mark(row[0].text or "")
            row.attrib.update(attributes)

    def _text(self, cell: ElementTree.Element) -> str:
        """The words of a cell: of what Python-Markdown puts back at the end, characters such as a full stop, and no tags."""

        def restored(place: re.Match[str]) -> str:
            raw = str(self.md.htmlStash.rawHtmlBlocks[int(place[1])])
            return html.unescape(raw) if raw.startswith("&") else ""

        return " ".join(HTML_PLACEHOLDER_RE.sub(restored, "".join(cell.itertext())).split())

    def _is_wide(self, table: ElementTree.Element) -> bool:
        """Whether a table does not fit on a phone, and can be read as a card a row there."""
        columns = list(zip(*([self._text(cell) for cell in row] for row in table.iter("tr")), strict=True))
        return len(columns) <= _FEW_COLUMNS and sum(max(map(len, one)) + 1 for one in columns) > _PHONE_CHARACTERS

    def _stackable(self, table: ElementTree.Element) -> None:
        """Mark a table so that its rows can be cards in which each cell has its heading; it stays a table for screen readers."""
        headings = [self._text(cell) for cell in table.iter("th")]
        table.set("role", "table")
        table.set("data-stacked", "")
        for row in table.iter("tr"):
            row.set("role", "row")
            for heading, cell in zip(headings, row, strict=True):
                cell.set("role", "columnheader" if cell.tag == "th" else "cell")
                if cell.tag == "td":
                    cell.set("data-label", heading)


class SiteMarkdown(Extension):
    """Registers the three processors after inline patterns and before mkdocs rewrites links."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Called by Python-Markdown."""
        md.treeprocessors.register(_Formulas(md), "site_formulas", 6)
        md.treeprocessors.register(_Figures(md), "site_figures", 5)
        md.treeprocessors.register(_Tables(md), "site_tables", 4)


def makeExtension(**settings: Any) -> SiteMarkdown:  # noqa: N802
    """Called by Python-Markdown."""
    return SiteMarkdown(**settings)
