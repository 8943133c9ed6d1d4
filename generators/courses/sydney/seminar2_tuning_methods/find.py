"""Tunes an OPT model with peft and torch modules on meta tensors; counts trained values, FLOPs of passes and bytes of caches.

From the seminar: LoRA, adapters, prefix and prompt tuning. From the homework, as the page says: LoRA on query, key and value,
two adapters without biases in each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from generators.cells import Cell, Math
from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import Counts, Sizes

SHEET = Route("the seminar and the parameters, read again", restates=True)
PAPERS = Route("the methods' papers, read again", restates=True)
TUNED = Route("OPT tuned with peft, or with torch's adapters, on meta tensors")
LINE = Route("a line through what is counted at sizes one and two")

TITLES = {"lora": "LoRA", "adapters": "Adapters", "prefix": "Prefix tuning", "prompt": "Prompt tuning"}
SIZES = {"lora": "rank", "adapters": "rank", "prefix": "virtual", "prompt": "virtual"}
MERGED = "LoRA, merged into the weights"
SHAPES = {
    "lora": [(r"A \text{ of query, key, value}", "D R", 3), (r"B \text{ of query, key, value}", "R D", 3)],
    "adapters": [(r"W_A \text{ of each adapter}", "D R", 2), (r"W_B \text{ of each adapter}", "R D", 2)],
    "prefix": [("K", "P D", 1), ("V", "P D", 1)],
    "prompt": [("E", "P D", 1)],
}
"""Trained tensors of a layer, of the model for prompt tuning: name, axes, number."""
Rows = dict[str, dict[str, Cell]]


def find(params: TuningParams) -> Iterator[Found | Proof]:
    """Everything that is published about the four methods."""
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import Sizes, extended

    sizes = Sizes(params.n_layers, params.d_model, params.rank, params.n_virtual_tokens, params.context_len, params.n_heads)
    element = params.conventions.bytes_per_element
    runs = {name: extended(name, sizes, element) for name in ("none", "merged", *TITLES)}
    letters = {"N_layer": params.n_layers, "D": params.d_model, "R": params.rank, "P": params.n_virtual_tokens}
    yield from SHEET.part("sheet", "Given")
    given = {**letters, "L": params.context_len}
    yield from SHEET.values("sheet", given, symbols={name: name for name in given})
    yield from _values(runs)
    yield from _trained_tensors(runs, letters)
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    yield from _compute(runs, scale)
    yield from _cache(runs)
    lines = {name: _line(name, sizes, element) for name in TITLES}
    yield from _costs(runs, lines, scale)
    yield from _over_sizes(lines, sorted({params.rank, *params.other_sizes}), scale)


def _values(runs: Mapping[str, Counts]) -> Iterator[Found]:
    yield from SHEET.part("1", "Trainable values")
    whole = runs["none"].model_values
    yield from TUNED.values("1", model=whole, symbols={"model": r"N_{\text{model}}"})
    rows: Rows = {}
    for name, title in TITLES.items():
        values = runs[name].values
        yield from TUNED.values("1", {name: values}, symbols={name: rf"N_{{\text{{{name}}}}}"})
        rows[name] = {"method": title, "here": values, "of_the_model": Fraction(100 * values, whole)}
    columns = ("method", "values", "here", "of_the_model")
    yield from TUNED.table("1", "values", rows, units={"of_the_model": "%"}, columns=columns)


def _trained_tensors(runs: Mapping[str, Counts], letters: Mapping[str, int]) -> Iterator[Found | Proof]:
    """The tensors of each method, which together must hold what was counted."""
    rows: Rows = {}
    for name, tensors in SHAPES.items():
        for place, (latex, axes, count) in enumerate(tensors, 1):
            shape, where = Math(r" \times ".join(axes.split())), "the whole model" if name == "prompt" else "each layer"
            cells: dict[str, Cell] = {"trained": Math(latex), "shape": shape, "number": count, "in": where}
            rows[f"{name}.{place}"] = {"method": TITLES[name], **cells}
        held = sum(count * prod(letters[axis] for axis in axes.split()) for _, axes, count in tensors)
        times = 1 if name == "prompt" else letters["N_layer"]
        yield from TUNED.proof(f"the listed tensors of {TITLES[name]} are all that it trains", times * held - runs[name].values)
    yield from PAPERS.table("1", "groups", rows)


def _compute(runs: Mapping[str, Counts], scale: Fraction) -> Iterator[Found]:
    base = runs["none"]
    yield from SHEET.part("2", "Compute")
    values = {"pass": scale * base.pass_flops, "token": scale * base.token_flops}
    yield from TUNED.values("2", values, unit="FLOP", symbols={"pass": r"F_{\text{pass}}", "token": r"F_{\text{token}}"})
    rows: Rows = {}
    for name, title in {"merged": MERGED, **TITLES}.items():
        more = runs[name].minus(base)
        in_pass, in_token = scale * more.pass_flops, scale * more.token_flops
        rows[name] = {
            "method": title,
            "prompt": in_pass,
            "more_in_the_prompt": Fraction(100 * more.pass_flops, base.pass_flops),
            "token": in_token,
            "more_for_a_token": Fraction(100 * more.token_flops, base.token_flops),
        }
        if name != "merged":
            symbols = {f"{name}_pass": r"\Delta F_{\text{pass}}", f"{name}_token": r"\Delta F_{\text{token}}"}
            added = dict(zip(symbols, (in_pass, in_token), strict=True))
            yield from TUNED.values("2", added, unit="FLOP", symbols=symbols)
    units = {"prompt": "FLOP", "more_in_the_prompt": "%", "token": "FLOP", "more_for_a_token": "%"}
    yield from TUNED.table("2", "flops", rows, units=units)


def _cache(runs: Mapping[str, Counts]) -> Iterator[Found]:
    own = runs["none"].cached_bytes
    yield from SHEET.part("3", "Cache")
    yield from TUNED.values("3", unit="B", own=own, symbols={"own": r"M_{\text{KV}}"})
    rows: Rows = {}
    for name, title in TITLES.items():
        more = runs[name].cached_bytes - own
        rows[name] = {"method": title, "extra_cache": more, "of_the_users_tokens": Fraction(100 * more, own)}
        if more:
            yield from TUNED.values("3", {name: more}, unit="B", symbols={name: r"\Delta M_{\text{KV}}"})
    headings = {"of_the_users_tokens": "Of the user's tokens"}
    yield from TUNED.table("3", "bytes", rows, units={"extra_cache": "B", "of_the_users_tokens": "%"}, headings=headings)


Line = Callable[[int], "Counts"]


def _line(name: str, sizes: Sizes, element: int) -> Line:
    """What a method trains and adds at a size of its own, from its counts at one and two, which grow evenly."""
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import extended

    base = extended("none", sizes, element)
    one, two = (extended(name, replace(sizes, **{SIZES[name]: size}), element).minus(base) for size in (1, 2))
    return lambda size: one.plus(two.minus(one), size - 1)


def _size_of(line: Line, values: int) -> Fraction:
    """The size at which a method trains so many values."""
    one, two = line(1).values, line(2).values
    return 1 + Fraction(values - one, two - one)


def _costs(runs: Mapping[str, Counts], lines: Mapping[str, Line], scale: Fraction) -> Iterator[Found]:
    yield from SHEET.part("4", "Equal numbers of trained values")
    rows: Rows = {}
    for name, title in TITLES.items():
        more, trained = runs[name].minus(runs["none"]), runs[name].values
        costs = {"flops_here": scale * more.token_flops / trained, "bytes_here": Fraction(more.cached_bytes, trained)}
        rows[name] = {"method": title, **costs}
        if name != "lora":
            symbol = f"{'R' if SIZES[name] == 'rank' else 'P'}_{{\\text{{{name}}}}}"
            yield from LINE.values("4", {name: _size_of(lines[name], runs["lora"].values)}, symbols={name: symbol})
    headings = {"flops_for_a_token": "FLOPs for a token", "flops_here": "Here", "bytes_here": "Here"}
    columns = ("method", "flops_for_a_token", "flops_here", "cached_bytes", "bytes_here")
    yield from TUNED.table(
        "4", "costs", rows, units={"flops_here": "FLOP", "bytes_here": "B"}, headings=headings, columns=columns
    )


def _over_sizes(lines: Mapping[str, Line], sizes: Sequence[int], scale: Fraction) -> Iterator[Found]:
    """Values and FLOPs over the size of each method, and sizes that train as many values as LoRA."""
    values: Rows = {}
    flops: Rows = {}
    same: Rows = {}
    for size in sizes:
        counts = {name: line(size) for name, line in lines.items()}
        values[f"size_{size}"] = {"size": size, **{name: one.values for name, one in counts.items()}}
        flops[f"size_{size}"] = {"size": size, **{name: scale * one.token_flops for name, one in counts.items()}}
        trained = counts["lora"].values
        equal = {name: _size_of(line, trained) for name, line in lines.items() if name != "lora"}
        same[f"rank_{size}"] = {"rank": size, "values": trained, **equal}
    yield from SHEET.part("over_size", "Over the size of each method")
    headings = {"size": "Rank, inner width, or virtual tokens", **TITLES}
    yield from LINE.table("over_size", "values", values, headings=headings)
    yield from LINE.table("over_size", "token_flops", flops, units=dict.fromkeys(TITLES, "FLOP"), headings=headings)
    yield from LINE.table("4", "sizes", same, headings={"rank": "Rank of LoRA", "adapters": "Adapter width"})
