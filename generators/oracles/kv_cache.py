"""Finds the numbers of decoding with a cache again: whole-number tensors, a small model with a real cache, meta tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import DynamicCache, GPTNeoXConfig, GPTNeoXForCausalLM

from generators.answer import Cell
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.oracles.products import ProductRecorder
from generators.oracles.transformer_layer import DTYPES, Layer
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_kv_cache import CacheParams, Example

VERSION = torch.__version__.split("+")[0]
WHOLE = f"torch {VERSION}, whole-number tensors"
META = "torch, meta tensors"
HELD = "DynamicCache of transformers, tensors of every layer"
DECODED = "GPT-NeoX of transformers, float64, with use_cache and without"
TOLERANCE = 1e-12
OTHER_SIZES = {"N_layer": 3, "D": 12, "n_H": 4, "N_vocab": 50}
OTHER_LEN, OTHER_PROMPT, OTHER_NEW, OTHER_STEPS = 7, 5, 4, 9
SCORE, WEIGHTING = 3, 4
"""Places of QKᵀ and of the weighted values among a layer's products."""


@dataclass(frozen=True)
class Model:
    """Sizes of a model, and bytes of an element."""

    n_layers: int
    d_model: int
    n_heads: int
    vocabulary: int
    element: int


def _other(element: int) -> Model:
    """A model of other sizes, at which formulas are compared."""
    return Model(OTHER_SIZES["N_layer"], OTHER_SIZES["D"], OTHER_SIZES["n_H"], OTHER_SIZES["N_vocab"], element)


def _letters(model: Model) -> dict[str, Cell]:
    """A model's sizes by the letters of the formulas."""
    return {"N_layer": model.n_layers, "D": model.d_model, "n_H": model.n_heads, "N_vocab": model.vocabulary}


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
def held_bytes(model: Model, length: int, device: str = "meta") -> int:
    """Bytes of a cache that was filled one token after the other or, without storage, all at once."""
    cache = DynamicCache()
    pieces = [length] if device == "meta" else [1] * length
    for layer in range(model.n_layers):
        for piece in pieces:
            shape = (1, model.n_heads, piece, model.d_model // model.n_heads)
            new = torch.zeros(shape, dtype=DTYPES[model.element], device=device)
            cache.update(new, new, layer)
    return sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))


@lru_cache(maxsize=16)
def weight_bytes(model: Model) -> int:
    """Bytes of all matrices."""
    layer, head = _modules(model)
    return model.n_layers * sum(one.nbytes for one in layer.parameters()) + head.weight.nbytes


def verify_cache(params: CacheParams, answer: Answer) -> Iterator[Check]:
    """Check the example, the costs and the size of the cache."""
    sizes = params.model
    element = params.conventions.bytes_per_element
    model = Model(sizes.n_layers, sizes.d_model, sizes.n_heads, sizes.vocabulary_size, element)
    yield from _check_example(params.example, answer["1"])
    yield from _check_costs(params, model, answer["2"])
    yield from _check_memory(params, model, answer["3"])


@dataclass(frozen=True)
class Ran:
    """Rows of the three tables of the example."""

    counts: list[list[Cell]]
    scores: list[list[Cell]]
    outputs: list[list[Cell]]


def run(example: Example) -> Ran:
    """Attend under torch's mask, whole, and one token after the other with concatenated keys and values."""
    q, k, v = (torch.tensor(rows, dtype=torch.int64) for rows in (example.queries, example.keys, example.values))
    held_k, held_v = k[:0], v[:0]
    counts: list[list[Cell]] = []
    outputs: list[list[Cell]] = []
    for n, token in enumerate(example.tokens, 1):
        read = len(held_k)
        held_k, held_v = torch.cat([held_k, k[n - 1 : n]]), torch.cat([held_v, v[n - 1 : n]])
        row = held_k @ q[n - 1]
        square, allowed = q[:n] @ k[:n].T, torch.ones(n, n, dtype=torch.bool).tril()
        whole = square.masked_fill(~allowed, 0) @ v[:n]
        counts.append([n, token, square.numel(), int((~allowed).sum()), int(allowed[:-1].sum()), row.numel(), read])
        outputs.append([n, _terms(row, held_v), _tuple(row @ held_v), _tuple(whole[-1])])
    return Ran(counts, [[f"q{i}", *row] for i, row in enumerate((q @ k.T).tolist(), 1)], outputs)


def _terms(row: torch.Tensor, values: torch.Tensor) -> str:
    terms = (
        f"({score})·{_tuple(value)}" if score < 0 else f"{int(score)}·{_tuple(value)}"
        for score, value in zip(row, values, strict=True)
    )
    return " + ".join(terms)


def _tuple(entries: torch.Tensor) -> str:
    return "(" + ", ".join(str(int(entry)) for entry in entries) + ")"


def _check_example(example: Example, part: Part) -> Iterator[Check]:
    found = run(example)
    yield same_rows("1, scores of every step", part.tables["counts"], found.counts, WHOLE)
    yield same_rows("1, all of QKᵀ", part.tables["scores"], found.scores, WHOLE)
    yield same_rows("1, outputs with and without the cache", part.tables["outputs"], found.outputs, WHOLE)
    for name, column in (("all", 2), ("needed", 5)):
        counted = sum(int(str(row[column])) for row in found.counts)
        yield same(f"1, {part[name].what}", part[name].value, counted, WHOLE)
    masks = [torch.ones(n, n).tril() for n in range(1, OTHER_STEPS + 1)]
    triples: list[Formula] = [
        ("without the cache", part["all"].formula, sum(mask.numel() for mask in masks)),
        ("with the cache", part["needed"].formula, sum(int(mask[-1].sum()) for mask in masks)),
    ]
    yield same_formulas("1, scores in all", triples, {"N": OTHER_STEPS}, "torch, every mask")
    yield same_letters("1, numbers put in", part.steps, {"N": len(example.tokens)})
    yield _check_logits(part, len(example.tokens))


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


