"""A small fitting problem on which ways of choosing ranks can be compared, and its best solution of a total rank.

Module k has a target Y_k with given singular values and seeded singular vectors. Training sees noisy copies of the targets;
the error of updates Δ_k is Σ ½‖Δ_k − Y_k‖² against the targets themselves, in the Frobenius norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams

Array = NDArray[np.float64]
Spectra = Sequence[Sequence[Fraction]]
"""Singular values of every target, the largest first."""


class Problem:
    """Targets (m, n, n) with singular vectors of stream 0 of the seed, and noise (T, m, n, n) of stream 2."""

    def __init__(self, params: RankAllocationParams, seed: int) -> None:
        self.params, self.seed = params, seed
        self.n_steps, self.width, self.n_modules = params.training.n_steps, params.width, len(params.modules)
        vectors, spectra = np.random.default_rng([seed, 0]), (one.singular_values for one in params.modules)
        self.targets: Array = np.stack([_target([float(value) for value in values], self.width, vectors) for values in spectra])
        drawn = np.random.default_rng([seed, 2]).standard_normal((self.n_steps, *self.targets.shape))
        self.noise: Array = float(params.training.noise) * drawn

    def seen(self, step: int) -> Array:
        """The noisy targets of a step, counted from 0."""
        shown: Array = self.targets + self.noise[step]
        return shown

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0; it falls to 0 in the second half."""
        return float(self.params.training.learning_rate) * min(1.0, 2 * (1 - step / self.n_steps))

    def errors(self, update: Array) -> Array:
        """½‖Δ − Y‖² of every module."""
        halved: Array = ((update - self.targets) ** 2).sum((1, 2)) / 2
        return halved

    def error(self, update: Array) -> float:
        """Their sum, to four decimals."""
        return round(float(self.errors(update).sum()), 4)


def _target(values: Sequence[float], width: int, generator: np.random.Generator) -> Array:
    left, right = (_orthonormal(generator.standard_normal((width, len(values)))) for _ in range(2))
    product: Array = (left * np.array(values)) @ right.T
    return product


def _orthonormal(columns: Array) -> Array:
    """Gram and Schmidt's columns, which a QR decomposition gives up to their signs."""
    q, r = np.linalg.qr(columns)
    signed: Array = q * np.sign(np.diag(r))
    return signed


def best_ranks(spectra: Spectra, budget: int) -> tuple[int, ...]:
    """The ranks of least error: the largest singular values of all targets, of equal ones those of the first modules."""
    pool = sorted(((-value, number) for number, values in enumerate(spectra) for value in values))[:budget]
    return tuple(sum(number == one for _, one in pool) for number in range(len(spectra)))


def least_error(spectra: Spectra, ranks: Sequence[int]) -> Fraction:
    """By Eckart and Young: half the squares of the singular values that the ranks leave out."""
    left_out = (value**2 for values, rank in zip(spectra, ranks, strict=True) for value in values[rank:])
    return sum(left_out, Fraction(0)) / 2
