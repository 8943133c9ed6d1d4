"""What a solver returns: an Answer whose every datum a reader can see has an address, a meaning and a unit.

An address is `part/key` or `part/table/row/column`, with `@symbol`, `@unit`, `@title`, `@heading`, `@rows`, `@columns`
or `@lines` behind it where these are said. It is the same in code, in answers.json, on the page and in messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeAlias

import sympy

Value: TypeAlias = int | Fraction | sympy.Basic | float
"""An exact number or expression; a float only where it was measured or sampled."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NUMBER = re.compile(r"(?<![A-Za-z\d])\d")


@dataclass(frozen=True)
class Math:
    """Notation written as LaTeX, for a table cell, a heading or a text."""

    latex: str


Cell: TypeAlias = str | Math | Value | None
"""A `str` is plain text and is escaped where it is rendered; `None` is an empty cell."""


def exact(expression: sympy.Basic | int | Fraction) -> Value:
    """Return `expression` as int or Fraction where it is rational, else as an expression."""
    number = sympy.sympify(expression)
    if number.is_Rational:
        fraction = Fraction(int(number.p), int(number.q))
        return fraction.numerator if fraction.denominator == 1 else fraction
    return number


def rational(cell: Cell) -> Fraction:
    """Return an exact number as a Fraction; anything else raises TypeError."""
    if isinstance(cell, int | Fraction):
        return Fraction(cell)
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


@dataclass(frozen=True, kw_only=True)
class Text:
    """Words or notation that follow from the parameters."""

    address: str
    value: str | Math


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that holds or not; a template shows a sentence only where its claim holds."""

    address: str
    what: str
    holds: bool

    def __bool__(self) -> bool:
        return self.holds


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a derivation: `symbol` = `value`, and the reason in words; a matrix expression has a shape."""

    symbol: str
    value: Value
    why: str


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """Lines that lead to a result, in order, by key."""

    address: str
    lines: Mapping[str, Line]
    asked: bool = False

    def __getitem__(self, key: str) -> Quantity:
        """A line as a quantity, whose meaning is the reason for it."""
        one = self.lines[key]
        return Quantity(address=f"{self.address}/{key}", value=one.value, what=one.why, symbol=one.symbol, asked=self.asked)


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
    """One column of a table: what pictures draw, with the label and unit that belong to it."""

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
        """Cells that hold a number, as floats, by row."""
        return {row: float(cell) for row, cell in self.cells.items() if cell is not None}  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns and rows by key; `drawn` tables are arrays that only pictures show."""

    address: str
    columns: Mapping[str, Column]
    rows: Mapping[str, Mapping[str, Cell]]
    letters: Mapping[sympy.Symbol, Quantity] = field(default_factory=dict)
    asked: bool = False
    drawn: bool = False

    def __getitem__(self, column: str) -> Series:
        return Series(column=self.columns[column], cells={row: cells[column] for row, cells in self.rows.items()})

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


Item: TypeAlias = Quantity | Text | Claim | Derivation | Table


def number(
    key: str, value: Value, what: str = "", symbol: sympy.Symbol | str = "", unit: str = "", *, asked: bool = False
) -> Quantity:
    """A value; `what` says what it is where the key in words does not."""
    return Quantity(address=key, value=value, what=_without_digits(what or words(key)), symbol=symbol, unit=unit, asked=asked)


def letter(symbol: sympy.Symbol, value: Value, what: str, unit: str = "") -> Quantity:
    """A value that formulas use, whose key is its symbol."""
    return number(str(symbol), value, what, symbol, unit)


def formula(
    key: str, expression: sympy.Basic, what: str = "", symbol: sympy.Symbol | str = "", unit: str = "", *, asked: bool = False
) -> Quantity:
    """A value given by its formula, which is evaluated at the letters of its part."""
    made = number(key, 0, what, symbol, unit, asked=asked)
    return replace(made, formula=expression)


def text(key: str, value: str | Math) -> Text:
    """Words or notation that follow from the parameters."""
    return Text(address=key, value=value)


def claim(key: str, holds: bool, what: str = "") -> Claim:
    """A statement that holds or not."""
    return Claim(address=key, what=_without_digits(what or words(key)), holds=bool(holds))


def derivation(key: str, lines: Mapping[str, Line], *, asked: bool = False) -> Derivation:
    """Lines of a derivation by key, in order."""
    return Derivation(address=key, lines=dict(lines), asked=asked)


def line(symbol: str, value: Value, why: str) -> Line:
    """A line of a derivation."""
    return Line(symbol=symbol, value=value, why=why)


def column(key: str, heading: str | Math = "", unit: str = "", symbol: sympy.Symbol | None = None, of: str = "") -> Column:
    """A column; its heading is its key in words unless said otherwise."""
    return Column(key=key, heading=heading, unit=unit, symbol=symbol, of=of)


def table(
    key: str,
    columns: Sequence[Column | str],
    rows: Mapping[str, Mapping[str, Cell]],
    *,
    asked: bool = False,
    drawn: bool = False,
) -> Table:
    """Columns and rows by key, in the order in which they are shown; a row without exactly these columns raises ValueError."""
    made = {one if isinstance(one, str) else one.key: column(one) if isinstance(one, str) else one for one in columns}
    for name, cells in rows.items():
        if set(cells) != set(made):
            raise ValueError(f"{key}/{name}: columns must be {', '.join(made)} (got {', '.join(cells)})")
    return Table(address=key, columns=made, rows={name: dict(cells) for name, cells in rows.items()}, asked=asked, drawn=drawn)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The answer to one part of a question by its label: items by key, and the letters that formulas in it may use."""

    label: str
    title: str
    items: Mapping[str, Item]
    letters: Mapping[sympy.Symbol, Quantity]

    def __getitem__(self, key: str) -> Any:
        return self.items[key]

    @property
    def numbered(self) -> bool:
        """Whether the sheet asks for it, as "2.1", or it stands beside, as "sheet"."""
        return self.label[0].isdigit()


