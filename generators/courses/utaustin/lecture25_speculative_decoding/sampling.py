"""Many seeded rounds of speculative decoding, drawn with torch."""

from __future__ import annotations

from functools import lru_cache

import torch

from generators.courses.utaustin.lecture25_speculative_decoding.enumeration import Models


@lru_cache(maxsize=8)
def counted_pairs(models: Models, first: str, n: int, n_sequences: int, seed: int, *, again_from_target: bool) -> torch.Tensor:
    """How often each pair of first and second token is emitted (V×V) in `n_sequences` seeded runs.

    `again_from_target` draws a rejected token again from the target itself, which is wrong.
    """
    generator = torch.Generator().manual_seed(seed)
    target, draft = (
        torch.tensor([list(map(float, row)) for row in rows], dtype=torch.float64)
        for rows in (models.target_rows, models.draft_rows)
    )
    start = torch.full((n_sequences,), models.vocabulary.index(first))
    kept, one = _many_rounds(target, draft, start, n, generator, again_from_target=again_from_target)
    _, two = _many_rounds(target, draft, one[:, 0], n, generator, again_from_target=again_from_target)
    second = torch.where(kept == 0, two[:, 0], one[:, 1])
    size = len(models.vocabulary)
    return torch.bincount(one[:, 0] * size + second, minlength=size * size).view(size, size)


def _many_rounds(
    target: torch.Tensor, draft: torch.Tensor, start: torch.Tensor, n: int, generator: torch.Generator, *, again_from_target: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Kept tokens of each round, and what it emits (rounds × (n + 1)); what stands behind the last token means nothing."""
    befores = [start]
    for _ in range(n):
        befores.append(_picked(draft[befores[-1]], generator))
    before, drafted = torch.stack(befores[:-1], 1), torch.stack(befores[1:], 1)
    p, q = target[before, drafted], draft[before, drafted]
    fits = torch.rand(p.shape, generator=generator, dtype=p.dtype) * q < p
    kept = fits.long().cumprod(1).sum(1)
    place = torch.stack(befores, 1).gather(1, kept[:, None])[:, 0]
    from_target = (kept == n)[:, None] | torch.tensor(again_from_target)
    last = _picked(torch.where(from_target, target[place], (target[place] - draft[place]).clamp(min=0)), generator)
    emitted = torch.cat([drafted, last[:, None]], 1).scatter(1, kept[:, None], last[:, None])
    return kept, emitted


def _picked(weights: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One place a row, in proportion to the row's weights, which need not sum to 1."""
    ends = weights.cumsum(1)
    number = torch.rand(len(weights), 1, generator=generator, dtype=weights.dtype) * ends[:, -1:]
    return (number >= ends).sum(1).clamp(max=weights.shape[1] - 1)


def chi_square_tail(counts: torch.Tensor, shares: torch.Tensor) -> float:
    """The probability of counts at least as far off when `shares` (of the same shape, summing to 1) are true."""
    expected = (shares * counts.sum()).double().flatten()
    observed = counts.double().flatten()
    possible = expected > 0
    if observed[~possible].sum() > 0:
        return 0.0
    freedom = int(possible.sum()) - 1
    if freedom == 0:
        return 1.0
    statistic = ((observed - expected)[possible] ** 2 / expected[possible]).sum()
    return float(torch.special.gammaincc(torch.tensor(freedom / 2, dtype=torch.float64), statistic / 2))
