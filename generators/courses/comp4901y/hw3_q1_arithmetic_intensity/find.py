"""Counts FLOPs and bytes of the products that torch runs where it fills both forms, at the layer's sizes and at others.

From the sheet: rows 1, 2, 3, 7, 8, 10, 11 and 13 of 1.1 are asked (row 9, which it names, is the merge), and the matching
rows of 1.2; of the softmax row only the product counts, per head.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from generators.cells import Cell, Math
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import Accelerator, InferenceParams
from generators.found import Found, Route
from generators.oracles.recorded import said_of_machine
from generators.recording import Recording

if TYPE_CHECKING:
    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.torch_forms import Layer, Row

SHEET = Route("the sheet and the parameters, read again", restates=True)
COUNTED = Route("torch's counts, every row run on meta tensors")
TIMES = Route("time of FLOPs against time of bytes")
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)

ROWS = {"1.1": (1, 2, 3, 7, 8, 10, 11, 13), "1.2": (1, 2, 4, 9, 10, 12, 13, 15)}
TITLES = {"1.1": "Prefill", "1.2": "Decode, first token"}
NAMES = ("Q", "K", "V", "QKᵀ", "score·V", "Out", "FFN up", "FFN down")
TIMED: dict[str, Any] = {
    "projection": ("projections", False, "1", "1"), "score": ("QKᵀ", True, "7", "9"), "weighting": ("score·V", True, "8", "10"),
    "up": ("FFN up", False, "11", "13"), "down": ("FFN down", False, "13", "15"),
}  # fmt: skip
"""What was timed, whether head by head, and its rows."""
OTHER_SIZES = ((11, 3, 2, 5, 37, 101), (1, 7, 5, 2, 23, 59))
"""Of layers like the entry's: length, width of a head, key heads, queries to a key, and widths of their own."""

Group = tuple[list[int], str, Fraction, Fraction]
"""Numbers of rows that are the same product, their names, FLOPs and bytes."""


def find(params: InferenceParams) -> Iterator[Found]:
    """Everything that is published about the layer."""
    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.torch_forms import Layer

    heads, width = params.n_heads, params.d_model
    layer = Layer(
        params.seq_len, width, heads, params.head_dim or width // heads, params.n_kv_heads or heads, params.d_ff or 4 * width
    )
    each, element = Fraction(params.conventions.flops_per_multiply_add, 2), params.conventions.bytes_per_element
    yield from _sheet(layer, each, element)
    groups = {}
    for label in ROWS:
        yield from SHEET.part(label, TITLES[label])
        groups[label] = yield from _phase(label, layer, each, element)
    if element == 2:
        yield from _rooflines(params.accelerators, groups, converted=each != 1)
    for kind, recordings in params.measured.items():
        yield from _measured(kind, recordings["hw3_q1_products"])


def _sheet(layer: Layer, each: Fraction, element: int) -> Iterator[Found]:
    import torch

    from generators.oracles.products import DTYPES, ProductRecorder

    yield from SHEET.part("sheet", "Given")
    _, own_keys, four = layer.like_the_sheet
    letters = layer.letters
    letters = {name: letters[name] for name in ("L", "D", "n_H", "H", *["n_KV"] * (not own_keys), *["D_ff"] * (not four))}
    yield from SHEET.values("sheet", letters, symbols={name: name for name in letters})
    yield from SHEET.values("sheet", grouped=not own_keys, own_inner_width=not four)
    yield from SHEET.values("sheet", element={2: "FP16", 4: "FP32", 8: "FP64"}[element], no_roofline=element != 2)
    flops: list[Any] = []
    moved: list[Any] = []
    for m, k, n in ((2, 3, 5), (7, 1, 4)):
        with ProductRecorder() as recorder:
            torch.matmul(*(torch.empty(shape, dtype=DTYPES[element], device="meta") for shape in ((m, k), (k, n))))
        (count,), world = recorder.products, {"m": m, "k": k, "n": n}
        flops.append((world, count.flops * each))
        moved.append((world, count.bytes))
    yield from COUNTED.lines("sheet", "rule", {"flops": ("FLOPs", flops), "bytes": ("bytes", moved)})


