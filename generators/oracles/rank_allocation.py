"""Finds ranks and errors of LoRA's variants again: every allocation listed, targets cut by SVD, and all training repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import nn

from generators.answer import Cell, rational
from generators.oracles.compare import close, close_rows, same, same_formulas, same_letters, same_rows
from generators.oracles.rank_seeds import adalora_ranks, increlora_ranks
from generators.oracles.rank_training import (
    Case,
    Ranks,
    Triplets,
    adalora,
    budget_at,
    error_of,
    increlora,
    low_rank_errors,
    targets,
)
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_rank_allocation import RankAllocationParams

AUTOGRAD = "torch autograd, float64"
LISTED = "enumeration of all allocations"
TOLERANCE = 2e-4  # errors are published to four decimals
OTHER_BUDGET = {"b_0": 24, "b_T": 5, "T": 100, "t_i": 10, "t_f": 30, "t": 33}


def _case(params: RankAllocationParams) -> Case:
    training, three, ada, incre = params.training, params.triplets, params.adalora, params.increlora
    return Case(
        spectra=tuple(tuple(module.singular_values) for module in params.modules),
        width=params.width, budget=params.budget, n_steps=training.n_steps, rate=float(training.learning_rate),
        noise=float(training.noise), sigma=float(training.sigma), seed=training.seed, penalty=float(three.penalty),
        betas=(float(three.beta_1), float(three.beta_2)),
        adalora=(ada.initial_rank, ada.warmup, ada.final, ada.interval),
        increlora=(incre.warmup, incre.interval, incre.at_once, float(incre.reserve)),
        largest=params.dylora.largest_rank,
    )  # fmt: skip


@lru_cache(maxsize=8)
def best_allocation(spectra: tuple[tuple[Fraction, ...], ...], budget: int) -> tuple[Ranks, Fraction]:
    """Of all allocations within the budget the one of least error, of equal ones that with more for the first modules."""
    dropped = [[sum((s**2 for s in values[rank:]), Fraction(0)) / 2 for rank in range(len(values) + 1)] for values in spectra]
    allocations = (ranks for ranks in product(*(range(len(one)) for one in dropped)) if sum(ranks) <= budget)
    error, negative = min(
        (sum(one[rank] for one, rank in zip(dropped, ranks, strict=True)), tuple(-rank for rank in ranks))
        for ranks in allocations
    )
    return tuple(-rank for rank in negative), Fraction(error)


@lru_cache(maxsize=64)
def least_by_svd(case: Case, ranks: Ranks) -> float:
    """Cut torch's singular value decomposition of the targets to the ranks, and measure what is missing."""
    u, s, v = torch.linalg.svd(targets(case))
    cut = torch.stack([u[k][:, :r] * s[k][:r] @ v[k][:r] for k, r in enumerate(ranks)])
    return error_of(case, cut)


def verify_ranks(params: RankAllocationParams, answer: Answer) -> Iterator[Check]:
    """Check the best ranks, every run, and the comparison."""
    case = _case(params)
    yield from _check_best(params, case, answer["1"])
    plain, nested = (low_rank_errors(case, case.largest, nested=nested) for nested in (False, True))
    errors: list[tuple[Cell, ...]] = [
        (rank, nested[rank - 1], plain[rank - 1], least_by_svd(case, (rank,) * case.modules))
        for rank in range(1, case.largest + 1)
    ]
    yield close_rows(
        "2, errors by rank", answer["2"].tables["errors"], errors, f"{AUTOGRAD}; torch.linalg.svd", TOLERANCE, TOLERANCE
    )
    yield from _check_adalora(case, answer["3"])
    yield from _check_increlora(params, case, answer["4"])
    yield from _check_methods(case, nested, answer["5"])
    yield from _check_seeds(case, params.training.n_seeds, answer["5"])


