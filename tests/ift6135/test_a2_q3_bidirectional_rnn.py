"""The graph, the derived gradients against numbers worked out by hand, and mistakes that a check must see."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch
from sympy import HadamardProduct, MatAdd, MatMul, Transpose

from generators.answer import Math
from generators.courses.ift6135.a2_q3_bidirectional_rnn import RnnParams, draw, solve, verify
from generators.errors import ParameterError
from generators.figures.unrolled import drawn
from generators.matrices import Diagonal, TimeSum
from generators.oracles.matrix_formulas import Evaluator
from generators.pipeline.catalog import find, load_params, load_question
from generators.pipeline.typeset_matrices import statement
from generators.steps import Answer, with_value
from tests.conftest import worked_out

PREFIX = "ift6135/a2_q3_bidirectional_rnn"
MESSAGE = "generators/courses/ift6135/params.yml: a2_q3_bidirectional_rnn: "


def rows(answer: Answer, name: str) -> list[tuple[str, ...]]:
    return [tuple(c.latex if isinstance(c, Math) else str(c) for c in row) for row in answer["3.1"].tables[name].rows]


def test_graph_of_three_steps() -> None:
    """3 outputs, 3 + 1 states in each chain, 3 inputs; two of each kind of edge a step."""
    answer = worked_out(PREFIX)[2]
    assert answer["3.1"]["nodes"].value == 14  # 3 + 4 + 4 + 3
    assert answer["3.1"]["edges"].value == 18  # 3·(2 + 2 + 2)
    edges = rows(answer, "edges")
    assert len(set(edges)) == 18
    assert (r"\mathbf{h}_{0}^{(f)}", r"\mathbf{h}_{1}^{(f)}", r"\mathbf{U}^{(f)}") in edges
    assert (r"\mathbf{h}_{4}^{(b)}", r"\mathbf{h}_{3}^{(b)}", r"\mathbf{U}^{(b)}") in edges
    assert (r"\mathbf{x}_{2}", r"\mathbf{h}_{2}^{(b)}", r"\mathbf{W}^{(b)}") in edges
    assert (r"\mathbf{h}_{2}^{(f)}", r"\mathbf{y}_{2}", r"\mathbf{V}^{(f)}") in edges


def test_final_lines() -> None:
    """What the sheet asks for, as LaTeX."""
    answer = worked_out(PREFIX)[2]
    slope = r"\operatorname{diag}\left(\mathbf{1} - \mathbf{h}_{t+1}^{(f)} \odot \mathbf{h}_{t+1}^{(f)}\right)"
    assert statement(answer["3.2b"]["f_jacobian"]).endswith(rf"= {slope} \mathbf{{U}}^{{(f)}}")
    assert statement(answer["3.2a"]["b_local"]).endswith(
        r"= - 2 \mathbf{V}^{(b)\top} \left(\mathbf{z}_{t} - \mathbf{y}_{t}\right)"
    )
    assert statement(answer["3.2a"]["b_entry"]).endswith(r"= \left(1 - \left(h_{t-1,i}^{(b)}\right)^{2}\right) U_{i j}^{(b)}")


def test_numbers_of_the_smallest_network() -> None:
    """One step and sizes 1, by hand: h = tanh(0.5), y = 2h + 3k with k = h of the other chain, z = 1."""
    h, k, g = math.tanh(0.5), math.tanh(0.25), 0.7
    names = {
        r"\mathbf{V}^{(f)}": 2.0, r"\mathbf{V}^{(b)}": 3.0, r"\mathbf{z}_{t}": 1.0, r"\mathbf{y}_{t}": 2 * h + 3 * k,
        r"\mathbf{h}_{t+1}^{(f)}": h, r"\mathbf{U}^{(f)}": 1.5, r"\mathbf{h}_{t}^{(f)}": h, r"\mathbf{h}_{t-1}^{(f)}": 0.2,
        r"\nabla_{\mathbf{h}_{t}^{(f)}} L": g,
    }  # fmt: skip
    values = {name: torch.tensor([[value]], dtype=torch.float64) for name, value in names.items()}
    answer = worked_out(PREFIX)[2]
    expected = {
        ("3.2a", "loss"): (1 - 2 * h - 3 * k) ** 2,
        ("3.2a", "f_local"): -4 * (1 - 2 * h - 3 * k),  # −2·V·(z − y)
        ("3.2a", "b_local"): -6 * (1 - 2 * h - 3 * k),
        ("3.2a", "f_entry"): 1.5 / math.cosh(0.5) ** 2,  # 1 − tanh² = 1/cosh²
        ("3.2b", "f_jacobian"): 1.5 / math.cosh(0.5) ** 2,
        ("3.3", "u_gradient"): 0.7 * 0.2 / math.cosh(0.5) ** 2,  # one step only
    }
    for (label, name), number in expected.items():
        assert float(Evaluator(values, [values])(answer[label][name].value)) == pytest.approx(number, rel=1e-14)


Mistake = Callable[[sympy.Basic], sympy.Basic]


def renamed(old: str, new: str) -> Mistake:
    def mistake(value: sympy.Basic) -> sympy.Basic:
        found = [one for one in value.atoms(sympy.MatrixSymbol) if one.name == old]
        assert found
        return value.xreplace({one: sympy.MatrixSymbol(new, *one.shape) for one in found})

    return mistake


def reordered(value: sympy.Basic) -> sympy.Basic:
    return MatMul(*reversed(value.args))


@pytest.mark.parametrize(
    ("label", "name", "mistake"),
    [
        ("3.2a", "loss_by_output", lambda value: MatMul(-1, value)),
        ("3.2a", "f_local", lambda value: MatMul(-2, value.args[1].arg, value.args[2])),  # V without its transpose
        ("3.2a", "b_local", renamed(r"\mathbf{V}^{(b)}", r"\mathbf{V}^{(f)}")),
        ("3.2a", "f_entry", renamed(r"\mathbf{h}_{t+1}^{(f)}", r"\mathbf{h}_{t}^{(f)}")),
        ("3.2a", "b_slope_entry", lambda value: value - 1),
        ("3.2b", "f_jacobian", reordered),
        ("3.2b", "b_jacobian", renamed(r"\mathbf{h}_{t-1}^{(b)}", r"\mathbf{h}_{t}^{(b)}")),
        ("3.2b", "f_recursion", lambda value: value.args[0]),  # without what follows
        ("3.2b", "b_recursion", lambda value: MatAdd(*value.args, value.args[1])),
        ("3.3", "u_gradient", renamed(r"\mathbf{h}_{t-1}^{(f)}", r"\mathbf{h}_{t}^{(f)}")),
        ("3.3", "w_gradient", lambda value: value.summand),  # one step instead of all
        ("3.3", "w_gradient", lambda value: TimeSum(MatMul(*value.summand.args[1:]))),  # without tanh
        ("3.3", "u_own", Transpose),
        ("3.3", "w_copy", renamed(r"\mathbf{h}_{t+1}^{(b)}", r"\mathbf{h}_{t-1}^{(b)}")),
        ("3.3", "u_argument", lambda value: HadamardProduct(value, value)),
    ],
)
def test_a_mistake_in_a_line_is_seen(label: str, name: str, mistake: Mistake) -> None:
    """The line's own check fails, not just some check."""
    _, params, answer = worked_out(PREFIX)
    assert isinstance(params, RnnParams)
    wrong = with_value(answer, (label, "steps", name, 0, 0), mistake(answer[label][name].value))
    failed = [check.what for check in verify(params, wrong) if not check.passed]
    assert any(what.startswith(f"{label}, {name.replace('_', ' ')}:") for what in failed)


