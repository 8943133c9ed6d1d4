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
GIVEN = dict.fromkeys(("query", "step", "tokens"), SHEET)
WAYS = (("without", False), ("with", True))


def find(params: CacheParams) -> Iterator[Found]:
    """Everything that is published about the cache."""
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import Model

    model = Model(params)
    yield from _given(params)
    yield from _shape(model)
    yield from _example(params.example)
    yield from _costs(params, model)
    yield from _memory(params, model)


def _given(params: CacheParams) -> Iterator[Found]:
    model = params.model
    yield from SHEET.part("sheet", "Given")
    one = params.example
    rows = {
        f"token_{i}": (token, _tuple(one.queries[i - 1]), _tuple(one.keys[i - 1]), _tuple(one.values[i - 1]))
        for i, token in enumerate(one.tokens, 1)
    }
    yield from SHEET.table("sheet", "vectors", rows, headings={"q": "q", "k": "k", "v": "v"}, columns=("token", "q", "k", "v"))
    yield from SHEET.letters("sheet", N_token=len(params.example.tokens), L=params.prompt_len, N_new=params.new_tokens)
    yield from SHEET.letters("sheet", N_layer=model.n_layers, D=model.d_model, n_H=model.n_heads, N_vocab=model.vocabulary_size)
    yield from META.letters("sheet", n=_last(params))


def _shape(model: Model) -> Iterator[Found]:
    yield from META.letters("sheet", n_KV=model.kv_heads, H=model.head_width, D_ff=model.up.out_features)


def _last(params: CacheParams) -> int:
    """Tokens of the last step: each step feeds the token that the one before generated."""
    fed = params.prompt_len
    for _ in range(1, params.new_tokens):
        fed += 1
    return fed


def _example(example: Example) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_cache.torch_decoding import attended

    steps = list(attended(example))
    scores, outputs = {}, {}
    for n, one in enumerate(steps, 1):
        scores[f"q{n}"] = (f"q{n}", *one.row, *[None] * (len(steps) - n))
        terms = (f"{_factor(score)}·{_tuple(value)}" for score, value in zip(one.row, one.values, strict=True))
        outputs[f"step_{n}"] = (n, _tuple(one.by_row), _tuple(one.by_square), " + ".join(terms))
    yield from SHEET.part("1", "Step by step")
    names = {f"k{j}": f"k{j}" for j in range(1, len(steps) + 1)}
    yield from WHOLE.table("1", "scores", scores, headings=names, columns=("query", *names), given=GIVEN)
    yield from WHOLE.table(
        "1", "outputs", outputs, columns=("step", "with_the_cache", "without", "scores_times_values"), given=GIVEN
    )
    scored = {"all": sum(one.square for one in steps), "needed": sum(len(one.row) for one in steps)}
    yield from WHOLE.values("1", scored, symbols={"all": r"N_{\text{without}}", "needed": r"N_{\text{with}}"})


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
        totals.append(scale * model.generation(params.prompt_len, params.new_tokens, cached=cached))
        for key, value, letter, unit in (("flops", scale * last.flops, "F", "FLOP"), ("bytes", last.bytes, "M", "B")):
            symbols = {f"{key}_{name}": f"{letter}{symbol}"}
            yield from META.values("2", {f"{key}_{name}": value}, unit=unit, symbols=symbols)
        yield from META.values("2", {f"total_{name}": totals[-1]}, unit="FLOP")
    yield from META.values("2", saved=totals[0] / totals[1])
    _, flops, moved = _ratio(model, _last(params))
    yield from META.values("2", more_flops=flops > moved)
    rows = {f"length_{place}": _ratio(model, length) for place, length in enumerate(params.seq_lens, 1)}
    yield from META.table("2", "ratios", rows, headings={"flops": "FLOPs"}, columns=("tokens", "flops", "bytes"), given=GIVEN)


def _ratio(model: Model, length: int) -> tuple[int, Fraction, Fraction]:
    without, kept = (model.step(length, cached=cached) for _, cached in WAYS)
    return length, Fraction(without.flops, kept.flops), Fraction(without.bytes, kept.bytes)


def _memory(params: CacheParams, model: Model) -> Iterator[Found]:
    token, weights = model.held_bytes(1), model.weight_bytes
    held = {"token": token, "cache": model.held_bytes(_last(params)), "weights": weights}
    yield from SHEET.part("3", "Size of the cache")
    yield from META.values("3", held, unit="B", symbols={key: rf"M_{{\text{{{key}}}}}" for key in held})
    first = next(n for n in range(weights // token, weights // token + 2) if model.held_bytes(n) >= weights)
    yield from META.values("3", as_large=first)
    caches = {length: model.held_bytes(length) for length in params.seq_lens}
    rows = {f"length_{i}": (n, Fraction(100 * held, weights), held) for i, (n, held) in enumerate(caches.items(), 1)}
    units = {"share_of_the_weights": "%", "cache": "B"}
    yield from META.table("3", "lengths", rows, units=units, columns=("tokens", *units), given=GIVEN)
