"""Counts FLOPs and bytes of the products that torch runs in a layer, and runs every row of both forms on small tensors.

From the sheet: rows 1, 2, 3, 7, 8, 10, 11 and 13 of 1.1 are asked (row 9, which it names, is the merge), and the matching
rows of 1.2; of the softmax row only the product counts, per head.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy

from generators.cells import Cell, Math
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import Accelerator, InferenceParams
from generators.found import Found, Route
from generators.oracles.recorded import said_of_machine
from generators.recording import Recording

SHEET = Route("the sheet and the parameters, read again", restates=True)
COUNTED = Route("torch's counts in a layer on meta tensors")
FORMS = Route("every row run by torch on small tensors")
TIMES = Route("time of FLOPs against time of bytes")
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
PRODUCTS = Route(COUNTED.name, tolerance=1e-12)

ROWS = {"1.1": (1, 2, 3, 7, 8, 10, 11, 13), "1.2": (1, 2, 4, 9, 10, 12, 13, 15)}
NAMES = {"projection": "projections", "score": "QKᵀ", "weighting": "score·V", "up": "FFN up", "down": "FFN down"}
WRITTEN = {"projection": r"{0}W^Q,\ {0}W^K,\ {0}W^V,\ ZW^O", "score": "Q_iK_i^T", "weighting": r"\text{{score}}_iV_i",
           "up": r"\text{{Out}}\,W^1", "down": "A'W^2"}  # fmt: skip

Counts = Sequence[tuple[str, Fraction, Fraction]]
"""Name, FLOPs and bytes of each product, in the order in which they run."""


def find(params: InferenceParams) -> Iterator[Found]:
    """Everything that is published about the layer."""
    heads = params.n_heads
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", L=params.seq_len, D=params.d_model, n_H=heads, H=params.d_model // heads)
    yield from SHEET.part("1.1", "Prefill")
    yield from SHEET.part("1.2", "Decode, first token")
    counts = _counts(params.seq_len, params.d_model, heads, params.conventions.bytes_per_element)
    each = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    counted = {label: [(name, one.flops * each, one.bytes) for name, one in ones] for label, ones in counts.items()}
    for label, ones in counted.items():
        yield from _phase(label, ones, decode=label == "1.2")
    yield from _rooflines(params.accelerators, counted)
    for kind, recordings in params.measured.items():
        yield from _measured(kind, recordings["hw3_q1_products"])


def _counts(seq_len: int, d_model: int, n_heads: int, element: int) -> dict[str, Any]:
    from generators.oracles.transformer_layer import count_products

    sizes = (seq_len, d_model, n_heads, element)
    return {"1.1": count_products(*sizes, decode=False), "1.2": count_products(*sizes, decode=True)}


def _phase(label: str, counts: Counts, *, decode: bool) -> Iterator[Found]:
    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.forms import filled

    rows, shapes = filled(decode=decode)
    computations = {place: {"computation": Math(row[0])} for place, row in rows.items()}
    yield from SHEET.cells(label, "form", computations)
    run = {place: {"number": place, "input": Math(row[1]), "output": Math(row[2])} for place, row in rows.items()}
    headings = {"number": "No.", "formula": "FLOP/B, formula", "intensity": "FLOP/B, value"}
    columns = ("number", "computation", "input", "output", "formula", "intensity")
    yield from FORMS.table(label, "form", run, units={"intensity": "FLOP/B"}, headings=headings, columns=columns)
    asked = {str(place): flops / moved for place, (_, flops, moved) in zip(ROWS[label], counts, strict=True)}
    yield from COUNTED.cells(label, "form", {place: {"intensity": asked.get(place)} for place in rows})
    token = "t" if decode else "x"
    products: dict[str, dict[str, Cell]] = {
        name: {"product": Math(WRITTEN[name].format(token)), "shape": Math(shapes[name]), "flops": flops, "bytes": moved}
        for name, flops, moved in counts
    }
    shown: dict[str, str | Math] = {"shape": Math(r"(M \times K)(K \times N)"), "flops_formula": "FLOPs", "flops": "Value",
                                    "bytes_formula": "Bytes", "bytes": "Value"}  # fmt: skip
    columns = ("product", "shape", "flops_formula", "flops", "bytes_formula", "bytes")
    yield from COUNTED.table(label, "products", products, units={"flops": "FLOP", "bytes": "B"}, headings=shown, columns=columns)


def _rooflines(accelerators: Sequence[Accelerator], counts: Mapping[str, Counts]) -> Iterator[Found]:
    """A product's share of peak is the time its FLOPs take over the time it takes."""
    yield from SHEET.part("roofline", "Rooflines")
    keyed = {f"accelerator_{n}": one for n, one in enumerate(accelerators, 1)}
    speeds = {key: (one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9) for key, one in keyed.items()}
    known = {
        key: {"name": one.name, "peak": one.peak_tflops, "bandwidth": one.bandwidth_gb_per_s, "source": one.source}
        for key, one in keyed.items()
    }
    units = {"peak": "TFLOP/s", "bandwidth": "GB/s", "ridge": "FLOP/B"}
    columns = ("name", "peak", "bandwidth", "ridge", "source")
    yield from SHEET.table("roofline", "accelerators", known, units=units, columns=columns)
    yield from TIMES.cells("roofline", "accelerators", {key: {"ridge": _crossing(*speed)} for key, speed in speeds.items()})

    def shares() -> Iterator[tuple[str, Sequence[Cell]]]:
        for phase, label in (("prefill", "1.1"), ("decode", "1.2")):
            for name, flops, moved in counts[label]:
                times = [(flops / peak, moved / bandwidth) for peak, bandwidth in speeds.values()]
                share = [100 * computing / max(computing, moving) for computing, moving in times]
                yield f"{phase}.{name}", (f"{phase}: {NAMES[name]}", flops / moved, *share)

    units = {"intensity": "FLOP/B", **dict.fromkeys(speeds, "%")}
    names = {key: one.name for key, one in keyed.items()}
    yield from TIMES.table("roofline", "share_of_peak", shares(), units=units, headings=names, columns=("product", *units))
    yield from _bounds({one.name: speeds[key] for key, one in keyed.items()}, counts)


