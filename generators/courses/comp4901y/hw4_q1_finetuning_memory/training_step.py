"""Trains the methods' torch modules a step under a counter of products, and counts what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import torch

from generators.oracles.finetuning import build
from generators.oracles.products import ProductRecorder

DTYPES = {2: torch.float16, 4: torch.float32}
SMALL = ({"N_layer": 2, "N_top": 2, "D": 12, "R": 5}, {"N_layer": 2, "N_top": 2, "D": 9, "R": 4})
"""Sizes at which the trainable tensors of one layer are looked at."""
SMALL_HEADS = 3
AXES = {12: "D", 48: "4 D", 5: "R"}
"""The letter of every axis at the first of them."""
ROLES = {
    "freezing": (("q", "k", "v", "o"), ("up",), ("down",)),
    "adapters": (("w_a.weight",), ("w_b.weight",), ("w_a.bias",), ("w_b.bias",)),
    "lora": (("a",), ("b",)),
    "vera": (("d",), ("b",)),
}
"""What the trainable tensors of a method are called in the modules, in groups of one shape."""
Groups: TypeAlias = tuple[tuple[int, int, tuple[int, ...]], ...]
"""Tensors, values of all, and the shape of one, of each group."""


@dataclass(frozen=True)
class Held:
    """What one training step of a method was seen to hold and to compute."""

    values_per_layer: int
    parameter_bytes: int
    gradient_bytes: int
    forward_flops: int
    backward_flops: int
    frozen_bytes: int


def train_one_step(method: str, sizes: Mapping[str, int], n_heads: int, element: int, *, biases: bool) -> Held:
    """Run forward and backward once on meta tensors and read products, parameters and .grad tensors."""
    with torch.device("meta"):
        model = build(method, sizes, n_heads, biases=biases).to(DTYPES[element])
        x = torch.ones(sizes["B"], sizes["L"], sizes["D"], dtype=DTYPES[element])
    with ProductRecorder() as recorder:
        loss = model(x).sum()
        forward = recorder.flops
        loss.backward()
    return Held(
        values_per_layer=sum(one.numel() for one in model[-1].parameters() if one.requires_grad),
        parameter_bytes=sum(one.nbytes for one in model.parameters() if one.requires_grad),
        gradient_bytes=sum(one.grad.nbytes for one in model.parameters() if one.grad is not None),
        forward_flops=forward,
        backward_flops=recorder.flops - forward,
        frozen_bytes=sum(buffer.nbytes for buffer in model.buffers()),
    )


def extended(method: str, sizes: Mapping[str, int], n_heads: int, element: int, *, biases: bool) -> Held:
    """Count with two and three layers, and let every further layer add what the third adds.

    A further tuned layer is the third of (3 layers, 3 tuned); a further frozen one that of (3, 2).
    """

    def run(n_layers: int, n_tuned: int) -> Held:
        changed = {**sizes, "N_layer": n_layers, "N_top": n_tuned}
        return train_one_step(method, changed, n_heads, element, biases=biases)

    tuned = sizes["N_top"] if method == "freezing" else sizes["N_layer"]
    base, more_tuned = run(2, 2), run(3, 3)
    more_frozen = run(3, 2) if tuned < sizes["N_layer"] else base
    totals = {}
    for name in ("parameter_bytes", "gradient_bytes", "forward_flops", "backward_flops", "frozen_bytes"):
        start = getattr(base, name)
        by_tuned, by_frozen = getattr(more_tuned, name) - start, getattr(more_frozen, name) - start
        totals[name] = start + (tuned - 2) * by_tuned + (sizes["N_layer"] - tuned) * by_frozen
    return replace(base, **totals)


def parameter_bytes(method: str, sizes: Mapping[str, int], n_heads: int, element: int, *, biases: bool) -> int:
    """Bytes of the trainable tensors of one tuned layer, as many times as layers are tuned."""
    with torch.device("meta"):
        layer = build(method, {**sizes, "N_layer": 1, "N_top": 1}, n_heads, biases=biases).to(DTYPES[element])
    tuned = sizes["N_top"] if method == "freezing" else sizes["N_layer"]
    return tuned * sum(one.nbytes for one in layer.parameters() if one.requires_grad)


@lru_cache(maxsize=16)
def _small_layer(method: str, place: int, biases: bool) -> dict[str, tuple[int, ...]]:
    """The shapes of a small layer's trainable tensors; a linear module keeps the transpose of the matrix that x meets."""
    with torch.device("meta"):
        layer = build(method, SMALL[place], SMALL_HEADS, biases=biases)[-1]
    named = ((name, one) for name, one in layer.named_parameters() if one.requires_grad)
    return {name: tuple(one.T.shape if name.endswith(".weight") else one.shape) for name, one in named}


def trainable_groups(method: str, sizes: Mapping[str, int], *, biases: bool) -> Groups:
    """The trainable tensors of one layer at one of the small sizes, in groups of one shape."""
    shapes = _small_layer(method, [dict(one) for one in SMALL].index(dict(sizes)), biases)
    found = []
    for role in ROLES[method]:
        members = [shape for name, shape in shapes.items() if any(f".{name}.".find(f".{one}.") >= 0 for one in role)]
        if members:
            found.append((len(members), sum(torch.Size(one).numel() for one in members), members[0]))
    return tuple(found)
