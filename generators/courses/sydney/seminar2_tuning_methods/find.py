"""Tunes the homework's layer on meta tensors; counts trained values, FLOPs of passes and bytes of caches.

From the seminar: LoRA, adapters, prefix and prompt tuning. From the homework, as the page says: LoRA on query, key and value,
two adapters without biases in each layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from generators.cells import Math
from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import Counts

SHEET = Route("the seminar and the parameters, read again", restates=True)
PAPERS = Route("the methods' papers, read again", restates=True)
TUNED = Route("a layer tuned in torch, on meta tensors")
LINE = Route("a line through what is counted at sizes one and two")

TITLES = {"lora": "LoRA", "adapters": "Adapters", "prefix": "Prefix tuning", "prompt": "Prompt tuning"}
SIZES = {"lora": "R", "adapters": "R", "prefix": "P", "prompt": "P"}
MERGED = "LoRA, merged into the weights"
SHAPES = {
    "lora": [(r"A \text{ of query, key, value}", "D R", 3), (r"B \text{ of query, key, value}", "R D", 3)],
    "adapters": [(r"W_A \text{ of each adapter}", "D R", 2), (r"W_B \text{ of each adapter}", "R D", 2)],
    "prefix": [("K", "P D", 1), ("V", "P D", 1)],
    "prompt": [("E", "P D", 1)],
}
"""Trained tensors of a layer, of the model for prompt tuning: name, axes, number."""


def find(params: TuningParams) -> Iterator[Found | Proof]:
    """Everything that is published about the four methods."""
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import run

    letters = {"N_layer": params.n_layers, "D": params.d_model, "R": params.rank, "P": params.n_virtual_tokens}
    base = run("none", params, 0)
    runs = {name: run(name, params, letters[size]) for name, size in SIZES.items()}
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", **letters, L=params.context_len)  # type: ignore[arg-type]
    yield from _values(params, runs)
    yield from _trained_tensors(runs, letters)
    yield from _compute({"merged": run("merged", params, params.rank), **runs}, base, scale)
    yield from _cache(runs, base)
    yield from _costs(params, runs, base, scale)
    yield from _over_sizes(params, base, scale)


def _values(params: TuningParams, runs: Mapping[str, Counts]) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import model_values

    yield from SHEET.part("1", "Trainable values")
    whole = model_values(params)
    yield from TUNED.values("1", model=whole, symbols={"model": r"N_{\text{model}}"})
    symbols = {name: rf"N_{{\text{{{name}}}}}" for name in TITLES}
    yield from TUNED.values("1", {name: runs[name].values for name in TITLES}, symbols=symbols)
    rows = {
        name: {"method": title, "here": runs[name].values, "of_the_model": Fraction(100 * runs[name].values, whole)}
        for name, title in TITLES.items()
    }
    columns = ("method", "values", "here", "of_the_model")
    yield from TUNED.table("1", "values", rows, units={"of_the_model": "%"}, columns=columns)


def _trained_tensors(runs: Mapping[str, Counts], letters: Mapping[str, int]) -> Iterator[Found | Proof]:
    """The tensors of each method, which together must hold what was counted."""
    rows = {}
    for name, tensors in SHAPES.items():
        where, times = ("the whole model", 1) if name == "prompt" else ("each layer", letters["N_layer"])
        for place, (latex, axes, count) in enumerate(tensors, 1):
            shape = Math(r" \times ".join(axes.split()))
            rows[f"{name}.{place}"] = (TITLES[name], Math(latex), shape, count, where)
        held = sum(count * prod(letters[axis] for axis in axes.split()) for _, axes, count in tensors)
        yield from TUNED.proof(f"the listed tensors of {TITLES[name]} are all that it trains", times * held - runs[name].values)
    yield from PAPERS.table("1", "groups", rows, columns=("method", "trained", "shape", "number", "in"))


def _compute(runs: Mapping[str, Counts], base: Counts, scale: Fraction) -> Iterator[Found]:
    yield from SHEET.part("2", "Compute")
    values = {"pass": scale * base.pass_flops, "token": scale * base.token_flops}
    yield from TUNED.values("2", values, unit="FLOP", symbols={"pass": r"F_{\text{pass}}", "token": r"F_{\text{token}}"})
    rows = {}
    for name, one in runs.items():
        more = (one.pass_flops - base.pass_flops, one.token_flops - base.token_flops)
        shares = Fraction(100 * more[0], base.pass_flops), Fraction(100 * more[1], base.token_flops)
        rows[name] = (TITLES.get(name, MERGED), scale * more[0], shares[0], scale * more[1], shares[1])
        if name != "merged":
            symbols = {f"{name}_pass": r"\Delta F_{\text{pass}}", f"{name}_token": r"\Delta F_{\text{token}}"}
            added = dict(zip(symbols, (scale * flops for flops in more), strict=True))
            yield from TUNED.values("2", added, unit="FLOP", symbols=symbols)
    units = {"prompt": "FLOP", "more_in_the_prompt": "%", "token": "FLOP", "more_for_a_token": "%"}
    yield from TUNED.table("2", "flops", rows, units=units, columns=("method", *units))


def _cache(runs: Mapping[str, Counts], base: Counts) -> Iterator[Found]:
    own = base.cached_bytes
    more = {name: runs[name].cached_bytes - own for name in TITLES}
    yield from SHEET.part("3", "Cache")
    yield from TUNED.values("3", unit="B", own=own, symbols={"own": r"M_{\text{KV}}"})
    larger = {name: extra for name, extra in more.items() if extra}
    yield from TUNED.values("3", larger, unit="B", symbols=dict.fromkeys(larger, r"\Delta M_{\text{KV}}"))
    rows = {name: (TITLES[name], extra, Fraction(100 * extra, own)) for name, extra in more.items()}
    headings, units = {"of_the_users_tokens": "Of the user's tokens"}, {"extra_cache": "B", "of_the_users_tokens": "%"}
    yield from TUNED.table("3", "bytes", rows, units=units, headings=headings, columns=("method", *units))


def _size_of(name: str, params: TuningParams, values: int) -> Fraction:
    """The size at which a method trains so many values."""
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import run

    one, two = (run(name, params, size).values for size in (1, 2))
    return 1 + Fraction(values - one, two - one)


def _costs(params: TuningParams, runs: Mapping[str, Counts], base: Counts, scale: Fraction) -> Iterator[Found]:
    yield from SHEET.part("4", "Equal numbers of trained values")
    rows = {}
    for name, one in runs.items():
        flops, held = scale * (one.token_flops - base.token_flops), one.cached_bytes - base.cached_bytes
        rows[name] = {"method": TITLES[name], "flops_here": flops / one.values, "bytes_here": Fraction(held, one.values)}
        if name != "lora":
            symbols = {name: f"{SIZES[name]}_{{\\text{{{name}}}}}"}
            yield from LINE.values("4", {name: _size_of(name, params, runs["lora"].values)}, symbols=symbols)
    headings = {"flops_for_a_token": "FLOPs for a token", "flops_here": "Here", "bytes_here": "Here"}
    columns, units = (
        ("method", "flops_for_a_token", "flops_here", "cached_bytes", "bytes_here"),
        {"flops_here": "FLOP", "bytes_here": "B"},
    )
    yield from TUNED.table("4", "costs", rows, units=units, headings=headings, columns=columns)


def _over_sizes(params: TuningParams, base: Counts, scale: Fraction) -> Iterator[Found]:
    """Values and FLOPs over the size of each method, and sizes that train as many values as LoRA."""
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import run

    values, flops, same = {}, {}, {}
    for size in sorted({params.rank, *params.other_sizes}):
        counts = {name: run(name, params, size) for name in TITLES}
        values[f"size_{size}"] = (size, *(one.values for one in counts.values()))
        flops[f"size_{size}"] = (size, *(scale * (one.token_flops - base.token_flops) for one in counts.values()))
        trained = counts["lora"].values
        same[f"rank_{size}"] = (size, trained, *(_size_of(name, params, trained) for name in TITLES if name != "lora"))
    yield from SHEET.part("over_size", "Over the size of each method")
    headings, columns = {"size": "Rank, inner width, or virtual tokens", **TITLES}, ("size", *TITLES)
    units = dict.fromkeys(TITLES, "FLOP")
    yield from TUNED.table("over_size", "values", values, headings=headings, columns=columns)
    yield from TUNED.table("over_size", "token_flops", flops, units=units, headings=headings, columns=columns)
    headings, columns = {"rank": "Rank of LoRA", "adapters": "Adapter width"}, ("rank", "values", "adapters", "prefix", "prompt")
    yield from LINE.table("4", "sizes", same, headings=headings, columns=columns)
