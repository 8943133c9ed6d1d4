"""Pictures are drawn from the data of the Answer: exchanged data is seen, and labels and units go with their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest

from generators.answer import Answer, Figure, Table, column, part, table
from generators.figures.series import axis_label
from tests.addressed import addressed
from tests.conftest import IDS, worked_out


def numbers(of: Table, key: str) -> list[Any]:
    """The numbers of a column that has nothing but numbers, else nothing."""
    cells = list(of[key].cells.values())
    return cells if all(isinstance(cell, int | Fraction | float) for cell in cells) else []


def exchanged(of: Table) -> Table | None:
    """The table with the data of two columns of one unit exchanged, where it has such columns and their data differ."""
    for left, right in combinations(of.columns, 2):
        one, other = numbers(of, left), numbers(of, right)
        if one and other and one != other and of.columns[left].unit == of.columns[right].unit:
            rows = {key: {**cells, left: cells[right], right: cells[left]} for key, cells in of.rows.items()}
            return replace(of, rows=rows)
    return None


def with_exchanged(answer: Answer, shown: set[str]) -> tuple[Answer, set[str]]:
    """The answer with data exchanged in every table that is shown and can be, and the addresses of these tables."""
    parts, changed = {}, set()
    for label, one in answer.parts.items():
        items = dict(one.items)
        for key, item in one.items.items():
            other = exchanged(item) if isinstance(item, Table) and item.address in shown else None
            if other is not None:
                items[key] = other
                changed.add(item.address)
        parts[label] = replace(one, items=items)
    return Answer(parts), changed


@pytest.mark.parametrize("prefix", IDS)
def test_exchanged_data_changes_the_picture(prefix: str) -> None:
    """A picture that stays the same, or that looked elsewhere for its numbers, would contradict its labels."""
    question_id, _, answer = worked_out(prefix)
    draw = addressed()[question_id].draw
    before: Mapping[str, Figure] = draw(answer)
    other, changed = with_exchanged(answer, {address for one in before.values() for address in one.shows})
    if not changed:
        pytest.skip("no picture of this question shows two columns of one unit")
    try:
        after = draw(other)
    except (ValueError, KeyError, IndexError, ZeroDivisionError, AssertionError, RecursionError):
        return  # data that cannot be drawn was looked at
    same = [
        name
        for name, one in before.items()
        if changed & set(one.shows) and (one.svg, one.alt) == (after[name].svg, after[name].alt)
    ]
    assert same == []


def test_an_axis_takes_label_and_unit_from_its_columns() -> None:
    """Two units on one axis are refused, and so are several columns without a name."""
    made = part(
        "1", "One", table("t", [column("launch_time", unit="ms"), column("other", unit="ms"), column("size", unit="B")], {})
    )
    launch, other, size = (made["t"][key] for key in ("launch_time", "other", "size"))
    assert axis_label([launch]) == "launch time, ms"
    assert axis_label([launch, other], "time") == "time, ms"
    with pytest.raises(ValueError, match=r"one axis must have one unit \(got ms, B\)"):
        axis_label([launch, size], "both")
    with pytest.raises(ValueError, match="several columns on one axis need a name"):
        axis_label([launch, other])
