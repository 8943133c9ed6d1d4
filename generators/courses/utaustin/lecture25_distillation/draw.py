"""Draws a distribution that flattens with the temperature, and students that near their teacher."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The teacher's distribution over the temperature, and the students' way to the teacher."""
    return {
        "heat": _heat(answer["1/heat"], answer["sheet/T"]),
        "curve": _curve(answer["3/curve"], int(answer["sheet/n_starts"])),
    }


def _lines(table: Table, x: str) -> list[Line]:
    """A line for each column but that of the x axis, named as it is headed."""
    places = table[x].numbers.values()
    columns = [table[key] for key in table.columns if key != x]
    return [Line(one.label, list(zip(places, one.numbers.values(), strict=True))) for one in columns]


def _label(table: Table, x: str, what: str) -> str:
    return axis_label([table[key] for key in table.columns if key != x], what)


def _heat(table: Table, marked: Quantity) -> Figure:
    """The probability of each class over the temperature."""
    lines = _lines(table, "temperature")
    highest = max(table["temperature"].numbers.values())
    ends = "; ".join(f"{line.name} from {line.points[0][1]:.3g} to {line.points[-1][1]:.3g}" for line in lines)
    figure = line_figure(
        lines,
        Axis(axis_label([table["temperature"]], f"temperature {marked.symbol}"), scale="log", base=2),
        Axis(_label(table, "temperature", "the teacher's probability"), limits=(0, 1)),
        caption="A higher temperature flattens the teacher's distribution and shows what it thinks of unlikely classes.",
        alt=f"Probability of each class for temperatures from 1 to {highest:.0f}: {ends}.",
        guide=(float(marked), f"{marked.symbol} = {marked.value}"),
    )
    return replace(figure, shows=(table.address, marked.address))


def _curve(table: Table, n_starts: int) -> Figure:
    """The divergence of each kind of student over the steps of its training."""
    lines = [replace(line, marked=tuple(line.points)) for line in _lines(table, "step")]
    ends = "; ".join(f"{line.name} {line.points[-1][1]:.3g}" for line in lines)
    starts = "one start" if n_starts == 1 else f"{n_starts} starts on average"
    figure = line_figure(
        lines,
        Axis(axis_label([table["step"]], "step of the student's training")),
        Axis(_label(table, "step", "divergence from the teacher")),
        caption=f"On test points, over {starts}, by what the student learns from.",
        alt=f"Divergence over training steps. At the last step: {ends}.",
    )
    return replace(figure, shows=(table.address,))
