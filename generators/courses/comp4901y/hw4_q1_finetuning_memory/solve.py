"""Counts the trainable values of each method, then bytes of parameters and of gradients, and FLOPs of a training step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text, value_at
from generators.cells import Cell, Math, exact, rational
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.recording import Recording
from generators.table import Table, column, table
from generators.topics import peft
from generators.topics.measured import ELEMENT_BYTES, machine
from generators.topics.peft import D_FF, D_KV, N_LAYER, N_TOP, B, D, Group, L, R

TITLES = {"full": "Full fine-tuning", "freezing": "Freezing layers", "adapters": "Adapters", "lora": "LoRA", "vera": "VeRA"}
LABELS = {"freezing": "1.1", "adapters": "1.2", "lora": "1.3", "vera": "1.4"}


class Widths(NamedTuple):
    """Widths of keys and values and of the feed-forward network: letters where the entry names them, else the sheet's."""

    kv: sympy.Expr
    ff: sympy.Expr


def solve(params: FinetuningParams) -> Answer:
    """Each method's part, the methods side by side, a training step, and the recorded bytes."""
    widths = Widths(D_KV if params.n_kv_heads else D, D_FF if params.d_ff else 4 * D)
    lora = {name: ends for name, ends in peft.linear_ends(*widths).items() if name in (params.lora_on or peft.BELOW_ATTENTION)}
    sheet = _sheet(params, ", ".join(lora))
    groups = _groups(widths, lora, biases=params.conventions.adapter_biases)
    each = params.conventions.bytes_per_element
    size = {name: _bytes(name, ones, each) for name, ones in groups.items()}
    return answer(
        sheet,
        *(part(label, TITLES[name], *_method(name, groups[name], size[name], each, lora), within=sheet)
          for name, label in LABELS.items()),
        part("comparison", "The methods side by side", _side_by_side(size, sheet), within=sheet),
        part("optional", "FLOPs of one training step", _training_step(peft.Step(*widths, lora), sheet, params), within=sheet),
        *_measured(params),
    )  # fmt: skip


