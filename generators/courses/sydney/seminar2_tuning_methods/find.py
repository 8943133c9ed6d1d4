"""Tunes a layer on meta tensors; counts trained values, FLOPs of passes and bytes of caches.

From the seminar: LoRA, adapters, prefix and prompt tuning. From the homework, as the page says: LoRA on query, key and value,
two adapters without biases in each layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, get_args

from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.found import Found, Route
from generators.params import Matrix

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import Counts

SHEET = Route("the seminar and the parameters, read again", restates=True)
TUNED = Route("a layer tuned in torch, on meta tensors")
GIVEN = dict.fromkeys(("method",), SHEET)
TITLES = {"lora": "LoRA", "merged": "LoRA, merged", "adapters": "Adapters", "prefix": "Prefix tuning", "prompt": "Prompt tuning"}


def find(params: TuningParams) -> Iterator[Found]:
    """Everything that is published about the four methods."""
    from generators.courses.sydney.seminar2_tuning_methods.tuned_model import model_values, run, shape_of

    shape, base = shape_of(params), run("none", params, 0)
    sizes = {name: params.n_virtual_tokens if name in ("prefix", "prompt") else params.rank for name in TITLES}
    runs = {name: run(name, params, size) for name, size in sizes.items()}
    runs["merged"] = runs["merged"]._replace(values=runs["lora"].values)
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    letters = {"N_layer": params.n_layers, "D": params.d_model, "D_q": shape.queries, "D_kv": shape.keys, "D_ff": shape.hidden}
    letters |= {"R": params.rank, "p": params.n_virtual_tokens, "L": params.context_len}
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", letters, symbols={name: name for name in letters})
    on = [one for one in get_args(Matrix) if one in params.lora_on]
    said = f"{', '.join(on[:-1])} and {on[-1]}" if len(on) > 1 else on[0]
    usual = set(on) == {"query", "key", "value"}
    yield from SHEET.values("sheet", usual_lora=usual, other_lora=not usual)
    yield from SHEET.values("sheet", {} if usual else {"lora_on": said})
    yield from SHEET.part("1", "Trainable values")
    whole = model_values(params)
    yield from TUNED.values("1", model=whole, symbols={"model": r"N_{\text{model}}"})
    yield from _counted("1", "values", {name: one.values for name, one in runs.items() if name != "merged"}, whole)
    yield from SHEET.part("2", "Compute")
    own = {"pass": scale * base.pass_flops, "token": scale * base.token_flops}
    symbols = {"pass": r"F_{\text{pass}}", "token": r"F_{\text{token}}"}
    yield from TUNED.values("2", own, unit="FLOP", symbols=symbols)
    more = {name: scale * (one.pass_flops - base.pass_flops) for name, one in runs.items()}
    token = {name: scale * (one.token_flops - base.token_flops) for name, one in runs.items()}
    cached = {name: one.cached_bytes - base.cached_bytes for name, one in runs.items()}
    yield from _counted("2", "in_pass", more, own["pass"], "FLOP")
    yield from _counted("2", "in_token", token, own["token"], "FLOP")
    yield from SHEET.part("3", "Cache")
    yield from TUNED.values("3", unit="B", own=base.cached_bytes, symbols={"own": r"M_{\text{KV}}"})
    yield from _counted("3", "bytes", cached, base.cached_bytes, "B")
    yield from _costs(runs, sizes, token, cached)


def _counted(part: str, key: str, counts: Mapping[str, Fraction | int], whole: Fraction | int, unit: str = "") -> Iterator[Found]:
    rows = {name: {"method": TITLES[name], "share": Fraction(100 * one) / whole, "here": one} for name, one in counts.items()}
    units, said = {"share": "%", **({"here": unit} if unit else {})}, {"1": "Values", "2": "FLOPs", "3": "Bytes"}[part]
    yield from TUNED.table(
        part, key, rows, units=units, headings={"here": said}, columns=("method", "share", "here", "formula"), given=GIVEN
    )


def _costs(
    runs: Mapping[str, Counts], sizes: Mapping[str, int], token: Mapping[str, Fraction], cached: Mapping[str, int]
) -> Iterator[Found]:
    """Trained values are in proportion to the size, so that of equal values follows from one count."""
    rows = {
        name: (TITLES[name], token[name] / one.values, Fraction(cached[name], one.values),
               Fraction(sizes[name] * runs["lora"].values, one.values))
        for name, one in runs.items()
    }  # fmt: skip
    headings = {"flops": "FLOPs for a token", "bytes": "Cached bytes", "size": "Size for LoRA's values"}
    yield from SHEET.part("4", "Cost of one trained value")
    units = {"flops": "FLOP", "bytes": "B"}
    yield from TUNED.table("4", "costs", rows, units=units, headings=headings, columns=("method", *headings), given=GIVEN)
