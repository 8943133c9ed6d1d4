"""The slide's network and a layer with a low-rank branch as torch modules: counted without storage, and trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import nn

Rows = Sequence[Sequence[Fraction]]


class FeedForwardNetwork(nn.Module):
    """The slide's network."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(embedding_dim, 4 * embedding_dim),
            nn.ReLU(),
            nn.Linear(4 * embedding_dim, embedding_dim),
            nn.Dropout(0.2),
        )


class LowRankBranch(nn.Module):
    """A beside a linear layer's input, B beside its output."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))


def shapes(embedding_dim: int, rank: int) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of the network's tensors, weight and bias of both layers, and of its branches, A and B of both."""
    with torch.device("meta"):
        network = FeedForwardNetwork(embedding_dim)
        branches = [LowRankBranch(one, rank) for one in network.modules() if isinstance(one, nn.Linear)]
    tensors = {"network": network.parameters(), "lora": (tensor for branch in branches for tensor in branch.parameters())}
    return {name: [tuple(tensor.shape) for tensor in ones] for name, ones in tensors.items()}


def trainable_in_peft(embedding_dim: int, rank: int) -> int:
    """What peft trains beside the slide's network."""
    import peft

    with torch.device("meta"):
        network = FeedForwardNetwork(embedding_dim)
        model = peft.get_peft_model(network, peft.LoraConfig(r=rank, target_modules=["network.0", "network.2"]))
    return sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad)


def scaling_in_peft(alpha: Fraction, rank: int) -> float:
    """What peft multiplies BA with."""
    import peft

    config = peft.LoraConfig(r=rank, lora_alpha=float(alpha), target_modules=["0"])
    model = peft.get_peft_model(nn.Sequential(nn.Linear(1, 1)), config)
    return float(model.base_model.model[0].scaling["default"])


def drawn_ratio(rank: int, x: Sequence[Fraction], n_draws: int) -> float:
    """The mean of ‖Ax‖²/‖x‖² over seeded draws of standard normal A."""
    vector = tensor([x])[0]
    a = torch.randn(n_draws, rank, len(x), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return float((a @ vector).square().sum() / vector.square().sum() / n_draws)


@dataclass(frozen=True)
class Seen:
    """One state of training: A, B, output and loss, and the gradients that autograd gives."""

    a: torch.Tensor
    b: torch.Tensor
    h: torch.Tensor
    loss: float
    g: torch.Tensor
    a_gradient: torch.Tensor
    b_gradient: torch.Tensor


@dataclass(frozen=True)
class Layer:
    """A frozen linear layer, the draw of its branch's A, one input with its target, the learning rate, and the scale."""

    weight: Rows
    draw: Rows
    x: Sequence[Fraction]
    target: Sequence[Fraction]
    learning_rate: Fraction
    scale: Fraction


def tensor(rows: Rows) -> torch.Tensor:
    """Exact numbers in float64."""
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


def trained(one: Layer, sigma: Fraction | float, n_steps: int) -> list[Seen]:
    """Train a module of torch with its optimizer, and keep every state."""
    linear = nn.Linear(len(one.x), len(one.target), bias=False, dtype=torch.float64).requires_grad_(False)
    linear.weight.copy_(tensor(one.weight))
    branch = LowRankBranch(linear, len(one.draw)).double()
    with torch.no_grad():
        branch.a.copy_(float(sigma) * tensor(one.draw))
    optimizer = torch.optim.SGD(branch.parameters(), lr=float(one.learning_rate))
    x, target = tensor([one.x]), tensor([one.target])
    states = []
    for _ in range(n_steps + 1):
        optimizer.zero_grad()
        h = linear(x) + float(one.scale) * nn.functional.linear(nn.functional.linear(x, branch.a), branch.b)
        h.retain_grad()
        loss = nn.functional.mse_loss(h, target, reduction="sum") / 2
        loss.backward()
        a, b, output = (tensor.detach().clone() for tensor in (branch.a, branch.b, h))
        g, a_gradient, b_gradient = (tensor.grad.clone() for tensor in (h, branch.a, branch.b) if tensor.grad is not None)
        states.append(Seen(a, b, output, loss.item(), g, a_gradient, b_gradient))
        optimizer.step()
    return states


def removed(one: Layer, sigma: Fraction | float) -> float:
    """The c of h ← h − c·g, read from what the first step did; where g is 0, from a target one away in every entry."""
    first, second = trained(one, sigma, 1)
    length = float(first.g.square().sum())
    if not length:
        moved = [value + 1 for value in one.target]
        return removed(Layer(one.weight, one.draw, one.x, moved, one.learning_rate, one.scale), sigma)
    return float(((first.h - second.h) * first.g).sum()) / length
