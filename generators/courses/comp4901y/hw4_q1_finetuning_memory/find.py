"""Builds the methods as torch modules and with peft, trains them a step on meta tensors, and counts what they hold and do.

From the sheet: 1.1 updates the top layers only; each layer gets two adapters in 1.2; 1.3 and 1.4 stand beside query, key and
value; FP16 takes two bytes a value, and SGD without momentum keeps no state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product

from generators.cells import Cell, Math
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.found import Found, Route
from generators.oracles.recorded import said_of_machine
from generators.recording import Recording

SHEET = Route("the sheet and the parameters, read again", restates=True)
MODULES = Route("torch modules, trained a step on meta tensors")
SHAPES = Route("torch modules, the shapes of small tensors")
PEFT = Route("peft, beside query, key and value")
STORED = Route("the recorded storages, read again", restates=True)
BLOCKS = Route("blocks of 512 B, tensor by tensor")

TITLES = {"full": "Full fine-tuning", "freezing": "Freezing layers", "adapters": "Adapters", "lora": "LoRA", "vera": "VeRA"}
LABELS = {"1.1": "freezing", "1.2": "adapters", "1.3": "lora", "1.4": "vera"}
SYMBOLS = {"values_per_layer": r"P_{\text{layer}}", "parameters": r"M_{\text{param}}", "gradients": r"M_{\text{grad}}",
           "frozen": r"M_{\text{frozen}}"}  # fmt: skip
NAMES = {
    "freezing": ("W^Q, W^K, W^V, W^O", "W^1", "W^2"),
    "adapters": tuple(rf"{one} \text{{ of each adapter}}" for one in ("W_A", "W_B", "b_A", "b_B")),
    "lora": tuple(rf"{one} \text{{ of query, key, value}}" for one in "AB"),
    "vera": tuple(rf"{one} \text{{ of query, key, value}}" for one in "db"),
}
"""What the page calls the trainable tensors, in groups of one shape."""
BLOCK, SMALL_POOL, SEGMENT = 512, 2**20, 2**21
"""Bytes: torch's CUDA allocator rounds a tensor up to whole blocks; a tensor above the small pool's limit may be given the
rest of its segment too, unless it fills whole segments itself."""


def find(params: FinetuningParams) -> Iterator[Found]:
    """Everything that is published about the methods."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import extended

    held, sizes = params.conventions, letters(params)
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", sizes, symbols={name: name for name in sizes})
    yield from SHEET.values("sheet", unit="B", bytes_per_element=held.bytes_per_element)
    yield from SHEET.values("sheet", adapters_with_biases=held.adapter_biases, adapters_without_biases=not held.adapter_biases)
    found = {name: extended(name, sizes, params.n_heads, held.bytes_per_element, biases=held.adapter_biases) for name in TITLES}
    for label, name in LABELS.items():
        yield from SHEET.part(label, TITLES[name])
        yield from _matrices(label, name, biases=held.adapter_biases)
        symbols = {key: symbol for key, symbol in SYMBOLS.items() if key != "frozen" or name == "vera"}
        held_bytes = {key: found[name][key] for key in symbols if key != "values_per_layer"}
        yield from MODULES.values(label, held_bytes, unit="B", symbols=symbols)
        yield from MODULES.values(label, values_per_layer=found[name]["values_per_layer"])
    yield from _with_peft(params)
    yield from _comparison(params, found)
    yield from _optional(found, Fraction(held.flops_per_multiply_add, 2))  # torch counts two FLOPs a multiply-add
    for kind, recordings in params.measured.items():
        yield from _measured(kind, recordings["hw4_q1_allocation"])


def letters(params: FinetuningParams) -> dict[str, int]:
    """The sheet's letters with the sizes in force."""
    layers = {"N_layer": params.n_layers, "N_top": params.n_top_layers}
    return {**layers, "D": params.d_model, "R": params.rank, "B": params.batch_size, "L": params.seq_len}


