"""Tunes a layer on meta tensors, and counts trained values, FLOPs of its passes and bytes of its cache."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import nn

from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.oracles.finetuning import Adapter, LowRank
from generators.oracles.products import ProductRecorder

NAMES = {"query": "q", "key": "k", "value": "v", "output": "o", "up": "up", "down": "down"}
Cache = tuple[torch.Tensor, torch.Tensor]


class Shape(NamedTuple):
    """Sizes of a layer; `keys` is the width of its keys."""

    width: int
    n_heads: int
    n_kv_heads: int
    queries: int
    keys: int
    hidden: int


class Counts(NamedTuple):
    """What a tuned model trains, computes in a pass and for a token, and holds in its cache after the pass."""

    values: int
    pass_flops: int
    token_flops: int
    cached_bytes: int


class Layer(nn.Module):
    """Attention whose heads share keys in groups, then a ReLU network; no biases."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        sizes = {"q": (shape.width, shape.queries), "o": (shape.queries, shape.width), "up": (shape.width, shape.hidden),
                 "down": (shape.hidden, shape.width), **dict.fromkeys("kv", (shape.width, shape.keys))}  # fmt: skip
        self.parts = nn.ModuleDict({name: nn.Linear(*size, bias=False) for name, size in sizes.items()})

    def forward(self, x: torch.Tensor, cache: Cache | None) -> torch.Tensor:
        """Run (tokens, D) through the layer; `cache` holds keys and values of tokens that stand before."""
        q, k, v = (self.parts[name](x) for name in "qkv")
        if cache is not None:
            k, v = torch.cat([cache[0], k]), torch.cat([cache[1], v])
        q = q.unflatten(-1, (self.shape.n_heads, -1)).transpose(0, 1)
        k, v = (one.unflatten(-1, (self.shape.n_kv_heads, -1)).transpose(0, 1) for one in (k, v))
        k, v = (one.repeat_interleave(self.shape.n_heads // self.shape.n_kv_heads, 0) for one in (k, v))
        z = torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v).transpose(0, 1).flatten(1)
        out: torch.Tensor = self.parts["down"](self.parts["up"](self.parts["o"](z)).relu())
        return out


def shape_of(params: TuningParams) -> Shape:
    """The layer's sizes, with what an entry may leave out."""
    each, n_kv_heads = params.head_dim or params.d_model // params.n_heads, params.n_kv_heads or params.n_heads
    hidden = params.d_ff or 4 * params.d_model
    return Shape(params.d_model, params.n_heads, n_kv_heads, params.n_heads * each, n_kv_heads * each, hidden)


def run(method: str, params: TuningParams, size: int) -> Counts:
    """Pass a prompt through a layer tuned with this rank, width or number of virtual tokens, then one more token."""
    made = params.context_len, params.conventions.bytes_per_element, params.n_layers
    return _run(method, size, shape_of(params), *made, tuple(NAMES[one] for one in params.lora_on))


def model_values(params: TuningParams) -> int:
    """Values of all matrices."""
    with torch.device("meta"):
        return params.n_layers * sum(tensor.numel() for tensor in Layer(shape_of(params)).parameters())


@lru_cache(maxsize=64)
def _run(method: str, size: int, shape: Shape, tokens: int, element: int, n_layers: int, on: tuple[str, ...]) -> Counts:
    with torch.device("meta"), torch.no_grad():
        layer, own = Layer(shape).requires_grad_(False), torch.empty(tokens, shape.width)
        _tune(layer.parts, method, shape.width, size, on)
        trained = {"prefix": [shape.keys] * 2, "prompt": [shape.width]}.get(method, [])
        tensors = [nn.Parameter(torch.empty(size, width)) for width in trained]
        prefix = (tensors[0], tensors[1]) if method == "prefix" else None
        prompt = torch.cat([*tensors, own]) if method == "prompt" else own
        with ProductRecorder() as first:
            layer(prompt, prefix)
        held = torch.empty(len(prompt) + (size if prefix else 0), shape.keys)
        with ProductRecorder() as second:
            layer(own[:1], (held, held))
    in_layer = [*(one for one in layer.parameters() if one.requires_grad), *(prefix or ())]
    values = n_layers * sum(one.numel() for one in in_layer) + (tensors[0].numel() if method == "prompt" else 0)
    return Counts(values, n_layers * first.flops, n_layers * second.flops, n_layers * 2 * held.numel() * element)


def _tune(parts: nn.ModuleDict, method: str, width: int, size: int, on: tuple[str, ...]) -> None:
    """Put in what stands beside or behind matrices; adapters stand behind attention and behind the feed-forward network."""
    if method == "adapters":
        for name in ("o", "down"):
            parts[name] = nn.Sequential(parts[name], Adapter(width, size, biases=False))
    if method in ("lora", "merged"):
        for name in on:
            tuned = LowRank(parts[name], size)  # type: ignore[arg-type]
            if method == "merged":
                tuned.base.weight += (tuned.a @ tuned.b).T
            parts[name] = tuned.base if method == "merged" else tuned
