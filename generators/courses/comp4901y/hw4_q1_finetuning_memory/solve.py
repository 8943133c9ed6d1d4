"""Counts the trainable values of each method, then bytes of parameters and of gradients, and FLOPs of a training step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy

from generators.answer import Answer, Item, answer, claim, formula, letter, number, part
from generators.cells import Cell, Math, Value, exact, rational
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.recording import Recording
from generators.table import Table, column, table
from generators.topics import peft
from generators.topics.measured import ELEMENT_BYTES, machine
from generators.topics.peft import N_LAYER, N_TOP, B, D, Group, L, R

TITLES = {"full": "Full fine-tuning", "freezing": "Freezing layers", "adapters": "Adapters", "lora": "LoRA", "vera": "VeRA"}
LABELS = {"freezing": "1.1", "adapters": "1.2", "lora": "1.3", "vera": "1.4"}


def solve(params: FinetuningParams) -> Answer:
    """Each method's part, the methods side by side, a training step, and the recorded bytes."""
    held = params.conventions
    sheet = part(
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
    groups = _groups(biases=held.adapter_biases)
    sizes = {symbol: one.value for symbol, one in sheet.letters.items()}
    size = {name: _bytes(name, ones, held.bytes_per_element) for name, ones in groups.items()}
    frozen = held.bytes_per_element * peft.vera_frozen()
    methods = [part(label, TITLES[name], *_method(name, groups[name], size[name], frozen), within=sheet)
               for name, label in LABELS.items()]  # fmt: skip
    side_by_side = part("comparison", "The methods side by side", _side_by_side(size, sizes), _over_rank(size, sizes))
    step = part("optional", "FLOPs of one training step", *_training_step(sizes, held.flops_per_multiply_add), within=sheet)
    measured = (
        part(
            f"measured_{kind}",
            {"cuda": "As allocated by torch on a GPU", "cpu": "As allocated by torch on a processor"}[kind],
            *_measured(one["hw4_q1_allocation"]),
        )
        for kind, one in params.measured.items()
    )
    return answer(sheet, *methods, side_by_side, step, *measured)


def _groups(*, biases: bool) -> dict[str, list[Group]]:
    """The trainable tensors of one tuned layer by method."""
    layer = peft.layer_groups()
    low_rank = {"lora": peft.lora_groups(), "vera": peft.vera_groups()}
    return {"full": layer, "freezing": layer, "adapters": peft.adapter_groups(biases=biases), **low_rank}


def _bytes(name: str, groups: list[Group], bytes_each: int) -> sympy.Expr:
    """Bytes of all trainable values of a method, and as many of their gradients."""
    return sympy.expand(bytes_each * (N_TOP if name == "freezing" else N_LAYER) * peft.total(groups))


def _method(name: str, groups: list[Group], size: sympy.Expr, frozen: sympy.Expr) -> Iterator[Item]:
    rows = {}
    for place, group in enumerate(groups, 1):
        shape = Math(r" \times ".join(sympy.latex(axis) for axis in group.shape))
        rows[f"group_{place}"] = Math(group.names), shape, group.count, group.values
    yield table("matrices", ["trainable", "shape", "in_one_layer", "values"], rows)
    yield formula("values_per_layer", peft.total(groups), "trainable values in one layer", r"P_{\text{layer}}")
    yield formula("parameters", size, "trainable parameters", r"M_{\text{param}}", "B", asked=name != "freezing")
    yield formula("gradients", size, "their gradients", r"M_{\text{grad}}", "B", asked=True)
    if name == "vera":
        yield formula("frozen", frozen, "frozen A and B, kept once for all layers", r"M_{\text{frozen}}", "B")


def _side_by_side(formulas: Mapping[str, sympy.Expr], sizes: Mapping[sympy.Symbol, Cell]) -> Table:
    """Bytes of every method, and the share of all weights that it trains."""
    held = {name: _at(one, sizes) for name, one in formulas.items()}
    rows = {name: (TITLES[name], size, size, exact(100 * rational(size) / rational(held["full"]))) for name, size in held.items()}
    columns = [column("parameters", unit="B"), column("gradients", unit="B"), column("share_of_all_weights", unit="%")]
    return table("bytes", ["method", *columns], rows)


def _over_rank(formulas: Mapping[str, sympy.Expr], sizes: Mapping[sympy.Symbol, Cell]) -> Table:
    """Bytes of every method's parameters at the ranks that are powers of two."""
    ranks = [2**power for power in range(int(sizes[D]).bit_length())]  # type: ignore[arg-type]
    rows = {f"rank_{rank}": (rank, *(_at(one, {**sizes, R: rank}) for one in formulas.values())) for rank in ranks}
    columns = [column(name, "" if name == "adapters" else title, "B") for name, title in TITLES.items()]
    return table("over_rank", [column("rank", "Rank R"), *columns], rows, drawn=True)


def _at(expression: sympy.Expr, sizes: Mapping[sympy.Symbol, Cell]) -> Value:
    return exact(expression.subs(sizes))


def _training_step(sizes: Mapping[sympy.Symbol, Cell], flops_each: int) -> Iterator[Item]:
    """FLOPs of both passes of each method by formula, then side by side."""
    costs = {
        "full": peft.freezing_cost(N_LAYER),
        "freezing": peft.freezing_cost(N_TOP),
        "adapters": peft.adapter_cost(),
        "lora": peft.lora_cost(),
        "vera": peft.vera_cost(),
    }
    found = {}
    for name, cost in costs.items():
        forward, backward = cost.forward(flops_each), cost.backward(flops_each)
        yield formula(f"{name}_forward", forward, f"{TITLES[name]}: forward", r"F_{\text{fwd}}", "FLOP")
        yield formula(f"{name}_backward", backward, f"{TITLES[name]}: backward", r"F_{\text{bwd}}", "FLOP")
        found[name] = [rational(_at(one, sizes)) for one in (forward, backward)]
    rows = {
        name: (TITLES[name], *map(exact, passes), exact(100 * sum(passes) / sum(found["full"]))) for name, passes in found.items()
    }
    share = column("share", "Share of full fine-tuning", "%")
    yield table("flops", ["method", column("forward", unit="FLOP"), column("backward", unit="FLOP"), share], rows)


def _measured(recording: Recording) -> Iterator[Item]:
    """Bytes predicted beside those of the tensors' storages and, on a GPU, what torch's allocator handed out."""
    made = recording.parameters
    counts = any(recording.find("bytes", counted_by="allocator"))
    counted_by = ("storage", "allocator")[: 1 + counts]
    sizes = {N_LAYER: made["n_layers"], N_TOP: made["n_top_layers"], D: made["d_model"], R: made["rank"]}
    rows: dict[str, Sequence[Cell]] = {}
    for name, groups in _groups(biases=made["adapter_biases"]).items():
        predicted = _at(_bytes(name, groups, ELEMENT_BYTES[made["dtype"]]), sizes)
        for of in ("parameters", "gradients"):
            found = (recording.one("bytes", method=name, kind=of, counted_by=by).samples[0] for by in counted_by)
            rows[f"{name}.{of}"] = TITLES[name], of, predicted, *map(int, found)
    yield from machine(recording)
    yield letter(N_LAYER, made["n_layers"], "layers")
    yield letter(N_TOP, made["n_top_layers"], "tuned layers at the top")
    yield letter(D, made["d_model"], "model width")
    yield letter(R, made["rank"], "rank")
    yield claim("adapters_with_biases", made["adapter_biases"])
    yield claim("allocator_counts", counts, "torch counts what it allocates on the device")
    yield claim("allocator_does_not_count", not counts, "torch does not count what it allocates on the device")
    keys = ("predicted", "stored", "allocated")[: 2 + counts]
    yield table("bytes", ["method", "of", *(column(key, unit="B") for key in keys)], rows)
