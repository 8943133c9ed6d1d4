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
    psi, zeta = (math.log(2) * torch.tensor([row], dtype=torch.float64) for row in (example.teacher, example.student))
    zeta.requires_grad_()
    weight, place = float(example.label_weight), example.classes.index(example.label)
    p, log_q = (psi / heat).softmax(1), (zeta / heat).log_softmax(1)
    hard = functional.cross_entropy(zeta, torch.tensor([place]))
    soft = functional.cross_entropy(zeta / heat, p)
    divergence = torch.nn.KLDivLoss(reduction="batchmean")(log_q, p)
    whole = weight * hard + (1 - weight) * heat**2 * divergence
    kept = {"hard": hard, "soft": soft, "divergence": divergence, "loss": whole}
    values = {name: float(loss.detach()) for name, loss in kept.items()}
    values["entropy"] = float(torch.distributions.Categorical(p).entropy())
    gradients = {name: _tuple(torch.autograd.grad(loss, zeta, retain_graph=True)[0]) for name, loss in kept.items()}
    return Losses(_tuple(p), _tuple(log_q.exp()), _tuple(zeta.softmax(1)), values, gradients)


def _tuple(row: torch.Tensor) -> tuple[float, ...]:
    return tuple(row.detach().flatten().tolist())
