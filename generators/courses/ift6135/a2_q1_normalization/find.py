"""Finds means and variances again: Python's exact statistics over slices of an array, torch's normalizations in float64.

From the sheet: batch, layer and instance normalization of a tensor of samples, channels and features; batch normalization has a
statistic a channel, layer normalization one a sample, instance normalization one a sample and channel.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from generators.answer import Cell
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.found import Found, Proof, Route

TOLERANCE = 1e-12
SHEET = Route("the sheet and the parameters, read again", restates=True)
EXACT = Route("Python's statistics, exact fractions")
NORMALIZED = Route("torch's batch_norm, layer_norm and instance_norm, float64", tolerance=TOLERANCE)
NAMES = {
    "axes": "numpy, mean and var over the axes",
    "kernels": "torch, what the kernels of its normalizations return, float64",
    "running": "torch, running statistics of its normalizations, float64",
}
OVER = {"batch": (0, 2), "layer": (1, 2), "instance": (2,)}
"""The axes of (samples, channels, features) that each technique averages over."""
Rows = dict[str, dict[str, Cell]]


def find(params: TensorParams) -> Iterator[Found | Proof]:
    """Everything that is published about the tensor."""
    array = np.array(params.tensor, dtype=object)
    sample = params.conventions.variance == "sample"
    yield from SHEET.part("sheet", "Given")
    lengths = dict(zip("NCF", map(int, array.shape), strict=True))
    yield from SHEET.values("sheet", lengths, symbols={name: name for name in lengths})
    yield from SHEET.table("sheet", "tensor", _tensor(array))
    yield from SHEET.part("1", "Mean and variance tensors")
    for name in OVER:
        yield from _tensors(name, array, sample=sample)
        yield from _first(name, array, sample=sample)


def _tensor(array: np.ndarray) -> Rows:
    rows: Rows = {}
    for (i, j), _ in np.ndenumerate(array[:, :, 0]):
        entries = {f"feature_{k}": entry for k, entry in enumerate(array[i, j], 1)}
        rows[f"sample_{i + 1}.channel_{j + 1}"] = {"sample": i + 1, "channel": j + 1, **entries}
    return rows


def _subsets(name: str, array: np.ndarray) -> np.ndarray:
    """The values of every statistic, by sample or one, and channel or one."""
    samples, channels, _ = array.shape
    if name == "batch":
        return array.swapaxes(0, 1).reshape(1, channels, -1)
    return array.reshape(samples, 1, -1) if name == "layer" else array


def _variance(values: Sequence[Fraction], *, sample: bool) -> Fraction:
    return statistics.variance(values) if sample else statistics.pvariance(values)


def _rows(name: str, found: np.ndarray) -> Rows:
    """A row a sample and a column a channel, or one for all."""
    samples = ["all_samples"] if name == "batch" else [f"sample_{i + 1}" for i in range(found.shape[0])]
    channels = ["all_channels"] if name == "layer" else [f"channel_{j + 1}" for j in range(found.shape[1])]
    return {key: dict(zip(channels, row, strict=True)) for key, row in zip(samples, found.tolist(), strict=True)}


def _tensors(name: str, array: np.ndarray, *, sample: bool) -> Iterator[Found | Proof]:
    from generators.courses.ift6135.a2_q1_normalization.normalizations import in_float64

    subsets = _subsets(name, array)
    shape = subsets.shape[:2]
    exact: dict[str, Any] = {
        "mean": np.array([statistics.mean(one) for one in subsets.reshape(prod(shape), -1).tolist()], dtype=object),
        "variance": np.array([_variance(one, sample=sample) for one in subsets.reshape(prod(shape), -1).tolist()], dtype=object),
    }
    exact = {kind: one.reshape(shape) for kind, one in exact.items()}
    for kind, one in exact.items():
        yield from EXACT.table("1", f"{name}_{kind}", _rows(name, one))
    for by, both in in_float64(name, array.astype(float), sample=sample).items():
        for kind, one in zip(exact, both, strict=True):
            route = Route(NAMES[by], absolute=TOLERANCE * max(1.0, float(np.abs(one).max())))
            yield from route.cells("1", f"{name}_{kind}", _rows(name, one))
    yield from _normalized(name, array.astype(float), exact["mean"].astype(float), exact["variance"].astype(float), sample=sample)


def _normalized(name: str, x: np.ndarray, mean: np.ndarray, variance: np.ndarray, *, sample: bool) -> Iterator[Proof]:
    """Torch divides by the population variance whatever the convention."""
    from generators.courses.ift6135.a2_q1_normalization.normalizations import EPSILON, normalized

    count = prod(x.shape[axis] for axis in OVER[name])
    population = variance * ((count - 1) / count if sample else 1.0)
    ours = (x - mean[..., None]) / np.sqrt(population[..., None] + EPSILON)
    theirs = normalized(name, x)
    apart = float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(theirs).max()))
    yield from NORMALIZED.proof(f"{name} normalization: the tensor normalized with these means and variances", apart)


def _first(name: str, array: np.ndarray, *, sample: bool) -> Iterator[Found]:
    """The first statistic: its values, their squared distances from their mean, and what is summed."""
    block = {"batch": array[:, 0], "layer": array[0], "instance": array[:1, 0]}[name]
    values = block.flatten().tolist()
    mean = statistics.mean(values)
    yield from SHEET.part(name, f"{name.capitalize()} normalization")
    down = "sample" if name == "batch" else "channel"
    for key, entries in (("values", block), ("squares", (block - mean) ** 2)):
        rows: Rows = {
            f"{down}_{i}": {f"feature_{k}": entry for k, entry in enumerate(row, 1)} for i, row in enumerate(entries.tolist(), 1)
        }
        yield from EXACT.table(name, key, rows)
    squares = statistics.pvariance(values) * len(values)
    ones = ",".join(["1"] * (3 - len(OVER[name])))
    yield from EXACT.letters(name, S=statistics.mean(values) * len(values), Q=squares)
    found = {"mean": mean, "variance": _variance(values, sample=sample)}
    symbols = {"mean": rf"\mu_{{\text{{{name}}},{ones}}}", "variance": rf"\sigma^2_{{\text{{{name}}},{ones}}}"}
    yield from EXACT.values(name, found, symbols=symbols)
    yield from EXACT.values(name, {}, symbols={"sum": "S", "sum_of_squares": "Q"})
    yield from EXACT.worlds(f"{name}/sum", [(_world(one, 0), _of_squares(name, one, 0, power=1)) for one in _others(array)])
    about = Fraction(7, 3)
    cases = [(_world(one, about), _of_squares(name, one, about, power=2)) for one in _others(array)]
    yield from EXACT.worlds(f"{name}/sum_of_squares", cases)


def _others(array: np.ndarray) -> list[np.ndarray]:
    """The tensor, and one of another shape."""
    i, j, k = np.indices((2, 3, 5))
    return [array, np.vectorize(lambda value: Fraction(int(value), 2))(5 * i + 3 * j * j + 7 * k % 4)]


def _world(array: np.ndarray, about: Fraction | int) -> dict[str, Any]:
    """Lengths, and the tensor behind a zeroth sample, channel and feature, as the sums count from one."""
    import sympy

    padded = np.pad(array, ((1, 0), (1, 0), (1, 0)), constant_values=0)
    entries = sympy.ImmutableDenseNDimArray([sympy.Rational(Fraction(one)) for one in padded.flatten().tolist()], padded.shape)
    return {"x": entries, "mu": about, **dict(zip("NCF", map(int, array.shape), strict=True))}


def _of_squares(name: str, array: np.ndarray, about: Fraction | int, *, power: int) -> Fraction:
    """The powers of the first statistic's distances from a number, added up."""
    return sum((Fraction(one - about) ** power for one in _subsets(name, array)[0, 0].tolist()), Fraction(0))
