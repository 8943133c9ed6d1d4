"""What a cell may hold, and a Quantity: a value with its address, meaning, symbol and unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import sympy

from generators.traced import is_traced, untraced
from generators.traced_formulas import traced

Value: TypeAlias = int | Fraction | sympy.Basic | float
"""An exact number or expression; a float only where it was measured or sampled."""


@dataclass(frozen=True)
class Math:
    """Notation written as LaTeX, for a table cell, a heading or a text."""

    latex: str


Cell: TypeAlias = str | Math | Value | None
"""A `str` is plain text and is escaped where it is rendered; `None` is an empty cell."""

Row: TypeAlias = Mapping[str, Cell] | Sequence[Cell]
"""Cells by column, or in the order of the columns."""

Rows: TypeAlias = Mapping[str, Row] | Iterable[tuple[str, Row]]
"""Rows by key, in the order in which they are shown."""


class Rounded(float):
    """A measured number, rounded to decimals that are all shown: 0.50, not 0.5."""

    decimals: int

    def __new__(cls, number: float, decimals: int) -> Rounded:
        """Round half to even, as floats do; a negative number of decimals rounds to tens, hundreds ..."""
        made = super().__new__(cls, round(float(number), decimals))
        made.decimals = max(0, decimals)
        return made

    def __getnewargs__(self) -> tuple[float, int]:  # type: ignore[override]
        """What a copy is made of."""
        return float(self), self.decimals

    def __repr__(self) -> str:
        """With all decimals."""
        return f"{self:.{self.decimals}f}"


def significant(number: float, digits: int = 3) -> Rounded:
    """A measured number with so many significant digits; samples of times spread by about a percent, which is three."""
    return Rounded(number, digits - 1 - int(f"{number:.{digits - 1}e}".partition("e")[2]))


def exact(expression: sympy.Basic | int | Fraction) -> Value:
    """Return `expression` as int or Fraction where it is rational, else as an expression."""
    if is_traced(expression):
        return expression.lowest()
    number = sympy.sympify(expression)
    if number.is_Rational:
        fraction = Fraction(int(number.p), int(number.q))
        return fraction.numerator if fraction.denominator == 1 else fraction
    return number


def at(expression: sympy.Basic, letters: Mapping[sympy.Symbol, Value]) -> Value:
    """An expression with values in the places of its letters, exact."""
    number = exact(expression.xreplace({symbol: sympy.sympify(untraced(value)) for symbol, value in letters.items()}))
    return traced(expression, letters, number)


def rational(cell: Cell) -> Fraction:
    """Return an exact number as a Fraction; anything else raises TypeError."""
    if isinstance(cell, int | Fraction):
        return cell if is_traced(cell) else Fraction(cell)
    raise TypeError(f"not an exact number: {cell!r}")


def words(key: str) -> str:
    """A key as a reader sees it: `tokens_saved` becomes "tokens saved"."""
    return key.replace("_", " ").replace("-", " ")


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A value with its meaning, symbol and unit: one of a part's own, or a cell of a table.

    A `sympy.Symbol` as symbol makes it a letter, which formulas of its part use. `letters` are the quantities that stand
    in the places of the formula's letters.
    """

    address: str
    value: Cell
    what: str = ""
    symbol: sympy.Symbol | str = ""
    unit: str = ""
    formula: sympy.Basic | None = None
    letters: Mapping[sympy.Symbol, Quantity] = field(default_factory=dict)
    asked: bool = False

    @property
    def key(self) -> str:
        """The last part of the address."""
        return self.address.rpartition("/")[2]

    @property
    def at(self) -> dict[sympy.Symbol, Value]:
        """The numbers in the places of the formula's letters."""
        return {symbol: letter.value for symbol, letter in self.letters.items()}

    def __int__(self) -> int:
        return int(self.value)  # type: ignore[arg-type]

    def __float__(self) -> float:
        return float(self.value)  # type: ignore[arg-type]