LINES = [(label, name) for label, part in worked_out(PREFIX)[2].parts.items() for name in part.steps]


def with_symbols(answer: Answer, symbols: dict[tuple[str, str], str]) -> Answer:
    """The answer with other left sides, by part and name of the line."""
    parts = {
        label: replace(
            part, steps={name: replace(line, symbol=symbols.get((label, name), line.symbol)) for name, line in part.steps.items()}
        )
        for label, part in answer.parts.items()
    }
    return Answer(parts)


@pytest.mark.parametrize("place", range(len(LINES)), ids=lambda place: " ".join(LINES[place]))
def test_swapped_left_sides_are_seen(place: int) -> None:
    """Each line's symbol trades places with the next one that differs."""
    _, params, answer = worked_out(PREFIX)
    assert isinstance(params, RnnParams)
    here = LINES[place]
    symbol = {(label, name): answer[label][name].symbol for label, name in LINES}
    other = next(one for one in LINES[place:] + LINES[:place] if symbol[one] != symbol[here])
    swapped = with_symbols(answer, {here: symbol[other], other: symbol[here]})
    failed = {check.what for check in verify(params, swapped) if not check.passed}
    graph, lines = (
        "3.1, symbols named otherwise than what they count",
        {f"{label}, left sides of all lines" for label in (here[0], other[0]) if label != "3.1"},
    )
    assert failed == lines | ({graph} if "3.1" in (here[0], other[0]) else set())


@pytest.mark.parametrize(
    "wrong",
    [
        r"\nabla_{\mathbf{h}_{t}^{(f)}} L",  # of the whole loss
        r"\nabla_{\mathbf{h}_{t}^{(b)}} L_t",  # of the other chain
        r"\left(\nabla_{\mathbf{h}_{t}^{(f)}} L_t\right)_{i}",  # of one entry
        r"\frac{\partial L_t}{\partial h_{t,i}^{(f)}}",
        r"\nabla_{\mathbf{h}_{t+1}^{(f)}} L_t",  # of another time step
        r"\nabla_{\mathbf{g}_{t}^{(f)}} L_t",  # of what does not exist
        "",
    ],
)
def test_a_left_side_that_means_something_else_is_seen(wrong: str) -> None:
    _, params, answer = worked_out(PREFIX)
    assert isinstance(params, RnnParams)
    changed = with_symbols(answer, {("3.2a", "f_local"): wrong})
    assert [check.what for check in verify(params, changed) if not check.passed] == ["3.2a, left sides of all lines"]


