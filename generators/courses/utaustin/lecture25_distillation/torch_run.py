"""Trains teacher and students again in torch, with autograd, for `find`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy
import torch
from torch.nn import functional

from generators.courses.utaustin.lecture25_distillation.params import Training

CLASSES, FEATURES, MOMENTUM = 3, 2, 0.9


@dataclass(frozen=True)
class Points:
    """Points with a constant input, labels, and where the networks start."""

    x: torch.Tensor
    labels: torch.Tensor
    teacher: tuple[torch.Tensor, torch.Tensor]
    students: tuple[torch.Tensor, torch.Tensor]


def _points(one: Training) -> Points:
    """Draws everything in the order: points, which labels are random, those labels, teacher, students."""
    draw, total = numpy.random.default_rng(one.seed), one.n_teacher + one.n_test
    points = torch.tensor(draw.uniform(-1, 1, size=(total, FEATURES)))
    angle, radius = torch.atan2(points[:, 1], points[:, 0]) / (2 * math.pi), points.square().sum(1).sqrt()
    labels = (CLASSES * ((angle + 0.6 * radius) % 1)).long() % CLASSES
    noisy = torch.tensor(draw.uniform(size=total) < float(one.label_noise))
    labels = torch.where(noisy, torch.tensor(draw.integers(0, CLASSES, size=total)), labels)
    starts = []
    for count, hidden in ((1, one.teacher_hidden), (one.n_starts, one.student_hidden)):
        first = torch.tensor(draw.uniform(-2, 2, size=(count, FEATURES + 1, hidden)))
        starts.append((first, torch.tensor(draw.uniform(-1, 1, size=(count, hidden + 1, CLASSES))) / hidden**0.5))
    return Points(functional.pad(points, (0, 1), value=1.0), labels, *starts)


def _network(weights: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = functional.pad((x @ weights[0]).tanh(), (0, 1), value=1.0) @ weights[1]
    return logits


def _cross_entropies(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean over points for each network."""
    flat = functional.cross_entropy(logits.reshape(-1, CLASSES), labels.repeat(logits.shape[0]), reduction="none")
    return flat.reshape(logits.shape[:2]).mean(1)


def _divergences(logits: torch.Tensor, aim: torch.Tensor, heat: float) -> torch.Tensor:
    pointwise = functional.kl_div((logits / heat).log_softmax(-1), (aim / heat).softmax(-1), reduction="none")
    return pointwise.sum(-1).mean(-1)


@dataclass(frozen=True)
class Trained:
    """The teacher's loss on the test and its right answers; for each α the students' means over starts, and counts.

    `nearer` counts the starts that end nearer to the teacher than with the first α, `curve` holds the divergence on the test
    at each recorded step.
    """

    teacher_loss: float
    teacher_right: int
    loss_training: list[float]
    loss_test: list[float]
    divergence_test: list[float]
    agreeing: list[int]
    right: list[int]
    nearer: list[int]
    curve: dict[int, list[float]]


def trained(one: Training, alphas: Sequence[Fraction]) -> Trained:
    """Train every student by itself in one stack, each with its own loss."""
    points, n = _points(one), one.n_teacher
    test, test_labels = points.x[n:], points.labels[n:]
    teacher = [part.clone().requires_grad_() for part in points.teacher]
    for _ in _descending(teacher, one.teacher_steps, float(one.learning_rate)):
        _cross_entropies(_network(teacher, points.x[:n]), points.labels[:n]).sum().backward()
    x, labels = points.x[: one.n_student], points.labels[: one.n_student]
    with torch.no_grad():
        (aim,), (test_aim,) = _network(teacher, x), _network(teacher, test)
    students = [part.repeat(len(alphas), 1, 1).requires_grad_() for part in points.students]
    weights = torch.tensor([float(alpha) for alpha in alphas], dtype=torch.float64).repeat_interleave(one.n_starts)
    heat = float(one.temperature)
    curve: dict[int, list[float]] = {}
    steps = [one.student_steps * k // one.n_records for k in range(one.n_records + 1)]
    for step in _descending(students, one.student_steps, float(one.learning_rate)):
        if step in steps:
            curve[step] = _by_alpha(one, _divergences(_network(students, test), test_aim, 1.0))
        logits = _network(students, x)
        both = weights * _cross_entropies(logits, labels) + (1 - weights) * heat**2 * _divergences(logits, aim, heat)
        both.sum().backward()
    with torch.no_grad():
        seen = _by_alpha(one, _cross_entropies(_network(students, x), labels))
        return _scored(one, seen, _network(students, test), test_labels, test_aim, curve)


def _descending(weights: Sequence[torch.Tensor], steps: int, rate: float) -> Iterator[int]:
    """Yield each step for a backward pass, then take it; the last number stands for the end, at which nothing is taken.

    torch.optim would do the same, but imports a compiler.
    """
    speeds = [torch.zeros_like(part) for part in weights]
    for step in range(steps):
        yield step
        with torch.no_grad():
            for part, speed in zip(weights, speeds, strict=True):
                speed.mul_(MOMENTUM).add_(torch.zeros_like(part) if part.grad is None else part.grad)
                part.sub_(rate * speed)
                part.grad = None
    yield steps


def _by_alpha(one: Training, numbers: torch.Tensor) -> list[float]:
    means: list[float] = numbers.detach().reshape(-1, one.n_starts).mean(1).tolist()
    return means


def _scored(
    one: Training, seen: list[float], logits: torch.Tensor, labels: torch.Tensor, aim: torch.Tensor, curve: dict[int, list[float]]
) -> Trained:
    """From the logits of students and teacher on the test."""
    apart, best, goal = _divergences(logits, aim, 1.0), logits.argmax(-1), aim.argmax(-1)
    ends = apart.reshape(-1, one.n_starts)
    return Trained(
        teacher_loss=float(_cross_entropies(aim[None], labels)),
        teacher_right=int((goal == labels).sum()),
        loss_training=seen,
        loss_test=_by_alpha(one, _cross_entropies(logits, labels)),
        divergence_test=_by_alpha(one, apart),
        agreeing=(best == goal).reshape(len(ends), -1).sum(1).tolist(),
        right=(best == labels).reshape(len(ends), -1).sum(1).tolist(),
        nearer=[int((row < ends[0]).sum()) for row in ends[1:]],
        curve=curve,
    )


def counted_values(hidden: int) -> int:
    """Values of a network of that many hidden units."""
    layers = (torch.nn.Linear(FEATURES, hidden, device="meta"), torch.nn.Linear(hidden, CLASSES, device="meta"))
    return sum(tensor.numel() for layer in layers for tensor in layer.parameters())
