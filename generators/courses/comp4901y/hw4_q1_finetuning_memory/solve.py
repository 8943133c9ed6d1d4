"""Counts the trainable values of each method, then bytes of parameters and of gradients, and FLOPs of a training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, Math, Value, exact, rational
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.recording import Recording
from generators.table import Column, Table, column, table
from generators.topics import peft
from generators.topics.peft import N_LAYER, N_TOP, B, D, Group, L, R, StepCost

ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}
TITLES = {"full": "Full fine-tuning", "freezing": "Freezing layers", "adapters": "Adapters", "lora": "LoRA", "vera": "VeRA"}
LABELS = {"freezing": "1.1", "adapters": "1.2", "lora": "1.3", "vera": "1.4"}


def solve(params: FinetuningParams) -> Answer:
    """Each method's part, the methods side by side, a training step, and the recorded bytes."""
    held = params.conventions
    groups = _groups(biases=held.adapter_biases)
    sheet = _sheet(params)
    sizes = {symbol: one.value for symbol, one in sheet.letters.items()}
    methods = [_part(name, groups[name], sheet, held.bytes_per_element) for name in LABELS]
    comparison = part(
        "comparison",
        "The methods side by side",
        _side_by_side(groups, sizes, held.bytes_per_element),
        _over_rank(groups, sizes, held.bytes_per_element),
    )
    step = _training_step(sheet, held.flops_per_multiply_add)
    measured = (_measured(kind, one["hw4_q1_allocation"]) for kind, one in params.measured.items())
    return answer(sheet, *methods, comparison, step, *measured)


def _sheet(params: FinetuningParams) -> Part:
    """What is given."""
    held = params.conventions
    return part(
        "sheet",
        "Given",
        letter(N_LAYER, params.n_layers, "layers"),
        letter(N_TOP, params.n_top_layers, "tuned layers at the top"),
        letter(D, params.d_model, "model width"),
        letter(R, params.rank, "inner width of adapters, rank of LoRA and VeRA"),
        letter(B, params.batch_size, "sequences of a batch"),
        letter(L, params.seq_len, "tokens of a sequence"),
        number("bytes_per_element", held.bytes_per_element, "bytes of one value", unit="B"),
        claim("adapters_without_biases", not held.adapter_biases),
        claim("adapters_with_biases", held.adapter_biases),
    )


def _groups(*, biases: bool) -> dict[str, list[Group]]:
    """The trainable tensors of one tuned layer by method."""
    layer = peft.layer_groups()
    low_rank = {"lora": peft.lora_groups(), "vera": peft.vera_groups()}
    return {"full": layer, "freezing": layer, "adapters": peft.adapter_groups(biases=biases), **low_rank}


def _bytes(name: str, groups: Sequence[Group], bytes_each: int) -> sympy.Expr:
    """Bytes of all trainable values of a method, and as many of their gradients."""
    return sympy.expand(bytes_each * (N_TOP if name == "freezing" else N_LAYER) * peft.total(list(groups)))


def _part(name: str, groups: list[Group], sheet: Part, bytes_each: int) -> Part:
    size = _bytes(name, groups, bytes_each)
    frozen = formula(
        "frozen", bytes_each * peft.vera_frozen(), "frozen A and B, kept once for all layers", r"M_{\text{frozen}}", "B"
    )
    return part(
        LABELS[name],
        TITLES[name],
        _matrices(groups),
        formula("values_per_layer", peft.total(groups), "trainable values in one layer", r"P_{\text{layer}}"),
        formula("parameters", size, "trainable parameters", r"M_{\text{param}}", "B", asked=name != "freezing"),
        formula("gradients", size, "their gradients", r"M_{\text{grad}}", "B", asked=True),
        *([frozen] if name == "vera" else []),
        within=sheet,
    )


def _matrices(groups: Sequence[Group]) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for place, group in enumerate(groups, 1):
        shape = r" \times ".join(sympy.latex(size) for size in group.shape)
        rows[f"group_{place}"] = {
            "trainable": Math(group.names), "shape": Math(shape), "in_one_layer": group.count, "values": group.values
        }  # fmt: skip
    return table("matrices", ["trainable", "shape", "in_one_layer", "values"], rows)


def _side_by_side(groups: Mapping[str, Sequence[Group]], sizes: Mapping[sympy.Symbol, Cell], bytes_each: int) -> Table:
    """Bytes of every method, and the share of all weights that it trains."""
    held = {name: _at(_bytes(name, ones, bytes_each), sizes) for name, ones in groups.items()}
    rows: dict[str, dict[str, Cell]] = {}
    for name, size in held.items():
        share = exact(100 * rational(size) / rational(held["full"]))
        rows[name] = {"method": TITLES[name], "parameters": size, "gradients": size, "share_of_all_weights": share}
    columns = [column("parameters", unit="B"), column("gradients", unit="B"), column("share_of_all_weights", unit="%")]
    return table("bytes", ["method", *columns], rows)


