"""Counts the values of a decoder with gated feed-forward networks on torch modules without storage."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn


class Layer(nn.Module):
    """A decoder layer with a gated feed-forward network, for its sizes alone."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.attention = nn.ModuleList(nn.Linear(d_model, d_model, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(d_model, d_ff, bias=False) for _ in range(2))
        self.down = nn.Linear(d_ff, d_model, bias=False)
        self.norms = nn.ModuleList(nn.RMSNorm(d_model) for _ in range(2))


@lru_cache(maxsize=8)
def counted_values(n_layers: int, d_model: int, d_ff: int, vocabulary: int) -> tuple[int, int]:
    """Values of the whole model, and of its matrices without the embedding."""
    with torch.device("meta"):
        layers = nn.ModuleList(Layer(d_model, d_ff) for _ in range(n_layers))
        embedding = nn.Embedding.from_pretrained(torch.empty(vocabulary, d_model))  # its own start would import a compiler
        output = nn.Linear(d_model, vocabulary, bias=False)
        model = nn.ModuleList([layers, embedding, output, nn.RMSNorm(d_model)])
    matrices = sum(one.weight.numel() for one in model.modules() if isinstance(one, nn.Linear))
    return sum(tensor.numel() for tensor in model.parameters()), matrices
