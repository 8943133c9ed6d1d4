"""A forward step of a Llama over a fixed cache, in few operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from generators.measuring.decoding.fixed_cache import FixedCache, as_is

MOST_ROWS = 16
"""Up to so many rows, a processor computes x Wᵀ as (W xᵀ)ᵀ, and its layers are fused."""
MOST_SUMMED_ROWS, LEAST_MULTIPLIED = 8, 10**6
"""On a GPU, a compiled layer computes x Wᵀ by sums for so few rows where W has fewer elements: this took less time there."""


class Layer(NamedTuple):
    """A layer's weights; query, key and value share one matrix, and so do gate and up."""

    input_norm: torch.Tensor
    query_key_value: torch.Tensor
    output: torch.Tensor
    post_attention_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


class Llama(torch.nn.Module):
    """A Hugging Face Llama's weights and its step; `fuse` wraps the function of a layer, as torch.compile does."""

    def __init__(self, model: Any, size: int, fuse: Callable[[Any], Any] = as_is) -> None:
        super().__init__()
        self.config, own = model.config, model.model
        self.embedding, self.norm, self.head = own.embed_tokens.weight, own.norm.weight, model.lm_head.weight
        self.layers = [_weights(layer) for layer in own.layers]
        positions = torch.arange(size, device=self.embedding.device)[None]
        self.cos, self.sin = (table[0] for table in own.rotary_emb(self.embedding, positions))
        self.layer = fuse(_layer)

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether a model is such a Llama, without biases."""
        return model.config.model_type == "llama" and not model.config.attention_bias and not model.config.mlp_bias

    def causal_step(self, cache: FixedCache, ids: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """Logits, (tokens, vocabulary), of ids (tokens,) that follow the first `start` (a tensor) cached tokens."""
        x = self.causal_layers(cache, ids, start)
        return _product(functional.rms_norm(x, x.shape[-1:], self.norm, self.config.rms_norm_eps), self.head)

    def causal_layers(self, cache: FixedCache, ids: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """The last layer's output, (tokens, width), of the same ids, which are cached."""
        slots = start + torch.arange(len(ids), device=ids.device)
        allowed = torch.arange(cache.size, device=ids.device) <= slots[:, None]
        cos_sin, eps = (self.cos[slots], self.sin[slots]), self.config.rms_norm_eps
        x: torch.Tensor = self.embedding[ids]
        fused = len(ids) <= MOST_ROWS or ids.device.type != "cpu"
        layer = self.layer if fused else _layer  # on a processor each length of a prompt would be compiled anew
        added = torch.zeros_like(x)
        for weights, keys_values in zip(self.layers, cache.layers, strict=True):
            x, added = layer(x, added, weights, keys_values[:, 0], slots, cos_sin, allowed, eps)
        return x + added


def _weights(layer: Any) -> Layer:
    attention, forward = layer.self_attn, layer.mlp
    joined = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
    gate_up = torch.cat([forward.gate_proj.weight, forward.up_proj.weight]).detach()
    norms = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
    return Layer(norms[0], torch.cat(joined).detach(), attention.o_proj.weight, norms[1], gate_up, forward.down_proj.weight)


def _layer(
    x: torch.Tensor, added: torch.Tensor, weights: Layer, keys_values: torch.Tensor, slots: torch.Tensor,
    cos_sin: tuple[torch.Tensor, torch.Tensor], allowed: torch.Tensor, eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """A layer over x + added, (tokens, width); its output as two summands too, as a sum is fused with the norm after it.

    `keys_values`, (2, key-value heads, size, head dimension), get those of `slots`.
    """
    _, kv_heads, _, width = keys_values.shape
    x = x + added
    found = _product(functional.rms_norm(x, x.shape[-1:], weights.input_norm, eps), weights.query_key_value)
    heads = found.view(len(x), -1, width).transpose(0, 1)
    turned = _with_rotary(heads[:-kv_heads], *cos_sin)
    keys_values.index_copy_(2, slots, torch.stack([turned[-kv_heads:], heads[-kv_heads:]]))
    attend = attended_by_sums if _by_sums(x) else attended
    mixed = attend(turned[:-kv_heads], keys_values[0], keys_values[1], allowed)
    x = x + _product(mixed.transpose(0, 1).flatten(1), weights.output)
    gate, up = _product(functional.rms_norm(x, x.shape[-1:], weights.post_attention_norm, eps), weights.gate_up).chunk(2, -1)
    return x, _product(functional.silu(gate) * up, weights.down)


def attended(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """Attention, (heads, tokens, head dimension); a head of keys and values serves a group of neighbouring query heads."""
    batch = query[None], keys[None], values[None]
    found: torch.Tensor = functional.scaled_dot_product_attention(*batch, attn_mask=allowed, enable_gqa=True)
    return found[0]


def attended_by_sums(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """The same without matrix products: on a GPU, for few tokens, this took less time where what is around it is fused."""
    grouped = query.reshape(len(keys), -1, *query.shape[1:])
    scores = (grouped[..., None, :] * keys[:, None, None]).sum(-1) * query.shape[-1] ** -0.5
    weights = scores.masked_fill(~allowed, float("-inf")).softmax(-1)
    found: torch.Tensor = (weights[..., None] * values[:, None, None]).sum(-2)
    return found.reshape(query.shape)


def _with_rotary(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary positions, the halves of a head's vector as pairs; (heads, tokens, head dimension)."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def _product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The product x Wᵀ of (rows, inputs) and (outputs, inputs).

    A processor takes less time for a few rows where W stands first, and where the rows are a multiple of four.
    """
    if x.device.type == "cpu" and len(x) <= MOST_ROWS:
        rows = functional.pad(x, (0, 0, 0, -len(x) % 4))
        return torch.mm(weight, rows.T).T[: len(x)]
    if _by_sums(x) and len(x) <= MOST_SUMMED_ROWS and weight.numel() < LEAST_MULTIPLIED:
        return product_by_sums(x, weight)
    return functional.linear(x, weight)


def product_by_sums(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The product x Wᵀ without a matrix product, so that what is around it is fused with it."""
    return (x[:, None] * weight).sum(-1)


def _by_sums(x: torch.Tensor) -> bool:
    """Whether sums may stand for matrix products: on a GPU, in a layer that is compiled."""
    return x.device.type != "cpu" and torch.compiler.is_compiling()