def part(label: str, title: str, *items: Item, within: Part | Sequence[Part] = ()) -> Part:
    """Put items in their places; formulas see the letters of this part, and of the parts it stands `within`.

    A formula may use what stands before it. A key that stands twice or is no key, and a letter without a value, raise
    ValueError.
    """
    letters: dict[sympy.Symbol, Quantity] = {}
    for outer in (within,) if isinstance(within, Part) else within:
        letters |= outer.letters
    placed: dict[str, Item] = {}
    for item in items:
        key = item.address
        if not _KEY.fullmatch(key) or key in placed:
            raise ValueError(f"{label}/{key}: a key must stand once and have letters, digits, '_', '.' and '-' only")
        made = _placed(item, f"{label}/{key}", letters)
        placed[key] = made
        if isinstance(made, Quantity) and isinstance(made.symbol, sympy.Symbol):
            letters[made.symbol] = made
    return Part(label=label, title=title, items=placed, letters=letters)


def value_at(expression: sympy.Basic, within: Part) -> Value:
    """An expression at the letters of a part, for a cell of a table."""
    return exact(expression.subs({symbol: letter.value for symbol, letter in within.letters.items()}))


def _placed(item: Item, address: str, letters: Mapping[sympy.Symbol, Quantity]) -> Item:
    if isinstance(item, Table):
        for key in (*item.columns, *item.rows):
            if not _KEY.fullmatch(key):
                raise ValueError(f"{address}: a key must have letters, digits, '_', '.' and '-' only (got {key!r})")
        return replace(item, address=address, letters=dict(letters))
    if not isinstance(item, Quantity) or item.formula is None:
        return replace(item, address=address)
    used = sorted(item.formula.free_symbols, key=str)
    missing = [str(symbol) for symbol in used if symbol not in letters]
    if missing:
        raise ValueError(f"{address}: no letter of its part has a value for {', '.join(missing)}")
    own = {symbol: letters[symbol] for symbol in used}
    value = exact(item.formula.subs({symbol: one.value for symbol, one in own.items()}))
    return replace(item, address=address, letters=own, value=value)


