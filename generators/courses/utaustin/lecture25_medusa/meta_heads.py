"""Medusa heads as torch modules without storage, for `find`."""

from __future__ import annotations

import torch
from torch import nn

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
    values = [sum(tensor.numel() for tensor in head.parameters()) for head in heads]
    return values[0], sum(values), recorder.flops
