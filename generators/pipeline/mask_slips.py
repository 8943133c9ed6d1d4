"""Slips of a mask's rows: what else a row may be that a reader has written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from generators.answer import Answer
from generators.figures.style import subscripted
from generators.table import Table

Bits = tuple[Any, ...]


def explained_rows(answer: Answer) -> Iterator[dict[str, Any]]:
    """Every row of each mask that the sheet asks for, its columns by name, and the mistakes that other rows come from."""
    for part in answer.parts.values():
        tables = [item for item in part.items.values() if isinstance(item, Table) and item.asked]
        for mask in filter(_is_mask, tables):
            nodes = next((one for one in tables if one is not mask and list(one.rows) == list(mask.rows)), None)
            if nodes is None:
                continue
            names = _names(nodes)
            rows = {key: tuple(cells.values()) for key, cells in mask.rows.items()}
            for key, row in rows.items():
                found: dict[str, list[str]] = {}
                for words, other in _others(key, rows, names):
                    if other != row:
                        found.setdefault(_joined(other), []).append(words)
                yield {
                    "at": nodes.address,
                    "name": f"{part.label}: row of {names[key]}",
                    "row": _joined(row),
                    "columns": list(names.values()),
                    "slips": [[other, *words] for other, words in found.items()],
                }


def _is_mask(table: Table) -> bool:
    cells = (cell for row in table.rows.values() for cell in row.values())
    return list(table.columns) == list(table.rows) and all(cell in (0, 1) for cell in cells)


def _names(nodes: Table) -> dict[str, str]:
    """Tokens, those that stand in several places with the number of their row."""
    tokens = {key: subscripted(str(next(iter(cells.values())))) for key, cells in nodes.rows.items()}
    often = Counter(tokens.values())
    return {key: token if often[token] == 1 else f"{token} (row {key})" for key, token in tokens.items()}


def _joined(row: Bits) -> str:
    return "".join(map(str, row))


def _others(key: str, rows: Mapping[str, Bits], names: Mapping[str, str]) -> Iterator[tuple[str, Bits]]:
    """What was done, and the row that it gives."""
    own, at = rows[key], list(rows).index(key)
    rising = all(not any(row[:place]) for place, row in enumerate(rows.values()))
    seen = "whom the node sees" if rising else "who sees the node"
    yield f"of the transposed mask, in which a row says {seen}", tuple(row[at] for row in rows.values())
    yield "with 0 and 1 exchanged", tuple(1 - bit for bit in own)
    yield "without the node itself", tuple(bit * (place != at) for place, bit in enumerate(own))
    until, since = ([int(sign * (place - at) <= 0) for place in range(len(own))] for sign in (1, -1))
    causal = "causal mask, in which a node sees all nodes before it"
    yield f"of a {causal}", tuple(since if rising else until)
    yield f"of a transposed {causal}", tuple(until if rising else since)
    for other, row in rows.items():
        if other != key:
            yield f"of {names[other]}", row
