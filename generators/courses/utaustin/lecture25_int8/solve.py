"""Quantizes a vector exactly, multiplies matrices in every way, and compares the order of the errors with the printed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from statistics import fmean

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text, value_at
from generators.cells import Cell, Rounded, exact, significant
from generators.courses.utaustin.lecture25_int8.params import Int8Params, Perplexities, Product
from generators.courses.utaustin.lecture25_int8.products import (
    METHODS,
    Method,
    by_hand,
    product_error,
    root_mean_square,
    seeded_operands,
)
from generators.table import Table, column, table
from generators.topics.printed_tables import as_printed

a, low, high, L, D, o, k, step_bytes, zero_bytes = sympy.symbols("a x_min x_max L D o k s_Delta s_z", positive=True)
DRAWN = ("absmax", "zero_point", "absmax_vector_wise", "absmax_vector_wise_decomposed")
Errors = Mapping[str, Sequence[float]]
"""The error of each method for every seed."""


def solve(params: Int8Params) -> Answer:
    """A vector by hand, the product in every way, and the order of its errors."""
    sheet, errors = _sheet(params), _errors(params.product, (None, *METHODS))
    return answer(sheet, _by_hand(params.vector), _methods(params.product, sheet, errors), _orders(params.perplexities, errors))


@lru_cache(maxsize=64)  # a page that follows changed numbers is solved once more
def _errors(product: Product, methods: tuple[Method | None, ...], scale: Fraction = Fraction(1)) -> Errors:
    both = list(seeded_operands(product, scale))
    return {
        method.scheme if method else "fp16": [product_error(one, method, product.threshold) for one in both] for method in methods
    }


def _sheet(params: Int8Params) -> Part:
    product, held = params.product, params.conventions
    outliers = {f"outlier_{place}": (one.feature, exact(one.size)) for place, one in enumerate(product.outliers, 1)}
    return part(
        "sheet",
        "Given",
        letter(L, product.n_tokens, "tokens"),
        letter(D, product.n_features, "model width"),
        letter(o, product.n_outputs, "outputs"),
        number("seed", product.seed),
        number("last_seed", product.seed + product.n_seeds - 1),
        number("share_of_tokens", exact(100 * product.share_of_tokens), "tokens in which outliers are moved", unit="%"),
        table("outliers", ["feature", "size"], outliers),
        number("threshold", exact(product.threshold), "magnitude above which a feature is an outlier"),
        letter(step_bytes, held.bytes_per_step, "bytes of a step", "B"),
        letter(zero_bytes, held.bytes_per_zero_point, "bytes of a zero point", "B"),
    )


def _by_hand(vector: list[Fraction]) -> Part:
    _, _, codes, back = by_hand(vector, zero_point=False)
    _, zero, shifted_codes, shifted_back = by_hand(vector, zero_point=True)
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


def _methods(product: Product, sheet: Part, errors: Errors) -> Part:
    both = list(seeded_operands(product))
    apart = max(int(one.outliers(product.threshold).sum()) for one in both)
    found = letter(k, apart, "outlier features found")
    letters = part("2", "", found, within=sheet)
    named: dict[str, tuple[str, sympy.Expr]] = {
        "fp16": ("FP16, the reference", 2 * (L + o) * D),
        **{one.scheme: (one.name, _bytes(one)) for one in METHODS},
    }
    rows = {key: (name, _shown(fmean(errors[key])), value_at(held, letters)) for key, (name, held) in named.items()}
    off = max(abs(one / fmean(of) - 1) for of in errors.values() for one in of)
    return part(
        "2",
        "A product in eight ways",
        found,
        number("size", _shown(fmean(root_mean_square((one.x @ one.w).astype(float)) for one in both)), "size of the product"),
        number("spread", _shown(100 * off), "most by which an error of one seed differs from the mean", unit="%"),
        formula("bytes", _bytes(METHODS[-1]), "bytes of both operands, zero-point LLM.int8()", "M_{XW}", "B"),
        table("methods", ["method", column("error", "RMS error"), "bytes"], rows, asked=True),
        _by_size(product),
        claim("nothing_taken_out", apart == 0),
        claim("features_taken_out", apart > 0),
        within=sheet,
    )


def _shown(error: float) -> Rounded:
    """Three significant digits, as other seeds change the second."""
    return significant(error, 3)


def _bytes(method: Method) -> sympy.Expr:
    """Of X and W: a byte a code, one more for a value kept in FP16, and the steps with their zero points."""
    each = step_bytes + zero_bytes if method.zero_point else step_bytes
    steps = (L if method.row_steps else 1) + (o if method.column_steps else 1)
    return (L + o) * (D + (k if method.decomposed else 0)) + steps * each


def _by_size(product: Product) -> Table:
    """Errors with outliers of other sizes."""
    most = max(abs(one.size) for one in product.outliers)
    methods = [one for one in METHODS if one.scheme in DRAWN]
    rows = {}
    for place, largest in enumerate(product.largest_sizes, 1):
        errors = _errors(product, (None, *methods), largest / most)
        rows[f"size_{place}"] = (exact(largest), *(_shown(fmean(one)) for one in errors.values()))
    columns = [column("fp16", "FP16"), *(column(one.scheme, one.name) for one in methods)]
    return table("sizes", ["largest", *columns], rows, drawn=True)


def _orders(printed: Perplexities, errors: Errors) -> Part:
    """Pairs of methods in the same order and in the opposite one, for each printed column."""
    ours: dict[str, float] = {method.scheme: fmean(errors[method.scheme]) for method in METHODS}
    values: dict[str, list[Fraction]] = {row.scheme: row.values for row in printed.rows}
    seeds = list(zip(*(errors[scheme] for scheme in ours), strict=True))
    compared = {
        f"model_{place}": (model, *_agreement(list(ours.values()), seeds, [values[scheme][place - 1] for scheme in ours]))
        for place, model in enumerate(printed.models, 1)
    }
    beside: dict[str, tuple[Cell, ...]] = {
        scheme: (name, _shown(ours[scheme]), *(as_printed(value, printed.decimals) for value in values[scheme]))
        for scheme, name in sorted(((one.scheme, one.name) for one in METHODS), key=lambda one: -ours[one[0]])
    }
    models = [column(f"model_{place}", name) for place, name in enumerate(printed.models, 1)]
    names = {said: ", ".join(str(row[0]) for row in compared.values() if row[1] == said) for said in ("yes", "no")}
    most = max(int(row[3]) for row in compared.values())  # type: ignore[arg-type]
    in_seeds = column("seeds", f"In order (of {len(seeds)} seeds)")
    return part(
        "3",
        "The printed order",
        number("n_pairs", len(list(combinations(ours, 2))), "pairs of methods"),
        claim("some_in_order", bool(names["yes"]), "for some models no pair is in the opposite order"),
        claim("some_opposite", bool(names["no"]), "for some models a pair is in the opposite order"),
        text("in_order", names["yes"]),
        text("opposite", names["no"]),
        number("most_opposite", most, "most pairs in the opposite order", asked=True),
        table("agreement", ["model", "in_order", "same", "opposite", "tied", in_seeds], compared, asked=True),
        table("beside", ["method", column("error", "RMS error"), *models], beside),
    )


def _agreement(ours: Sequence[float], seeds: Sequence[Sequence[float]], theirs: Sequence[Fraction]) -> Sequence[Cell]:
    """Whether no pair is in the opposite order, how many pairs are in which, and the seeds in which none is opposite."""
    pairs = _pairs(ours, theirs)
    return "no" if pairs[1] else "yes", *pairs, sum(_pairs(one, theirs)[1] == 0 for one in seeds)


def _pairs(ours: Sequence[float], theirs: Sequence[Fraction]) -> tuple[int, int, int]:
    """Pairs of methods that two columns put in the same order, in the opposite one, or that are tied in one."""
    pairs = combinations(zip(ours, theirs, strict=True), 2)
    products = [(first[0] - second[0]) * float(first[1] - second[1]) for first, second in pairs]
    return sum(x > 0 for x in products), sum(x < 0 for x in products), products.count(0.0)
