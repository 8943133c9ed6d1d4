"""Builds the methods as torch modules and with peft, trains them a step on meta tensors, and counts what they hold and do.

From the sheet: 1.1 updates the top layers only; each layer gets two adapters in 1.2; 1.3 and 1.4 stand beside query, key and
value; FP16 takes two bytes a value, and SGD without momentum keeps no state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from generators.cells import Cell, Math
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.found import Found, Route
from generators.oracles.recorded import said_of_machine

SHEET = Route("the sheet and the parameters, read again", restates=True)
MODULES = Route("torch modules, trained a step on meta tensors")
SHAPES = Route("torch modules, the shapes of small tensors")
PEFT = Route("peft, beside query, key and value")
PEFT_ELSEWHERE = Route("peft, beside the linear layers named")
STORED = Route("the recorded storages, read again", restates=True)
BLOCKS = Route("blocks of 512 B, tensor by tensor")

TITLES = {"full": "Full fine-tuning", "freezing": "Freezing layers", "adapters": "Adapters", "lora": "LoRA", "vera": "VeRA"}
LABELS = {"1.1": "freezing", "1.2": "adapters", "1.3": "lora", "1.4": "vera"}
SYMBOLS = {"values_per_layer": r"N_{\text{values}}", "parameters": r"M_{\text{param}}", "gradients": r"M_{\text{grad}}",
           "frozen": r"M_{\text{frozen}}"}  # fmt: skip
BLOCK, SMALL_POOL, SEGMENT = 512, 2**20, 2**21
"""Bytes: torch's CUDA allocator rounds a tensor up to whole blocks; a tensor above the small pool's limit may be given the
rest of its segment too, unless it fills whole segments itself."""


def _on(params: FinetuningParams) -> list[str]:
    """The modules that LoRA and VeRA stand beside, in the layer's order."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import PROJECTIONS

    return [key for key, name in PROJECTIONS.items() if name in (params.lora_on or ("query", "key", "value"))]


def find(params: FinetuningParams) -> Iterator[Found]:
    """Everything that is published about the methods."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import PROJECTIONS, extended

    held, sizes = params.conventions, letters(params)
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", sizes, symbols={name: name for name in sizes})
    yield from SHEET.values("sheet", unit="B", bytes_per_element=held.bytes_per_element)
    yield from SHEET.values("sheet", adapters_with_biases=held.adapter_biases, adapters_without_biases=not held.adapter_biases)
    yield from SHEET.values("sheet", other_kv="D_kv" in sizes, other_ff="D_ff" in sizes, usual_ff="D_ff" not in sizes)
    on = _on(params)
    usual = on == ["q", "k", "v"]
    yield from SHEET.values("sheet", usual_lora=usual, other_lora=not usual)
    if not usual:
        yield from SHEET.values("sheet", lora_on=", ".join(PROJECTIONS[key] for key in on))
    built: dict[str, Any] = {"biases": held.adapter_biases, "on": on}
    found = {name: extended(name, sizes, params.n_heads, held.bytes_per_element, **built) for name in TITLES}
    for label, name in LABELS.items():
        yield from SHEET.part(label, TITLES[name])
        yield from _matrices(label, name, sizes, built)
        left_out = {"freezing": ("parameters", "frozen"), "vera": ()}.get(name, ("frozen",))
        symbols = {key: symbol for key, symbol in SYMBOLS.items() if key not in left_out}
        held_bytes = {key: found[name][key] for key in symbols if key != "values_per_layer"}
        yield from MODULES.values(label, held_bytes, unit="B", symbols=symbols)
        yield from MODULES.values(label, values_per_layer=found[name]["values_per_layer"])
    yield from _with_peft(params, on)
    yield from _comparison(found)
    yield from _optional(found, Fraction(held.flops_per_multiply_add, 2))  # torch counts two FLOPs a multiply-add
    yield from _measured(params)


def letters(params: FinetuningParams) -> dict[str, int]:
    """The letters with the sizes in force; those of other widths only where the entry has them."""
    widths = {"D": params.d_model}
    if params.n_kv_heads is not None:
        widths["D_kv"] = params.n_kv_heads * params.d_model // params.n_heads
    if params.d_ff is not None:
        widths["D_ff"] = params.d_ff
    layers = {"N_layer": params.n_layers, "N_top": params.n_top_layers}
    return {**layers, **widths, "R": params.rank, "B": params.batch_size, "L": params.seq_len}


def _matrices(label: str, name: str, sizes: Mapping[str, int], built: Mapping[str, Any]) -> Iterator[Found]:
    """Names are the sheet's and the methods' papers'; shapes and numbers of values those of small tensors."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import AXES, SMALL, trainable_groups

    small = [{key: size for key, size in one.items() if key in sizes} for one in SMALL]
    worlds = [trainable_groups(name, one, **built) for one in small]
    rows: dict[str, dict[str, Cell]] = {}
    for place, (title, shapes) in enumerate(worlds[0].items(), 1):
        shape = Math(r" \times ".join(AXES[size] for size in shapes[0]))
        rows[f"group_{place}"] = {"trainable": Math(title), "shape": shape, "number_per_layer": len(shapes)}
        cases = [(one, sum(map(math.prod, groups[title]))) for one, groups in zip(small, worlds, strict=True)]
        yield from SHAPES.worlds(f"{label}/matrices/group_{place}/values", cases)
    yield from SHAPES.table(label, "matrices", rows, columns=("trainable", "shape", "number_per_layer", "values"))


