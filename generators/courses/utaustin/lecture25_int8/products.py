"""Products X·W of matrices rounded to 8-bit integers, in the ways that LLM.int8() compares (arXiv 2208.07339).

Matrices hold whole hundredths, so that every code is exact; a product's unit is then 1/10000.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from generators.courses.utaustin.lecture25_int8.params import Scheme
from generators.topics.quantization import dequantized, quantized, step_size

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

BITS = 8
LARGEST = 127
"""Codes lie from -127 to 127, so that 254 steps span a range."""
UNIT = 100
"""Parts of one in which matrices are given."""
_HALF_UNIT = 2**17
"""FP16 values of 0.01 and more are multiples of the inverse of this."""


@dataclass(frozen=True)
class Method:
    """How a product is taken: its name, whether zero points shift codes, what has a step of its own, and decomposition."""

    scheme: Scheme
    name: str
    zero_point: bool = False
    steps_for_rows: bool = False
    steps_for_columns: bool = False
    decomposed: bool = False


METHODS = (
    Method("absmax", "absmax"),
    Method("zero_point", "zero-point", zero_point=True),
    Method("absmax_row_wise", "absmax row-wise", steps_for_rows=True),
    Method("absmax_vector_wise", "absmax vector-wise", steps_for_rows=True, steps_for_columns=True),
    Method("zero_point_vector_wise", "zero-point vector-wise", zero_point=True, steps_for_rows=True, steps_for_columns=True),
    Method("absmax_row_wise_decomposed", "absmax row-wise + decomposition", steps_for_rows=True, decomposed=True),
    Method("absmax_vector_wise_decomposed", "absmax LLM.int8()", steps_for_rows=True, steps_for_columns=True, decomposed=True),
    Method(
        "zero_point_vector_wise_decomposed",
        "zero-point LLM.int8()",
        zero_point=True,
        steps_for_rows=True,
        steps_for_columns=True,
        decomposed=True,
    ),
)
"""In the order of the printed table; row-wise gives each row of X a step and W a single one."""


def absmax_by_hand(values: Sequence[Fraction]) -> tuple[Fraction, list[int], list[Fraction]]:
    """Step, codes and what they stand for, with the largest magnitude on the largest code."""
    step = step_size(values, BITS)
    codes = quantized(values, step)
    return step, codes, dequantized(codes, step)


def zero_point_by_hand(values: Sequence[Fraction]) -> tuple[Fraction, int, list[int], list[Fraction]]:
    """Step, zero point, codes and what they stand for, with the smallest value on the smallest code."""
    step = (max(values) - min(values)) / (2 * LARGEST)
    zero = -LARGEST - round(min(values) / step)
    codes = [max(-LARGEST, min(LARGEST, code + zero)) for code in quantized(values, step)]
    return step, zero, codes, dequantized([code - zero for code in codes], step)


@dataclass(frozen=True)
class Operands:
    """X of tokens×features with outlier features and W of features×outputs, in hundredths."""

    x: Ints
    w: Ints

    def outliers(self, threshold: Fraction) -> npt.NDArray[np.bool_]:
        """For each feature, whether a token's value exceeds the threshold in magnitude."""
        import numpy

        exceeds: npt.NDArray[np.bool_] = numpy.any(abs(self.x) > math.floor(threshold * UNIT), axis=0, keepdims=True)[0]
        return exceeds


def seeded_operands(
    seed: int, n_tokens: int, n_features: int, n_outputs: int, outliers: Mapping[int, float], share: float
) -> Operands:
    """Standard normal entries; an outlier feature is moved by its size in a `share` of the tokens."""
    import numpy

    generator = random.Random(seed)

    def normal() -> float:
        return generator.gauss(0.0, 1.0)

    x = [[round(UNIT * normal()) for _ in range(n_features)] for _ in range(n_tokens)]
    w = [[round(UNIT * normal()) for _ in range(n_outputs)] for _ in range(n_features)]
    for feature, size in outliers.items():
        for token in range(n_tokens):
            moved = round(UNIT * (size + normal()))
            if generator.random() < share:
                x[token][feature] = moved
    return Operands(numpy.array(x, dtype=numpy.int64), numpy.array(w, dtype=numpy.int64))


