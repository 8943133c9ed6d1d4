"""Finds means and variances again: Python's exact statistics of each subset, and torch's normalizations in float64.

From the sheet: a tensor of batch size × channels × features; batch normalization has one mean a channel, layer
normalization one a sample, instance normalization one a sample and channel.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain

from generators.cells import Cell, Math
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.found import Found, Proof, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)
EXACT = Route("Python's statistics, exact fractions")
TORCH = Route("torch's normalizations in float64", tolerance=1e-12, absolute=1e-11)
NEAR = Route("torch's normalizations in float64", tolerance=1e-11)

ORDER = "technique sample channel mean_formula mean variance_formula variance count sum sum_of_squares"
HEADINGS = {
    "count": Math("k"),
    "sum": Math(r"\Sigma_x"),
    "sum_of_squares": Math(r"\Sigma_{xx}"),
    "mean": Math(r"\mu"),
    "variance": Math(r"\sigma^2"),
}
SYMBOLS = {"count": "k", "sum": "Sigma_x", "sum_of_squares": "Sigma_x_x", "mean": "mu"}

EPSILON = 1.0
"""What torch adds to every variance; as large as this it keeps rounding small where a variance is zero."""

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
            place = {"sample": _number(at), "channel": _number(to)}
            rows[".".join([technique, *kept])] = {"technique": technique, **place, **_worked(grid[at][to], sample)}
    yield from EXACT.table("1", "statistics", rows, headings=HEADINGS, symbols=SYMBOLS, columns=ORDER.split())
    yield from _by_torch(params.tensor, sample)


def _given(tensor: Tensor) -> Iterator[Found]:
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_samples=len(tensor), n_channels=len(tensor[0]), n_features=len(tensor[0][0]))
    rows = {}
    for at, sample in enumerate(tensor, 1):
        for to, channel in enumerate(sample, 1):
            features = {f"feature_{place}": one for place, one in enumerate(channel, 1)}
            rows[f"sample_{at}.channel_{to}"] = {"sample": at, "channel": to, **features}
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
    """Means and population variances that the kernels return beside their output; what batch normalization keeps of them."""
    import torch
    from torch.nn import functional

    x = torch.tensor([[[float(one) for one in channel] for channel in sample] for sample in tensor], dtype=torch.float64)
    samples, channels, features = x.shape
    kernels = {
        "batch": torch.native_batch_norm(x, None, None, None, None, True, 0.0, EPSILON),
        "layer": torch.native_layer_norm(x, x.shape[1:], None, None, EPSILON),
        "instance": torch.native_group_norm(x, None, None, samples, channels, features, channels, EPSILON),
    }
    for technique, grid in _grids(tensor).items():
        _, mean, inverse = kernels[technique]
        count = x.numel() // mean.numel()
        variance = (inverse**-2 - EPSILON) * (count / (count - 1) if sample else 1)
        for statistic, found in (("mean", mean), ("variance", variance)):
            numbers = iter(found.flatten().tolist())
            cells = {at: {to: next(numbers) for to in row} for at, row in grid.items()}
            yield from TORCH.cells("1", f"{technique}_{statistic}", cells)
    if samples * features > 1:
        running = torch.ones(channels, dtype=torch.float64)
        functional.batch_norm(x, torch.zeros_like(running), running, training=True, momentum=1.0)
        expected = [float(statistics.variance(one)) for one in _grids(tensor)["batch"]["sample_all"].values()]
        difference = max(abs(kept - one) / (1 + one) for kept, one in zip(running.tolist(), expected, strict=True))
        yield from NEAR.proof("batch normalization of torch keeps sample variances", difference)
