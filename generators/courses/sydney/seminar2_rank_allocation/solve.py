"""Finds the best ranks, runs every method, and puts their ranks and errors side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, exact, rational
from generators.courses.sydney.seminar2_rank_allocation import rank_methods as methods
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.courses.sydney.seminar2_rank_allocation.rank_methods import Run
from generators.courses.sydney.seminar2_rank_allocation.rank_problem import Problem, best_ranks, least_error
from generators.courses.sydney.seminar2_rank_allocation.runs import (
    Ranks,
    final_ranks,
    is_best,
    problem_of,
    schedule_of,
    spectra_of,
    triplet_runs,
    uniform_ranks,
)
from generators.table import Column, Table, column, table

T = TypeVar("T")


def solve(params: RankAllocationParams) -> Answer:
    """The best ranks, one run of each method, and the ranks that several seeds end with."""
    first = params.training.seed
    problem, sheet = problem_of(params, first), _sheet(params)
    adalora, increlora = triplet_runs(params, problem)
    others = (problem_of(params, seed) for seed in range(first + 1, first + params.training.n_seeds))
    by_seed = [(adalora, increlora), *(triplet_runs(params, other) for other in others)]
    dylora = _dylora(params, problem)
    return answer(
        sheet,
        _seeds(params, by_seed),
        _best(params),
        dylora,
        _adalora(params, adalora, sheet),
        _increlora(params, increlora),
        _compared(params, problem, dylora["errors"], (adalora, increlora)),
    )


def _sheet(params: RankAllocationParams) -> Part:
    """What is given."""
    training, ada, incre = params.training, params.adalora, params.increlora
    return part(
        "sheet",
        "Given",
        text("names", ", ".join(module.name for module in params.modules)),
        number("n_modules", len(params.modules), "modules"),
        number("width", params.width, "rows and columns of a target"),
        number("uniform_rank", uniform_ranks(params)[0], "rank of each module if all get the same"),
        number("noise", exact(training.noise), "standard deviation of what is added to each entry of a target"),
        number("learning_rate", exact(training.learning_rate)),
        number("seed", training.seed),
        number("n_seeds", training.n_seeds, "seeds"),
        number("largest_rank", params.dylora.largest_rank, "largest rank of DyLoRA", r"r_{\max}"),
        number("initial_rank", ada.initial_rank, "rank of each module at AdaLoRA's start"),
        number("adalora_interval", ada.interval, "steps from a choice of AdaLoRA to the next"),
        number("increlora_warmup", incre.warmup, "steps before IncreLoRA's modules grow"),
        number("increlora_interval", incre.interval, "steps from a growth of IncreLoRA to the next"),
        claim("one_at_once", incre.at_once == 1, "one module grows at a time"),
        claim("several_at_once", incre.at_once > 1, "several modules grow at a time"),
        *([number("at_once", incre.at_once, "modules that grow at a time")] if incre.at_once > 1 else []),
        number("reserve", exact(incre.reserve), "λ of the triplet in reserve"),
        letter(methods.B_0, schedule_of(params).start, "triplets of AdaLoRA at first"),
        letter(methods.B_T, params.budget, "ranks of all modules together"),
        letter(methods.T, training.n_steps, "training steps"),
        letter(methods.T_I, ada.warmup, "steps before AdaLoRA chooses"),
        letter(methods.T_F, ada.final, "last steps, in which AdaLoRA chooses no more"),
    )


def _seeds(params: RankAllocationParams, runs: Sequence[tuple[Run, Run]]) -> Part:
    """The ranks that AdaLoRA and IncreLoRA end with, seed by seed, and how often these leave the least error."""
    ranks = [[final_ranks(run, len(params.modules)) for run in both] for both in runs]
    rows: dict[str, dict[str, Cell]] = {
        f"seed_{seed}": {
            "seed": seed,
            **{name: ", ".join(map(str, one)) for name, one in zip(("adalora", "increlora"), both, strict=True)},
        }
        for seed, both in enumerate(ranks, params.training.seed)
    }
    named = {"adalora": "AdaLoRA", "increlora": "IncreLoRA"}
    found: dict[str, dict[str, Cell]] = {
        key: {"method": name, "seeds": len(ranks), "best_ranks_found": sum(is_best(params, one) for one in of_method)}
        for (key, name), of_method in zip(named.items(), zip(*ranks, strict=True), strict=True)
    }
    return part(
        "seeds",
        "Several seeds",
        table("ranks", ["seed", *(column(key, name) for key, name in named.items())], rows),
        table("found", ["method", "seeds", "best_ranks_found"], found),
    )


def _best(params: RankAllocationParams) -> Part:
    spectra = spectra_of(params)
    ranks = best_ranks(spectra, params.budget)
    rows: dict[str, dict[str, Cell]] = {
        key: {
            "module": module.name,
            "rank_of_the_target": len(module.singular_values),
            "singular_values": ", ".join(f"{float(value):g}" for value in module.singular_values),
            "error_untuned": exact(least_error([module.singular_values], [0])),
            "best_rank": rank,
        }
        for (key, module), rank in zip(_keyed(params.modules).items(), ranks, strict=True)
    }
    least, uniform = exact(least_error(spectra, ranks)), exact(least_error(spectra, uniform_ranks(params)))
    return part(
        "1",
        "The best ranks",
        number("best", least, "least error of the budget", r"E_{\text{best}}", asked=True),
        number("uniform", uniform, "least error with equal ranks", r"E_{\text{equal}}", asked=True),
        table(
            "modules", ["module", "rank_of_the_target", "singular_values", "error_untuned", "best_rank"], rows, asked=True
        ),
    )  # fmt: skip


def _keyed(ones: Sequence[T]) -> dict[str, T]:
    """What belongs to each module, by the key of its column or row."""
    return {f"module_{place}": one for place, one in enumerate(ones, 1)}


def _columns(params: RankAllocationParams) -> list[Column]:
    """A column for each module."""
    return [column(key, module.name) for key, module in _keyed(params.modules).items()]


def _dylora(params: RankAllocationParams, problem: Problem) -> Part:
    largest, sigma = params.dylora.largest_rank, float(params.training.sigma)
    nested, plain = methods.fitted_dylora(problem, largest, sigma), methods.fitted_lora(problem, largest, sigma)
    rows: dict[str, dict[str, Cell]] = {
        f"rank_{rank}": {
            "rank_of_every_module": rank,
            "dylora": problem.error(nested.update(rank)),
            "lora_cut": problem.error(plain.update(rank)),
            "least": exact(least_error(spectra_of(params), [rank] * len(params.modules))),
        }
        for rank in range(1, largest + 1)
    }
    columns: list[Column | str] = ["rank_of_every_module", column("dylora", "DyLoRA"), column("lora_cut", "LoRA, cut"), "least"]
    return part("2", "DyLoRA", table("errors", columns, rows, asked=True))


def _told(params: RankAllocationParams, run: Run) -> list[Item]:
    """The ranks that a run ends with, and whether they are the best."""
    ranks = final_ranks(run, len(params.modules))
    rows: dict[str, dict[str, Cell]] = {
        key: {"module": module.name, "rank": rank}
        for (key, module), rank in zip(_keyed(params.modules).items(), ranks, strict=True)
    }
    best = is_best(params, ranks)
    return [table("final", ["module", "rank"], rows, asked=True), claim("best", best), claim("not_best", not best)]


def _adalora(params: RankAllocationParams, run: Run, sheet: Part) -> Part:
    one, plan = params.adalora, schedule_of(params)
    half_way = one.warmup + (plan.n_steps - one.final - one.warmup + 1) // 2
    rows: dict[str, dict[str, Cell]] = {
        f"choice_{place}": {"step": event.step, "budget": plan.budget(event.step), **_keyed(event.ranks)}
        for place, event in enumerate(run.events, 1)
    }
    return part(
        "3",
        "AdaLoRA",
        *_told(params, run),
        letter(methods.NOW, half_way, "step half way between the first and the last choice"),
        formula("budget", methods.budget_formula(), "budget half way", "b(t)"),
        table("choices", ["step", "budget", *_columns(params)], rows),
        within=sheet,
    )


def _increlora(params: RankAllocationParams, run: Run) -> Part:
    growth: dict[str, dict[str, Cell]] = {}
    scores: dict[str, dict[str, Cell]] = {}
    for place, event in enumerate(run.events, 1):
        grown = ", ".join(params.modules[one].name for one in event.chosen)
        shares = [round(score / max(event.scores), 4) for score in event.scores]
        growth[f"growth_{place}"] = {"step": event.step, "grows": grown, **_keyed(event.ranks)}
        scores[f"growth_{place}"] = {"step": event.step, **_keyed(shares)}
    return part(
        "4",
        "IncreLoRA",
        claim("grows", bool(run.events), "the budget lets modules grow"),
        claim("nothing_to_add", not run.events, "the budget leaves nothing to add"),
        *_told(params, run),
        table("growth", ["step", "grows", *_columns(params)], growth, asked=True),
        table("scores", ["step", *_columns(params)], scores),
        _beyond(params, final_ranks(run, len(params.modules))),
    )


def _beyond(params: RankAllocationParams, ranks: Ranks) -> Table:
    """Modules that got more than the rank of their target."""
    both = zip(_keyed(params.modules).items(), ranks, strict=True)
    rows: dict[str, dict[str, Cell]] = {
        key: {"module": module.name, "rank": rank, "rank_of_the_target": len(module.singular_values)}
        for (key, module), rank in both
        if rank > len(module.singular_values)
    }
    return table("beyond", ["module", "rank", "rank_of_the_target"], rows)


def _compared(params: RankAllocationParams, problem: Problem, dylora: Table, runs: tuple[Run, Run]) -> Part:
    spectra, equal = spectra_of(params), uniform_ranks(params)
    best = tuple(best_ranks(spectra, params.budget))
    lora = methods.fitted_lora(problem, equal[0], float(params.training.sigma)).update(equal[0])
    adalora, increlora = runs
    found: dict[str, tuple[str, Ranks, Cell]] = {
        "best": ("Best possible", best, exact(least_error(spectra, best))),
        "lora": ("LoRA, equal ranks", equal, problem.error(lora)),
        "dylora": ("DyLoRA, cut to equal ranks", equal, dylora.rows[f"rank_{equal[0]}"]["dylora"]),
        "adalora": ("AdaLoRA", final_ranks(adalora, len(spectra)), problem.error(adalora.update)),
        "increlora": ("IncreLoRA", final_ranks(increlora, len(spectra)), problem.error(increlora.update)),
    }
    rows: dict[str, dict[str, Cell]] = {
        key: {"method": name, **_keyed(ranks), "total": sum(ranks), "error": error, "least": exact(least_error(spectra, ranks))}
        for key, (name, ranks, error) in found.items()
    }
    columns: list[Column | str] = ["method", *_columns(params), "total", "error", column("least", "Least with these ranks")]
    best_of = {key: is_best(params, found[key][1]) for key in ("adalora", "increlora")}
    return part("5", "Side by side", table("methods", columns, rows, asked=True), *_claims(rows, best_of))


def _claims(rows: Mapping[str, Mapping[str, Cell]], best: Mapping[str, bool]) -> list[Item]:
    """Each method beside LoRA with equal ranks, by their published errors."""
    error = {key: _float(cells["error"]) for key, cells in rows.items()}
    made: list[Item] = []
    for key, has_best in best.items():
        less = error[key] < error["lora"]
        made += [
            claim(f"{key}_leaves_less", less),
            claim(f"{key}_leaves_no_less", not less),
            claim(f"{key}_has_best_ranks", has_best),
        ]
    costs = error["dylora"] > error["lora"]
    return [*made, claim("dylora_costs", costs), claim("dylora_costs_nothing", not costs)]


def _float(cell: Cell) -> float:
    return cell if isinstance(cell, float) else float(rational(cell))
