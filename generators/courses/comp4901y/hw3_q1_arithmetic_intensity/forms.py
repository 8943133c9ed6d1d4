"""Fills the forms of a transformer layer by running them: every row on real tensors, whose shapes are then written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from generators.oracles.products import ProductRecorder
from generators.oracles.transformer_layer import ORDER

HEADS, WIDTH, LENGTH = 4, 12, 5
LETTERS = {1: "1", LENGTH: "L", LENGTH + 1: "(L+1)", WIDTH: "D", WIDTH // HEADS: "H", 4 * WIDTH: "4D"}
"""The size of every axis, each of them different."""

Operation = tuple[str, tuple[str, ...], str, Callable[..., torch.Tensor]]
"""Computation as the form has it, names of what goes in and of what comes out, and what it does."""


def _into_heads(decode: bool) -> Iterator[Operation]:
    """Projections, in decoding followed by the caches, then a head of each."""
    source = "t" if decode else "x"
    for one in "QKV":
        made = f"{one}_d" if decode and one != "Q" else one
        shown, out = ("Q = Q_d", "Q, Q_d") if decode and one == "Q" else (made, made)
        yield f"{shown} = {source} W^{one}", (source, f"W^{one}"), out, torch.matmul
        if made != one:
            cache = rf"{one}_{{\text{{cache}}}}"
            yield rf"{one} = \text{{concat}}({cache}, {made})", (cache, made), one, lambda *parts: torch.cat(parts)
    for one in "QKV":
        heads = rf"[{one}_1, \dots, {one}_{{n_H}}] = \text{{Partition}}_{{-1}}({one})"
        yield heads, (one,), f"{one}_i", lambda whole: whole.chunk(HEADS, -1)[0]


def _from_heads(decode: bool) -> Iterator[Operation]:
    """Attention of one head, the merge, and the feed-forward network."""
    score, out = r"\text{score}_i", r"\text{Out}"
    yield rf"{score} = \text{{softmax}}(Q_iK_i^T / \sqrt{{D}})", ("Q_i", "K_i"), score, lambda q, k: (q @ k.T).softmax(-1)
    yield rf"Z_i = {score} V_i", (score, "V_i"), "Z_i", torch.matmul
    yield r"Z = \text{Merge}_{-1}([Z_1, \dots, Z_{n_H}])", ("Z_i",), "Z", lambda z: torch.cat([z] * HEADS, -1)
    yield rf"{out} = Z W^O", ("Z", "W^O"), out, torch.matmul
    yield rf"A = {out}\, W^1", (out, "W^1"), "A", torch.matmul
    yield r"A' = \text{relu}(A)", ("A",), "A'", torch.relu
    last = "t'" if decode else "x'"
    yield f"{last} = A' W^2", ("A'", "W^2"), last, torch.matmul


def filled(*, decode: bool) -> tuple[dict[str, tuple[str, str, str]], dict[str, str]]:
    """Computation, inputs and output of every row by its number; the operands' shapes of each distinct product by its name."""
    held = {"x": torch.ones(LENGTH, WIDTH), "t": torch.ones(1, WIDTH)}
    held |= {rf"{one}_{{\text{{cache}}}}": torch.ones(LENGTH, WIDTH) for one in "KV"}
    held |= {f"W^{one}": torch.ones(WIDTH, WIDTH) for one in "QKVO"}
    held |= {"W^1": torch.ones(WIDTH, 4 * WIDTH), "W^2": torch.ones(4 * WIDTH, WIDTH)}
    rows = {}
    with ProductRecorder() as recorder:
        for number, (computation, names, out, run) in enumerate([*_into_heads(decode), *_from_heads(decode)], 1):
            given = {name: held[name] for name in names}
            made = held[out.partition(",")[0]] = run(*given.values())
            shown = r",\; ".join(f"{name}: {_sizes(one.shape)}" for name, one in given.items())
            rows[str(number)] = computation, shown, f"{out}: {_sizes(made.shape)}"
    products = {name: one.shape for name, one in zip(ORDER, recorder.products, strict=True)}
    return rows, {name: f"({_sizes((m, k))})({_sizes((k, n))})" for name, (m, k, n) in products.items()}


def _sizes(shape: Sequence[int]) -> str:
    return r" \times ".join(LETTERS[size] for size in shape)
