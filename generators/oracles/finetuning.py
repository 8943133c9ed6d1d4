"""Builds the fine-tuning methods as torch modules and with peft, trains one step, and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from generators.answer import Math, rational
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.oracles.products import ProductRecorder
from generators.steps import Answer, Check

if TYPE_CHECKING:
    from generators.courses.comp4901y.hw4_q1_finetuning_memory import FinetuningParams

METHODS = {"1.1": "freezing", "1.2": "adapters", "1.3": "lora", "1.4": "vera"}
OTHER_SIZES = {"N_layer": 3, "N_top": 2, "D": 12, "R": 5, "B": 2, "L": 7}
OTHER_HEADS = 3
AXES = {12: "D", 48: "4 D", 5: "R"}
"""The letter of every axis at those sizes."""
DTYPES = {2: torch.float16, 4: torch.float32}
ROLES = {
    "freezing": (("q", "k", "v", "o"), ("up",), ("down",)),
    "adapters": (("w_a.weight",), ("w_b.weight",), ("w_a.bias",), ("w_b.bias",)),
    "lora": (("a",), ("b",)),
    "vera": (("d",), ("b",)),
}
"""What the trainable tensors of a method are called in the modules below, in groups of one shape."""
NAMES = {
    "freezing": ("W^Q, W^K, W^V, W^O", "W^1", "W^2"),
    "adapters": tuple(rf"{one} \text{{ of each adapter}}" for one in ("W_A", "W_B", "b_A", "b_B")),
    "lora": tuple(rf"{one} \text{{ of query, key, value}}" for one in "AB"),
    "vera": tuple(rf"{one} \text{{ of query, key, value}}" for one in "db"),
}
"""What the page calls these groups."""
TITLES = ("Full fine-tuning", "Freezing layers", "Adapters", "LoRA", "VeRA")
"""And all methods, in order."""


class Adapter(nn.Module):
    """x + relu(x W_A) W_B."""

    def __init__(self, d_model: int, rank: int, *, biases: bool) -> None:
        super().__init__()
        self.w_a = nn.Linear(d_model, rank, bias=biases)
        self.w_b = nn.Linear(rank, d_model, bias=biases)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, D) to (…, D)."""
        out: torch.Tensor = x + self.w_b(self.w_a(x).relu())
        return out


class LowRank(nn.Module):
    """A frozen linear layer with LoRA's A and B beside it."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(base.in_features, rank))
        self.b = nn.Parameter(torch.zeros(rank, base.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, D) to (…, D)."""
        out: torch.Tensor = self.base(x) + x @ self.a @ self.b
        return out


class FrozenPair(nn.Module):
    """VeRA's random A (D×R) and B (R×D), one pair for the whole model."""

    def __init__(self, d_model: int, rank: int) -> None:
        super().__init__()
        self.a: torch.Tensor
        self.b: torch.Tensor
        self.register_buffer("a", torch.randn(d_model, rank))
        self.register_buffer("b", torch.randn(rank, d_model))


class VectorScaled(nn.Module):
    """A frozen linear layer with VeRA's two vectors and the shared frozen pair beside it."""

    def __init__(self, base: nn.Linear, pair: FrozenPair) -> None:
        super().__init__()
        self.base, self.pair = base.requires_grad_(False), pair
        self.d = nn.Parameter(torch.ones(pair.a.shape[1]))
        self.b = nn.Parameter(torch.zeros(base.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, D) to (…, D)."""
        out: torch.Tensor = self.base(x) + x @ self.pair.a * self.d @ self.pair.b * self.b
        return out


class Layer(nn.Module):
    """The sheet's layer, batched; `after_attention` and `after_ffn` are places for adapters."""

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(d_model, 4 * d_model, bias=False), nn.Linear(4 * d_model, d_model, bias=False)
        self.after_attention: nn.Module = nn.Identity()
        self.after_ffn: nn.Module = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, L, D) to (B, L, D)."""
        q, k, v = (f(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = (q @ k.transpose(2, 3) / x.shape[-1] ** 0.5).softmax(-1)
        out = self.after_attention(self.o((scores @ v).transpose(1, 2).flatten(2)))
        result: torch.Tensor = self.after_ffn(self.down(self.up(out).relu()))
        return result


def build(method: str, sizes: Mapping[str, int], n_heads: int, *, biases: bool) -> nn.Sequential:
    """A stack of layers in which only the method's own tensors are trainable."""
    d_model, rank = sizes["D"], sizes["R"]
    layers = [Layer(d_model, n_heads) for _ in range(sizes["N_layer"])]
    model = nn.Sequential(*layers)
    if method != "full":
        model.requires_grad_(False)
    if method == "freezing":
        model[sizes["N_layer"] - sizes["N_top"] :].requires_grad_(True)
    if method == "adapters":
        for layer in layers:
            layer.after_attention = Adapter(d_model, rank, biases=biases)
            layer.after_ffn = Adapter(d_model, rank, biases=biases)
    if method in ("lora", "vera"):
        pair = FrozenPair(d_model, rank)
        for layer in layers:
            for name in ("q", "k", "v"):
                base = getattr(layer, name)
                setattr(layer, name, LowRank(base, rank) if method == "lora" else VectorScaled(base, pair))
    return model


