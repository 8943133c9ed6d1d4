"""Fills both forms, and places each product on the rooflines of accelerators and of what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, letter, number, part, text, value_at
from generators.cells import Cell, Math, rational
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import Accelerator, InferenceParams
from generators.recording import Recording
from generators.table import Column, Table, column, table
from generators.topics.measured import median
from generators.topics.roofline import Product, attainable_share, ridge_point

ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}
L, D, n_H, H = sympy.symbols("L D n_H H", positive=True)
ONE = sympy.Integer(1)

PREFILL = {
    "projection": Product(L, D, D),
    "score": Product(L, H, L),
    "weighting": Product(L, L, H),
    "up": Product(L, D, 4 * D),
    "down": Product(L, 4 * D, D),
}
DECODE = {
    "projection": Product(ONE, D, D),
    "score": Product(ONE, H, L + 1),
    "weighting": Product(ONE, L + 1, H),
    "up": Product(ONE, D, 4 * D),
    "down": Product(ONE, 4 * D, D),
}
PHASES = {"prefill": PREFILL, "decode": DECODE}
SHORT_NAMES = {"projection": "projections", "score": "QKᵀ", "weighting": "score·V", "up": "FFN up", "down": "FFN down"}
NOTATION = {"projection": r"?W^Q,\ ?W^K,\ ?W^V,\ ZW^O", "score": "Q_iK_i^T", "weighting": r"\text{score}_iV_i",
            "up": r"\text{Out}\,W^1", "down": "A'W^2"}  # fmt: skip
"""The products as the sheet writes them, with ? for what enters the layer."""

Row = tuple[str, str, str, str | None]
"""Computation, input, output as LaTeX, and the name of its product if the sheet asks for it."""


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
    """Both forms, the rooflines of the accelerators, and the products that were timed."""
    sheet = part(
        "sheet",
        "Given",
        letter(L, params.seq_len, "input tokens"),
        letter(D, params.d_model, "model width"),
        letter(n_H, params.n_heads, "heads"),
        letter(H, params.d_model // params.n_heads, "width of a head"),
    )
    prefill = _phase("1.1", "Prefill", "x", PREFILL, PREFILL_FORM, sheet, params)
    decode = _phase("1.2", "Decode, first token", "t", DECODE, DECODE_FORM, sheet, params)
    measured = (_measured(kind, one["hw3_q1_products"]) for kind, one in params.measured.items())
    return answer(sheet, prefill, decode, _roofline(params.accelerators, {"prefill": prefill, "decode": decode}), *measured)


def _phase(
    label: str, title: str, token: str, products: Mapping[str, Product], form: Sequence[Row], sheet: Part, params: InferenceParams
) -> Part:
    flops_each, bytes_each = params.conventions.flops_per_multiply_add, params.conventions.bytes_per_element
    intensities = {name: one.intensity(flops_each, bytes_each) for name, one in products.items()}
    filled: dict[str, dict[str, Cell]] = {}
    for place, (computation, given, made, asked) in enumerate(form, 1):
        formula = intensities[asked] if asked else None
        filled[str(place)] = {
            "number": str(place),
            "computation": Math(computation),
            "input": Math(given),
            "output": Math(made),
            "formula": formula,
            "intensity": None if formula is None else value_at(formula, sheet),
        }
    working: dict[str, dict[str, Cell]] = {}
    for name, one in products.items():
        flops, moved = one.flops(flops_each), one.bytes_moved(bytes_each)
        cells = {"flops_formula": flops, "flops": value_at(flops, sheet), "bytes_formula": moved, "bytes": value_at(moved, sheet)}
        shape = rf"({_size(one.m)} \times {_size(one.k)})({_size(one.k)} \times {_size(one.n)})"
        notation = NOTATION[name].replace("?", token)
        working[name] = {"product": Math(notation), "shape": Math(shape), **cells}
    return part(
        label,
        title,
        table(
            "form",
            [
                column("number", "No."),
                "computation",
                "input",
                "output",
                column("formula", "FLOP/B, formula", of="intensity"),
                column("intensity", "FLOP/B, value", "FLOP/B"),
            ],
            filled,
            asked=True,
        ),
        table(
            "products",
            [
                "product",
                column("shape", Math(r"(M \times K)(K \times N)")),
                column("flops_formula", "FLOPs", of="flops"),
                column("flops", "Value", "FLOP"),
                column("bytes_formula", "Bytes", of="bytes"),
                column("bytes", "Value", "B"),
            ],
            working,
        ),
        within=sheet,
    )


def _size(size: sympy.Expr) -> str:
    """A size as the forms write it."""
    return {L + 1: "(L+1)", 4 * D: "4D"}.get(size, str(size))


def _roofline(accelerators: Sequence[Accelerator], phases: Mapping[str, Part]) -> Part:
    ridges = {
        f"accelerator_{place}": ridge_point(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9)
        for place, one in enumerate(accelerators, 1)
    }
    known = {
        key: {
            "name": one.name,
            "peak": one.peak_tflops,
            "bandwidth": one.bandwidth_gb_per_s,
            "ridge": ridge,
            "source": one.source,
        }
        for one, (key, ridge) in zip(accelerators, ridges.items(), strict=True)
    }
    shares: dict[str, dict[str, Cell]] = {}
    for phase, name, intensity in _intensities(phases):
        attainable = {key: 100 * attainable_share(intensity, ridge) for key, ridge in ridges.items()}
        shares[f"{phase}.{name}"] = {"product": f"{phase}: {SHORT_NAMES[name]}", "intensity": intensity, **attainable}
    columns = [column(key, one.name, "%") for key, one in zip(ridges, accelerators, strict=True)]
    known_columns = [
        column("name"), column("peak", unit="TFLOP/s"), column("bandwidth", unit="GB/s"), column("ridge", unit="FLOP/B"),
        column("source"),
    ]  # fmt: skip
    return part(
        "roofline",
        "Rooflines",
        table("accelerators", known_columns, known),
        table("share_of_peak", ["product", column("intensity", unit="FLOP/B"), *columns], shares),
        _bounds(shares, {key: one.name for key, one in zip(ridges, accelerators, strict=True)}),
    )


def _intensities(phases: Mapping[str, Part]) -> Iterator[tuple[str, str, Fraction]]:
    """Phase, product and intensity of every product, from the row of the form that first has it."""
    for phase, form in (("prefill", PREFILL_FORM), ("decode", DECODE_FORM)):
        filled: Table = phases[phase]["form"]
        for name in PHASES[phase]:
            place = next(str(place) for place, row in enumerate(form, 1) if row[3] == name)
            yield phase, name, rational(filled.rows[place]["intensity"])


def _bounds(shares: Mapping[str, Mapping[str, Cell]], names: Mapping[str, str]) -> Table:
    """The rows of both forms that are compute-bound and those that are memory-bound; accelerators that agree share a row."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for key, name in names.items():
        cells = tuple(
            _listed([place for place, product in _asked(form) if (shares[f"{phase}.{product}"][key] == 100) is compute])
            for phase, form in (("prefill", PREFILL_FORM), ("decode", DECODE_FORM))
            for compute in (True, False)
        )
        alike.setdefault(cells, []).append(name)
    keys = ("prefill_compute", "prefill_memory", "decode_compute", "decode_memory")
    rows = {
        f"group_{place}": {"accelerators": _in_words(ones), **dict(zip(keys, cells, strict=True))}
        for place, (cells, ones) in enumerate(alike.items(), 1)
    }
    return table("bounds", ["accelerators", *keys], rows)


