"""Losses of a student and their gradients by torch and autograd, for `find`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch.nn import functional

from generators.courses.utaustin.lecture25_distillation.params import Example


class Losses(NamedTuple):
    """What torch finds for teacher's and student's logits: distributions, losses, and gradients by the student's logits."""

    teacher: tuple[float, ...]
    student: tuple[float, ...]
    cool: tuple[float, ...]
    values: Mapping[str, float]
    gradients: Mapping[str, tuple[float, ...]]


def losses(teacher: Sequence[float], student: Sequence[float], label: int, heat: float, alpha: float) -> Losses:
    """Run torch's losses and go back through them."""
    v = torch.tensor([list(teacher)], dtype=torch.float64)
    z = torch.tensor([list(student)], dtype=torch.float64, requires_grad=True)
    p, log_q = (v / heat).softmax(1), (z / heat).log_softmax(1)
    hard = functional.cross_entropy(z, torch.tensor([label]))
    soft = functional.cross_entropy(z / heat, p)
    divergence = torch.nn.KLDivLoss(reduction="batchmean")(log_q, p)
    whole = alpha * hard + (1 - alpha) * heat**2 * divergence
    kept = {"hard": hard, "soft": soft, "divergence": divergence, "loss": whole}
    values = {name: float(loss.detach()) for name, loss in kept.items()}
    values["entropy"] = float(torch.distributions.Categorical(p).entropy())
    gradients = {name: _tuple(torch.autograd.grad(loss, z, retain_graph=True)[0]) for name, loss in kept.items()}
    return Losses(_tuple(p), _tuple(log_q.exp()), _tuple(z.softmax(1)), values, gradients)


def _tuple(row: torch.Tensor) -> tuple[float, ...]:
    return tuple(row.detach().flatten().tolist())


def logits(powers: Sequence[int]) -> tuple[float, ...]:
    """Multiples of the natural logarithm of 2."""
    return tuple(power * math.log(2) for power in powers)


def of_example(example: Example, heat: float) -> Losses:
    """The example's losses at a temperature."""
    place = example.classes.index(example.label)
    return losses(logits(example.teacher), logits(example.student), place, heat, float(example.alpha))


def elsewhere(example: Example) -> list[tuple[tuple[float, ...], float, Losses]]:
    """As many classes at other logits and temperatures: the student's logits, the temperature, and the losses there."""
    count, place, found = len(example.classes), example.classes.index(example.label), []
    for shift, heat in ((1.5, 1.7), (-0.4, 3.1)):
        student, teacher = (tuple(math.sin(rate * (at + shift)) + shift for at in range(count)) for rate in (2.0, 3.0))
        found.append((student, heat, losses(teacher, student, place, heat, 0.3)))
    return found


def means(example: Example) -> dict[str, float]:
    """The label's logit and the mean of both rows of logits, and the difference about the means over the classes."""
    place = example.classes.index(example.label)
    z, v = (torch.tensor(logits(powers), dtype=torch.float64) for powers in (example.student, example.teacher))
    return {
        "z_y": float(z[place]),
        "zbar": float(z.mean()),
        "v_y": float(v[place]),
        "vbar": float(v.mean()),
        "limit": float(((z - z.mean()) - (v - v.mean()))[place] / len(z)),
    }


def shares(powers: Sequence[int], heats: Sequence[float]) -> list[list[float]]:
    """The distribution of logits at each temperature."""
    rows = torch.tensor([logits(powers)], dtype=torch.float64) / torch.tensor(heats, dtype=torch.float64)[:, None]
    found: list[list[float]] = rows.softmax(1).tolist()
    return found
