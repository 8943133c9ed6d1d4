"""Puts a published value beside a found one; what every oracle ends with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import sympy

from generators.answer import Cell, Math
from generators.steps import Check, Step, Table

if TYPE_CHECKING:
    from generators.recording import Recording

Formula: TypeAlias = tuple[str, Cell, int | Fraction]
"""What a formula gives, the published formula, and the count found at the other sizes."""


def same(what: str, published: Cell, found: Cell, by: str) -> Check:
    """Compare two exact values; they must be equal."""
    return Check(what=what, published=_brief(text(published)), found=_brief(text(found)), by=by, passed=published == found)


def _brief(shown: str) -> str:
    """A value too long for a table by its beginning and its end."""
    return shown if len(shown) <= 60 else f"{shown[:12]}…{shown[-12:]} ({len(shown)} characters)"


def same_formulas(what: str, triples: Sequence[Formula], sizes: Mapping[str, int | Fraction], by: str) -> Check:
    """Compare formulas with counts at other sizes than the answer's; a failed check names the first that differs."""
    where = ", ".join(f"{name} = {size}" for name, size in sizes.items())
    for name, formula, found in triples:
        published = text(at_sizes(formula, sizes)) if isinstance(formula, sympy.Expr) else text(formula)
        if published != text(found):
            return Check(what=f"{what}: {name} at {where}", published=published, found=text(found), by=by, passed=False)
    count = len(triples)
    return Check(what=f"{what} at {where}", published=f"{count} formulas", found=f"{count} equal", by=by, passed=count > 0)


def same_rows(what: str, published: Table, found: Sequence[Sequence[Cell]], by: str) -> Check:
    """Compare a table's rows cell by cell; a failed check names the first cell that differs."""
    rows = [tuple(row) for row in found]
    for number, (ours, theirs) in enumerate(zip(published.rows, rows, strict=False), 1):
        for name, left, right in zip(published.header, ours, theirs, strict=True):
            if left != right:
                where = f"{what}: row {number}, column {text(name)}"
                return Check(what=where, published=text(left), found=text(right), by=by, passed=False)
    size = f"{len(published.rows)} × {len(published.header)} cells"
    return Check(what=what, published=size, found=f"{len(rows)} equal rows", by=by, passed=len(rows) == len(published.rows))


def at_sizes(formula: sympy.Expr, sizes: Mapping[str, int | Fraction]) -> sympy.Expr:
    """Evaluate a formula with its symbols named as in `sizes`."""
    return _substituted(formula, tuple((symbol, sizes[str(symbol)]) for symbol in formula.free_symbols))


def inside_order(order: Cell) -> sympy.Expr:
    """What stands in an O; 0 if the cell is no O of something."""
    if isinstance(order, sympy.core.function.AppliedUndef) and str(order.func) == "O":
        return order.args[0]
    return sympy.Integer(0)


@lru_cache(maxsize=4096)
def _substituted(formula: sympy.Expr, sizes: tuple[tuple[sympy.Symbol, int | Fraction], ...]) -> sympy.Expr:
    """The same formulas meet the same sizes in every check of an answer of which one number was changed."""
    return formula.subs(dict(sizes))


def text(cell: Cell) -> str:
    """A cell as checks show it: exact, and a measured value to six digits."""
    if cell is None:
        return "nothing"
    if isinstance(cell, Math):
        return cell.latex
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def same_letters(
    what: str, steps: Mapping[str, Step], sizes: Mapping[str, Cell], own: Mapping[str, Mapping[str, Cell]] | None = None
) -> Check:
    """Compare the numbers that steps put in the places of their formulas' letters; `own` holds those of one step by its name.

    A failed check names the step and the letter.
    """
    by, count = "the sizes in force, read again", 0
    for name, line in steps.items():
        found = {**sizes, **(own or {}).get(name, {})}
        for symbol in sorted(line.formula.free_symbols & line.at.keys(), key=str) if line.formula is not None else ():
            count += 1
            ours, theirs = line.at[symbol], found.get(str(symbol))
            if not _equal(ours, theirs):
                where = f"{what}: {line.what}, {symbol}"
                return Check(what=where, published=_brief(text(ours)), found=_brief(text(theirs)), by=by, passed=False)
    return Check(what=what, published=f"{count} numbers", found=f"{count} equal", by=by, passed=count > 0)


@lru_cache(maxsize=4096)
def _equal(left: Cell, right: Cell) -> bool:
    """Whether values are equal; irrational ones, which may be written in two ways, to 50 digits."""
    if left == right:
        return True
    if not all(isinstance(one, sympy.Expr) and one.is_number for one in (left, right)):
        return False
    return bool(abs(sympy.N(left - right, 60)) < sympy.Float("1e-50"))  # type: ignore[operator]


def same_machine(published: Table, recording: Recording, *more: Cell) -> Check:
    """Compare the row that says what device measured when, with which torch, and whatever is said besides."""
    row = (recording.device, recording.date, recording.versions["torch"], *more)
    return same_rows(f"measured, {recording.device_kind}: device, date, version and sizes", published, [row], "the recording")


def close(what: str, published: Cell, found: float, by: str, relative: float = 1e-9, absolute: float = 1e-12) -> Check:
    """Compare a measured or exact number with one found in floating point, which may differ by either tolerance."""
    number = isinstance(published, int | float | Fraction)
    near = number and math.isclose(float(published), found, rel_tol=relative, abs_tol=absolute)  # type: ignore[arg-type]
    return Check(what=what, published=text(published), found=text(float(found)), by=by, passed=near)


def close_rows(
    what: str, published: Table, found: Sequence[Sequence[Cell]], by: str, absolute: float = 1e-12, relative: float = 1e-9
) -> Check:
    """Compare a table cell by cell: what was found as a float nearly, all else exactly; names the first that differs."""
    for number, (ours, theirs) in enumerate(zip(published.rows, found, strict=False), 1):
        for name, left, right in zip(published.header, ours, theirs, strict=True):
            where = f"{what}: row {number}, column {text(name)}"
            check = (
                close(where, left, right, by, relative, absolute) if isinstance(right, float) else same(where, left, right, by)
            )
            if not check.passed:
                return check
    size = f"{len(published.rows)} × {len(published.header)} cells"
    passed = len(found) == len(published.rows) > 0
    return Check(what=what, published=size, found=f"{len(found)} equal rows", by=by, passed=passed)


def close_numbers(what: str, published: Iterable[Cell], found: Iterable[float], by: str, tolerance: float = 1e-12) -> Check:
    """Compare numbers one by one, exact ones too, within a relative and absolute tolerance."""
    pairs = list(zip(published, found, strict=True))
    off = max((_distance(cell, number) for cell, number in pairs), default=math.inf)
    return Check(
        what=what,
        published=f"{len(pairs)} numbers, equal to {tolerance:g}",
        found=f"largest difference {off:.1e}",
        by=by,
        passed=off <= tolerance,
    )


def _distance(cell: Cell, number: float) -> float:
    if not isinstance(cell, int | float | Fraction | sympy.Expr):
        return math.inf
    return abs(float(cell) - number) / max(1.0, abs(number))
