"""Counts FLOPs and bytes of the products that torch runs in a layer, and runs every row of both forms on small tensors.

From the sheet: rows 1, 2, 3, 7, 8, 10, 11 and 13 of 1.1 are asked (row 9, which it names, is the merge), and the matching
rows of 1.2; of the softmax row only the product counts, per head.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from generators.cells import Cell, Math
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import Accelerator, InferenceParams
from generators.found import Found, Route
from generators.recording import Recording

SHEET = Route("the sheet and the parameters, read again", restates=True)
COUNTED = Route("torch's counts in a layer on meta tensors")
FORMS = Route("every row run by torch on small tensors")
TIMES = Route("time of FLOPs against time of bytes")
BISECTION = Route("bisection on the two times", tolerance=1e-9)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
PRODUCTS = Route(COUNTED.name, tolerance=1e-12)

ROWS = {"1.1": (1, 2, 3, 7, 8, 10, 11, 13), "1.2": (1, 2, 4, 9, 10, 12, 13, 15)}
NAMES = {"projection": "projections", "score": "QKᵀ", "weighting": "score·V", "up": "FFN up", "down": "FFN down"}
WRITTEN = {"projection": r"{0}W^Q,\ {0}W^K,\ {0}W^V,\ ZW^O", "score": "Q_iK_i^T", "weighting": r"\text{{score}}_iV_i",
           "up": r"\text{{Out}}\,W^1", "down": "A'W^2"}  # fmt: skip
COLUMNS = ("number", "computation", "input", "output", "formula", "intensity")
TITLES = {"1.1": "Prefill", "1.2": "Decode, first token"}


def find(params: InferenceParams) -> Iterator[Found]:
    """Everything that is published about the layer."""
    from generators.oracles.transformer_layer import count_products

    heads, element = params.n_heads, params.conventions.bytes_per_element
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", L=params.seq_len, D=params.d_model, n_H=heads, H=params.d_model // heads)
    counts: dict[str, list[tuple[str, Fraction, Fraction]]] = {}
    for label, decode in (("1.1", False), ("1.2", True)):
        counted = count_products(params.seq_len, params.d_model, heads, element, decode=decode)
        each = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
        counts[label] = [(name, count.flops * each, count.bytes) for name, count in counted]
        yield from _form(label, counts[label], decode=decode)
        yield from _working(label, counts[label], decode=decode)
    yield from _rooflines(params.accelerators, counts)
    for kind, recordings in params.measured.items():
        yield from _measured(kind, recordings["hw3_q1_products"])


def _form(label: str, counts: Sequence[tuple[str, Fraction, Fraction]], *, decode: bool) -> Iterator[Found]:
    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.forms import filled

    yield from SHEET.part(label, TITLES[label])
    rows = {place: dict(row) for place, row in filled(decode=decode).items()}
    asked = {str(place): flops / moved for place, (_, flops, moved) in zip(ROWS[label], counts, strict=True)}
    headings = {"number": "No.", "formula": "FLOP/B, formula", "intensity": "FLOP/B, value"}
    written = {place: {"computation": row.pop("computation")} for place, row in rows.items()}
    yield from SHEET.cells(label, "form", written)
    yield from FORMS.table(label, "form", rows, units={"intensity": "FLOP/B"}, headings=headings, columns=COLUMNS)
    yield from COUNTED.cells(label, "form", {place: {"intensity": asked.get(place)} for place in rows})


def _working(label: str, counts: Sequence[tuple[str, Fraction, Fraction]], *, decode: bool) -> Iterator[Found]:
    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.forms import shapes

    token = "t" if decode else "x"
    sizes = shapes(decode=decode)
    rows: dict[str, dict[str, Cell]] = {
        name: {"product": Math(WRITTEN[name].format(token)), "shape": Math(sizes[name]), "flops": flops, "bytes": moved}
        for name, flops, moved in counts
    }
    headings: dict[str, str | Math] = {"shape": Math(r"(M \times K)(K \times N)"), "flops_formula": "FLOPs",
                                       "flops": "Value", "bytes_formula": "Bytes", "bytes": "Value"}  # fmt: skip
    columns = ("product", "shape", "flops_formula", "flops", "bytes_formula", "bytes")
    yield from COUNTED.table(label, "products", rows, units={"flops": "FLOP", "bytes": "B"}, headings=headings, columns=columns)


def _rooflines(
    accelerators: Sequence[Accelerator], counts: Mapping[str, Sequence[tuple[str, Fraction, Fraction]]]
) -> Iterator[Found]:
    """A product's share of peak is the time its FLOPs take over the time it takes."""
    yield from SHEET.part("roofline", "Rooflines")
    speeds = {
        f"accelerator_{n}": (one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9) for n, one in enumerate(accelerators, 1)
    }
    known = {
        key: {"name": one.name, "peak": one.peak_tflops, "bandwidth": one.bandwidth_gb_per_s, "source": one.source}
        for key, one in zip(speeds, accelerators, strict=True)
    }
    units = {"peak": "TFLOP/s", "bandwidth": "GB/s", "ridge": "FLOP/B"}
    columns = ("name", "peak", "bandwidth", "ridge", "source")
    yield from SHEET.table("roofline", "accelerators", known, units=units, columns=columns)
    yield from BISECTION.cells("roofline", "accelerators", {key: {"ridge": _crossing(*speed)} for key, speed in speeds.items()})
    rows: dict[str, dict[str, Cell]] = {}
    for phase, label in (("prefill", "1.1"), ("decode", "1.2")):
        for name, flops, moved in counts[label]:
            shares = {
                key: 100 * (flops / peak) / max(flops / peak, moved / bandwidth) for key, (peak, bandwidth) in speeds.items()
            }
            rows[f"{phase}.{name}"] = {"product": f"{phase}: {NAMES[name]}", "intensity": flops / moved, **shares}
    names = {key: one.name for key, one in zip(speeds, accelerators, strict=True)}
    units = {"intensity": "FLOP/B", **dict.fromkeys(speeds, "%")}
    yield from TIMES.table("roofline", "share_of_peak", rows, units=units, headings=names)
    yield from _bounds(speeds, names, counts)


