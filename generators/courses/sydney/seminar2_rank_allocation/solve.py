"""Finds the best ranks, runs every method, and puts their ranks and errors side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import exact
from generators.courses.sydney.seminar2_rank_allocation import rank_methods as methods
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.courses.sydney.seminar2_rank_allocation.rank_methods import Run
from generators.courses.sydney.seminar2_rank_allocation.rank_problem import Problem, best_ranks, least_error
from generators.table import Column, Table, column, table

NAMED = {"adalora": "AdaLoRA", "increlora": "IncreLoRA"}
Runs = tuple[Run, Run]
"""Of AdaLoRA and of IncreLoRA."""


def solve(params: RankAllocationParams) -> Answer:
    """The best ranks, one run of each method, and the ranks that several seeds end with."""
    problems = [Problem(params, params.training.seed + place) for place in range(params.training.n_seeds)]
    runs = [(methods.run_adalora(one), methods.run_increlora(one)) for one in problems]
    nested = methods.low_rank_errors(problems[0], params.dylora.largest_rank, nested=True)
    sheet, (adalora, increlora) = _sheet(params), runs[0]
    return answer(
        sheet,
        _seeds(params, runs),
        _best(params),
        part("2", "DyLoRA", _dylora(params, problems[0], nested)),
        _adalora(params, adalora, sheet),
        _increlora(params, increlora),
        _compared(params, problems[0], nested, runs[0]),
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
        number("uniform_rank", _uniform(params)[0], "rank of each module if all get the same"),
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
        letter(methods.B_0, ada.initial_rank * len(params.modules), "triplets of AdaLoRA at first"),
        letter(methods.B_T, params.budget, "ranks of all modules together"),
        letter(methods.T, training.n_steps, "training steps"),
        letter(methods.T_I, ada.warmup, "steps before AdaLoRA chooses"),
        letter(methods.T_F, ada.final, "last steps, in which AdaLoRA chooses no more"),
    )


def _uniform(params: RankAllocationParams) -> tuple[int, ...]:
    """What each module gets of the budget if all get the same."""
    return (params.budget // len(params.modules),) * len(params.modules)


def _spectra(params: RankAllocationParams) -> list[list[Fraction]]:
    return [module.singular_values for module in params.modules]


def _is_best(params: RankAllocationParams, ranks: Sequence[int]) -> bool:
    """Whether ranks leave the least error that the budget allows."""
    spectra = _spectra(params)
    return least_error(spectra, ranks) == least_error(spectra, best_ranks(spectra, params.budget))


def _columns(params: RankAllocationParams) -> list[Column]:
    """A column for each module."""
    return [column(f"module_{place}", module.name) for place, module in enumerate(params.modules, 1)]


def _seeds(params: RankAllocationParams, runs: Sequence[Runs]) -> Part:
    """The ranks that AdaLoRA and IncreLoRA end with, seed by seed, and how often these leave the least error."""
    rows = {
        f"seed_{seed}": (seed, *(", ".join(map(str, run.ranks)) for run in both))
        for seed, both in enumerate(runs, params.training.seed)
    }
    found = {
        key: (name, len(runs), sum(_is_best(params, run.ranks) for run in of_method))
        for (key, name), of_method in zip(NAMED.items(), zip(*runs, strict=True), strict=True)
    }
    return part(
        "seeds",
        "Several seeds",
        table("ranks", ["seed", *(column(key, name) for key, name in NAMED.items())], rows),
        table("found", ["method", "seeds", "best_ranks_found"], found),
    )


def _best(params: RankAllocationParams) -> Part:
    spectra = _spectra(params)
    ranks = best_ranks(spectra, params.budget)
    least, uniform = exact(least_error(spectra, ranks)), exact(least_error(spectra, _uniform(params)))
    rows = {
        f"module_{place}": (
            one.name,
            len(values),
            ", ".join(f"{float(s):g}" for s in values),
            exact(least_error([values], [0])),
            rank,
        )
        for place, (one, values, rank) in enumerate(zip(params.modules, spectra, ranks, strict=True), 1)
    }
    columns = ["module", "rank_of_the_target", "singular_values", "error_untuned", "best_rank"]
    return part(
        "1",
        "The best ranks",
        number("best", least, "least error of the budget", r"E_{\text{best}}", asked=True),
        number("uniform", uniform, "least error with equal ranks", r"E_{\text{equal}}", asked=True),
        table("modules", columns, rows, asked=True),
    )


def _dylora(params: RankAllocationParams, problem: Problem, nested: Sequence[float]) -> Table:
    plain = methods.low_rank_errors(problem, params.dylora.largest_rank, nested=False)
    rows = {
        f"rank_{rank}": (rank, ours, cut, exact(least_error(_spectra(params), [rank] * len(params.modules))))
        for rank, (ours, cut) in enumerate(zip(nested, plain, strict=True), 1)
    }
    columns = [column("rank_of_every_module"), column("dylora", "DyLoRA"), column("lora_cut", "LoRA, cut"), column("least")]
    return table("errors", columns, rows, asked=True)


def _told(params: RankAllocationParams, run: Run) -> list[Item]:
    """The ranks that a run ends with, and whether they are the best."""
    named = enumerate(zip(params.modules, run.ranks, strict=True), 1)
    rows = {f"module_{place}": (module.name, rank) for place, (module, rank) in named}
    best = _is_best(params, run.ranks)
    return [table("final", ["module", "rank"], rows, asked=True), claim("best", best), claim("not_best", not best)]


def _adalora(params: RankAllocationParams, run: Run, sheet: Part) -> Part:
    one, last = params.adalora, params.training.n_steps - params.adalora.final
    rows = {
        f"choice_{place}": (event.step, methods.budget(params, event.step), *event.ranks)
        for place, event in enumerate(run.events, 1)
    }
    return part(
        "3",
        "AdaLoRA",
        *_told(params, run),
        letter(methods.NOW, one.warmup + (last - one.warmup + 1) // 2, "step half way between the first and the last choice"),
        formula("budget", methods.BUDGET, "budget half way", "b(t)"),
        table("choices", ["step", "budget", *_columns(params)], rows),
        within=sheet,
    )


def _increlora(params: RankAllocationParams, run: Run) -> Part:
    growth, scores = {}, {}
    for place, event in enumerate(run.events, 1):
        grown = ", ".join(params.modules[one].name for one in event.chosen)
        growth[f"growth_{place}"] = (event.step, grown, *event.ranks)
        scores[f"growth_{place}"] = (event.step, *(round(score / max(event.scores), 4) for score in event.scores))
    beyond = {
        f"module_{place}": (module.name, rank, len(module.singular_values))
        for place, (module, rank) in enumerate(zip(params.modules, run.ranks, strict=True), 1)
        if rank > len(module.singular_values)
    }
    return part(
        "4",
        "IncreLoRA",
        claim("grows", bool(run.events), "the budget lets modules grow"),
        claim("nothing_to_add", not run.events, "the budget leaves nothing to add"),
        *_told(params, run),
        table("growth", ["step", "grows", *_columns(params)], growth, asked=True),
        table("scores", ["step", *_columns(params)], scores),
        table("beyond", ["module", "rank", "rank_of_the_target"], beyond),
    )


def _compared(params: RankAllocationParams, problem: Problem, nested: Sequence[float], runs: Runs) -> Part:
    spectra, equal = _spectra(params), _uniform(params)
    best = best_ranks(spectra, params.budget)
    lora = methods.low_rank_errors(problem, equal[0], nested=False)[-1]
    found = {
        "best": ("Best possible", best, exact(least_error(spectra, best))),
        "lora": ("LoRA, equal ranks", equal, lora),
        "dylora": ("DyLoRA, cut to equal ranks", equal, nested[equal[0] - 1]),
        **{key: (name, run.ranks, run.error) for (key, name), run in zip(NAMED.items(), runs, strict=True)},
    }
    rows = {
        key: (name, *ranks, sum(ranks), error, exact(least_error(spectra, ranks))) for key, (name, ranks, error) in found.items()
    }
    columns = [column("method"), *_columns(params), column("total"), column("error"), column("least", "Least with these ranks")]
    costs = nested[equal[0] - 1] > lora
    return part(
        "5",
        "Side by side",
        table("methods", columns, rows, asked=True),
        *_claims(params, lora, runs),
        claim("dylora_costs", costs),
        claim("dylora_costs_nothing", not costs),
    )


def _claims(params: RankAllocationParams, lora: float, runs: Runs) -> Iterator[Item]:
    """Each method beside LoRA with equal ranks, by their published errors."""
    for key, run in zip(NAMED, runs, strict=True):
        yield claim(f"{key}_leaves_less", run.error < lora)
        yield claim(f"{key}_leaves_no_less", run.error >= lora)
        yield claim(f"{key}_has_best_ranks", _is_best(params, run.ranks))
