"""Trains the methods' torch modules a step under a counter of products, and counts what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from generators.oracles.finetuning import build
from generators.oracles.products import DTYPES, ProductRecorder

SMALL = (
    {"N_layer": 1, "N_top": 1, "D": 12, "D_kv": 4, "D_ff": 20, "R": 5},
    {"N_layer": 1, "N_top": 1, "D": 9, "D_kv": 6, "D_ff": 7, "R": 4},
)
"""Sizes at which the trainable tensors of one layer are looked at."""
SMALL_HEADS = 3
AXES = {12: "D", 48: "4 D", 5: "R", 4: r"D_{\text{kv}}", 20: r"D_{\text{ff}}"}
"""The letter of every axis at the first of them."""
ROLES = {
    "freezing": (("W^{}", "qkvo"), ("W^1", ("up",)), ("W^2", ("down",))),
    "adapters": tuple((rf"{one} \text{{{{ of each adapter}}}}", (key,)) for one, key in
                      (("W_A", "w_a.weight"), ("W_B", "w_b.weight"), (r"\beta_A", "w_a.bias"), (r"\beta_B", "w_b.bias"))),
    "lora": (("W_A", ("a",)), ("W_B", ("b",))),
    "vera": (("d", ("d",)), ("b", ("b",))),
}  # fmt: skip
"""What the page calls the trainable tensors of a method, and what they are called in the modules."""
PROJECTIONS = {"q": "query", "k": "key", "v": "value", "o": "output", "up": "up", "down": "down"}


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [one for one in model.parameters() if one.requires_grad]


def train_one_step(
    method: str, sizes: Mapping[str, int], n_heads: int, element: int, *, biases: bool, on: Sequence[str]
) -> dict[str, int]:
    """Run forward and backward once on meta tensors and read products, parameters and .grad tensors."""
    with torch.device("meta"):
        model = build(method, sizes, n_heads, biases=biases, on=on).to(DTYPES[element])
        x = torch.ones(sizes["B"], sizes["L"], sizes["D"], dtype=DTYPES[element])
    with ProductRecorder() as recorder:
        loss = model(x).sum()
        forward = recorder.flops
        loss.backward()
    return {
        "values_per_layer": sum(one.numel() for one in _trained(model[-1])),
        "parameters": sum(one.nbytes for one in _trained(model)),
        "gradients": sum(one.grad.nbytes for one in model.parameters() if one.grad is not None),
        "forward": forward,
        "backward": recorder.flops - forward,
        "frozen": sum(buffer.nbytes for buffer in model.buffers()),
    }


def extended(
    method: str, sizes: Mapping[str, int], n_heads: int, element: int, *, biases: bool, on: Sequence[str]
) -> dict[str, int]:
    """Count with one and two layers, and let every further layer add what the second adds.

    A further tuned layer is the second of (2 layers, 2 tuned); a further frozen one that of (2, 1).
    """

    def run(n_layers: int, n_tuned: int) -> dict[str, int]:
        return train_one_step(method, {**sizes, "N_layer": n_layers, "N_top": n_tuned}, n_heads, element, biases=biases, on=on)

    tuned = sizes["N_top"] if method == "freezing" else sizes["N_layer"]
    frozen = sizes["N_layer"] - tuned
    base, more_tuned = run(1, 1), run(2, 2)
    more_frozen = run(2, 1) if frozen else base
    return {
        key: start + (tuned - 1) * (more_tuned[key] - start) + frozen * (more_frozen[key] - start) for key, start in base.items()
    }


def tensor_bytes(
    method: str, sizes: Mapping[str, int], n_heads: int, element: int, *, biases: bool, on: Sequence[str]
) -> list[int]:
    """Bytes of every trainable tensor: those of one tuned layer, as many times as layers are tuned."""
    with torch.device("meta"):
        layer = build(method, {**sizes, "N_layer": 1, "N_top": 1}, n_heads, biases=biases, on=on).to(DTYPES[element])
    return [one.nbytes for one in _trained(layer)] * (sizes["N_top"] if method == "freezing" else sizes["N_layer"])


def trainable_groups(
    method: str, sizes: Mapping[str, int], *, biases: bool, on: Sequence[str]
) -> dict[str, list[tuple[int, ...]]]:
    """The shapes of the trainable tensors of a small layer, in groups of one kind and shape, by what a page calls them.

    A linear module keeps the transpose of the matrix that x meets.
    """
    with torch.device("meta"):
        layer = build(method, sizes, SMALL_HEADS, biases=biases, on=on)[-1]
    shapes = {f".{name}.": tuple((one.T if name.endswith(".weight") else one).shape)
              for name, one in layer.named_parameters() if one.requires_grad}  # fmt: skip
    groups: dict[str, list[tuple[int, ...]]] = {}
    for title, keys in ROLES[method]:
        named = {name: shape for name, shape in shapes.items() if any(f".{key}." in name for key in keys)}
        for shape in dict.fromkeys(named.values()):
            names = [name for name, one in named.items() if one == shape]
            groups[_titled(method, title, names)] = [shape] * len(names)
    return groups


def _titled(method: str, title: str, names: list[str]) -> str:
    """W^Q, W^K; W_A of query, key."""
    if "{}" in title and method == "freezing":
        return ", ".join(title.format(name.split(".")[1].upper()) for name in names)
    if method in ("lora", "vera"):
        return rf"{title} \text{{ of {', '.join(PROJECTIONS[name.split('.')[1]] for name in names)}}}"
    return title.format()
