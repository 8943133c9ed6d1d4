"""A small fitting problem on which ways of choosing ranks can be compared, and its best solution of a total rank.

Module k has a target T_k with given singular values and seeded singular vectors. Training sees noisy copies of the targets;
the error of updates W_k is Σ ½‖W_k − T_k‖² against the targets themselves, in the Frobenius norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spectra = Sequence[Sequence[Fraction]]
"""Singular values of every target, the largest first."""


@dataclass(frozen=True)
class Problem:
    """Targets (m, n, n), noise of every step (T, m, n, n), and the learning rate, which falls to 0 in the second half."""

    targets: Array
    noise: Array
    learning_rate: float
    seed: int

    @property
    def n_steps(self) -> int:
        """Training steps."""
        return len(self.noise)

    @property
    def width(self) -> int:
        """Rows and columns of a target."""
        return int(self.targets.shape[1])

    def seen(self, step: int) -> Array:
        """The noisy targets of a step, counted from 0."""
        shown: Array = self.targets + self.noise[step]
        return shown

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.learning_rate * min(1.0, 2 * (1 - step / self.n_steps))

    def error(self, update: Array) -> float:
        """Σ ½‖W − T‖², to four decimals."""
        return round(float(np.sum((update - self.targets) ** 2)) / 2, 4)


def seeded_problem(spectra: Spectra, width: int, n_steps: int, noise: float, learning_rate: float, seed: int) -> Problem:
    """Draw singular vectors (stream 0 of the seed) and noise (stream 2)."""
    vectors = np.random.default_rng([seed, 0])
    targets = np.stack([_target([float(value) for value in values], width, vectors) for values in spectra])
    drawn = np.random.default_rng([seed, 2]).standard_normal((n_steps, *targets.shape))
    return Problem(targets, noise * drawn, learning_rate, seed)


def _target(values: Sequence[float], width: int, generator: np.random.Generator) -> Array:
    left, right = (_orthonormal(generator.standard_normal((width, len(values)))) for _ in range(2))
    product: Array = (left * np.array(values)) @ right.T
    return product


def _orthonormal(columns: Array) -> Array:
    """Gram and Schmidt's columns, which a QR decomposition gives up to their signs."""
    q, r = np.linalg.qr(columns)
    signed: Array = q * np.sign(np.diag(r))
    return signed


def best_ranks(spectra: Spectra, budget: int) -> list[int]:
    """The ranks of least error: the largest singular values of all targets, of equal ones those of the first modules."""
    pool = sorted(((-value, number) for number, values in enumerate(spectra) for value in values))[:budget]
    return [sum(number == one for _, one in pool) for number in range(len(spectra))]


def least_error(spectra: Spectra, ranks: Sequence[int]) -> Fraction:
    """By Eckart and Young: half the squares of the singular values that the ranks leave out."""
    left_out = (value**2 for values, rank in zip(spectra, ranks, strict=True) for value in values[rank:])
    return sum(left_out, Fraction(0)) / 2
