"""Pictures take numbers, labels, units and alternative texts from the columns that they draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from generators.answer import Figure, part
from generators.figures.lines import Axis, Line, line_figure, line_of
from generators.figures.series import axis_label
from generators.table import Table, column, table

COLUMNS = [column("tokens"), column("written", unit="ms"), column("read", unit="ms"), column("size", unit="B")]
ROWS = {"a": (1, 5, 20, 7), "b": (2, 10, 30, 7), "c": (3, 15, 40, 7)}
TIMES: Table = part("1", "One", table("t", COLUMNS, ROWS))["t"]


def lines(of: Table) -> Figure:
    """Two columns over a third."""
    series = [of["written"], of["read"]]
    x, y = Axis(axis_label([of["tokens"]])), Axis(axis_label(series, "time"))
    return line_figure([line_of(of["tokens"], one) for one in series], x, y, caption="Times.")


KINDS: dict[Callable[[Table], Figure], tuple[str, str, str]] = {
    lines: (
        "time, ms, over tokens. written: 5 at 1 to 15 at 3; read: 20 at 1 to 40 at 3.",
        "time, ms, over tokens. written: 20 at 1 to 40 at 3; read: 5 at 1 to 15 at 3.",
        "time, ms, over tokens. read: 5 at 1 to 15 at 3; written: 20 at 1 to 40 at 3.",
    ),
}
"""What the alternative text says of the columns, with their data exchanged, and with their headings exchanged."""


def data_exchanged(of: Table) -> Table:
    """The numbers of both columns stand under the other's heading."""
    return replace(
        of, rows={row: {**cells, "written": cells["read"], "read": cells["written"]} for row, cells in of.rows.items()}
    )


def headings_exchanged(of: Table) -> Table:
    """Both columns bear the other's heading."""
    headings = {"written": "Read", "read": "Written"}
    return replace(of, columns={key: replace(one, heading=headings.get(key, "")) for key, one in of.columns.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_says_what_its_columns_hold(kind: Callable[[Table], Figure]) -> None:
    """Exchanged numbers stand at the names that they now have; exchanged headings take their names along."""
    figures = [kind(one) for one in (TIMES, data_exchanged(TIMES), headings_exchanged(TIMES))]
    assert tuple(figure.alt for figure in figures) == KINDS[kind]
    assert len({figure.svg for figure in figures}) == 3
    assert {figure.shows for figure in figures} == {("1/t",)}


def test_an_alternative_text_can_be_read_aloud() -> None:
    """Large numbers have no exponent, and marks without a name are said by the words beside them."""
    marks = Line("", [(2, 1.5)], ((2, 1.5),), ((2, 1.5, "here"),))
    figure = line_figure([Line("A", [(1, 0.00002), (4096, 2.0**31)]), marks], Axis("x"), Axis("bytes"), caption="Bytes.")
    assert figure.alt == "bytes, over x. A: 0.00002 at 1 to 2,147,483,648 at 4,096; here: 1.5 at 2."


def test_an_axis_takes_label_and_unit_from_its_columns() -> None:
    """Two units on one axis are refused, and so are several columns without a name."""
    written, read, size = TIMES["written"], TIMES["read"], TIMES["size"]
    assert axis_label([written]) == "written, ms"
    assert axis_label([written, read], "time") == "time, ms"
    with pytest.raises(ValueError, match=r"one axis must have one unit \(got ms, B\)"):
        axis_label([written, size], "both")
    with pytest.raises(ValueError, match="several columns on one axis need a name"):
        axis_label([written, read])
