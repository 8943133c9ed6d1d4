"""Finds the best ranks, runs every method with every seed, and puts their ranks and errors side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from generators.answer import Answer, Item, Part, answer, claim, number, part, text
from generators.cells import Cell, Math, Rounded, exact
from generators.courses.sydney.seminar2_rank_allocation import rank_methods as methods
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.courses.sydney.seminar2_rank_allocation.rank_methods import Growth, Problem, Run, best_ranks, least_error
from generators.table import Column, column, table

NAMED = {"adalora": "AdaLoRA", "increlora": "IncreLoRA"}


def solve(params: RankAllocationParams) -> Answer:
    """The best ranks, one run of each method in detail, and the ranks and errors that all seeds end with."""
    problems = [Problem(params, params.training.seed + place) for place in range(params.training.n_seeds)]
    runs = {"adalora": [*map(methods.run_adalora, problems)], "increlora": [*map(methods.run_increlora, problems)]}
    nested = [methods.low_rank_errors(one, params.largest_rank, nested=True) for one in problems]
    return answer(
        _sheet(params),
        _best(params),
        part("2", "DyLoRA", *_dylora(params, problems, nested)),
        _adalora(params, runs["adalora"][0]),
        _increlora(params, runs["increlora"][0]),
        _compared(params, problems, nested, runs),
    )


def _sheet(params: RankAllocationParams) -> Part:
    """What is given."""
    training, ada, incre, held = params.training, params.adalora, params.increlora, params.triplets
    return part(
        "sheet",
        "Given",
        text("names", ", ".join(module.name for module in params.modules)),
        number("n_modules", len(params.modules), "modules"),
        number("width", params.width, "model width", "D"),
        number("uniform_rank", _uniform(params)[0], "rank of each module if all get the same"),
        number("noise", exact(training.noise), "standard deviation of what is added to each entry of a target"),
        number("learning_rate", exact(training.learning_rate)),
        number("seed", training.seed),
        number("n_seeds", training.n_seeds, "seeds"),
        number("largest_rank", params.largest_rank, "largest rank of DyLoRA", r"R_{\max}"),
        number("adalora_interval", ada.interval, "steps from a choice of AdaLoRA to the next"),
        number("gamma", exact(held.penalty), "factor of the penalty", r"\gamma"),
        number("beta_1", exact(held.beta_1), "decay of the mean importance", r"\beta_1"),
        number("beta_2", exact(held.beta_2), "decay of the mean distance from it", r"\beta_2"),
        number("increlora_interval", incre.interval, "steps from a growth of IncreLoRA to the next"),
        number("reserve", exact(incre.reserve), "λ of the triplet in reserve"),
        number("C_0", ada.initial_rank * len(params.modules), "triplets of AdaLoRA at first", "C_0"),
        number("C_T", params.budget, "ranks of all modules together", "C_T"),
        number("T", training.n_steps, "training steps", "T"),
        number("T_warmup", ada.warmup, "steps before AdaLoRA chooses", r"T_{\text{warmup}}"),
        number("T_last", ada.final, "last steps, in which AdaLoRA chooses no more", r"T_{\text{last}}"),
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


def _by_module(rows: Sequence[Sequence[Cell]]) -> dict[str, Sequence[Cell]]:
    return {f"module_{place}": row for place, row in enumerate(rows, 1)}


def _best(params: RankAllocationParams) -> Part:
    spectra = _spectra(params)
    ranks = best_ranks(spectra, params.budget)
    least, uniform = exact(least_error(spectra, ranks)), exact(least_error(spectra, _uniform(params)))
    rows = [
        (one.name, rank, len(values), ", ".join(f"{float(s):g}" for s in values))
        for one, values, rank in zip(params.modules, spectra, ranks, strict=True)
    ]
    columns = ["module", "best_rank", "rank_of_the_target", "singular_values"]
    return part(
        "1",
        "The best ranks",
        number("best", least, "least error of the budget", r"E_{\text{best}}", asked=True),
        number("uniform", uniform, "least error with equal ranks", r"E_{\text{equal}}", asked=True),
        table("modules", columns, _by_module(rows), asked=True),
    )


def _dylora(params: RankAllocationParams, problems: Sequence[Problem], nested: Sequence[list[float]]) -> list[Item]:
    """Means over all seeds of DyLoRA's errors and of a LoRA's that is cut, and with how many seeds DyLoRA's are lower."""
    plain = [methods.low_rank_errors(one, params.largest_rank, nested=False) for one in problems]
    rows = {}
    for rank, (ours, cut) in enumerate(zip(zip(*nested, strict=True), zip(*plain, strict=True), strict=True), 1):
        means, below = (_mean(ours), _mean(cut)), sum(a < b for a, b in zip(ours, cut, strict=True))
        rows[f"rank_{rank}"] = (rank, *means, exact(least_error(_spectra(params), [rank] * len(params.modules))), below)
    columns = [column("rank"), column("dylora", "DyLoRA"), column("lora_cut", "LoRA, cut"), column("least")]
    better = claim("lora_better", means[1] < means[0], "LoRA leaves less at the largest rank")
    return [table("errors", [*columns, column("seeds_with_less")], rows, asked=True), better]


def _mean(errors: Sequence[float]) -> Rounded:
    """The mean, to four decimals."""
    return Rounded(sum(errors) / len(errors), 4)