def _phase(label: str, layer: Layer, each: Fraction, element: int) -> Generator[Found, None, list[Group]]:
    """Yields a form and its distinct products, and returns these."""
    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.torch_forms import alike, run

    layers = [layer, *(alike(layer, *sizes) for sizes in OTHER_SIZES)]
    filled, first, *_ = forms = [run(one, element, decode=label == "1.2") for one in layers]
    yield from _form(label, layers[1].written(), first)
    intensities = {str(place): each * filled[str(place)].count.intensity for place in ROWS[label]}
    yield from COUNTED.cells(label, "form", {place: {"intensity": intensities.get(place)} for place in filled})
    same: dict[Sequence[int], list[int]] = {}
    for place in ROWS[label]:
        same.setdefault(first[str(place)].count.shape, []).append(place)
    groups: list[Group] = []
    products: dict[str, dict[str, Cell]] = {}
    for shape, places in same.items():
        key, (m, k, n) = str(places[0]), (layers[1].written()[size] for size in shape)
        flops, moved = filled[key].count.flops * each, filled[key].count.bytes
        groups.append((places, ", ".join(NAMES[ROWS[label].index(place)] for place in places), flops, moved))
        counts = {"flops": flops, "bytes": moved}
        products[key] = {"rows": ", ".join(map(str, places)), "sizes": Math(rf"({m} \times {k})({k} \times {n})"), **counts}
        cases = [(one.letters, each * form[key].count.intensity) for one, form in zip(layers, forms, strict=True)]
        yield from COUNTED.worlds(f"{label}/products/{key}/formula", cases)
    headings: dict[str, str | Math] = {
        "sizes": Math(r"(m \times k)(k \times n)"),
        "flops": "FLOPs",
        "formula": "Intensity",
    }
    columns = ("rows", "sizes", "flops", "bytes", "formula")
    yield from COUNTED.table(label, "products", products, headings=headings, columns=columns)
    return groups


def _form(label: str, written: Mapping[int, str], form: Mapping[str, Row]) -> Iterator[Found]:
    """The sheet's form but for the intensities."""

    def spaces(shapes: Mapping[str, Sequence[int]]) -> Math:
        return Math(
            r",\; ".join(f"{name}: " + r" \times ".join(written[size] for size in shape) for name, shape in shapes.items())
        )

    rows = {place: {"number": place, "input": spaces(row.given), "output": spaces(row.made)} for place, row in form.items()}
    headings = {"number": "No.", "intensity": "Arithmetic intensity"}
    columns = ("number", "computation", "intensity", "input", "output")
    yield from COUNTED.table(label, "form", rows, units={"intensity": "FLOP/B"}, headings=headings, columns=columns)
    yield from SHEET.cells(label, "form", {place: {"computation": Math(row.computation)} for place, row in form.items()})


