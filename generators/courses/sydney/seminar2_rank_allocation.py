"""Seminar 2, variants of LoRA: how DyLoRA, AdaLoRA and IncreLoRA set ranks, run on a small problem whose best ranks are known."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact
from generators.params import Exact, Params, PositiveExact, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics import rank_methods as methods
from generators.topics.rank_methods import Growth, Run, Schedule
from generators.topics.rank_problem import Problem, best_ranks, least_error, seeded_problem
from generators.topics.rank_seeds_tables import final_ranks, seeds_tables

MAX_CHOICES = 15
Beta = Annotated[Exact, Field(gt=0, lt=1)]


class Module(Params):
    """A module's name, and the singular values of its target."""

    name: Text
    singular_values: Annotated[list[Annotated[Exact, Field(gt=0, le=10)]], Field(min_length=1, max_length=6)]

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if self.singular_values != sorted(self.singular_values, reverse=True):
            shown = ", ".join(map(str, self.singular_values))
            raise ValueError(f"singular_values: must not rise from one to the next (got {shown})")
        return self


class Training(Params):
    """Plain gradient descent on noisy targets; ranks are chosen with `n_seeds` seeds from `seed` on."""

    n_steps: Annotated[int, Field(ge=10, le=1000)]
    learning_rate: PositiveExact
    noise: Annotated[Exact, Field(ge=0, le=1)]
    sigma: Annotated[Exact, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0)]
    n_seeds: Annotated[int, Field(ge=1, le=10)]


class DyLora(Params):
    """The largest rank that is trained."""

    largest_rank: PositiveInt


class TripletSettings(Params):
    """The penalty, and how slowly importance is averaged."""

    penalty: Annotated[Exact, Field(ge=0, le=0.25)]
    beta_1: Beta
    beta_2: Beta


class AdaLora(Params):
    """Ranks at the start, and when triplets are chosen."""

    initial_rank: PositiveInt
    warmup: Annotated[int, Field(ge=0)]
    final: PositiveInt
    interval: PositiveInt


class IncreLora(Params):
    """When modules grow, how many at a time, and λ of the triplet in reserve."""

    warmup: Annotated[int, Field(ge=0)]
    interval: PositiveInt
    at_once: PositiveInt
    reserve: Annotated[Exact, Field(ge=0, le=1)]


