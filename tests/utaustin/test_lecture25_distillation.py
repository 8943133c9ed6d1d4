"""Losses and gradients worked out by hand, a training step followed by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
import sympy

from generators.courses.utaustin.lecture25_distillation import training_run as run
from generators.errors import ParameterError
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "lecture25_distillation"
ID = f"utaustin/{SLUG}"
F = Fraction
LN2, LN3, LN5, LN11 = (sympy.log(prime) for prime in (2, 3, 5, 11))


entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)


def inside(field: str, **changes: Any) -> dict[str, Any]:
    return {field: {**entry()[field], **changes}}


SMALL = {"n_teacher": 20, "n_student": 10, "n_test": 10, "n_starts": 1, "teacher_steps": 5, "student_steps": 10, "n_records": 2}


def test_distributions_by_hand() -> None:
    """At T = 2, the weights are 8, 4, 2, 1 of 15 and 2, 4, 1, 1 of 8; at T = 1, the student's are 4, 16, 1, 1 of 22."""
    table = worked_out(ID)[2]["1/distributions"]
    assert list(table["p"].cells.values()) == [F(8, 15), F(4, 15), F(2, 15), F(1, 15)]
    assert list(table["q"].cells.values()) == [F(2, 8), F(4, 8), F(1, 8), F(1, 8)]
    assert list(table["q_cool"].cells.values()) == [F(4, 22), F(16, 22), F(1, 22), F(1, 22)]


def test_losses_by_hand() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["hard"].value == LN11 - LN2  # log(22/4)
    assert part["soft"].value == F(29, 15) * LN2  # (8·2 + 4·1 + 2·3 + 1·3)/15
    assert part["entropy"].value == LN3 + LN5 - sympy.Rational(34, 15) * LN2  # log 15 - (8·3 + 4·2 + 2·1)/15 log 2
    assert part["divergence"].value == sympy.Rational(63, 15) * LN2 - LN3 - LN5
    assert sympy.expand(part["loss"].value - (part["hard"].value / 2 + 2 * part["divergence"].value)) == 0  # 1/2 · 2²


def test_gradients_by_hand() -> None:
    part = worked_out(ID)[2]["2"]
    first = tuple(part["classes"].rows["class_1"].values())
    assert first == ("cat", F(2, 11) - 1, 2 * (F(1, 4) - F(8, 15)), (F(-9, 11) + F(-17, 30)) / 2)
    assert part["limit"].value == sympy.Rational(-5, 8) * LN2  # ((2 - 3/2) - (6 - 3))/4
    for column in ("hard", "soft", "together"):
        assert sum(part["classes"][column].cells.values()) == 0  # a constant added to all logits changes nothing


def test_a_network_of_two_hidden_units() -> None:
    assert run.network_values(2) == 3 * 2 + 3 * 3


def test_a_first_step_by_hand() -> None:
    """One step from given weights, with the gradients by differences."""
    draw = np.random.default_rng(3)
    network = (draw.uniform(-1, 1, size=(3, 2)), draw.uniform(-1, 1, size=(3, 3)))
    x, labels = np.concatenate([draw.uniform(-1, 1, size=(4, 2)), np.ones((4, 1))], axis=1), np.eye(3)[[0, 1, 2, 1]]

    def loss(weights: run.Network) -> float:
        shares = run._softmax(run._forward(weights, x)[0])
        return float(-(labels * np.log(shares)).sum(-1).mean())

    after = run._trained(network, x, lambda z: run._softmax(z) - labels, 1, 0.1, lambda *_: None)
    for part in (0, 1):
        for place in np.ndindex(network[part].shape):
            moved = [array.copy() for array in network]
            moved[part][place] += 1e-6
            slope = (loss((moved[0], moved[1])) - loss(network)) / 1e-6
            assert after[part][place] == pytest.approx(network[part][place] - 0.1 * slope, abs=1e-6)


def test_other_examples_and_runs() -> None:
    example = {"classes": ["a", "b"], "teacher": [0, 3], "student": [6, -3], "label": "b", "temperature": 3, "alpha": 0}
    answer = solved({**entry(**inside("training", **SMALL)), "example": {**entry()["example"], **example}, "alphas": [1, 0.25]})
    assert tuple(answer["1/distributions"]["p"].cells.values()) == (F(1, 3), F(2, 3))
    names = list(answer["3/scores"]["learns_from"].cells.values())
    assert names == ["(the teacher itself)", "labels alone", "both, α = 1/4"]
    same = {"teacher": [2, 4, 0, 0], "student": [2, 4, 0, 0], "alpha": 1}
    answer = solved({**entry(**inside("example", **same)), **inside("training", **SMALL)})
    assert answer["1/divergence"].value == 0
    assert answer["2/limit"].value == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (inside("example", teacher=[2, 4]), "example: teacher: must have a logit for each of the 4 classes (got 2)"),
        (inside("example", student=[1, 0, 0, 0]),
         "example: student: must hold multiples of the temperature 2 (got [1, 0, 0, 0])"),
        (inside("example", classes=["a", "a", "b", "c"]), "example: classes: must not repeat a class (got ['a', 'a', 'b', 'c'])"),
        (inside("example", label="cow"), "example: label: must be one of the classes (got 'cow')"),
        (inside("example", temperatures=[2, 1]), "example.temperatures: must rise from each to the next (got 2, 1)"),
        (inside("training", n_student=500), "training: n_student: must be at most the teacher's 400 points (got 500)"),
        ({"alphas": [0.5, 0]}, "alphas: must begin with 1, labels alone (got 1/2)"),
        ({"alphas": [1, 0, 0.5]}, "alphas: must fall from each to the next (got 1, 0, 1/2)"),
        (inside("training", teacher_steps=500, n_teacher=2000, teacher_hidden=64),
         "training: must take at most 40000000 steps times points times hidden units (got 64720000)"),
        (inside("training", learning_rate=0.6), "training: learning_rate: must be at most 1/4 (got 3/5)"),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/utaustin/params.yml: {SLUG}: {message}"