def _asked(form: list[Row]) -> list[tuple[str, str]]:
    return [(str(number), row[3]) for number, row in enumerate(form, 1) if row[3]]


def _in_words(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _listed(numbers: list[str]) -> str:
    if not numbers:
        return "no row"
    return f"row{'s' if len(numbers) > 1 else ''} {_in_words(numbers)}"


def _measured(kind: str, recording: Recording) -> Part:
    """Each product's median time and rate beside the roofline of the measured copy bandwidth and matrix rate."""
    copy, square = recording.one("seconds", ceiling="copy"), recording.one("seconds", ceiling="matrix product")
    bandwidth, rate = float(copy.at["bytes"]) / median(copy), float(square.at["flops"]) / median(square)
    element = ELEMENT_BYTES[recording.parameters["dtype"]]
    rows: dict[str, dict[str, Cell]] = {}
    for phase, products in PHASES.items():
        for name in products:
            timed = recording.one("seconds", phase=phase, product=name)
            size = Product(*(sympy.Integer(int(timed.at[axis])) for axis in "mkn"))
            achieved = float(size.flops(2)) * float(timed.at["batch"]) / median(timed)
            intensity = float(size.intensity(2, element))
            ceiling = min(rate, bandwidth * intensity)
            rows[f"{phase}.{name}"] = {
                "product": f"{phase}: {SHORT_NAMES[name]}",
                "intensity": intensity,
                "median": 1e6 * median(timed),
                "rate": achieved / 1e12,
                "roofline": ceiling / 1e12,
                "share": 100 * achieved / ceiling,
            }
    made = recording.parameters
    columns: list[Column | str] = [
        "product", column("intensity", unit="FLOP/B"), column("median", unit="µs"), column("rate", unit="TFLOP/s"),
        column("roofline", unit="TFLOP/s"), column("share", unit="%"),
    ]  # fmt: skip
    return part(
        f"measured_{kind}",
        {"cuda": "Every product measured on a GPU", "cpu": "Every product measured on a processor"}[kind],
        text("device", recording.device),
        text("recorded", recording.date),
        text("torch", recording.versions["torch"]),
        text("element_type", str(made["dtype"])),
        number("seq_len", made["seq_len"], "input tokens", "L"),
        number("d_model", made["d_model"], "model width", "D"),
        number("n_heads", made["n_heads"], "heads", "n_H"),
        number("bandwidth", bandwidth / 1e9, "measured copy bandwidth", "W", "GB/s"),
        number("rate", rate / 1e12, "measured matrix rate", r"F_{\max}", "TFLOP/s"),
        number("ridge", rate / bandwidth, "measured ridge point", "I^*", "FLOP/B"),
        table("products", columns, rows),
    )