def _check_logits(part: Part, steps: int) -> Check:
    """The published numbers of cached rows are those with which a real model gives the same logits."""
    read, off = decoded(steps)
    published = ", ".join(map(str, part.tables["counts"].column("Rows read")))
    found = ", ".join(map(str, read))
    return Check(
        what=f"1, rows read, with which logits are equal to {TOLERANCE:g}",
        published=published,
        found=f"{found}, largest difference {off:.1e}",
        by=DECODED,
        passed=published == found and off <= TOLERANCE,
    )


def _check_costs(params: CacheParams, model: Model, part: Part) -> Iterator[Check]:
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)
    length = params.prompt_len + params.new_tokens - 1
    for name, value in _step_costs(model, length, scale).items():
        yield same(f"2, {part[name].what}", part[name].value, value, META)
    totals = _totals(model, params.prompt_len, params.new_tokens, scale)
    for name, value in totals.items():
        yield same(f"2, {part[name].what}", part[name].value, value, META)
    yield same("2, FLOPs in all, ratio", part["saved"].value, totals["total_without"] / totals["total_with"], META)
    own = {f"total_{name}": {"P": totals[f"positions_{name}"], "S": totals[f"scores_{name}"]} for name in ("without", "with")}
    letters = {**_letters(model), "n": length, "L": params.prompt_len, "T": params.new_tokens}
    yield same_letters("2, numbers put in", part.steps, letters, own)
    other = _other(model.element)
    triples: list[Formula] = [(name, part[name].formula, value) for name, value in _step_costs(other, OTHER_LEN, scale).items()]
    yield same_formulas("2, formulas of a step", triples, {**OTHER_SIZES, "n": OTHER_LEN}, META)
    for name in ("without", "with"):
        yield _check_totals(part, name, other, scale)
    rows: list[list[Cell]] = []
    for n in params.seq_lens:
        cost = list(_step_costs(model, n, scale).values())
        rows.append([n, *(one / 10**9 for one in cost), cost[0] / cost[2], cost[1] / cost[3]])
    yield same_rows("2, every length", part.tables["lengths"], rows, META)


def _step_costs(model: Model, length: int, scale: Fraction) -> dict[str, Fraction]:
    whole, one = step(model, length, cached=False), step(model, length, cached=True)
    return {
        "flops_without": scale * whole.flops,
        "flops_with": scale * one.flops,
        "bytes_without": Fraction(whole.bytes),
        "bytes_with": Fraction(one.bytes),
    }


def _totals(model: Model, prompt: int, new: int, scale: Fraction) -> dict[str, Fraction]:
    found = {}
    for name, cached in (("without", False), ("with", True)):
        run = generation(model, prompt, new, cached=cached)
        found[f"positions_{name}"], found[f"scores_{name}"] = Fraction(run.positions), Fraction(run.scores)
        found[f"total_{name}"] = scale * run.flops
    return found


def _check_totals(part: Part, name: str, other: Model, scale: Fraction) -> Check:
    """Positions and scores at other lengths, and FLOPs for those."""
    found = _totals(other, OTHER_PROMPT, OTHER_NEW, scale)
    sizes = {**OTHER_SIZES, "L": OTHER_PROMPT, "T": OTHER_NEW}
    sizes |= {"P": int(found[f"positions_{name}"]), "S": int(found[f"scores_{name}"])}
    triples: list[Formula] = [
        (kind, part[f"{kind}_{name}"].formula, found[f"{kind}_{name}"]) for kind in ("positions", "scores", "total")
    ]
    return same_formulas(f"2, formulas of a generation {name} the cache", triples, sizes, META)


def _check_memory(params: CacheParams, model: Model, part: Part) -> Iterator[Check]:
    length = params.prompt_len + params.new_tokens - 1
    found = {
        "token": held_bytes(model, 1),
        "cache": held_bytes(model, length),
        "equal": Fraction(weight_bytes(model), held_bytes(model, 1)),
    }
    for name, value in found.items():
        yield same(f"3, {part[name].what}", part[name].value, value, HELD)
    other = _other(model.element)
    triples: list[Formula] = [
        ("token", part["token"].formula, held_bytes(other, 1, "cpu")),
        ("cache", part["cache"].formula, held_bytes(other, OTHER_LEN, "cpu")),
        ("as large as the weights", part["equal"].formula, Fraction(weight_bytes(other), held_bytes(other, 1, "cpu"))),
    ]
    yield same_formulas("3, formulas", triples, {**OTHER_SIZES, "n": OTHER_LEN}, f"{HELD}, filled token by token")
    yield same_letters("3, numbers put in", part.steps, {**_letters(model), "n": length})
    rows: list[list[Cell]] = []
    for n in params.seq_lens:
        cache = held_bytes(model, n)
        rows.append([n, Fraction(cache, 2**30), Fraction(cache, weight_bytes(model))])
    yield same_rows("3, every length", part.tables["lengths"], rows, HELD)
