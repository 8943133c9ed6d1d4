"""Quantizes the seeded weights again: with torch's rounding, with torch's own fake quantization, and in exact fractions."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import lru_cache

import torch

EXACT_WEIGHTS = 1024


@lru_cache(maxsize=4)
def sample(seed: int, size: int) -> torch.Tensor:
    """The size×size standard normal weights in float64."""
    generator = random.Random(seed)
    return torch.tensor([generator.gauss(0, 1) for _ in range(size * size)], dtype=torch.float64)


@lru_cache(maxsize=64)
def rounded_by_torch(seed: int, size: int, bits: int) -> tuple[float, ...]:
    """Δ, Δ/2, largest, RMS and relative error in float64."""
    weights = sample(seed, size)
    step = weights.abs().max() / (2 ** (bits - 1) - 1)
    errors = step * torch.round(weights / step) - weights
    rms = errors.square().mean().sqrt()
    return tuple(float(x) for x in (step, step / 2, errors.abs().max(), rms, errors.norm() / weights.norm()))


@lru_cache(maxsize=64)
def faked_by_torch(seed: int, size: int, bits: int) -> tuple[float, float]:
    """Δ and the largest error of torch.fake_quantize_per_tensor_affine on the weights in float32."""
    weights = sample(seed, size).float()
    largest_code = 2 ** (bits - 1) - 1
    step = float(weights.abs().max()) / largest_code
    back = torch.fake_quantize_per_tensor_affine(weights, step, 0, -largest_code, largest_code)
    return step, float((back - weights).abs().max())


@lru_cache(maxsize=64)
def beyond_half_a_step(seed: int, size: int, bits: int) -> Fraction:
    """By how much the largest error of the first weights exceeds Δ/2, in fractions, so that nothing but the codes is rounded."""
    weights = sample(seed, size)
    step = Fraction(float(weights.abs().max())) / (2 ** (bits - 1) - 1)
    first = map(Fraction, weights[:EXACT_WEIGHTS].tolist())
    largest = max(abs(step * round(weight / step) - weight) for weight in first)
    return Fraction(max(0, largest - step / 2))