class RankAllocationParams(Params):
    """The problem, the total rank, and what each method is run with."""

    modules: Annotated[list[Module], Field(min_length=2, max_length=5)]
    width: Annotated[int, Field(ge=2, le=16)]
    budget: PositiveInt
    training: Training
    dylora: DyLora
    triplets: TripletSettings
    adalora: AdaLora
    increlora: IncreLora

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [module.name for module in self.modules]
        if len(set(names)) < len(names):
            raise ValueError(f"modules: must have different names (got {', '.join(names)})")
        longest = max(len(values) for values in self.spectra)
        if longest > self.width:
            raise ValueError(f"width: must be at least the {longest} singular values of a target (got {self.width})")
        if self.budget % len(names):
            raise ValueError(f"budget: must be divisible by the {len(names)} modules (got {self.budget})")
        self._check_learning_rate()
        self._check_dylora()
        self._check_adalora()
        self._check_increlora()
        return self

    def _check_learning_rate(self) -> None:
        """Gradient descent on PΛQ diverges where the rate times the curvature by P, about λ² + 8γ, comes near 2."""
        largest = float(max(values[0] for values in self.spectra)) + 2 * float(self.training.noise) * self.width**0.5
        highest = 1.5 / (max(1.0, largest**2) + 8 * float(self.triplets.penalty))
        if self.training.learning_rate > highest:
            rule = f"must be at most {highest:.3g} for these singular values, noise, width and penalty"
            raise ValueError(f"training.learning_rate: {rule} (got {float(self.training.learning_rate):g})")

    def _check_dylora(self) -> None:
        if not self.uniform_rank <= self.dylora.largest_rank <= self.width:
            rule = f"must be from {self.uniform_rank}, the budget of a module, to the width of {self.width}"
            raise ValueError(f"dylora.largest_rank: {rule} (got {self.dylora.largest_rank})")

    def _check_adalora(self) -> None:
        one, steps = self.adalora, self.training.n_steps
        if not self.uniform_rank < one.initial_rank <= self.width:
            rule = f"must be above {self.uniform_rank}, the budget of a module, and at most the width of {self.width}"
            raise ValueError(f"adalora.initial_rank: {rule} (got {one.initial_rank})")
        if one.warmup + one.final >= steps:
            raise ValueError(f"adalora: warmup and final must leave steps of {steps} (got {one.warmup} and {one.final})")
        choices = (steps - one.final - one.warmup) // one.interval
        if choices > MAX_CHOICES:
            raise ValueError(f"adalora.interval: must give at most {MAX_CHOICES} choices (got {choices})")

    def _check_increlora(self) -> None:
        one, growths = self.increlora, self.budget - len(self.modules)
        if growths + 2 > self.width:
            most = self.width + len(self.modules) - 2
            raise ValueError(f"budget: must be at most {most} at this width, as one module may get the rest (got {self.budget})")
        rounds = -(-growths // one.at_once)
        if rounds > MAX_CHOICES:
            raise ValueError(f"increlora.at_once: must spend the budget in at most {MAX_CHOICES} growths (got {rounds})")
        if (one.warmup // one.interval + rounds) * one.interval >= self.training.n_steps:
            steps = self.training.n_steps
            raise ValueError(f"increlora.interval: must spend the budget within {steps} steps (got {one.interval})")

    @property
    def uniform_rank(self) -> int:
        """What each module gets of the budget if all get the same."""
        return self.budget // len(self.modules)

    @property
    def names(self) -> tuple[str, ...]:
        """The modules' names."""
        return tuple(module.name for module in self.modules)

    @property
    def spectra(self) -> list[list[Fraction]]:
        """The targets' singular values."""
        return [module.singular_values for module in self.modules]

    def problem(self, seed: int) -> Problem:
        """The seeded targets and noise."""
        one = self.training
        return seeded_problem(self.spectra, self.width, one.n_steps, float(one.noise), float(one.learning_rate), seed)

    @property
    def schedule(self) -> Schedule:
        """AdaLoRA's budget over the steps."""
        one = self.adalora
        start = one.initial_rank * len(self.modules)
        return Schedule(start, self.budget, self.training.n_steps, one.warmup, one.final, one.interval)


def solve(params: RankAllocationParams) -> Answer:
    """Find the best ranks, run every method, and put their ranks and errors side by side."""
    first = params.training.seed
    problem = params.problem(first)
    adalora, increlora = triplet_runs(params, problem)
    best, dylora = _best(params), _dylora(params, problem)
    others = (params.problem(seed) for seed in range(first + 1, first + params.training.n_seeds))
    by_seed = [(adalora, increlora), *(triplet_runs(params, other) for other in others)]
    tables = {
        "methods": _methods(params, problem, dylora, by_seed[0]),
        **seeds_tables(params.spectra, params.budget, first, by_seed),
    }
    compared = Part(title="Side by side", tables=tables)
    return Answer({"1": best, "2": dylora, "3": _adalora(params, adalora), "4": _increlora(params, increlora), "5": compared})


def triplet_runs(params: RankAllocationParams, problem: Problem) -> tuple[Run, Run]:
    """AdaLoRA and IncreLoRA on the problem."""
    one, growth = params.triplets, params.increlora
    betas, penalty = (float(one.beta_1), float(one.beta_2)), float(one.penalty)
    increments = Growth(params.budget, growth.warmup, growth.interval, growth.at_once, float(growth.reserve))
    adalora = methods.fitted_adalora(problem, params.schedule, penalty, betas)
    return adalora, methods.fitted_increlora(problem, increments, penalty, betas)


def _best(params: RankAllocationParams) -> Part:
    ranks, spectra = best_ranks(params.spectra, params.budget), params.spectra
    uniform = [params.uniform_rank] * len(spectra)
    rows = tuple(
        (name, len(values), ", ".join(f"{float(value):g}" for value in values), exact(least_error([values], [0])), rank)
        for name, values, rank in zip(params.names, spectra, ranks, strict=True)
    )
    steps = {
        "best": Step(what="least error of the budget", symbol=r"E_{\text{best}}", value=exact(least_error(spectra, ranks))),
        "uniform": Step(
            what="least error with equal ranks", symbol=r"E_{\text{equal}}", value=exact(least_error(spectra, uniform))
        ),
    }  # fmt: skip
    header = ("Module", "Rank of the target", "Singular values", "Error untuned", "Best rank")
    return Part(title="The best ranks", steps=steps, tables={"modules": Table(header=header, rows=rows)})


def _dylora(params: RankAllocationParams, problem: Problem) -> Part:
    largest, sigma = params.dylora.largest_rank, float(params.training.sigma)
    nested, plain = methods.fitted_dylora(problem, largest, sigma), methods.fitted_lora(problem, largest, sigma)
    rows = []
    for rank in range(1, largest + 1):
        least = least_error(params.spectra, [rank] * len(params.modules))
        errors = (problem.error(one.update(rank)) for one in (nested, plain))
        rows.append((rank, *errors, exact(least)))
    header = ("Rank of every module", "DyLoRA", "LoRA, cut", "Least")
    return Part(title="DyLoRA", tables={"errors": Table(header=header, rows=tuple(rows))})


def _adalora(params: RankAllocationParams, run: Run) -> Part:
    one, plan = params.adalora, params.schedule
    now = one.warmup + (plan.n_steps - one.final - one.warmup + 1) // 2
    at: dict[sympy.Symbol, Value] = {
        methods.B_0: plan.start,
        methods.B_T: plan.target,
        methods.T: plan.n_steps,
        methods.T_I: one.warmup,
        methods.T_F: one.final,
        methods.NOW: now,
    }
    rows = tuple((event.step, plan.budget(event.step), *event.ranks) for event in run.events)
    tables = {"choices": Table(header=("Step", "Budget", *params.names), rows=rows)}
    return Part(title="AdaLoRA", steps={"budget": step("budget half way", "b(t)", methods.budget_formula(), at)}, tables=tables)


def _increlora(params: RankAllocationParams, run: Run) -> Part:
    rows: list[tuple[Cell, ...]] = []
    scores: list[tuple[Cell, ...]] = []
    for event in run.events:
        grown = ", ".join(params.names[number] for number in event.chosen)
        rows.append((event.step, grown, *event.ranks))
        scores.append((event.step, *(round(score / max(event.scores), 4) for score in event.scores)))
    tables = {
        "growth": Table(header=("Step", "Grows", *params.names), rows=tuple(rows)),
        "scores": Table(header=("Step", *params.names), rows=tuple(scores)),
    }
    return Part(title="IncreLoRA", tables=tables)


def _methods(params: RankAllocationParams, problem: Problem, dylora: Part, runs: tuple[Run, Run]) -> Table:
    rank, spectra = params.uniform_rank, params.spectra
    equal, best = (rank,) * len(spectra), tuple(best_ranks(spectra, params.budget))
    lora = methods.fitted_lora(problem, rank, float(params.training.sigma)).update(rank)
    nested = dylora.tables["errors"].rows[rank - 1][1]
    found: list[tuple[str, tuple[int, ...], Cell]] = [
        ("Best possible", best, exact(least_error(spectra, best))),
        ("LoRA, equal ranks", equal, problem.error(lora)),
        ("DyLoRA, cut to equal ranks", equal, nested),
    ]
    for name, run in zip(("AdaLoRA", "IncreLoRA"), runs, strict=True):
        found.append((name, final_ranks(run, len(spectra)), problem.error(run.update)))
    rows = tuple((name, *ranks, sum(ranks), error, exact(least_error(spectra, ranks))) for name, ranks, error in found)
    header = ("Method", *params.names, "Total", "Error", "Least with these ranks")
    return Table(header=header, rows=rows)


def verify(params: RankAllocationParams, answer: Answer) -> Iterator[Check]:
    """Try every allocation, and train all methods again with autograd, AdaLoRA with peft's own allocator."""
    from generators.oracles.rank_allocation import verify_ranks

    return verify_ranks(params, answer)


def draw(params: RankAllocationParams, answer: Answer) -> dict[str, Figure]:
    """Ranks over the steps of AdaLoRA and IncreLoRA, and errors over the rank of DyLoRA."""
    from generators.figures.rank_allocation import dylora_figure, ranks_figure

    starts = {"AdaLoRA": params.adalora.initial_rank, "IncreLoRA": 1}
    tables = {"AdaLoRA": answer["3"].tables["choices"], "IncreLoRA": answer["4"].tables["growth"]}
    return {
        "ranks": ranks_figure(params.names, starts, tables, params.training.n_steps),
        "dylora": dylora_figure(answer["2"].tables["errors"]),
    }


QUESTION = SelfVerifying(
    title="Setting ranks: DyLoRA, AdaLoRA, IncreLoRA",
    points=0,
    params=RankAllocationParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