def _matrices(label: str, name: str, *, biases: bool) -> Iterator[Found]:
    """Names are the sheet's and the methods' papers'; shapes and numbers of values those of small tensors."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import AXES, SMALL, trainable_groups

    worlds = [(sizes, trainable_groups(name, sizes, biases=biases)) for sizes in SMALL]
    rows: dict[str, dict[str, Cell]] = {}
    for place, (count, _, shape) in enumerate(worlds[0][1]):
        shown = Math(r" \times ".join(AXES[size] for size in shape))
        rows[f"group_{place + 1}"] = {"trainable": Math(NAMES[name][place]), "shape": shown, "in_one_layer": count}
        cases = [(sizes, groups[place][1]) for sizes, groups in worlds]
        yield from SHAPES.worlds(f"{label}/matrices/group_{place + 1}/values", cases)
    yield from SHAPES.table(label, "matrices", rows, columns=("trainable", "shape", "in_one_layer", "values"))


def _with_peft(params: FinetuningParams) -> Iterator[Found]:
    """Trainable values that peft adds to query, key and value of one layer."""
    import peft
    import torch

    from generators.oracles.finetuning import build

    sizes = {**letters(params), "N_layer": 1}
    for label, kind in (("1.3", peft.LoraConfig), ("1.4", peft.VeraConfig)):
        with torch.device("meta"):
            plain = build("full", sizes, params.n_heads, biases=False)
        tuned = peft.get_peft_model(plain, kind(r=params.rank, target_modules=["q", "k", "v"]))
        yield from PEFT.values(label, values_per_layer=sum(one.numel() for one in tuned.parameters() if one.requires_grad))


def _comparison(params: FinetuningParams, found: Mapping[str, Mapping[str, int]]) -> Iterator[Found]:
    """Bytes at the page's sizes, and at the ranks 1, 2, 4, ... up to the width: a further rank adds what the second adds."""
    yield from SHEET.part("comparison", "The methods side by side")
    rows = {
        name: (TITLES[name], one["parameters"], one["gradients"], Fraction(100 * one["parameters"], found["full"]["parameters"]))
        for name, one in found.items()
    }
    units = {"parameters": "B", "gradients": "B", "share_of_all_weights": "%"}
    yield from MODULES.table("comparison", "bytes", rows, units=units, columns=("method", *units))
    first, second = (_parameters({**letters(params), "R": rank}, params) for rank in (1, 2))
    drawn = {
        f"rank_{rank}": (rank, *(one + (rank - 1) * (two - one) for one, two in zip(first, second, strict=True)))
        for rank in range(1, params.d_model + 1)
        if rank & (rank - 1) == 0
    }
    units, headings = dict.fromkeys(TITLES, "B"), {"rank": "Rank R", **TITLES}
    del headings["adapters"]
    yield from MODULES.table("comparison", "over_rank", drawn, units=units, headings=headings, columns=("rank", *TITLES))


def _parameters(sizes: Mapping[str, int], params: FinetuningParams) -> list[int]:
    """Trainable bytes of each method."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import tensor_bytes

    heads, held = params.n_heads, params.conventions
    return [sum(tensor_bytes(name, sizes, heads, held.bytes_per_element, biases=held.adapter_biases)) for name in TITLES]


def _optional(found: Mapping[str, Mapping[str, int]], scale: Fraction) -> Iterator[Found]:
    yield from SHEET.part("optional", "FLOPs of one training step")
    rows = {}
    for name, one in found.items():
        forward, backward = scale * one["forward"], scale * one["backward"]
        values = {f"{name}_forward": forward, f"{name}_backward": backward}
        symbols = dict(zip(values, (r"F_{\text{fwd}}", r"F_{\text{bwd}}"), strict=True))
        yield from MODULES.values("optional", values, unit="FLOP", symbols=symbols)
        share = Fraction(one["forward"] + one["backward"], found["full"]["forward"] + found["full"]["backward"])
        rows[name] = TITLES[name], forward, backward, 100 * share
    units, headings = {"forward": "FLOP", "backward": "FLOP", "share": "%"}, {"share": "Share of full fine-tuning"}
    yield from MODULES.table("optional", "flops", rows, units=units, headings=headings, columns=("method", *units))


def _measured(kind: str, recording: Recording) -> Iterator[Found]:
    """Bytes of the recorded storages, which the modules at the recording's sizes must hold too, and of the allocator's blocks."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import tensor_bytes

    label, made = f"measured_{kind}", recording.parameters
    titles = {"cuda": "As allocated by torch on a GPU", "cpu": "As allocated by torch on a processor"}
    sizes = {"N_layer": made["n_layers"], "N_top": made["n_top_layers"], "D": made["d_model"], "R": made["rank"]}
    element = 4 if made["dtype"] == "float32" else 2
    counts = any(recording.find("bytes", counted_by="allocator"))
    yield from SHEET.part(label, titles[kind])
    yield from said_of_machine(SHEET, label, recording)
    yield from SHEET.letters(label, **sizes)
    yield from SHEET.values(label, adapters_with_biases=made["adapter_biases"])
    yield from SHEET.values(label, allocator_counts=counts, allocator_does_not_count=not counts)
    rows: dict[str, Sequence[Cell]] = {}
    held = {name: tensor_bytes(name, sizes, made["n_heads"], element, biases=made["adapter_biases"]) for name in TITLES}
    for (name, tensors), of in product(held.items(), ("parameters", "gradients")):
        by = {one.at["counted_by"]: round(one.samples[0]) for one in recording.find("bytes", method=name, kind=of)}
        rows[f"{name}.{of}"] = TITLES[name], of, by["storage"], by["storage"], *([by["allocator"]] if counts else [])
        yield from MODULES.cells(label, "bytes", {f"{name}.{of}": {"predicted": sum(tensors)}})
        if counts and all(size <= SMALL_POOL or size % SEGMENT == 0 for size in tensors):
            blocks = sum(math.ceil(size / BLOCK) * BLOCK for size in tensors)
            yield from BLOCKS.cells(label, "bytes", {f"{name}.{of}": {"allocated": blocks}})
    units = dict.fromkeys(("predicted", "stored", "allocated")[: 2 + counts], "B")
    yield from STORED.table(label, "bytes", rows, units=units, columns=("method", "of", *units))
