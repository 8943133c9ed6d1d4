"""Lecture 25, 8-bit products: absmax, zero-point, row-wise, vector-wise and mixed decomposition on a matrix with outliers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact
from generators.params import Exact, Params
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.int8_product import (
    METHODS,
    Method,
    Operands,
    ProductError,
    absmax_by_hand,
    agreement,
    product_error,
    seeded_operands,
    zero_point_by_hand,
)
from generators.topics.printed_tables import Perplexities, as_printed

a, low, high, n, h, o, k, step_bytes, zero_bytes = sympy.symbols("a x_min x_max n h o k b_Delta b_z", positive=True)
MAX_ENTRIES = 20_000
Magnitude = Annotated[Exact, Field(ge=-1000, le=1000)]


class Conventions(Params):
    """What the bytes rest on."""

    bytes_per_step: Literal[2, 4] = Field(4, description="bytes of a step (4 is FP32)")
    bytes_per_zero_point: Literal[1, 2, 4] = Field(2, description="bytes of a zero point (2 is int16, as zero can lie outside)")


class Outlier(Params):
    """A feature of X, counted from 0, and by how much its values are moved."""

    feature: Annotated[int, Field(ge=0)]
    size: Magnitude


class Product(Params):
    """Sizes of X and W, their seed, the outlier features, and in what share of the tokens these are moved."""

    n_tokens: Annotated[int, Field(ge=8, le=64)]
    n_features: Annotated[int, Field(ge=16, le=256)]
    n_outputs: Annotated[int, Field(ge=8, le=128)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    outliers: Annotated[list[Outlier], Field(min_length=1, max_length=8)]
    share_of_tokens: Annotated[Exact, Field(gt=0, le=1)]
    threshold: Annotated[Exact, Field(gt=0)]
    largest_sizes: Annotated[list[Annotated[Exact, Field(gt=0, le=1000)]], Field(min_length=2, max_length=9)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        entries = self.n_features * (self.n_tokens + self.n_outputs)
        if entries > MAX_ENTRIES:
            raise ValueError(f"n_features: must leave X and W at most {MAX_ENTRIES} entries (got {entries})")
        features = [one.feature for one in self.outliers]
        if len(set(features)) < len(features) or max(features) >= self.n_features:
            raise ValueError(f"outliers: must be of different features below {self.n_features} (got {features})")
        if all(one.size == 0 for one in self.outliers):
            raise ValueError("outliers: must have a size other than 0 (got 0)")
        if any(second <= first for first, second in pairwise(self.largest_sizes)):
            raise ValueError(f"largest_sizes: must rise from each to the next (got {', '.join(map(str, self.largest_sizes))})")
        return self


class Int8Params(Params):
    """A vector to quantize by hand, the matrix product, and the printed perplexities."""

    vector: Annotated[list[Magnitude], Field(min_length=2, max_length=10)]
    product: Product
    perplexities: Perplexities
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.vector)) == 1:
            raise ValueError(f"vector: must hold different numbers (got {self.vector[0]} everywhere)")
        known = {row.scheme for row in self.perplexities.rows}
        for method in METHODS:
            if method.scheme not in known:
                raise ValueError(f"perplexities.rows: must have the scheme {method.scheme!r} (got {', '.join(sorted(known))})")
        return self


def solve(params: Int8Params) -> Answer:
    """Quantize a vector exactly, multiply in every way, and compare the order of the errors with the printed one."""
    errors = measured_errors(params.product)
    return Answer({"1": _by_hand(params), "2": _methods(params, errors), "3": _orders(params, errors)})


def _by_hand(params: Int8Params) -> Part:
    vector = params.vector
    absmax_step, absmax_codes, absmax_back = absmax_by_hand(vector)
    shifted_step, zero, codes, back = zero_point_by_hand(vector)
    rows: list[tuple[Cell, ...]] = [
        (exact(x), code, exact(ours), exact(ours - x), shifted, exact(theirs), exact(theirs - x))
        for x, code, ours, shifted, theirs in zip(vector, absmax_codes, absmax_back, codes, back, strict=True)
    ]
    header = ("x", "Code", "Stands for", "Error", "Code, shifted", "It stands for", "Its error")
    ends: Mapping[sympy.Symbol, Value] = {low: exact(min(vector)), high: exact(max(vector))}
    steps = {
        "absmax_step": step("step, absmax", r"\Delta", a / 127, {a: exact(max(map(abs, vector)))}),
        "absmax_worst": Step(what="largest error, absmax", symbol="e", value=exact(_worst(vector, absmax_back))),
        "shifted_step": step("step, zero-point", r"\Delta", (high - low) / 254, ends),
        "zero": Step(what="zero point", symbol="z", value=zero),
        "shifted_worst": Step(what="largest error, zero-point", symbol="e", value=exact(_worst(vector, back))),
    }
    if absmax_step != steps["absmax_step"].value or shifted_step != steps["shifted_step"].value:
        raise ValueError("a step differs from its formula")
    return Part(title="A vector by hand", steps=steps, tables={"codes": Table(header=header, rows=tuple(rows))})


def _worst(vector: list[Fraction], back: list[Fraction]) -> Fraction:
    return max(abs(ours - x) for x, ours in zip(vector, back, strict=True))


def operands(product: Product, largest: Fraction | None = None) -> Operands:
    """X and W; `largest` scales the outliers so that the largest has this size."""
    most = max(abs(one.size) for one in product.outliers)
    scale = 1 if largest is None else largest / most
    outliers = {one.feature: float(one.size * scale) for one in product.outliers}
    return seeded_operands(
        product.seed, product.n_tokens, product.n_features, product.n_outputs, outliers, float(product.share_of_tokens)
    )


def measured_errors(product: Product, largest: Fraction | None = None) -> list[ProductError]:
    """The error of the product in FP16, then by each method."""
    both = operands(product, largest)
    return [product_error(both, method, product.threshold) for method in (None, *METHODS)]


def _methods(params: Int8Params, errors: list[ProductError]) -> Part:
    product = params.product
    wide = int(operands(product).outliers(product.threshold).sum())
    rows: list[tuple[Cell, ...]] = []
    for method, error in zip((None, *METHODS), errors, strict=True):
        bytes_x, bytes_w = (exact(formula.subs(sizes(params, wide))) for formula in byte_formulas(method))
        name = "FP16" if method is None else method.name
        rows.append((name, error.rms, error.relative, *_steps_kept(product, method), bytes_x, bytes_w))
    header = ("Method", "RMS error", "Relative error", "Steps of X", "Steps of W", "Bytes of X", "Bytes of W")
    x, w = byte_formulas(METHODS[-1])
    steps = {
        "outliers": Step(what="outlier features found", symbol="k", value=wide),
        "bytes_x": step("bytes of X, zero-point LLM.int8()", "M_X", x, sizes(params, wide), "B"),
        "bytes_w": step("bytes of W, zero-point LLM.int8()", "M_W", w, sizes(params, wide), "B"),
    }
    tables = {"methods": Table(header=header, rows=tuple(rows)), "sizes": _by_size(product)}
    return Part(title="A product in eight ways", steps=steps, tables=tables)


def _steps_kept(product: Product, method: Method | None) -> tuple[int, int]:
    """How many steps X and W have."""
    if method is None:
        return 0, 0
    return (product.n_tokens if method.steps_for_rows else 1), (product.n_outputs if method.steps_for_columns else 1)


def sizes(params: Int8Params, wide: int) -> dict[sympy.Symbol, Value]:
    """The letters of the byte formulas with their values; `wide` features are outliers."""
    product, held = params.product, params.conventions
    return {
        n: product.n_tokens, h: product.n_features, o: product.n_outputs, k: wide,
        step_bytes: held.bytes_per_step, zero_bytes: held.bytes_per_zero_point,
    }  # fmt: skip


def byte_formulas(method: Method | None) -> tuple[sympy.Expr, sympy.Expr]:
    """Bytes of X and of W: a byte a code, two a value kept in FP16, and the steps with their zero points."""
    if method is None:
        return 2 * n * h, 2 * h * o
    apart = k if method.decomposed else sympy.Integer(0)
    each = step_bytes + zero_bytes if method.zero_point else step_bytes
    steps_x, steps_w = (n if method.steps_for_rows else 1), (o if method.steps_for_columns else 1)
    return n * (h - apart) + 2 * n * apart + steps_x * each, o * (h - apart) + 2 * o * apart + steps_w * each


def _by_size(product: Product) -> Table:
    """RMS errors with outliers of other sizes."""
    rows = [(exact(largest), *(one.rms for one in measured_errors(product, largest))) for largest in product.largest_sizes]
    header = ("Largest outlier", "FP16", *(method.name for method in METHODS))
    return Table(header=header, rows=tuple(rows))


def _orders(params: Int8Params, errors: list[ProductError]) -> Part:
    printed, ours = params.perplexities, [error.rms for error in errors[1:]]
    header = ("Model", "Same", "Opposite", "Tied", "Agreement", "Equal order")
    rows: list[tuple[Cell, ...]] = []
    for number, model in enumerate(printed.models):
        theirs = [printed.column(number)[method.scheme] for method in METHODS]
        pairs = agreement(ours, theirs)
        compared = pairs.same + pairs.opposite
        share = exact(Fraction(pairs.same - pairs.opposite, compared)) if compared else None
        rows.append((model, pairs.same, pairs.opposite, pairs.tied, share, "no" if pairs.opposite else "yes"))
    tables = {
        "beside": _beside(printed, ours),
        "agreement": Table(header=header, rows=tuple(rows)),
        "opposite": _opposite(printed, ours),
    }
    return Part(title="The printed order", tables=tables)


def _beside(printed: Perplexities, ours: list[float]) -> Table:
    """Methods from the worst to the best here, with the printed perplexities as text."""
    worst_first = sorted(range(len(ours)), key=lambda i: -ours[i])
    columns = [printed.column(number) for number in range(len(printed.models))]
    rows = []
    for rank, i in enumerate(worst_first, 1):
        texts = (as_printed(column[METHODS[i].scheme], printed.decimals) for column in columns)
        rows.append((rank, METHODS[i].name, ours[i], *texts))
    return Table(header=("Rank here", "Method", "RMS error", *printed.models), rows=tuple(rows))


def _opposite(printed: Perplexities, ours: list[float]) -> Table:
    """Pairs of methods that some printed column orders the other way."""
    rows = []
    for pair in combinations(range(len(METHODS)), 2):
        worse, better = sorted(pair, key=lambda i: -ours[i])
        schemes = METHODS[worse].scheme, METHODS[better].scheme
        columns = [printed.column(number) for number in range(len(printed.models))]
        where = [
            model
            for model, column in zip(printed.models, columns, strict=True)
            if ours[worse] > ours[better] and column[schemes[0]] < column[schemes[1]]
        ]
        if where:
            rows.append((METHODS[worse].name, METHODS[better].name, ", ".join(where)))
    return Table(header=("Worse here", "Better here", "Printed the other way for"), rows=tuple(rows))


def verify(params: Int8Params, answer: Answer) -> Iterator[Check]:
    """Multiply int8 tensors with torch, quantize with torch's own quantizers, and rank errors by sorting."""
    from generators.oracles.int8_product import verify_int8

    return verify_int8(params, answer)


def draw(params: Int8Params, answer: Answer) -> dict[str, Figure]:
    """X with its outlier features, the error of each method, and that over the size of the outliers."""
    from generators.figures.int8_product import matrix_figure, methods_figure, sizes_figure

    both, tables = operands(params.product), answer["2"].tables
    magnitudes = (abs(both.x) / 100).tolist()
    wide = both.outliers(params.product.threshold).tolist()
    return {
        "matrix": matrix_figure(magnitudes, wide),
        "methods": methods_figure(tables["methods"]),
        "sizes": sizes_figure(tables["sizes"], float(params.product.threshold)),
    }


QUESTION = SelfVerifying(
    title="8-bit products with outliers: LLM.int8()",
    points=0,
    params=Int8Params,
    solve=solve,
    verify=verify,
    draw=draw,
)
