"""Tensors of exact numbers, and lines of derivations, as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

import sympy

from generators.cells import Quantity, Value
from generators.pipeline.slots import in_tex
from generators.pipeline.typeset import formula, fraction, named, right_sides, rounded, terminates, value
from generators.traced import is_traced

_LINE_CM = 13.5
"""What fits beside a tensor's symbol on a printed line."""
_DIGIT_CM = 0.2

Rows = Sequence[Sequence[Fraction]]


def one_line(line: Quantity) -> str:
    """Symbol, formula, numbers put in, and value side by side."""
    return " ".join([named(line.symbol), *right_sides(line)])


def statement(line: Quantity) -> str:
    """Symbol and value in one equation."""
    return f"{named(line.symbol)} {value(line.value, line.unit, equated=True)}"


def shape(number: Value) -> str:
    r"""The shape of a matrix expression, as in d \times 1; anything else is a scalar."""
    if not isinstance(number, sympy.MatrixExpr):
        return r"\text{scalar}"
    return r" \times ".join(map(formula, number.shape))


def space(number: Value) -> str:
    r"""What a matrix expression is an element of, as in \mathbb{R}^{d \times 1}; anything else is a real number."""
    return rf"\mathbb{{R}}^{{{shape(number)}}}" if isinstance(number, sympy.MatrixExpr) else r"\mathbb{R}"


def tensor(symbol: str, rows: Rows, *, also_rounded: bool = True) -> str:
    """A matrix of exact numbers as an equation, then rounded; on two lines, or rounded only, where it would be too wide."""
    numbers = [number for row in rows for number in row]
    if any(map(is_traced, numbers)):
        return f"{symbol} = {_bracketed(rows, _followed)}"
    relation = "=" if all(map(terminates, numbers)) else r"\approx"
    exact, short = _bracketed(rows, fraction), _bracketed(rows, rounded)
    width = _width_cm(rows, fraction)
    if width > _LINE_CM:
        return f"{symbol} {relation} {short}"
    if not also_rounded or all(number.denominator == 1 for number in numbers):
        return f"{symbol} = {exact}"
    if width + _width_cm(rows, rounded) <= _LINE_CM:
        return f"{symbol} = {exact} {relation} {short}"
    return f"\\begin{{aligned}}\n{symbol} &= {exact} \\\\\n&{relation} {short}\n\\end{{aligned}}"


def _followed(number: Fraction) -> str:
    return in_tex(number, fraction(Fraction(number.number)), "fraction") if is_traced(number) else fraction(number)


def inline_tensor(symbol: str, rows: Rows) -> str:
    """A matrix within a sentence, rounded where six digits do not state a number exactly; a column lies on its side."""
    relation = "=" if all(terminates(number) for row in rows for number in row) else r"\approx"
    if len(rows) > 1 and all(len(row) == 1 for row in rows):
        return rf"{symbol} {relation} ({', '.join(rounded(row[0]) for row in rows)})^\top"
    return f"{symbol} {relation} {_bracketed(rows, rounded)}"


def _bracketed(rows: Rows, shown: Callable[[Fraction], str]) -> str:
    lines = (" & ".join(map(shown, row)) for row in rows)
    return r"\begin{bmatrix} " + r" \\ ".join(lines) + r" \end{bmatrix}"


def _width_cm(rows: Rows, shown: Callable[[Fraction], str]) -> float:
    """Width of a matrix in print: a column is as wide as its longest run of digits."""
    columns = zip(*rows, strict=True)
    return sum(_DIGIT_CM * (max(_digits(shown(number)) for number in column) + 2) for column in columns)


def _digits(text: str) -> int:
    return max(map(len, re.findall(r"[\d.]+", text.replace(r"\,", ""))))