def _crossing(peak: Fraction, bandwidth: Fraction) -> sympy.Expr:
    """The intensity at which one byte takes as long as its FLOPs."""
    intensity = sympy.Symbol("I")
    (found,) = sympy.solve(intensity / sympy.Rational(peak) - 1 / sympy.Rational(bandwidth), intensity)
    return found


def _bounds(speeds: Mapping[str, tuple[Fraction, Fraction]], counts: Mapping[str, Counts]) -> Iterator[Found]:
    """Rows of the forms whose FLOPs take as long as their bytes or longer, and the others, by accelerator."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, (peak, bandwidth) in speeds.items():
        cells = []
        for label, products in counts.items():
            numbered = zip(ROWS[label], products, strict=True)
            slow = [place for place, (_, flops, moved) in numbered if flops * bandwidth < moved * peak]
            cells += [_in_words([place for place in ROWS[label] if place not in slow]), _in_words(slow)]
        alike.setdefault(tuple(cells), []).append(name)
    columns = ("accelerators", "prefill_compute", "prefill_memory", "decode_compute", "decode_memory")
    rows = {
        f"group_{place}": (" and ".join(", ".join(names).rsplit(", ", 1)), *cells)
        for place, (cells, names) in enumerate(alike.items(), 1)
    }
    yield from TIMES.table("roofline", "bounds", rows, columns=columns)


def _in_words(numbers: Sequence[int]) -> str:
    text = ", ".join(map(str, numbers))
    return ("rows " if len(numbers) > 1 else "row " if numbers else "no row") + " and ".join(text.rsplit(", ", 1))


def _measured(kind: str, recording: Recording) -> Iterator[Found]:
    """A product's least time is the longer of moving its operands and of its FLOPs; its share is that over its median."""
    import numpy as np
    import torch

    label, made = f"measured_{kind}", recording.parameters
    titles = {"cuda": "Every product measured on a GPU", "cpu": "Every product measured on a processor"}
    yield from SHEET.part(label, titles[kind])
    yield from said_of_machine(SHEET, label, recording)
    sizes = {name: made[name] for name in ("seq_len", "d_model", "n_heads")}
    yield from SHEET.values(label, sizes, symbols=dict(zip(sizes, ("L", "D", "n_H"), strict=True)))
    timed: list[tuple[Any, float]] = [(one.at, float(np.median(one.samples))) for one in recording.find("seconds")]
    (per_byte,) = (median / at["bytes"] for at, median in timed if at.get("ceiling") == "copy")
    (per_flop,) = (median / at["flops"] for at, median in timed if at.get("ceiling") == "matrix product")
    yield from SAMPLES.values(label, unit="GB/s", symbols={"bandwidth": "W"}, bandwidth=1e-9 / per_byte)
    yield from SAMPLES.values(label, unit="TFLOP/s", symbols={"rate": r"F_{\max}"}, rate=1e-12 / per_flop)
    yield from SAMPLES.values(label, unit="FLOP/B", symbols={"ridge": "I^*"}, ridge=per_byte / per_flop)
    element = getattr(torch, made["dtype"]).itemsize
    counted = _counts(made["seq_len"], made["d_model"], made["n_heads"], element).values()
    counts = {
        f"{phase}.{name}": (float(count.flops * count.batch), float(count.bytes * count.batch))
        for phase, ones in zip(("prefill", "decode"), counted, strict=True)
        for name, count in ones
    }
    rows: dict[str, dict[str, Cell]] = {}
    for at, median in timed:
        if "product" in at:
            flops, moved = counts[f"{at['phase']}.{at['product']}"]
            least = max(flops * per_flop, moved * per_byte)
            rows[f"{at['phase']}.{at['product']}"] = {
                "product": f"{at['phase']}: {NAMES[at['product']]}", "median": median * 1e6, "rate": flops / median * 1e-12,
                "roofline": flops / least * 1e-12, "share": 100 * least / median,
            }  # fmt: skip
    units = {"intensity": "FLOP/B", "median": "µs", "rate": "TFLOP/s", "roofline": "TFLOP/s", "share": "%"}
    yield from SAMPLES.table(label, "products", rows, units=units, columns=("product", *units))
    yield from PRODUCTS.cells(label, "products", {key: {"intensity": flops / moved} for key, (flops, moved) in counts.items()})