@dataclass(frozen=True)
class Found:
    """What one training step of a method was seen to hold and to compute."""

    groups: tuple[tuple[int, int, tuple[int, ...]], ...]  # tensors, values and one's shape, of each group in the top layer
    values_per_layer: int
    parameter_bytes: int
    gradient_bytes: int
    forward_flops: int
    backward_flops: int
    frozen_bytes: int


def train_one_step(
    method: str, sizes: Mapping[str, int], n_heads: int, dtype: torch.dtype, device: str, *, biases: bool
) -> Found:
    """Run forward and backward once under torch's FLOP counter and read parameters and .grad tensors."""
    with torch.device(device):
        model = build(method, sizes, n_heads, biases=biases).to(dtype)
        x = torch.ones(sizes["B"], sizes["L"], sizes["D"], dtype=dtype)
    with ProductRecorder() as recorder:
        loss = model(x).sum()
        forward = recorder.flops
        loss.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    top = {name: p for name, p in model[-1].named_parameters() if p.requires_grad}
    return Found(
        groups=_groups(method, top),
        values_per_layer=sum(p.numel() for p in top.values()),
        parameter_bytes=sum(p.nbytes for p in trained),
        gradient_bytes=sum(grad.nbytes for grad in grads),
        forward_flops=forward,
        backward_flops=recorder.flops - forward,
        frozen_bytes=sum(buffer.nbytes for buffer in model.buffers()),
    )


def extended(method: str, sizes: Mapping[str, int], n_heads: int, dtype: torch.dtype, *, biases: bool) -> Found:
    """Count on meta tensors with two and three layers, and let every further layer add what the third adds.

    A further tuned layer is the third of (3 layers, 3 tuned); a further frozen one that of (3, 2).
    """

    def run(n_layers: int, n_tuned: int) -> Found:
        changed = {**sizes, "N_layer": n_layers, "N_top": n_tuned}
        return train_one_step(method, changed, n_heads, dtype, "meta", biases=biases)

    tuned = sizes["N_top"] if method == "freezing" else sizes["N_layer"]
    base, more_tuned = run(2, 2), run(3, 3)
    more_frozen = run(3, 2) if tuned < sizes["N_layer"] else base
    totals = {}
    for name in ("parameter_bytes", "gradient_bytes", "forward_flops", "backward_flops", "frozen_bytes"):
        start = getattr(base, name)
        by_tuned, by_frozen = getattr(more_tuned, name) - start, getattr(more_frozen, name) - start
        totals[name] = start + (tuned - 2) * by_tuned + (sizes["N_layer"] - tuned) * by_frozen
    return replace(base, **totals)


def _groups(method: str, tensors: Mapping[str, torch.Tensor]) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """A linear module keeps the transpose of the matrix that its input is multiplied by."""
    found = []
    for role in ROLES.get(method, ()):
        members = {name: t for name, t in tensors.items() if any(f".{name}.".find(f".{one}.") >= 0 for one in role)}
        if members:
            first, tensor = next(iter(members.items()))
            shape = tuple(tensor.T.shape if first.endswith(".weight") else tensor.shape)
            found.append((len(members), sum(t.numel() for t in members.values()), shape))
    return tuple(found)


def verify_finetuning(params: FinetuningParams, answer: Answer) -> Iterator[Check]:
    """Check bytes, groups and FLOPs at the example sizes on meta tensors, formulas on real small ones, counts with peft."""
    large, small = _trained(params)
    for label, method in METHODS.items():
        yield from _check_part(label, answer, large[method], small[method])
        yield same_letters(f"{label}, numbers put in", answer[label].steps, letters(params))
    yield same_letters("optional, numbers put in", answer["optional"].steps, letters(params))
    yield from _check_comparison(answer, large)
    yield from _check_flops(answer, large, small, params.conventions.flops_per_multiply_add)
    yield from _check_with_peft(answer)


def letters(params: FinetuningParams) -> dict[str, int]:
    """The sheet's letters with the sizes in force."""
    layers = {"N_layer": params.n_layers, "N_top": params.n_top_layers}
    return {**layers, "D": params.d_model, "R": params.rank, "B": params.batch_size, "L": params.seq_len}


