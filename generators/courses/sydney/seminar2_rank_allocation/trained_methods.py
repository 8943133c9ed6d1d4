"""Trains LoRA, DyLoRA, AdaLoRA and IncreLoRA on the small fitting problem with autograd, all seeds at once.

Seeded draws are made again from the seeds. Tensors are (seeds, modules, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import NamedTuple

import numpy as np
import torch

from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams

Ranks = tuple[int, ...]


class Choice(NamedTuple):
    """Ranks of all seeds after a step; of the first seed what decided: scores, and with IncreLoRA Ī, Ū and errors."""

    step: int
    ranks: list[Ranks]
    scores: torch.Tensor
    logged: tuple[list[float], ...] = ()


class Training:
    """The entry's problem with every seed: targets, and the noisy views of each step."""

    def __init__(self, params: RankAllocationParams) -> None:
        self.params, self.modules, self.width = params, len(params.modules), params.width
        self.n_steps = params.training.n_steps
        self.seeds = range(params.training.seed, params.training.seed + params.training.n_seeds)
        self.targets = torch.stack([self._targets(seed) for seed in self.seeds])
        noise = self.drawn(2, self.n_steps, self.modules, self.width, self.width).transpose(0, 1)
        self.views = self.targets + float(params.training.noise) * noise

    def drawn(self, stream: int, *shape: int) -> torch.Tensor:
        """Standard normal values of a stream of every seed."""
        return torch.stack(
            [torch.from_numpy(np.random.default_rng([seed, stream]).standard_normal(shape)) for seed in self.seeds]
        )

    def _targets(self, seed: int) -> torch.Tensor:
        """Σ τ u vᵀ of every module, with orthonormal vectors by a QR decomposition."""
        generator, made = np.random.default_rng([seed, 0]), []
        for values in (module.singular_values for module in self.params.modules):
            drawn = [torch.from_numpy(generator.standard_normal((self.width, len(values)))) for _ in range(2)]
            left, right = (q * r.diagonal().sign() for q, r in map(torch.linalg.qr, drawn))
            made.append(torch.einsum("s,is,js->ij", torch.tensor([*map(float, values)], dtype=torch.float64), left, right))
        return torch.stack(made)

    def step_size(self, step: int) -> float:
        """Constant up to the middle, then straight down to 0; steps from 1."""
        rate, left = float(self.params.training.learning_rate), self.n_steps + 1 - step
        return rate if 2 * (step - 1) <= self.n_steps else rate * 2 * left / self.n_steps

    def errors(self, update: torch.Tensor) -> list[float]:
        """Half the squared distance of the updates to their targets, by seed."""
        found: list[float] = (torch.nn.functional.mse_loss(update, self.targets, reduction="none").sum((1, 2, 3)) / 2).tolist()
        return found

    def low_rank_errors(self, rank: int, *, nested: bool) -> list[list[float]]:
        """Train BA of this rank, or with a drawn rank in every step, and cut it to 1, 2 ... afterwards; by rank and seed."""
        a = float(self.params.training.sigma) * self.drawn(1, self.modules, rank, self.width)
        b = torch.zeros_like(a.mT)
        ranks = [np.random.default_rng([seed, 3]).integers(1, rank + 1, self.n_steps) for seed in self.seeds]
        used = torch.from_numpy(np.stack(ranks)) if nested else torch.full((len(self.seeds), self.n_steps), rank)
        for step in range(1, self.n_steps + 1):
            a, b = a.requires_grad_(), b.requires_grad_()
            mask = (torch.arange(rank) < used[:, step - 1, None]).double()[:, None, None]
            loss = ((b * mask) @ a - self.views[step - 1]).square().sum() / 2
            a, b = self._descended((a, b), torch.autograd.grad(loss, (a, b)), step)
        return [self.errors(b[..., :cut] @ a[:, :, :cut]) for cut in range(1, rank + 1)]

    def _descended(self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor], step: int) -> list[torch.Tensor]:
        return [one.detach() - self.step_size(step) * by for one, by in zip(weights, gradients, strict=True)]

    def _pools(self, count: int) -> list[torch.Tensor]:
        """First P (…, n, count), λ (…, 1, count) and Q (…, count, n)."""
        p, q = (self.drawn(1, 2, self.modules, self.width, count) / self.width**0.5).unbind(1)
        return [p, torch.zeros_like(p[:, :, :1]), q.mT]

    def _loss(self, p: torch.Tensor, q: torch.Tensor, update: torch.Tensor, held: torch.Tensor, step: int) -> torch.Tensor:
        """The loss of a step with the penalty; `held` (…, 1, count) marks the triplets that exist."""
        eye = torch.eye(p.shape[-1], dtype=torch.float64) * held
        p, q = p * held, q * held.mT
        uneven = (p.mT @ p - eye).square().sum() + (q @ q.mT - eye).square().sum()
        return (update - self.views[step - 1]).square().sum() / 2 + float(self.params.triplets.penalty) * uneven

    def _smooth(self, means: torch.Tensor, spreads: torch.Tensor, importance: torch.Tensor) -> None:
        """Move the running mean of the importance and that of its distance from the mean, in place."""
        means.lerp_(importance, 1 - float(self.params.triplets.beta_1))
        spreads.lerp_((importance - means).abs(), 1 - float(self.params.triplets.beta_2))

    def adalora(self) -> tuple[list[Choice], list[float]]:
        """Every choice of triplets, and each seed's error in the end."""
        one, last = self.params.adalora, self.n_steps - self.params.adalora.final
        weights = self._pools(one.initial_rank)
        means, spreads = ([torch.zeros_like(part) for part in weights] for _ in range(2))
        kept, choices = torch.ones_like(weights[1]), []
        for step in range(1, self.n_steps + 1):
            p, e, q = (part.requires_grad_() for part in weights)
            gradients = torch.autograd.grad(self._loss(p, q, (p * e) @ q, torch.ones_like(e), step), (p, e, q))
            weights = self._descended((p, e, q), gradients, step)
            for part, by, mean, spread in zip(weights, gradients, means, spreads, strict=True):
                self._smooth(mean, spread, (part * by).abs())
            if step == last or (one.warmup < step < last and step % one.interval == 0):
                of_p, of_e, of_q = (mean * spread for mean, spread in zip(means, spreads, strict=True))
                scores = of_e[:, :, 0] + of_p.mean(2) + of_q.mean(3)
                best = scores.flatten(1).topk(budget_at(self.params, step)).indices
                kept = torch.zeros_like(scores).flatten(1).scatter(1, best, 1).reshape(e.shape)
                choices.append(Choice(step, [tuple(map(int, ranks)) for ranks in kept.sum((2, 3)).tolist()], scores[0]))
                weights[1] = weights[1] * kept
            elif step > last:
                weights[1] = weights[1] * kept
        p, e, q = weights
        return choices, self.errors((p * e) @ q)

    def increlora(self) -> tuple[list[Choice], list[float]]:
        """Every growth, in the same steps with every seed, and each seed's error in the end."""
        one, budget = self.params.increlora, self.params.budget
        weights = self._pools(budget - self.modules + 2)
        places = torch.arange(budget - self.modules + 2)
        ranks = torch.ones(len(self.seeds), self.modules, dtype=torch.int64)
        means, spreads = (torch.zeros(ranks.shape, dtype=torch.float64) for _ in range(2))
        choices = []
        for step in range(1, self.n_steps + 1):
            left, used = budget - int(ranks[0].sum()), ranks[:, :, None, None]
            held = (places < used + (left > 0)).double()
            weights[1] = torch.where((places == used) & (held > 0), float(one.reserve), weights[1])
            p, e, q = (part.requires_grad_() for part in weights)
            update = (p * e * held) @ q
            *gradients, by_update = torch.autograd.grad(self._loss(p, q, update, held, step), (p, e, q, update))
            gradients[1] = gradients[1] * (places < used)
            weights = self._descended((p, e, q), gradients, step)
            self._smooth(means, spreads, (update * by_update).detach().abs().mean((2, 3)))
            if left and step > one.warmup and step % one.interval == 0:
                scores, errors = means * spreads, (update.detach()[0] - self.targets[0]).norm(dim=(1, 2)) ** 2 / 2
                logged = tuple(of.tolist() for of in (means[0], spreads[0], errors))
                ranks = ranks + torch.nn.functional.one_hot(scores.argmax(1), self.modules)
                choices.append(Choice(step, [tuple(of) for of in ranks.tolist()], scores[0], logged))
        p, e, q = weights
        return choices, self.errors((p * e * (places < ranks[:, :, None, None])) @ q)


def budget_at(params: RankAllocationParams, step: int) -> int:
    """AdaLoRA's budget by de Casteljau's algorithm: a cubic that begins at the start and ends flat at the target."""
    one, start = params.adalora, params.adalora.initial_rank * len(params.modules)
    span = params.training.n_steps - one.final - one.warmup
    along = max(Fraction(0), min(Fraction(1), Fraction(step - one.warmup, span)))
    points = [Fraction(start), *[Fraction(params.budget)] * 3]
    while len(points) > 1:
        points = [a + along * (b - a) for a, b in pairwise(points)]
    return floor(points[0])
