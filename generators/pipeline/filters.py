"""What templates call on the data of an Answer: each turns a datum into Markdown that carries its address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

import jinja2
from markupsafe import Markup

from generators.answer import Claim, Derivation, Text
from generators.cells import Cell, Math, Quantity, Value, rational
from generators.figures.style import subscripted
from generators.pipeline import typeset, typeset_matrices, wording
from generators.pipeline.addresses import CLOSED, NAMED, OPENED, again
from generators.pipeline.site.page import escaped, pipe_table
from generators.pipeline.slots import in_pieces, in_text, said_by, without_marks
from generators.pipeline.wording import sentence
from generators.table import Column, Table
from generators.traced import is_condition, is_traced, untraced

_THIN = "\ue003"
"""Stands for a thin space between groups of digits, where a line must not break."""


def marked(address: str, text: str) -> str:
    """Escaped text that carries an address."""
    return f"{OPENED}{address}{NAMED}{escaped(text).replace(_THIN, '&#8239;')}{CLOSED}"


def finalized(output: object) -> object:
    """What `{{ ... }}` shows: a datum with its address, any other text escaped."""
    if isinstance(output, Text):
        if isinstance(output.value, Math):
            return Markup(f"$\\label{{{output.address}}} {output.value.latex}$")
        return Markup(marked(output.address, output.value))
    if isinstance(output, Quantity):
        return Markup(marked(output.address, plain(output.value)))
    if hasattr(output, "__html__") or isinstance(output, jinja2.Undefined):
        return output  # an undefined name raises where it is shown
    if isinstance(output, str):
        return Markup(escaped(output))
    raise TypeError(f"must be a datum of the answer or text (got {type(output).__name__})")


def plain(value: Cell) -> str:
    """A number or text in running text: digits in groups, a fraction with a slash."""
    if is_traced(value):
        return in_text(value, plain(untraced(value)), "plain")
    if isinstance(value, int | Fraction) and not isinstance(value, bool) and value.denominator == 1:
        return typeset.grouped(int(value)).replace(r"\,", _THIN)
    if isinstance(value, float):
        return typeset.rounded(value).replace(r"\,", _THIN)
    if isinstance(value, Fraction):
        return typeset.rounded(value).replace(r"\,", _THIN) if typeset.terminates(value) else f"{value}"
    if isinstance(value, str):
        return value
    raise TypeError(f"must be a number or text (got {value!r})")


def value(of: Quantity, *, rounded: bool = False, digits: int = 0) -> Markup:
    """The value with its unit, `rounded` without its exact fraction; a line may break before = and ≈.

    `digits` is how many significant ones a rounded number has, where not the usual six.
    """
    if isinstance(of.value, str):
        return Markup(marked(of.address, of.value))
    return _breakable(of.address, _latex(of.value, of.unit, digits, only_rounded=rounded))


def _latex(cell: Cell, unit: str, digits: int = 0, **forms: bool) -> str:
    if isinstance(cell, Math):
        return cell.latex
    if cell is None or isinstance(cell, str):
        raise TypeError(f"must be a number or an expression (got {cell!r})")
    return typeset.value(cell, unit, digits, **forms)


def result(of: Quantity, *, letters: bool = True, digits: int = 0) -> Markup:
    """Symbol, formula and value; a line may break before = and ≈."""
    middle = f" = {typeset.formula(of.formula)}" if letters and of.formula is not None else ""
    return _breakable(of.address, f"{typeset.named(of.symbol)}{middle} {_latex(of.value, of.unit, digits, equated=True)}")


SHORT = 30
"""So many characters of LaTeX always fit on a line."""


def _breakable(address: str, latex: str) -> Markup:
    """Inline formulas never break in browsers, so each side of a relation is a formula of its own where the whole is long."""
    pieces = in_pieces(latex) if len(without_marks(latex)) > SHORT else [latex]
    return Markup(" ".join(f"$\\label{{{address}}} {piece}$" for piece in pieces))


def symbol(of: Quantity) -> Markup:
    """The symbol alone."""
    return Markup(f"${typeset.named(of.symbol)}$")


def formula(of: Quantity) -> Markup:
    """The formula alone, without numbers."""
    return Markup(f"$\\label{{{of.address}}} {typeset.formula(of.formula)}$")


def equation(of: Quantity, *, numbers: bool = True) -> Markup:
    """A displayed, aligned equation; `numbers` shows the line with the numbers put in."""
    return _displayed(of.address, typeset.equation(of, numbers=numbers))


def one_line(of: Quantity) -> Markup:
    """A displayed equation on one line."""
    return _displayed(of.address, typeset_matrices.one_line(of))


def statement(of: Quantity, *, inline: bool = False) -> Markup:
    """Symbol and value: displayed with the value's shape, or within a sentence."""
    if inline:
        return Markup(f"$\\label{{{of.address}}} {typeset_matrices.statement(of)}$")
    return _displayed(of.address, rf"{typeset_matrices.statement(of)} \in {typeset_matrices.space(of.value)}")


def _displayed(address: str, latex: str) -> Markup:
    return Markup(f"\n$$\n\\label{{{address}}} {latex}\n$$\n")


def derivation(of: Derivation, lines: Sequence[str] = ()) -> Markup:
    """Equations one under the other, all or the `lines` named, each with the shape of its right side and its reason."""
    cells = []
    for key in lines or of.lines:
        one = of[key]
        equation_of_line = rf"$\label{{{one.address}}} \displaystyle {typeset_matrices.statement(one)}$"
        cells.append([equation_of_line, f"${typeset_matrices.shape(one.value)}$", escaped(one.what)])
    return Markup(pipe_table(["Line", "Shape", "Because"], cells, right=[False] * 3, widths=[60, 10, 30]))


