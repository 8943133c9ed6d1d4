"""Computes every mean and variance that batch, layer and instance normalization take, from sums over the tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, letter, part
from generators.cells import Cell, Math, exact
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.table import Column, Table, column, table

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

Row = Mapping[str, Cell]
Place = tuple[int | str, int | str]


def solve(params: TensorParams) -> Answer:
    """The six tensors, and the sums that every entry of them comes from."""
    sheet = _sheet(params)
    divisor = DIVISOR[params.conventions.variance]
    rows = {name: [_row(name, *one, divisor) for one in _subsets(params, name).items()] for name in OVER}
    tensors = [_tensor(name, statistic, rows[name]) for name in OVER for statistic in ("mean", "variance")]
    named = {_key(row): row for technique in rows.values() for row in technique}
    return answer(
        sheet,
        part("1", "Mean and variance tensors", *tensors, table("statistics", COLUMNS, named), within=sheet),
    )


def _sheet(params: TensorParams) -> Part:
    """The tensor and its sizes."""
    samples = params.tensor
    rows = {
        f"sample_{i}.channel_{j}": {"sample": i, "channel": j, **_features(values)}
        for i, sample in enumerate(samples, 1)
        for j, values in enumerate(sample, 1)
    }
    return part(
        "sheet",
        "Given",
        letter(N, len(samples), "samples"),
        letter(C, len(samples[0]), "channels"),
        letter(F, len(samples[0][0]), "features"),
        table("tensor", ["sample", "channel", *_features(samples[0][0])], rows, drawn=True),
    )


def _features(values: Sequence[Fraction]) -> dict[str, Cell]:
    return {f"feature_{k}": value for k, value in enumerate(values, 1)}


def _subsets(params: TensorParams, technique: str) -> dict[Place, list[Fraction]]:
    """The values of each statistic by sample and channel; "all" stands for an axis that is averaged over."""
    found: dict[Place, list[Fraction]] = {}
    for i, sample in enumerate(params.tensor, 1):
        for j, values in enumerate(sample, 1):
            place = "all" if N in OVER[technique] else i, "all" if C in OVER[technique] else j
            found.setdefault(place, []).extend(values)
    return found


def _row(technique: str, place: Place, values: Sequence[Fraction], divisor: sympy.Expr) -> dict[str, Cell]:
    """Sums of one subset, and what follows from them."""
    sums = {m: len(values), S: sum(values), Q: sum(value**2 for value in values)}
    mean, variance = MEAN.subs(sums), (Q - m * mu**2) / divisor
    return {
        "technique": technique,
        "sample": place[0],
        "channel": place[1],
        "count_formula": sympy.Mul(*OVER[technique]),
        "count": len(values),
        "sum": exact(sums[S]),
        "sum_of_squares": exact(sums[Q]),
        "mean_formula": MEAN,
        "mean": exact(mean),
        "variance_formula": variance,
        "variance": exact(variance.subs({**sums, mu: mean})),
    }


def _key(row: Row) -> str:
    """Such as instance.sample_1.channel_2, without an axis that is averaged over."""
    kept = [f"{axis}_{row[axis]}" for axis in ("sample", "channel") if row[axis] != "all"]
    return ".".join([str(row["technique"]), *kept])


def _tensor(technique: str, statistic: str, rows: Sequence[Row]) -> Table:
    """One statistic with a row a sample and a column a channel, or one for all."""
    cells: dict[str, dict[str, Cell]] = {}
    for row in rows:
        cells.setdefault(f"sample_{row['sample']}", {})[f"channel_{row['channel']}"] = row[statistic]
    return table(f"{technique}_{statistic}", list(next(iter(cells.values()))), cells, asked=True)
