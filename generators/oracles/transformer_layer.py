"""A transformer layer in torch."""

from __future__ import annotations

import torch
from torch import nn

DTYPES = {2: torch.float16, 4: torch.float32, 8: torch.float64}


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
