"""Medusa heads as torch modules without storage, for `find`."""

from __future__ import annotations

import torch
from torch import nn

from generators.oracles.products import ProductRecorder


class Head(nn.Module):
    """W2 (SiLU(W1 h) + h)."""

    def __init__(self, d_model: int, vocabulary: int, *, bias: bool) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_model, bias=bias)
        self.w_2 = nn.Linear(d_model, vocabulary, bias=False)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """(n, D) to logits (n, V)."""
        logits: torch.Tensor = self.w_2(nn.functional.silu(self.w_1(h)) + h)
        return logits


def counted_heads(d_model: int, vocabulary: int, n_heads: int, *, bias: bool) -> tuple[int, int, int]:
    """Values of one head and of all, and FLOPs of all at one position as torch counts them."""
    with torch.device("meta"), torch.no_grad():
        heads = nn.ModuleList(Head(d_model, vocabulary, bias=bias) for _ in range(n_heads))
        with ProductRecorder() as recorder:
            for head in heads:
                head(torch.empty(1, d_model))
    return _values(heads[0]), _values(heads), recorder.flops


def _values(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.parameters())
