"""Lists every allocation, cuts the targets by SVD, and repeats all training with autograd, all seeds at once.

From the slides: three pictures, DyLoRA, AdaLoRA and IncreLoRA; the rules are those of the papers arXiv 2210.07558, 2303.10512
and 2308.12043. The problem is the entry's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from generators.cells import Math
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import Choice, Ranks, Training

SHEET = Route("the slides and the parameters, read again", restates=True)
LISTED = Route("enumeration of all allocations")
SVD = Route("torch.linalg on the targets", tolerance=1e-9, absolute=1e-9)
AUTOGRAD = Route("torch autograd, float64, with AdaLoRA's budget by de Casteljau's algorithm", tolerance=1e-9, absolute=1e-12)
THEOREM = Route("Eckart and Young's theorem", tolerance=1e-4)
GIVEN = dict.fromkeys(("module", "seed", "method"), SHEET)
NAMED = {"adalora": "AdaLoRA", "increlora": "IncreLoRA"}


def find(params: RankAllocationParams) -> Iterator[Found | Proof]:
    """Everything that is published about the problem, the three methods, and their comparison."""
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import Training

    training = Training(params)
    nested = training.low_rank_errors(params.largest_rank, nested=True)
    (choices, adalora), (growths, increlora) = training.adalora(), training.increlora()
    ranks = {
        "adalora": choices[-1].ranks,
        "increlora": growths[-1].ranks if growths else [_equal(params, 1)] * len(training.seeds),
    }
    yield from _given(params)
    yield from _best(params, training)
    yield from _dylora(params, training, nested)
    yield from _adalora(params, choices)
    yield from _told("4", "IncreLoRA", params, ranks["increlora"][0])
    yield from _increlora(params, growths)
    yield from _compared(params, training, nested, ranks, {"adalora": adalora, "increlora": increlora})


def _given(params: RankAllocationParams) -> Iterator[Found]:
    training, ada, incre, held = params.training, params.adalora, params.increlora, params.triplets
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values(
        "sheet", names=", ".join(module.name for module in params.modules), n_modules=len(params.modules),
        noise=training.noise, learning_rate=training.learning_rate, seed=training.seed, n_seeds=training.n_seeds,
        adalora_interval=ada.interval, increlora_interval=incre.interval, reserve=incre.reserve,
    )  # fmt: skip
    symbols = {"largest_rank": r"R_{\max}", "width": "D", "gamma": r"\gamma", "beta_1": r"\beta_1", "beta_2": r"\beta_2"}
    values = (params.largest_rank, params.width, held.penalty, held.beta_1, held.beta_2)
    yield from SHEET.values("sheet", dict(zip(symbols, values, strict=True)), symbols=symbols)
    yield from SHEET.letters("sheet", C_T=params.budget, T=training.n_steps)
    ends = {"T_warmup": r"T_{\text{warmup}}", "T_last": r"T_{\text{last}}"}
    yield from SHEET.values("sheet", T_warmup=ada.warmup, T_last=ada.final, symbols=ends)
    uniform = max(rank for rank in range(params.budget + 1) if rank * len(params.modules) <= params.budget)
    yield from LISTED.values("sheet", uniform_rank=uniform)
    yield from LISTED.letters("sheet", C_0=sum(ada.initial_rank for _ in params.modules))


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


def _least_by_svd(training: Training, ranks: Ranks) -> list[float]:
    """Cut torch's singular value decomposition of the first seed's targets, and measure what is missing of each."""
    import torch

    u, s, v = torch.linalg.svd(training.targets[0])
    cut = torch.stack([u[k][:, :r] * s[k][:r] @ v[k][:r] for k, r in enumerate(ranks)])
    found: list[float] = ((cut - training.targets[0]).square().sum((1, 2)) / 2).tolist()
    return found


def _by_module(rows: Sequence[Any]) -> dict[str, Any]:
    return {f"module_{place}": row for place, row in enumerate(rows, 1)}


def _names(params: RankAllocationParams) -> dict[str, Any]:
    return _by_module([module.name for module in params.modules])


def _best(params: RankAllocationParams, training: Training) -> Iterator[Found]:
    import torch

    ranks, equal = _best_allocation(params), _equal(params, params.budget // len(params.modules))
    yield from SHEET.part("1", "The best ranks")
    symbols = {"best": r"E_{\text{best}}", "uniform": r"E_{\text{equal}}"}
    best, uniform = (sum(_least_by_svd(training, of)) for of in (ranks, equal))
    yield from SVD.values("1", symbols=symbols, best=best, uniform=uniform)
    measured = torch.linalg.matrix_rank(training.targets[0]).tolist()
    said = [{"module": one.name, "singular_values": ", ".join(f"{float(value):g}" for value in one.singular_values)}
            for one in params.modules]  # fmt: skip
    columns = ("module", "best_rank", "rank_of_the_target", "singular_values")
    yield from LISTED.table("1", "modules", _by_module([{"best_rank": rank} for rank in ranks]), columns=columns)
    yield from SHEET.cells("1", "modules", _by_module(said))
    yield from SVD.cells("1", "modules", _by_module([{"rank_of_the_target": rank} for rank in measured]))


def _dylora(params: RankAllocationParams, training: Training, nested: Sequence[list[float]]) -> Iterator[Found]:
    rows = {}
    for rank, (ours, cut) in enumerate(zip(nested, training.low_rank_errors(params.largest_rank, nested=False), strict=True), 1):
        means = [round(sum(round(error, 4) for error in errors) / len(errors), 4) for errors in (ours, cut)]
        below = [round(a, 4) < round(b, 4) for a, b in zip(ours, cut, strict=True)].count(True)
        rows[f"rank_{rank}"] = (rank, *means, sum(_least_by_svd(training, _equal(params, rank))), below)
    columns = ("rank", "dylora", "lora_cut", "least", "seeds_with_less")
    yield from SHEET.part("2", "DyLoRA")
    yield from AUTOGRAD.values("2", lora_better=means[0] > means[1])
    yield from AUTOGRAD.table("2", "errors", rows, headings={"dylora": "DyLoRA", "lora_cut": "LoRA, cut"}, columns=columns)


def _told(part: str, title: str, params: RankAllocationParams, ranks: Ranks) -> Iterator[Found]:
    yield from SHEET.part(part, title)
    rows = _by_module([(module.name, rank) for module, rank in zip(params.modules, ranks, strict=True)])
    yield from AUTOGRAD.table(part, "final", rows, columns=("module", "rank"), given=GIVEN)
    best = _is_best(params, ranks)
    yield from AUTOGRAD.values(part, best=best, not_best=not best)


def _decimals(value: Any) -> float:
    return round(float(value), 5)


def _adalora(params: RankAllocationParams, choices: Sequence[Choice]) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_rank_allocation.trained_methods import budget_at

    names, rows = _names(params), {}
    yield from _told("3", "AdaLoRA", params, choices[-1].ranks[0])
    yield from SHEET.values("3", last_step=params.training.n_steps - params.adalora.final)
    for place, one in enumerate(choices, 1):
        falls, stay = (one.scores / one.scores.max()).flatten().sort(descending=True).values, budget_at(params, one.step)
        rows[f"choice_{place}"] = (one.step, stay, *one.ranks[0], _decimals(falls[stay - 1]), _decimals(falls[stay]))
    columns = ("step", "budget", *names, "least_kept", "largest_dropped")
    yield from AUTOGRAD.table("3", "choices", rows, headings=names, columns=columns)
    scores = [
        (module.name, *map(_decimals, (row / choices[-1].scores.max()).sort(descending=True).values))
        for module, row in zip(params.modules, choices[-1].scores, strict=True)
    ]
    columns = ("module", *(f"triplet_{place}" for place in range(1, params.adalora.initial_rank + 1)))
    yield from AUTOGRAD.table("3", "scores", _by_module(scores), columns=columns, given=GIVEN)


def _increlora(params: RankAllocationParams, growths: Sequence[Choice]) -> Iterator[Found]:
    yield from AUTOGRAD.values("4", grows=bool(growths), nothing_to_add=not growths)
    if not growths:
        return
    rows, names, before = {}, _names(params), _equal(params, 1)
    for place, one in enumerate(growths, 1):
        grown, ranks = int(one.scores.argmax()), before
        before = one.ranks[0]
        rows[f"growth_{place}"] = (one.step, params.modules[grown].name, *before)
    yield from AUTOGRAD.table("4", "growth", rows, headings=names, columns=("step", "grows", *names))
    least = [_left_out(params, tuple(ranks[k] if k == of else 6 for k in range(len(ranks)))) for of in range(len(ranks))]
    yield from AUTOGRAD.values("4", last_step=one.step, grown=params.modules[grown].name, grown_in_vain=least[grown] == 0)
    mean, spread, errors = one.logged
    logged = [
        (params.modules[k].name, *(_decimals(of[k] / of[grown]) for of in (one.scores, mean, spread)), ranks[k],
         round(errors[k], 4), least[k])
        for k in range(len(ranks))
    ]  # fmt: skip
    headings = {"score": Math("S_m"), "mean": Math(r"I_{\text{mean},m}"), "spread": Math(r"U_{\text{mean},m}")}
    columns = ("module", *headings, "rank", "error", "least")
    yield from AUTOGRAD.table("4", "logged", _by_module(logged), headings=headings, columns=columns, given=GIVEN)


def _compared(
    params: RankAllocationParams, training: Training, nested: Sequence[list[float]],
    ranks: Mapping[str, list[Ranks]], errors: Mapping[str, list[float]],
) -> Iterator[Found | Proof]:  # fmt: skip
    rank = params.budget // len(params.modules)
    lora, rows = [round(one, 4) for one in training.low_rank_errors(rank, nested=False)[-1]], {}
    for key, found in {"lora": lora, "dylora": nested[rank - 1], **errors}.items():
        name = {"lora": "LoRA", "dylora": "DyLoRA", **NAMED}[key]
        ends = [round(one, 4) for one in found]
        below = None if key == "lora" else [a < b for a, b in zip(ends, lora, strict=True)].count(True)
        best = [_is_best(params, one) for one in ranks[key]].count(True) if key in ranks else None
        rows[key] = (name, min(ends), max(ends), below, best)
        least = [float(_left_out(params, one)) for one in ranks.get(key, [_equal(params, rank)] * len(found))]
        short = max(a - b for a, b in zip(least, found, strict=True))
        yield from THEOREM.proof(f"5: {name} leaves no less than its ranks allow, with every seed", max(0.0, short))
    yield from SHEET.part("5", "Side by side")
    columns = ("method", "lowest", "highest", "below_lora", "best_ranks")
    yield from AUTOGRAD.table("5", "methods", rows, headings={"below_lora": "Below LoRA"}, columns=columns, given=GIVEN)
    every = [row[0] for row in rows.values() if row[3] == len(lora)]
    yield from AUTOGRAD.values("5", always_below=", ".join(every), some_always_below=bool(every), none_always_below=not every)
    by_seed = {
        f"seed_{seed}": (seed, *(", ".join(map(str, of)) for of in both))
        for seed, both in zip(training.seeds, zip(*ranks.values(), strict=True), strict=True)
    }
    yield from AUTOGRAD.table("5", "ranks", by_seed, headings=NAMED, columns=("seed", *NAMED), given=GIVEN)
