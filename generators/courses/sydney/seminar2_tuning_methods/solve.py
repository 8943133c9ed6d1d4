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
Rows = dict[str, dict[str, Cell]]


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
    rows: Rows = {}
    groups: Rows = {}
    for name, one in found.items():
        here = value_at(one.values, sheet)
        rows[name] = {"method": one.title, "values": one.values, "here": here, "of_the_model": _per_cent(here, whole)}
        where = "each layer" if one.layers == N_LAYER else "the whole model"
        for place, group in enumerate(one.groups, 1):
            shape = Math(r" \times ".join(sympy.latex(size) for size in group.shape))
            cells: dict[str, Cell] = {"trained": Math(group.names), "shape": shape, "number": group.count, "in": where}
            groups[f"{name}.{place}"] = {"method": one.title, **cells}
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
    """What is drawn: values, and FLOPs added to a token, over the size of each method."""
    values = {name: (one, one.values) for name, one in found.items()}
    flops = {name: (one, flops_each * one.in_token) for name, one in found.items()}
    tables = _over_size("values", values, sheet, sizes), _over_size("token_flops", flops, sheet, sizes, "FLOP")
    return part("over_size", "Over the size of each method", *tables)


def _over_size(
    key: str, found: Mapping[str, tuple[Method, sympy.Expr]], sheet: Part, sizes: Sequence[int], unit: str = ""
) -> Table:
    """An expression of each method at sizes of its own, rank, inner width or virtual tokens."""
    at = {symbol: one.value for symbol, one in sheet.letters.items()}
    rows: Rows = {}
    for size in sizes:
        cells = {name: exact(expression.subs({**at, one.size: size})) for name, (one, expression) in found.items()}
        rows[f"size_{size}"] = {"size": size, **cells}
    columns = [column(name, one.title, unit) for name, (one, _) in found.items()]
    return table(key, [column("size", "Rank, inner width, or virtual tokens"), *columns], rows, drawn=True)


def _compute(found: Mapping[str, Method], sheet: Part, flops_each: int) -> Part:
    """FLOPs that a method adds to a pass over the prompt, and to each decoded token."""
    whole = [sympy.expand(flops_each * one) for one in (pass_multiply_adds(L), token_multiply_adds())]
    added = {name: [sympy.expand(flops_each * one) for one in (m.in_pass, m.in_token)] for name, m in found.items()}
    rows: Rows = {"merged": _more(MERGED, [0, 0], [1, 1])}
    for name, expressions in added.items():
        more = [value_at(one, sheet) for one in expressions]
        rows[name] = _more(found[name].title, more, [value_at(one, sheet) for one in whole])
    lines = [one for name, (in_pass, in_token) in added.items() for one in (
        formula(f"{name}_pass", in_pass, f"{found[name].title}: added to the pass", r"\Delta F_{\text{pass}}", "FLOP"),
        formula(f"{name}_token", in_token, f"{found[name].title}: added to the token", r"\Delta F_{\text{token}}", "FLOP"),
    )]  # fmt: skip
    columns = [
        column("prompt", unit="FLOP"), column("more_in_the_prompt", unit="%"),
        column("token", unit="FLOP"), column("more_for_a_token", unit="%"),
    ]  # fmt: skip
    return part(
        "2",
        "Compute",
        formula("pass", whole[0], "pass over the prompt without any of them", r"F_{\text{pass}}", "FLOP"),
        formula("token", whole[1], "next token without any of them", r"F_{\text{token}}", "FLOP"),
        *lines,
        table("flops", ["method", *columns], rows, asked=True),
        within=sheet,
    )


def _more(title: str, more: Sequence[Value], whole: Sequence[Value]) -> dict[str, Cell]:
    """FLOPs more in the prompt and for a token, and their shares of what the model takes alone."""
    shares = [_per_cent(one, of) for one, of in zip(more, whole, strict=True)]
    return {"method": title, "prompt": more[0], "more_in_the_prompt": shares[0], "token": more[1], "more_for_a_token": shares[1]}


def _cache(found: Mapping[str, Method], sheet: Part, bytes_each: int) -> Part:
    own = bytes_each * cache_values(L)
    rows: Rows = {}
    for name, one in found.items():
        extra = value_at(bytes_each * one.cached, sheet)
        share = _per_cent(extra, value_at(own, sheet))
        rows[name] = {"method": one.title, "extra_cache": extra, "of_the_users_tokens": share}
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
    held = params.conventions
    equal = {name: sympy.cancel(found["lora"].values / (one.values / one.size)) for name, one in found.items() if name != "lora"}
    lines = (
        formula(
            name,
            expression,
            f"size of {found[name].title} with as many values as LoRA",
            rf"{sympy.latex(found[name].size)}_{{\text{{{name}}}}}",
            asked=True,
        )
        for name, expression in equal.items()
    )
    return part(
        "4",
        "Equal numbers of trained values",
        *lines,
        _costs(found, sheet, held.flops_per_multiply_add, held.bytes_per_element),
        _equal_sizes(found["lora"], equal, sheet, sizes),
        within=sheet,
    )


def _costs(found: Mapping[str, Method], sheet: Part, flops_each: int, bytes_each: int) -> Table:
    rows: Rows = {}
    for name, one in found.items():
        flops = sympy.cancel(flops_each * one.in_token / one.values)
        cached = sympy.cancel(bytes_each * one.cached / one.values)
        rows[name] = {
            "method": one.title,
            "flops_for_a_token": flops,
            "flops_here": value_at(flops, sheet),
            "cached_bytes": cached,
            "bytes_here": value_at(cached, sheet),
        }
    columns = [
        column("flops_for_a_token", "FLOPs for a token", of="flops_here"), column("flops_here", "Here", "FLOP"),
        column("cached_bytes", of="bytes_here"), column("bytes_here", "Here", "B"),
    ]  # fmt: skip
    return table("costs", ["method", *columns], rows, asked=True)


def _equal_sizes(lora: Method, equal: Mapping[str, sympy.Expr], sheet: Part, sizes: Sequence[int]) -> Table:
    at = {symbol: one.value for symbol, one in sheet.letters.items()}
    rows: Rows = {}
    for rank in sizes:
        here = {**at, R: rank}
        same = {name: exact(expression.subs(here)) for name, expression in equal.items()}
        rows[f"rank_{rank}"] = {"rank": rank, "values": exact(lora.values.subs(here)), **same}
    columns = [column("adapters", "Adapter width"), column("prefix"), column("prompt")]
    return table("sizes", [column("rank", "Rank of LoRA"), "values", *columns], rows)
