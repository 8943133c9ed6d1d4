"""Medusa heads and their model as torch modules without storage, for `find`."""

from __future__ import annotations

import torch
from torch import nn

from generators.courses.utaustin.lecture25_medusa.params import Model
from generators.oracles.products import ProductRecorder


def counted_heads(d_model: int, vocabulary: int, n_heads: int, *, bias: bool) -> tuple[int, int, int]:
    """Values of one head, W2 (SiLU(W1 h) + h), and of all, and FLOPs of all at one position as torch counts them.

    Only the products run: SiLU and the sum have none, and on meta tensors they would import a compiler.
    """
    with torch.device("meta"), torch.no_grad():
        heads = [nn.Sequential(nn.Linear(d_model, d_model, bias=bias), nn.Linear(d_model, vocabulary, bias=False))
                 for _ in range(n_heads)]  # fmt: skip
        with ProductRecorder() as recorder:
            for head in heads:
                head(torch.empty(1, d_model))
    values = [_values(head) for head in heads]
    return values[0], sum(values), recorder.flops


def counted_model(model: Model) -> tuple[int, int]:
    """Values of the whole model, and of its matrices without the embedding."""
    d, width = model.d_model, model.head_dim or model.d_model // model.n_heads
    of_queries, of_keys = width * model.n_heads, width * (model.n_kv_heads or model.n_heads)
    shapes = [(d, of_queries), (d, of_keys), (d, of_keys), (of_queries, d), *[(d, model.d_ff)] * 2, (model.d_ff, d)]
    with torch.device("meta"):
        layer = nn.ModuleList(nn.Linear(*shape, bias=False) for shape in shapes)
        norms, output = [nn.RMSNorm(d) for _ in range(2 * model.n_layers + 1)], nn.Linear(d, model.vocabulary_size, bias=False)
        embedding = torch.empty(model.vocabulary_size, d)
    matrices = model.n_layers * _values(layer) + _values(output)
    return matrices + embedding.numel() + sum(map(_values, norms)), matrices


def _values(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.parameters())
