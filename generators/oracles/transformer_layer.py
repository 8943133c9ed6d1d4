"""A transformer layer in torch, and the products that it runs on meta tensors."""

from __future__ import annotations

import torch
from torch import nn

from generators.oracles.products import Count, ProductRecorder

DTYPES = {2: torch.float16, 4: torch.float32, 8: torch.float64}
ORDER = ("projection", "projection", "projection", "score", "weighting", "projection", "up", "down")
"""The products in the order in which the layer runs them."""


class Layer(nn.Module):
    """The layer of the sheet: attention with per-head products, then a ReLU network; no biases, no residuals."""

    def __init__(self, d_model: int, n_heads: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model, bias=False, dtype=dtype) for _ in range(4))
        self.up = nn.Linear(d_model, 4 * d_model, bias=False, dtype=dtype)
        self.down = nn.Linear(4 * d_model, d_model, bias=False, dtype=dtype)

    def heads(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, D) to (heads, tokens, H)."""
        return x.view(len(x), self.n_heads, -1).transpose(0, 1)

    def forward(self, x: torch.Tensor, cache: tuple[torch.Tensor, torch.Tensor] | None = None) -> torch.Tensor:
        """Run (tokens, D) through the layer; `cache` holds keys and values of earlier tokens."""
        q, k, v = self.q(x), self.k(x), self.v(x)
        if cache is not None:
            k, v = torch.cat([cache[0], k]), torch.cat([cache[1], v])
        scores = torch.bmm(self.heads(q), self.heads(k).transpose(1, 2)) / x.shape[-1] ** 0.5
        z = torch.bmm(scores.softmax(-1), self.heads(v)).transpose(0, 1).flatten(1)
        out: torch.Tensor = self.down(self.up(self.o(z)).relu())
        return out


def count_products(seq_len: int, d_model: int, n_heads: int, element: int, *, decode: bool) -> list[tuple[str, Count]]:
    """Run one layer on meta tensors and return each product's name and count, in the order they ran."""
    dtype = DTYPES[element]
    with torch.device("meta"), torch.no_grad():
        layer = Layer(d_model, n_heads, dtype)
        tokens = torch.empty(1 if decode else seq_len, d_model, dtype=dtype)
        cached = torch.empty(seq_len, d_model, dtype=dtype)
        with ProductRecorder() as recorder:
            layer(tokens, (cached, cached) if decode else None)
    return list(zip(ORDER, recorder.products, strict=True))
