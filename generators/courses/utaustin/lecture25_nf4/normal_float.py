"""Four-bit codes for weights: NormalFloat, integers and floats, in blocks that share a scale.

Source: QLoRA, arXiv 2305.14314; each block's largest magnitude is scaled to 1, the largest level.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist

import numpy
import numpy.typing as npt

from generators.topics.quantization import dequantized, quantized, step_size

Blocks = tuple[npt.NDArray[numpy.float64], npt.NDArray[numpy.intp]]
"""Weights in blocks: the largest magnitude of each, and for every weight the number of its level."""

HALF = 8
"""Levels above zero of 16; one less stands below, and zero is a level itself."""
OUTERMOST = 1 - (Fraction(1, 30) + Fraction(1, 32)) / 2
"""Probability below the largest quantile: half of a sixteenth and of a fifteenth are left out at an end, on average."""
_DECIMALS = 12


def probabilities() -> list[Fraction]:
    """Probabilities of the 16 quantiles from the smallest: 7 evenly spaced ones, a half for zero, and 8 more."""
    below = [1 - OUTERMOST + (OUTERMOST - Fraction(1, 2)) * j / (HALF - 1) for j in range(HALF - 1)]
    above = [Fraction(1, 2) + (OUTERMOST - Fraction(1, 2)) * j / HALF for j in range(1, HALF + 1)]
    return [*below, Fraction(1, 2), *above]


def quantile(probability: Fraction) -> float:
    """Where a standard normal value lies below with this probability, to twelve decimals."""
    return round(NormalDist().inv_cdf(float(probability)), _DECIMALS) + 0.0


def normal_levels() -> tuple[float, ...]:
    """The quantiles over the largest of them, from -1 to 1."""
    largest = NormalDist().inv_cdf(float(OUTERMOST))
    return tuple(round(NormalDist().inv_cdf(float(p)) / largest, _DECIMALS) + 0.0 for p in probabilities())


MAGNITUDES = {
    "int4": tuple(Fraction(code) for code in range(8)),
    "fp4": tuple(Fraction(size, 2) for size in (0, 1, 2, 3, 4, 6, 8, 12)),
}
"""Of 4-bit integers, symmetric, and of floats with two bits of exponent and one of mantissa (E2M1)."""


def levels(name: str) -> tuple[float, ...]:
    """The different levels of nf4, int4 or fp4 from -1 to 1."""
    if name == "nf4":
        return normal_levels()
    sizes = MAGNITUDES[name]
    return tuple(sorted({float(sign * size / sizes[-1]) for sign in (-1, 1) for size in sizes}))


def uniform_weights(seed: int, count: int) -> list[float]:
    """Weights spread evenly from -1 to 1."""
    generator = random.Random(seed)
    return [generator.uniform(-1.0, 1.0) for _ in range(count)]


def in_blocks(weights: Sequence[float], block_len: int, name: str) -> Blocks:
    """Divide each block by its largest magnitude and take the nearest level."""
    table, points = numpy.array(weights).reshape(-1, block_len), numpy.array(levels(name))
    scales = numpy.abs(table).max(axis=1, keepdims=True)
    return scales, numpy.searchsorted((points[1:] + points[:-1]) / 2, table / scales)


def restored(blocks: Blocks, name: str, scales: Sequence[float] | None = None) -> list[float]:
    """Levels times the scales, or times others in their place."""
    factors = blocks[0] if scales is None else numpy.array(scales).reshape(-1, 1)
    values: list[float] = (numpy.array(levels(name))[blocks[1]] * factors).ravel().tolist()
    return values


def relative_error(found: Sequence[float], exact: Sequence[float]) -> float:
    """Root mean square of the error over that of the exact values."""
    off = math.fsum((ours - theirs) ** 2 for ours, theirs in zip(found, exact, strict=True))
    return math.sqrt(off / math.fsum(value * value for value in exact))


def block_error(weights: Sequence[float], block_len: int, name: str) -> float:
    """The relative error of weights kept in blocks."""
    return relative_error(restored(in_blocks(weights, block_len, name), name), weights)


def rounded_scales(scales: Sequence[float], block_len: int, bits: int) -> list[float]:
    """Scales less their mean as integers with a step a block, and what they stand for."""
    mean = math.fsum(scales) / len(scales)
    found = []
    for start in range(0, len(scales), block_len):
        rest = [scale - mean for scale in scales[start : start + block_len]]
        step = step_size(rest, bits)
        found += [mean + offset for offset in dequantized(quantized(rest, step), step)]
    return found
