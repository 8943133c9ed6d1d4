"""Builds the methods as torch modules and with peft, trains them a step on meta tensors, and counts what they hold and do.

From the sheet: 1.1 updates the top layers only; each layer gets two adapters in 1.2; 1.3 and 1.4 stand beside query, key and
value; FP16 takes two bytes a value, and SGD without momentum keeps no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from generators.cells import Cell, Math
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.found import Found, Route
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
BLOCK_BYTES = 512
"""What torch's CUDA allocator rounds every tensor up to."""


def find(params: FinetuningParams) -> Iterator[Found]:
    """Everything that is published about the methods."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import extended

    held, sizes = params.conventions, letters(params)
    yield from _given(params)
    found = {name: extended(name, sizes, params.n_heads, held.bytes_per_element, biases=held.adapter_biases) for name in TITLES}
    for label, name in LABELS.items():
        yield from SHEET.part(label, TITLES[name])
        yield from _matrices(label, name, biases=held.adapter_biases)
        one = found[name]
        values = {"parameters": one.parameter_bytes, "gradients": one.gradient_bytes}
        values |= {"frozen": one.frozen_bytes} if name == "vera" else {}
        yield from MODULES.values(label, values_per_layer=one.values_per_layer)
        yield from MODULES.values(label, values, unit="B", symbols={key: SYMBOLS[key] for key in ("values_per_layer", *values)})
    yield from _with_peft(params)
    yield from _comparison(params, found)
    yield from _optional(found, Fraction(held.flops_per_multiply_add, 2))  # torch counts two FLOPs a multiply-add
    for kind, recordings in params.measured.items():
        yield from _measured(kind, recordings["hw4_q1_allocation"])


def letters(params: FinetuningParams) -> dict[str, int]:
    """The sheet's letters with the sizes in force."""
    layers = {"N_layer": params.n_layers, "N_top": params.n_top_layers}
    return {**layers, "D": params.d_model, "R": params.rank, "B": params.batch_size, "L": params.seq_len}


def _given(params: FinetuningParams) -> Iterator[Found]:
    held = params.conventions
    yield from SHEET.part("sheet", "Given")
    sizes = letters(params)
    yield from SHEET.values("sheet", sizes, symbols={name: name for name in sizes})
    yield from SHEET.values("sheet", unit="B", bytes_per_element=held.bytes_per_element)
    biases = held.adapter_biases
    yield from SHEET.values("sheet", adapters_with_biases=biases, adapters_without_biases=not biases)


def _matrices(label: str, name: str, *, biases: bool) -> Iterator[Found]:
    """Names are the sheet's and the methods' papers'; shapes and numbers of values those of small tensors."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import AXES, SMALL, trainable_groups

    worlds = [(sizes, trainable_groups(name, sizes, biases=biases)) for sizes in SMALL]
    rows: dict[str, dict[str, Cell]] = {}
    for place, (count, _, shape) in enumerate(worlds[0][1]):
        shown = r" \times ".join(AXES[size] for size in shape)
        rows[f"group_{place + 1}"] = {"trainable": Math(NAMES[name][place]), "shape": Math(shown), "in_one_layer": count}
    yield from SHAPES.table(label, "matrices", rows, columns=("trainable", "shape", "in_one_layer", "values"))
    for place, row in enumerate(rows):
        cases = [(sizes, groups[place][1]) for sizes, groups in worlds]
        yield from SHAPES.worlds(f"{label}/matrices/{row}/values", cases)


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


def _comparison(params: FinetuningParams, found: Mapping[str, Any]) -> Iterator[Found]:
    """Bytes at the page's sizes, and at the ranks 1, 2, 4, ... up to the width."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import parameter_bytes

    yield from SHEET.part("comparison", "The methods side by side")
    rows: dict[str, dict[str, Cell]] = {}
    for name, one in found.items():
        share = Fraction(100 * one.parameter_bytes, found["full"].parameter_bytes)
        held = {"parameters": one.parameter_bytes, "gradients": one.gradient_bytes}
        rows[name] = {"method": TITLES[name], **held, "share_of_all_weights": share}
    units = {"parameters": "B", "gradients": "B", "share_of_all_weights": "%"}
    yield from MODULES.table("comparison", "bytes", rows, units=units)
    drawn: dict[str, dict[str, Cell]] = {}
    held_at, rank = params.conventions, 1
    while rank <= params.d_model:
        sizes = {**letters(params), "R": rank}
        drawn[f"rank_{rank}"] = {"rank": rank, **{
            name: parameter_bytes(name, sizes, params.n_heads, held_at.bytes_per_element, biases=held_at.adapter_biases)
            for name in TITLES
        }}  # fmt: skip
        rank *= 2
    headings = {"rank": "Rank R", **{name: TITLES[name] for name in ("full", "lora", "vera", "freezing")}}
    yield from MODULES.table("comparison", "over_rank", drawn, units=dict.fromkeys(TITLES, "B"), headings=headings)


