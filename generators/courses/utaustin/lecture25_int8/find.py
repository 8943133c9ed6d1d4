"""Finds the 8-bit products again: int8 tensors multiplied by torch, its own quantizers, and codes found by enumeration.

From the paper (arXiv 2208.07339) and the printed table: row-wise gives each row of X a step, vector-wise also each column of
W, and decomposition multiplies the features with an outlier in FP16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any

from generators.cells import Cell
from generators.courses.utaustin.lecture25_int8.params import Int8Params, Product
from generators.found import Found, Route

if TYPE_CHECKING:
    import torch

    from generators.courses.utaustin.lecture25_int8.tensors import Way

SHEET = Route("the parameters and the printed table, read again", restates=True)
ENUMERATED = Route("enumeration: the nearest of all codes, in fractions")
INT8 = Route("torch._int_mm, int8 tensors", tolerance=1e-9, absolute=1e-12)
FAKE = Route("torch's observers of ranges and fake_quantize", tolerance=1e-9)
STORED = Route("torch, nbytes of the tensors kept")
SORTED = Route("torch.sign, every pair of methods", tolerance=1e-9)


def find(params: Int8Params) -> Iterator[Found]:
    """The vector, the methods with their bytes, and the orders."""
    yield from _given(params)
    yield from _vector(tuple(params.vector))
    yield from _methods(params)
    yield from _by_size(params.product)
    yield from _orders(params)


def _given(params: Int8Params) -> Iterator[Found]:
    product, held = params.product, params.conventions
    titles = {"sheet": "Given", "1": "A vector by hand", "2": "A product in eight ways", "3": "The printed order"}
    for label, title in titles.items():
        yield from SHEET.part(label, title)
    yield from SHEET.letters("sheet", n=product.n_tokens, h=product.n_features, o=product.n_outputs)
    yield from SHEET.letters("sheet", unit="B", b_Delta=held.bytes_per_step, b_z=held.bytes_per_zero_point)
    yield from SHEET.values("sheet", seed=product.seed, threshold=product.threshold)
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
    yield from ENUMERATED.table("1", "codes", rows, headings=headings, columns=columns)
    ordered = sorted(vector)
    yield from ENUMERATED.letters("1", a=max(-ordered[0], ordered[-1]), x_min=ordered[0], x_max=ordered[-1])
    symbols = {"absmax_step": r"\Delta", "shifted_step": r"\Delta", "zero": "z"}
    yield from ENUMERATED.values("1", symbols=symbols, absmax_step=step, shifted_step=wide, zero=zero)
    for name, place in (("absmax_worst", 3), ("shifted_worst", 6)):
        yield from ENUMERATED.values("1", {name: max(abs(cells[place]) for cells in rows.values())})


def _kept(params: Int8Params, way: Way | None, found: int) -> tuple[int, ...]:
    """How many steps X and W have, and their bytes; `found` is the number of outlier features."""
    import torch

    n, h, o = params.product.n_tokens, params.product.n_features, params.product.n_outputs
    if way is None:
        x, w = (torch.empty(shape, dtype=torch.float16).nbytes for shape in ((n, h), (h, o)))
        return 0, 0, x, w
    floats, integers = {2: torch.float16, 4: torch.float32}, {1: torch.int8, 2: torch.int16, 4: torch.int32}
    steps = [floats[params.conventions.bytes_per_step]]
    steps += [integers[params.conventions.bytes_per_zero_point]] if way.shifted else []
    apart = found if way.mixed else 0
    counts, sizes = ((n if way.x_dim is not None else 1), (o if way.w_dim is not None else 1)), []
    for rows, vectors in zip((n, o), counts, strict=True):
        tensors = [torch.empty(rows, h - apart, dtype=torch.int8), torch.empty(rows, apart, dtype=torch.float16)]
        sizes.append(sum(one.nbytes for one in (*tensors, *(torch.empty(vectors, dtype=kind) for kind in steps))))
    return *counts, *sizes


def _methods(params: Int8Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, errors, quantizers_error, sample, sizes_of

    sizes = sizes_of(params.product, Fraction(1))
    x, _, wide = sample(sizes)
    count = int(wide.sum())
    yield from INT8.letters("2", k=count)
    ways = {"fp16": None, **{way.scheme: way for way in WAYS}}
    rows: dict[str, tuple[Any, ...]] = {
        key: (way.name if way else "FP16", *errors(sizes, way), *_kept(params, way, count)) for key, way in ways.items()
    }
    headings = {"error": "RMS error", "relative": "Relative error"}
    headings |= {f"{what}_{of}": f"{what.title()} of {of.upper()}" for what in ("steps", "bytes") for of in "xw"}
    yield from INT8.table("2", "methods", rows, headings=headings, columns=["method", *headings])
    if not bool(wide.all()):
        faked = {way.scheme: quantizers_error(sizes, way) for way in WAYS}
        yield from FAKE.cells("2", "methods", {key: {"error": error} for key, error in faked.items() if error is not None})
    symbols = {"bytes_x": "M_X", "bytes_w": "M_W"}
    *_, bytes_x, bytes_w = rows["zero_point_vector_wise_decomposed"]
    yield from STORED.values("2", unit="B", symbols=symbols, bytes_x=bytes_x, bytes_w=bytes_w)
    hundredths = zip(x.abs().T.tolist(), wide.tolist(), strict=True)
    matrix = {f"feature_{place}": (place, "yes" if out else "no", *(Fraction(int(one), 100) for one in column))
              for place, (column, out) in enumerate(hundredths)}  # fmt: skip
    columns = ["feature", "outlier", *(f"token_{token}" for token in range(len(x)))]
    yield from INT8.table("2", "matrix", matrix, columns=columns)
    yield from _gains(rows, count)


def _gains(rows: Mapping[str, tuple[Any, ...]], count: int) -> Iterator[Found]:
    """Errors of the methods one over the other, and the bytes that decomposition adds."""
    pairs = {"row_wise": ("absmax", "absmax_row_wise"), "zero_point": ("absmax", "zero_point")}
    yield from INT8.values("2", nothing_taken_out=count == 0, features_taken_out=count != 0)
    if count:
        pairs["decomposition"] = ("absmax_vector_wise", "absmax_vector_wise_decomposed")
        before, after = (rows[key][-1] for key in pairs["decomposition"])
        yield from STORED.values("2", unit="B", bytes_of_decomposition=after - before)
    for name, (one, other) in pairs.items():
        gain = rows[one][1] / rows[other][1]
        yield from INT8.values("2", {f"{name}_is_better": gain > 1})
        if name != "zero_point":
            yield from INT8.values("2", {f"{name}_is_no_better": gain <= 1})
        if gain > 1:
            yield from INT8.values("2", {f"{name}_gain": gain})


def _by_size(product: Product) -> Iterator[Found]:
    """Errors with outliers in proportion to others."""
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, errors, sizes_of

    most = max(abs(one.size) for one in product.outliers)
    rows = {f"size_{place}": (size, *(errors(sizes_of(product, size / most), way)[0] for way in (None, *WAYS)))
            for place, size in enumerate(product.largest_sizes, 1)}  # fmt: skip
    headings = {"fp16": "FP16", **{way.scheme: way.short for way in WAYS}}
    yield from INT8.table("2", "sizes", rows, headings=headings, columns=["largest", *headings])


def _signs(numbers: Sequence[float]) -> torch.Tensor:
    """For each pair, the sign of the difference."""
    import torch

    column = torch.tensor(numbers, dtype=torch.float64)
    return torch.sign(column[:, None] - column[None, :])


def _orders(params: Int8Params) -> Iterator[Found]:
    """Signs of all differences, here and in the printed columns."""
    import torch

    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, errors, sizes_of

    printed, sizes = params.perplexities, sizes_of(params.product, Fraction(1))
    values: dict[str, list[Fraction]] = {row.scheme: row.values for row in printed.rows}
    ours = [errors(sizes, way)[0] for way in WAYS]
    pairs = torch.triu(torch.ones(len(WAYS), len(WAYS)), 1).bool()
    products = [(model, _signs(ours) * _signs([float(values[way.scheme][number]) for way in WAYS]))
                for number, model in enumerate(printed.models)]  # fmt: skip
    rows: dict[str, tuple[Cell, ...]] = {}
    for place, (model, signs) in enumerate(products, 1):
        same, other, tied = (int((signs[pairs] == sign).sum()) for sign in (1, -1, 0))
        share = Fraction(same - other, same + other) if same + other else None
        rows[f"model_{place}"] = (model, same, other, tied, share, "no" if other else "yes")
    columns = ["model", "same", "opposite", "tied", "agreement", "equal_order"]
    yield from SORTED.values("3", n_pairs=int(pairs.sum()))
    yield from SORTED.table("3", "agreement", rows, columns=columns)
    yield from _equal([(model, not bool((signs == -1).any())) for model, signs in products])
    yield from _opposite(ours, products)
    order = torch.argsort(torch.tensor(ours, dtype=torch.float64), descending=True, stable=True).tolist()
    beside = {WAYS[i].scheme: (rank, WAYS[i].name, ours[i],
                               *(_written(value, printed.decimals) for value in values[WAYS[i].scheme]))
              for rank, i in enumerate(order, 1)}  # fmt: skip
    headings = {f"model_{place}": model for place, model in enumerate(printed.models, 1)}
    yield from SORTED.table("3", "beside", beside, columns=["rank", "method", "error", *headings],
                            headings={"rank": "Rank here", "error": "RMS error", **headings})  # fmt: skip


def _equal(equal: Sequence[tuple[str, bool]]) -> Iterator[Found]:
    said = {one for _, one in equal}
    yield from SORTED.values(
        "3", all_orders_equal=said == {True}, no_order_equal=said == {False}, some_orders_equal=len(said) == 2
    )
    if len(said) == 2:
        for name, kept in (("equal_models", True), ("unequal_models", False)):
            yield from SORTED.values("3", {name: ", ".join(model for model, one in equal if one is kept)})


def _opposite(ours: Sequence[float], products: Sequence[tuple[str, torch.Tensor]]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS

    rows: dict[str, tuple[str, ...]] = {}
    for i, j in combinations(range(len(WAYS)), 2):
        worse, better = (WAYS[i], WAYS[j]) if ours[i] >= ours[j] else (WAYS[j], WAYS[i])
        where = [model for model, signs in products if signs[i, j] == -1]
        if where:
            rows[f"{worse.scheme}.{better.scheme}"] = (worse.name, better.name, ", ".join(where))
    yield from SORTED.values("3", some_pairs_opposite=len(rows) > 0, no_pair_opposite=len(rows) == 0)
    headings = {"worse": "Worse here", "better": "Better here", "other_way": "Printed the other way for"}
    if rows:
        yield from SORTED.table("3", "opposite", rows, headings=headings, columns=list(headings))


def _written(value: Fraction, decimals: int) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.{decimals}f}"
