"""Tables of the ranks that AdaLoRA and IncreLoRA end with, seed by seed, and of how often these are the best."""

from __future__ import annotations

from collections.abc import Sequence

from generators.steps import Table
from generators.topics.rank_methods import Run
from generators.topics.rank_problem import Spectra, best_ranks, least_error

METHODS = ("AdaLoRA", "IncreLoRA")


def final_ranks(run: Run, modules: int) -> tuple[int, ...]:
    """The ranks after the last choice, 1 for every module where there was none."""
    return run.events[-1].ranks if run.events else (1,) * modules


def seeds_tables(spectra: Spectra, budget: int, first: int, runs: Sequence[tuple[Run, Run]]) -> dict[str, Table]:
    """The ranks each seed from `first` on ends with, and how often they leave the least error that the budget allows."""
    least = least_error(spectra, best_ranks(spectra, budget))
    ranks = [tuple(final_ranks(run, len(spectra)) for run in both) for both in runs]
    rows = tuple((seed, *(", ".join(map(str, one)) for one in both)) for seed, both in enumerate(ranks, first))
    hits = [sum(least_error(spectra, one) == least for one in of_method) for of_method in zip(*ranks, strict=True)]
    found = tuple((name, len(runs), hit) for name, hit in zip(METHODS, hits, strict=True))
    return {
        "seeds": Table(header=("Seed", *METHODS), rows=rows),
        "found": Table(header=("Method", "Seeds", "Best ranks found"), rows=found),
    }
