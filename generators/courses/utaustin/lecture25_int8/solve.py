"""Quantizes a vector exactly, multiplies matrices in every way, and compares the order of the errors with the printed one."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, value_at
from generators.cells import exact
from generators.courses.utaustin.lecture25_int8.orders import orders
from generators.courses.utaustin.lecture25_int8.params import Int8Params, Product
from generators.courses.utaustin.lecture25_int8.products import (
    METHODS,
    Method,
    Operands,
    absmax_by_hand,
    product_error,
    seeded_operands,
    zero_point_by_hand,
)
from generators.table import Table, column, table

a, low, high, n, h, o, k, step_bytes, zero_bytes = sympy.symbols("a x_min x_max n h o k b_Delta b_z", positive=True)


def solve(params: Int8Params) -> Answer:
    """A vector by hand, the product in every way, and the order of its errors."""
    sheet = _sheet(params)
    methods = _methods(params.product, sheet)
    errors = methods["methods"]["error"].numbers
    ours: dict[str, float] = {method.scheme: errors[method.scheme] for method in METHODS}
    return answer(sheet, _by_hand(params.vector), methods, orders(params.perplexities, ours))


def _sheet(params: Int8Params) -> Part:
    product, held = params.product, params.conventions
    outliers = {f"outlier_{place}": (one.feature, exact(one.size)) for place, one in enumerate(product.outliers, 1)}
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
    _, codes, back = absmax_by_hand(vector)
    _, zero, shifted_codes, shifted_back = zero_point_by_hand(vector)
    errors, shifted_errors = ([ours - x for x, ours in zip(vector, one, strict=True)] for one in (back, shifted_back))
    columns = zip(vector, codes, back, errors, shifted_codes, shifted_back, shifted_errors, strict=True)
    shifted = (column("shifted_code", "Code, shifted"), column("shifted_stands_for", "It stands for"))
    return part(
        "1",
        "A vector by hand",
        letter(a, exact(max(map(abs, vector))), "largest magnitude"),
        letter(low, exact(min(vector)), "smallest value"),
        letter(high, exact(max(vector)), "largest value"),
        formula("absmax_step", a / 127, "step, absmax", r"\Delta", asked=True),
        number("absmax_worst", max(map(abs, errors)), "largest error, absmax", asked=True),
        formula("shifted_step", (high - low) / 254, "step, zero-point", r"\Delta", asked=True),
        number("zero", zero, "zero point", "z", asked=True),
        number("shifted_worst", max(map(abs, shifted_errors)), "largest error, zero-point", asked=True),
        table(
            "codes",
            [column("x", "x"), "code", "stands_for", "error", *shifted, column("shifted_error", "Its error")],
            {f"value_{place}": tuple(map(exact, cells)) for place, cells in enumerate(columns, 1)},
        ),
    )


def _methods(product: Product, sheet: Part) -> Part:
    both = seeded_operands(product, Fraction(1))
    wide = both.outliers(product.threshold)
    found = letter(k, int(wide.sum()), "outlier features found")
    x, w = byte_formulas(METHODS[-1])
    methods = _by_method(product, both, part("2", "", found, within=sheet))
    return part(
        "2",
        "A product in eight ways",
        found,
        formula("bytes_x", x, "bytes of X, zero-point LLM.int8()", "M_X", "B"),
        formula("bytes_w", w, "bytes of W, zero-point LLM.int8()", "M_W", "B"),
        methods,
        _by_size(product),
        _matrix(both, wide.tolist()),
        *_gains(methods, int(wide.sum())),
        within=sheet,
    )


def _by_method(product: Product, both: Operands, letters: Part) -> Table:
    """Errors, steps and bytes of each method."""
    rows = {"fp16": ("FP16", *product_error(both, None, product.threshold), 0, 0, *_bytes(None, letters))}
    for one in METHODS:
        steps = (product.n_tokens if one.steps_for_rows else 1), (product.n_outputs if one.steps_for_columns else 1)
        rows[one.scheme] = (one.name, *product_error(both, one, product.threshold), *steps, *_bytes(one, letters))
    columns = [column("method"), column("error", "RMS error"), column("relative", "Relative error")]
    counts = [column(f"{what}_{of.lower()}", f"{what.title()} of {of}") for what in ("steps", "bytes") for of in "XW"]
    return table("methods", [*columns, *counts], rows, asked=True)


def _bytes(method: Method | None, letters: Part) -> tuple[int, int]:
    x, w = (value_at(expression, letters) for expression in byte_formulas(method))
    return int(x), int(w)


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
    most = max(abs(one.size) for one in product.outliers)
    rows = {}
    for place, largest in enumerate(product.largest_sizes, 1):
        both = seeded_operands(product, largest / most)
        errors = (product_error(both, method, product.threshold)[0] for method in (None, *METHODS))
        rows[f"size_{place}"] = (exact(largest), *errors)
    columns = [column(method.scheme, method.short) for method in METHODS]
    return table("sizes", ["largest", column("fp16", "FP16"), *columns], rows)


def _matrix(both: Operands, wide: list[bool]) -> Table:
    """The magnitudes of X, a row a feature."""
    rows = {
        f"feature_{place}": (place, "yes" if out else "no", *(exact(Fraction(one, 100)) for one in magnitudes))
        for place, (out, magnitudes) in enumerate(zip(wide, abs(both.x).T.tolist(), strict=True))
    }
    return table("matrix", ["feature", "outlier", *(f"token_{token}" for token in range(len(both.x)))], rows, drawn=True)


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