def test_a_shape_that_fits_by_chance_is_seen() -> None:
    """With general sizes, a product whose letters do not match fails even where the numbers are right."""
    params = RnnParams.model_validate({"time_steps": 2, "conventions": {"shapes": "general"}})
    answer = solve(params)
    assert all(check.passed for check in verify(params, answer))
    local = sympy.sympify(answer["3.2a"]["f_local"].value)
    d_h, d_x = (sympy.Symbol(name, integer=True, positive=True) for name in ("d_h", "d_x"))
    assert local.shape == (d_h, 1)
    swapped = local.xreplace({d_h: d_x})
    wrong = with_value(answer, ("3.2a", "steps", "f_local", 0, 0), swapped)
    assert [check.what for check in verify(params, wrong) if not check.passed] == ["3.2a, shapes of all lines"]


@pytest.mark.parametrize("steps", [1, 2, 4, 7, 30])
def test_any_number_of_steps(steps: int) -> None:
    """Every step stands in one picture; the picture after repeats the states that lead into it."""
    params = RnnParams(time_steps=steps)
    answer = solve(params)
    assert all(check.passed for check in verify(params, answer))
    spans = rows(answer, "pictures")
    assert [t for _, first, last in spans for t in range(int(first), int(last) + 1)] == list(range(1, steps + 1))


def test_pictures_of_a_longer_graph() -> None:
    """Three steps a picture."""
    figures = draw(RnnParams(time_steps=4), solve(RnnParams(time_steps=4)))
    assert list(figures) == ["graph_1", "graph_2"]
    assert "repeat h4(b)" in figures["graph_1"].alt
    assert "repeat h3(f)" in figures["graph_2"].alt


@pytest.mark.parametrize(("steps", "span"), [(1, (1, 1)), (3, (1, 3)), (30, (28, 30))])
def test_nothing_in_the_picture_overlaps(steps: int, span: tuple[int, int]) -> None:
    """A label keeps clear of other labels, of every circle but its own, and of every arrow but its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.patches import Circle, FancyArrowPatch
    from matplotlib.path import Path

    tables = solve(RnnParams(time_steps=steps))["3.1"].tables
    figure = drawn(tables["nodes"], tables["edges"], span, steps)
    canvas = FigureCanvasAgg(figure)
    axes = figure.axes[0]
    labels = [one.get_window_extent(canvas.get_renderer()) for one in axes.texts]
    ends = [one._posA_posB for one in axes.patches if isinstance(one, FancyArrowPatch)]  # type: ignore[attr-defined]
    arrows = [Path(axes.transData.transform(one)) for one in ends]
    circles = [one.get_window_extent() for one in axes.patches if isinstance(one, Circle)]
    count = span[1] - span[0] + 1
    assert (len(arrows), len(circles), len(labels)) == (6 * count, 4 * count + 2, 10 * count + 2)
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


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"time_steps": 0}, "time_steps: must be greater than 0 (got 0)"),
        ({"time_steps": 31}, "time_steps: must be less than or equal to 30 (got 31)"),
        ({"time_steps": 2.5}, "time_steps: must be a valid integer (got 2.5)"),
        ({"time_steps": 3, "conventions": {"shapes": "any"}}, "conventions.shapes: must be 'square' or 'general' (got 'any')"),
    ],
)
def test_rules_of_the_parameters(changes: dict[str, object], rule: str) -> None:
    """Each broken rule is named with what was given."""
    question_id = find(PREFIX)
    with pytest.raises(ParameterError) as refusal:
        load_params(question_id, load_question(question_id), changes)
    assert str(refusal.value) == MESSAGE + rule


def test_unknown_operations_have_no_value() -> None:
    """The evaluator refuses what it does not know, rather than guessing."""
    a = sympy.MatrixSymbol("a", 2, 2)
    values = {"a": torch.eye(2, dtype=torch.float64)}
    with pytest.raises(TypeError, match="no value for"):
        Evaluator(values)(sympy.Inverse(a))
    with pytest.raises(TypeError, match="different shapes"):
        Evaluator({**values, "b": torch.ones(2, 1, dtype=torch.float64)})(MatAdd(a, sympy.MatrixSymbol("b", 2, 2)))
    with pytest.raises(KeyError):
        Evaluator({})(Diagonal(sympy.MatrixSymbol("a", 2, 1)))