@dataclass(frozen=True)
class Quantized:
    """Codes less their zero points, and steps; a step for the whole, for each row or for each column."""

    shifted: Ints
    step: Floats


def quantize(matrix: Ints, axis: int | None, *, zero_point: bool) -> Quantized:
    """Round to codes; `axis` is the one along which values share a step, none if all do."""
    import numpy

    largest = numpy.abs(matrix).max(axis=axis, keepdims=True)
    largest = numpy.where(largest == 0, 1, largest)
    if not zero_point:
        codes = numpy.rint(LARGEST * matrix / largest).astype(numpy.int64)
        return Quantized(codes, largest / LARGEST)
    low, high = (reduce(matrix, axis=axis, keepdims=True) for reduce in (numpy.min, numpy.max))
    span = numpy.where(low == high, 2 * largest, high - low)
    zero = -LARGEST - numpy.rint(2 * LARGEST * low / span).astype(numpy.int64)
    codes = numpy.clip(numpy.rint(2 * LARGEST * matrix / span).astype(numpy.int64) + zero, -LARGEST, LARGEST)
    return Quantized(codes - zero, span / (2 * LARGEST))


def int8_product(operands: Operands, method: Method) -> Floats:
    """The product of codes, times their steps."""
    x = quantize(operands.x, 1 if method.steps_for_rows else None, zero_point=method.zero_point)
    w = quantize(operands.w, 0 if method.steps_for_columns else None, zero_point=method.zero_point)
    product: Floats = (x.shifted @ w.shifted) * x.step * w.step
    return product


def half_product(operands: Operands) -> Floats:
    """The product of the operands rounded to FP16, with sums that are not rounded."""
    import numpy

    x, w = ((numpy.float16(one / UNIT).astype(float) * _HALF_UNIT).astype(numpy.int64) for one in (operands.x, operands.w))
    product: Floats = (x @ w) / _HALF_UNIT**2 * UNIT**2
    return product


def product_by(operands: Operands, method: Method | None, threshold: Fraction) -> Floats:
    """The product by a method, in FP16 if there is none; decomposition multiplies outlier features in FP16."""
    if method is None:
        return half_product(operands)
    if not method.decomposed:
        return int8_product(operands, method)
    wide = operands.outliers(threshold)
    if wide.all():
        return half_product(operands)
    rest, apart = (Operands(operands.x[:, kept], operands.w[kept]) for kept in (~wide, wide))
    return int8_product(rest, method) + half_product(apart)


@dataclass(frozen=True)
class ProductError:
    """Root mean square (RMS) of a product's error, and that over the RMS of the exact product."""

    rms: float
    relative: float


def product_error(operands: Operands, method: Method | None, threshold: Fraction) -> ProductError:
    """Compare a method's product with the exact one."""
    exact = operands.x @ operands.w
    rms, whole = _rms(product_by(operands, method, threshold) - exact), _rms(exact.astype(float))
    return ProductError(rms, rms / whole)


def _rms(products: Floats) -> float:
    """In units of one."""
    return math.sqrt(math.fsum((products.ravel() ** 2).tolist()) / products.size) / UNIT**2


@dataclass(frozen=True)
class Agreement:
    """Pairs of methods that two columns of errors put in the same order, in the opposite one, or that are tied in one."""

    same: int
    opposite: int
    tied: int


def agreement(ours: Sequence[float], theirs: Sequence[Fraction]) -> Agreement:
    """Compare every pair."""
    pairs = combinations(zip(ours, theirs, strict=True), 2)
    products = [(first[0] - second[0]) * float(first[1] - second[1]) for first, second in pairs]
    return Agreement(sum(x > 0 for x in products), sum(x < 0 for x in products), products.count(0.0))
