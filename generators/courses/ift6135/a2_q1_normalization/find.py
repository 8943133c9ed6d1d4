"""Finds means and variances again: Python's exact statistics of each subset, and torch's normalizations in float64.

From the sheet: a tensor of batch size × channels × features; batch normalization has one mean a channel, layer
normalization one a sample, instance normalization one a sample and channel.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any

from generators.cells import Cell, Math
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.found import Found, Proof, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)
EXACT = Route("Python's statistics, exact fractions")
TORCH = Route("torch's normalizations in float64", tolerance=1e-12, absolute=1e-11)
NEAR = Route("torch's normalizations in float64", tolerance=1e-11)

ORDER = "technique sample channel count_formula count sum sum_of_squares mean_formula mean variance_formula variance"
HEADINGS = {
    "count": Math("m"),
    "sum": Math(r"S = \sum x"),
    "sum_of_squares": Math(r"Q = \sum x^2"),
    "mean": Math(r"\mu"),
    "variance": Math(r"\sigma^2"),
}
SYMBOLS = {"count": "m", "sum": "S", "sum_of_squares": "Q", "mean": "mu"}

Tensor = Sequence[Sequence[Sequence[Fraction]]]
Grid = Mapping[str, Mapping[str, Sequence[Fraction]]]
"""Values of each statistic, by sample and channel."""


def find(params: TensorParams) -> Iterator[Found | Proof]:
    """The tensor, its statistics, and the six tensors made of them."""
    yield from _given(params.tensor)
    yield from SHEET.part("1", "Mean and variance tensors")
    sample = params.conventions.variance == "sample"
    rows: dict[str, Mapping[str, Cell]] = {}
    for technique, grid in _grids(params.tensor).items():
        for statistic in ("mean", "variance"):
            cells = {at: {to: _worked(one, sample)[statistic] for to, one in row.items()} for at, row in grid.items()}
            yield from EXACT.table("1", f"{technique}_{statistic}", cells)
        for at, to in ((at, to) for at, row in grid.items() for to in row):
            kept = [one for one in (at, to) if not one.endswith("_all")]
            rows[".".join([technique, *kept])] = {
                "technique": technique, "sample": _number(at), "channel": _number(to), **_worked(grid[at][to], sample)
            }  # fmt: skip
    yield from EXACT.table("1", "statistics", rows, headings=HEADINGS, symbols=SYMBOLS, columns=ORDER.split())
    yield from _by_torch(params.tensor, sample)


def _given(tensor: Tensor) -> Iterator[Found]:
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", N=len(tensor), C=len(tensor[0]), F=len(tensor[0][0]))
    rows: dict[str, dict[str, Cell]] = {}
    for at, sample in enumerate(tensor, 1):
        for to, channel in enumerate(sample, 1):
            row = rows[f"sample_{at}.channel_{to}"] = {"sample": at, "channel": to}
            row |= {f"feature_{place}": value for place, value in enumerate(channel, 1)}
    yield from SHEET.table("sheet", "tensor", rows)


def _grids(tensor: Tensor) -> dict[str, Grid]:
    samples = {f"sample_{at}": one for at, one in enumerate(tensor, 1)}
    channels = {f"channel_{to}": one for to, one in enumerate(zip(*tensor, strict=True), 1)}
    return {
        "batch": {"sample_all": {to: list(chain(*one)) for to, one in channels.items()}},
        "layer": {at: {"channel_all": list(chain(*one))} for at, one in samples.items()},
        "instance": {at: dict(zip(channels, one, strict=True)) for at, one in samples.items()},
    }


def _number(name: str) -> int | str:
    """The 2 of sample_2, or "all"."""
    number = name.partition("_")[2]
    return int(number) if number.isdigit() else number


def _worked(values: Sequence[Fraction], sample: bool) -> dict[str, Cell]:
    """The second moment about zero takes the place of squares added up."""
    count, mean = len(values), statistics.mean(values)
    return {
        "count": count,
        "sum": mean * count,
        "sum_of_squares": statistics.pvariance(values, mu=Fraction(0)) * count,
        "mean": mean,
        "variance": statistics.variance(values) if sample else statistics.pvariance(values),
    }


def _by_torch(tensor: Tensor, sample: bool) -> Iterator[Found | Proof]:
    """The kernels' statistics; torch normalizes by population variances whatever the convention."""
    import numpy as np
    import torch

    from generators.courses.ift6135.a2_q1_normalization import torch_normalizations as ours

    array = np.array(tensor, dtype=float)
    x = torch.from_numpy(array)
    for technique, grid in _grids(tensor).items():
        mean, variance = ours.statistics_of(technique, x)
        count = array.size // mean.size
        unbiased = variance * count / (count - 1) if sample else variance
        for statistic, found in (("mean", mean), ("variance", unbiased)):
            named = zip(grid.items(), found.tolist(), strict=True)
            cells = {at: dict(zip(row, numbers, strict=True)) for (at, row), numbers in named}
            yield from TORCH.cells("1", f"{technique}_{statistic}", cells)
        scaled = (array - _exactly(grid, statistics.mean)) / np.sqrt(_exactly(grid, statistics.pvariance) + ours.EPSILON)
        difference = np.abs(scaled - ours.normalized(technique, x)).max()
        yield from NEAR.proof(f"{technique} normalization of torch takes these means and population variances", difference)
    if len(tensor) * len(tensor[0][0]) > 1:
        kept = _exactly(_grids(tensor)["batch"], statistics.variance)[0, :, 0]
        difference = (np.abs(kept - ours.running_variance(x)) / (1 + kept)).max()
        yield from NEAR.proof("batch normalization of torch keeps sample variances", difference)


def _exactly(grid: Grid, statistic: Any) -> Any:
    """A statistic of each subset as an array that goes with the tensor's axes."""
    import numpy as np

    return np.array([[float(statistic(one)) for one in row.values()] for row in grid.values()])[..., None]