def _told(params: RankAllocationParams, run: Run) -> list[Item]:
    """The ranks that a run ends with, and whether they are the best."""
    rows = [(module.name, rank) for module, rank in zip(params.modules, run.ranks, strict=True)]
    best = _is_best(params, run.ranks)
    return [table("final", ["module", "rank"], _by_module(rows), asked=True), claim("best", best), claim("not_best", not best)]


def _share(value: float, of: float) -> Rounded:
    """One number over another, to five decimals."""
    return Rounded(value / of, 5)


def _adalora(params: RankAllocationParams, run: Run) -> Part:
    """Every choice with the scores between which it cuts, and all scores of the last one, over the largest S."""
    rows = {}
    for place, choice in enumerate(run.choices, 1):
        stay, kept = methods.budget(params, choice.step), choice.kept > 0
        cut = (choice.scores[kept].min(), choice.scores[~kept].max())
        ranks = map(int, choice.kept.sum(1))
        rows[f"choice_{place}"] = (choice.step, stay, *ranks, *(_share(score, choice.scores.max()) for score in cut))
    scores = [
        (module.name, *sorted((_share(score, choice.scores.max()) for score in row), reverse=True))
        for module, row in zip(params.modules, choice.scores, strict=True)
    ]
    return part(
        "3",
        "AdaLoRA",
        *_told(params, run),
        table("choices", ["step", "budget", *_columns(params), "least_kept", "largest_dropped"], rows),
        number("last_step", choice.step, "step of the last choice"),
        table(
            "scores", ["module", *(f"triplet_{place}" for place in range(1, params.adalora.initial_rank + 1))], _by_module(scores)
        ),
    )


def _increlora(params: RankAllocationParams, run: Run) -> Part:
    rows = {
        f"growth_{place}": (one.step, params.modules[one.grown].name, *_raised(one)) for place, one in enumerate(run.growths, 1)
    }
    return part(
        "4",
        "IncreLoRA",
        *_told(params, run),
        claim("grows", bool(run.growths), "the budget lets modules grow"),
        claim("nothing_to_add", not run.growths, "the budget leaves nothing to add"),
        *([table("growth", ["step", "grows", *_columns(params)], rows), *_logged(params, run.growths[-1])] if rows else []),
    )


def _raised(one: Growth) -> list[int]:
    """The ranks after a growth."""
    return [rank + (place == one.grown) for place, rank in enumerate(one.ranks)]


def _logged(params: RankAllocationParams, one: Growth) -> list[Item]:
    """What the last growth rests on, and whether the module that grows needed it."""
    left = [least_error([values], [rank]) for values, rank in zip(_spectra(params), one.ranks, strict=True)]
    logged, errors = (one.mean * one.spread, one.mean, one.spread), [Rounded(error, 4) for error in one.errors]
    rows = [
        (module.name, *(_share(of[k], of[one.grown]) for of in logged), one.ranks[k], errors[k], exact(left[k]))
        for k, module in enumerate(params.modules)
    ]
    letters = {"score": "S_m", "mean": r"I_{\text{mean},m}", "spread": r"U_{\text{mean},m}"}
    shares = [column(key, Math(symbol)) for key, symbol in letters.items()]
    return [
        number("last_step", one.step, "step of the last growth"),
        text("grown", params.modules[one.grown].name),
        table("logged", [column("module"), *shares, *map(column, ("rank", "error", "least"))], _by_module(rows)),
        claim("grown_in_vain", left[one.grown] == 0, "the module that grows could meet its target with the rank it had"),
    ]


def _range(errors: Sequence[float]) -> tuple[Rounded, Rounded]:
    """The lowest and the highest error, to four decimals."""
    return Rounded(min(errors), 4), Rounded(max(errors), 4)


def _compared(
    params: RankAllocationParams, problems: Sequence[Problem], nested: Sequence[list[float]], runs: Mapping[str, Sequence[Run]]
) -> Part:
    """Errors over all seeds, how often they are below LoRA's, and how often ranks are the best."""
    rank, first = _uniform(params)[0], params.training.seed
    lora = [methods.low_rank_errors(one, rank, nested=False)[-1] for one in problems]
    errors = {"dylora": [one[rank - 1] for one in nested], **{key: [run.error for run in ones] for key, ones in runs.items()}}
    rows: dict[str, Sequence[Cell]] = {"lora": ("LoRA", *_range(lora), None, None)}
    for key, found in errors.items():
        best = sum(_is_best(params, run.ranks) for run in runs[key]) if key in runs else None
        below = sum(one < other for one, other in zip(found, lora, strict=True))
        rows[key] = (NAMED.get(key, "DyLoRA"), *_range(found), below, best)
    by_seed = {
        f"seed_{seed}": (seed, *(", ".join(map(str, run.ranks)) for run in both))
        for seed, both in enumerate(zip(*runs.values(), strict=True), first)
    }
    always = [name for name, *_, below, _ in rows.values() if below == len(problems)]
    columns = [*map(column, ("method", "lowest", "highest")), column("below_lora", "Below LoRA")]
    return part(
        "5",
        "Side by side",
        table("methods", [*columns, column("best_ranks")], rows, asked=True),
        text("always_below", ", ".join(map(str, always))),
        claim("some_always_below", bool(always), "a method errs less than LoRA with every seed"),
        claim("none_always_below", not always, "no method errs less than LoRA with every seed"),
        table("ranks", ["seed", *(column(key, name) for key, name in NAMED.items())], by_seed),
    )
