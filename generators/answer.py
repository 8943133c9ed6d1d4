"""What a solver returns: an Answer whose every datum a reader can see has an address, a meaning and a unit.

An address is `part/key` or `part/table/row/column`, with `@symbol`, `@unit`, `@title`, `@heading`, `@rows`, `@columns`
or `@lines` behind it where these are said. It is the same in code, in answers.json, on the page and in messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import sympy

from generators.cells import Math, Quantity, Value, at, words
from generators.depending import in_part
from generators.table import Table
from generators.traced import CURRENT, Condition, is_condition

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NUMBER = re.compile(r"(?<![A-Za-z\d])\d")


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
    holds: bool | Condition

    def __bool__(self) -> bool:
        return bool(self.holds)


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


def claim(key: str, holds: bool | Condition, what: str = "") -> Claim:
    """A statement that holds or not."""
    return Claim(address=key, what=_without_digits(what or words(key)), holds=holds if is_condition(holds) else bool(holds))


def derivation(key: str, lines: Mapping[str, Line], *, asked: bool = False) -> Derivation:
    """Lines of a derivation by key, in order."""
    return Derivation(address=key, lines=dict(lines), asked=asked)


def line(symbol: str, value: Value, why: str) -> Line:
    """A line of a derivation."""
    return Line(symbol=symbol, value=value, why=why)


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
    trace = CURRENT.get()
    if trace is not None:
        trace.part_ends(label)
    return Part(label=label, title=title, items=placed, letters=letters)


def value_at(expression: sympy.Basic, within: Part) -> Value:
    """An expression at the letters of a part, for a cell of a table."""
    return at(expression, {symbol: letter.value for symbol, letter in within.letters.items()})


def _placed(item: Item, address: str, letters: Mapping[sympy.Symbol, Quantity]) -> Item:
    if isinstance(item, Table):
        for key in (*item.columns, *item.rows):
            if not _KEY.fullmatch(key):
                raise ValueError(f"{address}: a key must have letters, digits, '_', '.' and '-' only (got {key!r})")
        label = address.partition("/")[0]
        rows = {row: {key: in_part(cell, label) for key, cell in cells.items()} for row, cells in item.rows.items()}
        return replace(item, address=address, rows=rows, letters=dict(letters))
    label = address.partition("/")[0]
    if isinstance(item, Text):
        return replace(item, address=address, value=in_part(item.value, label))
    if not isinstance(item, Quantity):
        return replace(item, address=address)
    if item.formula is None:
        return replace(item, address=address, value=in_part(item.value, label))
    used = sorted(item.formula.free_symbols, key=str)
    missing = [str(symbol) for symbol in used if symbol not in letters]
    if missing:
        raise ValueError(f"{address}: no letter of its part has a value for {', '.join(missing)}")
    own = {symbol: letters[symbol] for symbol in used}
    value = at(item.formula, {symbol: one.value for symbol, one in own.items()})
    return replace(item, address=address, letters=own, value=in_part(value, label))


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


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawn picture: SVG text, a caption in plain text, and what it shows for those who can't see it.

    `shows` are the addresses of what is drawn. `tall` is the same picture for narrow screens, where `svg` is too wide to be
    read there; caption and alternative text hold for both. `nodes` is the table whose rows a reader can point at: each is a
    group of the class node in the SVG, with the row as its title. `steps` says what happens in each step of a search, and lists
    its nodes. `chart` is what a page needs to draw lines anew, where their numbers follow from parameters.
    """

    svg: str
    caption: str
    alt: str
    shows: tuple[str, ...] = ()
    tall: str = ""
    nodes: str = ""
    steps: tuple[tuple[str, tuple[str, ...]], ...] = ()
    chart: Mapping[str, Any] | None = None
