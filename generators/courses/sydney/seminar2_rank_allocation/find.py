"""Lists every allocation, cuts the targets by SVD, and repeats all training with autograd, all seeds at once.

From the slides: three pictures, DyLoRA, AdaLoRA and IncreLoRA; the rules are those of the papers arXiv 2210.07558, 2303.10512
and 2308.12043. The problem is the entry's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import Choice, Ranks, Training

SHEET = Route("the slides and the parameters, read again", restates=True)
LISTED = Route("enumeration of all allocations")
SVD = Route("torch.linalg on the targets", tolerance=1e-9, absolute=1e-9)
AUTOGRAD = Route("torch autograd, float64", tolerance=1e-9, absolute=1e-9)
BUDGET = Route("de Casteljau's algorithm")
THEOREM = Route("Eckart and Young's theorem", tolerance=1e-4)
DECIMALS = 4
"""To which errors of trained updates and scores are published."""
NAMED = {"adalora": "AdaLoRA", "increlora": "IncreLoRA"}


def find(params: RankAllocationParams) -> Iterator[Found | Proof]:
    """Everything that is published about the problem, the three methods, and their comparison."""
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import Training

    training = Training(params)
    nested = training.low_rank_errors(params.dylora.largest_rank, nested=True)
    (choices, adalora), (growths, increlora) = training.adalora(), training.increlora()
    seeds = {
        "adalora": choices[-1].ranks,
        "increlora": growths[-1].ranks if growths else [_equal(params, 1)] * len(training.seeds),
    }
    yield from _given(params)
    yield from _seeds(params, seeds)
    yield from _best(params, training)
    yield from _dylora(params, training, nested)
    yield from _adalora(params, choices)
    yield from _increlora(params, growths, seeds["increlora"][0])
    yield from _compared(
        params, training, nested, {"adalora": (seeds["adalora"][0], adalora), "increlora": (seeds["increlora"][0], increlora)}
    )


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
    yield from LISTED.letters("sheet", b_0=sum(ada.initial_rank for _ in params.modules))


def _left_out(params: RankAllocationParams, ranks: Ranks) -> Fraction:
    """Half the squares of the singular values behind the ranks."""
    pairs = zip(params.modules, ranks, strict=True)
    return sum((s * s for module, rank in pairs for s in module.singular_values[rank:]), Fraction(0)) / 2


def _best_allocation(params: RankAllocationParams) -> Ranks:
    """Of all allocations within the budget the one of least error, of equal ones that with more for the first modules."""
    allocations = product(*(range(len(one.singular_values), -1, -1) for one in params.modules))
    return min((ranks for ranks in allocations if sum(ranks) <= params.budget), key=lambda ranks: _left_out(params, ranks))


def _is_best(params: RankAllocationParams, ranks: Ranks) -> bool:
    return _left_out(params, ranks) == _left_out(params, _best_allocation(params))


def _equal(params: RankAllocationParams, rank: int) -> Ranks:
    return (rank,) * len(params.modules)


def _least_by_svd(training: Training, ranks: Ranks) -> float:
    """Cut torch's singular value decomposition of the targets to the ranks, and measure what is missing."""
    import torch

    u, s, v = torch.linalg.svd(training.targets[0])
    return training.error_of(torch.stack([u[k][:, :r] * s[k][:r] @ v[k][:r] for k, r in enumerate(ranks)]))


def _by_module(rows: Sequence[Any]) -> dict[str, Any]:
    return {f"module_{place}": row for place, row in enumerate(rows, 1)}


def _names(params: RankAllocationParams) -> dict[str, Any]:
    return _by_module([module.name for module in params.modules])


def _seeds(params: RankAllocationParams, seeds: dict[str, list[Ranks]]) -> Iterator[Found]:
    yield from SHEET.part("seeds", "Several seeds")
    rows = {
        f"seed_{seed}": (seed, *(", ".join(map(str, ranks)) for ranks in both))
        for seed, both in enumerate(zip(*seeds.values(), strict=True), params.training.seed)
    }
    yield from AUTOGRAD.table("seeds", "ranks", rows, headings=NAMED, columns=("seed", *NAMED))
    found = {key: (NAMED[key], len(ranks), [_is_best(params, one) for one in ranks].count(True)) for key, ranks in seeds.items()}
    yield from AUTOGRAD.table("seeds", "found", found, columns=("method", "seeds", "best_ranks_found"))