def _over_rank(groups: Mapping[str, Sequence[Group]], sizes: Mapping[sympy.Symbol, Cell], bytes_each: int) -> Table:
    """Bytes of every method's parameters at the ranks that are powers of two."""
    formulas = {name: _bytes(name, ones, bytes_each) for name, ones in groups.items()}
    rows: dict[str, dict[str, Cell]] = {}
    for rank in (2**power for power in range(int(sizes[D]).bit_length())):  # type: ignore[arg-type]
        rows[f"rank_{rank}"] = {"rank": rank, **{name: _at(one, {**sizes, R: rank}) for name, one in formulas.items()}}
    columns = [column(name, "" if name == "adapters" else title, "B") for name, title in TITLES.items()]
    return table("over_rank", [column("rank", "Rank R"), *columns], rows, drawn=True)


def _at(expression: sympy.Expr, sizes: Mapping[sympy.Symbol, Cell]) -> Value:
    return exact(expression.subs(sizes))


def _training_step(sheet: Part, flops_each: int) -> Part:
    costs = {
        "full": peft.freezing_cost(N_LAYER),
        "freezing": peft.freezing_cost(N_TOP),
        "adapters": peft.adapter_cost(),
        "lora": peft.lora_cost(),
        "vera": peft.vera_cost(),
    }
    sizes = {symbol: one.value for symbol, one in sheet.letters.items()}
    passes = [one for name, cost in costs.items() for one in (
        formula(f"{name}_forward", cost.forward(flops_each), f"{TITLES[name]}: forward", r"F_{\text{fwd}}", "FLOP"),
        formula(f"{name}_backward", cost.backward(flops_each), f"{TITLES[name]}: backward", r"F_{\text{bwd}}", "FLOP"),
    )]  # fmt: skip
    return part("optional", "FLOPs of one training step", *passes, _flops(costs, sizes, flops_each), within=sheet)


def _flops(costs: Mapping[str, StepCost], sizes: Mapping[sympy.Symbol, Cell], flops_each: int) -> Table:
    found = {name: (_at(one.forward(flops_each), sizes), _at(one.backward(flops_each), sizes)) for name, one in costs.items()}
    whole = sum(map(rational, found["full"]))
    rows: dict[str, dict[str, Cell]] = {}
    for name, (forward, backward) in found.items():
        share = exact(100 * (rational(forward) + rational(backward)) / whole)
        rows[name] = {"method": TITLES[name], "forward": forward, "backward": backward, "share": share}
    columns = [column("forward", unit="FLOP"), column("backward", unit="FLOP"),
               column("share", "Share of full fine-tuning", "%")]  # fmt: skip
    return table("flops", ["method", *columns], rows)


def _measured(kind: str, recording: Recording) -> Part:
    """Bytes predicted beside those of the tensors' storages and, on a GPU, what torch's allocator handed out."""
    made = recording.parameters
    counts = any(recording.find("bytes", counted_by="allocator"))
    sizes = {N_LAYER: made["n_layers"], N_TOP: made["n_top_layers"], D: made["d_model"], R: made["rank"]}
    groups, element = _groups(biases=made["adapter_biases"]), ELEMENT_BYTES[made["dtype"]]
    predicted = {name: _at(_bytes(name, ones, element), sizes) for name, ones in groups.items()}
    rows: dict[str, dict[str, Cell]] = {}
    for name in groups:
        for of in ("parameters", "gradients"):
            cells: dict[str, Cell] = {"method": TITLES[name], "of": of, "predicted": predicted[name]}
            for key, by in (("stored", "storage"), ("allocated", "allocator"))[: 1 + counts]:
                cells[key] = int(recording.one("bytes", method=name, kind=of, counted_by=by).samples[0])
            rows[f"{name}.{of}"] = cells
    keys = ("predicted", "stored", "allocated")[: 2 + counts]
    columns: list[Column | str] = ["method", "of", *(column(key, unit="B") for key in keys)]
    return part(
        f"measured_{kind}",
        {"cuda": "As allocated by torch on a GPU", "cpu": "As allocated by torch on a processor"}[kind],
        text("device", recording.device),
        text("recorded", recording.date),
        text("torch", recording.versions["torch"]),
        text("element_type", str(made["dtype"])),
        letter(N_LAYER, made["n_layers"], "layers"),
        letter(N_TOP, made["n_top_layers"], "tuned layers at the top"),
        letter(D, made["d_model"], "model width"),
        letter(R, made["rank"], "rank"),
        claim("adapters_with_biases", made["adapter_biases"]),
        claim("allocator_counts", counts, "torch counts what it allocates on the device"),
        claim("allocator_does_not_count", not counts, "torch does not count what it allocates on the device"),
        table("bytes", columns, rows),
    )
