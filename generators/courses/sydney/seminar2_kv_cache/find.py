"""Attends with whole-number tensors, decodes with a small model and its cache, and counts on meta tensors.

The seminar shows the steps of attention without scale and softmax: all of QKᵀ, the values that will be masked, and the same
with keys and values taken from a cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.cells import Cell
from generators.courses.sydney.seminar2_kv_cache.params import CacheParams, Example
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import Model

SHEET = Route("the seminar and the parameters, read again", restates=True)
WHOLE = Route("torch, whole-number tensors under a mask and concatenated")
DECODED = Route("GPT-NeoX of transformers, float64, with use_cache and without", tolerance=1e-12)
META = Route("every pass run by torch on meta tensors")
HELD = Route("DynamicCache of transformers, tensors of every layer")
WAYS = (("without", False), ("with", True))


def find(params: CacheParams) -> Iterator[Found | Proof]:
    """Everything that is published about the cache."""
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import Model

    sizes, element = params.model, params.conventions.bytes_per_element
    model = Model(sizes.n_layers, sizes.d_model, sizes.n_heads, sizes.vocabulary_size, element)
    yield from _given(params)
    yield from _example(params.example)
    yield from _costs(params, model)
    yield from _lengths(params, model)
    yield from _memory(params, model)


def _given(params: CacheParams) -> Iterator[Found]:
    model = params.model
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", tokens=f"“{'”, “'.join(params.example.tokens)}”")
    yield from SHEET.letters("sheet", N=len(params.example.tokens), L=params.prompt_len, T=params.new_tokens)
    yield from SHEET.letters("sheet", N_layer=model.n_layers, D=model.d_model, n_H=model.n_heads, N_vocab=model.vocabulary_size)
    yield from META.letters("sheet", n=_last(params))


def _last(params: CacheParams) -> int:
    """Tokens of the last step: each step feeds the token that the one before generated."""
    fed = params.prompt_len
    for _ in range(1, params.new_tokens):
        fed += 1
    return fed


def _example(example: Example) -> Iterator[Found | Proof]:
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import decoded, run

    ran = run(example)
    yield from SHEET.part("1", "Step by step")
    yield from WHOLE.table("1", "counts", ran.counts)
    names = {key: key for key in next(iter(ran.scores.values())) if key != "query"}
    yield from WHOLE.table("1", "scores", ran.scores, headings=names)
    yield from WHOLE.table("1", "outputs", ran.outputs)
    sums = {
        key: sum(int(str(row[column])) for row in ran.counts.values())
        for key, column in (("all", "without_the_cache"), ("needed", "with_the_cache"))
    }
    symbols = {"all": r"S_{\text{without}}", "needed": r"S_{\text{with}}"}
    yield from WHOLE.values("1", sums, symbols=symbols)
    read, off = decoded(len(example.tokens))
    yield from DECODED.cells("1", "counts", {f"step_{n}": {"rows_read": rows} for n, rows in enumerate(read, 1)})
    yield from DECODED.proof("1: logits with these rows from the cache are those without a cache", off)


def _costs(params: CacheParams, model: Model) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import generation, step

    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    yield from SHEET.part("2", "FLOPs and bytes")
    totals = []
    for name, cached in WAYS:
        last = step(model, _last(params), cached=cached)
        symbol = rf"_{{\text{{{name}}}}}"
        flops, moved = {f"flops_{name}": scale * last.flops}, {f"bytes_{name}": last.bytes}
        yield from META.values("2", flops, unit="FLOP", symbols={f"flops_{name}": f"F{symbol}"})
        yield from META.values("2", moved, unit="B", symbols={f"bytes_{name}": f"M{symbol}"})
        run = generation(model, params.prompt_len, params.new_tokens, cached=cached)
        symbols = {f"positions_{name}": f"P_{name}", f"scores_{name}": f"S_{name}"}
        yield from META.values("2", dict(zip(symbols, (run.positions, run.scores), strict=True)), symbols=symbols)
        totals.append(scale * run.flops)
        symbols = {f"total_{name}": rf"\Sigma F{symbol}"}
        yield from META.values("2", {f"total_{name}": totals[-1]}, unit="FLOP", symbols=symbols)
    yield from META.values("2", saved=totals[0] / totals[1])


def _lengths(params: CacheParams, model: Model) -> Iterator[Found]:
    """A step over each length, as columns and as ratios."""
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import step

    scale = Fraction(params.conventions.flops_per_multiply_add, 2)
    rows: dict[str, dict[str, Cell]] = {}
    ratios: dict[str, dict[str, Cell]] = {}
    for place, length in enumerate(params.seq_lens, 1):
        whole, one = (step(model, length, cached=cached) for _, cached in WAYS)
        rows[f"length_{place}"] = {
            "tokens": length,
            "flops_without": scale * whole.flops / 10**9,
            "flops_with": scale * one.flops / 10**9,
            "bytes_without": Fraction(whole.bytes, 10**9),
            "bytes_with": Fraction(one.bytes, 10**9),
            "intensity_without": scale * whole.flops / whole.bytes,
            "intensity_with": scale * one.flops / one.bytes,
        }
        ratios[f"length_{place}"] = {
            "tokens": length,
            "flops": Fraction(whole.flops, one.flops),
            "bytes": Fraction(whole.bytes, one.bytes),
        }
    units = dict(zip(list(rows["length_1"])[1:], ("GFLOP", "GFLOP", "GB", "GB", "FLOP/B", "FLOP/B"), strict=True))
    headings = {"flops_without": "FLOPs without", "flops_with": "FLOPs with"}
    yield from META.table("2", "lengths", rows, units=units, headings=headings)
    yield from META.table("2", "ratios", ratios, headings={"flops": "FLOPs"})


def _memory(params: CacheParams, model: Model) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import held_bytes, weight_bytes

    token, weights = held_bytes(model, 1), weight_bytes(model)
    yield from SHEET.part("3", "Size of the cache")
    held = {"token": token, "cache": held_bytes(model, _last(params))}
    symbols = {"token": r"M_{\text{token}}", "cache": r"M_{\text{cache}}"}
    yield from HELD.values("3", held, unit="B", symbols=symbols)
    first = next(n for n in range(weights // token, weights // token + 2) if held_bytes(model, n) >= weights)
    yield from HELD.values("3", equal=Fraction(weights, token), as_large=first, symbols={"equal": "n^*"})
    rows: dict[str, dict[str, Cell]] = {}
    for place, length in enumerate(params.seq_lens, 1):
        cache = held_bytes(model, length)
        rows[f"length_{place}"] = {"tokens": length, "cache": cache, "share_of_the_weights": Fraction(100 * cache, weights)}
    yield from HELD.table("3", "lengths", rows, units={"cache": "B", "share_of_the_weights": "%"})