def _best(params: RankAllocationParams, training: Training) -> Iterator[Found]:
    import torch

    ranks, equal = _best_allocation(params), _equal(params, params.budget // len(params.modules))
    yield from SHEET.part("1", "The best ranks")
    symbols = {"best": r"E_{\text{best}}", "uniform": r"E_{\text{equal}}"}
    yield from SVD.values("1", symbols=symbols, best=_least_by_svd(training, ranks), uniform=_least_by_svd(training, equal))
    targets = training.targets[0]
    measured = zip(torch.linalg.matrix_rank(targets).tolist(), (targets.square().sum((1, 2)) / 2).tolist(), strict=True)
    said = [{"module": one.name, "singular_values": ", ".join(f"{float(value):g}" for value in one.singular_values)}
            for one in params.modules]  # fmt: skip
    columns = ("module", "rank_of_the_target", "singular_values", "error_untuned", "best_rank")
    yield from LISTED.table("1", "modules", _by_module([{"best_rank": rank} for rank in ranks]), columns=columns)
    yield from SHEET.cells("1", "modules", _by_module(said))
    untuned = [{"rank_of_the_target": rank, "error_untuned": error} for rank, error in measured]
    yield from SVD.cells("1", "modules", _by_module(untuned))


def _dylora(params: RankAllocationParams, training: Training, nested: Sequence[float]) -> Iterator[Found]:
    plain = training.low_rank_errors(params.dylora.largest_rank, nested=False)
    rows = {
        f"rank_{rank}": (rank, round(ours, DECIMALS), round(cut, DECIMALS), _least_by_svd(training, _equal(params, rank)))
        for rank, (ours, cut) in enumerate(zip(nested, plain, strict=True), 1)
    }
    headings, columns = {"dylora": "DyLoRA", "lora_cut": "LoRA, cut"}, ("rank_of_every_module", "dylora", "lora_cut", "least")
    yield from SHEET.part("2", "DyLoRA")
    yield from AUTOGRAD.table("2", "errors", rows, headings=headings, columns=columns)


def _told(part: str, params: RankAllocationParams, ranks: Ranks) -> Iterator[Found]:
    rows = _by_module([(module.name, rank) for module, rank in zip(params.modules, ranks, strict=True)])
    yield from AUTOGRAD.table(part, "final", rows, columns=("module", "rank"))
    best = _is_best(params, ranks)
    yield from AUTOGRAD.values(part, best=best, not_best=not best)


def _adalora(params: RankAllocationParams, choices: Sequence[Choice]) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import budget_at

    falling = range(params.adalora.warmup, params.training.n_steps - params.adalora.final + 1)
    half_way = falling[len(falling) // 2]
    yield from SHEET.part("3", "AdaLoRA")
    yield from _told("3", params, choices[-1].ranks[0])
    yield from LISTED.letters("3", t=half_way)
    yield from BUDGET.values("3", symbols={"budget": "b(t)"}, budget=budget_at(params, half_way))
    rows = {f"choice_{place}": (one.step, budget_at(params, one.step), *one.ranks[0]) for place, one in enumerate(choices, 1)}
    names = _names(params)
    yield from AUTOGRAD.table("3", "choices", rows, headings=names, columns=("step", "budget", *names))


def _increlora(params: RankAllocationParams, growths: Sequence[Choice], final: Ranks) -> Iterator[Found]:
    yield from SHEET.part("4", "IncreLoRA")
    grows, names = params.budget > len(params.modules), _names(params)
    yield from LISTED.values("4", grows=grows, nothing_to_add=not grows)
    yield from _told("4", params, final)
    growth, scores = {}, {}
    for place, one in enumerate(growths, 1):
        growth[f"growth_{place}"] = (one.step, ", ".join(params.modules[k].name for k in one.chosen), *one.ranks[0])
        scores[f"growth_{place}"] = (one.step, *(round(score / max(one.scores), DECIMALS) for score in one.scores))
    yield from AUTOGRAD.table("4", "growth", growth, headings=names, columns=("step", "grows", *names))
    yield from AUTOGRAD.table("4", "scores", scores, headings=names, columns=("step", *names))
    beyond = {
        key: (module.name, rank, len(module.singular_values))
        for key, module, rank in zip(names, params.modules, final, strict=True)
        if rank > len(module.singular_values)
    }
    yield from AUTOGRAD.table("4", "beyond", beyond, columns=("module", "rank", "rank_of_the_target"))


def _compared(
    params: RankAllocationParams, training: Training, nested: Sequence[float], runs: dict[str, tuple[Ranks, float]]
) -> Iterator[Found | Proof]:
    best, rank = _best_allocation(params), params.budget // len(params.modules)
    lora = training.low_rank_errors(rank, nested=False)[-1]
    found = {
        "best": ("Best possible", best, _least_by_svd(training, best)),
        "lora": ("LoRA, equal ranks", _equal(params, rank), round(lora, DECIMALS)),
        "dylora": ("DyLoRA, cut to equal ranks", _equal(params, rank), round(nested[rank - 1], DECIMALS)),
        **{key: (NAMED[key], ranks, round(error, DECIMALS)) for key, (ranks, error) in runs.items()},
    }
    rows = {key: (name, *ranks, sum(ranks), error, _least_by_svd(training, ranks)) for key, (name, ranks, error) in found.items()}
    headings, columns = (
        {"least": "Least with these ranks", **_names(params)},
        ("method", *_names(params), "total", "error", "least"),
    )
    yield from SHEET.part("5", "Side by side")
    yield from AUTOGRAD.table("5", "methods", rows, headings=headings, columns=columns)
    less = {key: found[key][2] < found["lora"][2] for key in runs}
    for key, (ranks, _) in runs.items():
        said = {"leaves_less": less[key], "leaves_no_less": not less[key], "has_best_ranks": _is_best(params, ranks)}
        yield from AUTOGRAD.values("5", {f"{key}_{what}": holds for what, holds in said.items()})
    costs = found["dylora"][2] > found["lora"][2]
    yield from AUTOGRAD.values("5", dylora_costs=costs, dylora_costs_nothing=not costs)
    short = max(_least_by_svd(training, ranks) - error for _, ranks, error in found.values())
    yield from THEOREM.proof("5: no method leaves less than its ranks allow", max(0.0, short))
