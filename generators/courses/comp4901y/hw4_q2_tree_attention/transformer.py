"""A small transformer that takes any attention mask, for `find`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import nn

TOKENS = DEPTHS = 64
"""As many as a tree may have nodes."""


class SmallTransformer(nn.Module):
    """Random token and depth embeddings, two of torch's own encoder layers and an output head, in float64."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, dtype=torch.float64)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.token = nn.Embedding(TOKENS, 32, dtype=torch.float64)
            self.depth = nn.Embedding(DEPTHS, 32, dtype=torch.float64)
            self.head = nn.Linear(32, TOKENS, dtype=torch.float64)

    def forward(self, tokens: torch.Tensor, depths: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        """Logits (n, TOKENS) of n tokens at their depths; token i sees token j where allowed[i, j]."""
        embedded = self.token(tokens) + self.depth(depths)
        hidden = self.encoder(embedded[None], mask=~allowed)[0]
        out: torch.Tensor = self.head(hidden)
        return out


@lru_cache(maxsize=1)
def small_transformer() -> SmallTransformer:
    """The one model, made once."""
    return SmallTransformer().eval()


def logits(model: SmallTransformer, tokens: Sequence[int], depths: Sequence[int], allowed: torch.Tensor) -> torch.Tensor:
    """Logits (n, TOKENS) in one pass."""
    with torch.no_grad():
        out: torch.Tensor = model(torch.tensor(tokens), torch.tensor(depths), allowed)
    return out
