"""Adapters, prefix and prompt tuning beside LoRA: what each trains, computes and caches in a model of N layers.

A layer has W^Q of D×D_q, W^K and W^V of D×D_kv, W^O of D_q×D, and a feed-forward network of D×D_ff and D_ff×D, without
biases. Counts are multiply-adds and values; L tokens are the user's own. Sources: Hu et al. 2021, arXiv 2106.09685 (LoRA);
Houlsby et al. 2019, arXiv 1902.00751 (adapters); Li and Liang 2021, arXiv 2101.00190 (prefix); Lester et al. 2021,
arXiv 2104.08691 (prompt).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy

N_LAYER, D, D_Q, D_KV, D_FF, R, P, L = sympy.symbols("N_layer D D_q D_kv D_ff R p L", positive=True)
ONE, ZERO = sympy.Integer(1), sympy.Integer(0)
LAYER = 2 * D * (D_Q + D_KV + D_FF)
"""Values of a layer's matrices, each used in one multiply-add for every token."""
ENDS = {"query": D + D_Q, "key": D + D_KV, "value": D + D_KV, "output": D_Q + D, "up": D + D_FF, "down": D_FF + D}
"""Inputs and outputs of each linear layer together: A and B beside it have R values for each."""
ADAPTERS = 4 * D * R
"""Two matrices in each of two adapters."""


@dataclass(frozen=True)
class Method:
    """Values that are trained, what is added to a pass over L tokens, to the next one, and to the cache; `size` sets how many."""

    title: str
    size: sympy.Symbol
    values: sympy.Expr
    in_pass: sympy.Expr
    in_token: sympy.Expr
    cached: sympy.Expr


def attention(queries: sympy.Expr, keys: sympy.Expr) -> sympy.Expr:
    """Multiply-adds of QKᵀ and score·V over all heads of one layer, for every pair of query and key."""
    return 2 * D_Q * queries * keys


def cache_values(tokens: sympy.Expr) -> sympy.Expr:
    """Keys and values of so many tokens in all layers."""
    return 2 * N_LAYER * tokens * D_KV


def pass_multiply_adds(tokens: sympy.Expr) -> sympy.Expr:
    """One pass over so many tokens, nothing cached before."""
    return N_LAYER * (tokens * LAYER + attention(tokens, tokens))


def token_multiply_adds() -> sympy.Expr:
    """The token after L cached ones, which attends to itself too."""
    return N_LAYER * (LAYER + attention(ONE, L + 1))


def methods(lora_on: Iterable[str]) -> dict[str, Method]:
    """The four methods in the order of the seminar's overview, and LoRA, beside the layers named, once it is merged."""
    lora, adapters = N_LAYER * R * sum((ENDS[one] for one in lora_on), ZERO), N_LAYER * ADAPTERS
    more_keys, cached = N_LAYER * attention(ONE, P), cache_values(P)
    prompt_pass = sympy.factor(sympy.expand(pass_multiply_adds(P + L) - pass_multiply_adds(L)))
    return {
        "lora": Method("LoRA", R, lora, L * lora, lora, ZERO),
        "merged": Method("LoRA, merged", R, lora, ZERO, ZERO, ZERO),
        "adapters": Method("Adapters", R, adapters, L * adapters, adapters, ZERO),
        "prefix": Method("Prefix tuning", P, cached, L * more_keys, more_keys, cached),
        "prompt": Method("Prompt tuning", P, P * D, prompt_pass, more_keys, cached),
    }
