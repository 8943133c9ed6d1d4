"""Rules of accessibility that a page breaks, as axe finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

CONTRAST = "color-contrast"
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
"""All of WCAG 2.2 AA."""
PLAIN = """() => {
    for (const math of document.querySelectorAll("math")) math.replaceWith(math.textContent);
    for (const wide of document.querySelectorAll(".frame, .formula")) wide.style.backgroundImage = "none";
}"""
"""Formulas look like their text, which takes less time; axe works no contrast out before the shadows of what scrolls."""
LEFT = {"shortTextContent", "nonBmp", "elmPartiallyObscured", "elmPartiallyObscuring", "imgNode", "bgOverlap"}
"""Why a contrast may be left open: a letter, a sign, what is partly out of view or behind the theme's own, a drawn picture."""


def broken(page: Page, rules: Sequence[str], *, without: Sequence[str] = ()) -> list[Any]:
    """Names of broken rules, and where first; a contrast that axe leaves open counts, but for some reasons."""
    page.evaluate(PLAIN)
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    options = {
        "runOnly": rules,
        "rules": {name: {"enabled": False} for name in without},
        "resultTypes": ["violations", "incomplete"],
        "preload": False,  # a script cannot load files again
    }
    result = page.evaluate("options => axe.run(document, options)", options)
    unknown = [one for one in result["incomplete"] if one["id"] == CONTRAST and not all(map(_is_left, one["nodes"]))]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in result["violations"] + unknown]


def _is_left(node: dict[str, Any]) -> bool:
    return node["any"][0]["data"]["messageKey"] in LEFT
