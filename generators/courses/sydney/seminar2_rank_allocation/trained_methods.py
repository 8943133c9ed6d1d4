"""Trains LoRA, DyLoRA, AdaLoRA and IncreLoRA on the small fitting problem with autograd.

AdaLoRA's importance and choices are those of peft's own allocator. Seeded draws are made again from the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from torch import nn

Ranks = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """The entry in tuples and floats that can be kept."""

    spectra: tuple[tuple[Fraction, ...], ...]
    width: int
    budget: int
    n_steps: int
    rate: float
    noise: float
    sigma: float
    seed: int
    penalty: float
    betas: tuple[float, float]
    adalora: tuple[int, int, int, int]
    increlora: tuple[int, int, int, float]
    largest: int

    @property
    def modules(self) -> int:
        """How many targets there are."""
        return len(self.spectra)

    def step_size(self, step: int) -> float:
        """Constant up to the middle, then straight down to 0; steps from 0."""
        return self.rate if 2 * step <= self.n_steps else self.rate * 2 * (self.n_steps - step) / self.n_steps


def _stream(case: Case, number: int) -> np.random.Generator:
    return np.random.default_rng([case.seed, number])


@lru_cache(maxsize=4)
def targets(case: Case) -> torch.Tensor:
    """Σ s u vᵀ of every module, its vectors made orthonormal one after the other."""
    generator, made = _stream(case, 0), []
    for values in case.spectra:
        left, right = (_gram_schmidt(generator.standard_normal((case.width, len(values)))) for _ in range(2))
        made.append(sum(float(s) * torch.outer(u, v) for s, u, v in zip(values, left, right, strict=True)))
    return torch.stack([torch.as_tensor(one) for one in made])


def _gram_schmidt(columns: np.ndarray) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for column in torch.from_numpy(columns).T:
        rest = column
        for _ in range(2):  # twice, against rounding
            rest = rest - sum((torch.dot(one, rest) * one for one in found), torch.zeros_like(rest))
        found.append(rest / rest.norm())
    return found


@lru_cache(maxsize=4)
def views(case: Case) -> torch.Tensor:
    """The noisy targets of every step."""
    drawn = _stream(case, 2).standard_normal((case.n_steps, case.modules, case.width, case.width))
    return targets(case) + case.noise * torch.from_numpy(drawn)


def error_of(case: Case, update: torch.Tensor) -> float:
    """Half the squared distance of all updates to the targets."""
    return float(nn.functional.mse_loss(update, targets(case), reduction="sum") / 2)


@lru_cache(maxsize=16)
def low_rank_errors(case: Case, rank: int, *, nested: bool) -> tuple[float, ...]:
    """Train BA of this rank, or with a drawn rank in every step, and cut it to 1, 2 ... afterwards."""
    a = case.sigma * torch.from_numpy(_stream(case, 1).standard_normal((case.modules, rank, case.width)))
    a, b = a.requires_grad_(), torch.zeros(case.modules, case.width, rank, dtype=torch.float64, requires_grad=True)
    drawn = _stream(case, 3).integers(1, rank + 1, case.n_steps).tolist() if nested else [rank] * case.n_steps
    for step, (view, used) in enumerate(zip(views(case), drawn, strict=True)):
        loss = (b[:, :, :used] @ a[:, :used] - view).square().sum() / 2
        gradients = torch.autograd.grad(loss, (a, b))
        with torch.no_grad():
            for weights, gradient in zip((a, b), gradients, strict=True):
                weights.sub_(case.step_size(step) * gradient)
    return tuple(error_of(case, (b[:, :, :used] @ a[:, :used]).detach()) for used in range(1, rank + 1))


class Triplets(nn.Module):
    """P, λ and Q of one module, by the names that peft's allocator looks for: B is P, E is λ, A is Q."""

    def __init__(self, p: torch.Tensor, q: torch.Tensor) -> None:
        super().__init__()
        self.lora_B, self.lora_E, self.lora_A = (
            nn.ParameterDict({"default": nn.Parameter(one)})
            for one in (p, torch.zeros(p.shape[1], 1, dtype=torch.float64), q)
        )  # fmt: skip

    @property
    def parts(self) -> tuple[nn.Parameter, nn.Parameter, nn.Parameter]:
        """P (n, c), λ (c, 1), Q (c, n)."""
        return self.lora_B["default"], self.lora_E["default"], self.lora_A["default"]


