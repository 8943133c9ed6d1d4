"""Homework 3, question 1: arithmetic intensity of every product of a transformer layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Math, Value, rational
from generators.params import MeasuredParams, Params, PositiveExact, PositiveInt, Text
from generators.recording import Recording
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.roofline import Product, attainable_share, ridge_point

ELEMENT_BYTES: dict[str, Literal[2, 4]] = {"float16": 2, "bfloat16": 2, "float32": 4}
SIZES = ("seq_len", "d_model", "n_heads")
L, D, n_H, H = sympy.symbols("L D n_H H", positive=True)


class Conventions(Params):
    """What the numbers rest on."""

    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")
    bytes_per_element: Literal[2, 4, 8] = Field(2, description="bytes of one element (2 is FP16)")


class Accelerator(Params):
    """Peak figures of an accelerator as its source states them."""

    name: Annotated[Text, Field(max_length=60)]
    peak_tflops: PositiveExact
    bandwidth_gb_per_s: PositiveExact
    source: Text


class InferenceParams(MeasuredParams):
    """Sizes of the layer and the accelerators its products are placed on."""

    seq_len: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    accelerators: Annotated[list[Accelerator], Field(min_length=1, max_length=4)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model: must be divisible by n_heads (got {self.d_model} and {self.n_heads})")
        names = [one.name for one in self.accelerators]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"accelerators: each name must stand once (got {name!r} twice)")
        return self

    @property
    def sizes(self) -> dict[sympy.Symbol, Value]:
        """The sheet's letters with their values."""
        return {L: self.seq_len, D: self.d_model, n_H: self.n_heads, H: self.d_model // self.n_heads}


Row = tuple[str, str, str, str | None]
"""Computation, input, output as LaTeX, and the name of its product if the sheet asks for it."""

PREFILL = {
    "projection": Product(L, D, D),
    "score": Product(L, H, L),
    "weighting": Product(L, L, H),
    "up": Product(L, D, 4 * D),
    "down": Product(L, 4 * D, D),
}
ONE = sympy.Integer(1)
DECODE = {
    "projection": Product(ONE, D, D),
    "score": Product(ONE, H, L + 1),
    "weighting": Product(ONE, L + 1, H),
    "up": Product(ONE, D, 4 * D),
    "down": Product(ONE, 4 * D, D),
}
PRODUCTS = "hw3_q1_products"
SHORT_NAMES = {"projection": "projections", "score": "QKᵀ", "weighting": "score·V", "up": "FFN up", "down": "FFN down"}


def _split(letter: str, length: str) -> Row:
    parts = rf"[{letter}_1, \dots, {letter}_{{n_H}}] = \text{{Partition}}_{{-1}}({letter})"
    return parts, rf"{letter}: {length} \times D", rf"{letter}_i: {length} \times H", None


def _tail(rows: str, columns: str, out: str) -> list[Row]:
    """The rows from the scores on, which both forms share; `rows` tokens attend to `columns`."""
    return [
        (r"\text{score}_i = \text{softmax}(Q_iK_i^T / \sqrt{D})",
         rf"Q_i: {rows} \times H,\; K_i: {columns} \times H", rf"\text{{score}}_i: {rows} \times {columns}", "score"),
        (r"Z_i = \text{score}_i V_i",
         rf"\text{{score}}_i: {rows} \times {columns},\; V_i: {columns} \times H", rf"Z_i: {rows} \times H", "weighting"),
        (r"Z = \text{Merge}_{-1}([Z_1, \dots, Z_{n_H}])", rf"Z_i: {rows} \times H", rf"Z: {rows} \times D", None),
        (r"\text{Out} = Z W^O", rf"Z: {rows} \times D,\; W^O: D \times D", rf"\text{{Out}}: {rows} \times D", "projection"),
        (r"A = \text{Out}\, W^1", rf"\text{{Out}}: {rows} \times D,\; W^1: D \times 4D", rf"A: {rows} \times 4D", "up"),
        (r"A' = \text{relu}(A)", rf"A: {rows} \times 4D", rf"A': {rows} \times 4D", None),
        (rf"{out} = A' W^2", rf"A': {rows} \times 4D,\; W^2: 4D \times D", rf"{out}: {rows} \times D", "down"),
    ]  # fmt: skip


PREFILL_FORM: list[Row] = [
    *((rf"{x} = x W^{x}", rf"x: L \times D,\; W^{x}: D \times D", rf"{x}: L \times D", "projection") for x in "QKV"),
    *(_split(x, "L") for x in "QKV"),
    *_tail("L", "L", "x'"),
]
DECODE_FORM: list[Row] = [
    (r"Q = Q_d = t W^Q", r"t: 1 \times D,\; W^Q: D \times D", r"Q, Q_d: 1 \times D", "projection"),
    *(
        row
        for x in "KV"
        for row in (
            (rf"{x}_d = t W^{x}", rf"t: 1 \times D,\; W^{x}: D \times D", rf"{x}_d: 1 \times D", "projection"),
            (rf"{x} = \text{{concat}}({x}_{{\text{{cache}}}}, {x}_d)",
             rf"{x}_{{\text{{cache}}}}: L \times D,\; {x}_d: 1 \times D", rf"{x}: (L+1) \times D", None),
        )
    ),
    _split("Q", "1"), _split("K", "(L+1)"), _split("V", "(L+1)"),
    *_tail("1", "(L+1)", "t'"),
]  # fmt: skip


def solve(params: InferenceParams) -> Answer:
    """Fill both forms and place each product on every accelerator's roofline."""
    parts = _phases(params)
    parts["roofline"] = _roofline(params, parts["1.1"], parts["1.2"])
    for label, (recording, timed) in timings(params).items():
        parts[label] = _measured(recording, _phases(timed))
    return Answer(parts)


def _phases(params: InferenceParams) -> dict[str, Part]:
    prefill = _phase("Prefill", PREFILL, PREFILL_FORM, params)
    return {"1.1": prefill, "1.2": _phase("Decode, first token", DECODE, DECODE_FORM, params)}


def timings(params: InferenceParams) -> dict[str, tuple[Recording, InferenceParams]]:
    """The recordings that are shown, each with the sizes and the element it timed: a GPU's only if they are the page's."""
    found = {}
    for one in (params, params.elsewhere):
        recording = one.recordings.get(PRODUCTS) if one else None
        if recording:
            element = ELEMENT_BYTES[recording.parameters["dtype"]]
            conventions = Conventions(flops_per_multiply_add=2, bytes_per_element=element)
            timed = params.at_sizes_of(recording, SIZES).model_copy(update={"conventions": conventions})
            if recording.device_kind == "cpu" or timed.model_dump() == params.model_dump():
                found[f"measured_{recording.device_kind}"] = recording, timed
    return found


def _measured(recording: Recording, phases: Mapping[str, Part]) -> Part:
    """Each product's median time and rate beside the roofline of the measured copy bandwidth and matrix rate."""
    copy, square = recording.one("seconds", ceiling="copy"), recording.one("seconds", ceiling="matrix product")
    bandwidth, rate = float(copy.at["bytes"]) / copy.median, float(square.at["flops"]) / square.median
    rows = []
    for phase, label in (("prefill", "1.1"), ("decode", "1.2")):
        for name, short in SHORT_NAMES.items():
            timed = recording.one("seconds", phase=phase, product=name)
            flops = 2 * float(timed.at["batch"]) * float(timed.at["m"]) * float(timed.at["k"]) * float(timed.at["n"])
            intensity = float(rational(phases[label][f"{name}_intensity"].value))
            ceiling = min(rate, bandwidth * intensity)
            achieved = flops / timed.median
            shares = (achieved / 1e12, ceiling / 1e12, 100 * achieved / ceiling)
            rows.append((f"{phase}: {short}", intensity, 1e6 * timed.median, *shares))
    steps = {
        "bandwidth": Step(what="measured copy bandwidth", symbol="W", value=bandwidth / 1e9, unit="GB/s"),
        "rate": Step(what="measured matrix rate", symbol="F_{\\max}", value=rate / 1e12, unit="TFLOP/s"),
        "ridge": Step(what="measured ridge point", symbol="I^*", value=rate / bandwidth, unit="FLOP/B"),
    }
    header = ("Product", "Intensity", "Median", "Rate", "Roofline", "Share of roofline")
    made = recording.parameters
    run = (recording.device, recording.date, recording.versions["torch"], str(made["dtype"]), *(made[name] for name in SIZES))
    machine = Table(header=("Device", "Recorded", "Torch", "Element type", "L", "D", "n_H"), rows=(run,))
    return Part(title="Measured", steps=steps, tables={"products": Table(header=header, rows=tuple(rows)), "machine": machine})


def _phase(title: str, products: Mapping[str, Product], form: list[Row], params: InferenceParams) -> Part:
    steps = {
        f"{name}_{kind}": line
        for name, product in products.items()
        for kind, line in _working(SHORT_NAMES[name], product, params).items()
    }
    return Part(title=title, steps=steps, tables={"form": _filled(form, steps)})


def _working(what: str, product: Product, params: InferenceParams) -> dict[str, Step]:
    flops_each, bytes_each = params.conventions.flops_per_multiply_add, params.conventions.bytes_per_element
    at = params.sizes
    return {
        "flops": step(f"{what}: FLOPs", "F", product.flops(flops_each), at, "FLOP"),
        "bytes": step(f"{what}: bytes moved", "M", product.bytes_moved(bytes_each), at, "B"),
        "intensity": step(f"{what}: arithmetic intensity", "I", product.intensity(flops_each, bytes_each), at, "FLOP/B"),
    }


def _filled(form: list[Row], steps: Mapping[str, Step]) -> Table:
    rows = []
    for number, (computation, given, result, product) in enumerate(form, 1):
        line = steps[f"{product}_intensity"] if product else None
        answer = (line.formula, line.value) if line else (None, None)
        rows.append((str(number), Math(computation), Math(given), Math(result), *answer))
    header = ("No.", "Computation", "Input", "Output", "Formula", "Arithmetic intensity")
    return Table(header=header, rows=tuple(rows))


def _roofline(params: InferenceParams, prefill: Part, decode: Part) -> Part:
    ridges = {
        f"ridge_{number}": Step(
            what=f"ridge point of {one.name}",
            symbol="I^*",
            value=ridge_point(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9),
            unit="FLOP/B",
        )
        for number, one in enumerate(params.accelerators, 1)
    }
    rows = []
    for phase, part in (("prefill", prefill), ("decode", decode)):
        for name, short in SHORT_NAMES.items():
            intensity = rational(part[f"{name}_intensity"].value)
            attainable = (attainable_share(intensity, rational(ridge.value)) for ridge in ridges.values())
            rows.append((f"{phase}: {short}", intensity, *attainable))
    header = ("Product", "Intensity", *(one.name for one in params.accelerators))
    shares = Table(header=header, rows=tuple(rows))
    return Part(title="Rooflines", steps=ridges, tables={"share_of_peak": shares, "bounds": _bounds(shares)})


def _bounds(shares: Table) -> Table:
    """The rows of both forms that are compute-bound and those that are memory-bound; accelerators that agree share a row."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in map(str, shares.header[2:]):
        bound = dict(zip(shares.column("Product"), shares.column(name), strict=True))
        cells = tuple(
            _listed([number for number, product in _asked(form) if (bound[f"{phase}: {SHORT_NAMES[product]}"] == 1) is compute])
            for phase, form in (("prefill", PREFILL_FORM), ("decode", DECODE_FORM))
            for compute in (True, False)
        )
        alike.setdefault(cells, []).append(name)
    header = ("Accelerators", "Prefill, compute-bound", "Prefill, memory-bound", "Decode, compute-bound", "Decode, memory-bound")
    return Table(header=header, rows=tuple((_in_words(names), *cells) for cells, names in alike.items()))


def _asked(form: list[Row]) -> list[tuple[str, str]]:
    return [(str(number), row[3]) for number, row in enumerate(form, 1) if row[3]]


def _in_words(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _listed(numbers: list[str]) -> str:
    if not numbers:
        return "no row"
    return f"row{'s' if len(numbers) > 1 else ''} {_in_words(numbers)}"


def verify(params: InferenceParams, answer: Answer) -> Iterator[Check]:
    """Count every product with torch in a real layer on meta tensors."""
    from generators.oracles.layer_products import verify_intensities
    from generators.oracles.measured_products import verify_products

    yield from verify_intensities(params, answer)
    for label, (recording, _) in timings(params).items():
        yield from verify_products(recording, answer[label])


def draw(params: InferenceParams, answer: Answer) -> dict[str, Figure]:
    """Every product on every accelerator's roofline, and the timed ones on the measured roofline of each device."""
    from generators.figures.roofline import Roof, measured_figure, roofline_figure

    table = answer["roofline"].tables["share_of_peak"]
    roofs = [Roof(one.name, float(one.peak_tflops), float(one.bandwidth_gb_per_s)) for one in params.accelerators]
    points = [(str(row[0]), float(rational(row[1]))) for row in table.rows]
    figures = {"roofline": roofline_figure(roofs, points)}
    for label, (recording, _) in timings(params).items():
        part = answer[label]
        roof = Roof(recording.device, float(part["rate"].value), float(part["bandwidth"].value))
        columns = (part.tables["products"].column(name) for name in ("Product", "Intensity", "Rate"))
        rows = [(str(name), float(str(x)), float(str(rate))) for name, x, rate in zip(*columns, strict=True)]
        figures[label] = measured_figure(roof, rows)
    return figures


QUESTION = SelfVerifying(
    title="Arithmetic intensity of prefill and decode",
    points=40,
    params=InferenceParams,
    solve=solve,
    verify=verify,
    draw=draw,
    recordings=(PRODUCTS,),
)
