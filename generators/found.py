"""What a question's `find` yields: values by address, each by a route that shares no code with the solver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from generators.cells import Cell, Math, Rows

World: TypeAlias = Mapping[str, Any]
"""Numbers or arrays by the names of the symbols in a published expression; `steps` may hold a world for each time step."""


@dataclass(frozen=True)
class Worlds:
    """What an expression must give: for each world of values put in, the result."""

    cases: Sequence[tuple[World, Any]]


@dataclass(frozen=True)
class Route:
    """A way of finding values: how it is called on the page, and how far its floats may lie from what is published.

    `tolerance` is relative, `absolute` is added for values near zero. `restates` marks a route that reads the sheet or
    the entry again: it guards the page, but finds no number anew.
    """

    name: str
    tolerance: float = 0.0
    absolute: float = 0.0
    restates: bool = False

    def values(
        self,
        part: str,
        values: Mapping[str, Any] | None = None,
        *,
        unit: str = "",
        symbols: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Iterator[Found]:
        """Values of a part by key, numbers, texts and claims alike, all in one unit; symbols where they are said."""
        for key, value in {**(values or {}), **more}.items():
            yield Found(f"{part}/{key}", value, self)
            if unit:
                yield Found(f"{part}/{key}@unit", unit, self)
        for key, symbol in (symbols or {}).items():
            yield Found(f"{part}/{key}@symbol", symbol, self)

    def letters(self, part: str, *, unit: str = "", **values: Any) -> Iterator[Found]:
        """Values whose keys are their symbols."""
        return self.values(part, values, unit=unit, symbols={name: name for name in values})

    def part(self, label: str, title: str) -> Iterator[Found]:
        """The title of a part."""
        yield Found(f"{label}@title", title, self)

    def table(
        self,
        part: str,
        key: str,
        rows: Rows,
        *,
        units: Mapping[str, str] | None = None,
        headings: Mapping[str, str | Math] | None = None,
        symbols: Mapping[str, str] | None = None,
        columns: Sequence[str] = (),
        given: Mapping[str, Route] | None = None,
    ) -> Iterator[Found]:
        """A whole table: its cells, the order of its rows and columns, and what its columns say of their numbers.

        `columns` names the cells of rows that are written in their order. It is needed too where a column holds formulas,
        which have no cells here: the matcher evaluates them. Cells of the columns `given` are copied by other routes.
        """
        by_key = {
            name: row if isinstance(row, Mapping) else dict(zip(columns, row, strict=True)) for name, row in dict(rows).items()
        }
        yield Found(f"{part}/{key}@rows", tuple(by_key), self)
        yield Found(f"{part}/{key}@columns", tuple(columns) or tuple(next(iter(by_key.values()), ())), self)
        for what, said in (("unit", units), ("heading", headings), ("symbol", symbols)):
            for column, one in (said or {}).items():
                yield Found(f"{part}/{key}/{column}@{what}", one, self)
        for row, cells in by_key.items():
            for column, cell in cells.items():
                yield Found(f"{part}/{key}/{row}/{column}", cell, (given or {}).get(column, self))

    def cells(self, part: str, key: str, rows: Mapping[str, Mapping[str, Cell]]) -> Iterator[Found]:
        """Some cells of a table, as by a second route."""
        for row, cells in rows.items():
            for column, cell in cells.items():
                yield Found(f"{part}/{key}/{row}/{column}", cell, self)

    def lines(self, part: str, key: str, lines: Mapping[str, tuple[str, Any]]) -> Iterator[Found]:
        """A whole derivation: each line's symbol and its value, for an expression a list of worlds and results."""
        yield Found(f"{part}/{key}@lines", tuple(lines), self)
        for name, (symbol, value) in lines.items():
            yield Found(f"{part}/{key}/{name}@symbol", symbol, self)
            yield Found(f"{part}/{key}/{name}", Worlds(value) if isinstance(value, list) else value, self)

    def worlds(self, address: str, cases: Sequence[tuple[World, Any]]) -> Iterator[Found]:
        """What the expression at an address gives for each world of values."""
        yield Found(address, Worlds(cases), self)

    def proof(self, what: str, difference: float) -> Iterator[Proof]:
        """A statement about what was found: it holds where the difference is within the route's tolerance."""
        yield Proof(what, float(difference), self)


@dataclass(frozen=True)
class Found:
    """What a route found at an address."""

    address: str
    value: Any
    route: Route


@dataclass(frozen=True)
class Proof:
    """A statement about what was found, beside the addresses."""

    what: str
    difference: float
    route: Route
