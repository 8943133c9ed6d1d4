"""Tables of an Answer as Markdown; a page that follows changes marks rows and numbers that come and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from markupsafe import Markup

from generators.cells import Cell, Math, Quantity
from generators.figures.style import subscripted
from generators.pipeline.addresses import again
from generators.pipeline.shown import latex_of, marked, plain
from generators.pipeline.site.page import escaped, pipe_table
from generators.pipeline.slots import row_of, said_by
from generators.table import Column, Table
from generators.traced import is_traced


def table(
    of: Table,
    columns: Sequence[str] = (),
    widths: Sequence[int] | None = None,
    *,
    tokens: bool = False,
    rounded: bool = False,
    units_in_headings: bool = False,
    digits: int = 0,
    aligned: bool = False,
) -> Markup:
    """A table, all its columns or those named; `widths` are relative and matter in print only.

    With `tokens`, text such as t13 is shown as t₁₃; `rounded` shows numbers without their exact fractions, and
    `units_in_headings` without units and their multiples. A rounded number has `digits` significant ones. With
    `aligned`, the numbers of a column but zero have as many decimals as its longest.
    """
    kept = [of.columns[key] for key in columns or of.columns]
    if widths and len(widths) != len(kept):
        raise ValueError(f"{of.address}: widths must be as many as its columns, {len(kept)} (got {len(widths)})")
    header = [_text_cell(one.title, tokens=tokens) for one in kept]
    behind = {one.key: not units_in_headings and _stands_behind(of, one) for one in kept}
    header = [
        text if behind[one.key] or not one.unit else f"{text} ({escaped(one.unit)})"
        for text, one in zip(header, kept, strict=True)
    ]
    units = {one.key: one.unit if behind[one.key] else "" for one in kept}
    decimals = {one.key: _decimals(of[one.key].cells.values()) if aligned else 0 for one in kept}

    def cell(row: str, key: str) -> str:
        quantity = of.cell(row, key)
        text = _cell(quantity, units[key], tokens=tokens, rounded=rounded, digits=digits, decimals=decimals[key])
        return text if row in of.depending else _while_there(quantity, text)

    rows = [_marked_row(of, row, [cell(row, one.key) for one in kept]) for row in of.rows]
    numeric = [all(not isinstance(of.rows[row][one.key], str | Math) for row in of.rows) for one in kept]
    return Markup(pipe_table(header, rows, right=numeric, widths=widths))


_WITH_NUMBERS = ("B", "FLOP", "%", "FLOP/B")
"""Units that a reader expects behind each number."""


def _stands_behind(of: Table, one: Column) -> bool:
    """Whether a unit stands behind each number, not in the heading: those with multiples, and percentages, where exact."""
    measured = any(isinstance(cells[one.key], float) for cells in of.rows.values())
    return one.unit in _WITH_NUMBERS and not measured


def _decimals(cells: Iterable[Cell]) -> int:
    """The decimals of the number that has most, 0 where one is a fraction."""
    numbers = [plain(one) for one in cells if isinstance(one, int | Fraction)]
    return 0 if "/" in "".join(numbers) else max((len(one.partition(".")[2]) for one in numbers), default=0)


def _cell(of: Quantity, unit: str, *, tokens: bool, rounded: bool, digits: int, decimals: int) -> str:
    if of.value is None:
        return EMPTY
    if isinstance(of.value, str):
        return marked(of.address, subscripted(of.value) if tokens else plain(of.value))
    latex = latex_of(of.value, unit, digits, only_rounded=rounded)
    if decimals and of.value != 0:
        whole, _, behind = latex.partition(".")
        latex = f"{whole}.{behind:0<{decimals}}"
    return f"$\\label{{{of.address}}} {latex}$".replace("|", r"\vert ")


EMPTY = "–"
"""An empty cell."""


def _while_there(of: Quantity, text: str) -> str:
    """A cell that is empty while the comparison that its number depends on does not hold."""
    there = of.value.when if is_traced(of.value) else None
    if there is None:
        return text
    shown = text if there.holds else again(text)
    return f"{said_by(of.address, shown, there)}{said_by(of.address, EMPTY, there.opposite())}"


def _marked_row(of: Table, row: str, cells: Sequence[str]) -> Sequence[str]:
    """The cells of a row, with a mark that hides it while the comparison that it depends on does not hold."""
    there = of.depending.get(row)
    if there is None:
        return cells
    first, *others = cells if there.holds else map(again, cells)
    return [f"{row_of(of.address, there)}{first}", *others]


def _text_cell(cell: Cell, *, tokens: bool) -> str:
    if isinstance(cell, Math):
        return f"${cell.latex}$"
    return escaped(subscripted(str(cell)) if tokens else str(cell))
