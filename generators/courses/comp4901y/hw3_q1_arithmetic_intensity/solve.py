"""Fills both forms, and places each product on the rooflines of accelerators and of what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, letter, number, part, value_at
from generators.cells import Cell, Math, rational
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import Accelerator, Conventions, InferenceParams
from generators.recording import Recording
from generators.table import Table, column, table
from generators.topics.measured import ELEMENT_BYTES, machine
from generators.topics.roofline import Product, attainable_share, ridge_point

L, D, n_H, H = sympy.symbols("L D n_H H", positive=True)


def _products(tokens: sympy.Expr, attended: sympy.Expr) -> dict[str, Product]:
    """The distinct products of a layer that reads `tokens`, each of which attends to `attended`."""
    return {
        "projection": Product(tokens, D, D),
        "score": Product(tokens, H, attended),
        "weighting": Product(tokens, attended, H),
        "up": Product(tokens, D, 4 * D),
        "down": Product(tokens, 4 * D, D),
    }


PHASES = {"prefill": _products(L, L), "decode": _products(sympy.Integer(1), L + 1)}
SHORT_NAMES = {"projection": "projections", "score": "QKᵀ", "weighting": "score·V", "up": "FFN up", "down": "FFN down"}
NAMES = {f"{phase}.{key}": f"{phase}: {name}" for phase in PHASES for key, name in SHORT_NAMES.items()}
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


PREFILL: list[Row] = [
    *((rf"{x} = x W^{x}", rf"x: L \times D,\; W^{x}: D \times D", rf"{x}: L \times D", "projection") for x in "QKV"),
    *(_split(x, "L") for x in "QKV"),
    *_tail("L", "L", "x'"),
]
DECODE: list[Row] = [
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
FORMS = {"prefill": PREFILL, "decode": DECODE}


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
    phases = {
        phase: part(
            label, title, _form(phase, params.conventions, sheet), _working(phase, params.conventions, sheet), within=sheet
        )
        for phase, label, title in (("prefill", "1.1", "Prefill"), ("decode", "1.2", "Decode, first token"))
    }
    measured = (_measured(kind, one["hw3_q1_products"]) for kind, one in params.measured.items())
    return answer(sheet, *phases.values(), _roofline(params.accelerators, phases), *measured)


def _form(phase: str, counting: Conventions, sheet: Part) -> Table:
    """Every row of the sheet's form, with the intensity of those that it asks for."""

    def filled() -> Iterator[tuple[str, Sequence[Cell]]]:
        for place, (computation, given, made, asked) in enumerate(FORMS[phase], 1):
            formula = PHASES[phase][asked].intensity(*_units(counting)) if asked else None
            value = None if formula is None else value_at(formula, sheet)
            yield str(place), (str(place), Math(computation), Math(given), Math(made), formula, value)

    formula, value = column("formula", "FLOP/B, formula", of="intensity"), column("intensity", "FLOP/B, value", "FLOP/B")
    return table("form", [column("number", "No."), "computation", "input", "output", formula, value], filled(), asked=True)


def _working(phase: str, counting: Conventions, sheet: Part) -> Table:
    """FLOPs and bytes of each distinct product."""
    flops_each, bytes_each = _units(counting)

    def counted() -> Iterator[tuple[str, Sequence[Cell]]]:
        for name, one in PHASES[phase].items():
            notation = NOTATION[name].replace("?", "x" if phase == "prefill" else "t")
            shape = rf"({_size(one.m)} \times {_size(one.k)})({_size(one.k)} \times {_size(one.n)})"
            flops, moved = one.flops(flops_each), one.bytes_moved(bytes_each)
            yield name, (Math(notation), Math(shape), flops, value_at(flops, sheet), moved, value_at(moved, sheet))

    return table("products", [
        "product", column("shape", Math(r"(M \times K)(K \times N)")), column("flops_formula", "FLOPs", of="flops"),
        column("flops", "Value", "FLOP"), column("bytes_formula", "Bytes", of="bytes"), column("bytes", "Value", "B"),
    ], counted())  # fmt: skip


def _units(counting: Conventions) -> tuple[int, int]:
    return counting.flops_per_multiply_add, counting.bytes_per_element


def _size(size: sympy.Expr) -> str:
    """A size as the forms write it."""
    return {L + 1: "(L+1)", 4 * D: "4D"}.get(size, str(size))


