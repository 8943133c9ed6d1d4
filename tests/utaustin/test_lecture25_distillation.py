"""Losses and gradients worked out by hand, a training step followed by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import sympy

from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_distillation"
ID = f"utaustin/{SLUG}"
F = Fraction
LN2, LN3, LN5, LN11 = (sympy.log(prime) for prime in (2, 3, 5, 11))


entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


SMALL = {"n_teacher": 20, "n_student": 10, "n_test": 10, "n_starts": 2, "teacher_steps": 5, "student_steps": 10}
ONES = {**SMALL, "teacher_hidden": 1, "student_hidden": 1, "teacher_steps": 1, "label_noise": 1}
TWO = {"classes": ["a", "b"], "teacher": [0, 3], "student": [6, -3], "label": "b", "temperature": 3, "label_weight": 0}
SIX = {"classes": [f"class {i}" for i in range(6)], "teacher": [8, -8, 0, 8, 8, 8], "student": [-8, 8, 0, 8, 0, 0],
       "label": "class 5", "temperature": 8, "temperatures": [499, 500]}  # fmt: skip
SCORES = tuple(f"3/scores/lambda_1/{name}" for name in ("divergence", "right"))

FAR = [
    Far({"example": TWO, "training": SMALL}, ("has 2 classes, the label “b”", "over 2 starts")),
    Far({"example": {"temperature": 1, "label_weight": 1}}, stays=(*SCORES, "3/teacher_right", "1/hard")),
    Far({"example": {name: [2, 4, 0, 0] for name in ("teacher", "student")}, "training": SMALL}, ("from the teacher: $0$",)),
    Far({"example": SIX, "training": SMALL}, ("has 6 classes",)),
    Far({"training": ONES}, ("1 hidden unit ($D_{\\text{teacher}}$)", "in 1 step.", r"$100\,\%$ of the labels are random")),
    Far({"training": {**SMALL, "n_student": 20, "temperature": "1/3"}, "label_weights": [1, "1/3", "1/4", "1/1000", 0]},
        ("both, λ = 1/1000", "the teacher alone")),
    Far({"training": {**SMALL, "label_noise": 0, "learning_rate": "1/1000"}}, (r"$0\,\%$ of the labels",)),
    Far({"training": {**SMALL, "n_starts": 50, "temperature": 100}, "label_weights": [1, 0]}, ("over 50 starts",), ("both, λ",)),
]  # fmt: skip


def test_distributions_by_hand() -> None:
    """At τ = 2, the weights are 8, 4, 2, 1 of 15 and 2, 4, 1, 1 of 8; at τ = 1, the student's are 4, 16, 1, 1 of 22."""
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
    assert first == ("cat", (F(-9, 11) + F(-17, 30)) / 2, F(2, 11) - 1, 2 * (F(1, 4) - F(8, 15)))
    for column in ("hard", "soft", "together"):
        assert sum(part["classes"][column].cells.values()) == 0  # a constant added to all logits changes nothing


def test_the_teacher_helps_in_every_start() -> None:
    """The means are further apart than their deviations."""
    rows = worked_out(ID)[2]["3/scores"].rows
    labels, teacher = rows["lambda_1"], rows["lambda_3"]
    assert teacher["nearer"] == 20
    assert teacher["more_right"] > 15
    assert labels["divergence"] - teacher["divergence"] > labels["spread"] + teacher["spread"]


REFUSED = [
    ({"example": {"student": [1, 0, 0, 0]}},
     "example: student: must hold multiples of the temperature 2 (got [1, 0, 0, 0])"),
    ({"example": {"classes": ["a", "a", "b", "c"]}}, "example: classes: must not repeat a class (got ['a', 'a', 'b', 'c'])"),
    ({"example": {"label": "cow"}}, "example: label: must be one of the classes (got 'cow')"),
    ({"training": {"n_student": 500}}, "training: n_student: must be at most the teacher's 400 points (got 500)"),
    ({"label_weights": [1, 0, 0.5]}, "label_weights: must fall from each to the next (got 1, 0, 1/2)"),
    ({"training": {"teacher_steps": 500, "n_teacher": 2000, "teacher_hidden": 64}},
     "training: must take at most 40000000 steps times points times hidden units (got 66880000)"),
    ({"training": {"learning_rate": 0.6}}, "training: learning_rate: must be at most 1/4 (got 3/5)"),
]  # fmt: skip
