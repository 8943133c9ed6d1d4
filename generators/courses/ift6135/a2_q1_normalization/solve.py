"""Computes every mean and variance that batch, layer and instance normalization take, from sums over the tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, answer, letter, part
from generators.cells import Cell, Math, exact
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.table import Column, column, table

N, C, F, m, S, Q, mu = sympy.symbols("N C F m S Q mu", positive=True)

OVER = {"batch": (N, F), "layer": (C, F), "instance": (F,)}
"""The lengths of the axes that each technique averages over."""
MEAN = S / m
DIVISOR = {"population": m, "sample": m - 1}
COLUMNS: list[Column | str] = [
    "technique",
    "sample",
    "channel",
    column("count_formula", of="count"),
    column("count", Math("m"), symbol=m),
    column("sum", Math(r"S = \sum x"), symbol=S),
    column("sum_of_squares", Math(r"Q = \sum x^2"), symbol=Q),
    column("mean_formula", of="mean"),
    column("mean", Math(r"\mu"), symbol=mu),
    column("variance_formula", of="variance"),
    column("variance", Math(r"\sigma^2")),
]

Place = tuple[int | str, int | str]


def solve(params: TensorParams) -> Answer:
    """The six tensors, and the sums that every entry of them comes from."""
    samples = params.tensor
    features = [f"feature_{k}" for k in range(1, len(samples[0][0]) + 1)]
    given = {
        f"sample_{i}.channel_{j}": (i, j, *values) for i, sample in enumerate(samples, 1) for j, values in enumerate(sample, 1)
    }
    sheet = part(
        "sheet",
        "Given",
        letter(N, len(samples), "samples"),
        letter(C, len(samples[0]), "channels"),
        letter(F, len(features), "features"),
        table("tensor", ["sample", "channel", *features], given, drawn=True),
    )
    tensors: dict[str, dict[str, dict[str, Cell]]] = {}
    rows = {}
    for technique, (sample, channel), values in _subsets(samples):
        worked = _worked(values, DIVISOR[params.conventions.variance])
        kept = [f"{axis}_{at}" for axis, at in (("sample", sample), ("channel", channel)) if at != "all"]
        rows[".".join([technique, *kept])] = technique, sample, channel, sympy.Mul(*OVER[technique]), *worked
        for statistic, value in (("mean", worked[4]), ("variance", worked[6])):
            tensor = tensors.setdefault(f"{technique}_{statistic}", {})
            tensor.setdefault(f"sample_{sample}", {})[f"channel_{channel}"] = value
    shown = [table(name, list(next(iter(cells.values()))), cells, asked=True) for name, cells in tensors.items()]
    return answer(sheet, part("1", "Mean and variance tensors", *shown, table("statistics", COLUMNS, rows), within=sheet))


def _subsets(tensor: Sequence[Sequence[Sequence[Fraction]]]) -> Iterator[tuple[str, Place, list[Fraction]]]:
    """The values of each statistic by technique, sample and channel; "all" stands for an axis that is averaged over."""
    for technique, over in OVER.items():
        found: dict[Place, list[Fraction]] = {}
        for i, sample in enumerate(tensor, 1):
            for j, values in enumerate(sample, 1):
                found.setdefault(("all" if N in over else i, "all" if C in over else j), []).extend(values)
        for place, values in found.items():
            yield technique, place, values


def _worked(values: Sequence[Fraction], divisor: sympy.Expr) -> list[Cell]:
    """Number, sum and sum of squares of a subset, then mean and variance with their formulas."""
    sums = {m: len(values), S: sum(values), Q: sum(value**2 for value in values)}
    mean, variance = MEAN.subs(sums), (Q - m * mu**2) / divisor
    return [len(values), exact(sums[S]), exact(sums[Q]), MEAN, exact(mean), variance, exact(variance.subs({**sums, mu: mean}))]
