"""Assignment 2, question 1: means and variances of batch, layer and instance normalization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import lcm
from typing import Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact, rational
from generators.params import Exact, Params
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step

LONGEST = {"samples": 12, "channels": 5, "features": 8}
MAX_ENTRIES = 96
MAX_MAGNITUDE = 100
LONGEST_ENTRY = 6
MAX_DENOMINATOR = 100

N, C, F, S, Q, mu = sympy.symbols("N C F S Q mu", positive=True)
n, c, f = sympy.symbols("n c f", integer=True)
x = sympy.IndexedBase("x")


class Conventions(Params):
    """What the variances rest on."""

    variance: Literal["population", "sample"] = Field(
        "population", description="divisor of a variance: the number of values (population) or one less (sample)"
    )


class TensorParams(Params):
    """The tensor as samples, then channels, then features."""

    tensor: list[list[list[Exact]]]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_ragged(self.tensor)
        _refuse_too_large(self.tensor)
        if self.conventions.variance == "sample" and len(self.tensor[0][0]) == 1:
            raise ValueError(
                "conventions.variance: a sample variance needs at least two features, "
                "since instance normalization has one value a feature (got 1 feature)"
            )
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Samples, channels, features."""
        return len(self.tensor), len(self.tensor[0]), len(self.tensor[0][0])


def _refuse_ragged(tensor: list[list[list[Fraction]]]) -> None:
    if not tensor:
        raise ValueError("tensor: must have at least one sample (got [])")
    for i, sample in enumerate(tensor, 1):
        if not sample:
            raise ValueError(f"tensor: sample {i} must have at least one channel (got [])")
        if len(sample) != len(tensor[0]):
            raise ValueError(f"tensor: sample {i} must have as many channels as sample 1, {len(tensor[0])} (got {len(sample)})")
        for j, channel in enumerate(sample, 1):
            where = f"tensor: sample {i}, channel {j} must have"
            if not channel:
                raise ValueError(f"{where} at least one feature (got [])")
            if len(channel) != len(tensor[0][0]):
                raise ValueError(f"{where} as many features as the first, {len(tensor[0][0])} (got {len(channel)})")


def _refuse_too_large(tensor: list[list[list[Fraction]]]) -> None:
    """Beyond these sizes the matrices and pictures no longer fit a printed page."""
    from generators.figures.tensor import entry_text

    sizes = {"samples": len(tensor), "channels": len(tensor[0]), "features": len(tensor[0][0])}
    for name, size in sizes.items():
        if size > LONGEST[name]:
            raise ValueError(f"tensor: must have at most {LONGEST[name]} {name} to fit a page (got {size})")
    entries = [entry for sample in tensor for channel in sample for entry in channel]
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"tensor: must have at most {MAX_ENTRIES} entries to fit a page (got {len(entries)})")
    for entry in entries:
        if abs(entry) > MAX_MAGNITUDE:
            raise ValueError(f"tensor: entries must lie between -{MAX_MAGNITUDE} and {MAX_MAGNITUDE} (got {entry})")
        if len(entry_text(entry)) > LONGEST_ENTRY:
            raise ValueError(f"tensor: entries must have at most {LONGEST_ENTRY} characters to fit a page (got {entry})")
    denominator = lcm(*(entry.denominator for entry in entries))
    if denominator > MAX_DENOMINATOR:
        raise ValueError(f"tensor: entries must have a common denominator of at most {MAX_DENOMINATOR} (got {denominator})")


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
        """The sum of a term over all the values of one statistic."""
        return sympy.Sum(term, *((index, 1, LENGTH[index]) for index in reversed(self.over)))


LENGTH = {n: N, c: C, f: F}
NAMES = {n: "Sample", c: "Channel", f: "Feature"}
TECHNIQUES = (Technique("batch", (n, f)), Technique("layer", (c, f)), Technique("instance", (f,)))


def solve(params: TensorParams) -> Answer:
    """Compute the six tensors, and work out the first mean and variance of each technique."""
    steps: dict[str, Step] = {}
    tables: dict[str, Table] = {}
    for technique in TECHNIQUES:
        statistics = _statistics(technique, params)
        for place, name in enumerate(("mean", "variance")):
            tables[f"{technique.name}_{name}"] = _by_index(technique, params, {k: v[place] for k, v in statistics.items()})
        worked = _working(technique, params)
        steps |= {f"{technique.name}_{name}": line for name, line in worked.items()}
        mean = rational(worked["mean"].value)
        tables[f"{technique.name}_values"] = _first_subset(technique, params, Fraction(0), 1)
        tables[f"{technique.name}_squares"] = _first_subset(technique, params, mean, 2)
    return Answer({"1": Part(title="Mean and variance tensors", steps=steps, tables=tables)})


