"""Lists every allocation, cuts the targets by SVD, and repeats all training with autograd, AdaLoRA's choices by peft.

From the slides: three pictures, DyLoRA, AdaLoRA and IncreLoRA; the rules are those of the papers arXiv 2210.07558, 2303.10512
and 2308.12043. The problem is the entry's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from generators.cells import Cell
from generators.courses.sydney.seminar2_rank_allocation.allocations import Ranks, best_allocation, left_out
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import Case, Trained

SHEET = Route("the slides and the parameters, read again", restates=True)
LISTED = Route("enumeration of all allocations")
SVD = Route("torch.linalg on the targets", tolerance=1e-9, absolute=1e-9)
AUTOGRAD = Route("torch autograd, float64", tolerance=1e-9, absolute=1e-9)
ALLOCATOR = Route("torch autograd, peft's RankAllocator")
SEEDS = Route("torch autograd, all seeds at once")
BUDGET = Route("the budget in whole numbers")
PEFT = Route("peft's budget_schedule")
THEOREM = Route("Eckart and Young's theorem", tolerance=1e-4)
DECIMALS = 4
"""To which errors of trained updates and scores are published."""


def find(params: RankAllocationParams) -> Iterator[Found | Proof]:
    """Everything that is published about the problem, the three methods, and their comparison."""
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import adalora, increlora, low_rank_errors

    case = _case(params)
    runs = {"adalora": adalora(case), "increlora": increlora(case)}
    nested = low_rank_errors(case, case.largest, nested=True)
    yield from _given(params)
    yield from _seeds(params, case)
    yield from _best(params, case)
    yield from _dylora(case, nested)
    yield from _adalora(params, case, runs["adalora"])
    yield from _increlora(params, case, runs["increlora"])
    yield from _compared(params, case, nested, runs)


def _case(params: RankAllocationParams) -> Case:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import Case

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


def _given(params: RankAllocationParams) -> Iterator[Found]:
    training, ada, incre = params.training, params.adalora, params.increlora
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values(
        "sheet", names=", ".join(module.name for module in params.modules), n_modules=len(params.modules), width=params.width,
        noise=training.noise, learning_rate=training.learning_rate, seed=training.seed, n_seeds=training.n_seeds,
        initial_rank=ada.initial_rank, adalora_interval=ada.interval, increlora_warmup=incre.warmup,
        increlora_interval=incre.interval, reserve=incre.reserve,
        one_at_once=incre.at_once == 1, several_at_once=incre.at_once > 1,
    )  # fmt: skip
    if incre.at_once > 1:
        yield from SHEET.values("sheet", at_once=incre.at_once)
    yield from SHEET.values("sheet", symbols={"largest_rank": r"r_{\max}"}, largest_rank=params.dylora.largest_rank)
    yield from SHEET.letters("sheet", b_T=params.budget, T=training.n_steps, t_i=ada.warmup, t_f=ada.final)
    uniform = max(rank for rank in range(params.budget + 1) if rank * len(params.modules) <= params.budget)
    yield from LISTED.values("sheet", uniform_rank=uniform)
    yield from BUDGET.letters("sheet", b_0=sum(ada.initial_rank for _ in params.modules))


def _least_by_svd(case: Case, ranks: Ranks) -> float:
    """Cut torch's singular value decomposition of the targets to the ranks, and measure what is missing."""
    import torch

    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import error_of, targets

    u, s, v = torch.linalg.svd(targets(case))
    return error_of(case, torch.stack([u[k][:, :r] * s[k][:r] @ v[k][:r] for k, r in enumerate(ranks)]))


def _is_best(case: Case, ranks: Ranks) -> bool:
    return left_out(case.spectra, ranks) == best_allocation(case.spectra, case.budget)[1]


