"""Reads built pages as a browser would: their elements, links, and visible text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

_UNSEEN = {"script", "style", "template"}
_ESCAPE = re.compile(r"\\(?:[nrt'\"\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def without_escapes(text: str) -> str:
    """The text of a page on which a program's output stands as Python literals, without their escapes."""
    return _ESCAPE.sub("", text) if "as a Python literal" in text else text


def without_addresses(markdown: str) -> str:
    """The Markdown of a page without the marks of addresses."""
    return re.sub(r"\\label\{[^{}]*\} ?", "", re.sub(r'<span id="[^"]*">(.*?)</span>', r"\1", markdown, flags=re.DOTALL))


class Page(HTMLParser):
    """A parsed page: `elements` as tag and attributes, `text` as shown, and the text of each script that stands in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by HTMLParser."""
        self.elements.append((tag, dict(attrs)))
        if tag in _UNSEEN:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Called by HTMLParser."""
        if tag in _UNSEEN and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Called by HTMLParser."""
        if "script" in self._open:
            self.scripts.append(data)
        elif not self._open:
            self._text.append(data)

    @property
    def raw_text(self) -> str:
        """The text with all its white space."""
        return "".join(self._text)

    @property
    def text(self) -> str:
        """The text with single spaces."""
        return " ".join(self.raw_text.split())

    def values(self, attribute: str) -> list[str]:
        """Every value of an attribute, on whatever element."""
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]
