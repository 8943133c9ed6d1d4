"""The slide's network with peft's LoRA, counted without storage, and a layer with many first A at once, trained by torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import torch
from torch import nn

Rows = Sequence[Sequence[Fraction]]


@cache
def shapes(embedding_dim: int, rank: int) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of the network's tensors, weight and bias of both layers, and of what peft trains beside them, A and B of both."""
    import peft

    with torch.device("meta"):
        wide, narrow = nn.Linear(embedding_dim, 4 * embedding_dim), nn.Linear(4 * embedding_dim, embedding_dim)
        network = nn.Sequential(wide, nn.ReLU(), narrow, nn.Dropout(0.2))
        own = [tuple(tensor.shape) for tensor in network.parameters()]
        model = peft.get_peft_model(network, peft.LoraConfig(r=rank, target_modules=["0", "2"]))
    return {"network": own, "lora": [tuple(tensor.shape) for tensor in model.parameters() if tensor.requires_grad]}


def scaling_in_peft(alpha: Fraction, rank: int) -> float:
    """What peft multiplies BA with."""
    import peft

    config = peft.LoraConfig(r=rank, lora_alpha=float(alpha), target_modules=["0"])
    model = peft.get_peft_model(nn.Sequential(nn.Linear(1, 1)), config)
    return float(model.base_model.model[0].scaling["default"])


class Seen(NamedTuple):
    """One state of training for each first A: A, B, output (as a row), g, losses, and the gradients that autograd gives."""

    a: torch.Tensor
    b: torch.Tensor
    h: torch.Tensor
    g: torch.Tensor
    loss: torch.Tensor
    a_gradient: torch.Tensor
    b_gradient: torch.Tensor


def tensor(rows: Rows) -> torch.Tensor:
    """Exact numbers in float64."""
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


@dataclass(frozen=True)
class Layer:
    """A frozen W, one input and its target as rows, the learning rate, and the scale of BAx."""

    weight: torch.Tensor
    x: torch.Tensor
    target: torch.Tensor
    learning_rate: float
    scale: float

    def trained(self, first_a: torch.Tensor, n_steps: int, target: torch.Tensor | None = None) -> list[Seen]:
        """Train A and B from B = 0 and every A of (draws, rank, inputs) with torch's optimizer, and keep every state."""
        a = nn.Parameter(first_a.clone())
        b = nn.Parameter(torch.zeros(len(a), len(self.weight), a.shape[1], dtype=torch.float64))
        optimizer, states = torch.optim.SGD([a, b], lr=self.learning_rate), []
        for _ in range(n_steps + 1):
            optimizer.zero_grad()
            h = nn.functional.linear(self.x, self.weight) + self.scale * (self.x @ a.mT) @ b.mT
            h.retain_grad()
            losses = (h - (self.target if target is None else target)).square().sum((1, 2)) / 2
            losses.sum().backward()
            kept = [one.detach().clone() for one in (a, b, h)]
            g, a_gradient, b_gradient = (one.grad.clone() for one in (h, a, b) if one.grad is not None)
            states.append(Seen(kept[0], kept[1], kept[2], g, losses.detach(), a_gradient, b_gradient))
            optimizer.step()
        return states

    def changes(self, first_a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the first step of LoRA changes h by from every A, and of full fine-tuning, both from a target one below h."""
        away = nn.functional.linear(self.x, self.weight) - 1
        first, second = self.trained(first_a, 1, away)
        weight = nn.Parameter(self.weight.clone())
        nn.functional.mse_loss(self.x @ weight.T, away, reduction="sum").div(2).backward()
        torch.optim.SGD([weight], lr=self.learning_rate).step()
        return (second.h - first.h)[:, 0], (self.x @ (weight.detach() - self.weight).T)[0]