def _equal(case: Case) -> Ranks:
    return (case.budget // case.modules,) * case.modules


def _last(case: Case, run: Trained) -> Ranks:
    """The ranks that a run ends with, 1 where nothing was chosen."""
    return run.choices[-1][1] if run.choices else (1,) * case.modules


def _by_module(values: Sequence[Any]) -> dict[str, Any]:
    return {f"module_{place}": value for place, value in enumerate(values, 1)}


def _names(params: RankAllocationParams) -> dict[str, Any]:
    return _by_module([module.name for module in params.modules])


def _seeds(params: RankAllocationParams, case: Case) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_rank_allocation.trained_seeds import adalora_ranks, increlora_ranks

    cases = tuple(replace(case, seed=case.seed + place) for place in range(params.training.n_seeds))
    both = {"adalora": adalora_ranks(cases), "increlora": increlora_ranks(cases)}
    yield from SHEET.part("seeds", "Several seeds")
    ranks: dict[str, dict[str, Cell]] = {
        f"seed_{one.seed}": {"seed": one.seed, **{key: ", ".join(map(str, ranks[place])) for key, ranks in both.items()}}
        for place, one in enumerate(cases)
    }
    yield from SEEDS.table("seeds", "ranks", ranks, headings={"adalora": "AdaLoRA", "increlora": "IncreLoRA"})
    found: dict[str, dict[str, Cell]] = {
        key: {"method": name, "seeds": len(cases), "best_ranks_found": [_is_best(case, one) for one in both[key]].count(True)}
        for key, name in (("adalora", "AdaLoRA"), ("increlora", "IncreLoRA"))
    }
    yield from SEEDS.table("seeds", "found", found)


def _best(params: RankAllocationParams, case: Case) -> Iterator[Found]:
    import torch

    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import targets

    ranks, error = best_allocation(case.spectra, case.budget)
    yield from SHEET.part("1", "The best ranks")
    symbols = {"best": r"E_{\text{best}}", "uniform": r"E_{\text{equal}}"}
    yield from LISTED.values("1", symbols=symbols, best=error, uniform=left_out(case.spectra, _equal(case)))
    yield from SVD.values("1", best=_least_by_svd(case, ranks), uniform=_least_by_svd(case, _equal(case)))
    rows: dict[str, dict[str, Cell]] = _by_module([{"best_rank": rank} for rank in ranks])
    columns = ("module", "rank_of_the_target", "singular_values", "error_untuned", "best_rank")
    yield from LISTED.table("1", "modules", rows, columns=columns)
    said = [
        {"module": one.name, "singular_values": ", ".join(f"{float(value):g}" for value in one.singular_values)}
        for one in params.modules
    ]
    yield from SHEET.cells("1", "modules", _by_module(said))
    untuned = (targets(case).square().sum((1, 2)) / 2).tolist()
    measured = zip(torch.linalg.matrix_rank(targets(case)).tolist(), untuned, strict=True)
    yield from SVD.cells(
        "1", "modules", _by_module([{"rank_of_the_target": rank, "error_untuned": error} for rank, error in measured])
    )


def _dylora(case: Case, nested: Sequence[float]) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import low_rank_errors

    plain = low_rank_errors(case, case.largest, nested=False)
    yield from SHEET.part("2", "DyLoRA")
    rows: dict[str, dict[str, Cell]] = {
        f"rank_{rank}": {
            "rank_of_every_module": rank,
            "dylora": round(ours, DECIMALS),
            "lora_cut": round(cut, DECIMALS),
            "least": _least_by_svd(case, (rank,) * case.modules),
        }
        for rank, (ours, cut) in enumerate(zip(nested, plain, strict=True), 1)
    }
    yield from AUTOGRAD.table("2", "errors", rows, headings={"dylora": "DyLoRA", "lora_cut": "LoRA, cut"})


def _told(route: Route, part: str, params: RankAllocationParams, case: Case, ranks: Ranks) -> Iterator[Found]:
    rows = [{"module": module.name, "rank": rank} for module, rank in zip(params.modules, ranks, strict=True)]
    yield from route.table(part, "final", _by_module(rows))
    best = _is_best(case, ranks)
    yield from route.values(part, best=best, not_best=not best)


def _adalora(params: RankAllocationParams, case: Case, run: Trained) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import budget_at, budget_of_peft

    _, warmup, final, _ = case.adalora
    falling = range(warmup, case.n_steps - final + 1)
    half_way = falling[len(falling) // 2]
    yield from SHEET.part("3", "AdaLoRA")
    yield from _told(ALLOCATOR, "3", params, case, _last(case, run))
    yield from BUDGET.letters("3", t=half_way)
    yield from BUDGET.values("3", symbols={"budget": "b(t)"}, budget=budget_at(case, half_way))
    yield from PEFT.values("3", budget=budget_of_peft(case, half_way))
    rows: dict[str, dict[str, Cell]] = {
        f"choice_{place}": {"step": step, "budget": budget_at(case, step), **_by_module(ranks)}
        for place, (step, ranks) in enumerate(run.choices, 1)
    }
    yield from ALLOCATOR.table("3", "choices", rows, headings=_names(params))


def _increlora(params: RankAllocationParams, case: Case, run: Trained) -> Iterator[Found]:
    yield from SHEET.part("4", "IncreLoRA")
    grows = case.budget > case.modules
    yield from LISTED.values("4", grows=grows, nothing_to_add=not grows)
    yield from _told(AUTOGRAD, "4", params, case, _last(case, run))
    names, steps = [module.name for module in params.modules], [step for step, _ in run.choices]
    growth: dict[str, dict[str, Cell]] = {
        f"growth_{place}": {"step": step, "grows": ", ".join(names[k] for k in chosen), **_by_module(ranks)}
        for place, ((step, ranks), chosen) in enumerate(zip(run.choices, run.chosen, strict=True), 1)
    }
    modules = tuple(_names(params))
    columns = ("step", "grows", *modules)
    yield from AUTOGRAD.table("4", "growth", growth, headings=_names(params), columns=columns)
    scores: dict[str, dict[str, Cell]] = {
        f"growth_{place}": {"step": step, **_by_module([round(one / max(of_step), DECIMALS) for one in of_step])}
        for place, (step, of_step) in enumerate(zip(steps, run.scores, strict=True), 1)
    }
    yield from AUTOGRAD.table("4", "scores", scores, headings=_names(params), columns=("step", *modules))
    beyond: dict[str, dict[str, Cell]] = {
        key: {"module": name, "rank": rank, "rank_of_the_target": len(values)}
        for key, name, rank, values in zip(modules, names, _last(case, run), case.spectra, strict=True)
        if rank > len(values)
    }
    yield from AUTOGRAD.table("4", "beyond", beyond, columns=("module", "rank", "rank_of_the_target"))


def _compared(
    params: RankAllocationParams, case: Case, nested: Sequence[float], runs: Mapping[str, Trained]
) -> Iterator[Found | Proof]:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import low_rank_errors

    best, equal = best_allocation(case.spectra, case.budget)[0], _equal(case)
    found = {
        "best": ("Best possible", best, _least_by_svd(case, best)),
        "lora": ("LoRA, equal ranks", equal, round(low_rank_errors(case, equal[0], nested=False)[-1], DECIMALS)),
        "dylora": ("DyLoRA, cut to equal ranks", equal, round(nested[equal[0] - 1], DECIMALS)),
        "adalora": ("AdaLoRA", _last(case, runs["adalora"]), round(runs["adalora"].error, DECIMALS)),
        "increlora": ("IncreLoRA", _last(case, runs["increlora"]), round(runs["increlora"].error, DECIMALS)),
    }
    rows: dict[str, dict[str, Cell]] = {
        key: {
            "method": name, **_by_module(ranks), "total": sum(ranks), "error": error, "least": _least_by_svd(case, ranks)
        }
        for key, (name, ranks, error) in found.items()
    }  # fmt: skip
    yield from SHEET.part("5", "Side by side")
    yield from AUTOGRAD.table("5", "methods", rows, headings={"least": "Least with these ranks", **_names(params)})
    lora = found["lora"][2]
    for key in ("adalora", "increlora"):
        _, ranks, error = found[key]
        said = {"leaves_less": error < lora, "leaves_no_less": error >= lora, "has_best_ranks": _is_best(case, ranks)}
        yield from AUTOGRAD.values("5", {f"{key}_{what}": holds for what, holds in said.items()})
    error = found["dylora"][2]
    yield from AUTOGRAD.values("5", dylora_costs=error > lora, dylora_costs_nothing=error <= lora)
    short = max(_least_by_svd(case, ranks) - error for _, ranks, error in found.values())
    yield from THEOREM.proof("5: no method leaves less than its ranks allow", max(0.0, short))
