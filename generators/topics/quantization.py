"""Symmetric integer quantization with one step for a whole matrix, and the error it makes on seeded weights."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

Number = TypeVar("Number", float, Fraction)
"""What is quantized: measured weights, or fractions that are followed by hand."""


@lru_cache(maxsize=8)
def seeded_weights(seed: int, size: int) -> tuple[float, ...]:
    """The entries of a size×size matrix of standard normal values, from Python's own generator."""
    generator = random.Random(seed)
    return tuple(generator.gauss(0.0, 1.0) for _ in range(size * size))


def step_size(weights: Sequence[Number], bits: int) -> Number:
    """Δ, which puts the largest magnitude on the largest of the 2^(m-1) - 1 positive codes."""
    largest_code: int = 2 ** (bits - 1) - 1
    return max(map(abs, weights)) / largest_code


def quantized(weights: Sequence[Number], step: Number) -> list[int]:
    """The nearest integer to each weight in units of the step."""
    return [round(weight / step) for weight in weights]


def dequantized(codes: Sequence[int], step: Number) -> list[Number]:
    """Codes back in the weights' unit."""
    return [step * code for code in codes]
