"""A small seeded run of distillation: a teacher fitted to many points, students to few, with labels, the teacher, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from generators.courses.utaustin.lecture25_distillation.losses import mixed, soft_gradient
from generators.courses.utaustin.lecture25_distillation.params import Training

Array: TypeAlias = Any
"""A numpy array of float64, or of int for labels."""
Network: TypeAlias = tuple[Array, Array]
"""Matrices (..., features + 1, hidden) and (..., hidden + 1, classes); the last row belongs to a constant input."""

CLASSES = 3
FEATURES = 2
MOMENTUM = 0.9


class Data(NamedTuple):
    """Points (n, 2) and labels, those of the test behind the teacher's, and where both networks start."""

    points: Array
    labels: Array
    teacher: Network
    students: Network


class Outcome(NamedTuple):
    """How many test points the teacher gets right, and for each λ and start the student's divergence and right points."""

    teacher_right: int
    divergence: Array
    right: Array


def drawn(run: Training) -> Data:
    """Points of a square whose class turns with angle and radius; some labels are drawn at random instead."""
    draw = np.random.default_rng(run.seed)
    total = run.n_teacher + run.n_test
    points = draw.uniform(-1, 1, size=(total, FEATURES))
    turn = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) + 0.6 * np.hypot(points[:, 0], points[:, 1])
    labels = np.floor(CLASSES * (turn % 1)).astype(int) % CLASSES
    noisy = draw.uniform(size=total) < float(run.label_noise)
    labels = np.where(noisy, draw.integers(0, CLASSES, size=total), labels)
    teacher = _start(draw, 1, run.teacher_hidden)
    return Data(points, labels, teacher, _start(draw, run.n_starts, run.student_hidden))


def _start(draw: Any, count: int, hidden: int) -> Network:
    first = draw.uniform(-2, 2, size=(count, FEATURES + 1, hidden))
    return first, draw.uniform(-1, 1, size=(count, hidden + 1, CLASSES)) / hidden**0.5


def _with_constant(x: Array) -> Array:
    return np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)


def _forward(network: Network, x: Array) -> tuple[Array, Array]:
    """Logits and hidden values, both with the constant input already among them where it belongs."""
    hidden = _with_constant(np.tanh(x @ network[0]))
    return hidden @ network[1], hidden


def _softmax(logits: Array, temperature: float = 1.0) -> Array:
    weights = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    return weights / weights.sum(-1, keepdims=True)


def _trained(network: Network, x: Array, gradient: Callable[[Array], Array], steps: int, rate: float) -> Network:
    """Descend with momentum; `gradient` gives a loss's gradient by the logits, one row a point."""
    speeds = [np.zeros_like(part) for part in network]
    for _ in range(steps):
        logits, hidden = _forward(network, x)
        by_logits = gradient(logits) / len(x)
        by_hidden = (by_logits @ network[1].swapaxes(-1, -2) * (1 - hidden * hidden))[..., :-1]
        slopes = (x.T @ by_hidden, hidden.swapaxes(-1, -2) @ by_logits)
        speeds = [MOMENTUM * speed + slope for speed, slope in zip(speeds, slopes, strict=True)]
        network = (network[0] - rate * speeds[0], network[1] - rate * speeds[1])
    return network


def outcome(run: Training, label_weights: Sequence[Fraction]) -> Outcome:
    """Train the teacher, then all students side by side: a row of starts for each λ."""
    data, one_hot, rate, heat = drawn(run), np.eye(CLASSES), float(run.learning_rate), float(run.temperature)
    (x, test), (labels, test_labels) = (
        (rows[: run.n_teacher], rows[run.n_teacher :]) for rows in (_with_constant(data.points), data.labels)
    )
    teacher = _trained(data.teacher, x, lambda logits: _softmax(logits) - one_hot[labels], run.teacher_steps, rate)
    x, seen = x[: run.n_student], labels[: run.n_student]
    (aim,), (test_aim,) = (_forward(teacher, points)[0] for points in (x, test))
    soft, shares = _softmax(aim, heat), np.array([float(weight) for weight in label_weights])[:, None, None, None]

    def gradient(logits: Array) -> Array:
        return mixed(shares, _softmax(logits) - one_hot[seen], soft_gradient(heat, _softmax(logits, heat), soft))

    first, second = (part[None].repeat(len(label_weights), 0) for part in data.students)
    logits = _forward(_trained((first, second), x, gradient, run.student_steps, rate), test)[0]
    goal = _softmax(test_aim)
    divergence = (goal * np.log(goal / _softmax(logits))).sum(-1).mean(-1)
    return Outcome(int((test_aim.argmax(-1) == test_labels).sum()), divergence, (logits.argmax(-1) == test_labels).sum(-1))


def network_values(hidden: Any) -> Any:
    """Values of a network of that many hidden units, constants included; `hidden` may be a symbol."""
    return (FEATURES + 1) * hidden + (hidden + 1) * CLASSES