def _roofline(accelerators: Sequence[Accelerator], phases: Mapping[str, Part]) -> Part:
    keyed = {f"accelerator_{place}": one for place, one in enumerate(accelerators, 1)}
    ridges = {key: ridge_point(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9) for key, one in keyed.items()}
    known = {key: (one.name, one.peak_tflops, one.bandwidth_gb_per_s, ridges[key], one.source) for key, one in keyed.items()}
    intensities = {
        f"{phase}.{name}": rational(cells["flops"]) / rational(cells["bytes"])
        for phase, filled in phases.items()
        for name, cells in filled["products"].rows.items()
    }
    shares = {
        key: (NAMES[key], one, *(100 * attainable_share(one, ridge) for ridge in ridges.values()))
        for key, one in intensities.items()
    }
    speeds = [column("peak", unit="TFLOP/s"), column("bandwidth", unit="GB/s"), column("ridge", unit="FLOP/B")]
    percent = [column(key, one.name, "%") for key, one in keyed.items()]
    return part(
        "roofline",
        "Rooflines",
        table("accelerators", ["name", *speeds, "source"], known),
        table("share_of_peak", ["product", column("intensity", unit="FLOP/B"), *percent], shares),
        _bounds(intensities, {one.name: ridges[key] for key, one in keyed.items()}),
    )


def _bounds(intensities: Mapping[str, Fraction], ridges: Mapping[str, Fraction]) -> Table:
    """The rows of both forms that are compute-bound and those that are memory-bound; accelerators that agree share a row."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for accelerator, ridge in ridges.items():
        bounds = tuple(
            _listed([str(place) for place, row in enumerate(form, 1)
                     if row[3] and (intensities[f"{phase}.{row[3]}"] >= ridge) is compute])
            for phase, form in FORMS.items()
            for compute in (True, False)
        )  # fmt: skip
        alike.setdefault(bounds, []).append(accelerator)
    rows = ((f"group_{place}", (_in_words(names), *bounds)) for place, (bounds, names) in enumerate(alike.items(), 1))
    return table("bounds", ["accelerators", "prefill_compute", "prefill_memory", "decode_compute", "decode_memory"], rows)


def _in_words(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _listed(rows: list[str]) -> str:
    return f"row{'s' if len(rows) > 1 else ''} {_in_words(rows)}" if rows else "no row"


def _measured(kind: str, recording: Recording) -> Part:
    """Each product's median time and rate beside the roofline of the measured copy bandwidth and matrix rate."""
    copy, square = recording.one("seconds", ceiling="copy"), recording.one("seconds", ceiling="matrix product")
    bandwidth, rate = float(copy.at["bytes"]) / copy.median, float(square.at["flops"]) / square.median
    made = recording.parameters

    def timed() -> Iterator[tuple[str, Sequence[Cell]]]:
        for key, name in NAMES.items():
            phase, _, product = key.partition(".")
            one = recording.one("seconds", phase=phase, product=product)
            size = Product(*(sympy.Integer(int(one.at[axis])) for axis in "mkn"))
            achieved = float(size.flops(2)) * float(one.at["batch"]) / one.median
            intensity = float(size.intensity(2, ELEMENT_BYTES[made["dtype"]]))
            ceiling = min(rate, bandwidth * intensity)
            yield key, (name, intensity, 1e6 * one.median, achieved / 1e12, ceiling / 1e12, 100 * achieved / ceiling)

    units = {"intensity": "FLOP/B", "median": "µs", "rate": "TFLOP/s", "roofline": "TFLOP/s", "share": "%"}
    return part(
        f"measured_{kind}",
        {"cuda": "Every product measured on a GPU", "cpu": "Every product measured on a processor"}[kind],
        *machine(recording),
        number("seq_len", made["seq_len"], "input tokens", "L"),
        number("d_model", made["d_model"], "model width", "D"),
        number("n_heads", made["n_heads"], "heads", "n_H"),
        number("bandwidth", bandwidth / 1e9, "measured copy bandwidth", "W", "GB/s"),
        number("rate", rate / 1e12, "measured matrix rate", r"F_{\max}", "TFLOP/s"),
        number("ridge", rate / bandwidth, "measured ridge point", "I^*", "FLOP/B"),
        table("products", ["product", *(column(key, unit=unit) for key, unit in units.items())], timed()),
    )