@lru_cache(maxsize=4)
def _trained(params: FinetuningParams) -> tuple[dict[str, Found], dict[str, Found]]:
    """Every method at the example sizes and at the other sizes."""
    sizes = letters(params)
    dtype, biases = DTYPES[params.conventions.bytes_per_element], params.conventions.adapter_biases
    methods = ("full", *METHODS.values())
    large = {m: extended(m, sizes, params.n_heads, dtype, biases=biases) for m in methods}
    small = {m: train_one_step(m, OTHER_SIZES, OTHER_HEADS, dtype, "cpu", biases=biases) for m in methods}
    return large, small


def _check_part(label: str, answer: Answer, large: Found, small: Found) -> Iterator[Check]:
    part = answer[label]
    yield same(f"{label}, trainable values in one layer", part["values_per_layer"].value, large.values_per_layer, "torch modules")
    yield same(
        f"{label}, bytes of trainable parameters", part["parameters"].value, large.parameter_bytes, "torch modules, nbytes"
    )
    yield same(
        f"{label}, bytes of gradients", part["gradients"].value, large.gradient_bytes, "torch autograd, .grad on meta tensors"
    )
    triples: list[Formula] = [
        ("values in one layer", part["values_per_layer"].formula, small.values_per_layer),
        ("parameters", part["parameters"].formula, small.parameter_bytes),
        ("gradients", part["gradients"].formula, small.gradient_bytes),
    ]
    table = part.tables["matrices"]
    if len(table.rows) != len(small.groups):
        raise AssertionError(f"{label}: {len(table.rows)} published groups, {len(small.groups)} in the module")
    rows = []
    for row, name, (count, values, shape) in zip(table.rows, NAMES[METHODS[label]], small.groups, strict=False):
        triples += [("tensors in one layer", row[2], count), ("values of a group", row[3], values)]
        rows.append((Math(name), Math(r" \times ".join(AXES[size] for size in shape)), *row[2:]))
    yield same_rows(f"{label}, trainable tensors and their shapes", table, rows, "torch modules, shapes of small tensors")
    if "frozen" in part.steps:
        yield same(f"{label}, frozen bytes", part["frozen"].value, large.frozen_bytes, "torch modules, each storage once")
        triples.append(("frozen", part["frozen"].formula, small.frozen_bytes))
    yield same_formulas(f"{label}, formulas", triples, OTHER_SIZES, "real .grad tensors of a small model")


def _check_comparison(answer: Answer, large: Mapping[str, Found]) -> Iterator[Check]:
    table = answer["comparison"].tables["bytes"]
    whole = large["full"].parameter_bytes
    rows = [
        (title, found.parameter_bytes, found.gradient_bytes, rational(found.parameter_bytes) / whole)
        for title, found in zip(TITLES, large.values(), strict=True)
    ]
    yield same_rows("comparison of the methods", table, rows, "torch modules and .grad on meta tensors")


def _check_flops(answer: Answer, large: Mapping[str, Found], small: Mapping[str, Found], scale: int) -> Iterator[Check]:
    by = "torch, FLOPs of every product run"
    part = answer["optional"]
    triples: list[Formula] = []
    rows = []
    whole = large["full"].forward_flops + large["full"].backward_flops
    for title, (name, found) in zip(TITLES, large.items(), strict=True):
        forward, backward = found.forward_flops * scale // 2, found.backward_flops * scale // 2
        yield same(f"optional, {name}: FLOPs forward", part[f"{name}_forward"].value, forward, by)
        yield same(f"optional, {name}: FLOPs backward", part[f"{name}_backward"].value, backward, by)
        triples.append((f"{name} forward", part[f"{name}_forward"].formula, small[name].forward_flops * scale // 2))
        triples.append((f"{name} backward", part[f"{name}_backward"].formula, small[name].backward_flops * scale // 2))
        share = rational(found.forward_flops + found.backward_flops) / whole
        rows.append((title, forward, backward, share))
    yield same_formulas("optional, formulas", triples, OTHER_SIZES, by)
    yield same_rows("optional, comparison of the methods", part.tables["flops"], rows, by)


def _check_with_peft(answer: Answer) -> Iterator[Check]:
    from peft import __version__

    for label, name in (("1.3", "LoRA"), ("1.4", "VeRA")):
        formula = answer[label]["values_per_layer"].formula
        triples: list[Formula] = [("values", formula, _values_per_layer_in_peft(name))]
        yield same_formulas(f"{label}, values of {name} in one layer", triples, OTHER_SIZES, f"peft {__version__}")


@lru_cache(maxsize=2)
def _values_per_layer_in_peft(name: str) -> Fraction:
    """Trainable values that peft adds to query, key and value of one layer."""
    import peft

    kind = {"LoRA": peft.LoraConfig, "VeRA": peft.VeraConfig}[name]
    config = kind(r=OTHER_SIZES["R"], target_modules=["q", "k", "v"])
    model = peft.get_peft_model(build("full", OTHER_SIZES, OTHER_HEADS, biases=False), config)
    return Fraction(sum(p.numel() for p in model.parameters() if p.requires_grad), OTHER_SIZES["N_layer"])
