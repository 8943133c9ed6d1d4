"""Finds LoRA's first steps by autograd, their means by training from every choice of signs, and merging.

From the slides: h = W_0 x + BAx, B = 0 and A normal. The layer and its inputs are the entry's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import nn

from generators.courses.sydney.seminar2_low_rank.found_matrices import SHEET, entries_found
from generators.courses.sydney.seminar2_low_rank.params import Example, LowRankPageParams
from generators.found import Found, Route

AUTOGRAD = Route("torch autograd and SGD, float64", tolerance=1e-9, absolute=1e-9)
SIGNS = Route("one step of LoRA and of full fine-tuning from every choice of ±σ for A", tolerance=1e-9)
RANKS = Route("torch.linalg.matrix_rank")


class Seen(NamedTuple):
    """One state of training: A, B, outputs (a row an input), g, loss, and the gradients that autograd gives."""

    a: torch.Tensor
    b: torch.Tensor
    h: torch.Tensor
    g: torch.Tensor
    loss: torch.Tensor
    a_gradient: torch.Tensor
    b_gradient: torch.Tensor


def tensor(rows: Sequence[Sequence[Fraction]]) -> torch.Tensor:
    """Exact numbers in float64."""
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


@dataclass(frozen=True)
class Layer:
    """A frozen W, inputs and their targets as rows, the learning rate, and the scale of BAx."""

    weight: torch.Tensor
    x: torch.Tensor
    target: torch.Tensor
    learning_rate: float
    scale: float

    def trained(self, first_a: torch.Tensor, n_steps: int) -> list[Seen]:
        """Train A and B from B = 0 with torch's optimizer, and keep every state; `first_a` may be many A, (..., rank, inputs)."""
        a = nn.Parameter(first_a.clone())
        b = nn.Parameter(torch.zeros(*a.shape[:-2], len(self.weight), a.shape[-2], dtype=torch.float64))
        optimizer, states = torch.optim.SGD([a, b], lr=self.learning_rate), []
        for _ in range(n_steps + 1):
            optimizer.zero_grad()
            h = nn.functional.linear(self.x, self.weight) + self.scale * (self.x @ a.mT) @ b.mT
            h.retain_grad()
            losses = (h - self.target).square().sum((-2, -1)) / 2
            losses.sum().backward()
            kept = [one.detach().clone() for one in (a, b, h)]
            g, a_gradient, b_gradient = (one.grad.clone() for one in (h, a, b) if one.grad is not None)
            states.append(Seen(kept[0], kept[1], kept[2], g, losses.detach(), a_gradient, b_gradient))
            optimizer.step()
        return states

    def changes(self, first_a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the first step of LoRA changes h by from every A, and of full fine-tuning, both from a target one below h."""
        below = replace(self, target=nn.functional.linear(self.x, self.weight) - 1)
        first, second = below.trained(first_a, 1)
        weight = nn.Parameter(self.weight.clone())
        nn.functional.mse_loss(self.x @ weight.T, below.target, reduction="sum").div(2).backward()
        torch.optim.SGD([weight], lr=self.learning_rate).step()
        return (second.h - first.h)[:, 0], (self.x @ (weight.detach() - self.weight).T)[0]


def steps_found(params: LowRankPageParams) -> Iterator[Found]:
    """What is published about the layer, its two steps, other σ, and merging."""
    one, over_rank = params.example, params.conventions.scaling == "alpha_over_rank"
    scale = one.alpha / len(one.draw) if over_rank else one.alpha
    layer = Layer(tensor(one.weight), tensor([one.x]), tensor([one.target]), float(one.learning_rate), float(scale))
    yield from SHEET.part("example", "The layer of the first steps")
    yield from SHEET.values("example", n_outputs=len(one.target), n_inputs=len(one.x))
    yield from entries_found(SHEET, "example", "weight", one.weight)
    for key in ("x", "target", "other_x"):
        yield from entries_found(SHEET, "example", key, [[value] for value in getattr(one, key)])
    yield from SHEET.letters("example", alpha=one.alpha, eta=one.learning_rate, sigma=one.sigma, R=len(one.draw), s=scale)
    yield from _at_other_ranks(params, layer)
    yield from _start(layer, one)
    yield from _sigmas(layer, one)
    yield from _merging(layer, one)


def _at_other_ranks(params: LowRankPageParams, layer: Layer) -> Iterator[Found]:
    """Train once more from four times as many rows, whose scale and deviation follow the conventions."""
    held, one = params.conventions, params.example
    over_rank, falls = held.scaling == "alpha_over_rank", held.sigma == "over_root_of_rank"
    wider = replace(layer, scale=layer.scale / 4 if over_rank else layer.scale)
    sigma, rank = one.sigma / 2 if falls else one.sigma, len(one.draw)
    factor = _mean_ratio(wider, one, sigma, 4 * rank) / _mean_ratio(layer, one, one.sigma, rank)
    yield from SIGNS.values("example", times_four=factor)
    smaller, larger = factor < 1 - 1e-9, factor > 1 + 1e-9
    yield from SIGNS.values("example", smaller_steps=smaller, larger_steps=larger, equal_steps=not (smaller or larger))
    said = {"over_rank": over_rank, "not_over_rank": not over_rank, "one_sigma": not falls, "falling_sigma": falls}
    yield from SHEET.values("example", said)


def _mean_ratio(layer: Layer, one: Example, sigma: Fraction, rank: int) -> float:
    """The mean first change of h over that of full fine-tuning.

    Every choice of signs for a row stands in all rows of A at once: entries of ±σ have the mean 0 and the variance σ² too.
    """
    rows = torch.tensor(list(product((-1.0, 1.0), repeat=len(one.x))), dtype=torch.float64)
    low_rank, full = layer.changes(float(sigma) * rows[:, None].expand(-1, rank, -1))
    return float((low_rank / full).mean())


def _removed(layer: Layer, first_a: torch.Tensor) -> float:
    """The κ of h ← h − κ·g, where g is 1 in every entry."""
    return float(-layer.changes(first_a[None])[0].mean())


def _start(layer: Layer, one: Example) -> Iterator[Found]:
    """Every state of the two steps, and means over A."""
    first_a = float(one.sigma) * tensor(one.draw)
    states = layer.trained(first_a, 2)
    first, second, _ = states
    shown = {"a": first.a, "inner": first.a @ layer.x.T, "h_0": first.h.T, "g_0": first.g.T, "b_gradient_0": first.b_gradient,
             "b_1": second.b, "h_1": second.h.T, "g_1": second.g.T, "a_gradient_1": second.a_gradient}  # fmt: skip
    yield from SHEET.part("4", "The first steps")
    for key, values in shown.items():
        yield from entries_found(AUTOGRAD, "4", key, values.tolist())
    losses = {f"loss_{place}": float(state.loss) for place, state in enumerate(states)}
    yield from AUTOGRAD.values("4", losses, symbols=dict.fromkeys(losses, r"\ell"))
    yield from AUTOGRAD.values("4", symbols={"removed": r"\kappa"}, removed=_removed(layer, first_a))
    moves, goes_on = _any(second.b), _any(second.a_gradient)
    said = {"met_at_start": not _any(first.g), "input_lost": not _any(shown["inner"]), "goes_on": goes_on}
    yield from AUTOGRAD.values("4", said, met=moves and not goes_on)
    found = {"ratio": _mean_ratio(layer, one, one.sigma, len(one.draw)),
             "matched": 1 / _mean_ratio(layer, one, Fraction(1), len(one.draw))}  # fmt: skip
    yield from SIGNS.values("4", found, symbols={"ratio": r"\rho", "matched": r"\sigma^2_{\text{equal}}"})


def _any(values: torch.Tensor) -> bool:
    """Whether an entry is more than rounding."""
    return float(values.abs().max()) > 1e-12


def _sigmas(layer: Layer, one: Example) -> Iterator[Found]:
    sigmas, rows = sorted({one.sigma, *one.other_sigmas}), {}
    before, losses = float(layer.trained(tensor(one.draw), 0)[0].loss), []
    for place, sigma in enumerate(sigmas, 1):
        first_a = float(sigma) * tensor(one.draw)
        losses.append(float(layer.trained(first_a, 1)[1].loss))
        rows[f"sigma_{place}"] = (sigma, losses[-1], _removed(layer, first_a), _mean_ratio(layer, one, sigma, len(one.draw)))
    headings = {"sigma": "σ", "loss": "Loss after one step", "removed": "κ", "ratio": "ρ"}
    yield from AUTOGRAD.table("4", "sigmas", rows, headings=headings, columns=tuple(headings), given={"sigma": SHEET})
    yield from AUTOGRAD.values("4", overshoots=max(losses) > before * (1 + 1e-12))


def _merging(layer: Layer, one: Example) -> Iterator[Found]:
    yield from SHEET.part("5", "Merging")
    first_a, other_x = float(one.sigma) * tensor(one.draw), tensor([one.other_x])
    last = layer.trained(first_a, 2)[-1]
    update = layer.scale * last.b @ last.a
    for name, found in {"a": last.a, "b": last.b, "update": update, "merged": layer.weight + update}.items():
        yield from entries_found(AUTOGRAD, "5", name, found.tolist())
    both = replace(layer, x=torch.cat([layer.x, other_x]), target=layer.target.expand(2, -1)).trained(first_a, 2)[-1]
    yield from RANKS.values("5", rank=_rank(update), rank_of_both=_rank(both.b @ both.a))
    rows: dict[str, tuple[Any, ...]] = {}
    for key, name, x in (("x", "x", layer.x), ("other_x", "x′", other_x)):
        apart = x @ layer.weight.T + layer.scale * (x @ last.a.T) @ last.b.T
        outputs = torch.cat([x @ (layer.weight + update).T, apart])
        rows |= {f"{key}_{i}": (f"{name}, entry {i}", *row) for i, row in enumerate(outputs.T.tolist(), 1)}
    headings = {"output": "Output for", "merged": "W′x", "apart": "Wx + sBAx"}
    yield from AUTOGRAD.table("5", "outputs", rows, headings=headings, columns=tuple(headings))


def _rank(update: torch.Tensor) -> int:
    return int(torch.linalg.matrix_rank(update, atol=1e-12 * max(1.0, float(update.abs().max()))))
