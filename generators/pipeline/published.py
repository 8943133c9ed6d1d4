"""Lists what an answer publishes: every datum by its address, and every formula."""

from __future__ import annotations

from collections.abc import Iterator

from generators.answer import Answer, Claim, Derivation, Item, Text
from generators.cells import Quantity
from generators.table import Table


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


def with_formulas(of: Answer) -> Iterator[Quantity]:
    """Every quantity and every cell that has a formula."""
    for one in of.parts.values():
        for item in one.items.values():
            if isinstance(item, Quantity) and item.formula is not None:
                yield item
            elif isinstance(item, Table) and any(column.of for column in item.columns.values()):
                yield from (cell for row in item for cell in row.values() if cell.formula is not None)
