"""LoRA, DyLoRA, AdaLoRA and IncreLoRA on the small fitting problem, by plain gradient descent with gradients written out.

Sources: arXiv 2106.09685, 2210.07558, 2303.10512, 2308.12043. All modules are trained together; the loss of a step is half
the squared distance of the updates to the noisy targets, for PΛQ with a penalty on columns and rows that are not orthonormal.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy
from numpy.typing import NDArray

from generators.courses.sydney.seminar2_rank_allocation.rank_problem import Array, Problem

B_0, B_T, T, T_I, T_F, NOW = sympy.symbols("b_0 b_T T t_i t_f t", positive=True)


@dataclass(frozen=True)
class Factors:
    """B (m, n, r) and A (m, r, n) of the update BA."""

    b: Array
    a: Array

    def update(self, rank: int) -> Array:
        """The update of the first `rank` columns of B and rows of A."""
        product: Array = self.b[:, :, :rank] @ self.a[:, :rank]
        return product


def fitted_lora(problem: Problem, rank: int, sigma: float) -> Factors:
    """LoRA of one rank for all modules."""
    return _descended(problem, np.full(problem.n_steps, rank), rank, sigma)


def fitted_dylora(problem: Problem, largest: int, sigma: float) -> Factors:
    """DyLoRA: every step draws a rank up to the largest (stream 3 of the seed) and trains the factors cut to it."""
    ranks = np.random.default_rng([problem.seed, 3]).integers(1, largest + 1, problem.n_steps)
    return _descended(problem, ranks, largest, sigma)


def _descended(problem: Problem, ranks: NDArray[np.int64], largest: int, sigma: float) -> Factors:
    """Start from B = 0 and normal A (stream 1), and train what each step's rank keeps."""
    m, n = problem.targets.shape[:2]
    a = sigma * np.random.default_rng([problem.seed, 1]).standard_normal((m, largest, n))
    b = np.zeros((m, n, largest))
    for step, rank in enumerate(ranks):
        left, right = b[:, :, :rank], a[:, :rank]
        gradient = left @ right - problem.seen(step)
        to_b, to_a = gradient @ right.transpose(0, 2, 1), left.transpose(0, 2, 1) @ gradient
        left -= problem.rate(step) * to_b
        right -= problem.rate(step) * to_a
    return Factors(b, a)


class Smoothed:
    """Importance Ī·Ū: a running mean of I, and a running mean of how far I is from it."""

    def __init__(self, beta_1: float, beta_2: float) -> None:
        self.betas = beta_1, beta_2
        self.mean: Array = np.zeros(())
        self.spread: Array = np.zeros(())

    def add(self, importance: Array) -> None:
        """Take in the importance of one step."""
        one, two = self.betas
        self.mean = one * self.mean + (1 - one) * importance
        self.spread = two * self.spread + (1 - two) * np.abs(importance - self.mean)

    @property
    def score(self) -> Array:
        """The product of both."""
        product: Array = self.mean * self.spread
        return product


class Triplets:
    """P (m, n, c), λ (m, c) and Q (m, c, n) of the update PΛQ; `present` marks the triplets that exist."""

    def __init__(self, problem: Problem, count: int, penalty: float) -> None:
        m, n = problem.targets.shape[:2]
        drawn = np.random.default_rng([problem.seed, 1]).standard_normal((2, m, n, count)) / np.sqrt(n)
        self.p: Array = drawn[0]
        self.q: Array = drawn[1].transpose(0, 2, 1).copy()
        self.values: Array = np.zeros((m, count))
        self.present: Array = np.ones((m, count))
        self.penalty = penalty

    @property
    def update(self) -> Array:
        """PΛQ of the triplets that exist."""
        product: Array = (self.p * (self.values * self.present)[:, None]) @ self.q
        return product

    def gradients(self, gradient: Array) -> tuple[Array, Array, Array]:
        """Of P, λ and Q, from the gradient by the update and from the penalty on the triplets that exist."""
        held = self.values * self.present
        left, right = self.p * self.present[:, None], self.q * self.present[:, :, None]
        to_q, to_p = self.p.transpose(0, 2, 1) @ gradient, gradient @ self.q.transpose(0, 2, 1)
        eye = self.present[:, :, None] * np.eye(self.present.shape[1])
        by_p = to_p * held[:, None] + 4 * self.penalty * left @ (left.transpose(0, 2, 1) @ left - eye)
        by_q = held[:, :, None] * to_q + 4 * self.penalty * (right @ right.transpose(0, 2, 1) - eye) @ right
        by_values = (to_q * self.q).sum(2) * self.present
        return by_p, by_values, by_q

    def descend(self, by: tuple[Array, Array, Array], rate: float, trained: Array) -> None:
        """One step; `trained` marks the λ that move."""
        self.p = self.p - rate * by[0]
        self.values = self.values - rate * by[1] * trained
        self.q = self.q - rate * by[2]


