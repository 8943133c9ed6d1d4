"""Finds the 8-bit products again: int8 tensors multiplied by torch, its own quantizers, and codes found by enumeration.

From the paper (arXiv 2208.07339) and the printed table: row-wise gives each row of X a step, vector-wise also each column of
W, and decomposition multiplies the features with an outlier in FP16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from statistics import fmean
from typing import TYPE_CHECKING, Any

from generators.courses.utaustin.lecture25_int8.params import Int8Params
from generators.found import Found, Route

if TYPE_CHECKING:
    import torch

    from generators.courses.utaustin.lecture25_int8.tensors import Sample, Way

SHEET = Route("the parameters and the printed table, read again", restates=True)
ENUMERATED = Route("enumeration: the nearest of all codes, in fractions")
INT8 = Route("torch._int_mm, int8 tensors", tolerance=1e-9, absolute=1e-12)
FAKE = Route("torch's observers of ranges and fake_quantize", tolerance=1e-9)
STORED = Route("torch, nbytes of the tensors kept")
SORTED = Route("torch.sign, every pair of methods", tolerance=1e-9)
GIVEN = dict.fromkeys(("x", "method", "largest", "model"), SHEET)


def find(params: Int8Params) -> Iterator[Found]:
    """The vector, the methods with their bytes, and the orders."""
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, error, samples

    drawn = list(samples(params.product))
    errors = {key: [error(one, way) for one in drawn] for key, way in {"fp16": None, **WAYS}.items()}
    yield from _given(params)
    yield from _vector(tuple(params.vector))
    yield from _methods(params, drawn, errors)
    yield from _by_size(params)
    yield from _orders(params, {key: errors[key] for key in WAYS})


def _given(params: Int8Params) -> Iterator[Found]:
    product, held = params.product, params.conventions
    titles = {"sheet": "Given", "1": "A vector by hand", "2": "A product in eight ways", "3": "The printed order"}
    for label, title in titles.items():
        yield from SHEET.part(label, title)
    yield from SHEET.letters("sheet", L=product.n_tokens, D=product.n_features, o=product.n_outputs)
    yield from SHEET.letters("sheet", unit="B", s_Delta=held.bytes_per_step, s_z=held.bytes_per_zero_point)
    *_, last = range(product.seed, product.seed + product.n_seeds)
    yield from SHEET.values("sheet", seed=product.seed, last_seed=last, threshold=product.threshold)
    yield from SHEET.values("sheet", unit="%", share_of_tokens=product.share_of_tokens * 100)
    moved = {f"outlier_{place}": (one.feature, one.size) for place, one in enumerate(product.outliers, 1)}
    yield from SHEET.table("sheet", "outliers", moved, columns=["feature", "size"])


def enumerated(vector: tuple[Fraction, ...], *, shifted: bool) -> tuple[Fraction, int, list[int]]:
    """Step, zero point, and for each value the code of all 255 that stands nearest to it."""
    low, high = min(vector), max(vector)
    step = (high - low) / 254 if shifted else max(high, -low) / 127
    below = low // step  # the lowest code stands for one of the two multiples of the step around the smallest value
    zero = -127 - min((below, below + 1), key=lambda one: (abs(low - step * one), one % 2)) if shifted else 0
    codes = [min(range(-127, 128), key=lambda c: (abs(step * (c - zero) - x), (c - zero) % 2)) for x in vector]
    return step, zero, codes


def _vector(vector: tuple[Fraction, ...]) -> Iterator[Found]:
    step, _, codes = enumerated(vector, shifted=False)
    wide, zero, moved = enumerated(vector, shifted=True)
    rows: dict[str, tuple[Any, ...]] = {}
    for place, (x, c, d) in enumerate(zip(vector, codes, moved, strict=True), 1):
        rows[f"value_{place}"] = (x, c, step * c, step * c - x, d, wide * (d - zero), wide * (d - zero) - x)
    headings = {"x": "x", "shifted_code": "Code, shifted", "shifted_stands_for": "It stands for", "shifted_error": "Its error"}
    columns = ["x", "code", "stands_for", "error", *list(headings)[1:]]
    yield from ENUMERATED.table("1", "codes", rows, headings=headings, columns=columns, given=GIVEN)
    ordered = sorted(vector)
    yield from ENUMERATED.letters("1", a=max(-ordered[0], ordered[-1]), x_min=ordered[0], x_max=ordered[-1])
    symbols = {"absmax_step": r"\Delta", "shifted_step": r"\Delta", "zero": "z"}
    yield from ENUMERATED.values("1", symbols=symbols, absmax_step=step, shifted_step=wide, zero=zero)
    for name, place in (("absmax_worst", 3), ("shifted_worst", 6)):
        yield from ENUMERATED.values("1", {name: max(abs(cells[place]) for cells in rows.values())})


def _kept(params: Int8Params, way: Way | None, found: int) -> int:
    """The bytes of X and W; `found` is the number of outlier features."""
    import torch

    n, h, o = params.product.n_tokens, params.product.n_features, params.product.n_outputs
    if way is None:
        return sum(torch.empty(shape, dtype=torch.float16).nbytes for shape in ((n, h), (h, o)))
    floats, integers = {2: torch.float16, 4: torch.float32}, {1: torch.int8, 2: torch.int16, 4: torch.int32}
    steps = [floats[params.conventions.bytes_per_step]]
    steps += [integers[params.conventions.bytes_per_zero_point]] if way.shifted else []
    apart, held = found if way.mixed else 0, 0
    for rows, dim in ((n, way.x_dim), (o, way.w_dim)):
        tensors = [torch.empty(rows, h - apart, dtype=torch.int8), torch.empty(rows, apart, dtype=torch.float16)]
        tensors += [torch.empty(1 if dim is None else rows, dtype=kind) for kind in steps]
        held += sum(one.nbytes for one in tensors)
    return held


def _methods(params: Int8Params, drawn: Sequence[Sample], errors: dict[str, list[float]]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, quantizers_error, size

    count = max(int(one.wide.sum()) for one in drawn)
    yield from INT8.letters("2", k=count)
    yield from INT8.values("2", size=_digits(fmean(map(size, drawn))), nothing_taken_out=count == 0, features_taken_out=count > 0)
    ways = {"fp16": None, **WAYS}
    rows: dict[str, tuple[Any, ...]] = {}
    for key, way in ways.items():
        rows[key] = (way.name if way else "FP16, the reference", _digits(fmean(errors[key])), _kept(params, way, count))
    ends = [abs(end(of) - fmean(of)) / fmean(of) for of in errors.values() for end in (min, max)]
    yield from INT8.values("2", unit="%", spread=_digits(100 * max(ends)))
    yield from INT8.table("2", "methods", rows, headings={"error": "RMS error"},
                          columns=["method", "error", "bytes"], given=GIVEN)  # fmt: skip
    if not any(bool(one.wide.all()) for one in drawn):
        faked = {key: [quantizers_error(one, way) for one in drawn] for key, way in WAYS.items()}
        whole = {key: [one for one in of if one is not None] for key, of in faked.items()}
        known = {key: {"error": _digits(fmean(of))} for key, of in whole.items() if len(of) == len(drawn)}
        yield from FAKE.cells("2", "methods", known)
    yield from STORED.values("2", unit="B", symbols={"bytes": "M_{XW}"}, bytes=rows["zero_point_vector_wise_decomposed"][-1])


def _digits(error: float) -> float:
    """With as many digits as are published."""
    return float(f"{Decimal(error):.2e}")


def _by_size(params: Int8Params) -> Iterator[Found]:
    """Errors with outliers in proportion to others."""
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, error, samples

    product, shown = params.product, ("absmax", "zero_point", "absmax_vector_wise", "absmax_vector_wise_decomposed")
    ways, most = {"fp16": None, **{key: WAYS[key] for key in shown}}, max(abs(one.size) for one in product.outliers)
    rows: dict[str, tuple[Any, ...]] = {}
    for place, size in enumerate(product.largest_sizes, 1):
        drawn = list(samples(product, size / most))
        rows[f"size_{place}"] = (size, *(_digits(fmean(error(one, way) for one in drawn)) for way in ways.values()))
    headings = {key: way.name if way else "FP16" for key, way in ways.items()}
    yield from INT8.table("2", "sizes", rows, headings=headings, columns=["largest", *headings], given=GIVEN)


def _signs(numbers: Sequence[float]) -> torch.Tensor:
    """For each pair, the sign of the difference."""
    import torch

    column = torch.tensor(numbers, dtype=torch.float64)
    return torch.sign(column[:, None] - column[None, :])


def _orders(params: Int8Params, of_seeds: dict[str, list[float]]) -> Iterator[Found]:
    """Signs of all differences, here and in the printed columns."""
    import torch

    from generators.courses.utaustin.lecture25_int8.tensors import WAYS

    errors = {key: fmean(of) for key, of in of_seeds.items()}
    printed, ours, seeds = params.perplexities, list(errors.values()), list(zip(*of_seeds.values(), strict=True))
    values: dict[str, list[Fraction]] = {row.scheme: row.values for row in printed.rows}
    pairs = torch.triu(torch.ones(len(ours), len(ours)), 1).bool()
    rows: dict[str, tuple[Any, ...]] = {}
    for place, model in enumerate(printed.models, 1):
        theirs = _signs([float(values[key][place - 1]) for key in errors])
        signs, alike = (_signs(ours) * theirs)[pairs], [bool((_signs(one) * theirs >= 0).all()) for one in seeds]
        counts = (int((signs == sign).sum()) for sign in (1, -1, 0))
        rows[f"model_{place}"] = (model, "yes" if bool((signs >= 0).all()) else "no", *counts, sum(alike))
    names = [", ".join(row[0] for row in rows.values() if (row[3] > 0) == reversed_) for reversed_ in (False, True)]
    yield from SORTED.values(
        "3", in_order=names[0], opposite=names[1], some_in_order=names[0] != "", some_opposite=names[1] != ""
    )
    yield from SORTED.values("3", n_pairs=int(pairs.sum()), most_opposite=sorted(row[3] for row in rows.values())[-1])
    yield from SORTED.table("3", "agreement", rows, columns=["model", "in_order", "same", "opposite", "tied", "seeds"],
                            headings={"seeds": f"In order (of {len(seeds)} seeds)"}, given=GIVEN)  # fmt: skip
    falling = [list(errors)[place] for place in torch.tensor(ours).argsort(descending=True, stable=True)]
    written = {key: [f"{float(one):.{printed.decimals}f}" for one in values[key]] for key in falling}
    beside = {key: (WAYS[key].name, _digits(errors[key]), *written[key]) for key in falling}
    headings = {f"model_{place}": model for place, model in enumerate(printed.models, 1)}
    yield from SORTED.table("3", "beside", beside, columns=["method", "error", *headings],
                            headings={"error": "RMS error", **headings},
                            given={**GIVEN, **dict.fromkeys(headings, SHEET)})  # fmt: skip
