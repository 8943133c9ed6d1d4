"""Finds means and variances again: torch's normalizations and numpy in float64, Python's exact statistics."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import sympy
import torch
from torch.nn import functional

from generators.answer import Cell, rational
from generators.oracles.compare import same, same_letters, same_rows, text
from generators.steps import Answer, Check, Step, Table

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q1_normalization import TensorParams

Tensor: TypeAlias = tuple[tuple[tuple[Fraction, ...], ...], ...]
TOLERANCE = 1e-12
EPSILON = 1.0
"""Added to every variance; as large as this it keeps rounding small where a variance is zero."""
TORCH = f"torch {torch.__version__.split('+')[0]}, float64"
EXACT = "Python's statistics, exact fractions"
OVER = {"batch": (0, 2), "layer": (1, 2), "instance": (2,)}
"""The axes of (samples, channels, features) that each technique averages over."""
OTHER: Tensor = tuple(
    tuple(tuple(Fraction(5 * i + 3 * j * j + 7 * k % 4, 2) for k in range(5)) for j in range(3)) for i in range(2)
)
"""A tensor of another shape, 2 × 3 × 5, on which the published formulas must hold too."""
OTHER_INDEX = {"n": 2, "c": 3}


def verify_normalization(params: TensorParams, answer: Answer) -> Iterator[Check]:
    """Check the six tensors, what they are worked out from, and the formulas on another tensor."""
    sample = params.conventions.variance == "sample"
    tensor = tuple(tuple(map(tuple, one)) for one in params.tensor)
    for name in OVER:
        mean, variance = (answer["1"].tables[f"{name}_{kind}"] for kind in ("mean", "variance"))
        yield from _check_exactly(name, tensor, mean, variance, sample)
        published = _as_array(mean), _as_array(variance)
        for by, found in _in_float64(name, tensor, sample).items():
            yield _close(f"{name} normalization, means", published[0], found[0], by)
            yield _close(f"{name} normalization, variances", published[1], found[1], by)
        yield _check_normalized(name, tensor, published, sample)
        yield from _check_working(name, tensor, answer, sample)


@lru_cache(maxsize=16)
def subsets(name: str, tensor: Tensor) -> list[list[tuple[Fraction, ...]]]:
    """The values of every statistic, as rows (samples or one) of columns (channels or one)."""
    samples, channels = range(len(tensor)), range(len(tensor[0]))
    if name == "batch":
        return [[tuple(value for one in tensor for value in one[j]) for j in channels]]
    if name == "layer":
        return [[tuple(value for row in one for value in row)] for one in tensor]
    return [[tensor[i][j] for j in channels] for i in samples]


def _check_exactly(name: str, tensor: Tensor, mean: Table, variance: Table, sample: bool) -> Iterator[Check]:
    found = [[_worked(values, sample) for values in row] for row in subsets(name, tensor)]
    for what, kind, table in (("means", "mean", mean), ("variances", "variance", variance)):
        labels = ["all"] if name == "batch" else [str(number) for number in range(1, len(tensor) + 1)]
        rows: list[list[Cell]] = [[label, *(one[kind] for one in row)] for label, row in zip(labels, found, strict=True)]
        yield same_rows(f"{name} normalization, {what}", table, rows, EXACT)


def _as_array(table: Table) -> np.ndarray:
    return np.array([[float(rational(cell)) for cell in row[1:]] for row in table.rows])


@lru_cache(maxsize=16)
def _in_float64(name: str, tensor: Tensor, sample: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Means and variances by route, each as (samples or 1, channels or 1)."""
    x = np.array(tensor, dtype=float)
    axes = OVER[name]
    count = int(np.prod([x.shape[axis] for axis in axes]))
    divided = count / (count - 1) if sample else 1.0
    keep = x.mean(axes, keepdims=True).shape[:2]
    found = {"numpy, mean and var over the axes": (x.mean(axes), x.var(axes, ddof=int(sample)))}
    mean, variance = kernel_statistics(name, torch.from_numpy(x))
    found[f"{TORCH}, what {KERNELS[name]} returns"] = (mean, variance * divided)
    if name != "layer" and count > 1:
        mean, variance = running_statistics(name, torch.from_numpy(x))
        found[f"{TORCH}, running statistics of {name}_norm"] = (mean, variance * divided * (count - 1) / count)
    return {by: (one.reshape(keep), other.reshape(keep)) for by, (one, other) in found.items()}


KERNELS = {
    "batch": "native_batch_norm",
    "layer": "native_layer_norm",
    "instance": "native_group_norm with a group a channel",
}


