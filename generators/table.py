"""Tables: columns that have a heading and a unit, and rows by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import sympy

from generators.cells import Cell, Math, Quantity, Rows, words
from generators.depending import while_holds
from generators.traced import Condition, is_condition, is_traced


@dataclass(frozen=True, kw_only=True)
class Column:
    """What stands in one column: its key, a heading where that is not the key in words, and the unit of its numbers.

    The symbol makes the column's cell a letter for formulas in the same row. A column `of` another holds the formulas of
    that one's values, or None.
    """

    key: str
    heading: str | Math = ""
    unit: str = ""
    symbol: sympy.Symbol | None = None
    of: str = ""

    @property
    def title(self) -> str | Math:
        """The heading, or the key in words with a capital letter."""
        shown = words(self.key)
        return self.heading or shown[:1].upper() + shown[1:]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One column of the table at an address: what pictures draw, with the label and unit that belong to it."""

    table: str
    column: Column
    cells: Mapping[str, Cell]

    @property
    def label(self) -> str:
        """The column's title; where that is notation, its key in words."""
        return self.column.title if isinstance(self.column.title, str) else words(self.column.key)

    @property
    def unit(self) -> str:
        """The unit of the numbers."""
        return self.column.unit

    @property
    def numbers(self) -> dict[str, float]:
        """Cells that hold a number, by row, as floats; traced ones as they are."""
        held = {row: cell for row, cell in self.cells.items() if cell is not None}
        return {row: cell if is_traced(cell) else float(cell) for row, cell in held.items()}  # type: ignore[arg-type,misc]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns and rows by key; `drawn` tables are arrays that only pictures show. `depending` rows have a comparison each."""

    address: str
    columns: Mapping[str, Column]
    rows: Mapping[str, Mapping[str, Cell]]
    letters: Mapping[sympy.Symbol, Quantity] = field(default_factory=dict)
    asked: bool = False
    drawn: bool = False
    depending: Mapping[str, Condition] = field(default_factory=dict)

    def __getitem__(self, column: str) -> Series:
        return Series(
            table=self.address, column=self.columns[column], cells={row: cells[column] for row, cells in self.rows.items()}
        )

    def row(self, key: str) -> dict[str, Quantity]:
        """The cells of a row by column."""
        return {column: self.cell(key, column) for column in self.columns}

    def __iter__(self) -> Iterator[dict[str, Quantity]]:
        return map(self.row, self.rows)

    def cell(self, row: str, column: str) -> Quantity:
        """One cell with the unit of its column, and its formula where another column holds that."""
        formula = next((self.rows[row][one.key] for one in self.columns.values() if one.of == column), None)
        own = {one.symbol: one.key for one in self.columns.values() if one.symbol is not None}
        letters = dict(self.letters)
        for symbol, key in own.items():
            if key != column:
                letters[symbol] = replace(self._plain(row, key), symbol=symbol)
        used = formula.free_symbols if isinstance(formula, sympy.Basic) else set()
        plain = self._plain(row, column)
        return replace(
            plain,
            formula=formula if isinstance(formula, sympy.Basic) else None,
            letters={symbol: letters[symbol] for symbol in sorted(used, key=str)},
        )

    def _plain(self, row: str, column: str) -> Quantity:
        address = f"{self.address}/{row}/{column}"
        return Quantity(address=address, value=self.rows[row][column], unit=self.columns[column].unit, asked=self.asked)


def column(key: str, heading: str | Math = "", unit: str = "", symbol: sympy.Symbol | None = None, of: str = "") -> Column:
    """A column; its heading is its key in words unless said otherwise."""
    return Column(key=key, heading=heading, unit=unit, symbol=symbol, of=of)


def table(
    key: str,
    columns: Sequence[Column | str],
    rows: Rows,
    *,
    asked: bool = False,
    drawn: bool = False,
    depending: Mapping[str, Any] = MappingProxyType({}),
) -> Table:
    """Columns and rows by key, in the order in which they are shown; a row without exactly these columns raises ValueError.

    A row of `depending` is there only while its comparison holds.
    """
    made = {one if isinstance(one, str) else one.key: column(one) if isinstance(one, str) else one for one in columns}
    rows = dict(rows)
    unknown = depending.keys() - rows.keys()
    if unknown:
        raise ValueError(f"{key}: depending: no row has the key {', '.join(sorted(unknown))}")
    placed = {row: cells for row, cells in _by_column(key, list(made), rows).items() if _may_be_there(depending.get(row, True))}
    open_rows = {row: truth for row, truth in depending.items() if is_condition(truth)}
    for row, truth in open_rows.items():
        placed[row] = {column: _cell_while(truth, cell) for column, cell in placed[row].items()}
    return Table(address=key, columns=made, rows=placed, asked=asked, drawn=drawn, depending=open_rows)


def _cell_while(truth: Condition, cell: Cell) -> Cell:
    """A cell of a row that is there while a comparison holds; words stay, as the row hides them."""
    return while_holds(truth, cell) if isinstance(cell, int | Fraction) else cell


def _may_be_there(truth: Any) -> bool:
    return is_condition(truth) or bool(truth)


def _by_column(table: str, columns: Sequence[str], rows: Rows) -> dict[str, dict[str, Cell]]:
    made: dict[str, dict[str, Cell]] = {}
    for name, row in dict(rows).items():
        cells = row if isinstance(row, Mapping) else dict(zip(columns, row, strict=False))
        if set(cells) != set(columns) or len(row) != len(columns):
            raise ValueError(f"{table}/{name}: columns must be {', '.join(columns)} (got {', '.join(cells)}: {len(row)} cells)")
        made[name] = dict(cells)
    return made