@dataclass(frozen=True)
class Schedule:
    """AdaLoRA's budget: the whole until `warmup`, then down a cubic curve to the target, kept for the `final` last steps."""

    start: int
    target: int
    n_steps: int
    warmup: int
    final: int
    interval: int

    def budget(self, step: int) -> int:
        """Triplets that may stay after a step, counted from 1."""
        if step <= self.warmup:
            return self.start
        if step > self.n_steps - self.final:
            return self.target
        left = 1 - Fraction(step - self.warmup, self.n_steps - self.final - self.warmup)
        return int((self.start - self.target) * left**3 + self.target)

    def prunes(self, step: int) -> bool:
        """Whether triplets are chosen after this step."""
        last = self.n_steps - self.final
        return step == last or (self.warmup < step < last and step % self.interval == 0)


def budget_formula() -> sympy.Expr:
    """The same between warm-up and the final steps, as a formula."""
    return sympy.floor(B_T + (B_0 - B_T) * (1 - (NOW - T_I) / (T - T_F - T_I)) ** 3)


@dataclass(frozen=True)
class Event:
    """What was decided after a step, counted from 1: ranks by module, and the modules' scores where these decide."""

    step: int
    ranks: tuple[int, ...]
    scores: tuple[float, ...] = ()
    chosen: tuple[int, ...] = ()


@dataclass(frozen=True)
class Run:
    """The final update, and everything that was decided on the way."""

    update: Array
    events: tuple[Event, ...]


def fitted_adalora(problem: Problem, schedule: Schedule, penalty: float, betas: tuple[float, float]) -> Run:
    """AdaLoRA: λ of the least important triplets of all modules are set to 0, down to the budget."""
    modules = len(problem.targets)
    triplets = Triplets(problem, schedule.start // modules, penalty)
    smoothed = [Smoothed(*betas) for _ in range(3)]
    kept = np.ones_like(triplets.values)
    events = []
    for step in range(1, problem.n_steps + 1):
        by = triplets.gradients(triplets.update - problem.seen(step - 1))
        triplets.descend(by, problem.rate(step - 1), np.ones_like(kept))
        if step <= schedule.n_steps - schedule.final:
            for one, weights, gradient in zip(smoothed, (triplets.p, triplets.values, triplets.q), by, strict=True):
                one.add(np.abs(weights * gradient))
        if schedule.prunes(step):
            kept = _most_important(smoothed, schedule.budget(step))
            events.append(Event(step, tuple(int(count) for count in kept.sum(1))))
        if schedule.prunes(step) or step > schedule.n_steps - schedule.final:
            triplets.values = triplets.values * kept
    return Run(triplets.update, tuple(events))


def _most_important(smoothed: list[Smoothed], budget: int) -> Array:
    """1 for the triplets that stay: S of λ, and means of S over the column of P and the row of Q."""
    p, values, q = (one.score for one in smoothed)
    scores = values + p.mean(1) + q.mean(2)
    dropped = np.argsort(scores, axis=None, kind="stable")[: scores.size - budget]
    kept = np.ones(scores.size)
    kept[dropped] = 0
    return kept.reshape(scores.shape)


@dataclass(frozen=True)
class Growth:
    """IncreLoRA's increments: after `warmup`, every `interval` steps the `at_once` most important modules grow by one."""

    target: int
    warmup: int
    interval: int
    at_once: int
    reserve: float


def fitted_increlora(problem: Problem, growth: Growth, penalty: float, betas: tuple[float, float]) -> Run:
    """IncreLoRA: every module starts with one triplet, and holds one more in reserve with λ fixed until it is chosen."""
    modules = len(problem.targets)
    triplets = Triplets(problem, growth.target - modules + 2, penalty)
    places = np.arange(triplets.values.shape[1])
    ranks = np.ones(modules, dtype=int)
    smoothed = Smoothed(*betas)
    events: list[Event] = []
    for step in range(1, problem.n_steps + 1):
        growing = ranks.sum() < growth.target
        triplets.present = (places < (ranks + growing)[:, None]).astype(float)
        reserve = (places == ranks[:, None]) & growing
        triplets.values = np.where(reserve, growth.reserve, triplets.values)
        update = triplets.update
        gradient = update - problem.seen(step - 1)
        triplets.descend(triplets.gradients(gradient), problem.rate(step - 1), (places < ranks[:, None]).astype(float))
        if growing:
            smoothed.add(np.abs(update * gradient).mean((1, 2)))
            if step > growth.warmup and step % growth.interval == 0:
                count = min(growth.at_once, growth.target - int(ranks.sum()))
                chosen = np.sort(np.argsort(-smoothed.score, kind="stable")[:count])
                ranks[chosen] += 1
                events.append(Event(step, tuple(ranks.tolist()), tuple(smoothed.score.tolist()), tuple(chosen.tolist())))
    return Run(triplets.update, tuple(events))
