"""Follows the example, counts a step and a whole generation, and sizes the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, value_at
from generators.cells import at, exact, rational
from generators.courses.sydney.seminar2_kv_cache.decoding import (
    CONTEXT,
    INNER,
    N_HEAD,
    N_KV,
    N_LAYER,
    N_VOCAB,
    WIDTH,
    D,
    cache_values,
    scores_of,
    step_bytes,
    step_flops,
    weight_values,
    weighted_sum,
    with_cache,
)
from generators.courses.sydney.seminar2_kv_cache.params import CacheParams, Example, Model
from generators.table import Table, column, table

N_TOKEN, PROMPT, NEW = sympy.symbols("N_token L N_new", positive=True)
"""Tokens of the example, tokens of the prompt, and tokens generated after it."""
ALL_SCORES, NEEDED_SCORES = N_TOKEN * (N_TOKEN + 1) * (2 * N_TOKEN + 1) / 6, N_TOKEN * (N_TOKEN + 1) / 2
"""Scores over all steps of the example: a square a step without the cache, a row a step with it."""
ONE = sympy.Integer(1)


def solve(params: CacheParams) -> Answer:
    """The example, the costs, and the size of the cache."""
    sheet = _sheet(params)
    return answer(sheet, _steps(params.example, sheet), _costs(params, sheet), _memory(params, sheet))


def _sheet(params: CacheParams) -> Part:
    one = params.example
    pairs = enumerate(zip(one.tokens, one.queries, one.keys, one.values, strict=True), 1)
    rows = {f"token_{i}": (token, *map(_vector, vectors)) for i, (token, *vectors) in pairs}
    return part(
        "sheet",
        "Given",
        table("vectors", ["token", *(column(name, name) for name in "qkv")], rows),
        letter(N_TOKEN, len(params.example.tokens), "tokens of the example"),
        letter(PROMPT, params.prompt_len, "tokens of the prompt"),
        letter(NEW, params.new_tokens, "generated tokens"),
        formula("n", PROMPT + NEW - 1, "tokens so far", CONTEXT),
        *_model(params.model),
    )


def _model(model: Model) -> Iterator[Item]:
    yield letter(N_LAYER, model.n_layers, "layers")
    yield letter(D, model.d_model, "model width")
    yield letter(N_HEAD, model.n_heads, "heads")
    yield letter(N_KV, model.n_kv_heads or model.n_heads, "heads of keys and values")
    yield letter(WIDTH, model.head_dim or model.d_model // model.n_heads, "width of a head")
    yield letter(INNER, model.d_ff or 4 * model.d_model, "inner width of the feed-forward network")
    yield letter(N_VOCAB, model.vocabulary_size, "tokens of the vocabulary")


def _steps(example: Example, sheet: Part) -> Part:
    count = len(example.tokens)
    matrix = [scores_of(query, example.keys) for query in example.queries]
    scores = {f"q{i}": (f"q{i}", *row[:i], *[None] * (count - i)) for i, row in enumerate(matrix, 1)}
    sums = {}
    for n, (row, output) in enumerate(with_cache(example.queries, example.keys, example.values), 1):
        without = weighted_sum(matrix[n - 1][:n], example.values[:n])  # the rest is masked
        sums[f"step_{n}"] = (n, _vector(output), _vector(without), _sum(row, example.values))
    keys = [column(f"k{j}", f"k{j}") for j in range(1, count + 1)]
    return part(
        "1",
        "Step by step",
        formula("all", ALL_SCORES, "scores without the cache", r"N_{\text{without}}", asked=True),
        formula("needed", NEEDED_SCORES, "scores with the cache", r"N_{\text{with}}", asked=True),
        table("scores", ["query", *keys], scores),
        table("outputs", ["step", "with_the_cache", "without", "scores_times_values"], sums, asked=True),
        within=sheet,
    )


def _sum(scores: Sequence[int], values: Sequence[Sequence[int]]) -> str:
    """What a step adds up, such as 1·(3, 1) + 4·(0, 2)."""
    pairs = zip(scores, values, strict=False)
    return " + ".join(f"{score if score >= 0 else f'(−{-score})'}·{_vector(row)}" for score, row in pairs)


def _vector(entries: Sequence[int]) -> str:
    return f"({', '.join(map(str, entries))})".replace("-", "−")


def _costs(params: CacheParams, sheet: Part) -> Part:
    each, element = params.conventions.flops_per_multiply_add, params.conventions.bytes_per_element
    flops, moved = ([count(fed, size) for fed in (CONTEXT, ONE)] for count, size in ((step_flops, each), (step_bytes, element)))
    totals = _totals(params, sheet, flops)
    items = [
        formula("flops_without", flops[0], "FLOPs of a step without the cache", r"F_{\text{without}}", "FLOP", asked=True),
        formula("flops_with", flops[1], "FLOPs of a step with it", r"F_{\text{with}}", "FLOP", asked=True),
        formula("bytes_without", moved[0], "bytes of a step without the cache", r"M_{\text{without}}", "B", asked=True),
        formula("bytes_with", moved[1], "bytes of a step with it", r"M_{\text{with}}", "B", asked=True),
        number("total_without", totals[0], "FLOPs in all without the cache", unit="FLOP"),
        number("total_with", totals[1], "FLOPs in all with it", unit="FLOP"),
        number("saved", totals[0] / totals[1], "FLOPs in all, without over with", asked=True),
    ]
    last = [_ratio(pair, params.prompt_len + params.new_tokens - 1, sheet) for pair in (flops, moved)]
    more = claim("more_flops", last[0] > last[1], "the cache saves a larger factor of FLOPs")
    return part("2", "FLOPs and bytes", *items, _ratios(sheet, params.seq_lens, flops, moved), more, within=sheet)


def _totals(params: CacheParams, sheet: Part, flops: Sequence[sympy.Expr]) -> tuple[Fraction, Fraction]:
    """FLOPs of all passes without the cache and with it; the first one reads the prompt either way."""
    first, new = sympy.symbols("first new", integer=True, positive=True)
    letters = {symbol: one.value for symbol, one in sheet.letters.items()} | {first: params.prompt_len, new: params.new_tokens}
    prompt = _at_length(flops[0], params.prompt_len, sheet)
    rest = (sympy.summation(sympy.expand(one), (CONTEXT, first + 1, first + new - 1)) for one in flops)
    without, kept = (prompt + rational(at(one, letters)) for one in rest)
    return without, kept


def _at_length(expression: sympy.Expr, length: int, sheet: Part) -> Fraction:
    """The expression's value where n is this length."""
    letters = {symbol: one.value for symbol, one in sheet.letters.items()}
    return rational(at(expression, {**letters, CONTEXT: length}))


