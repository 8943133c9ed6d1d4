"""Products X·W of matrices rounded to 8-bit integers, in the ways that LLM.int8() compares (arXiv 2208.07339).

Matrices hold whole hundredths, so that every code is exact; a product's unit is then 1/10000.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import numpy
import numpy.typing as npt

from generators.courses.utaustin.lecture25_int8.params import Product, Scheme
from generators.topics.quantization import dequantized, quantized, step_size

Ints = npt.NDArray[numpy.int64]
Floats = npt.NDArray[numpy.float64]

BITS = 8
LARGEST = 127
"""Codes lie from -127 to 127, so that 254 steps span a range."""
UNIT = 100
"""Parts of one in which matrices are given."""
_HALF_UNIT = 2**17
"""FP16 values of 0.01 and more are multiples of the inverse of this."""


class Method(NamedTuple):
    """How a product is taken: its name, one that fits above a column, and what it does to X and W.

    Zero points shift codes; rows of X and columns of W may have a step each; decomposition takes outlier features out.
    """

    scheme: Scheme
    name: str
    short: str
    zero_point: bool = False
    steps_for_rows: bool = False
    steps_for_columns: bool = False
    decomposed: bool = False


METHODS = (
    Method("absmax", "absmax", "absmax"),
    Method("zero_point", "zero-point", "zero-point", True),
    Method("absmax_row_wise", "absmax row-wise", "row-wise", False, True),
    Method("absmax_vector_wise", "absmax vector-wise", "absmax vector-wise", False, True, True),
    Method("zero_point_vector_wise", "zero-point vector-wise", "zero-point vector", True, True, True),
    Method("absmax_row_wise_decomposed", "absmax row-wise + decomposition", "row-wise + decomp.", False, True, False, True),
    Method("absmax_vector_wise_decomposed", "absmax LLM.int8()", "absmax LLM.int8()", False, True, True, True),
    Method("zero_point_vector_wise_decomposed", "zero-point LLM.int8()", "zero-point LLM.int8()", True, True, True, True),
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

    def outliers(self, threshold: Fraction) -> npt.NDArray[numpy.bool_]:
        """For each feature, whether a token's value exceeds the threshold in magnitude."""
        return numpy.asarray((abs(self.x) > math.floor(threshold * UNIT)).any(axis=0))


def seeded_operands(product: Product, scale: Fraction) -> Operands:
    """Standard normal entries; an outlier feature is moved by its size times `scale` in a share of the tokens."""
    generator = random.Random(product.seed)

    def normal() -> float:
        return generator.gauss(0.0, 1.0)

    x = [[round(UNIT * normal()) for _ in range(product.n_features)] for _ in range(product.n_tokens)]
    w = [[round(UNIT * normal()) for _ in range(product.n_outputs)] for _ in range(product.n_features)]
    for one in product.outliers:
        for row in x:
            moved = round(UNIT * (float(one.size * scale) + normal()))
            if generator.random() < float(product.share_of_tokens):
                row[one.feature] = moved
    return Operands(numpy.array(x, dtype=numpy.int64), numpy.array(w, dtype=numpy.int64))


def quantize(matrix: Ints, axis: int | None, *, zero_point: bool) -> tuple[Ints, Floats]:
    """Codes less their zero points, and steps; `axis` is the one along which values share a step, none if all do."""
    largest = numpy.abs(matrix).max(axis=axis, keepdims=True)
    largest = numpy.where(largest == 0, 1, largest)
    if not zero_point:
        return numpy.rint(LARGEST * matrix / largest).astype(numpy.int64), largest / LARGEST
    low, high = (reduce(matrix, axis=axis, keepdims=True) for reduce in (numpy.min, numpy.max))
    span = numpy.where(low == high, 2 * largest, high - low)
    zero = -LARGEST - numpy.rint(2 * LARGEST * low / span).astype(numpy.int64)
    codes = numpy.clip(numpy.rint(2 * LARGEST * matrix / span).astype(numpy.int64) + zero, -LARGEST, LARGEST)
    return codes - zero, span / (2 * LARGEST)


def int8_product(operands: Operands, method: Method) -> Floats:
    """The product of codes, times their steps."""
    x, step_x = quantize(operands.x, 1 if method.steps_for_rows else None, zero_point=method.zero_point)
    w, step_w = quantize(operands.w, 0 if method.steps_for_columns else None, zero_point=method.zero_point)
    product: Floats = (x @ w) * step_x * step_w
    return product


def half_product(operands: Operands) -> Floats:
    """The product of the operands rounded to FP16, with sums that are not rounded."""
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


def product_error(operands: Operands, method: Method | None, threshold: Fraction) -> tuple[float, float]:
    """Root mean square (RMS) of the error of a method's product, and that over the RMS of the exact product."""
    exact = operands.x @ operands.w
    rms, whole = _rms(product_by(operands, method, threshold) - exact), _rms(exact.astype(float))
    return rms, rms / whole


def _rms(products: Floats) -> float:
    """In units of one."""
    return math.sqrt(math.fsum((products.ravel() ** 2).tolist()) / products.size) / UNIT**2


def agreement(ours: Sequence[float], theirs: Sequence[Fraction]) -> tuple[int, int, int]:
    """Pairs of methods that two columns of errors put in the same order, in the opposite one, or that are tied in one."""
    pairs = combinations(zip(ours, theirs, strict=True), 2)
    products = [(first[0] - second[0]) * float(first[1] - second[1]) for first, second in pairs]
    return sum(x > 0 for x in products), sum(x < 0 for x in products), products.count(0.0)
