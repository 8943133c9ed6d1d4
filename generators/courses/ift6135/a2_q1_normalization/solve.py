"""Computes the six tensors, and works out the first mean and variance of each technique."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import sympy

from generators.answer import Answer, Cell, Part, Table, answer, exact, formula, letter, number, part, rational, table
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams

N, C, F, S, Q, mu = sympy.symbols("N C F S Q mu", positive=True)
n, c, f = sympy.symbols("n c f", integer=True)
x = sympy.IndexedBase("x")
LENGTH = {n: N, c: C, f: F}
Statistics = Mapping[tuple[int, ...], Fraction]


@dataclass(frozen=True)
class Technique:
    """A normalization: the axes a statistic runs over, slowest first; the others keep one statistic an index."""

    name: str
    over: tuple[sympy.Symbol, ...]

    @property
    def kept(self) -> tuple[sympy.Symbol, ...]:
        """The indices that tell the statistics apart."""
        return tuple(index for index in (n, c, f) if index not in self.over)

    @property
    def count(self) -> sympy.Expr:
        """How many values one statistic runs over."""
        return sympy.Mul(*(LENGTH[index] for index in self.over))

    def total(self, term: sympy.Expr) -> sympy.Sum:
        """The sum of a term over all the values of the first statistic."""
        first = term.subs(dict.fromkeys(self.kept, 1))
        return sympy.Sum(first, *((index, 1, LENGTH[index]) for index in reversed(self.over)))


TECHNIQUES = (Technique("batch", (n, f)), Technique("layer", (c, f)), Technique("instance", (f,)))


def solve(params: TensorParams) -> Answer:
    """The tensor, the six tensors of means and variances, and the first statistic of each technique."""
    shape = len(params.tensor), len(params.tensor[0]), len(params.tensor[0][0])
    sheet = part(
        "sheet",
        "Given",
        letter(N, shape[0], "samples"),
        letter(C, shape[1], "channels"),
        letter(F, shape[2], "features"),
        _tensor(params),
    )
    tensors = []
    for technique in TECHNIQUES:
        statistics = _statistics(technique, params, shape)
        for place, name in enumerate(("mean", "variance")):
            found = {key: both[place] for key, both in statistics.items()}
            tensors.append(_by_index(f"{technique.name}_{name}", technique, shape, found))
    working = (_working(technique, params, sheet) for technique in TECHNIQUES)
    return answer(sheet, part("1", "Mean and variance tensors", *tensors), *working)


def _tensor(params: TensorParams) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for i, sample in enumerate(params.tensor, 1):
        for j, row in enumerate(sample, 1):
            entries = {f"feature_{k}": exact(entry) for k, entry in enumerate(row, 1)}
            rows[f"sample_{i}.channel_{j}"] = {"sample": i, "channel": j, **entries}
    return table("tensor", list(rows["sample_1.channel_1"]), rows, drawn=True)


def _divisor(count: sympy.Expr, params: TensorParams) -> sympy.Expr:
    return count - 1 if params.conventions.variance == "sample" else count


def _statistics(
    technique: Technique, params: TensorParams, shape: tuple[int, int, int]
) -> dict[tuple[int, ...], tuple[Fraction, Fraction]]:
    """Mean and variance by the kept indices, counted from 1."""
    subsets: dict[tuple[int, ...], list[Fraction]] = {}
    for place in product(*map(range, shape)):
        key = tuple(i + 1 for i, index in zip(place, (n, c, f), strict=True) if index in technique.kept)
        subsets.setdefault(key, []).append(params.tensor[place[0]][place[1]][place[2]])
    found = {}
    for key, values in subsets.items():
        mean = sum(values, Fraction(0)) / len(values)
        squares = sum(((value - mean) ** 2 for value in values), Fraction(0))
        found[key] = (mean, squares / int(_divisor(sympy.Integer(len(values)), params)))
    return found


def _by_index(key: str, technique: Technique, shape: tuple[int, int, int], values: Statistics) -> Table:
    """A row a sample and a column a channel, or one for all where the statistic runs over that axis."""
    samples = range(1, shape[0] + 1) if n in technique.kept else [None]
    channels = range(1, shape[1] + 1) if c in technique.kept else [None]
    columns = {j: "all_channels" if j is None else f"channel_{j}" for j in channels}
    rows: dict[str, dict[str, Cell]] = {}
    for i in samples:
        cells = {name: exact(values[tuple(k for k in (i, j) if k is not None)]) for j, name in columns.items()}
        rows["all_samples" if i is None else f"sample_{i}"] = dict(cells)
    return table(key, list(columns.values()), rows, asked=True)


def _first_subset(technique: Technique, params: TensorParams) -> dict[str, list[Fraction]]:
    """The values of the first statistic: a row a sample or channel, in order of the features."""
    if technique.name == "batch":
        return {f"sample_{i}": sample[0] for i, sample in enumerate(params.tensor, 1)}
    channels = {f"channel_{j}": row for j, row in enumerate(params.tensor[0], 1)}
    return channels if technique.name == "layer" else {"channel_1": channels["channel_1"]}


def _working(technique: Technique, params: TensorParams, sheet: Part) -> Part:
    """Sum, mean, sum of squares and variance of the first statistic."""
    values = _first_subset(technique, params)
    total = sum((entry for row in values.values() for entry in row), Fraction(0))
    count = int(exact(technique.count.subs({symbol: one.value for symbol, one in sheet.letters.items()})))
    mean = total / count
    squares = {name: [(entry - mean) ** 2 for entry in row] for name, row in values.items()}
    where = rf"{{\text{{{technique.name}}},{','.join('1' * len(technique.kept))}}}"
    return part(
        technique.name,
        f"{technique.name.capitalize()} normalization",
        _features("values", values),
        _features("squares", squares),
        number("sum", technique.total(x[n, c, f]), "sum of the values", "S"),
        letter(S, exact(total), "sum of the values"),
        formula("mean", S / technique.count, symbol=rf"\mu_{where}"),
        number("sum_of_squares", technique.total((x[n, c, f] - mu) ** 2), "sum of squared distances from the mean", "Q"),
        letter(Q, exact(sum(map(rational, (one for row in squares.values() for one in row)), Fraction(0))), "sum of squares"),
        formula("variance", Q / _divisor(technique.count, params), symbol=rf"\sigma^2_{where}"),
        within=sheet,
    )


def _features(key: str, values: Mapping[str, list[Fraction]]) -> Table:
    rows: dict[str, dict[str, Cell]] = {
        name: {f"feature_{k}": exact(entry) for k, entry in enumerate(row, 1)} for name, row in values.items()
    }
    return table(key, list(next(iter(rows.values()))), rows)
