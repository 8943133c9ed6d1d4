"""The seeded problem of an entry, and the runs of AdaLoRA and IncreLoRA on it."""

from __future__ import annotations

from generators.courses.sydney.seminar2_rank_allocation import rank_methods as methods
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.courses.sydney.seminar2_rank_allocation.rank_methods import Growth, Run, Schedule
from generators.courses.sydney.seminar2_rank_allocation.rank_problem import (
    Problem,
    Spectra,
    best_ranks,
    least_error,
    seeded_problem,
)

Ranks = tuple[int, ...]


def problem_of(params: RankAllocationParams, seed: int) -> Problem:
    """The seeded targets and noise."""
    one = params.training
    return seeded_problem(spectra_of(params), params.width, one.n_steps, float(one.noise), float(one.learning_rate), seed)


def spectra_of(params: RankAllocationParams) -> Spectra:
    """The targets' singular values."""
    return [module.singular_values for module in params.modules]


def uniform_ranks(params: RankAllocationParams) -> Ranks:
    """What each module gets of the budget if all get the same."""
    return (params.budget // len(params.modules),) * len(params.modules)


def schedule_of(params: RankAllocationParams) -> Schedule:
    """AdaLoRA's budget over the steps."""
    one = params.adalora
    start = one.initial_rank * len(params.modules)
    return Schedule(start, params.budget, params.training.n_steps, one.warmup, one.final, one.interval)


def triplet_runs(params: RankAllocationParams, problem: Problem) -> tuple[Run, Run]:
    """AdaLoRA and IncreLoRA on the problem."""
    one, growth = params.triplets, params.increlora
    betas, penalty = (float(one.beta_1), float(one.beta_2)), float(one.penalty)
    increments = Growth(params.budget, growth.warmup, growth.interval, growth.at_once, float(growth.reserve))
    adalora = methods.fitted_adalora(problem, schedule_of(params), penalty, betas)
    return adalora, methods.fitted_increlora(problem, increments, penalty, betas)


def final_ranks(run: Run, modules: int) -> Ranks:
    """The ranks after the last choice, 1 for every module where there was none."""
    return run.events[-1].ranks if run.events else (1,) * modules


def is_best(params: RankAllocationParams, ranks: Ranks) -> bool:
    """Whether ranks leave the least error that the budget allows."""
    spectra = spectra_of(params)
    return least_error(spectra, ranks) == least_error(spectra, best_ranks(spectra, params.budget))
