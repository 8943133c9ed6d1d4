"""The graph, the derived gradients against numbers worked out by hand, and mistakes that must be seen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sympy import MatMul

from generators.answer import Answer
from generators.cells import Math
from generators.courses.ift6135.a2_q3_bidirectional_rnn.draw import drawn
from generators.courses.ift6135.a2_q3_bidirectional_rnn.find import find as found_again
from generators.courses.ift6135.a2_q3_bidirectional_rnn.params import RnnParams
from generators.courses.ift6135.a2_q3_bidirectional_rnn.solve import solve
from generators.matrices import TimeSum
from generators.pipeline import worlds
from generators.pipeline.match import Findings, agree
from tests.conftest import worked_out
from tests.entries import Far

PREFIX = "ift6135/a2_q3_bidirectional_rnn"
FAR = [
    *(
        Far({"time_steps": steps}, [f"= {steps}$ (3.1)", f"from h{steps + 1}(b)"], ["hidden states $d_h$"])
        for steps in range(1, 5)
    ),
    Far({"time_steps": 2, "conventions": {"shapes": "general"}}, ["hidden states $d_h$"], ["All weights are"]),
    Far({"conventions": {"shapes": "general"}}, ["hidden states $d_h$"], ["All weights are"]),
    Far({"time_steps": 1, "conventions": {"shapes": "general"}}, ["Graph of 1 time step."], ["All weights are"]),
    Far({"time_steps": 4, "conventions": {"shapes": "general"}}, ["Graph of 4 time steps."], ["All weights are"]),
]


def rows(answer: Answer, name: str) -> list[tuple[str, ...]]:
    """A table of the graph as text."""
    cells = [row.values() for row in answer[f"3.1/{name}"].rows.values()]
    return [tuple(one.latex if isinstance(one, Math) else str(one) for one in row) for row in cells]


def test_graph_of_three_steps() -> None:
    """3 outputs, 3 + 1 states in each chain, 3 inputs; two of each kind of edge a step."""
    answer = worked_out(PREFIX)[2]
    assert len(rows(answer, "nodes")) == 14  # 3 + 4 + 4 + 3
    edges = rows(answer, "edges")
    assert len(set(edges)) == 18
    assert ("h_f_0", "h_f_1", r"\mathbf{U}^{(f)}") in edges
    assert ("h_b_4", "h_b_3", r"\mathbf{U}^{(b)}") in edges
    assert ("x_2", "h_b_2", r"\mathbf{W}^{(b)}") in edges
    assert ("h_f_2", "y_2", r"\mathbf{V}^{(f)}") in edges
    assert (r"\mathbf{h}_{4}^{(b)}", "backward", "4") in rows(answer, "nodes")


def test_numbers_of_the_smallest_network() -> None:
    """One step and sizes 1, by hand: h = tanh(0.5), y = 2h + 3k with k = h of the other chain, z = 1."""
    h, k, g = math.tanh(0.5), math.tanh(0.25), 0.7
    names = {
        r"\mathbf{V}^{(f)}": 2.0, r"\mathbf{V}^{(b)}": 3.0, r"\mathbf{z}_{t}": 1.0, r"\mathbf{y}_{t}": 2 * h + 3 * k,
        r"\mathbf{h}_{t+1}^{(f)}": h, r"\mathbf{U}^{(f)}": 1.5, r"\mathbf{h}_{t}^{(f)}": h, r"\mathbf{h}_{t-1}^{(f)}": 0.2,
        r"\nabla_{\mathbf{h}_{t}^{(f)}} L": g,
    }  # fmt: skip
    values = {name: np.array([[value]]) for name, value in names.items()}
    answer = worked_out(PREFIX)[2]
    expected = {
        "3.2a/forward/by_output": -2 * (1 - 2 * h - 3 * k),
        "3.2a/forward/gradient": -4 * (1 - 2 * h - 3 * k),  # −2·V·(z − y)
        "3.2a/backward/gradient": -6 * (1 - 2 * h - 3 * k),
        "3.2a/forward/entry": 1.5 / math.cosh(0.5) ** 2,  # 1 − tanh² = 1/cosh²
        "3.2b/f/jacobian": 1.5 / math.cosh(0.5) ** 2,
        "3.3/u/gradient": 0.7 * 0.2 / math.cosh(0.5) ** 2,  # one step only
    }
    for address, number in expected.items():
        value = worlds.evaluated(answer[address].value, {**values, "steps": [values]})
        assert float(value.item()) == pytest.approx(number, rel=1e-14)


def test_a_mistake_in_a_line_is_seen() -> None:
    """The line as it is agrees with what was found at its address, and the wrong one does not."""
    found = Findings.gathered(found_again(RnnParams(time_steps=3))).at
    mistakes: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("3.2a/forward/gradient", lambda value: MatMul(-2, value.args[1].arg, value.args[2])),  # V without its transpose
        ("3.2b/f/jacobian", lambda value: MatMul(*reversed(value.args))),
        ("3.3/w/gradient", lambda value: value.summand),  # one step instead of all
        ("3.3/w/gradient", lambda value: TimeSum(MatMul(*value.summand.args[1:]))),  # without tanh
    )
    for address, mistake in mistakes:
        value, again = worked_out(PREFIX)[2][address].value, found[address][0]
        assert agree(value, again.value, again.route.tolerance)
        assert not agree(mistake(value), again.value, again.route.tolerance)


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_nothing_in_the_picture_overlaps(steps: int, tall: bool) -> None:
    """A label keeps clear of other labels, of every circle but its own, and of every arrow but its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.patches import Circle, FancyArrowPatch
    from matplotlib.path import Path

    figure = drawn(solve(RnnParams(time_steps=steps))["3.1"], tall=tall)
    canvas = FigureCanvasAgg(figure)
    axes = figure.axes[0]
    labels = [one.get_window_extent(canvas.get_renderer()) for one in axes.texts]
    ends = [one._posA_posB for one in axes.patches if isinstance(one, FancyArrowPatch)]  # type: ignore[attr-defined]
    arrows = [Path(axes.transData.transform(one)) for one in ends]
    circles = [one.get_window_extent() for one in axes.patches if isinstance(one, Circle)]
    assert (len(arrows), len(circles), len(labels)) == (6 * steps, 4 * steps + 2, 10 * steps + 2)
    for one, other in itertools.combinations(labels, 2):
        assert not one.overlaps(other)
    for (i, label), (k, arrow) in itertools.product(enumerate(labels[: len(arrows)]), enumerate(arrows)):
        assert i == k or not arrow.intersects_bbox(label)
    for (i, label), (k, circle) in itertools.product(enumerate(labels, -len(arrows)), enumerate(circles)):
        middle = np.array([circle.x0 + circle.x1, circle.y0 + circle.y1]) / 2
        if i == k:
            assert max(np.hypot(*(corner - middle)) for corner in label.corners()) < circle.width / 2
        else:
            nearest = np.clip(middle, label.min, label.max)
            assert np.hypot(*(nearest - middle)) > circle.width / 2
    assert all(figure.bbox.contains(*corner) for box in labels + circles for corner in box.corners())


REFUSED = [
    ({"time_steps": 0}, "time_steps: must be greater than 0 (got 0)"),
    ({"time_steps": 5}, "time_steps: must be less than or equal to 4 (got 5)"),
    ({"conventions": {"shapes": "any"}}, "conventions.shapes: must be 'square' or 'general' (got 'any')"),
]
