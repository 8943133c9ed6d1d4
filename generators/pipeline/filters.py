"""What templates call on the data of an Answer: each turns a datum into Markdown that carries its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jinja2
from markupsafe import Markup

from generators.answer import Claim, Derivation, Text
from generators.cells import Math, Quantity, Value, rational
from generators.figures.style import subscripted
from generators.pipeline import typeset, typeset_matrices, wording
from generators.pipeline.addresses import again
from generators.pipeline.shown import latex_of, marked, plain
from generators.pipeline.site.page import escaped, pipe_table
from generators.pipeline.slots import in_pieces, in_text, said_by, without_marks
from generators.pipeline.tables import table
from generators.table import Table
from generators.traced import is_condition, is_traced, untraced


def finalized(output: object) -> object:
    """What `{{ ... }}` shows: a datum with its address, any other text escaped."""
    if isinstance(output, Text):
        if isinstance(output.value, Math):
            return Markup(f"$\\label{{{output.address}}} {output.value.latex}$")
        return Markup(marked(output.address, plain(output.value)))
    if isinstance(output, Quantity):
        return Markup(marked(output.address, plain(output.value)))
    if hasattr(output, "__html__") or isinstance(output, jinja2.Undefined):
        return output  # an undefined name raises where it is shown
    if isinstance(output, str):
        return Markup(escaped(output))
    raise TypeError(f"must be a datum of the answer or text (got {type(output).__name__})")


def value(of: Quantity, *, rounded: bool = False, digits: int = 0) -> Markup:
    """The value with its unit, `rounded` without its exact fraction; a line may break before = and ≈.

    `digits` is how many significant ones a rounded number has, where not the usual six.
    """
    if isinstance(of.value, str):
        return Markup(marked(of.address, plain(of.value)))
    return _breakable(of.address, latex_of(of.value, of.unit, digits, only_rounded=rounded))


def result(of: Quantity, *, letters: bool = True, digits: int = 0) -> Markup:
    """Symbol, formula and value; a line may break before = and ≈."""
    middle = f" = {typeset.formula(of.formula)}" if letters and of.formula is not None else ""
    return _breakable(of.address, f"{typeset.named(of.symbol)}{middle} {latex_of(of.value, of.unit, digits, equated=True)}")


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


def derivation(of: Derivation, lines: Sequence[str]) -> Markup:
    """The equations of these lines one under the other, each with the shape of its right side and its reason."""
    cells = []
    for key in lines:
        one = of[key]
        equation_of_line = rf"$\label{{{one.address}}} \displaystyle {typeset_matrices.statement(one)}$"
        cells.append([equation_of_line, f"${typeset_matrices.shape(one.value)}$", escaped(one.what)])
    return Markup(pipe_table(["Line", "Shape", "Because"], cells, right=[False] * 3, widths=[60, 10, 30]))


def tensor(of: Table, symbol: str, *, also_rounded: bool = True, inline: bool = False) -> Markup:
    """The numbers of a table as a matrix, without the names of its rows and columns: displayed, or rounded within a sentence."""
    rows = [[rational(cells[key]) for key in of.columns] for cells in of.rows.values()]
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
        value, result, symbol, formula, equation, one_line, statement, derivation, table, tensor, counted, noun, token, code,
    )
}  # fmt: skip
"""Every filter that templates of addressed answers may use."""
