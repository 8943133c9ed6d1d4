"""Computes every mean and variance that batch, layer and instance normalization take, from sums over the tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import sympy

from generators.answer import Answer, answer, number, part
from generators.cells import Cell, Math, at, exact
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.table import Column, column, table

k, SUM, SQUARES, mu = sympy.symbols("k Sigma_x Sigma_x_x mu", positive=True)

OVER = {"batch": ("samples",), "layer": ("channels",), "instance": ()}
"""The axes besides that of the features that each technique averages over."""
MEAN = SUM / k
DIVISOR = {"population": k, "sample": k - 1}
COLUMNS: list[Column | str] = [
    "technique",
    "sample",
    "channel",
    column("mean_formula", of="mean"),
    column("mean", Math(r"\mu"), symbol=mu),
    column("variance_formula", of="variance"),
    column("variance", Math(r"\sigma^2")),
    column("count", Math("k"), symbol=k),
    column("sum", Math(r"\Sigma_x"), symbol=SUM),
    column("sum_of_squares", Math(r"\Sigma_{xx}"), symbol=SQUARES),
]

Place = tuple[int | str, int | str]


def solve(params: TensorParams) -> Answer:
    """The six tensors, and the sums that every entry of them comes from."""
    samples = params.tensor
    given = {
        f"sample_{i}.channel_{j}": (i, j, *map(exact, values))
        for i, sample in enumerate(samples, 1)
        for j, values in enumerate(sample, 1)
    }
    features = [f"feature_{n}" for n in range(1, len(samples[0][0]) + 1)]
    sheet = part(
        "sheet",
        "Given",
        number("n_samples", len(samples), "samples"),
        number("n_channels", len(samples[0]), "channels"),
        number("n_features", len(samples[0][0]), "features"),
        table("tensor", ["sample", "channel", *features], given),
    )
    tensors: dict[str, dict[str, dict[str, Cell]]] = {}
    rows = {}
    for technique, (sample, channel), values in _subsets(samples):
        worked = _worked(values, DIVISOR[params.conventions.variance])
        kept = [f"{axis}_{at}" for axis, at in (("sample", sample), ("channel", channel)) if at != "all"]
        rows[".".join([technique, *kept])] = technique, sample, channel, *worked
        for statistic, value in (("mean", worked[1]), ("variance", worked[3])):
            tensor = tensors.setdefault(f"{technique}_{statistic}", {})
            tensor.setdefault(f"sample_{sample}", {})[f"channel_{channel}"] = value
    shown = [table(name, list(next(iter(cells.values()))), cells, asked=True) for name, cells in tensors.items()]
    return answer(sheet, part("1", "Mean and variance tensors", *shown, table("statistics", COLUMNS, rows)))


def _subsets(tensor: Sequence[Sequence[Sequence[Fraction]]]) -> Iterator[tuple[str, Place, list[Fraction]]]:
    """The values of each statistic by technique, sample and channel; "all" stands for an axis that is averaged over."""
    for technique, over in OVER.items():
        found: dict[Place, list[Fraction]] = {}
        for i, sample in enumerate(tensor, 1):
            for j, values in enumerate(sample, 1):
                found.setdefault(("all" if "samples" in over else i, "all" if "channels" in over else j), []).extend(values)
        for place, values in found.items():
            yield technique, place, values


def _worked(values: Sequence[Fraction], divisor: sympy.Expr) -> list[Cell]:
    """Mean and variance with their formulas, number, sum and sum of squares of the values."""
    letters: dict[sympy.Symbol, Any] = {k: len(values), SUM: sum(values), SQUARES: sum(value**2 for value in values)}
    mean, variance = at(MEAN, letters), (SQUARES - k * mu**2) / divisor
    return [MEAN, mean, variance, at(variance, {**letters, mu: mean}), *map(exact, letters.values())]