def _divisor(count: sympy.Expr, params: TensorParams) -> sympy.Expr:
    return count - 1 if params.conventions.variance == "sample" else count


def _statistics(technique: Technique, params: TensorParams) -> dict[tuple[int, ...], tuple[Fraction, Fraction]]:
    """Mean and variance by the kept indices, counted from 0."""
    subsets: dict[tuple[int, ...], list[Fraction]] = {}
    for place in product(*map(range, params.shape)):
        key = tuple(i for i, index in zip(place, (n, c, f), strict=True) if index in technique.kept)
        subsets.setdefault(key, []).append(params.tensor[place[0]][place[1]][place[2]])
    found = {}
    for key, values in subsets.items():
        mean = sum(values, Fraction(0)) / len(values)
        squares = sum(((value - mean) ** 2 for value in values), Fraction(0))
        found[key] = (mean, squares / int(_divisor(sympy.Integer(len(values)), params)))
    return found


def _by_index(technique: Technique, params: TensorParams, values: Mapping[tuple[int, ...], Fraction]) -> Table:
    """A row a sample and a column a channel, or one for all where the statistic runs over that axis."""
    samples = range(params.shape[0]) if n in technique.kept else [None]
    channels = range(params.shape[1]) if c in technique.kept else [None]
    header = ("Sample", *("all channels" if j is None else f"Channel {j + 1}" for j in channels))
    rows: list[tuple[Cell, ...]] = []
    for i in samples:
        cells = (values[tuple(k for k in (i, j) if k is not None)] for j in channels)
        rows.append(("all" if i is None else str(i + 1), *cells))
    return Table(header=header, rows=tuple(rows))


def _first_subset(technique: Technique, params: TensorParams, centre: Fraction, power: int) -> Table:
    """The values of the first statistic, less `centre` and to a power: a row a sample or channel, a column a feature."""
    down = technique.over[0] if len(technique.over) > 1 else n
    rows = {
        "batch": [sample[0] for sample in params.tensor],
        "layer": params.tensor[0],
        "instance": params.tensor[0][:1],
    }[technique.name]
    header = (NAMES[down], *(f"Feature {k}" for k in range(1, params.shape[2] + 1)))
    cells = [(str(number), *((value - centre) ** power for value in row)) for number, row in enumerate(rows, 1)]
    return Table(header=header, rows=tuple(cells))


def _working(technique: Technique, params: TensorParams) -> dict[str, Step]:
    """Sum, mean, sum of squares and variance of the first statistic."""
    sizes: dict[sympy.Symbol, Value] = {**dict(zip((N, C, F), params.shape, strict=True)), **dict.fromkeys(technique.kept, 1)}
    where = rf"{{\text{{{technique.name}}},{','.join('1' * len(technique.kept))}}}"
    total = _evaluated("sum of the values", "S", technique.total(x[n, c, f]), sizes, params)
    mean = step("mean", rf"\mu_{where}", S / technique.count, {**sizes, S: total.value})
    terms = (x[n, c, f] - mu) ** 2
    squares = _evaluated("sum of squared distances from the mean", "Q", technique.total(terms), {**sizes, mu: mean.value}, params)
    variance = step("variance", rf"\sigma^2_{where}", Q / _divisor(technique.count, params), {**sizes, Q: squares.value})
    return {"sum": total, "mean": mean, "squares": squares, "variance": variance}


def _evaluated(what: str, symbol: str, formula: sympy.Sum, at: Mapping[sympy.Symbol, Value], params: TensorParams) -> Step:
    """A step whose formula is a sum over entries of the tensor."""
    terms = formula.subs({key: value for key, value in at.items() if key in formula.free_symbols}).doit()
    entries = {}
    for one in terms.atoms(sympy.Indexed):
        i, j, k = (int(index) - 1 for index in one.indices)
        entries[one] = sympy.Rational(params.tensor[i][j][k])
    value = exact(terms.xreplace(entries))
    return Step(what=what, symbol=symbol, value=value, formula=formula, at=at)


def verify(params: TensorParams, answer: Answer) -> Iterator[Check]:
    """Find the tensors again with torch's normalizations, numpy, and Python's exact statistics."""
    from generators.oracles.normalization import verify_normalization

    return verify_normalization(params, answer)


def draw(params: TensorParams, answer: Answer) -> dict[str, Figure]:
    """The tensor once a technique, with the values of each statistic in one colour and pattern."""
    from generators.figures.tensor import tensor_figure

    figures = {}
    for one in TECHNIQUES:
        name = f"{one.name.capitalize()} normalization"
        figures[f"{one.name}_subsets"] = tensor_figure(params.tensor, name, n in one.kept, c in one.kept)
    return figures


QUESTION = SelfVerifying(
    title="Normalization: batch, layer and instance",
    points=6,
    params=TensorParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