def _without_digits(what: str) -> str:
    """Words hold no number: a number is a datum of its own."""
    if _NUMBER.search(what):
        raise ValueError(f"words must hold no number (got {what!r})")
    return what


@dataclass(frozen=True)
class Answer:
    """The parts of one question by label, in the order of the sheet."""

    parts: Mapping[str, Part]

    def __getitem__(self, address: str) -> Any:
        """`2.1`: a part; `2.1/share_saved`: an item of it; `1.1/form/7/intensity`: a cell; `3.3/w/own`: a line."""
        label, *keys = address.split("/")
        if not keys:
            return self.parts[label]
        item = self.parts[label].items[keys[0]]
        if isinstance(item, Table) and len(keys) == 3:
            return item.cell(keys[1], keys[2])
        if isinstance(item, Derivation) and len(keys) == 2:
            return item[keys[1]]
        if len(keys) > 1:
            raise KeyError(address)
        return item

    def starting(self, label: str) -> list[Part]:
        """The parts whose labels start so, as all that were measured."""
        return [one for name, one in self.parts.items() if name.startswith(label)]

    def __contains__(self, label: object) -> bool:
        return label in self.parts


def answer(*parts: Part) -> Answer:
    """The parts of one question, in order."""
    return Answer({one.label: one for one in parts})


def published(of: Answer) -> dict[str, object]:
    """Every datum that a reader can see, by its address, but formulas, which the matcher evaluates."""
    found: dict[str, object] = {}
    for label, one in of.parts.items():
        found[f"{label}@title"] = one.title
        for item in one.items.values():
            found |= dict(_data(item))
    return found


def _data(item: Item) -> Iterator[tuple[str, object]]:
    address = item.address
    if isinstance(item, Quantity):
        yield address, item.value
        if item.symbol:
            yield f"{address}@symbol", str(item.symbol)
        if item.unit:
            yield f"{address}@unit", item.unit
    elif isinstance(item, Text):
        yield address, item.value
    elif isinstance(item, Claim):
        yield address, item.holds
    elif isinstance(item, Derivation):
        yield f"{address}@lines", tuple(item.lines)
        for key, one in item.lines.items():
            yield f"{address}/{key}", one.value
            yield f"{address}/{key}@symbol", one.symbol
    else:
        yield from _cells(item)


def _cells(item: Table) -> Iterator[tuple[str, object]]:
    yield f"{item.address}@rows", tuple(item.rows)
    yield f"{item.address}@columns", tuple(item.columns)
    for key, one in item.columns.items():
        if one.heading:
            yield f"{item.address}/{key}@heading", one.heading
        if one.unit:
            yield f"{item.address}/{key}@unit", one.unit
        if one.symbol is not None:
            yield f"{item.address}/{key}@symbol", str(one.symbol)
    for row, cells in item.rows.items():
        for key, cell in cells.items():
            if not item.columns[key].of:
                yield f"{item.address}/{row}/{key}", cell


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawn picture: SVG text, a caption in plain text, and what it shows for those who can't see it.

    `shows` are the addresses of what is drawn.
    """

    svg: str
    caption: str
    alt: str
    shows: tuple[str, ...] = ()


def with_formulas(of: Answer) -> Iterator[Quantity]:
    """Every quantity and every cell that has a formula."""
    for one in of.parts.values():
        for item in one.items.values():
            if isinstance(item, Quantity) and item.formula is not None:
                yield item
            elif isinstance(item, Table) and any(column.of for column in item.columns.values()):
                yield from (cell for row in item for cell in row.values() if cell.formula is not None)
