"""Fills both forms, and places each product on the rooflines of accelerators and of what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, claim, derivation, letter, line, part, text, value_at
from generators.cells import Cell, Math, rational
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import Accelerator, Conventions, InferenceParams
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.rows import D_FF, D, H, L, Row, forms, n_H, n_KV
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.timed import measured
from generators.table import column, table
from generators.topics.roofline import Product, attainable_share, ridge_point
from generators.traced import alone

PHASES = {"1.1": ("prefill", "Prefill"), "1.2": ("decode", "Decode, first token")}
ELEMENTS = {2: "FP16", 4: "FP32", 8: "FP64"}
SIZES = Product(*sympy.symbols("m k n", positive=True))
Forms = Mapping[str, Sequence[Row]]
Same = list[tuple[int, Row]]
"""The rows of one product, with their numbers."""


def solve(params: InferenceParams) -> Answer:
    """Both forms, the rooflines of the accelerators, and the products that were timed."""
    sheet, counting = _sheet(params), params.conventions
    asked = forms(sheet)
    phases = {label: _phase(label, rows, counting, sheet) for label, rows in asked.items()}
    rooflines = [_roofline(params.accelerators, asked, phases, counting)] if counting.bytes_per_element == 2 else []
    timed = (measured(kind, one["hw3_q1_products"]) for kind, one in params.measured.items())
    return answer(sheet, *phases.values(), *rooflines, *timed)


def _sheet(params: InferenceParams) -> Part:
    """Sizes, and how FLOPs and bytes of a product are counted."""
    heads, each, element = params.n_heads, params.conventions.flops_per_multiply_add, params.conventions.bytes_per_element
    kv_heads, inner = params.n_kv_heads or heads, params.d_ff or 4 * params.d_model
    grouped, own_inner = kv_heads != heads, inner != 4 * params.d_model
    rule = {
        "flops": line("FLOPs", SIZES.flops(each), "each element of the result is a sum of as many products as the inner size"),
        "bytes": line("bytes", sympy.factor(SIZES.bytes_moved(element)), "both operands are read, the result is written"),
    }
    return part(
        "sheet",
        "Given",
        letter(L, params.seq_len, "tokens of a sequence"),
        letter(D, params.d_model, "model width"),
        letter(n_H, heads, "heads"),
        letter(H, params.head_dim or params.d_model // heads, "width of a head"),
        *([letter(n_KV, kv_heads, "heads of keys and values")] if grouped else []),
        *([letter(D_FF, inner, "inner width of the feed-forward network")] if own_inner else []),
        claim("grouped", grouped, "several heads of queries share keys and values"),
        claim("own_inner_width", own_inner, "the feed-forward network is not four times as wide as the model"),
        derivation("rule", rule),
        text("element", ELEMENTS[element]),
        claim("no_roofline", element != 2, "the makers' peaks hold for another element type"),
    )


def _cases(rows: Sequence[Row]) -> dict[str, Same]:
    """The rows that the sheet asks for, those with the same sizes together, by the number of the first."""
    found: dict[tuple[str, str, str], Same] = {}
    for place, row in enumerate(rows, 1):
        if row.sizes:
            found.setdefault(row.sizes, []).append((place, row))
    return {str(same[0][0]): same for same in found.values()}


def _phase(label: str, rows: Sequence[Row], counting: Conventions, sheet: Part) -> Part:
    """The sheet's form, and FLOPs and bytes of each distinct product."""
    each, element = counting.flops_per_multiply_add, counting.bytes_per_element

    def filled() -> Iterator[tuple[str, Sequence[Cell]]]:
        for place, row in enumerate(rows, 1):
            value = value_at(row.product.intensity(each, element), sheet) if row.sizes else None
            yield str(place), (str(place), Math(row.computation), value, Math(row.given), Math(row.made))

    def counted() -> Iterator[tuple[str, Sequence[Cell]]]:
        for key, same in _cases(rows).items():
            one, (m, k, n) = same[0][1].product, same[0][1].sizes or ("", "", "")
            shape, formula = Math(rf"({m} \times {k})({k} \times {n})"), one.intensity(each, element)
            values = (value_at(of, sheet) for of in (one.flops(each), one.bytes_moved(element)))
            yield key, (", ".join(str(place) for place, _ in same), shape, *values, formula)

    unit, working = column("intensity", "Arithmetic intensity", "FLOP/B"), column("formula", "Intensity")
    sizes, counts = column("sizes", Math(r"(m \times k)(k \times n)")), [column("flops", "FLOPs"), column("bytes")]
    return part(
        label,
        PHASES[label][1],
        table("form", [column("number", "No."), "computation", unit, "input", "output"], filled(), asked=True),
        table("products", ["rows", sizes, *counts, working], counted()),
        within=sheet,
    )


def _ridges(accelerators: Sequence[Accelerator]) -> dict[str, tuple[Accelerator, Fraction]]:
    """Each accelerator with its ridge point, by key."""
    ridges = (ridge_point(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9) for one in accelerators)
    return {f"accelerator_{place}": pair for place, pair in enumerate(zip(accelerators, ridges, strict=True), 1)}


def _intensities(forms: Forms, phases: Mapping[str, Part], counting: Conventions) -> Iterator[tuple[str, str, Same, Fraction]]:
    """Each distinct product by phase and key, with its rows and its intensity as makers count, two FLOPs a multiply-add."""
    for label, rows in forms.items():
        for key, same in _cases(rows).items():
            counted = rational(phases[label]["form"].rows[key]["intensity"])
            yield label, key, same, Fraction(2, counting.flops_per_multiply_add) * counted


@alone
def _roofline(accelerators: Sequence[Accelerator], forms: Forms, phases: Mapping[str, Part], counting: Conventions) -> Part:
    """Every product's share of each peak."""
    keyed, shares = _ridges(accelerators), dict[str, Sequence[Cell]]()
    for label, key, same, one in _intensities(forms, phases, counting):
        name = f"{PHASES[label][0]}: {', '.join(row.name for _, row in same)}"
        shares[f"{label}.{key}"] = (name, *(100 * attainable_share(one, ridge) for _, ridge in keyed.values()), one)
    known = {key: (one.name, ridge, one.peak_tflops, one.bandwidth_gb_per_s, one.source) for key, (one, ridge) in keyed.items()}
    speeds = [column("ridge", "Ridge point", "FLOP/B"), column("peak", unit="TFLOP/s"), column("bandwidth", unit="GB/s")]
    percent = [column(key, one.name, "%") for key, (one, _) in keyed.items()]
    return part(
        "roofline",
        "Rooflines",
        claim("converted", counting.flops_per_multiply_add != 2, "intensities are counted otherwise than in the forms"),
        table("accelerators", ["name", *speeds, "source"], known),
        table("share_of_peak", ["product", *percent, column("intensity", unit="FLOP/B")], shares),
    )
