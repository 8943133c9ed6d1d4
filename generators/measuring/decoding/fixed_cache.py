"""A key-value cache of fixed size and forward steps over it that a CUDA graph can replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class FixedCache:
    """Keys and values of every layer, each (batch, key-value heads, size, head dimension), written in place at `positions`.

    It stands where Hugging Face's models expect their own cache; steps over it pass their mask, so that what lies
    behind the last kept token is never read and going back costs nothing.
    """

    is_compileable = True

    def __init__(self, model: Any, size: int, batch: int = 1) -> None:
        config = model.config
        heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        weight = next(model.parameters())
        shape = (config.num_hidden_layers, 2, batch, heads, size, width)
        self.layers = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        self.size = size
        self.positions = torch.zeros(1, dtype=torch.long, device=weight.device)

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (batch, heads, tokens, head dimension) at `positions` and return the whole layer."""
        keys, values = self.layers[layer_idx]
        keys.index_copy_(2, self.positions, key)
        values.index_copy_(2, self.positions, value)
        return keys, values

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Never asked for where positions and mask are given."""
        return 0

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        return self.layers.nbytes


def forward(
    model: Any, cache: FixedCache, ids: torch.Tensor, slots: torch.Tensor, positions: torch.Tensor, allowed: torch.Tensor
) -> torch.Tensor:
    """Logits, (batch, tokens, vocabulary), of ids (batch, tokens) cached at `slots` (tokens,).

    `positions` (batch, tokens) are where the tokens stand in their sequence; `allowed`, (batch, tokens, cache size),
    says which cached slots each may attend to. Nothing waits for the device.
    """
    cache.positions = slots
    output = model(
        input_ids=ids,
        position_ids=positions,
        attention_mask=allowed[:, None],
        past_key_values=cache,
        use_cache=True,
    )
    logits: torch.Tensor = output.logits
    return logits


def causal_forward(model: Any, cache: FixedCache, ids: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Logits, (tokens, vocabulary), of ids (tokens,) that follow the first `start` (a tensor) cached tokens."""
    if hasattr(model, "causal_step"):
        logits: torch.Tensor = model.causal_step(cache, ids, start)
        return logits
    slots = start + torch.arange(len(ids), device=ids.device)
    allowed = torch.arange(cache.size, device=ids.device) <= slots[:, None]
    return forward(model, cache, ids[None], slots, slots[None], allowed[None])[0]


def fill(model: Any, cache: FixedCache, ids: torch.Tensor) -> None:
    """Cache ids (tokens,) at the start of a sequence; a model with `causal_layers` computes no logits."""
    start = torch.zeros(1, dtype=torch.long, device=ids.device)
    if hasattr(model, "causal_layers"):
        model.causal_layers(cache, ids, start)
    else:
        causal_forward(model, cache, ids, start)


Wrap = Callable[[Callable[[], object]], Callable[[], Any]]
"""What makes a step replayable: `timing.captured` on CUDA, or the step itself."""


def as_is(run: Any) -> Any:
    """A step or a layer as it is written, every kernel launched by itself."""
    return run
