"""Tunes the layer of the sheet on meta tensors, and counts trained values, FLOPs of its passes and bytes of its cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.oracles.finetuning import Adapter, LowRank
from generators.oracles.products import ProductRecorder
from generators.oracles.transformer_layer import DTYPES, Layer


@dataclass(frozen=True)
class Counts:
    """What a tuned model trains, computes in a pass and for a token, and holds in its cache after the pass."""

    values: int
    pass_flops: int
    token_flops: int
    cached_bytes: int


def model_values(params: TuningParams) -> int:
    """Values of all matrices."""
    with torch.device("meta"):
        layer = Layer(params.d_model, params.n_heads, torch.float32)
    return params.n_layers * sum(tensor.numel() for tensor in layer.parameters())


def run(method: str, params: TuningParams, size: int) -> Counts:
    """Pass a prompt through a layer tuned with this rank, width or number of virtual tokens, then one more token."""
    sizes = (params.n_layers, params.d_model, params.n_heads, params.context_len, params.conventions.bytes_per_element)
    return _run(method, size, *sizes)


@lru_cache(maxsize=128)
def _run(method: str, size: int, n_layers: int, width: int, n_heads: int, tokens: int, element: int) -> Counts:
    dtype = DTYPES[element]
    with torch.device("meta"), torch.no_grad():
        layer = Layer(width, n_heads, dtype).requires_grad_(False)
        _tune(layer, method, width, size)
        virtual = {"prefix": 2, "prompt": 1}.get(method, 0)
        tensors = [nn.Parameter(torch.empty(size, width, dtype=dtype)) for _ in range(virtual)]
        prefix = (tensors[0], tensors[1]) if method == "prefix" else None
        own = torch.empty(tokens, width, dtype=dtype)
        prompt = torch.cat([*tensors, own]) if method == "prompt" else own
        layer.to(dtype)
        with ProductRecorder() as first:
            layer(prompt, prefix)
        held = torch.empty(len(prompt) + (len(prefix[0]) if prefix else 0), width, dtype=dtype)
        with ProductRecorder() as second:
            layer(own[:1], (held, held))
    in_layer = [*(one for one in layer.parameters() if one.requires_grad), *(prefix or ())]
    once = tensors if method == "prompt" else []
    values = n_layers * sum(one.numel() for one in in_layer) + sum(one.numel() for one in once)
    return Counts(values, n_layers * first.flops, n_layers * second.flops, n_layers * 2 * held.nbytes)


def _tune(layer: Layer, method: str, width: int, size: int) -> None:
    """Put in what stands beside or behind matrices; adapters stand behind attention and behind the feed-forward network."""
    if method == "adapters":
        for name in ("o", "down"):
            setattr(layer, name, nn.Sequential(getattr(layer, name), Adapter(width, size, biases=False)))
    if method in ("lora", "merged"):
        for name in ("q", "k", "v"):
            tuned = LowRank(getattr(layer, name), size)
            if method == "merged":
                tuned.base.weight += (tuned.a @ tuned.b).T
            setattr(layer, name, tuned.base if method == "merged" else tuned)
