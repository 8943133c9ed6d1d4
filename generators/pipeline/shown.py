"""Numbers, words and notation of an Answer as Markdown and LaTeX, with what a page needs to follow them."""

from __future__ import annotations

from fractions import Fraction

from generators.cells import Cell, Math
from generators.depending import Chosen
from generators.pipeline import typeset
from generators.pipeline.addresses import CLOSED, NAMED, OPENED
from generators.pipeline.site.page import escaped
from generators.pipeline.slots import in_text, in_words
from generators.traced import is_traced, untraced

_THIN = "\ue003"
"""Stands for a thin space between groups of digits, where a line must not break."""


def marked(address: str, text: str) -> str:
    """Escaped text that carries an address."""
    return f"{OPENED}{address}{NAMED}{escaped(text).replace(_THIN, '&#8239;')}{CLOSED}"


def plain(value: Cell) -> str:
    """A number or text in running text: digits in groups, a fraction with a slash."""
    if is_traced(value):
        return in_text(value, plain(untraced(value)), "plain")
    if isinstance(value, Chosen):
        return in_words(value)
    if isinstance(value, int | Fraction) and not isinstance(value, bool) and value.denominator == 1:
        return typeset.grouped(int(value)).replace(r"\,", _THIN)
    if isinstance(value, float):
        return typeset.rounded(value).replace(r"\,", _THIN)
    if isinstance(value, Fraction):
        return typeset.rounded(value).replace(r"\,", _THIN) if typeset.terminates(value) else f"{value}"
    if isinstance(value, str):
        return value
    raise TypeError(f"must be a number or text (got {value!r})")


def latex_of(cell: Cell, unit: str, digits: int = 0, **forms: bool) -> str:
    """A number with its unit, or notation; `forms` are those of `typeset.value`."""
    if isinstance(cell, Math):
        return cell.latex
    if cell is None or isinstance(cell, str):
        raise TypeError(f"must be a number or an expression (got {cell!r})")
    return typeset.value(cell, unit, digits, **forms)
