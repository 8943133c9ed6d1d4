"""The answers of questions that still verify themselves: numbered parts made of steps and tables, and checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import sympy

from generators.answer import Cell, Math, Value, exact


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of working: what is computed, its formula, the values put in, and the result."""

    what: str
    symbol: str
    value: Value
    unit: str = ""
    formula: sympy.Expr | None = None
    at: Mapping[sympy.Symbol, Value] = field(default_factory=dict)


def step(
    what: str,
    symbol: str,
    formula: sympy.Expr,
    at: Mapping[sympy.Symbol, Value],
    unit: str = "",
) -> Step:
    """Make a Step whose value is `formula` evaluated at `at`, so that it is never typed again."""
    value = exact(formula.subs(dict(at)))
    return Step(what=what, symbol=symbol, value=value, unit=unit, formula=formula, at=at)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A header and rows of the same length; a ragged row raises ValueError."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.header):
                raise ValueError(f"row {number} has {len(row)} cells, not {len(self.header)}")

    def column(self, name: str) -> tuple[Cell, ...]:
        """Return the cells under the header `name`."""
        index = self.header.index(name)
        return tuple(row[index] for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The answer to one numbered part: named steps and named tables."""

    title: str
    steps: Mapping[str, Step] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]


@dataclass(frozen=True)
class Answer:
    """The parts of one question by label, in the order of the sheet: `answer["1.2"]`."""

    parts: Mapping[str, Part]

    def __getitem__(self, label: str) -> Part:
        return self.parts[label]


@dataclass(frozen=True, kw_only=True)
class Check:
    """A published value beside the one found by an independent route."""

    what: str
    published: str
    found: str
    by: str
    passed: bool


Place: TypeAlias = tuple[str, str, str, int, int]
"""Where a number or a text stands: part, "steps" or "tables", name, row and column (0, 0 for a step)."""


def is_number(cell: Cell) -> bool:
    """Tell whether a cell holds a value rather than text, a formula's LaTeX or nothing."""
    return cell is not None and not isinstance(cell, str | Math)


def published_numbers(answer: Answer) -> Iterator[tuple[Place, Value]]:
    """Yield every published value of the answer with its place."""
    for label, part in answer.parts.items():
        for name, line in part.steps.items():
            yield (label, "steps", name, 0, 0), line.value
        for name, table in part.tables.items():
            for i, row in enumerate(table.rows):
                for j, cell in enumerate(row):
                    if cell is not None and not isinstance(cell, str | Math):
                        yield (label, "tables", name, i, j), cell


def published_texts(answer: Answer) -> Iterator[tuple[Place, str | Math]]:
    """Yield every cell of a table that holds text or a formula's LaTeX, with its place."""
    for label, part in answer.parts.items():
        for name, table in part.tables.items():
            for i, row in enumerate(table.rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, str | Math):
                        yield (label, "tables", name, i, j), cell


def with_value(answer: Answer, place: Place, value: Cell) -> Answer:
    """Return the answer with the value or text at `place` replaced."""
    label, kind, name, i, j = place
    part = answer[label]
    if kind == "steps":
        if value is None or isinstance(value, str | Math):
            raise TypeError(f"the value of a step must be a number or an expression (got {value!r})")
        part = replace(part, steps={**part.steps, name: replace(part[name], value=value)})
    else:
        rows = [list(row) for row in part.tables[name].rows]
        rows[i][j] = value
        table = replace(part.tables[name], rows=tuple(tuple(row) for row in rows))
        part = replace(part, tables={**part.tables, name: table})
    return Answer({**answer.parts, label: part})
