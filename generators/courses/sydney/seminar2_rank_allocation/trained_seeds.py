"""Ranks that AdaLoRA and IncreLoRA end with from several seeds, all trained at once with autograd."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch

from generators.courses.sydney.seminar2_rank_allocation.trained_methods import Case, Ranks, budget_at, loss_of, pools, views


def _pools(cases: Sequence[Case], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """P (seeds, modules, n, count) and Q (seeds, modules, count, n) of every seed."""
    drawn = torch.stack([pools(case, count) for case in cases])
    return drawn[:, 0].contiguous(), drawn[:, 1].mT.contiguous()


def _smoothed(means: torch.Tensor, spreads: torch.Tensor, importance: torch.Tensor, betas: tuple[float, float]) -> None:
    """Move the running mean of the importance and that of its distance from the mean, in place."""
    means.lerp_(importance, 1 - betas[0])
    spreads.lerp_((importance - means).abs(), 1 - betas[1])


@lru_cache(maxsize=8)
def adalora_ranks(cases: tuple[Case, ...]) -> tuple[Ranks, ...]:
    """Train up to the last choice of triplets, which the final steps leave as it is."""
    case = cases[0]
    rank, warmup, final, interval = case.adalora
    p, q = _pools(cases, rank)
    e = torch.zeros(len(cases), case.modules, 1, rank, dtype=torch.float64)
    means, spreads = ([torch.zeros_like(one) for one in (p, e, q)] for _ in range(2))
    kept, last = torch.ones_like(e), case.n_steps - final
    for step, view in enumerate(torch.stack([views(one) for one in cases], 1)[:last], 1):
        weights = [one.requires_grad_() for one in (p, e, q)]
        gradients = torch.autograd.grad(loss_of(case.penalty, p, q, (p * e) @ q, view), weights)
        p, e, q = (one.detach() - case.step_size(step - 1) * by for one, by in zip(weights, gradients, strict=True))
        for one, by, mean, spread in zip((p, e, q), gradients, means, spreads, strict=True):
            _smoothed(mean, spread, (one * by).abs(), case.betas)
        if step == last or (warmup < step and step % interval == 0):
            of_p, of_e, of_q = (mean * spread for mean, spread in zip(means, spreads, strict=True))
            scores = (of_e + of_p.mean(2, keepdim=True) + of_q.mean(3)[:, :, None]).flatten(1)
            best = scores.topk(budget_at(case, step)).indices
            kept = torch.zeros_like(scores).scatter(1, best, 1).reshape(e.shape)
            e = e * kept
    return tuple(tuple(map(int, one)) for one in kept.sum((2, 3)).tolist())


@lru_cache(maxsize=8)
def increlora_ranks(cases: tuple[Case, ...]) -> tuple[Ranks, ...]:
    """Train until the budget is spent; every seed grows in the same steps."""
    case = cases[0]
    warmup, interval, at_once, reserve = case.increlora
    count = case.budget - case.modules + 2
    p, q = _pools(cases, count)
    places = torch.arange(count)
    e = torch.zeros(len(cases), case.modules, 1, count, dtype=torch.float64)
    ranks = torch.ones(len(cases), case.modules, dtype=torch.int64)
    means, spreads = (torch.zeros(ranks.shape, dtype=torch.float64) for _ in range(2))
    for step, view in enumerate(torch.stack([views(one) for one in cases], 1), 1):
        left = case.budget - int(ranks[0].sum())
        if not left:
            break
        used = ranks[:, :, None, None]
        e = torch.where(places == used, reserve, e)
        held = (places <= used).double()
        weights = [one.requires_grad_() for one in (p, e, q)]
        update = (p * e * held) @ q
        loss = loss_of(case.penalty, p * held, q * held.mT, update, view, held)
        *gradients, by_update = torch.autograd.grad(loss, [*weights, update])
        gradients[1] = gradients[1] * (places < used)
        p, e, q = (one.detach() - case.step_size(step - 1) * by for one, by in zip(weights, gradients, strict=True))
        _smoothed(means, spreads, (update * by_update).detach().abs().mean((2, 3)), case.betas)
        if step > warmup and step % interval == 0:
            chosen = (means * spreads).topk(min(at_once, left)).indices
            ranks = ranks.scatter_add(1, chosen, torch.ones_like(chosen))
    return tuple(tuple(one) for one in ranks.tolist())