def table(
    of: Table,
    columns: Sequence[str] = (),
    widths: Sequence[int] | None = None,
    *,
    names: str = "",
    tokens: bool = False,
    rounded: bool = False,
    units_in_headings: bool = False,
    digits: int = 0,
    aligned: bool = False,
) -> Markup:
    """A table, all its columns or those named; `widths` are relative and matter in print only.

    `names` is the column whose cells name the rows that stand as columns too, as in a mask; its texts then head them.
    With `tokens`, text such as t13 is shown as t₁₃; `rounded` shows numbers without their exact fractions, and
    `units_in_headings` without units and their multiples. A rounded number has `digits` significant ones. With
    `aligned`, the numbers of a column but zero have as many decimals as its longest.
    """
    kept = [of.columns[key] for key in columns or of.columns]
    if widths and len(widths) != len(kept):
        raise ValueError(f"{of.address}: widths must be as many as its columns, {len(kept)} (got {len(widths)})")
    heads = {row: cells[names] for row, cells in of.rows.items()} if names else {}
    header = [_text_cell(heads.get(one.key, one.title), tokens=tokens) for one in kept]
    behind = {one.key: not units_in_headings and _stands_behind(of, one) for one in kept}
    header = [
        text if behind[one.key] or not one.unit else f"{text} ({escaped(one.unit)})"
        for text, one in zip(header, kept, strict=True)
    ]
    rows = [
        [
            _cell(of.cell(row, one.key), one.unit if behind[one.key] else "", tokens=tokens, rounded=rounded, digits=digits,
                  decimals=_decimals(of[one.key].cells.values()) if aligned else 0)
            for one in kept
        ]
        for row in of.rows
    ]  # fmt: skip
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
        return "–"
    if isinstance(of.value, str):
        return marked(of.address, subscripted(of.value) if tokens else of.value)
    latex = _latex(of.value, unit, digits, only_rounded=rounded)
    if decimals and of.value != 0:
        whole, _, behind = latex.partition(".")
        latex = f"{whole}.{behind:0<{decimals}}"
    return f"$\\label{{{of.address}}} {latex}$".replace("|", r"\vert ")


def _text_cell(cell: Cell, *, tokens: bool) -> str:
    if isinstance(cell, Math):
        return f"${cell.latex}$"
    return escaped(subscripted(str(cell)) if tokens else str(cell))


def tensor(of: Table, symbol: str, columns: Sequence[str] = (), *, also_rounded: bool = True, inline: bool = False) -> Markup:
    """The numbers of a table as a matrix, without the names of its rows and columns: displayed, or rounded within a sentence."""
    rows = [[rational(cells[key]) for key in columns or of.columns] for cells in of.rows.values()]
    if inline:
        return Markup(f"$\\label{{{of.address}}} {typeset_matrices.inline_tensor(symbol, rows)}$")
    return _displayed(of.address, typeset_matrices.tensor(symbol, rows, also_rounded=also_rounded))


def only_if(claim: object, caller: Callable[[], Markup]) -> Markup:
    """What a template shows only where a claim holds; where parameters decide that, the page keeps it for when they change."""
    if not isinstance(claim, Claim):
        return caller() if claim else Markup()
    if not is_condition(claim.holds):
        return Markup(said_by(claim.address, caller())) if claim else Markup()
    try:
        text = caller()
    except (KeyError, jinja2.UndefinedError):
        if claim.holds.holds:
            raise
        return Markup(said_by(claim.address, UNSAID, claim.holds, absent=True))
    return Markup(said_by(claim.address, text if claim.holds.holds else again(text), claim.holds))


UNSAID = "(Here the page would say more.)"
"""Stands for a sentence whose data the published answer does not have."""


def counted(of: Quantity, singular: str, plural: str = "") -> Markup:
    """A number with its noun: 1 token, 20 tokens."""
    return Markup(f"{marked(of.address, plain(of.value))} {noun(of, singular, plural)}")


def noun(of: Quantity, singular: str, plural: str = "") -> Markup:
    """The form of a noun, or of its verb, that goes with a number; without `plural` an s is added."""
    return Markup(again(marked(of.address, _noun(of.value, singular, plural))))


def _noun(number: Value, singular: str, plural: str = "") -> str:
    word = wording.noun(rational(untraced(number)), singular, plural)
    return in_text(number, word, "noun", singular, plural) if is_traced(number) else word


def with_noun(number: Value, singular: str) -> str:
    """A number that is no datum of the answer, with its noun."""
    return f"{plain(number)} {_noun(number, singular)}"


def token(of: Quantity | Text) -> Markup:
    """A token with its number as a subscript."""
    return Markup(marked(of.address, subscripted(str(of.value))))


def definition(latex: str, *, display: bool = False) -> Markup:
    """A relation that the page defines, written by hand: nothing finds it again, so it must be marked as one."""
    return Markup(f"\n$$\n{latex}\n$$\n" if display else f"${latex}$")


def code(of: Text | Table) -> Markup:
    """A command or a program's output as a block of code, line by line; must stand between blank lines.

    Of a table each row's cells stand one under the other, and a blank line after each row.
    """
    rows = [map(str, cells.values()) for cells in of.rows.values()] if isinstance(of, Table) else [[str(of.value)]]
    lines = "\n\n".join("\n".join(row) for row in rows).split("\n")
    return Markup("\n".join(f"    {line}".rstrip() or "    " for line in lines))


FILTERS = {
    one.__name__: one
    for one in (
        value, result, symbol, formula, equation, one_line, statement, derivation, table, tensor, counted, noun,
        sentence, token, code,
    )
}  # fmt: skip
"""Every filter that templates of addressed answers may use."""
