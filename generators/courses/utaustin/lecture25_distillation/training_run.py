"""A small seeded run of distillation: a teacher fitted to many points, students to few, with labels, the teacher, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from generators.courses.utaustin.lecture25_distillation.losses import mixed, soft_gradient

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


@dataclass(frozen=True)
class Run:
    """The seed, sizes, steps and rates of a run; a student for each start and each α."""

    seed: int
    n_teacher: int
    n_student: int
    n_test: int
    label_noise: float
    teacher_hidden: int
    student_hidden: int
    n_starts: int
    teacher_steps: int
    student_steps: int
    learning_rate: float
    temperature: float
    alphas: tuple[float, ...]
    n_records: int


@dataclass(frozen=True)
class Data:
    """Points (n, 2) and labels, of which the student sees the first, the same for the test, and where both networks start."""

    points: Array
    labels: Array
    test_points: Array
    test_labels: Array
    teacher: Network
    students: Network


@dataclass(frozen=True)
class Scores:
    """Means over some points: cross-entropy with the labels, divergence from the teacher; and how many are right and agree."""

    loss: Array
    divergence: Array
    right: Array
    agreeing: Array


@dataclass(frozen=True)
class Outcome:
    """The teacher's scores on the test, the students' on test and training, and the divergence on the test as they train."""

    teacher: Scores
    test: Scores
    train: Scores
    steps: tuple[int, ...]
    divergences: tuple[Array, ...]


def drawn(run: Run) -> Data:
    """Points of a square whose class turns with angle and radius; some labels are drawn at random instead."""
    import numpy as np

    draw = np.random.default_rng(run.seed)
    total = run.n_teacher + run.n_test
    points = draw.uniform(-1, 1, size=(total, FEATURES))
    turn = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) + 0.6 * np.hypot(points[:, 0], points[:, 1])
    labels = np.floor(CLASSES * (turn % 1)).astype(int) % CLASSES
    noisy = draw.uniform(size=total) < run.label_noise
    labels = np.where(noisy, draw.integers(0, CLASSES, size=total), labels)
    teacher = _start(draw, 1, run.teacher_hidden)
    students = _start(draw, run.n_starts, run.student_hidden)
    n = run.n_teacher
    return Data(points[:n], labels[:n], points[n:], labels[n:], teacher, students)


def _start(draw: Any, count: int, hidden: int) -> Network:
    first = draw.uniform(-2, 2, size=(count, FEATURES + 1, hidden))
    return first, draw.uniform(-1, 1, size=(count, hidden + 1, CLASSES)) / hidden**0.5


def _with_constant(x: Array) -> Array:
    import numpy as np

    return np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)


def _forward(network: Network, x: Array) -> tuple[Array, Array]:
    """Logits and hidden values, both with the constant input already among them where it belongs."""
    import numpy as np

    hidden = _with_constant(np.tanh(x @ network[0]))
    return hidden @ network[1], hidden


def _softmax(logits: Array, temperature: float = 1.0) -> Array:
    import numpy as np

    weights = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    return weights / weights.sum(-1, keepdims=True)


def _trained(network: Network, x: Array, gradient: Callable[[Array], Array], steps: int, rate: float, watch: Watch) -> Network:
    """Descend with momentum; `gradient` gives a loss's gradient by the logits, one row a point."""
    import numpy as np

    weights, speeds = [part.copy() for part in network], [np.zeros_like(part) for part in network]
    for step in range(steps + 1):
        watch(step, (weights[0], weights[1]))
        if step == steps:
            break
        logits, hidden = _forward((weights[0], weights[1]), x)
        by_logits = gradient(logits) / len(x)
        by_hidden = (by_logits @ weights[1].swapaxes(-1, -2) * (1 - hidden * hidden))[..., :-1]
        for place, slope in enumerate((x.T @ by_hidden, hidden.swapaxes(-1, -2) @ by_logits)):
            speeds[place] = MOMENTUM * speeds[place] + slope
            weights[place] = weights[place] - rate * speeds[place]
    return weights[0], weights[1]


def _scores(logits: Array, labels: Array, teacher: Array) -> Scores:
    import numpy as np

    shares, aim = _softmax(logits), _softmax(teacher)
    chosen = np.take_along_axis(shares, np.broadcast_to(labels[:, None], (*shares.shape[:-1], 1)), -1)[..., 0]
    divergence = (aim * np.log(aim / shares)).sum(-1).mean(-1)
    best = logits.argmax(-1)
    return Scores(-np.log(chosen).mean(-1), divergence, (best == labels).sum(-1), (best == teacher.argmax(-1)).sum(-1))


def record_steps(run: Run) -> tuple[int, ...]:
    """The steps before which the divergence is recorded, the last one at the end."""
    return tuple(run.student_steps * place // run.n_records for place in range(run.n_records + 1))


@lru_cache(maxsize=4)
def outcome(run: Run) -> Outcome:
    """Train the teacher, then all students side by side: a row of starts for each α."""
    import numpy as np

    data, labels = drawn(run), np.eye(CLASSES)
    x, test = _with_constant(data.points), _with_constant(data.test_points)
    teacher = _trained(
        data.teacher, x, lambda z: _softmax(z) - labels[data.labels], run.teacher_steps, run.learning_rate, lambda *_: None
    )
    x, seen = x[: run.n_student], data.labels[: run.n_student]
    (aim,), (test_aim,) = (_forward(teacher, points)[0] for points in (x, test))
    soft, heat = _softmax(aim, run.temperature), run.temperature
    alphas = np.array(run.alphas)[:, None, None, None]
    starts = (data.students[0][None].repeat(len(run.alphas), 0), data.students[1][None].repeat(len(run.alphas), 0))
    steps, curve = record_steps(run), []

    def gradient(logits: Array) -> Array:
        return mixed(alphas, _softmax(logits) - labels[seen], soft_gradient(heat, _softmax(logits, heat), soft))

    def watch(step: int, network: Network) -> None:
        if step in steps:
            curve.append(_scores(_forward(network, test)[0], data.test_labels, test_aim).divergence)

    students = _trained(starts, x, gradient, run.student_steps, run.learning_rate, watch)
    return Outcome(
        _scores(test_aim, data.test_labels, test_aim),
        _scores(_forward(students, test)[0], data.test_labels, test_aim),
        _scores(_forward(students, x)[0], seen, aim),
        steps,
        tuple(curve),
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


def nearer(divergences: Array) -> Sequence[int]:
    """For each α after the first, the number of starts whose student ends nearer to the teacher than with the first α."""
    return [int((row < divergences[0]).sum()) for row in divergences[1:]]
