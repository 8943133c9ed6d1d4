"""Quantizes a vector exactly, multiplies matrices in every way, and compares the order of the errors with the printed one."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, value_at
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_int8.orders import orders
from generators.courses.utaustin.lecture25_int8.params import Int8Params, Product
from generators.courses.utaustin.lecture25_int8.products import (
    METHODS,
    Method,
    Operands,
    ProductError,
    absmax_by_hand,
    product_error,
    seeded_operands,
    zero_point_by_hand,
)
from generators.table import Column, Table, column, table

a, low, high, n, h, o, k, step_bytes, zero_bytes = sympy.symbols("a x_min x_max n h o k b_Delta b_z", positive=True)
SHORT = {
    "absmax": "absmax",
    "zero_point": "zero-point",
    "absmax_row_wise": "row-wise",
    "absmax_vector_wise": "absmax vector-wise",
    "zero_point_vector_wise": "zero-point vector",
    "absmax_row_wise_decomposed": "row-wise + decomp.",
    "absmax_vector_wise_decomposed": "absmax LLM.int8()",
    "zero_point_vector_wise_decomposed": "zero-point LLM.int8()",
}
"""Names of the methods that fit above a column."""


def solve(params: Int8Params) -> Answer:
    """A vector by hand, the product in every way, and the order of its errors."""
    errors = measured_errors(params.product)
    sheet = _sheet(params)
    ours: dict[str, float] = {method.scheme: error.rms for method, error in zip(METHODS, errors[1:], strict=True)}
    return answer(sheet, _by_hand(params.vector), _methods(params.product, errors, sheet), orders(params.perplexities, ours))


def _sheet(params: Int8Params) -> Part:
    product, held = params.product, params.conventions
    outliers: dict[str, dict[str, Cell]] = {
        f"outlier_{place}": {"feature": one.feature, "size": exact(one.size)} for place, one in enumerate(product.outliers, 1)
    }
    return part(
        "sheet",
        "Given",
        letter(n, product.n_tokens, "tokens"),
        letter(h, product.n_features, "features"),
        letter(o, product.n_outputs, "outputs"),
        number("seed", product.seed),
        number("share_of_tokens", exact(100 * product.share_of_tokens), "tokens in which outliers are moved", unit="%"),
        table("outliers", ["feature", "size"], outliers),
        number("threshold", exact(product.threshold), "magnitude above which a feature is an outlier"),
        letter(step_bytes, held.bytes_per_step, "bytes of a step", "B"),
        letter(zero_bytes, held.bytes_per_zero_point, "bytes of a zero point", "B"),
    )


def _by_hand(vector: list[Fraction]) -> Part:
    absmax_codes, absmax_back = absmax_by_hand(vector)[1:]
    zero, codes, back = zero_point_by_hand(vector)[1:]
    rows: dict[str, dict[str, Cell]] = {}
    for place, x in enumerate(vector):
        ours, theirs = absmax_back[place], back[place]
        rows[f"value_{place + 1}"] = {
            "x": exact(x),
            "code": absmax_codes[place],
            "stands_for": exact(ours),
            "error": exact(ours - x),
            "shifted_code": codes[place],
            "shifted_stands_for": exact(theirs),
            "shifted_error": exact(theirs - x),
        }
    columns: list[Column | str] = [
        column("x", "x"),
        "code",
        "stands_for",
        "error",
        column("shifted_code", "Code, shifted"),
        column("shifted_stands_for", "It stands for"),
        column("shifted_error", "Its error"),
    ]
    return part(
        "1",
        "A vector by hand",
        letter(a, exact(max(map(abs, vector))), "largest magnitude"),
        letter(low, exact(min(vector)), "smallest value"),
        letter(high, exact(max(vector)), "largest value"),
        formula("absmax_step", a / 127, "step, absmax", r"\Delta", asked=True),
        number("absmax_worst", _worst(vector, absmax_back), "largest error, absmax", asked=True),
        formula("shifted_step", (high - low) / 254, "step, zero-point", r"\Delta", asked=True),
        number("zero", zero, "zero point", "z", asked=True),
        number("shifted_worst", _worst(vector, back), "largest error, zero-point", asked=True),
        table("codes", columns, rows),
    )


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


def _methods(product: Product, errors: list[ProductError], sheet: Part) -> Part:
    both = operands(product)
    wide = both.outliers(product.threshold)
    found = part("2", "", letter(k, int(wide.sum()), "outlier features found"), within=sheet)
    x, w = byte_formulas(METHODS[-1])
    methods = _by_method(product, errors, found)
    return part(
        "2",
        "A product in eight ways",
        letter(k, int(wide.sum()), "outlier features found"),
        formula("bytes_x", x, "bytes of X, zero-point LLM.int8()", "M_X", "B"),
        formula("bytes_w", w, "bytes of W, zero-point LLM.int8()", "M_W", "B"),
        methods,
        _by_size(product),
        _matrix(both, wide.tolist()),
        *_gains(methods, int(wide.sum())),
        within=sheet,
    )


def _by_method(product: Product, errors: list[ProductError], letters: Part) -> Table:
    """Errors, steps and bytes of each method."""
    rows: dict[str, dict[str, Cell]] = {}
    for method, error in zip((None, *METHODS), errors, strict=True):
        bytes_x, bytes_w = (value_at(expression, letters) for expression in byte_formulas(method))
        steps_x, steps_w = _steps_kept(product, method)
        rows["fp16" if method is None else method.scheme] = {
            "method": "FP16" if method is None else method.name,
            "error": error.rms,
            "relative": error.relative,
            "steps_x": steps_x,
            "steps_w": steps_w,
            "bytes_x": bytes_x,
            "bytes_w": bytes_w,
        }
    columns: list[Column | str] = [
        "method",
        column("error", "RMS error"),
        column("relative", "Relative error"),
        column("steps_x", "Steps of X"),
        column("steps_w", "Steps of W"),
        column("bytes_x", "Bytes of X"),
        column("bytes_w", "Bytes of W"),
    ]
    return table("methods", columns, rows, asked=True)


def _steps_kept(product: Product, method: Method | None) -> tuple[int, int]:
    """How many steps X and W have."""
    if method is None:
        return 0, 0
    return (product.n_tokens if method.steps_for_rows else 1), (product.n_outputs if method.steps_for_columns else 1)


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
    rows: dict[str, dict[str, Cell]] = {}
    for place, largest in enumerate(product.largest_sizes, 1):
        fp16, *others = (one.rms for one in measured_errors(product, largest))
        errors: dict[str, Cell] = {method.scheme: error for method, error in zip(METHODS, others, strict=True)}
        rows[f"size_{place}"] = {"largest": exact(largest), "fp16": fp16, **errors}
    columns = [column(method.scheme, SHORT[method.scheme]) for method in METHODS]
    return table("sizes", ["largest", column("fp16", "FP16"), *columns], rows)


def _matrix(both: Operands, wide: list[bool]) -> Table:
    """The magnitudes of X, a row a feature."""
    magnitudes = abs(both.x).T.tolist()
    tokens = [f"token_{token}" for token in range(len(magnitudes[0]))]
    rows: dict[str, dict[str, Cell]] = {
        f"feature_{feature}": {
            "feature": feature,
            "outlier": "yes" if wide[feature] else "no",
            **{token: exact(Fraction(one, 100)) for token, one in zip(tokens, values, strict=True)},
        }
        for feature, values in enumerate(magnitudes)
    }
    return table("matrix", ["feature", "outlier", *tokens], rows, drawn=True)


def _gains(methods: Table, wide: int) -> Iterator[Item]:
    """By what some methods divide the error of others, where they do, and what decomposition costs."""
    errors = methods["error"].numbers
    yield from _gain("row_wise", errors["absmax"], errors["absmax_row_wise"])
    yield claim("row_wise_is_no_better", errors["absmax"] <= errors["absmax_row_wise"])
    yield from _gain("zero_point", errors["absmax"], errors["zero_point"])
    yield claim("nothing_taken_out", wide == 0)
    yield claim("features_taken_out", wide > 0)
    if wide > 0:
        apart, whole = "absmax_vector_wise_decomposed", "absmax_vector_wise"
        sizes = methods["bytes_w"].numbers
        yield number("bytes_of_decomposition", int(sizes[apart] - sizes[whole]), "bytes more for W", unit="B")
        yield from _gain("decomposition", errors[whole], errors[apart])
        yield claim("decomposition_is_no_better", errors[whole] <= errors[apart])


def _gain(name: str, of: float, by: float) -> Iterator[Item]:
    yield claim(f"{name}_is_better", of > by)
    if of > by:
        yield number(f"{name}_gain", of / by, "what the error is divided by")
