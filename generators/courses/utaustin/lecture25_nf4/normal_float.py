"""Four-bit codes for weights: NormalFloat, integers and floats, in blocks that share a scale.

Source: QLoRA, arXiv 2305.14314; each block's largest magnitude is scaled to 1, the largest level.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

import numpy
import numpy.typing as npt

from generators.topics.quantization import dequantized, quantized, step_size

Floats = npt.NDArray[numpy.float64]

HALF = 8
"""Levels above zero of 16; one less stands below, and zero is a level itself."""
OUTERMOST = 1 - (Fraction(1, 30) + Fraction(1, 32)) / 2
"""Share of the weights below the largest quantile: the middle of the last of 15 equal shares and of 16, on average."""
MAGNITUDES = {
    "int4": tuple(Fraction(code) for code in range(8)),
    "fp4": tuple(Fraction(size, 2) for size in (0, 1, 2, 3, 4, 6, 8, 12)),
}
"""Of 4-bit integers, symmetric, and of floats with two bits of exponent and one of mantissa (E2M1)."""
_DECIMALS = 12


def probabilities() -> list[Fraction]:
    """Shares of the weights below the 16 quantiles: 7 evenly spaced ones, a half for zero, and 8 more."""
    below = [1 - OUTERMOST + (OUTERMOST - Fraction(1, 2)) * j / (HALF - 1) for j in range(HALF - 1)]
    above = [Fraction(1, 2) + (OUTERMOST - Fraction(1, 2)) * j / HALF for j in range(1, HALF + 1)]
    return [*below, Fraction(1, 2), *above]


def largest_quantile() -> float:
    """Where a standard normal value lies below with the outermost probability."""
    return NormalDist().inv_cdf(float(OUTERMOST))


def normal_levels() -> tuple[float, ...]:
    """The quantiles over the largest of them, from -1 to 1, to twelve decimals."""
    return tuple(round(NormalDist().inv_cdf(float(p)) / largest_quantile(), _DECIMALS) + 0.0 for p in probabilities())


def levels(name: str) -> tuple[float, ...]:
    """The different levels of nf4, int4 or fp4 from -1 to 1."""
    if name == "nf4":
        return normal_levels()
    sizes = MAGNITUDES[name]
    return tuple(sorted({float(sign * size / sizes[-1]) for sign in (-1, 1) for size in sizes}))


@lru_cache(maxsize=8)
def uniform_weights(seed: int, size: int) -> tuple[float, ...]:
    """As many weights as a size×size matrix holds, spread evenly from -1 to 1."""
    generator = random.Random(seed)
    return tuple(generator.uniform(-1.0, 1.0) for _ in range(size * size))


def in_blocks(weights: Sequence[float], block_len: int, name: str) -> tuple[Floats, Floats]:
    """Each block's largest magnitude, and for every weight the level nearest to it when divided by that."""
    table, points = numpy.array(weights).reshape(-1, block_len), numpy.array(levels(name))
    scales = numpy.abs(table).max(axis=1, keepdims=True)
    return scales, points[numpy.searchsorted((points[1:] + points[:-1]) / 2, table / scales)]


def affine(weights: Sequence[float], block_len: int) -> Floats:
    """What sixteen evenly spaced levels from each block's smallest weight to its largest give back."""
    table = numpy.array(weights).reshape(-1, block_len)
    low, high = table.min(axis=1, keepdims=True), table.max(axis=1, keepdims=True)
    step = (high - low) / 15
    restored: Floats = low + numpy.rint((table - low) / step) * step
    return restored


def relative_error(found: Sequence[float] | Floats, exact: Sequence[float]) -> float:
    """Root mean square of the error over that of the exact values."""
    off = math.fsum((ours - theirs) ** 2 for ours, theirs in zip(numpy.ravel(found).tolist(), exact, strict=True))
    return math.sqrt(off / math.fsum(value * value for value in exact))


@lru_cache(maxsize=128)  # a page that follows changed numbers is solved once more
def block_error(weights: tuple[float, ...], block_len: int, name: str) -> float:
    """The relative error of weights kept in blocks, as nf4, int4, fp4 or affine."""
    if name == "affine":
        return relative_error(affine(weights, block_len), weights)
    scales, nearest = in_blocks(weights, block_len, name)
    return relative_error(scales * nearest, weights)


def rounded_scales(scales: Sequence[float], block_len: int, bits: int) -> list[float]:
    """Scales less their mean as integers with a step a block, and what they stand for."""
    mean = math.fsum(scales) / len(scales)
    found = []
    for start in range(0, len(scales), block_len):
        rest = [scale - mean for scale in scales[start : start + block_len]]
        step = step_size(rest, bits)
        found += [mean + offset for offset in dequantized(quantized(rest, step), step)]
    return found


@lru_cache(maxsize=8)
def doubly_quantized(weights: tuple[float, ...], block_len: int, second: int, bits: int) -> tuple[float, float]:
    """The relative errors of scales kept as integers, and of NF4's weights with these."""
    scales, nearest = in_blocks(weights, block_len, "nf4")
    again = rounded_scales(scales.ravel().tolist(), second, bits)
    return relative_error(again, scales.ravel().tolist()), relative_error(numpy.array(again)[:, None] * nearest, weights)
