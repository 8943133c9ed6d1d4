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
Watch: TypeAlias = Callable[[int, Network], None]

CLASSES = 3
FEATURES = 2
MOMENTUM = 0.9
DIGITS = 5
"""Significant digits of what a run publishes, far from where the order of sums matters."""


class Data(NamedTuple):
    """Points (n, 2) and labels, those of the test behind the teacher's, and where both networks start."""

    points: Array
    labels: Array
    teacher: Network
    students: Network


class Scores(NamedTuple):
    """Means over some points: cross-entropy with the labels, divergence from the teacher; and how many are right and agree."""

    loss: Array
    divergence: Array
    right: Array
    agreeing: Array


class Outcome(NamedTuple):
    """The teacher's scores on the test, the students' on test and training, and by step their divergence on the test."""

    teacher: Scores
    test: Scores
    train: Scores
    divergences: dict[int, Array]


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


def _trained(network: Network, x: Array, gradient: Callable[[Array], Array], steps: int, rate: float, watch: Watch) -> Network:
    """Descend with momentum; `gradient` gives a loss's gradient by the logits, one row a point."""
    speeds = [np.zeros_like(part) for part in network]
    for step in range(steps):
        watch(step, network)
        logits, hidden = _forward(network, x)
        by_logits = gradient(logits) / len(x)
        by_hidden = (by_logits @ network[1].swapaxes(-1, -2) * (1 - hidden * hidden))[..., :-1]
        slopes = (x.T @ by_hidden, hidden.swapaxes(-1, -2) @ by_logits)
        speeds = [MOMENTUM * speed + slope for speed, slope in zip(speeds, slopes, strict=True)]
        network = (network[0] - rate * speeds[0], network[1] - rate * speeds[1])
    watch(steps, network)
    return network


def _scores(logits: Array, labels: Array, teacher: Array) -> Scores:
    shares, aim = _softmax(logits), _softmax(teacher)
    chosen = np.take_along_axis(shares, np.broadcast_to(labels[:, None], (*shares.shape[:-1], 1)), -1)[..., 0]
    divergence = (aim * np.log(aim / shares)).sum(-1).mean(-1)
    best = logits.argmax(-1)
    return Scores(-np.log(chosen).mean(-1), divergence, (best == labels).sum(-1), (best == teacher.argmax(-1)).sum(-1))


def outcome(run: Training, alphas: Sequence[Fraction]) -> Outcome:
    """Train the teacher, then all students side by side: a row of starts for each α."""
    data, one_hot, rate, heat = drawn(run), np.eye(CLASSES), float(run.learning_rate), float(run.temperature)
    (x, test), (labels, test_labels) = (
        (rows[: run.n_teacher], rows[run.n_teacher :]) for rows in (_with_constant(data.points), data.labels)
    )
    teacher = _trained(data.teacher, x, lambda z: _softmax(z) - one_hot[labels], run.teacher_steps, rate, lambda *_: None)
    x, seen = x[: run.n_student], labels[: run.n_student]
    (aim,), (test_aim,) = (_forward(teacher, points)[0] for points in (x, test))
    soft, shares = _softmax(aim, heat), np.array([float(alpha) for alpha in alphas])[:, None, None, None]
    first, second = (part[None].repeat(len(alphas), 0) for part in data.students)
    steps = {run.student_steps * place // run.n_records for place in range(run.n_records + 1)}
    curve: dict[int, Array] = {}

    def gradient(logits: Array) -> Array:
        return mixed(shares, _softmax(logits) - one_hot[seen], soft_gradient(heat, _softmax(logits, heat), soft))

    def watch(step: int, network: Network) -> None:
        if step in steps:
            curve[step] = _scores(_forward(network, test)[0], test_labels, test_aim).divergence

    students = _trained((first, second), x, gradient, run.student_steps, rate, watch)
    return Outcome(
        _scores(test_aim, test_labels, test_aim),
        _scores(_forward(students, test)[0], test_labels, test_aim),
        _scores(_forward(students, x)[0], seen, aim),
        curve,
    )


def network_values(hidden: Any) -> Any:
    """Values of a network of that many hidden units, constants included; `hidden` may be a symbol."""
    return (FEATURES + 1) * hidden + (hidden + 1) * CLASSES


def published(number: float) -> float:
    """The number with its significant digits alone."""
    return float(f"{number:.{DIGITS}g}")


def means(numbers: Array) -> list[float]:
    """The mean over starts for each α."""
    return [published(float(row.mean())) for row in numbers]
