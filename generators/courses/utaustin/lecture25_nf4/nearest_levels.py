"""NF4's levels by torch, nearest levels by distance, and the errors of weights kept in blocks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

import torch


def shares() -> tuple[Fraction, ...]:
    """The share below each level: an end's distance from a half in 7 steps below it, and in 8 above."""
    end = (Fraction(29, 30) + Fraction(31, 32)) / 2 - Fraction(1, 2)
    below = [Fraction(1, 2) - end * (7 - step) / 7 for step in range(8)]
    return (*below, *(Fraction(1, 2) + end * step / 8 for step in range(1, 9)))


def quantiles() -> torch.Tensor:
    """The values below which a standard normal one lies with these probabilities."""
    found: torch.Tensor = torch.special.ndtri(torch.tensor([float(share) for share in shares()], dtype=torch.float64))
    return found


def levels(name: str) -> torch.Tensor:
    """The levels of nf4, int4 or fp4, the latter as products of mantissa and power of two."""
    if name == "nf4":
        return quantiles() / quantiles().max()
    if name == "int4":
        return torch.arange(-7, 8, dtype=torch.float64) / 7
    sizes = float_magnitudes()
    signed = sorted({float(sign * size) for sign in (-1, 1) for size in sizes})
    return torch.tensor(signed, dtype=torch.float64) / float(max(sizes))


def float_magnitudes() -> list[Fraction]:
    """Two bits of exponent and one of mantissa; without an exponent there is no leading one."""
    sizes = [(1 + Fraction(mantissa, 2)) * 2**exponent for exponent in range(3) for mantissa in range(2)]
    return [Fraction(0), Fraction(1, 2), *sizes]


def samples(seed: int, n_seeds: int, size: int, *, uniform: bool) -> Iterator[torch.Tensor]:
    """The weights of each seed in float64."""
    for one in range(seed, seed + n_seeds):
        generator = random.Random(one)
        drawn = [generator.uniform(-1, 1) if uniform else generator.gauss(0, 1) for _ in range(size * size)]
        yield torch.tensor(drawn, dtype=torch.float64)


def _kept(sample: torch.Tensor, block_len: int, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Each block's scale, and every weight's nearest level, found by all distances."""
    blocks = sample.reshape(-1, block_len)
    scales = blocks.abs().amax(1, keepdim=True)
    distances = ((blocks / scales).unsqueeze(-1) - levels(name)).abs_()
    return scales, levels(name)[distances.argmin(-1)]


def error(sample: torch.Tensor, block_len: int, name: str) -> float:
    """The relative error of weights kept in blocks; affine integers have sixteen evenly spaced levels from end to end."""
    if name == "affine":
        blocks = sample.reshape(-1, block_len)
        low, high = blocks.aminmax(dim=1, keepdim=True)
        points = low.lerp(high, torch.arange(16, dtype=torch.float64) / 15)
        off = (blocks.unsqueeze(-1) - points.unsqueeze(1)).abs_().amin(-1)
        return float(off.norm() / sample.norm())
    scales, nearest = _kept(sample, block_len, name)
    return _relative((nearest * scales).flatten(), sample)


def _relative(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


def doubly(sample: torch.Tensor, block_len: int, second: int, bits: int) -> tuple[float, float]:
    """The errors of scales as integers, and of the weights with these."""
    scales, nearest = _kept(sample, block_len, "nf4")
    flat = scales.flatten()
    rest = torch.nn.functional.pad(flat - flat.mean(), (0, -len(flat) % second)).reshape(-1, second)
    steps = rest.abs().amax(1, keepdim=True) / torch.iinfo({8: torch.int8, 16: torch.int16}[bits]).max
    again = (torch.round(rest / steps) * steps).flatten()[: len(flat)] + flat.mean()
    return _relative(again, flat), _relative((nearest * again[:, None]).flatten(), sample)
