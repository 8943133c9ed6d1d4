"""Decoding in torch, for `find`: whole-number tensors, a small model with a real cache, passes on meta tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache, GPTNeoXConfig, GPTNeoXForCausalLM

from generators.cells import Cell
from generators.courses.sydney.seminar2_kv_cache.params import Example
from generators.oracles.products import ProductRecorder
from generators.oracles.transformer_layer import DTYPES, Layer

SCORE = 3
"""The place of QKᵀ among a layer's products."""
FILLED_SINGLY = 32
"""Up to as many tokens a cache is filled one by one, as in decoding."""


@dataclass(frozen=True)
class Model:
    """Sizes of a model, and bytes of an element."""

    n_layers: int
    d_model: int
    n_heads: int
    vocabulary: int
    element: int


@dataclass(frozen=True)
class Pass:
    """What one pass runs: FLOPs as torch counts them, bytes, positions that went in, and scores a head computed."""

    flops: int
    bytes: int
    positions: int
    scores: int


@lru_cache(maxsize=1024)
def passed(model: Model, fed: int, cached: int) -> Pass:
    """Feed `fed` tokens to one layer without storage, beside `cached` ones, and the last of them to the output head."""
    layer, head = _modules(model)
    dtype = DTYPES[model.element]
    with torch.device("meta"), torch.no_grad():
        tokens = torch.empty(fed, model.d_model, dtype=dtype)
        held = torch.empty(cached, model.d_model, dtype=dtype)
        with ProductRecorder() as recorder:
            head(layer(tokens, (held, held) if cached else None)[-1:])
    *of_layer, output = recorder.products
    flops = model.n_layers * sum(one.flops * one.batch for one in of_layer) + output.flops
    moved = model.n_layers * sum(one.bytes * one.batch for one in of_layer) + output.bytes
    width = model.d_model // model.n_heads
    return Pass(int(flops), int(moved), fed, int(of_layer[SCORE].flops / (2 * width)))


@lru_cache(maxsize=8)
def _modules(model: Model) -> tuple[Layer, nn.Linear]:
    with torch.device("meta"):
        dtype = DTYPES[model.element]
        return Layer(model.d_model, model.n_heads, dtype), nn.Linear(model.d_model, model.vocabulary, bias=False, dtype=dtype)


def step(model: Model, length: int, *, cached: bool) -> Pass:
    """The step over `length` tokens."""
    return passed(model, 1, length - 1) if cached else passed(model, length, 0)


@lru_cache(maxsize=16)
def generation(model: Model, prompt: int, new: int, *, cached: bool) -> Pass:
    """All passes until `new` tokens are generated, added up."""
    passes = [passed(model, prompt, 0), *(step(model, prompt + i, cached=cached) for i in range(1, new))]
    sums = (sum(getattr(one, name) for one in passes) for name in ("flops", "bytes", "positions", "scores"))
    return Pass(*sums)


@lru_cache(maxsize=256)
def held_bytes(model: Model, length: int) -> int:
    """Bytes of a cache without storage, filled one token after the other or, where they are many, all at once."""
    cache = DynamicCache()
    pieces = [1] * length if length <= FILLED_SINGLY else [length]
    for layer in range(model.n_layers):
        for piece in pieces:
            shape = (1, model.n_heads, piece, model.d_model // model.n_heads)
            new = torch.empty(shape, dtype=DTYPES[model.element], device="meta")
            cache.update(new, new, layer)
    return sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))


@lru_cache(maxsize=16)
def weight_bytes(model: Model) -> int:
    """Bytes of all matrices."""
    layer, head = _modules(model)
    return model.n_layers * sum(one.nbytes for one in layer.parameters()) + head.weight.nbytes


@dataclass(frozen=True)
class Ran:
    """Rows of the three tables of the example."""

    counts: dict[str, dict[str, Cell]]
    scores: dict[str, dict[str, Cell]]
    outputs: dict[str, dict[str, Cell]]


def run(example: Example) -> Ran:
    """Attend under torch's mask, whole, and one token after the other with concatenated keys and values."""
    q, k, v = (torch.tensor(rows, dtype=torch.int64) for rows in (example.queries, example.keys, example.values))
    held_k, held_v = k[:0], v[:0]
    counts: dict[str, dict[str, Cell]] = {}
    outputs: dict[str, dict[str, Cell]] = {}
    for n, token in enumerate(example.tokens, 1):
        read = len(held_k)
        held_k, held_v = torch.cat([held_k, k[n - 1 : n]]), torch.cat([held_v, v[n - 1 : n]])
        row = held_k @ q[n - 1]
        square, allowed = q[:n] @ k[:n].T, torch.ones(n, n, dtype=torch.bool).tril()
        whole = square.masked_fill(~allowed, 0) @ v[:n]
        counts[f"step_{n}"] = {
            "step": n,
            "token": token,
            "without_the_cache": square.numel(),
            "masked": int((~allowed).sum()),
            "computed_again": int(allowed[:-1].sum()),
            "with_the_cache": row.numel(),
            "rows_read": read,
        }
        terms = {"step": n, "scores_times_values": _terms(row, held_v)}
        outputs[f"step_{n}"] = {**terms, "with_the_cache": _tuple(row @ held_v), "without": _tuple(whole[-1])}
    columns = [f"k{j}" for j in range(1, len(k) + 1)]
    scores = {f"q{i}": {"query": f"q{i}", **dict(zip(columns, row, strict=True))} for i, row in enumerate((q @ k.T).tolist(), 1)}
    return Ran(counts, scores, outputs)


def _terms(row: torch.Tensor, values: torch.Tensor) -> str:
    pairs = zip(row.tolist(), values, strict=True)
    return " + ".join(f"({_minus(score)})·{_tuple(value)}" if score < 0 else f"{score}·{_tuple(value)}" for score, value in pairs)


def _tuple(entries: torch.Tensor) -> str:
    return "(" + ", ".join(map(_minus, entries.tolist())) + ")"


def _minus(entry: int) -> str:
    """A whole number as a page writes it."""
    return str(entry).replace("-", "−")


@lru_cache(maxsize=8)
def decoded(steps: int) -> tuple[tuple[int, ...], float]:
    """Tokens in a small model's cache before each step, and the largest difference from its logits without a cache."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPTNeoXConfig(
            vocab_size=16, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=16, initializer_range=0.2,
        )  # fmt: skip
        model: Any = GPTNeoXForCausalLM(config).double().eval()
        ids = torch.randint(16, (1, steps))
    cache, read, off = DynamicCache(), [], 0.0
    with torch.inference_mode():
        for n in range(1, steps + 1):
            read.append(cache.get_seq_length())
            ours = model(ids[:, n - 1 : n], past_key_values=cache, use_cache=True).logits[0, -1]
            whole = model(ids[:, :n], use_cache=False).logits[0, -1]
            off = max(off, float((ours - whole).abs().max()))
    return tuple(read), off