def _with_peft(params: FinetuningParams, on: Sequence[str]) -> Iterator[Found]:
    """Trainable values that peft adds beside the linear layers named, in one layer."""
    import peft
    import torch

    from generators.oracles.finetuning import build

    sizes = {**letters(params), "N_layer": 1}
    for label, kind in (("1.3", peft.LoraConfig), ("1.4", peft.VeraConfig)):
        with torch.device("meta"):
            plain = build("full", sizes, params.n_heads, biases=False)
        tuned = peft.get_peft_model(plain, kind(r=params.rank, target_modules=on))
        route = PEFT if on == ["q", "k", "v"] else PEFT_ELSEWHERE
        yield from route.values(label, values_per_layer=sum(one.numel() for one in tuned.parameters() if one.requires_grad))


def _comparison(found: Mapping[str, Mapping[str, int]]) -> Iterator[Found]:
    yield from SHEET.part("comparison", "The methods side by side")
    full = found["full"]["parameters"]
    rows = {name: (TITLES[name], one["parameters"], Fraction(100 * one["parameters"], full)) for name, one in found.items()}
    units = {"trained": "B", "share_of_all_weights": "%"}
    yield from MODULES.table("comparison", "bytes", rows, units=units, columns=("method", *units))


def _optional(found: Mapping[str, Mapping[str, int]], scale: Fraction) -> Iterator[Found]:
    yield from SHEET.part("optional", "FLOPs of one training step")
    full = found["full"]["forward"] + found["full"]["backward"]
    rows = {
        name: (
            TITLES[name],
            scale * one["forward"],
            scale * one["backward"],
            Fraction(100 * (one["forward"] + one["backward"]), full),
        )
        for name, one in found.items()
    }
    keyed = {name: dict(zip(("method", "forward", "backward", "share"), row, strict=True)) for name, row in rows.items()}
    units = {"forward": "FLOP", "backward": "FLOP", "share": "%"}
    headings = {"share": "Share of full fine-tuning", "forward_formula": "Forward", "backward_formula": "Backward"}
    columns = ("method", *units, "forward_formula", "backward_formula")
    yield from MODULES.table("optional", "flops", keyed, units=units, headings=headings, columns=columns)


def _measured(params: FinetuningParams) -> Iterator[Found]:
    """The recorded storages, which must be as large as the modules' tensors at these sizes, and the allocator's blocks."""
    from generators.courses.comp4901y.hw4_q1_finetuning_memory.training_step import tensor_bytes

    of_gpu, held = params.measured.get("cuda", {}), params.conventions
    if not of_gpu:
        return
    recording = of_gpu["hw4_q1_allocation"]
    made = recording.parameters
    element = 4 if made["dtype"] == "float32" else 2
    if (element, made["adapter_biases"]) != (held.bytes_per_element, held.adapter_biases):
        return
    yield from SHEET.part("measured_cuda", "As allocated by torch on a GPU")
    yield from said_of_machine(SHEET, "measured_cuda", recording)
    rows: dict[str, Sequence[Cell]] = {}
    for name, of in product(TITLES, ("parameters", "gradients")):
        tensors = tensor_bytes(name, letters(params), params.n_heads, element, biases=made["adapter_biases"], on=_on(params))
        by = {one.at["counted_by"]: round(one.samples[0]) for one in recording.find("bytes", method=name, kind=of)}
        rows[f"{name}.{of}"] = TITLES[name], of, by["storage"], by["allocator"]
        yield from MODULES.cells("measured_cuda", "bytes", {f"{name}.{of}": {"stored": sum(tensors)}})
        if all(size <= SMALL_POOL or size % SEGMENT == 0 for size in tensors):
            blocks = sum(math.ceil(size / BLOCK) * BLOCK for size in tensors)
            yield from BLOCKS.cells("measured_cuda", "bytes", {f"{name}.{of}": {"allocated": blocks}})
    units = {"stored": "B", "allocated": "B"}
    yield from STORED.table("measured_cuda", "bytes", rows, units=units, columns=("method", "of", *units))
