"""Attends with whole-number tensors, and counts passes of a layer and an output head on meta tensors.

The seminar shows the steps of attention without scale and softmax: all of QKᵀ, the values that will be masked, and the same
with keys and values taken from a cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.courses.sydney.seminar2_kv_cache.params import CacheParams, Example
from generators.found import Found, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import Model

SHEET = Route("the seminar and the parameters, read again", restates=True)
WHOLE = Route("torch, whole-number tensors under a mask and concatenated")
META = Route("passes run by torch on meta tensors")
WAYS = (("without", False), ("with", True))


def find(params: CacheParams) -> Iterator[Found]:
    """Everything that is published about the cache."""
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import Model

    model = Model(params)
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


def _example(example: Example) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import all_scores, attended

    steps = list(attended(example))
    counts, outputs = {}, {}
    for n, (token, one) in enumerate(zip(example.tokens, steps, strict=True), 1):
        counts[f"step_{n}"] = (n, token, one.square, one.masked, one.again, len(one.row), one.rows_read)
        terms = (f"{_factor(score)}·{_tuple(value)}" for score, value in zip(one.row, one.values, strict=True))
        outputs[f"step_{n}"] = (n, " + ".join(terms), _tuple(one.by_row), _tuple(one.by_square))
    yield from SHEET.part("1", "Step by step")
    columns = ("step", "token", "without_the_cache", "masked", "computed_again", "with_the_cache", "rows_read")
    yield from WHOLE.table("1", "counts", counts, columns=columns)
    names = {f"k{j}": f"k{j}" for j in range(1, len(steps) + 1)}
    scores = {f"q{i}": (f"q{i}", *row) for i, row in enumerate(all_scores(example), 1)}
    yield from WHOLE.table("1", "scores", scores, headings=names, columns=("query", *names))
    sums = ("step", "scores_times_values", "with_the_cache", "without")
    yield from WHOLE.table("1", "outputs", outputs, columns=sums)
    scored = {"all": sum(one.square for one in steps), "needed": sum(len(one.row) for one in steps)}
    yield from WHOLE.values("1", scored, symbols={"all": r"S_{\text{without}}", "needed": r"S_{\text{with}}"})


def _factor(score: int) -> str:
    return f"(−{-score})" if score < 0 else str(score)


def _tuple(entries: Sequence[int]) -> str:
    return f"({', '.join(map(str, entries))})".replace("-", "−")


def _costs(params: CacheParams, model: Model) -> Iterator[Found]:
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    yield from SHEET.part("2", "FLOPs and bytes")
    totals = []
    for name, cached in WAYS:
        last, symbol = model.step(_last(params), cached=cached), rf"_{{\text{{{name}}}}}"
        run = model.generation(params.prompt_len, params.new_tokens, cached=cached)
        totals.append(scale * run.flops)
        for key, value, letter, unit in (
            ("flops", scale * last.flops, f"F{symbol}", "FLOP"),
            ("bytes", last.bytes, f"M{symbol}", "B"),
            ("positions", run.positions, f"P_{name}", ""),
            ("scores", run.scores, f"S_{name}", ""),
            ("total", totals[-1], rf"\Sigma F{symbol}", "FLOP"),
        ):
            yield from META.values("2", {f"{key}_{name}": value}, unit=unit, symbols={f"{key}_{name}": letter})
    yield from META.values("2", saved=totals[0] / totals[1])


def _lengths(params: CacheParams, model: Model) -> Iterator[Found]:
    """A step over each length, as columns and as ratios."""
    scale, giga = Fraction(params.conventions.flops_per_multiply_add, 2), 10**9
    rows, ratios = {}, {}
    for place, length in enumerate(params.seq_lens, 1):
        both = [model.step(length, cached=cached) for _, cached in WAYS]
        flops, moved = [scale * one.flops for one in both], [Fraction(one.bytes) for one in both]
        large = (one / giga for one in (*flops, *moved))
        rows[f"length_{place}"] = (length, *large, flops[0] / moved[0], flops[1] / moved[1])
        ratios[f"length_{place}"] = (length, flops[0] / flops[1], moved[0] / moved[1])
    kinds = {"flops": "GFLOP", "bytes": "GB", "intensity": "FLOP/B"}
    units = {f"{kind}_{way}": unit for kind, unit in kinds.items() for way, _ in WAYS}
    headings = {"flops_without": "FLOPs without", "flops_with": "FLOPs with"}
    yield from META.table("2", "lengths", rows, units=units, headings=headings, columns=("tokens", *units))
    yield from META.table("2", "ratios", ratios, headings={"flops": "FLOPs"}, columns=("tokens", "flops", "bytes"))


def _memory(params: CacheParams, model: Model) -> Iterator[Found]:
    token, weights = model.held_bytes(1), model.weight_bytes
    yield from SHEET.part("3", "Size of the cache")
    held, symbols = (
        {"token": token, "cache": model.held_bytes(_last(params))},
        {"token": r"M_{\text{token}}", "cache": r"M_{\text{cache}}"},
    )
    yield from META.values("3", held, unit="B", symbols=symbols)
    first = next(n for n in range(weights // token, weights // token + 2) if model.held_bytes(n) >= weights)
    yield from META.values("3", equal=Fraction(weights, token), as_large=first, symbols={"equal": "n^*"})
    caches = {length: model.held_bytes(length) for length in params.seq_lens}
    rows = {f"length_{i}": (n, held, Fraction(100 * held, weights)) for i, (n, held) in enumerate(caches.items(), 1)}
    units = {"cache": "B", "share_of_the_weights": "%"}
    yield from META.table("3", "lengths", rows, units=units, columns=("tokens", *units))
