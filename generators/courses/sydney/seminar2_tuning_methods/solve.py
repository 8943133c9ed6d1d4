"""Counts every method's values, FLOPs and cache, and what each costs for one trained value."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, part, text, value_at
from generators.cells import exact, rational
from generators.courses.sydney.seminar2_tuning_methods import methods as counts
from generators.courses.sydney.seminar2_tuning_methods.methods import Method
from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.table import Table, column, table

USUAL = ["query", "key", "value"]


def solve(params: TuningParams) -> Answer:
    """What each method trains, adds to passes and to the cache, and costs for one trained value."""
    found, sheet, held = counts.methods(params.lora_on), _sheet(params), params.conventions
    trained = {name: one for name, one in found.items() if name != "merged"}
    flops, size = held.flops_per_multiply_add, held.bytes_per_element
    passes, tokens = flops * counts.pass_multiply_adds(counts.L), flops * counts.token_multiply_adds()
    whole, own = counts.N_LAYER * counts.LAYER, size * counts.cache_values(counts.L)
    return answer(
        sheet,
        part(
            "1",
            "Trainable values",
            formula("model", whole, "values of the layers' matrices", r"N_{\text{model}}"),
            _counted("values", trained, {name: one.values for name, one in trained.items()}, whole, sheet),
            within=sheet,
        ),
        part(
            "2",
            "Compute",
            formula("pass", passes, "pass over the user's prompt without any of them", r"F_{\text{pass}}", "FLOP"),
            formula("token", tokens, "next token without any of them", r"F_{\text{token}}", "FLOP"),
            _counted("in_pass", found, {name: flops * one.in_pass for name, one in found.items()}, passes, sheet, "FLOP"),
            _counted("in_token", found, {name: flops * one.in_token for name, one in found.items()}, tokens, sheet, "FLOP"),
            within=sheet,
        ),
        part(
            "3",
            "Cache",
            formula("own", own, "cache of the user's tokens", r"M_{\text{KV}}", "B"),
            _counted("bytes", found, {name: size * one.cached for name, one in found.items()}, own, sheet, "B"),
            within=sheet,
        ),
        part("4", "Cost of one trained value", _costs(found, sheet, flops, size), within=sheet),
    )


def _sheet(params: TuningParams) -> Part:
    on = [one for one in counts.ENDS if one in params.lora_on]
    head_dim = params.head_dim or params.d_model // params.n_heads
    return part(
        "sheet",
        "Given",
        letter(counts.N_LAYER, params.n_layers, "layers"),
        letter(counts.D, params.d_model, "model width"),
        letter(counts.D_Q, params.n_heads * head_dim, "width of the queries of all heads"),
        letter(counts.D_KV, (params.n_kv_heads or params.n_heads) * head_dim, "width of the keys of all heads"),
        letter(counts.D_FF, params.d_ff or 4 * params.d_model, "inner width of the feed-forward network"),
        letter(counts.R, params.rank, "rank"),
        *([] if on == USUAL else [text("lora_on", " and ".join([", ".join(on[:-1]), on[-1]] if on[1:] else on))]),
        claim("usual_lora", on == USUAL, "LoRA stands beside query, key and value"),
        claim("other_lora", on != USUAL, "LoRA stands beside other linear layers"),
        letter(counts.P, params.n_virtual_tokens, "virtual tokens"),
        letter(counts.L, params.context_len, "tokens of the prompt"),
    )


def _counted(
    key: str, found: Mapping[str, Method], formulas: Mapping[str, sympy.Expr], whole: sympy.Expr, sheet: Part, unit: str = ""
) -> Table:
    """A count of every method, over the model's own, and its formula."""
    of = rational(value_at(whole, sheet))
    rows = {}
    for name, expression in formulas.items():
        here = value_at(expression, sheet)
        rows[name] = (found[name].title, exact(100 * rational(here) / of), here, expression)
    said = {"": "Values", "FLOP": "FLOPs", "B": "Bytes"}[unit]
    columns = [column("share", unit="%"), column("here", said, unit), column("formula", of="here")]
    return table(key, ["method", *columns], rows, asked=True)


def _costs(found: Mapping[str, Method], sheet: Part, flops: int, size: int) -> Table:
    """What a trained value adds to a token and to the cache, and the size that trains as many values as LoRA."""
    rows = {}
    for name, one in found.items():
        parts = flops * one.in_token / one.values, size * one.cached / one.values, found["lora"].values * one.size / one.values
        rows[name] = (one.title, *(value_at(expression, sheet) for expression in parts))
    columns = [
        column("method"), column("flops", "FLOPs for a token", "FLOP"), column("bytes", "Cached bytes", "B"),
        column("size", "Size for LoRA's values"),
    ]  # fmt: skip
    return table("costs", columns, rows, asked=True)
