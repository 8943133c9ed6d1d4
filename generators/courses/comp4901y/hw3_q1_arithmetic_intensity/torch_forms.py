"""Fills the forms of a transformer layer by running every row with torch on meta tensors of the layer's sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from generators.oracles.products import DTYPES, Count, ProductRecorder, joined

Operation = tuple[str, tuple[str, ...], str, Callable[..., torch.Tensor]]
"""Computation as the form has it, names of what goes in and of what comes out, and what it does."""


@dataclass(frozen=True)
class Layer:
    """A layer's sizes; `inner` is the width of its feed-forward network."""

    length: int
    width: int
    heads: int
    head_width: int
    key_heads: int
    inner: int

    @property
    def letters(self) -> dict[str, int]:
        """Letters of formulas with their values."""
        return {"L": self.length, "D": self.width, "n_H": self.heads, "H": self.head_width, "n_KV": self.key_heads,
                "D_ff": self.inner}  # fmt: skip

    @property
    def like_the_sheet(self) -> tuple[bool, bool, bool]:
        """Whether the heads make up the model's width, have keys of their own, and the network is four times as wide."""
        return self.heads * self.head_width == self.width, self.key_heads == self.heads, self.inner == 4 * self.width

    def written(self) -> dict[int, str]:
        """What each size is called, for a layer in which no two are equal by chance."""
        heads, keys = (rf"{name} H" for name in ("n_H", r"n_{\text{KV}}"))
        return {
            self.inner: r"D_{\text{ff}}", 4 * self.width: "4D", self.key_heads * self.head_width: keys,
            self.heads * self.head_width: heads, 1: "1", self.length: "L", self.length + 1: "(L+1)",
            self.head_width: "H", self.width: "D",
        }  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Computation, names and shapes of what goes in and comes out, and the products that torch ran."""

    computation: str
    given: Mapping[str, Sequence[int]]
    made: Mapping[str, Sequence[int]]
    products: Sequence[Count]

    @property
    def count(self) -> Count:
        """The count of the row's one product."""
        (one,) = self.products
        return one


def alike(layer: Layer, *primes: int) -> Layer:
    """Another layer of the same kind at other sizes: length, width of a head, key heads, queries to a key, and two more."""
    length, head_width, key_heads, shared, other, inner = primes
    whole, own_keys, four = layer.like_the_sheet
    heads = key_heads if own_keys else key_heads * shared
    width = heads * head_width if whole else other
    return Layer(length, width, heads, head_width, key_heads, 4 * width if four else inner)


def run(layer: Layer, element: int, *, decode: bool) -> dict[str, Row]:
    """Every row of a form by its number."""

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=DTYPES[element], device="meta")

    queries, keys = layer.heads * layer.head_width, layer.key_heads * layer.head_width
    held = {"x": empty(layer.length, layer.width), "t": empty(1, layer.width), "W^Q": empty(layer.width, queries)}
    for one in "KV":
        held |= {f"W^{one}": empty(layer.width, keys), rf"{one}_{{\text{{cache}}}}": empty(layer.length, keys)}
    held |= {"W^O": empty(queries, layer.width), "W^1": empty(layer.width, layer.inner), "W^2": empty(layer.inner, layer.width)}
    rows = {}
    for number, (computation, names, out, operation) in enumerate([*_into_heads(layer, decode), *_from_heads(layer, decode)], 1):
        given = {name: held[name] for name in names}
        with ProductRecorder() as recorder:
            made = held[out.partition(",")[0]] = operation(*given.values())
        shapes = {name: tuple(one.shape) for name, one in given.items()}
        rows[str(number)] = Row(computation, shapes, {out: tuple(made.shape)}, recorder.products)
    return rows


def _into_heads(layer: Layer, decode: bool) -> Iterator[Operation]:
    """Projections, in decoding followed by the caches, then a head of each."""
    source = "t" if decode else "x"
    for one in "QKV":
        made = f"{one}_d" if decode and one != "Q" else one
        yield f"{source} W^{one}", (source, f"W^{one}"), "Q, Q_d" if decode and one == "Q" else made, torch.matmul
        if made != one:
            cache = rf"{one}_{{\text{{cache}}}}"
            yield rf"\text{{concat}}({cache}, {made})", (cache, made), one, joined
    for one in "QKV":
        number = layer.heads if one == "Q" else layer.key_heads
        yield (
            rf"\text{{Partition}}_{{-1}}({one})",
            (one,),
            f"{one}_i",
            lambda whole, number=number: whole.unflatten(-1, (number, -1))[:, 0],
        )


def _from_heads(layer: Layer, decode: bool) -> Iterator[Operation]:
    """Attention of one head, the merge, and the feed-forward network."""
    score, out = r"\text{score}_i", r"\text{Out}"
    softmax = r"\text{softmax}\left(\frac{Q_i K_i^\top}{\sqrt{D}}\right)"
    yield softmax, ("Q_i", "K_i"), score, lambda q, k: (q @ k.T).softmax(-1)
    yield f"{score} V_i", (score, "V_i"), "Z_i", torch.matmul
    yield r"\text{Merge}_{-1}([Z_i])", ("Z_i",), "Z", lambda z: z.repeat(1, layer.heads)
    yield "Z W^O", ("Z", "W^O"), out, torch.matmul
    yield rf"{out}\, W^1", (out, "W^1"), "A", torch.matmul
    yield r"\text{relu}(A)", ("A",), "A'", torch.relu_  # in place: else it would import torch's compiler
    yield "A' W^2", ("A'", "W^2"), "t'" if decode else "x'", torch.matmul
