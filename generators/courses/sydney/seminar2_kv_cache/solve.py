"""Follows the example, counts a step and a whole generation, and sizes the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, formula, letter, number, part, text
from generators.cells import Cell, Quantity, exact, rational
from generators.courses.sydney.seminar2_kv_cache.decoding import (
    N_VOCAB,
    NEW,
    ONE,
    PROMPT,
    cached_groups,
    generation_flops,
    positions,
    scores,
    step_bytes,
    step_flops,
    uncached_groups,
    with_cache,
    without_cache,
)
from generators.courses.sydney.seminar2_kv_cache.params import CacheParams, Example
from generators.table import Column, Table, column, table
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
    kept = with_cache(example.queries, example.keys, example.values)
    matrix, outputs = without_cache(example.queries, example.keys, example.values)
    counts: dict[str, Mapping[str, Cell]] = {}
    sums: dict[str, Mapping[str, Cell]] = {}
    for n, (token, one, output) in enumerate(zip(example.tokens, kept, outputs, strict=True), 1):
        below = n * (n - 1) // 2
        counts[f"step_{n}"] = {
            "step": n,
            "token": token,
            "without_the_cache": n**2,
            "masked": below,
            "computed_again": below,
            "with_the_cache": len(one.scores),
            "rows_read": one.rows_read,
        }
        sums[f"step_{n}"] = {
            "step": n,
            "scores_times_values": _sum(one.scores, example.values),
            "with_the_cache": _vector(one.output),
            "without": _vector(output),
        }
    columns: list[Column | str] = ["step", "scores_times_values", "with_the_cache", "without"]
    return part(
        "1",
        "Step by step",
        formula("all", ALL_SCORES, "scores without the cache", r"S_{\text{without}}", asked=True),
        formula("needed", NEEDED_SCORES, "scores with the cache", r"S_{\text{with}}", asked=True),
        table("counts", list(counts["step_1"]), counts),
        _scores(matrix),
        table("outputs", columns, sums, asked=True),
        within=sheet,
    )


def _scores(matrix: Sequence[Sequence[int]]) -> Table:
    """All of QKᵀ."""
    keys = [f"k{j}" for j in range(1, len(matrix) + 1)]
    rows = {f"q{i}": {"query": f"q{i}", **dict(zip(keys, row, strict=True))} for i, row in enumerate(matrix, 1)}
    return table("scores", ["query", *(column(key, key) for key in keys)], rows)


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
    rows = {f"length_{place}": _row(params, length) for place, length in enumerate(params.seq_lens, 1)}
    columns: list[Column | str] = [
        "tokens",
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
        _ratios(rows),
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


def _row(params: CacheParams, length: int) -> dict[str, Cell]:
    """FLOPs, bytes and their ratio in a step over `length` tokens."""
    at, conventions = _at(params, length), params.conventions
    row: dict[str, Cell] = {"tokens": length}
    for name, groups in (("without", uncached_groups()), ("with", cached_groups())):
        flops = rational(exact(step_flops(groups, conventions.flops_per_multiply_add).subs(at)))
        moved = rational(exact(step_bytes(groups, conventions.bytes_per_element).subs(at)))
        row |= {f"flops_{name}": flops / GIGA, f"bytes_{name}": moved / GIGA, f"intensity_{name}": flops / moved}
    return row


def _ratios(rows: Mapping[str, Mapping[str, Cell]]) -> Table:
    """How many times as much a step takes without the cache."""
    ratios = {
        key: {
            "tokens": cells["tokens"],
            **{kind: rational(cells[f"{kind}_without"]) / rational(cells[f"{kind}_with"]) for kind in ("flops", "bytes")},
        }
        for key, cells in rows.items()
    }
    return table("ratios", ["tokens", column("flops", "FLOPs"), "bytes"], ratios, drawn=True)


def _memory(params: CacheParams, sheet: Part) -> Part:
    element = params.conventions.bytes_per_element
    cache, weights = element * cache_values(ONE), element * weight_values(ONE)
    equal = weight_values(ONE) / (cache_values(ONE) / CONTEXT)
    rows: dict[str, Mapping[str, Cell]] = {}
    for place, length in enumerate(params.seq_lens, 1):
        held = rational(exact(cache.subs(_at(params, length))))
        share = 100 * held / rational(exact(weights.subs(_at(params, length))))
        rows[f"length_{place}"] = {"tokens": length, "cache": exact(held), "share_of_the_weights": share}
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
