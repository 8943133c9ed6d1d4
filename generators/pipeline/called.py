"""What a reader calls what is asked for: by what it is, or by its table, row and column."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import product
from typing import Any

from generators.answer import Derivation, Part
from generators.cells import Quantity, words
from generators.table import Table


def names(part: Part, *, asked_only: bool = True) -> dict[str, str]:
    """Names by address of all that a part asks for or holds, and of the cells of its tables."""
    items = [one for one in part.items.values() if isinstance(one, Quantity | Table | Derivation)]
    named = [one for one in items if one.asked or not (asked_only or getattr(one, "drawn", False))]
    tables = [one for one in named if isinstance(one, Table)]
    found = {one.address: getattr(one, "what", "") or words(one.address.rpartition("/")[2]) for one in named}
    for table in tables:
        of = f"{found[table.address]}, " if sum(not one.drawn for one in tables) > 1 else ""
        cells = _entries(table) if is_array(table) else {at: of + name for at, name in _cells(table).items()}
        found |= {f"{table.address}/{at}": name for at, name in cells.items()}
    return found


def _cells(table: Table) -> dict[str, str]:
    """Row and column."""
    rows = row_names(table)
    return {f"{row}/{key}": f"{rows[row]}: {table[key].label}" for row, key in product(table.rows, table.columns)}


def _entries(table: Table) -> dict[str, str]:
    """What the array holds and the places on its axes, but for an axis that has one place, for all."""
    held = words(table.address.rpartition("/")[2])
    found = {}
    for row, key in product(table.rows, table.columns):
        places = [words(one) for one in (row, "" if row.startswith(f"{key}_") else key) if one and not one.endswith("_all")]
        found[f"{row}/{key}"] = ", ".join([held, *places])
    return found


def is_array(table: Table) -> bool:
    """Whether its columns are alike, as channel_1 and channel_2; else the first column says what a row is about."""
    return len({re.sub(r"\d+$", "", key) for key in table.columns}) == 1


def row_names(table: Table) -> dict[str, str]:
    """What rows begin with, numbers with their heading, as far as that tells rows apart; else their keys in words."""
    found = dict.fromkeys(table.rows, "")
    for key in list(table.columns)[:-1]:
        label, cells = table[key].label, table[key].cells
        if not all(isinstance(cell, str | int | Fraction) for cell in cells.values()):
            break
        begin = {row: cell if _is_name(cell) else f"{label} {cell}" for row, cell in cells.items()}
        found = {row: f"{found[row]}, {begin[row]}".removeprefix(", ") for row in found}
        if len(set(found.values())) == len(found):
            return found
    return {row: words(row).replace(".", ", ") for row in found}


def _is_name(cell: Any) -> bool:
    """Words, not numbers or lists of numbers."""
    return isinstance(cell, str) and re.search(r"[^\d, ]", cell) is not None
