"""Trains teacher and students again in torch, with autograd, for `find`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy
import torch
from torch.nn import functional

from generators.courses.utaustin.lecture25_distillation.params import Training

CLASSES, FEATURES, MOMENTUM = 3, 2, 0.9


Weights = tuple[torch.Tensor, torch.Tensor]


def _points(one: Training) -> tuple[torch.Tensor, torch.Tensor, Weights, Weights]:
    """Points with a constant input, labels, and where teacher and students start, drawn in this order."""
    draw, total = numpy.random.default_rng(one.seed), one.n_teacher + one.n_test
    points = torch.tensor(draw.uniform(-1, 1, size=(total, FEATURES)))
    angle, radius = torch.atan2(points[:, 1], points[:, 0]) / (2 * math.pi), points.square().sum(1).sqrt()
    labels = (CLASSES * ((angle + 0.6 * radius) % 1)).long() % CLASSES
    noisy = torch.tensor(draw.uniform(size=total) < float(one.label_noise))
    labels = torch.where(noisy, torch.tensor(draw.integers(0, CLASSES, size=total)), labels)
    starts: list[Weights] = []
    for count, hidden in ((1, one.teacher_hidden), (one.n_starts, one.student_hidden)):
        first = torch.tensor(draw.uniform(-2, 2, size=(count, FEATURES + 1, hidden)))
        starts.append((first, torch.tensor(draw.uniform(-1, 1, size=(count, hidden + 1, CLASSES))) / hidden**0.5))
    return functional.pad(points, (0, 1), value=1.0), labels, starts[0], starts[1]


def _network(weights: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = functional.pad((x @ weights[0]).tanh(), (0, 1), value=1.0) @ weights[1]
    return logits


def _cross_entropies(logits: torch.Tensor, aims: torch.Tensor) -> torch.Tensor:
    """With distributions, the mean over points for each network."""
    return -(logits.log_softmax(-1) * aims).sum(-1).mean(-1)


def _divergences(logits: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
    return functional.kl_div(logits.log_softmax(-1), aim.softmax(-1), reduction="none").sum(-1).mean(-1)


class Trained(NamedTuple):
    """The teacher's right answers on the test, and for each λ and start the student's divergence and right answers."""

    teacher_right: int
    divergence: torch.Tensor
    right: torch.Tensor


def trained(one: Training, label_weights: Sequence[Fraction]) -> Trained:
    """Train every student by itself in one stack, each with its own loss; divergence falls as cross-entropy does."""
    points, labels, teacher, students = _points(one)
    rate, heat, rights = float(one.learning_rate), float(one.temperature), functional.one_hot(labels, CLASSES).double()
    (x, test), (hard, test_hard) = (rows.split((one.n_teacher, one.n_test)) for rows in (points, rights))
    teacher = _descending(teacher, lambda w: _cross_entropies(_network(w, x), hard), one.teacher_steps, rate)
    x, hard = x[: one.n_student], hard[: one.n_student]
    (aim,), (test_aim,) = _network(teacher, x), _network(teacher, test)
    soft = (aim / heat).softmax(-1)
    weights = torch.tensor([float(weight) for weight in label_weights], dtype=torch.float64).repeat_interleave(one.n_starts)

    def losses(network: Weights) -> torch.Tensor:
        logits = _network(network, x)
        return weights * _cross_entropies(logits, hard) + (1 - weights) * heat**2 * _cross_entropies(logits / heat, soft)

    first, second = (part.repeat(len(label_weights), 1, 1) for part in students)
    logits = _network(_descending((first, second), losses, one.student_steps, rate), test)
    goal, truth = test_aim.argmax(-1), test_hard.argmax(-1)
    found = (_divergences(logits, test_aim), (logits.argmax(-1) == truth).sum(-1).double())
    return Trained(int((goal == truth).sum()), *(numbers.reshape(len(label_weights), -1) for numbers in found))


def _descending(weights: Weights, losses: Callable[[Weights], torch.Tensor], steps: int, rate: float) -> Weights:
    """The weights at the end; torch.optim would do the same, but imports a compiler."""
    first, second = (part.clone() for part in weights)
    speeds = torch.zeros_like(first), torch.zeros_like(second)
    for _ in range(steps):
        ours = (first.requires_grad_(), second.requires_grad_())
        slopes = torch.autograd.grad(losses(ours).sum(), ours)
        for part, speed, slope in zip(ours, speeds, slopes, strict=True):
            part.detach_().sub_(speed.mul_(MOMENTUM).add_(slope), alpha=rate)
    return first, second


def counted_values(hidden: int) -> int:
    """Values of a network of that many hidden units."""
    layers = (torch.nn.Linear(FEATURES, hidden, device="meta"), torch.nn.Linear(hidden, CLASSES, device="meta"))
    return sum(tensor.numel() for layer in layers for tensor in layer.parameters())
