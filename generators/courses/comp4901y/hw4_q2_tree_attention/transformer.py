"""A small transformer that takes any attention mask, for `find`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import nn

NODES = 64
"""As many tokens and depths as a tree may have nodes."""


@lru_cache(maxsize=1)
def _modules() -> nn.ModuleDict:
    """Random token and depth embeddings, two of torch's own encoder layers and an output head, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        embeddings = {name: nn.Embedding(NODES, 32) for name in ("token", "depth")}
        return nn.ModuleDict({**embeddings, "encoder": encoder, "head": nn.Linear(32, NODES)}).double().eval()


@torch.no_grad()
def logits(tokens: Sequence[int], depths: Sequence[int], allowed: torch.Tensor) -> torch.Tensor:
    """Logits (n, NODES) of n tokens at their depths, in one pass; token i sees token j where allowed[i, j]."""
    net = _modules()
    embedded = net["token"](torch.tensor(tokens)) + net["depth"](torch.tensor(depths))
    out: torch.Tensor = net["head"](net["encoder"](embedded[None], mask=~allowed)[0])
    return out