def pools(case: Case, count: int) -> torch.Tensor:
    """First P and transposed Q of all modules, (2, modules, n, count)."""
    drawn = _stream(case, 1).standard_normal((2, case.modules, case.width, count)) / case.width**0.5
    return torch.from_numpy(drawn)


def _started(case: Case, count: int) -> list[Triplets]:
    tensors = pools(case, count)
    return [Triplets(tensors[0, k].clone(), tensors[1, k].T.clone()) for k in range(case.modules)]


def loss_of(
    penalty: float, p: torch.Tensor, q: torch.Tensor, update: torch.Tensor, view: torch.Tensor, held: torch.Tensor | float = 1.0
) -> torch.Tensor:
    """For one module or for several of one shape: P (…, n, c), Q (…, c, n); `held` (…, 1, c) marks the triplets that exist."""
    eye = torch.eye(p.shape[-1], dtype=torch.float64) * held
    uneven = (p.mT @ p - eye).square().sum() + (q @ q.mT - eye).square().sum()
    return (update - view).square().sum() / 2 + penalty * uneven


@dataclass(frozen=True)
class Trained:
    """Ranks after every choice with its step, scores and chosen modules where these decided, and the final error."""

    choices: tuple[tuple[int, Ranks], ...]
    error: float
    scores: tuple[tuple[float, ...], ...] = ()
    chosen: tuple[Ranks, ...] = ()


def budget_at(case: Case, step: int) -> int:
    """AdaLoRA's budget in whole numbers."""
    rank, warmup, final, _ = case.adalora
    start, span = rank * case.modules, case.n_steps - final - warmup
    if step <= warmup:
        return start
    left = max(0, case.n_steps - final - step)
    return case.budget + (start - case.budget) * left**3 // span**3


def budget_of_peft(case: Case, step: int) -> int:
    """The same by peft's own schedule, for a module that holds all triplets."""
    from peft import AdaLoraConfig
    from peft.tuners.adalora.layer import RankAllocator

    rank, warmup, final, _ = case.adalora
    start = rank * case.modules
    config = AdaLoraConfig(init_r=start, target_r=case.budget, tinit=warmup, tfinal=final, total_step=case.n_steps)
    module = Triplets(torch.zeros(1, start), torch.zeros(start, 1))
    return int(RankAllocator(nn.ModuleList([module]), config, "default").budget_schedule(step)[0])


@lru_cache(maxsize=4)
def adalora(case: Case) -> Trained:
    """Train with autograd; importance and masks by peft's allocator."""
    from peft import AdaLoraConfig
    from peft.tuners.adalora.layer import RankAllocator

    rank, warmup, final, interval = case.adalora
    model = nn.ModuleList(_started(case, rank))
    config = AdaLoraConfig(
        init_r=rank, target_r=case.budget // case.modules, tinit=warmup, tfinal=final, deltaT=interval, total_step=case.n_steps,
        beta1=case.betas[0], beta2=case.betas[1],
    )  # fmt: skip
    allocator = RankAllocator(model, config, "default")
    parts = [one.parts for one in model if isinstance(one, Triplets)]
    choices: list[tuple[int, Ranks]] = []
    pattern: dict[str, list[bool]] = {}
    last = case.n_steps - final
    for step, view in enumerate(views(case), 1):
        model.zero_grad()
        p, e, q = (torch.stack(tensors) for tensors in zip(*parts, strict=True))
        loss_of(case.penalty, p, q, p @ (e * q), view).backward()
        with torch.no_grad():
            for weights in model.parameters():
                if weights.grad is not None:
                    weights.sub_(case.step_size(step - 1) * weights.grad)
        if step <= last:
            allocator.update_ipt(model)
        if step == last or (warmup < step < last and step % interval == 0):
            pattern = allocator.mask_to_budget(model, budget_at(case, step))
            choices.append((step, tuple(sum(kept) for kept in pattern.values())))
        elif step > last:
            allocator.mask_using_rank_pattern(model, pattern)
    return Trained(tuple(choices), error_of(case, torch.stack([p @ (e * q) for p, e, q in parts]).detach()))


