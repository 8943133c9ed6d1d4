"""LoRA, DyLoRA, AdaLoRA and IncreLoRA on a small fitting problem, by plain gradient descent with gradients written out.

Sources: arXiv 2106.09685, 2210.07558, 2303.10512, 2308.12043. Module k has a target Y_k with given singular values and seeded
singular vectors; the error of updates Δ_k is Σ ½‖Δ_k − Y_k‖². All modules are trained together. The loss of a step is half the
squared distance to noisy targets, for PΛQ with a penalty on columns and rows that are not orthonormal.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

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


def low_rank_errors(problem: Problem, largest: int, *, nested: bool) -> list[float]:
    """Train BA from B = 0 and normal A (stream 1 of the seed), and cut it to ranks 1, 2 ... afterwards.

    DyLoRA's factors are `nested`: every step draws a rank up to the largest (stream 3) and trains the factors cut to it.
    """
    m, n = problem.n_modules, problem.width
    drawn = np.random.default_rng([problem.seed, 3]).integers(1, largest + 1, problem.n_steps)
    a = float(problem.params.training.sigma) * np.random.default_rng([problem.seed, 1]).standard_normal((m, largest, n))
    b = np.zeros((m, n, largest))
    for step, rank in enumerate(drawn if nested else [largest] * problem.n_steps):
        left, right = b[:, :, :rank], a[:, :rank]
        gradient = left @ right - problem.seen(step)
        to_b, to_a = gradient @ right.transpose(0, 2, 1), left.transpose(0, 2, 1) @ gradient
        left -= problem.rate(step) * to_b
        right -= problem.rate(step) * to_a
    return [problem.error(b[:, :, :rank] @ a[:, :rank]) for rank in range(1, largest + 1)]


class Smoothed:
    """Running means Ī of an importance I, and Ū of how far I is from Ī."""

    def __init__(self, params: RankAllocationParams) -> None:
        self.betas = float(params.triplets.beta_1), float(params.triplets.beta_2)
        self.mean: Array = np.zeros(())
        self.spread: Array = np.zeros(())

    def add(self, importance: Array) -> Array:
        """Take in the importance of one step, and return the score Ī·Ū."""
        one, two = self.betas
        self.mean = one * self.mean + (1 - one) * importance
        self.spread = two * self.spread + (1 - two) * np.abs(importance - self.mean)
        product: Array = self.mean * self.spread
        return product


class Triplets:
    """P (m, n, c), λ (m, c) and Q (m, c, n) of the update PΛQ; `present` marks the triplets that exist."""

    def __init__(self, problem: Problem, count: int) -> None:
        m, n = problem.n_modules, problem.width
        drawn = np.random.default_rng([problem.seed, 1]).standard_normal((2, m, n, count)) / np.sqrt(n)
        self.p, self.q = drawn[0], drawn[1].transpose(0, 2, 1).copy()
        self.values, self.present = np.zeros((m, count)), np.ones((m, count))
        self.penalty = float(problem.params.triplets.penalty)

    @property
    def update(self) -> Array:
        """PΛQ of the triplets that exist."""
        product: Array = (self.p * (self.values * self.present)[:, None]) @ self.q
        return product

    def descend(self, gradient: Array, rate: float, trained: Array) -> list[Array]:
        """One step from the gradient by the update; `trained` marks the λ that move. Returns the gradients of P, λ and Q."""
        held = self.values * self.present
        left, right = self.p * self.present[:, None], self.q * self.present[:, :, None]
        to_q, to_p = self.p.transpose(0, 2, 1) @ gradient, gradient @ self.q.transpose(0, 2, 1)
        eye = self.present[:, :, None] * np.eye(self.present.shape[1])
        by_p = to_p * held[:, None] + 4 * self.penalty * left @ (left.transpose(0, 2, 1) @ left - eye)
        by_q = held[:, :, None] * to_q + 4 * self.penalty * (right @ right.transpose(0, 2, 1) - eye) @ right
        by_values = (to_q * self.q).sum(2) * self.present
        self.p = self.p - rate * by_p
        self.values = self.values - rate * by_values * trained
        self.q = self.q - rate * by_q
        return [by_p, by_values, by_q]


class Choice(NamedTuple):
    """AdaLoRA's choice after a step, counted from 1: S of every triplet (m, c), and which stay."""

    step: int
    scores: Array
    kept: Array