def _rooflines(accelerators: Sequence[Accelerator], groups: Mapping[str, Sequence[Group]], *, converted: bool) -> Iterator[Found]:
    """A product's share of peak is the time of its FLOPs, two a multiply-add, over the time it takes."""
    yield from SHEET.part("roofline", "Rooflines")
    yield from SHEET.values("roofline", converted=converted)
    keyed = {f"accelerator_{n}": one for n, one in enumerate(accelerators, 1)}
    seconds = {key: (1 / (one.peak_tflops * 10**12), 1 / (one.bandwidth_gb_per_s * 10**9)) for key, one in keyed.items()}
    shares: dict[str, Sequence[Cell]] = {}
    for phase, (label, of_phase) in zip(("prefill", "decode"), groups.items(), strict=True):
        for places, name, counted, moved in of_phase:
            flops = 2 * counted if converted else counted
            times = [(flops * per_flop, moved * per_byte) for per_flop, per_byte in seconds.values()]
            percent = [100 * computing / max(computing, moving) for computing, moving in times]
            shares[f"{label}.{places[0]}"] = (f"{phase}: {name}", *percent, flops / moved)
    units = {**dict.fromkeys(keyed, "%"), "intensity": "FLOP/B"}
    names = {key: one.name for key, one in keyed.items()}
    yield from TIMES.table("roofline", "share_of_peak", shares, units=units, headings=names, columns=("product", *units))
    ridges = {key: per_byte / per_flop for key, (per_flop, per_byte) in seconds.items()}
    rows = {key: (one.name, ridges[key], one.peak_tflops, one.bandwidth_gb_per_s, one.source) for key, one in keyed.items()}
    units, headings = {"ridge": "FLOP/B", "peak": "TFLOP/s", "bandwidth": "GB/s"}, {"ridge": "Ridge point"}
    yield from TIMES.table("roofline", "accelerators", rows, units=units, headings=headings, columns=("name", *units, "source"))


def _measured(kind: str, recording: Recording) -> Iterator[Found]:
    """A product's least time is the longer of moving its operands and of its FLOPs; its share is that over its median."""
    import numpy as np

    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.torch_forms import Layer, run

    def three(number: Any) -> float:
        return float(np.format_float_scientific(number, precision=2, unique=False))

    label, made = f"measured_{kind}", recording.parameters
    yield from SHEET.part(label, {"cuda": "Every product timed on a GPU", "cpu": "Every product timed on a processor"}[kind])
    yield from said_of_machine(SHEET, label, recording)
    length, width, heads = (made[name] for name in ("seq_len", "d_model", "n_heads"))
    yield from SHEET.values(label, seq_len=length, d_model=width, n_heads=heads)
    timed: list[tuple[Any, float]] = [(one.at, float(np.median(one.samples))) for one in recording.find("seconds")]
    (per_byte,) = (median / at["bytes"] for at, median in timed if at.get("ceiling") == "copy")
    (per_flop,) = (median / at["flops"] for at, median in timed if at.get("ceiling") == "matrix product")
    yield from SAMPLES.values(label, unit="GB/s", bandwidth=three(1e-9 / per_byte))
    yield from SAMPLES.values(label, unit="TFLOP/s", rate=three(1e-12 / per_flop))
    quartiles = (np.percentile(one.samples, (25, 50, 75)) for one in recording.find("seconds"))
    spread = max(float(max(middle - low, high - middle) / middle) for low, middle, high in quartiles)
    yield from SAMPLES.values(label, unit="%", spread=three(100 * spread))
    layer, element = Layer(length, width, heads, width // heads, heads, 4 * width), {"float16": 2, "float32": 4}[made["dtype"]]
    forms = {phase: run(layer, element, decode=phase == "decode") for phase in ("prefill", "decode")}
    rows: dict[str, Sequence[Cell]] = {}
    shares = []
    for at, median in timed:
        if "product" in at:
            name, by_head, *places = TIMED[at["product"]]
            count = forms[at["phase"]][places[at["phase"] == "decode"]].count
            flops, moved = (float(one * (heads if by_head else 1)) for one in (count.flops, count.bytes))
            shares.append(100 * max(flops * per_flop, moved * per_byte) / median)
            numbers = shares[-1], median * 1e6, flops / median * 1e-12
            rows[f"{at['phase']}.{at['product']}"] = (f"{at['phase']}: {name}", *map(three, numbers))
    units, headings = {"share": "%", "median": "µs", "rate": "TFLOP/s"}, {"share": "Share of the roofline"}
    yield from SAMPLES.table(label, "products", rows, units=units, headings=headings, columns=("product", *units))
    yield from SAMPLES.values(label, beyond=three(max(shares)) > 100)
