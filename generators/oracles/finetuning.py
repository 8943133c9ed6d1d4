"""The ways of fine-tuning as torch modules on a small transformer of the homework's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn


class Adapter(nn.Module):
    """x + relu(x W_A) W_B."""

    def __init__(self, d_model: int, rank: int, *, biases: bool) -> None:
        super().__init__()
        self.w_a = nn.Linear(d_model, rank, bias=biases)
        self.w_b = nn.Linear(rank, d_model, bias=biases)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, D) to (…, D)."""
        out: torch.Tensor = x + self.w_b(self.w_a(x).relu())
        return out


class LowRank(nn.Module):
    """A frozen linear layer with LoRA's A and B beside it."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(base.in_features, rank))
        self.b = nn.Parameter(torch.zeros(rank, base.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, D) to (…, D)."""
        out: torch.Tensor = self.base(x) + x @ self.a @ self.b
        return out


class FrozenPair(nn.Module):
    """VeRA's random A and B, one pair for the whole model, wide enough for all of its adapted layers."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.a: torch.Tensor
        self.b: torch.Tensor
        self.register_buffer("a", torch.randn(inputs, rank))
        self.register_buffer("b", torch.randn(rank, outputs))


class VectorScaled(nn.Module):
    """A frozen linear layer with VeRA's two vectors and the shared frozen pair beside it."""

    def __init__(self, base: nn.Linear, pair: FrozenPair) -> None:
        super().__init__()
        self.base, self.pair = base.requires_grad_(False), pair
        self.d = nn.Parameter(torch.ones(pair.a.shape[1]))
        self.b = nn.Parameter(torch.zeros(base.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, D) to (…, D)."""
        down, up = self.pair.a[: self.base.in_features], self.pair.b[:, : self.base.out_features]
        out: torch.Tensor = self.base(x) + x @ down * self.d @ up * self.b
        return out


class Layer(nn.Module):
    """The sheet's layer, batched; `after_attention` and `after_ffn` are places for adapters.

    Heads of keys and values may be fewer than those of queries; the feed-forward network has width `d_ff` inside.
    """

    def __init__(self, d_model: int, n_heads: int, d_kv: int | None = None, d_ff: int | None = None) -> None:
        super().__init__()
        d_kv, d_ff = d_kv or d_model, d_ff or 4 * d_model
        self.n_heads, self.width = n_heads, d_model // n_heads
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, out, bias=False) for out in (d_model, d_kv, d_kv, d_model))
        self.up, self.down = nn.Linear(d_model, d_ff, bias=False), nn.Linear(d_ff, d_model, bias=False)
        self.after_attention: nn.Module = nn.Identity()
        self.after_ffn: nn.Module = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, L, D) to (B, L, D)."""
        q, k, v = (f(x).unflatten(-1, (-1, self.width)).transpose(1, 2) for f in (self.q, self.k, self.v))
        k, v = (one.repeat_interleave(self.n_heads // one.shape[1], dim=1) for one in (k, v))
        scores = (q @ k.transpose(2, 3) / x.shape[-1] ** 0.5).softmax(-1)
        out = self.after_attention(self.o((scores @ v).transpose(1, 2).flatten(2)))
        result: torch.Tensor = self.after_ffn(self.down(self.up(out).relu()))
        return result


def build(
    method: str, sizes: Mapping[str, int], n_heads: int, *, biases: bool, on: Sequence[str] = ("q", "k", "v")
) -> nn.Sequential:
    """A stack of layers in which only the method's own tensors are trainable; LoRA and VeRA stand beside the layers `on`."""
    d_model, rank = sizes["D"], sizes["R"]
    layers = [Layer(d_model, n_heads, sizes.get("D_kv"), sizes.get("D_ff")) for _ in range(sizes["N_layer"])]
    model = nn.Sequential(*layers)
    if method != "full":
        model.requires_grad_(False)
    if method == "freezing":
        model[sizes["N_layer"] - sizes["N_top"] :].requires_grad_(True)
    if method == "adapters":
        for layer in layers:
            layer.after_attention = Adapter(d_model, rank, biases=biases)
            layer.after_ffn = Adapter(d_model, rank, biases=biases)
    if method in ("lora", "vera"):
        adapted = [getattr(layers[0], name) for name in on]
        pair = FrozenPair(max(one.in_features for one in adapted), max(one.out_features for one in adapted), rank)
        for layer in layers:
            for name in on:
                base = getattr(layer, name)
                setattr(layer, name, LowRank(base, rank) if method == "lora" else VectorScaled(base, pair))
    return model