class Growth(NamedTuple):
    """IncreLoRA's growth after a step, counted from 1: the module that grows, and what was logged of all modules before that."""

    step: int
    grown: int
    ranks: tuple[int, ...]
    errors: Array
    mean: Array
    spread: Array


class Run(NamedTuple):
    """The error of the final update, the last ranks, and everything that was decided on the way."""

    error: float
    ranks: tuple[int, ...]
    choices: list[Choice]
    growths: list[Growth]


def budget(params: RankAllocationParams, step: int) -> int:
    """AdaLoRA's triplets that may stay after a step, counted from 1: all until the warm-up is over, then down a cubic curve."""
    one, start = params.adalora, params.adalora.initial_rank * len(params.modules)
    span = params.training.n_steps - one.final - one.warmup
    left = 1 - Fraction(min(max(step - one.warmup, 0), span), span)
    return int((start - params.budget) * left**3 + params.budget)


def run_adalora(problem: Problem) -> Run:
    """AdaLoRA: λ of the least important triplets of all modules are set to 0, down to the budget."""
    params, setting, last = problem.params, problem.params.adalora, problem.n_steps - problem.params.adalora.final
    triplets = Triplets(problem, setting.initial_rank)
    smoothed = [Smoothed(params) for _ in range(3)]
    choices: list[Choice] = []
    for step in range(1, problem.n_steps + 1):
        by = triplets.descend(triplets.update - problem.seen(step - 1), problem.rate(step - 1), np.ones_like(triplets.values))
        weights = zip(smoothed, (triplets.p, triplets.values, triplets.q), by, strict=True)
        p, values, q = (one.add(np.abs(weight * gradient)) for one, weight, gradient in weights)
        chooses = step == last or (setting.warmup < step < last and step % setting.interval == 0)
        if chooses:
            choices.append(_most_important(step, values + p.mean(1) + q.mean(2), budget(params, step)))
        if chooses or step > last:
            triplets.values = triplets.values * choices[-1].kept
    return Run(problem.error(triplets.update), tuple(map(int, choices[-1].kept.sum(1))), choices, [])


def _most_important(step: int, scores: Array, budget: int) -> Choice:
    """As many triplets as the budget allows stay, those of the largest S."""
    kept = np.zeros(scores.size)
    kept[np.argsort(-scores, axis=None, kind="stable")[:budget]] = 1
    return Choice(step, scores, kept.reshape(scores.shape))


def run_increlora(problem: Problem) -> Run:
    """IncreLoRA: every module starts with one triplet, and holds one more in reserve with λ fixed until it is chosen.

    After the warm-up, every few steps the most important module grows by one triplet until the budget is spent.
    """
    params, setting, modules = problem.params, problem.params.increlora, problem.n_modules
    triplets, smoothed = Triplets(problem, params.budget - modules + 2), Smoothed(params)
    places = np.arange(triplets.values.shape[1])
    ranks = np.ones(modules, dtype=int)
    growths: list[Growth] = []
    for step in range(1, problem.n_steps + 1):
        growing = ranks.sum() < params.budget
        triplets.present = (places < (ranks + growing)[:, None]).astype(float)
        reserve = (places == ranks[:, None]) & growing
        triplets.values = np.where(reserve, float(setting.reserve), triplets.values)
        update = triplets.update
        gradient = update - problem.seen(step - 1)
        triplets.descend(gradient, problem.rate(step - 1), (places < ranks[:, None]).astype(float))
        scores = smoothed.add(np.abs(update * gradient).mean((1, 2)))
        if growing and step > setting.warmup and step % setting.interval == 0:
            grown, before = int(scores.argmax()), tuple(ranks.tolist())
            ranks[grown] += 1
            growths.append(Growth(step, grown, before, problem.errors(update), smoothed.mean, smoothed.spread))
    return Run(problem.error(triplets.update), tuple(ranks.tolist()), [], growths)
