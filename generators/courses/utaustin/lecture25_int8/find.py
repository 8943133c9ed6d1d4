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
from generators.courses.utaustin.lecture25_int8.params import Int8Params, Perplexities, Product
from generators.found import Found, Route

if TYPE_CHECKING:
    import torch

    from generators.courses.utaustin.lecture25_int8.tensors import Sizes, Way

SHEET = Route("the parameters and the printed table, read again", restates=True)
ENUMERATED = Route("enumeration: the nearest of all codes, in fractions")
INT8 = Route("torch._int_mm, int8 tensors", tolerance=1e-9, absolute=1e-12)
FAKE = Route("torch.fake_quantize, float32", tolerance=1e-6)
STORED = Route("torch, nbytes of the tensors kept")
SORTED = Route("torch.sign, every pair of methods", tolerance=1e-9)

Rows = dict[str, dict[str, Cell]]


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
    moved = {f"outlier_{place}": {"feature": one.feature, "size": one.size} for place, one in enumerate(product.outliers, 1)}
    yield from SHEET.table("sheet", "outliers", moved)


def nearest(value: Fraction) -> int:
    """The nearest integer, of two equally near the even one."""
    below = value.numerator // value.denominator
    return min((below, below + 1), key=lambda one: (abs(value - one), one % 2))


def enumerated(vector: tuple[Fraction, ...], *, shifted: bool) -> tuple[Fraction, int, list[int]]:
    """Step, zero point, and for each value the code of all 255 that stands nearest to it."""
    low, high = min(vector), max(vector)
    step = (high - low) / 254 if shifted else max(high, -low) / 127
    zero = -127 - nearest(low / step) if shifted else 0
    codes = [min(range(-127, 128), key=lambda c: (abs(step * (c - zero) - x), (c - zero) % 2)) for x in vector]
    return step, zero, codes


def _vector(vector: tuple[Fraction, ...]) -> Iterator[Found]:
    step, _, codes = enumerated(vector, shifted=False)
    wide, zero, moved = enumerated(vector, shifted=True)
    rows: Rows = {}
    for place, (x, c, d) in enumerate(zip(vector, codes, moved, strict=True), 1):
        back, other = step * c, wide * (d - zero)
        ours = {"x": x, "code": c, "stands_for": back, "error": back - x}
        rows[f"value_{place}"] = {**ours, "shifted_code": d, "shifted_stands_for": other, "shifted_error": other - x}
    headings = {"x": "x", "shifted_code": "Code, shifted", "shifted_stands_for": "It stands for", "shifted_error": "Its error"}
    yield from ENUMERATED.table("1", "codes", rows, headings=headings)
    ordered = sorted(vector)
    yield from ENUMERATED.letters("1", a=max(-ordered[0], ordered[-1]), x_min=ordered[0], x_max=ordered[-1])
    symbols = {"absmax_step": r"\Delta", "shifted_step": r"\Delta", "zero": "z"}
    yield from ENUMERATED.values("1", symbols=symbols, absmax_step=step, shifted_step=wide, zero=zero)
    for name, column in (("absmax_worst", "error"), ("shifted_worst", "shifted_error")):
        errors = [Fraction(row[column]) for row in rows.values()]  # type: ignore[arg-type]
        yield from ENUMERATED.values("1", {name: max(map(abs, errors))})


def stored(shape: tuple[int, int], apart: int, vectors: int, held: tuple[int, int], *, shared: int) -> int:
    """Bytes of a matrix of codes, of `apart` rows or columns (by `shared`, the features' axis) in FP16, and of the steps.

    `held` are the bytes of a step and of a zero point, 0 if there is none.
    """
    import torch

    floats, integers = {2: torch.float16, 4: torch.float32}, {1: torch.int8, 2: torch.int16, 4: torch.int32}
    coded, kept = list(shape), list(shape)
    coded[shared] -= apart
    kept[shared] = apart
    tensors = [torch.empty(coded, dtype=torch.int8), torch.empty(kept, dtype=torch.float16)]
    tensors.append(torch.empty(vectors, dtype=floats[held[0]]))
    if held[1]:
        tensors.append(torch.empty(vectors, dtype=integers[held[1]]))
    return sum(one.nbytes for one in tensors)


