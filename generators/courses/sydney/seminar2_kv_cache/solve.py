"""Follows the example, counts a step and a whole generation, and sizes the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, formula, letter, number, part, text
from generators.cells import Quantity, exact, rational
from generators.courses.sydney.seminar2_kv_cache.decoding import (
    N_VOCAB,
    NEW,
    ONE,
    PROMPT,
    cached_groups,
    generation_flops,
    positions,
    scores,
    scores_of,
    step_bytes,
    step_flops,
    uncached_groups,
    weighted_sum,
    with_cache,
)
from generators.courses.sydney.seminar2_kv_cache.params import CacheParams, Example
from generators.table import column, table
from generators.topics.batching import CONTEXT, N_HEAD, N_LAYER, D, cache_values, weight_values

GIGA = 10**9
N = sympy.Symbol("N", positive=True)
ALL_SCORES, NEEDED_SCORES = N * (N + 1) * (2 * N + 1) / 6, N * (N + 1) / 2
"""Scores over N steps: a square a step without the cache, a row a step with it."""


def solve(params: CacheParams) -> Answer:
    """The example, the costs, and the size of the cache."""
    sheet = _sheet(params)
    return answer(sheet, _steps(params.example, sheet), _costs(params, sheet), _memory(params, sheet))


def _sheet(params: CacheParams) -> Part:
    model = params.model
    return part(
        "sheet",
        "Given",
        text("tokens", ", ".join(f"“{token}”" for token in params.example.tokens)),
        letter(N, len(params.example.tokens), "tokens of the example"),
        letter(N_LAYER, model.n_layers, "layers"),
        letter(D, model.d_model, "model width"),
        letter(N_HEAD, model.n_heads, "heads"),
        letter(N_VOCAB, model.vocabulary_size, "tokens of the vocabulary"),
        letter(PROMPT, params.prompt_len, "tokens of the prompt"),
        letter(NEW, params.new_tokens, "generated tokens"),
        formula("n", PROMPT + NEW - 1, "tokens of the last step, the one that is fed to it included", CONTEXT),
    )


def _steps(example: Example, sheet: Part) -> Part:
    matrix = [scores_of(query, example.keys) for query in example.queries]
    steps = with_cache(example.queries, example.keys, example.values)
    counts, sums = {}, {}
    for n, (token, (rows_read, row, output)) in enumerate(zip(example.tokens, steps, strict=True), 1):
        below, without = n * (n - 1) // 2, weighted_sum(matrix[n - 1][:n], example.values[:n])  # the rest is masked
        counts[f"step_{n}"] = (n, token, n**2, below, below, len(row), rows_read)
        sums[f"step_{n}"] = (n, _sum(row, example.values), _vector(output), _vector(without))
    keys = [column(f"k{j}", f"k{j}") for j in range(1, len(matrix) + 1)]
    columns = ["step", "token", "without_the_cache", "masked", "computed_again", "with_the_cache", "rows_read"]
    return part(
        "1",
        "Step by step",
        formula("all", ALL_SCORES, "scores without the cache", r"S_{\text{without}}", asked=True),
        formula("needed", NEEDED_SCORES, "scores with the cache", r"S_{\text{with}}", asked=True),
        table("counts", columns, counts),
        table("scores", ["query", *keys], {f"q{i}": (f"q{i}", *row) for i, row in enumerate(matrix, 1)}),
        table("outputs", ["step", "scores_times_values", "with_the_cache", "without"], sums, asked=True),
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
    without, kept = uncached_groups(), cached_groups()
    steps = [
        ("flops_without", "FLOPs of a step without the cache", r"F_{\text{without}}", step_flops(without, each), "FLOP"),
        ("flops_with", "FLOPs of a step with it", r"F_{\text{with}}", step_flops(kept, each), "FLOP"),
        ("bytes_without", "bytes of a step without the cache", r"M_{\text{without}}", step_bytes(without, element), "B"),
        ("bytes_with", "bytes of a step with it", r"M_{\text{with}}", step_bytes(kept, element), "B"),
    ]
    items = [formula(key, expression, what, symbol, unit, asked=True) for key, what, symbol, expression, unit in steps]
    items += _generation(each)
    totals = part("2", "", *items, within=sheet)
    ratio = exact(rational(totals["total_without"].value) / rational(totals["total_with"].value))
    rows, ratios = {}, {}
    for place, length in enumerate(params.seq_lens, 1):
        flops, moved = ([rational(exact(one.subs(_at(params, length)))) for _, _, _, one, _ in steps[i : i + 2]] for i in (0, 2))
        large = (one / GIGA for one in (*flops, *moved))
        rows[f"length_{place}"] = (length, *large, flops[0] / moved[0], flops[1] / moved[1])
        ratios[f"length_{place}"] = (length, flops[0] / flops[1], moved[0] / moved[1])
    columns = [
        column("tokens"),
        *(column(f"flops_{way}", f"FLOPs {way}", "GFLOP") for way in ("without", "with")),
        *(column(f"bytes_{way}", unit="GB") for way in ("without", "with")),
        *(column(f"intensity_{way}", unit="FLOP/B") for way in ("without", "with")),
    ]
    return part(
        "2",
        "FLOPs and bytes",
        *items,
        number("saved", ratio, "FLOPs in all, without over with", asked=True),
        table("lengths", columns, rows),
        table("ratios", ["tokens", column("flops", "FLOPs"), "bytes"], ratios, drawn=True),
        within=sheet,
    )


def _generation(each: int) -> Iterator[Quantity]:
    """Positions, scores a head and FLOPs of a prompt and the tokens generated after it."""
    for name, cached in (("without", False), ("with", True)):
        passed, scored = sympy.symbols(f"P_{name} S_{name}", positive=True)
        yield formula(f"positions_{name}", positions(cached=cached), f"positions, {name} the cache", passed)
        yield formula(f"scores_{name}", scores(cached=cached), f"scores a head, {name} the cache", scored)
        total = generation_flops(passed, scored, each)
        yield formula(f"total_{name}", total, f"FLOPs in all, {name} the cache", rf"\Sigma F_{{\text{{{name}}}}}", "FLOP")


def _at(params: CacheParams, length: int) -> dict[sympy.Symbol, int]:
    """The letters of the formulas, for a step over `length` tokens."""
    model = params.model
    sizes = {N_LAYER: model.n_layers, D: model.d_model, N_HEAD: model.n_heads, N_VOCAB: model.vocabulary_size}
    return {**sizes, CONTEXT: length}


def _memory(params: CacheParams, sheet: Part) -> Part:
    element = params.conventions.bytes_per_element
    cache, weights = element * cache_values(ONE), element * weight_values(ONE)
    equal = weight_values(ONE) / (cache_values(ONE) / CONTEXT)
    rows = {
        f"length_{place}": (length, *(exact(one.subs(_at(params, length))) for one in (cache, 100 * cache / weights)))
        for place, length in enumerate(params.seq_lens, 1)
    }
    as_large = math.ceil(Fraction(rational(exact(equal.subs(_at(params, 1))))))
    return part(
        "3",
        "Size of the cache",
        formula("token", cache / CONTEXT, "cache of one token", r"M_{\text{token}}", "B", asked=True),
        formula("cache", cache, "cache at the last step", r"M_{\text{cache}}", "B", asked=True),
        formula("equal", equal, "tokens whose cache is as large as the weights", "n^*"),
        number("as_large", as_large, "tokens from which on the cache is at least as large as the weights", asked=True),
        table("lengths", ["tokens", column("cache", unit="B"), column("share_of_the_weights", unit="%")], rows),
        within=sheet,
    )
