"""Addresses in rendered Markdown: marks around what each is of, and what becomes of them on the site and in print."""

from __future__ import annotations

import re

from generators.pipeline.slots import as_spans

OPENED, NAMED, CLOSED = "\ue000", "\ue001", "\ue002"
"""Around an address and the text that it marks, until the medium is known."""
AGAIN = "="
"""Before an address that must not become an id."""
_MARKED = re.compile(f"{OPENED}([^{NAMED}]*){NAMED}([^{CLOSED}]*){CLOSED}")
_LABEL = re.compile(r"\\label\{([^{}]*)\} ?")


def anchored(text: str, *, following: bool = False) -> str:
    """Markdown for the site: the first place of each address gets it as its id; `following`, others name it too."""
    seen: set[str] = set()

    def is_first(address: str) -> bool:
        new = not address.startswith(AGAIN) and address not in seen
        seen.add(address)
        return new

    def span(match: re.Match[str]) -> str:
        if is_first(match[1]):
            return f'<span id="{match[1]}">{match[2]}</span>'
        return f'<span data-of="{match[1].removeprefix(AGAIN)}">{match[2]}</span>' if following else match[2]

    def label(match: re.Match[str]) -> str:
        if is_first(match[1]):
            return match[0]
        return rf"\label{{{AGAIN}{match[1].removeprefix(AGAIN)}}} " if following else ""

    return as_spans(_LABEL.sub(label, _MARKED.sub(span, text)))


def bare(text: str) -> str:
    """Markdown for print, without addresses."""
    return _LABEL.sub("", _MARKED.sub(lambda match: match[2], text))


def again(text: str) -> str:
    """Markdown whose addresses are no ids, as they stand elsewhere too."""
    text = _MARKED.sub(rf"{OPENED}{AGAIN}\1{NAMED}\2{CLOSED}", text)
    return _LABEL.sub(rf"\\label{{{AGAIN}\1}} ", text)