class Growing:
    """One module's triplets: all of a pool in order, the first `rank` with a λ that is trained, and one more in reserve."""

    def __init__(self, pool: Triplets, reserve: float) -> None:
        self.pool_p, _, self.pool_q = (tensor.detach() for tensor in pool.parts)
        self.reserve = torch.full((1,), reserve, dtype=torch.float64)
        self.p, self.q = self.pool_p[:, :2].clone().requires_grad_(), self.pool_q[:2].clone().requires_grad_()
        self.values = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    @property
    def leaves(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What is trained."""
        return self.p, self.values, self.q

    @property
    def rank(self) -> int:
        """Triplets in use."""
        return len(self.values)

    def update(self) -> torch.Tensor:
        """PΛQ, with the reserve while there is one."""
        held = torch.cat([self.values, self.reserve[: self.p.shape[1] - self.rank]])
        return self.p @ (held[:, None] * self.q)

    def grow(self) -> None:
        """Take the reserve into use, and the next of the pool into reserve."""
        count = self.rank + 2
        self.values = torch.cat([self.values.detach(), self.reserve]).requires_grad_()
        self.p = torch.cat([self.p.detach(), self.pool_p[:, count - 1 : count]], 1).requires_grad_()
        self.q = torch.cat([self.q.detach(), self.pool_q[count - 1 : count]]).requires_grad_()

    def stop(self) -> None:
        """Give up the reserve."""
        self.p = self.p.detach()[:, : self.rank].clone().requires_grad_()
        self.q = self.q.detach()[: self.rank].clone().requires_grad_()


@lru_cache(maxsize=4)
def increlora(case: Case) -> Trained:
    """Train modules that grow, each with one triplet in reserve while the budget is not spent."""
    warmup, interval, at_once, reserve = case.increlora
    modules = [Growing(pool, reserve) for pool in _started(case, case.budget - case.modules + 2)]
    means, spreads = [0.0] * case.modules, [0.0] * case.modules
    choices: list[tuple[int, Ranks]] = []
    scores, chosen = [], []
    growing = case.budget > case.modules
    if not growing:
        for one in modules:
            one.stop()
    for step, view in enumerate(views(case), 1):
        sensitivities = _descended(case, modules, view, case.step_size(step - 1))
        if not growing:
            continue
        for k, sensitivity in enumerate(sensitivities):
            means[k] += (1 - case.betas[0]) * (sensitivity - means[k])
            spreads[k] += (1 - case.betas[1]) * (abs(sensitivity - means[k]) - spreads[k])
        if step > warmup and step % interval == 0:
            score = [mean * spread for mean, spread in zip(means, spreads, strict=True)]
            count = min(at_once, case.budget - sum(one.rank for one in modules))
            best = sorted(sorted(range(case.modules), key=lambda k, s=score: -s[k])[:count])  # type: ignore[misc]
            for k in best:
                modules[k].grow()
            choices.append((step, tuple(one.rank for one in modules)))
            scores.append(tuple(score))
            chosen.append(tuple(best))
            growing = sum(one.rank for one in modules) < case.budget
            if not growing:
                for one in modules:
                    one.stop()
    final = torch.stack([one.update() for one in modules]).detach()
    return Trained(tuple(choices), error_of(case, final), tuple(scores), tuple(chosen))


def _descended(case: Case, modules: Sequence[Growing], view: torch.Tensor, rate: float) -> list[float]:
    """One step of gradient descent; returns each module's mean of |update·gradient| before it."""
    updates = torch.stack([one.update() for one in modules])
    uneven = [loss_of(case.penalty, one.p, one.q, view[0], view[0]) for one in modules]
    loss = (updates - view).square().sum() / 2 + torch.stack(uneven).sum()
    leaves = [tensor for one in modules for tensor in one.leaves]
    *gradients, by_update = torch.autograd.grad(loss, [*leaves, updates])
    with torch.no_grad():
        for weights, gradient in zip(leaves, gradients, strict=True):
            weights.sub_(rate * gradient)
    means: list[float] = (updates * by_update).detach().abs().mean((1, 2)).tolist()
    return means