def _bounds(
    speeds: Mapping[str, tuple[Fraction, Fraction]],
    names: Mapping[str, str],
    counts: Mapping[str, Sequence[tuple[str, Fraction, Fraction]]],
) -> Iterator[Found]:
    """Rows of the forms whose FLOPs take as long as their bytes or longer, and the others, by accelerator."""
    found: dict[str, tuple[str, ...]] = {}
    for key, (peak, bandwidth) in speeds.items():
        cells = []
        for label, products in counts.items():
            slow = [
                place for place, (_, flops, moved) in zip(ROWS[label], products, strict=True) if flops * bandwidth < moved * peak
            ]
            cells += [_in_words([place for place in ROWS[label] if place not in slow]), _in_words(slow)]
        found[key] = tuple(cells)
    rows = {}
    keys = ("prefill_compute", "prefill_memory", "decode_compute", "decode_memory")
    for place, same in enumerate(dict.fromkeys(found.values()), 1):
        alike = [names[key] for key, one in found.items() if one == same]
        rows[f"group_{place}"] = {
            "accelerators": " and ".join(", ".join(alike).rsplit(", ", 1)), **dict(zip(keys, same, strict=True))
        }  # fmt: skip
    yield from TIMES.table("roofline", "bounds", rows)


def _in_words(numbers: Sequence[int]) -> str:
    text = ", ".join(map(str, numbers))
    return ("rows " if len(numbers) > 1 else "row " if numbers else "no row") + " and ".join(text.rsplit(", ", 1))


def _crossing(peak: Fraction, bandwidth: Fraction) -> float:
    """The intensity at which one byte takes as long as its FLOPs, by bisection to 1e-12 relative."""
    low, high = Fraction(0), Fraction(1)
    while high / peak < 1 / bandwidth:
        high *= 2
    while high - low > high / 10**12:
        middle = (low + high) / 2
        low, high = (middle, high) if middle / peak < 1 / bandwidth else (low, middle)
    return float(high)


def _measured(kind: str, recording: Recording) -> Iterator[Found]:
    """A product's least time is the longer of moving its operands and of its FLOPs; its share is that over its median."""
    import numpy as np

    from generators.oracles.transformer_layer import count_products

    label, made = f"measured_{kind}", recording.parameters
    titles = {"cuda": "Every product measured on a GPU", "cpu": "Every product measured on a processor"}
    yield from SHEET.part(label, titles[kind])
    yield from SHEET.values(label, device=recording.device, recorded=recording.date, torch=recording.versions["torch"])
    sizes = {name: made[name] for name in ("seq_len", "d_model", "n_heads")}
    yield from SHEET.values(label, sizes, element_type=made["dtype"], symbols=dict(zip(sizes, ("L", "D", "n_H"), strict=True)))
    timed = [one for one in recording.series if one.quantity == "seconds"]
    ceilings: dict[Any, Any] = {one.at["ceiling"]: one for one in timed if "ceiling" in one.at}
    per_byte = float(np.median(ceilings["copy"].samples) / ceilings["copy"].at["bytes"])
    per_flop = float(np.median(ceilings["matrix product"].samples) / ceilings["matrix product"].at["flops"])
    yield from SAMPLES.values(label, unit="GB/s", symbols={"bandwidth": "W"}, bandwidth=1e-9 / per_byte)
    yield from SAMPLES.values(label, unit="TFLOP/s", symbols={"rate": r"F_{\max}"}, rate=1e-12 / per_flop)
    yield from SAMPLES.values(label, unit="FLOP/B", symbols={"ridge": "I^*"}, ridge=per_byte / per_flop)
    element = {"float16": 2, "bfloat16": 2, "float32": 4}[made["dtype"]]
    counts = {
        f"{phase}.{name}": (float(count.flops * count.batch), float(count.bytes * count.batch))
        for phase, decode in (("prefill", False), ("decode", True))
        for name, count in count_products(made["seq_len"], made["d_model"], made["n_heads"], element, decode=decode)
    }
    rows: dict[str, dict[str, Cell]] = {}
    for one in timed:
        if "product" in one.at:
            key = f"{one.at['phase']}.{one.at['product']}"
            flops, moved = counts[key]
            least, middle = max(flops * per_flop, moved * per_byte), float(np.median(one.samples))
            rows[key] = {
                "product": f"{one.at['phase']}: {NAMES[str(one.at['product'])]}",
                "median": middle * 1e6,
                "rate": flops / middle * 1e-12,
                "roofline": flops / least * 1e-12,
                "share": 100 * least / middle,
            }
    units = {"intensity": "FLOP/B", "median": "µs", "rate": "TFLOP/s", "roofline": "TFLOP/s", "share": "%"}
    yield from SAMPLES.table(label, "products", rows, units=units, columns=("product", *units))
    intensities: dict[str, dict[str, Cell]] = {key: {"intensity": flops / moved} for key, (flops, moved) in counts.items()}
    yield from PRODUCTS.cells(label, "products", intensities)