def _ratio(pair: Sequence[sympy.Expr], length: int, sheet: Part) -> Fraction:
    """How many times as much a step of this length takes without the cache."""
    return _at_length(pair[0], length, sheet) / _at_length(pair[1], length, sheet)


def _ratios(sheet: Part, lengths: Sequence[int], *pairs: Sequence[sympy.Expr]) -> Table:
    """How many times as many FLOPs and bytes a step takes without the cache."""
    rows = {f"length_{place}": (n, *(_ratio(pair, n, sheet) for pair in pairs)) for place, n in enumerate(lengths, 1)}
    return table("ratios", ["tokens", column("flops", "FLOPs"), "bytes"], rows)


def _memory(params: CacheParams, sheet: Part) -> Part:
    element = params.conventions.bytes_per_element
    cache, weights = element * cache_values(), element * weight_values()
    equal = weight_values() / (cache_values() / CONTEXT)
    rows = {
        f"length_{place}": (length, *(exact(_at_length(one, length, sheet)) for one in (100 * cache / weights, cache)))
        for place, length in enumerate(params.seq_lens, 1)
    }
    return part(
        "3",
        "Size of the cache",
        formula("token", cache / CONTEXT, "cache of one token", r"M_{\text{token}}", "B", asked=True),
        formula("cache", cache, "cache at the last step", r"M_{\text{cache}}", "B", asked=True),
        formula("weights", weights, "matrices of the layers and of the output head", r"M_{\text{weights}}", "B"),
        number("as_large", math.ceil(rational(value_at(equal, sheet))), "tokens whose cache reaches the weights", asked=True),
        table("lengths", ["tokens", column("share_of_the_weights", unit="%"), column("cache", unit="B")], rows),
        within=sheet,
    )