def _check_best(params: RankAllocationParams, case: Case, part: Part) -> Iterator[Check]:
    ranks, error = best_allocation(case.spectra, case.budget)
    equal = (case.budget // case.modules,) * case.modules
    yield same("1, least error of the budget", part["best"].value, error, LISTED)
    yield close("1, least error of the budget", part["best"].value, least_by_svd(case, ranks), "torch.linalg.svd of the targets")
    yield close(
        "1, least error with equal ranks", part["uniform"].value, least_by_svd(case, equal), "torch.linalg.svd of the targets"
    )
    found = torch.linalg.matrix_rank(targets(case)).tolist()
    untuned = targets(case).square().sum((1, 2)) / 2
    rows: list[tuple[Cell, ...]] = [
        (module.name, found[k], ", ".join(f"{float(s):g}" for s in case.spectra[k]), float(untuned[k]), ranks[k])
        for k, module in enumerate(params.modules)
    ]
    yield close_rows("1, modules", part.tables["modules"], rows, f"torch.linalg.matrix_rank; {LISTED}")


def _check_adalora(case: Case, part: Part) -> Iterator[Check]:
    from peft import __version__

    _, warmup, final, _ = case.adalora
    now = warmup + (case.n_steps - final - warmup + 1) // 2
    yield same("3, budget half way", part["budget"].value, budget_at(case, now), "whole numbers")
    by = f"peft {__version__}, budget_schedule"
    yield same_formulas("3, budget", [("b(t)", part["budget"].formula, budget_of_peft())], OTHER_BUDGET, by)
    ends = (budget_at(case, 0), budget_at(case, case.n_steps))
    letters = {"b_0": ends[0], "b_T": ends[1], "T": case.n_steps, "t_i": warmup, "t_f": final, "t": now}
    yield same_letters("3, numbers put in", part.steps, letters)
    rows = [(step, budget_at(case, step), *ranks) for step, ranks in adalora(case).choices]
    yield same_rows("3, ranks", part.tables["choices"], rows, f"{AUTOGRAD}; peft {__version__}, RankAllocator")


@lru_cache(maxsize=1)
def budget_of_peft() -> int:
    """What peft's schedule gives at the other sizes, for four modules."""
    from peft import AdaLoraConfig
    from peft.tuners.adalora.layer import RankAllocator

    sizes = OTHER_BUDGET
    config = AdaLoraConfig(
        init_r=sizes["b_0"], target_r=sizes["b_T"], tinit=sizes["t_i"], tfinal=sizes["t_f"], total_step=sizes["T"]
    )
    module = Triplets(torch.zeros(1, sizes["b_0"]), torch.zeros(sizes["b_0"], 1))
    return int(RankAllocator(nn.ModuleList([module]), config, "default").budget_schedule(sizes["t"])[0])


def _check_increlora(params: RankAllocationParams, case: Case, part: Part) -> Iterator[Check]:
    run, names = increlora(case), [module.name for module in params.modules]
    rows: list[tuple[Cell, ...]] = [
        (step, ", ".join(names[k] for k in chosen), *ranks) for (step, ranks), chosen in zip(run.choices, run.chosen, strict=True)
    ]
    shares: list[tuple[Cell, ...]] = [
        (step, *(score / max(scores) for score in scores)) for (step, _), scores in zip(run.choices, run.scores, strict=True)
    ]
    if rows:
        yield same_rows("4, modules that grow", part.tables["growth"], rows, AUTOGRAD)
        yield close_rows("4, scores", part.tables["scores"], shares, AUTOGRAD, TOLERANCE, TOLERANCE)


def _check_methods(case: Case, nested: Sequence[float], part: Part) -> Iterator[Check]:
    rank, best = case.budget // case.modules, best_allocation(case.spectra, case.budget)[0]
    equal, one = (rank,) * case.modules, (1,) * case.modules
    runs = (adalora(case), increlora(case))
    found = [
        ("Best possible", best, least_by_svd(case, best)),
        ("LoRA, equal ranks", equal, low_rank_errors(case, rank, nested=False)[-1]),
        ("DyLoRA, cut to equal ranks", equal, nested[rank - 1]),
        *(
            (name, run.choices[-1][1] if run.choices else one, run.error)
            for name, run in zip(("AdaLoRA", "IncreLoRA"), runs, strict=True)
        ),
    ]
    rows: list[tuple[Cell, ...]] = [
        (name, *ranks, sum(ranks), error, least_by_svd(case, ranks)) for name, ranks, error in found
    ]  # fmt: skip
    yield close_rows("5, methods", part.tables["methods"], rows, f"{AUTOGRAD}; torch.linalg.svd", TOLERANCE, TOLERANCE)
    below = [str(row[0]) for row in part.tables["methods"].rows[1:] if _number(row[-2]) < _number(row[-1]) - 1e-3]
    yield same(
        "5, methods below the least error of their ranks", ", ".join(below) or "none", "none", "Eckart and Young's theorem"
    )


def _check_seeds(case: Case, n_seeds: int, part: Part) -> Iterator[Check]:
    cases = tuple(replace(case, seed=case.seed + i) for i in range(n_seeds))
    runs = {"AdaLoRA": adalora_ranks(cases), "IncreLoRA": increlora_ranks(cases)}
    by = f"{AUTOGRAD}, all seeds at once"
    rows: list[tuple[Cell, ...]] = [
        (one.seed, *(", ".join(map(str, ranks[i])) for ranks in runs.values())) for i, one in enumerate(cases)
    ]
    yield same_rows("5, ranks by seed", part.tables["seeds"], rows, by)
    least = best_allocation(case.spectra, case.budget)[1]
    found = [(name, n_seeds, sum(_left_out(case, one) == least for one in ranks)) for name, ranks in runs.items()]
    yield same_rows("5, seeds that find the best ranks", part.tables["found"], found, f"{by}; {LISTED}")


def _left_out(case: Case, ranks: Ranks) -> Fraction:
    return sum((s * s for values, rank in zip(case.spectra, ranks, strict=True) for s in values[rank:]), Fraction(0)) / 2


def _number(cell: Cell) -> float:
    return cell if isinstance(cell, float) else float(rational(cell))