def _steps_and_bytes(params: Int8Params, way: Way | None, found: int) -> dict[str, Cell]:
    """How many steps X and W have, and their bytes; `found` is the number of outlier features."""
    import torch

    n, h, o = params.product.n_tokens, params.product.n_features, params.product.n_outputs
    if way is None:
        halves = [torch.empty(shape, dtype=torch.float16).nbytes for shape in ((n, h), (h, o))]
        return {"steps_x": 0, "steps_w": 0, "bytes_x": halves[0], "bytes_w": halves[1]}
    of_x, of_w = (n if way.x_dim is not None else 1), (o if way.w_dim is not None else 1)
    held = params.conventions.bytes_per_step, params.conventions.bytes_per_zero_point if way.shifted else 0
    apart = found if way.mixed else 0
    bytes_x, bytes_w = stored((n, h), apart, of_x, held, shared=1), stored((h, o), apart, of_w, held, shared=0)
    return {"steps_x": of_x, "steps_w": of_w, "bytes_x": bytes_x, "bytes_w": bytes_w}


def _methods(params: Int8Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, errors, sample, sizes_of

    sizes = sizes_of(params.product, Fraction(1))
    x, _, wide = sample(sizes)
    count = int(wide.sum())
    yield from INT8.letters("2", k=count)
    rows: Rows = {}
    for key, way in (("fp16", None), *((way.scheme, way) for way in WAYS)):
        rms, relative = errors(sizes, way)
        cells: dict[str, Cell] = {"method": way.name if way else "FP16", "error": rms, "relative": relative}
        rows[key] = cells | _steps_and_bytes(params, way, count)
    headings = {"error": "RMS error", "relative": "Relative error"}
    headings |= {f"{what}_{of}": f"{what.title()} of {of.upper()}" for what in ("steps", "bytes") for of in "xw"}
    yield from INT8.table("2", "methods", rows, headings=headings)
    last = rows["zero_point_vector_wise_decomposed"]
    symbols = {"bytes_x": "M_X", "bytes_w": "M_W"}
    yield from STORED.values("2", {name: last[name] for name in symbols}, unit="B", symbols=symbols)
    yield from _by_quantizers(sizes, wide)
    yield from _matrix(x, wide)
    yield from _gains(rows, count)


def _by_quantizers(sizes: Sizes, wide: torch.Tensor) -> Iterator[Found]:
    """Torch's own quantizer makes the same errors, where it is left a feature."""
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, faked

    if not bool(wide.all()):
        yield from FAKE.cells("2", "methods", {way.scheme: {"error": faked(sizes, way)} for way in WAYS if not way.shifted})


def _matrix(x: torch.Tensor, wide: torch.Tensor) -> Iterator[Found]:
    """The magnitudes of X in hundredths."""
    rows: Rows = {}
    for place, (column, out) in enumerate(zip(x.abs().T.tolist(), wide.tolist(), strict=True)):
        magnitudes = {f"token_{token}": Fraction(int(one), 100) for token, one in enumerate(column)}
        rows[f"feature_{place}"] = {"feature": place, "outlier": "yes" if out else "no", **magnitudes}
    yield from INT8.table("2", "matrix", rows)


def _gains(rows: Rows, count: int) -> Iterator[Found]:
    """Errors of the methods one over the other, and the bytes that decomposition adds."""
    pairs = {"row_wise": ("absmax", "absmax_row_wise"), "zero_point": ("absmax", "zero_point")}
    yield from INT8.values("2", nothing_taken_out=count == 0, features_taken_out=count != 0)
    if count:
        pairs["decomposition"] = ("absmax_vector_wise", "absmax_vector_wise_decomposed")
        before, after = (rows[key]["bytes_w"] for key in pairs["decomposition"])
        yield from STORED.values("2", unit="B", bytes_of_decomposition=after - before)  # type: ignore[operator]
    for name, keys in pairs.items():
        first, second = (float(rows[key]["error"]) for key in keys)  # type: ignore[arg-type]
        better = second < first
        yield from INT8.values("2", {f"{name}_is_better": better})
        if name != "zero_point":
            yield from INT8.values("2", {f"{name}_is_no_better": not better})
        if better:
            yield from INT8.values("2", {f"{name}_gain": first / second})


def _by_size(product: Product) -> Iterator[Found]:
    """Errors with outliers in proportion to others."""
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS, errors, sizes_of

    most = max(abs(one.size) for one in product.outliers)
    rows: Rows = {}
    for place, size in enumerate(product.largest_sizes, 1):
        scaled = sizes_of(product, size / most)
        found: dict[str, Cell] = {way.scheme: errors(scaled, way)[0] for way in WAYS}
        rows[f"size_{place}"] = {"largest": size, "fp16": errors(scaled, None)[0], **found}
    yield from INT8.table("2", "sizes", rows, headings={"fp16": "FP16", **{way.scheme: way.short for way in WAYS}})


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
    products, rows = [], {}
    for number, model in enumerate(printed.models):
        signs = _signs(ours) * _signs([float(values[way.scheme][number]) for way in WAYS])
        products.append(signs)
        same, other, tied = (int((signs[pairs] == sign).sum()) for sign in (1, -1, 0))
        share = Fraction(same - other, same + other) if same + other else None
        counts: dict[str, Cell] = {"model": model, "same": same, "opposite": other, "tied": tied, "agreement": share}
        rows[f"model_{number + 1}"] = {**counts, "equal_order": "yes" if other == 0 else "no"}
    yield from SORTED.values("3", n_pairs=int(pairs.sum()))
    yield from SORTED.table("3", "agreement", rows)
    yield from _equal(rows)
    yield from _opposite(printed.models, ours, products)
    yield from _beside(printed, values, ours)


def _equal(rows: Mapping[str, Mapping[str, Cell]]) -> Iterator[Found]:
    equal = [row["opposite"] == 0 for row in rows.values()]
    claims = {"all_orders_equal": all(equal), "no_order_equal": not any(equal), "some_orders_equal": len(set(equal)) == 2}
    yield from SORTED.values("3", claims)
    if claims["some_orders_equal"]:
        models = [str(row["model"]) for row in rows.values()]
        for name, kept in (("equal_models", True), ("unequal_models", False)):
            named = ", ".join(model for model, one in zip(models, equal, strict=True) if one is kept)
            yield from SORTED.values("3", {name: named})


def _opposite(models: Sequence[str], ours: Sequence[float], products: Sequence[torch.Tensor]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_int8.tensors import WAYS

    rows: Rows = {}
    for i, j in combinations(range(len(WAYS)), 2):
        worse, better = (WAYS[i], WAYS[j]) if ours[i] >= ours[j] else (WAYS[j], WAYS[i])
        where = [model for model, signs in zip(models, products, strict=True) if signs[i, j] == -1]
        if where:
            cells: dict[str, Cell] = {"worse": worse.name, "better": better.name, "other_way": ", ".join(where)}
            rows[f"{worse.scheme}.{better.scheme}"] = cells
    yield from SORTED.values("3", some_pairs_opposite=len(rows) > 0, no_pair_opposite=len(rows) == 0)
    headings = {"worse": "Worse here", "better": "Better here", "other_way": "Printed the other way for"}
    if rows:
        yield from SORTED.table("3", "opposite", rows, headings=headings)


def _beside(printed: Perplexities, values: Mapping[str, Sequence[Fraction]], ours: Sequence[float]) -> Iterator[Found]:
    """From the largest error to the smallest; ties stay in the order of the printed table."""
    import torch

    from generators.courses.utaustin.lecture25_int8.tensors import WAYS

    order = torch.argsort(torch.tensor(ours, dtype=torch.float64), descending=True, stable=True).tolist()
    models = {f"model_{place}": model for place, model in enumerate(printed.models, 1)}
    rows: Rows = {}
    for rank, i in enumerate(order, 1):
        texts: list[Any] = [_written(value, printed.decimals) for value in values[WAYS[i].scheme]]
        cells: dict[str, Cell] = {"rank": rank, "method": WAYS[i].name, "error": ours[i]}
        rows[WAYS[i].scheme] = cells | dict(zip(models, texts, strict=True))
    yield from SORTED.table("3", "beside", rows, headings={"rank": "Rank here", "error": "RMS error", **models})


def _written(value: Fraction, decimals: int) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.{decimals}f}"