def _sheet(params: FinetuningParams, lora_on: str) -> Part:
    held, usual = params.conventions, lora_on == ", ".join(peft.BELOW_ATTENTION)
    kv = [letter(D_KV, params.d_model // params.n_heads * params.n_kv_heads, "width of keys and values")
          for _ in "k" if params.n_kv_heads]  # fmt: skip
    ff = [letter(D_FF, params.d_ff, "inner width of the feed-forward network")] if params.d_ff else []
    return part(
        "sheet",
        "Given",
        letter(N_LAYER, params.n_layers, "layers"),
        letter(N_TOP, params.n_top_layers, "tuned layers at the top"),
        letter(D, params.d_model, "model width"),
        *kv,
        *ff,
        letter(R, params.rank, "inner width of adapters, rank of LoRA and VeRA"),
        letter(B, params.batch_size, "sequences of a batch"),
        letter(L, params.seq_len, "tokens of a sequence"),
        number("bytes_per_element", held.bytes_per_element, "bytes of one value", unit="B"),
        *([] if usual else [text("lora_on", lora_on)]),
        claim("usual_lora", usual, "LoRA stands beside query, key and value"),
        claim("other_lora", not usual, "LoRA stands beside other linear layers"),
        claim("adapters_without_biases", not held.adapter_biases),
        claim("adapters_with_biases", held.adapter_biases),
        claim("other_kv", bool(kv), "keys and values have a width of their own"),
        claim("other_ff", bool(ff), "the feed-forward network has an inner width of its own"),
        claim("usual_ff", not ff, "the feed-forward network is four times as wide inside"),
    )


def _groups(widths: Widths, lora: peft.Ends, *, biases: bool) -> dict[str, list[Group]]:
    """The trainable tensors of one tuned layer by method."""
    layer = peft.layer_groups(*widths)
    low_rank = {"lora": peft.lora_groups(lora), "vera": peft.vera_groups(lora)}
    return {"full": layer, "freezing": layer, "adapters": peft.adapter_groups(biases=biases), **low_rank}


def _bytes(name: str, groups: list[Group], each: int) -> sympy.Expr:
    """Bytes of all trainable values of a method, and as many of their gradients."""
    return sympy.factor(each * (N_TOP if name == "freezing" else N_LAYER) * peft.total(groups))


def _method(name: str, groups: list[Group], size: sympy.Expr, each: int, lora: peft.Ends) -> Iterator[Item]:
    rows = {}
    for place, group in enumerate(groups, 1):
        shape = r" \times ".join(re.sub(r"_\{(\w+)\}", r"_{\\text{\1}}", sympy.latex(axis)) for axis in group.shape)
        rows[f"group_{place}"] = Math(group.names), Math(shape), group.count, group.values
    yield table("matrices", ["trainable", "shape", "number_per_layer", "values"], rows)
    yield formula("values_per_layer", sympy.factor(peft.total(groups)), "trainable values in one layer", r"N_{\text{values}}")
    if name != "freezing":
        yield formula("parameters", size, "trainable parameters", r"M_{\text{param}}", "B", asked=True)
    yield formula("gradients", size, "gradients", r"M_{\text{grad}}", "B", asked=True)
    if name == "vera":
        yield formula("frozen", each * peft.vera_frozen(lora), "frozen matrices, kept once", r"M_{\text{frozen}}", "B")


def _side_by_side(size: Mapping[str, sympy.Expr], sheet: Part) -> Table:
    """Bytes of every method, and the share of all weights that it trains."""
    held = {name: value_at(one, sheet) for name, one in size.items()}
    rows = {name: (TITLES[name], one, exact(100 * rational(one) / rational(held["full"]))) for name, one in held.items()}
    return table("bytes", ["method", column("trained", unit="B"), column("share_of_all_weights", unit="%")], rows)


def _training_step(step: peft.Step, sheet: Part, params: FinetuningParams) -> Table:
    """FLOPs of both passes of each method, their formulas, and their sum beside that of full fine-tuning."""
    each = params.conventions.flops_per_multiply_add
    costs = {"full": step.freezing(N_LAYER), "freezing": step.freezing(N_TOP), "adapters": step.adapters()}
    formulas = {name: (cost.forward(each), cost.backward(each))
                for name, cost in {**costs, "lora": step.lora(), "vera": step.vera()}.items()}  # fmt: skip
    found = {name: [value_at(one, sheet) for one in passes] for name, passes in formulas.items()}
    full = sum(map(rational, found["full"]))
    rows = {
        name: (TITLES[name], *found[name], exact(100 * sum(map(rational, found[name])) / full), *formulas[name]) for name in found
    }
    passes = [column("forward", unit="FLOP"), column("backward", unit="FLOP"), column("share", "Share of full fine-tuning", "%")]
    by_formula = [column(f"{one}_formula", one.capitalize(), of=one) for one in ("forward", "backward")]
    return table("flops", ["method", *passes, *by_formula], rows)


def _measured(params: FinetuningParams) -> Iterator[Part]:
    """What a GPU held, where it was measured in the conventions in force."""
    held, recordings = params.conventions, [one["hw4_q1_allocation"] for kind, one in params.measured.items() if kind == "cuda"]
    for recording in recordings:
        made = ELEMENT_BYTES[recording.parameters["dtype"]], recording.parameters["adapter_biases"]
        if made == (held.bytes_per_element, held.adapter_biases):
            yield part("measured_cuda", "As allocated by torch on a GPU", *machine(recording), _allocated(recording))


def _allocated(recording: Recording) -> Table:
    """Bytes of the tensors' storages, and what torch's allocator handed out for them."""
    rows: dict[str, Sequence[Cell]] = {}
    for name, title in TITLES.items():
        for of in ("parameters", "gradients"):
            found = (recording.one("bytes", method=name, kind=of, counted_by=by) for by in ("storage", "allocator"))
            rows[f"{name}.{of}"] = title, of, *(int(one.samples[0]) for one in found)
    return table("bytes", ["method", "of", column("stored", unit="B"), column("allocated", unit="B")], rows)
