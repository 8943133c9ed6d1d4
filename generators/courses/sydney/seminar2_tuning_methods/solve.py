"""Counts every method's values, FLOPs and cache, and what each costs for one trained value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from generators.answer import Answer, Part, answer, formula, letter, part, value_at
from generators.cells import Cell, Math, Value, exact, rational
from generators.courses.sydney.seminar2_tuning_methods.methods import (
    Method,
    P,
    cache_values,
    methods,
    model_values,
    pass_multiply_adds,
    token_multiply_adds,
)
from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.table import Table, column, table
from generators.topics.peft import N_LAYER, D, L, R

MERGED = "LoRA, merged into the weights"


def solve(params: TuningParams) -> Answer:
    """What each method trains, adds to passes and to the cache, and costs for one trained value."""
    found, held = methods(), params.conventions
    sizes = sorted({params.rank, *params.other_sizes})
    sheet = part(
        "sheet",
        "Given",
        letter(N_LAYER, params.n_layers, "layers"),
        letter(D, params.d_model, "model width"),
        letter(R, params.rank, "rank of LoRA, inner width of adapters"),
        letter(P, params.n_virtual_tokens, "virtual tokens"),
        letter(L, params.context_len, "tokens of the user's prompt"),
    )
    return answer(
        sheet,
        _values(found, sheet),
        _compute(found, sheet, held.flops_per_multiply_add),
        _cache(found, sheet, held.bytes_per_element),
        _equal(found, sheet, sizes, params),
        _over_sizes(found, sheet, sizes, held.flops_per_multiply_add),
    )


def _values(found: Mapping[str, Method], sheet: Part) -> Part:
    whole = value_at(model_values(), sheet)
    rows = {
        name: (one.title, one.values, here := value_at(one.values, sheet), _per_cent(here, whole)) for name, one in found.items()
    }
    groups = {
        f"{name}.{place}": (
            one.title,
            Math(group.names),
            Math(r" \times ".join(map(sympy.latex, group.shape))),
            group.count,
            "each layer" if one.layers == N_LAYER else "the whole model",
        )
        for name, one in found.items()
        for place, group in enumerate(one.groups, 1)
    }
    return part(
        "1",
        "Trainable values",
        formula("model", model_values(), "values of the layers' matrices", r"N_{\text{model}}"),
        *(
            formula(name, one.values, f"trainable values of {one.title}", rf"N_{{\text{{{name}}}}}")
            for name, one in found.items()
        ),
        table("values", ["method", column("values", of="here"), "here", column("of_the_model", unit="%")], rows, asked=True),
        table("groups", ["method", "trained", "shape", "number", "in"], groups),
        within=sheet,
    )


def _per_cent(value: Value, whole: Value) -> Value:
    return exact(100 * rational(value) / rational(whole))


def _over_sizes(found: Mapping[str, Method], sheet: Part, sizes: Sequence[int], flops_each: int) -> Part:
    """What is drawn: values, and FLOPs added to a token, over the rank, inner width or virtual tokens of each method."""
    at = {symbol: one.value for symbol, one in sheet.letters.items()}

    def over_size(key: str, counts: Mapping[str, sympy.Expr], unit: str = "") -> Table:
        rows = {
            f"size_{size}": (size, *(exact(counts[name].subs({**at, one.size: size})) for name, one in found.items()))
            for size in sizes
        }
        columns = [column(name, one.title, unit) for name, one in found.items()]
        return table(key, [column("size", "Rank, inner width, or virtual tokens"), *columns], rows, drawn=True)

    return part(
        "over_size",
        "Over the size of each method",
        over_size("values", {name: one.values for name, one in found.items()}),
        over_size("token_flops", {name: flops_each * one.in_token for name, one in found.items()}, "FLOP"),
    )


def _compute(found: Mapping[str, Method], sheet: Part, flops_each: int) -> Part:
    """FLOPs that a method adds to a pass over the prompt, and to each decoded token."""
    whole = [sympy.expand(flops_each * one) for one in (pass_multiply_adds(L), token_multiply_adds())]
    added = {name: [sympy.expand(flops_each * one) for one in (m.in_pass, m.in_token)] for name, m in found.items()}
    rows: dict[str, Sequence[Cell]] = {"merged": (MERGED, 0, 0, 0, 0)}
    for name, expressions in added.items():
        more, of = ([value_at(one, sheet) for one in ones] for ones in (expressions, whole))
        rows[name] = (found[name].title, more[0], _per_cent(more[0], of[0]), more[1], _per_cent(more[1], of[1]))
    lines = [one for name, (in_pass, in_token) in added.items() for one in (
        formula(f"{name}_pass", in_pass, f"{found[name].title}: added to the pass", r"\Delta F_{\text{pass}}", "FLOP"),
        formula(f"{name}_token", in_token, f"{found[name].title}: added to the token", r"\Delta F_{\text{token}}", "FLOP"),
    )]  # fmt: skip
    units = {"prompt": "FLOP", "more_in_the_prompt": "%", "token": "FLOP", "more_for_a_token": "%"}
    return part(
        "2",
        "Compute",
        formula("pass", whole[0], "pass over the prompt without any of them", r"F_{\text{pass}}", "FLOP"),
        formula("token", whole[1], "next token without any of them", r"F_{\text{token}}", "FLOP"),
        *lines,
        table("flops", ["method", *(column(key, unit=unit) for key, unit in units.items())], rows, asked=True),
        within=sheet,
    )


def _cache(found: Mapping[str, Method], sheet: Part, bytes_each: int) -> Part:
    own = bytes_each * cache_values(L)
    rows = {
        name: (one.title, extra := value_at(bytes_each * one.cached, sheet), _per_cent(extra, value_at(own, sheet)))
        for name, one in found.items()
    }
    return part(
        "3",
        "Cache",
        formula("own", own, "cache of the user's tokens", r"M_{\text{KV}}", "B"),
        *(
            formula(name, bytes_each * one.cached, f"cache of {one.title}", r"\Delta M_{\text{KV}}", "B")
            for name, one in found.items()
            if one.cached != 0
        ),
        table(
            "bytes",
            ["method", column("extra_cache", unit="B"), column("of_the_users_tokens", "Of the user's tokens", "%")],
            rows,
            asked=True,
        ),
        within=sheet,
    )


def _equal(found: Mapping[str, Method], sheet: Part, sizes: Sequence[int], params: TuningParams) -> Part:
    """What one trained value costs, and how large every method is when it trains as many values as LoRA."""
    held, lora = params.conventions, found["lora"].values
    equal = {name: sympy.cancel(lora / (one.values / one.size)) for name, one in found.items() if name != "lora"}
    lines = []
    for name, expression in equal.items():
        what, symbol = f"size of {found[name].title} with as many values as LoRA", sympy.latex(found[name].size)
        lines.append(formula(name, expression, what, rf"{symbol}_{{\text{{{name}}}}}", asked=True))
    at = {symbol: one.value for symbol, one in sheet.letters.items()}
    rows = {f"rank_{rank}": (rank, *(exact(one.subs({**at, R: rank})) for one in (lora, *equal.values()))) for rank in sizes}
    columns = [column("adapters", "Adapter width"), column("prefix"), column("prompt")]
    return part(
        "4",
        "Equal numbers of trained values",
        *lines,
        _costs(found, sheet, held.flops_per_multiply_add, held.bytes_per_element),
        table("sizes", [column("rank", "Rank of LoRA"), "values", *columns], rows),
        within=sheet,
    )


def _costs(found: Mapping[str, Method], sheet: Part, flops_each: int, bytes_each: int) -> Table:
    rows = {}
    for name, one in found.items():
        flops, cached = (sympy.cancel(count / one.values) for count in (flops_each * one.in_token, bytes_each * one.cached))
        rows[name] = (one.title, flops, value_at(flops, sheet), cached, value_at(cached, sheet))
    columns = [
        column("flops_for_a_token", "FLOPs for a token", of="flops_here"), column("flops_here", "Here", "FLOP"),
        column("cached_bytes", of="bytes_here"), column("bytes_here", "Here", "B"),
    ]  # fmt: skip
    return table("costs", ["method", *columns], rows, asked=True)
