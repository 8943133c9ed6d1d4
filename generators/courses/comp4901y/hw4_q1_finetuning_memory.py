"""Homework 4, question 1: bytes of parameters and gradients of four fine-tuning methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Math, Value, rational
from generators.params import MeasuredParams, Params, PositiveInt
from generators.pipeline.wording import counted
from generators.recording import Recording
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics import peft
from generators.topics.peft import Group, StepCost


class Conventions(Params):
    """What the numbers rest on."""

    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one parameter or gradient value (2 is FP16)")
    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")
    adapter_biases: bool = Field(False, description="whether the two matrices of an adapter have biases")


class FinetuningParams(MeasuredParams):
    """Example sizes for which the symbolic answers are also given in bytes."""

    n_layers: PositiveInt
    n_top_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    rank: PositiveInt
    batch_size: PositiveInt
    seq_len: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model: must be divisible by n_heads (got {self.d_model} and {self.n_heads})")
        if self.n_top_layers > self.n_layers:
            raise ValueError(f"n_top_layers: must be at most n_layers (got {self.n_top_layers} and {self.n_layers})")
        if self.rank > self.d_model:
            raise ValueError(f"rank: must be at most d_model (got {self.rank} and {self.d_model})")
        return self

    @property
    def sizes(self) -> dict[sympy.Symbol, Value]:
        """The sheet's letters with their values."""
        return {
            peft.N_LAYER: self.n_layers,
            peft.N_TOP: self.n_top_layers,
            peft.D: self.d_model,
            peft.R: self.rank,
            peft.B: self.batch_size,
            peft.L: self.seq_len,
        }


ALLOCATION = "hw4_q1_allocation"
SIZES = ("n_layers", "n_top_layers", "d_model", "n_heads", "rank")
METHODS = {"1.1": "Freezing layers", "1.2": "Adapters", "1.3": "LoRA", "1.4": "VeRA"}
FULL = "Full fine-tuning"


def solve(params: FinetuningParams) -> Answer:
    """Count each method's trainable values, then bytes of parameters and of gradients."""
    methods = _methods(params)
    parts = {**methods, "comparison": _comparison(methods, params), "optional": _training_step(params)}
    for label, (recording, built) in allocations(params).items():
        parts[label] = _measured(recording, _comparison(_methods(built), built))
    return Answer(parts)


def _methods(params: FinetuningParams) -> dict[str, Part]:
    groups = {
        "1.1": peft.layer_groups(),
        "1.2": peft.adapter_groups(biases=params.conventions.adapter_biases),
        "1.3": peft.lora_groups(),
        "1.4": peft.vera_groups(),
    }
    parts = {
        label: _part(METHODS[label], groups[label], peft.N_TOP if label == "1.1" else peft.N_LAYER, params) for label in METHODS
    }
    return {**parts, "1.4": _with_frozen(parts["1.4"], params)}


def allocations(params: FinetuningParams) -> dict[str, tuple[Recording, FinetuningParams]]:
    """The recordings that are shown, each with what it was made with: a GPU's only if that is what the page has."""
    found = {}
    for one in (params, params.elsewhere):
        recording = one.recordings.get(ALLOCATION) if one else None
        if recording:
            made = recording.parameters
            element = {"float16": 2, "bfloat16": 2, "float32": 4}[made["dtype"]]
            held = {"bytes_per_element": element, "adapter_biases": made["adapter_biases"]}
            conventions = params.conventions.model_copy(update=held)
            built = params.at_sizes_of(recording, SIZES).model_copy(update={"conventions": conventions})
            if recording.device_kind == "cpu" or built.model_dump() == params.model_dump():
                found[f"measured_{recording.device_kind}"] = recording, built
    return found


def _measured(recording: Recording, comparison: Part) -> Part:
    """Bytes predicted beside the bytes of the tensors' storages and, on a GPU, what torch's allocator handed out."""
    rows = []
    methods = ("full", "freezing", "adapters", "lora", "vera")
    for method, predicted in zip(methods, comparison.tables["bytes"].rows, strict=True):
        for kind, expected in (("parameters", predicted[1]), ("gradients", predicted[2])):
            rows.append(
                (predicted[0], kind, expected, *(_counted(recording, method, kind, by) for by in ("storage", "allocator")))
            )
    made = recording.parameters
    run = (recording.device, recording.date, recording.versions["torch"], str(made["dtype"]), *(made[name] for name in SIZES))
    machine = Table(header=("Device", "Recorded", "Torch", "Element type", "N_layer", "N_top", "D", "n_H", "R"), rows=(run,))
    header = ("Method", "Of", "Predicted", "Stored", "Allocated")
    return Part(title="Measured", tables={"bytes": Table(header=header, rows=tuple(rows)), "machine": machine})


def _counted(recording: Recording, method: str, kind: str, counted_by: str) -> Value | None:
    """Bytes of the trainable tensors; None where the device has no allocator that counts."""
    found = list(recording.find("bytes", method=method, kind=kind, counted_by=counted_by))
    return int(found[0].median) if found else None


def _part(title: str, groups: list[Group], n_layers: sympy.Symbol, params: FinetuningParams) -> Part:
    per_layer = peft.total(groups)
    size = sympy.expand(params.conventions.bytes_per_element * n_layers * per_layer)
    at = params.sizes
    return Part(
        title=title,
        steps={
            "values_per_layer": step("trainable values in one layer", r"P_{\text{layer}}", per_layer, at),
            "parameters": step("trainable parameters", r"M_{\text{param}}", size, at, "B"),
            "gradients": step("gradients", r"M_{\text{grad}}", size, at, "B"),
        },
        tables={"matrices": _matrices(groups)},
    )


