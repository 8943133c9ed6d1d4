"""Products X·W of matrices rounded to 8-bit integers, in the ways that LLM.int8() compares (arXiv 2208.07339).

Matrices hold whole hundredths, so that every code is exact; a product's unit is then 1/10000.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

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
    """How a product is taken: its name, and what it does to X and W.

    Zero points shift codes; rows of X and columns of W may have a step each; decomposition takes outlier features out.
    """

    scheme: Scheme
    name: str
    zero_point: bool = False
    row_steps: bool = False
    column_steps: bool = False
    decomposed: bool = False


METHODS = (
    Method("absmax", "absmax"),
    Method("zero_point", "zero-point", True),
    Method("absmax_row_wise", "absmax row-wise", False, True),
    Method("absmax_vector_wise", "absmax vector-wise", False, True, True),
    Method("zero_point_vector_wise", "zero-point vector-wise", True, True, True),
    Method("absmax_row_wise_decomposed", "absmax row-wise + decomposition", False, True, False, True),
    Method("absmax_vector_wise_decomposed", "absmax LLM.int8()", False, True, True, True),
    Method("zero_point_vector_wise_decomposed", "zero-point LLM.int8()", True, True, True, True),
)
"""In the order of the printed table; row-wise gives each row of X a step and W a single one."""


def by_hand(values: Sequence[Fraction], *, zero_point: bool) -> tuple[Fraction, int, list[int], list[Fraction]]:
    """Step, zero point, codes and what they stand for.

    Absmax puts the largest magnitude on the largest code; with a zero point, the smallest value stands on the smallest.
    """
    step = (max(values) - min(values)) / (2 * LARGEST) if zero_point else step_size(values, BITS)
    zero = -LARGEST - round(min(values) / step) if zero_point else 0
    codes = [max(-LARGEST, min(LARGEST, code + zero)) for code in quantized(values, step)]
    return step, zero, codes, dequantized([code - zero for code in codes], step)


class Operands(NamedTuple):
    """X of tokens×features with outlier features and W of features×outputs, in hundredths."""

    x: Ints
    w: Ints

    def outliers(self, threshold: Fraction) -> npt.NDArray[numpy.bool_]:
        """For each feature, whether a token's value exceeds the threshold in magnitude."""
        return numpy.asarray((abs(self.x) > math.floor(threshold * UNIT)).any(axis=0))


def seeded_operands(product: Product, scale: Fraction = Fraction(1)) -> Iterator[Operands]:
    """For each seed standard normal entries; outlier features are moved by their size times `scale` in a share of the tokens."""
    normal, share = random.Random(), float(product.share_of_tokens)
    for seed in range(product.seed, product.seed + product.n_seeds):
        drawn, state = _standard_normal(seed, product.n_tokens, product.n_features, product.n_outputs)
        normal.setstate(state)
        x = drawn.x.copy()
        for one in product.outliers:
            for row in x:
                moved = round(UNIT * (float(one.size * scale) + normal.gauss(0.0, 1.0)))
                if normal.random() < share:
                    row[one.feature] = moved
        yield Operands(x, drawn.w)


@lru_cache(maxsize=64)  # outliers of other sizes are put into the same entries
def _standard_normal(seed: int, n_tokens: int, n_features: int, n_outputs: int) -> tuple[Operands, tuple[Any, ...]]:
    """The entries of a seed, and where its generator then stands."""
    normal = random.Random(seed)
    x, w = (
        numpy.array([[round(UNIT * normal.gauss(0.0, 1.0)) for _ in range(columns)] for _ in range(rows)], dtype=numpy.int64)
        for rows, columns in ((n_tokens, n_features), (n_features, n_outputs))
    )
    return Operands(x, w), normal.getstate()


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
    x, step_x = quantize(operands.x, 1 if method.row_steps else None, zero_point=method.zero_point)
    w, step_w = quantize(operands.w, 0 if method.column_steps else None, zero_point=method.zero_point)
    product: Floats = (x @ w) * step_x * step_w
    return product


def half_product(operands: Operands) -> Floats:
    """The product of the operands rounded to FP16, with sums that are not rounded."""
    x, w = ((numpy.float16(one / UNIT).astype(float) * _HALF_UNIT).astype(numpy.int64) for one in operands)
    product: Floats = (x @ w) / _HALF_UNIT**2 * UNIT**2
    return product


def product_by(operands: Operands, method: Method | None, threshold: Fraction) -> Floats:
    """The product by a method, in FP16 if there is none; decomposition multiplies outlier features in FP16."""
    wide = operands.outliers(threshold)
    if method is None or (method.decomposed and wide.all()):
        return half_product(operands)
    if not method.decomposed:
        return int8_product(operands, method)
    rest, apart = (Operands(operands.x[:, kept], operands.w[kept]) for kept in (~wide, wide))
    return int8_product(rest, method) + half_product(apart)


def product_error(operands: Operands, method: Method | None, threshold: Fraction) -> float:
    """Root mean square of the error of a method's product, in units of one."""
    return root_mean_square(product_by(operands, method, threshold) - operands.x @ operands.w)


def root_mean_square(products: Floats) -> float:
    """Of a product's entries, in units of one."""
    return math.sqrt(math.fsum((products.ravel() ** 2).tolist()) / products.size) / UNIT**2