def kernel_statistics(name: str, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population variance that the kernel of a normalization returns beside its output."""
    if name == "batch":
        _, mean, inverse = torch.native_batch_norm(x, None, None, None, None, True, 0.0, EPSILON)
    elif name == "layer":
        _, mean, inverse = torch.native_layer_norm(x, x.shape[1:], None, None, EPSILON)
    else:
        samples, channels, features = x.shape
        _, mean, inverse = torch.native_group_norm(x, None, None, samples, channels, features, channels, EPSILON)
    return mean.numpy(), (inverse**-2 - EPSILON).numpy()


def running_statistics(name: str, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample variance that batch_norm, or instance_norm of each sample alone, leaves in its running statistics."""
    parts = [x] if name == "batch" else list(x.split(1))
    mean, variance = torch.zeros(len(parts), x.shape[1]).double(), torch.ones(len(parts), x.shape[1]).double()
    for place, part in enumerate(parts):
        if name == "batch":
            functional.batch_norm(part, mean[place], variance[place], training=True, momentum=1.0)
        else:
            functional.instance_norm(part, mean[place], variance[place], use_input_stats=True, momentum=1.0)
    return mean.numpy(), variance.numpy()


@lru_cache(maxsize=16)
def normalized(name: str, tensor: Tensor) -> np.ndarray:
    """The normalized tensor, without learned scale and shift."""
    x = torch.tensor(np.array(tensor, dtype=float))
    if name == "batch":
        out = torch.batch_norm(x, None, None, None, None, True, 0.0, EPSILON, False)
    elif name == "layer":
        out = functional.layer_norm(x, x.shape[1:], eps=EPSILON)
    else:
        out = torch.instance_norm(x, None, None, None, None, True, 0.0, EPSILON, False)
    return out.numpy()


def _check_normalized(name: str, tensor: Tensor, published: tuple[np.ndarray, np.ndarray], sample: bool) -> Check:
    """Torch divides by the population variance whatever the convention."""
    x = np.array(tensor, dtype=float)
    count = int(np.prod([x.shape[axis] for axis in OVER[name]]))
    population = published[1] * ((count - 1) / count if sample else 1.0)
    ours = (x - published[0][..., None]) / np.sqrt(np.maximum(population, 0.0)[..., None] + EPSILON)
    what = f"{name} normalization, the tensor normalized with the published values"
    return _close(what, ours, normalized(name, tensor), f"{TORCH}, {name}_norm")


def _close(what: str, published: np.ndarray, found: np.ndarray, by: str) -> Check:
    """Compare arrays of one shape, relative to the larger of 1 and the largest published value."""
    scale = max(1.0, float(np.abs(published).max()))
    difference = float(np.abs(published - found).max()) / scale if published.shape == found.shape else float("inf")
    return Check(
        what=what,
        published=f"{published.size} values, equal to {TOLERANCE:g}",
        found=f"largest difference {difference:.1e}",
        by=by,
        passed=difference <= TOLERANCE,
    )


def _check_working(name: str, tensor: Tensor, answer: Answer, sample: bool) -> Iterator[Check]:
    """The first statistic: its values, its steps, and their formulas on another tensor."""
    part = answer["1"]
    first = subsets(name, tensor)[0][0]
    mean = statistics.mean(first)
    for what, power in (("values", 1), ("squares", 2)):
        found = [value if power == 1 else (value - mean) ** 2 for value in first]
        rows = _in_rows(part.tables[f"{name}_{what}"], found)
        yield same_rows(f"{name} normalization, {what} of the first statistic", part.tables[f"{name}_{what}"], rows, EXACT)
    steps = {kind: part[f"{name}_{kind}"] for kind in ("sum", "mean", "squares", "variance")}
    for kind, value in _worked(first, sample).items():
        yield same(f"{name} normalization, {steps[kind].what} of the first statistic", steps[kind].value, value, EXACT)
    yield _check_formulas(name, steps, sample)
    sizes = {"N": len(tensor), "C": len(tensor[0]), "F": len(tensor[0][0]), "n": 1, "c": 1}
    worked = _worked(first, sample)
    letters = {**sizes, "S": worked["sum"], "mu": worked["mean"], "Q": worked["squares"]}
    yield same_letters(f"{name} normalization, numbers put in", steps, letters)


def _in_rows(table: Table, values: Sequence[Fraction]) -> list[list[Cell]]:
    width = len(table.header) - 1
    cut = [values[start : start + width] for start in range(0, len(values), width)]
    return [[str(number), *row] for number, row in enumerate(cut, 1)]


@lru_cache(maxsize=256)
def _worked(values: tuple[Fraction, ...], sample: bool) -> dict[str, Fraction]:
    variance = statistics.variance(values) if sample else statistics.pvariance(values)
    mean = statistics.mean(values)
    squares = statistics.pvariance(values, mean) * len(values)
    return {"sum": sum(values, Fraction(0)), "mean": mean, "squares": squares, "variance": variance}


def _check_formulas(name: str, steps: Mapping[str, Step], sample: bool) -> Check:
    """Evaluate the published formulas for sample 2 and channel 3 of another tensor."""
    kept = [[OTHER_INDEX[axis] for axis in ("n", "c")][axis] - 1 if axis not in OVER[name] else 0 for axis in (0, 1)]
    found = _worked(subsets(name, OTHER)[kept[0]][kept[1]], sample)
    at: dict[str, int | Fraction] = {
        "N": 2,
        "C": 3,
        "F": 5,
        **OTHER_INDEX,
        "S": found["sum"],
        "mu": found["mean"],
        "Q": found["squares"],
    }
    what = f"{name} normalization, formulas on a 2 × 3 × 5 tensor"
    for kind, value in found.items():
        published = _evaluated(steps[kind].formula, tuple(at.items()))
        if published != value:
            return Check(what=f"{what}: {kind}", published=text(published), found=text(value), by=EXACT, passed=False)
    return Check(what=what, published=f"{len(found)} formulas", found=f"{len(found)} equal", by=EXACT, passed=True)


@lru_cache(maxsize=64)
def _evaluated(formula: sympy.Expr | None, at: tuple[tuple[str, int | Fraction], ...]) -> sympy.Expr:
    """A formula with its letters and the entries of the other tensor put in."""
    if formula is None:
        return sympy.nan
    letters = dict(at)
    free = {symbol: sympy.Rational(letters[str(symbol)]) for symbol in formula.free_symbols if str(symbol) in letters}
    written_out = formula.subs(free).doit()
    entries = {}
    for one in written_out.atoms(sympy.Indexed):
        i, j, k = (int(index) - 1 for index in one.indices)
        entries[one] = sympy.Rational(OTHER[i][j][k])
    return sympy.sympify(written_out.xreplace(entries))
