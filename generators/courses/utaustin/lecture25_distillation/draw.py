"""Draws a distribution that flattens with the temperature, and students that near their teacher."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.series import axis_label
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The teacher's distribution over the temperature, and the students' way to the teacher."""
    return {
        "heat": _heat(answer["1/heat"], answer["sheet/T"]),
        "curve": _curve(answer["3/curve"], int(answer["sheet/n_starts"])),
    }


def _heat(table: Table, marked: Quantity) -> Figure:
    """The probability of each class over the temperature."""
    x, *classes = (table[key] for key in table.columns)
    return line_figure(
        [line_of(x, one) for one in classes],
        Axis(axis_label([x], f"temperature {marked.symbol}"), scale="log", base=2),
        Axis(axis_label(classes, "the teacher's probability"), limits=(0, 1)),
        caption="A higher temperature flattens the teacher's distribution and shows what it thinks of unlikely classes.",
        guide=(float(marked), f"{marked.symbol} = {marked.value}"),
    )


def _curve(table: Table, n_starts: int) -> Figure:
    """The divergence of each kind of student over the steps of its training."""
    x, *students = (table[key] for key in table.columns)
    starts = "one start" if n_starts == 1 else f"{n_starts} starts on average"
    return line_figure(
        [line_of(x, one, marked=True) for one in students],
        Axis(axis_label([x], "step of the student's training")),
        Axis(axis_label(students, "divergence from the teacher")),
        caption=f"On test points, over {starts}, by what the student learns from.",
    )