def _matrices(groups: list[Group]) -> Table:
    rows = tuple((Math(group.names), Math(_shape(group)), group.count, group.values) for group in groups)
    return Table(header=("Trainable", "Shape", "In one layer", "Values"), rows=rows)


def _shape(group: Group) -> str:
    return r" \times ".join(sympy.latex(size) for size in group.shape)


def _with_frozen(part: Part, params: FinetuningParams) -> Part:
    size = params.conventions.bytes_per_element * peft.vera_frozen()
    frozen = step("frozen A and B, kept once for all layers", r"M_{\text{frozen}}", size, params.sizes, "B")
    return Part(title=part.title, steps={**part.steps, "frozen": frozen}, tables=part.tables)


def _comparison(parts: dict[str, Part], params: FinetuningParams) -> Part:
    full = _part(FULL, peft.layer_groups(), peft.N_LAYER, params)
    whole = rational(full["parameters"].value)
    rows = []
    for part in (full, *parts.values()):
        trained = rational(part["parameters"].value)
        rows.append((part.title, part["parameters"].value, part["gradients"].value, trained / whole))
    header = ("Method", "Parameters", "Gradients", "Share of all weights")
    return Part(title="The methods side by side", tables={"bytes": Table(header=header, rows=tuple(rows))})


def _training_step(params: FinetuningParams) -> Part:
    costs = {
        "full": (FULL, peft.freezing_cost(peft.N_LAYER)),
        "freezing": (METHODS["1.1"], peft.freezing_cost(peft.N_TOP)),
        "adapters": (METHODS["1.2"], peft.adapter_cost()),
        "lora": (METHODS["1.3"], peft.lora_cost()),
        "vera": (METHODS["1.4"], peft.vera_cost()),
    }
    steps: dict[str, Step] = {}
    rows = []
    for name, (title, cost) in costs.items():
        forward, backward = _flops(title, cost, params)
        steps |= {f"{name}_forward": forward, f"{name}_backward": backward}
        both = rational(forward.value) + rational(backward.value)
        share = both / (rational(steps["full_forward"].value) + rational(steps["full_backward"].value))
        rows.append((title, forward.value, backward.value, share))
    header = ("Method", "Forward", "Backward", "Share of full fine-tuning")
    return Part(title="FLOPs of one training step", steps=steps, tables={"flops": Table(header=header, rows=tuple(rows))})


def _flops(title: str, cost: StepCost, params: FinetuningParams) -> tuple[Step, Step]:
    each, at = params.conventions.flops_per_multiply_add, params.sizes
    forward = step(f"{title}: forward", r"F_{\text{fwd}}", cost.forward(each), at, "FLOP")
    backward = step(f"{title}: backward", r"F_{\text{bwd}}", cost.backward(each), at, "FLOP")
    return forward, backward


def verify(params: FinetuningParams, answer: Answer) -> Iterator[Check]:
    """Build the four methods as torch modules and with peft; count parameters, .grad bytes and FLOPs."""
    from generators.oracles.allocation import verify_allocation
    from generators.oracles.finetuning import verify_finetuning

    yield from verify_finetuning(params, answer)
    for label, (recording, _) in allocations(params).items():
        yield from verify_allocation(recording, answer[label])


def draw(params: FinetuningParams, answer: Answer) -> dict[str, Figure]:
    """Trainable bytes of every method against the rank R."""
    from generators.figures.allocation import allocation_figure
    from generators.figures.curves import Curve, log_log_figure

    ranks = [2**power for power in range(params.d_model.bit_length())]
    curves = []
    for label, title in (*METHODS.items(), ("full", FULL)):
        formula = _bytes_over_rank(label, answer, params)
        curves.append(Curve(title, [(rank, float(formula.subs(peft.R, rank))) for rank in ranks]))
    figure = log_log_figure(
        curves,
        x_label="rank R (log scale)",
        y_label="trainable parameters, bytes (log scale)",
        marked_x=params.rank,
        caption="Bytes of trainable parameters, and as many again of gradients, over the rank R.",
        alt=f"Trainable bytes against rank for {counted(params.n_layers, 'layer')} of width {params.d_model}: adapters "
        "and LoRA rise with R times the width, VeRA with R alone, freezing and full fine-tuning do not depend on R.",
    )
    figures = {"bytes_over_rank": figure}
    for label, (recording, _) in allocations(params).items():
        figures[label] = allocation_figure(answer[label].tables["bytes"], recording.device)
    return figures


def _bytes_over_rank(label: str, answer: Answer, params: FinetuningParams) -> sympy.Expr:
    fixed = {symbol: value for symbol, value in params.sizes.items() if symbol != peft.R}
    source = answer["1.1" if label == "full" else label]["parameters"].formula
    assert source is not None
    if label == "full":
        source = source.subs(peft.N_TOP, peft.N_LAYER)
    return source.subs(fixed)


QUESTION = SelfVerifying(
    title="Memory of parameters and gradients in fine-tuning",
    points=40,
    params=FinetuningParams,
    solve=solve,
    verify=verify,
    draw=draw,
    recordings=(ALLOCATION,),
)