def _optional(found: Mapping[str, Any], scale: Fraction) -> Iterator[Found]:
    yield from SHEET.part("optional", "FLOPs of one training step")
    rows: dict[str, dict[str, Cell]] = {}
    whole = found["full"].forward_flops + found["full"].backward_flops
    for name, one in found.items():
        forward, backward = scale * one.forward_flops, scale * one.backward_flops
        values = {f"{name}_forward": forward, f"{name}_backward": backward}
        symbols = dict(zip(values, (r"F_{\text{fwd}}", r"F_{\text{bwd}}"), strict=True))
        yield from MODULES.values("optional", values, unit="FLOP", symbols=symbols)
        share = Fraction(100 * (one.forward_flops + one.backward_flops), whole)
        rows[name] = {"method": TITLES[name], "forward": forward, "backward": backward, "share": share}
    units = {"forward": "FLOP", "backward": "FLOP", "share": "%"}
    yield from MODULES.table("optional", "flops", rows, units=units, headings={"share": "Share of full fine-tuning"})


def _measured(kind: str, recording: Recording) -> Iterator[Found]:
    """Bytes of the recorded storages, which the modules at the recording's sizes must hold too."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import parameter_bytes

    label, made = f"measured_{kind}", recording.parameters
    titles = {"cuda": "As allocated by torch on a GPU", "cpu": "As allocated by torch on a processor"}
    sizes = {"N_layer": made["n_layers"], "N_top": made["n_top_layers"], "D": made["d_model"], "R": made["rank"]}
    biases, element = made["adapter_biases"], 4 if made["dtype"] == "float32" else 2
    yield from SHEET.part(label, titles[kind])
    yield from SHEET.values(label, device=recording.device, recorded=recording.date, torch=recording.versions["torch"])
    yield from SHEET.values(label, element_type=made["dtype"], adapters_with_biases=biases)
    yield from SHEET.letters(label, **sizes)
    samples = {(one.at["method"], one.at["kind"], one.at["counted_by"]): round(one.samples[0]) for one in recording.series}
    counts = any(by == "allocator" for _, _, by in samples)
    yield from SHEET.values(label, allocator_counts=counts, allocator_does_not_count=not counts)
    rows: dict[str, dict[str, Cell]] = {}
    for name, title in TITLES.items():
        predicted = parameter_bytes(name, sizes, made["n_heads"], element, biases=biases)
        for of in ("parameters", "gradients"):
            stored = {"predicted": samples[name, of, "storage"], "stored": samples[name, of, "storage"]}
            allocated = {"allocated": samples[name, of, "allocator"]} if counts else {}
            rows[f"{name}.{of}"] = {"method": title, "of": of, **stored, **allocated}
            yield from MODULES.cells(label, "bytes", {f"{name}.{of}": {"predicted": predicted}})
    yield from STORED.table(label, "bytes", rows, units=dict.fromkeys(("predicted", "stored", "allocated")[: 2 + counts], "B"))
    if counts:
        for name, tensors in _small_tensors(sizes, element).items():
            whole = sum(-(-size // BLOCK_BYTES) * BLOCK_BYTES for size in tensors)
            yield from BLOCKS.cells(label, "bytes", {f"{name}.parameters": {"allocated": whole}})


def _small_tensors(sizes: Mapping[str, int], element: int) -> dict[str, list[int]]:
    """Bytes of every trainable tensor of the methods whose tensors are small."""
    width, rank, layers = sizes["D"], sizes["R"], sizes["N_layer"]
    return {
        "lora": [width * rank * element] * (6 * layers),
        "vera": [rank * element, width * element] * (3 * layers),
    }
