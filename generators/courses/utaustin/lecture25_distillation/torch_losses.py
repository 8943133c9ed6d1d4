"""Losses of a student and their gradients by torch and autograd, for `find`."""

from __future__ import annotations

import math
from collections.abc import Mapping
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


def of_example(example: Example, heat: float) -> Losses:
    """Run torch's losses of the example at a temperature, and go back through them; logits are multiples of log 2."""
    v, z = (math.log(2) * torch.tensor([row], dtype=torch.float64) for row in (example.teacher, example.student))
    z.requires_grad_()
    alpha, place = float(example.alpha), example.classes.index(example.label)
    p, log_q = (v / heat).softmax(1), (z / heat).log_softmax(1)
    hard = functional.cross_entropy(z, torch.tensor([place]))
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
