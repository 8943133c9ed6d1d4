"""Finds the 8-bit products again: int8 tensors multiplied by torch, its own quantizers, and codes found by enumeration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import torch

from generators.answer import Cell
from generators.oracles.compare import Formula, close_rows, same, same_formulas, same_letters, same_rows, text
from generators.oracles.int8_tensors import WAYS, Sizes, Way, errors, faked, sample, sizes_of
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_int8 import Int8Params

INT8 = "torch._int_mm, int8 tensors"
FAKE = "torch.fake_quantize, float32"
ENUMERATED = "enumeration: the nearest of all codes, in fractions"
STORED = "torch, nbytes of the tensors kept"
SORTED = "torch.sign, every pair of methods"
FAKE_TOLERANCE = 1e-6
FLOATS = {2: torch.float16, 4: torch.float32}
INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32}
OTHER_SIZES = {"n": 3, "h": 10, "o": 5, "k": 2, "b_Delta": 2, "b_z": 4}
OTHER_ENDS = {"a": Fraction(7, 3), "x_min": Fraction(2, 5), "x_max": Fraction(9, 2)}


def verify_int8(params: Int8Params, answer: Answer) -> Iterator[Check]:
    """Check the vector, the methods with their bytes, and the orders."""
    yield from _check_vector(tuple(params.vector), answer["1"])
    yield from _check_methods(params, answer["2"])
    yield from _check_orders(params, answer["3"])


def nearest(value: Fraction) -> int:
    """The nearest integer, of two equally near the even one."""
    below = value.numerator // value.denominator
    return min((below, below + 1), key=lambda one: (abs(value - one), one % 2))


@lru_cache(maxsize=16)
def enumerated(vector: tuple[Fraction, ...], *, shifted: bool) -> tuple[Fraction, int, list[int]]:
    """Step, zero point, and for each value the code of all 255 that stands nearest to it."""
    low, high = min(vector), max(vector)
    step = (high - low) / 254 if shifted else max(high, -low) / 127
    zero = -127 - nearest(low / step) if shifted else 0
    codes = [min(range(-127, 128), key=lambda c: (abs(step * (c - zero) - x), (c - zero) % 2)) for x in vector]
    return step, zero, codes


def _check_vector(vector: tuple[Fraction, ...], part: Part) -> Iterator[Check]:
    step, _, codes = enumerated(vector, shifted=False)
    wide, zero, moved = enumerated(vector, shifted=True)
    backs = [(step * c, wide * (d - zero)) for c, d in zip(codes, moved, strict=True)]
    rows = [
        (x, c, back, back - x, d, other, other - x) for x, c, d, (back, other) in zip(vector, codes, moved, backs, strict=True)
    ]
    yield same_rows("1, codes and what they stand for", part.tables["codes"], rows, ENUMERATED)
    worst = [max(abs(pair[i] - x) for x, pair in zip(vector, backs, strict=True)) for i in (0, 1)]
    found = {"absmax_step": step, "absmax_worst": worst[0], "shifted_step": wide, "zero": zero, "shifted_worst": worst[1]}
    for name, value in found.items():
        yield same(f"1, {part[name].what}", part[name].value, value, ENUMERATED)
    ends = (-OTHER_ENDS["a"], OTHER_ENDS["a"]), (OTHER_ENDS["x_min"], OTHER_ENDS["x_max"])
    triples: list[Formula] = [
        ("absmax", part["absmax_step"].formula, enumerated(ends[0], shifted=False)[0]),
        ("zero-point", part["shifted_step"].formula, enumerated(ends[1], shifted=True)[0]),
    ]
    yield same_formulas("1, steps", triples, OTHER_ENDS, ENUMERATED)
    put_in = {"a": max(map(abs, vector)), "x_min": sorted(vector)[0], "x_max": sorted(vector)[-1]}
    yield same_letters("1, values in the formulas", part.steps, put_in)


@lru_cache(maxsize=64)
def stored(rows: int, columns: int, apart: int, vectors: int, step: int, zero: int, *, shared: int) -> int:
    """Bytes of a matrix of codes, of `apart` rows or columns (by `shared`, the features' axis) in FP16, and of the steps."""
    shape = [rows, columns]
    shape[shared] -= apart
    codes = torch.empty(shape, dtype=torch.int8)
    shape[shared] = apart
    kept = [codes, torch.empty(shape, dtype=torch.float16), torch.empty(vectors, dtype=FLOATS[step])]
    if zero:
        kept.append(torch.empty(vectors, dtype=INTEGERS[zero]))
    return sum(one.nbytes for one in kept)


def _bytes(sizes: tuple[int, int, int, int], way: Way | None, step: int, zero: int) -> tuple[int, int, int, int]:
    """How many steps X and W have, and their bytes; `sizes` are tokens, features, outputs and outlier features."""
    n, h, o, k = sizes
    if way is None:
        return 0, 0, *(torch.empty(shape, dtype=torch.float16).nbytes for shape in ((n, h), (h, o)))  # type: ignore[return-value]
    of_x, of_w = (n if way.x_dim is not None else 1), (o if way.w_dim is not None else 1)
    apart, zero = (k if way.mixed else 0), (zero if way.shifted else 0)
    return (
        of_x, of_w,
        stored(n, h, apart, of_x, step, zero, shared=1), stored(h, o, apart, of_w, step, zero, shared=0),
    )  # fmt: skip


def _check_methods(params: Int8Params, part: Part) -> Iterator[Check]:
    product, held = params.product, params.conventions
    sizes = sizes_of(product, Fraction(1))
    wide = int(sample(sizes)[2].sum())
    yield same("2, outlier features", part["outliers"].value, wide, "enumeration: values above the threshold")
    at = (product.n_tokens, product.n_features, product.n_outputs, wide)
    rows: list[tuple[Cell, ...]] = []
    for way in (None, *WAYS):
        name = "FP16" if way is None else way.name
        rows.append((name, *errors(sizes, way), *_bytes(at, way, held.bytes_per_step, held.bytes_per_zero_point)))
    yield close_rows("2, steps, bytes and errors", part.tables["methods"], rows, INT8)
    for name, value in zip(("bytes_x", "bytes_w"), rows[-1][5:7], strict=True):
        yield same(f"2, {part[name].what}", part[name].value, value, STORED)
    other = _bytes(tuple(OTHER_SIZES[name] for name in "nhok"), WAYS[-1], OTHER_SIZES["b_Delta"], OTHER_SIZES["b_z"])  # type: ignore[arg-type]
    triples: list[Formula] = [("X", part["bytes_x"].formula, other[2]), ("W", part["bytes_w"].formula, other[3])]
    yield same_formulas("2, bytes", triples, OTHER_SIZES, STORED)
    put_in = {**dict(zip("nhok", at, strict=True)), "b_Delta": held.bytes_per_step, "b_z": held.bytes_per_zero_point}
    yield same_letters("2, values in the formulas", part.steps, put_in)
    yield _check_against_quantizers(sizes, part)
    most = max(abs(one.size) for one in product.outliers)
    scaled = [(size, sizes_of(product, size / most)) for size in product.largest_sizes]
    by_size = [(size, *(errors(one, way)[0] for way in (None, *WAYS))) for size, one in scaled]
    yield close_rows("2, outliers of every size", part.tables["sizes"], by_size, INT8)


def _check_against_quantizers(sizes: Sizes, part: Part) -> Check:
    """Torch's own quantizer makes the same errors."""
    published = dict(zip(part.tables["methods"].column("Method"), part.tables["methods"].column("RMS error"), strict=True))
    if bool(sample(sizes)[2].all()):
        return same("2, features for torch's quantizers", 0, 0, FAKE)
    passed, shown = True, []
    for way in WAYS:
        ours = published[way.name]
        if not way.shifted:
            theirs = faked(sizes, way)
            passed &= isinstance(ours, float) and abs(ours - theirs) <= FAKE_TOLERANCE * theirs
            shown.append((text(ours), text(theirs)))
    ours_shown, theirs_shown = (", ".join(column) for column in zip(*shown, strict=True))
    what = f"2, RMS errors of the absmax methods, to {FAKE_TOLERANCE:g}"
    return Check(what=what, published=ours_shown, found=theirs_shown, by=FAKE, passed=passed)


def _signs(numbers: Sequence[float]) -> torch.Tensor:
    """For each pair, the sign of the difference."""
    column = torch.tensor(numbers, dtype=torch.float64)
    return torch.sign(column[:, None] - column[None, :])


def _check_orders(params: Int8Params, part: Part) -> Iterator[Check]:
    printed = params.perplexities
    values = {row.scheme: row.values for row in printed.rows}
    sizes = sizes_of(params.product, Fraction(1))
    ours = [errors(sizes, way)[0] for way in WAYS]
    pairs = torch.triu(torch.ones(len(WAYS), len(WAYS)), 1).bool()
    products, rows = [], []
    for number, model in enumerate(printed.models):
        signs = _signs(ours) * _signs([float(values[way.scheme][number]) for way in WAYS])  # type: ignore[index]
        products.append(signs)
        same_way, other_way, tied = (int((signs[pairs] == sign).sum()) for sign in (1, -1, 0))
        compared = same_way + other_way
        share = Fraction(same_way - other_way, compared) if compared else None
        rows.append((model, same_way, other_way, tied, share, "yes" if other_way == 0 else "no"))
    yield same_rows("3, agreement with every column", part.tables["agreement"], rows, SORTED)
    named = []
    for i, j in combinations(range(len(WAYS)), 2):
        worse, better = (i, j) if ours[i] >= ours[j] else (j, i)
        where = [model for model, signs in zip(printed.models, products, strict=True) if signs[i, j] == -1]
        if where:
            named.append((WAYS[worse].name, WAYS[better].name, ", ".join(where)))
    yield _rows_or_none("3, pairs in the opposite order", part, named)
    order = torch.argsort(torch.tensor(ours, dtype=torch.float64), descending=True, stable=True).tolist()
    beside: list[tuple[Cell, ...]] = []
    for rank, i in enumerate(order, 1):
        column = [_written(value, printed.decimals) for value in values[WAYS[i].scheme]]  # type: ignore[index]
        beside.append((rank, WAYS[i].name, ours[i], *column))
    yield close_rows("3, methods by error beside the printed table", part.tables["beside"], beside, "torch.argsort")


def _rows_or_none(what: str, part: Part, found: list[tuple[str, str, str]]) -> Check:
    if found:
        return same_rows(what, part.tables["opposite"], found, SORTED)
    return same(what, len(part.tables["opposite"].rows), 0, SORTED)


def _written(value: Fraction, decimals: int) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.{decimals}f}"
