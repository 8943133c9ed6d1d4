"""Adapters, prefix and prompt tuning beside LoRA: what each trains, computes and caches in a model of N layers.

The layer is that of `generators.topics.peft`. One FLOP stands here for one multiply-add, which callers scale; L tokens are
the user's own. Sources: Li and Liang 2021, arXiv 2101.00190 (prefix); Lester et al. 2021, arXiv 2104.08691 (prompt).
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from generators.topics.peft import (
    N_LAYER,
    B,
    D,
    Group,
    L,
    R,
    StepCost,
    adapter_cost,
    adapter_groups,
    freezing_cost,
    layer_groups,
    lora_cost,
    lora_groups,
    total,
)

P = sympy.Symbol("P", positive=True)
ZERO = sympy.Integer(0)


@dataclass(frozen=True)
class Method:
    """Trained tensors, in one layer or once for the model; what is added to a pass over L tokens, to the next one, to the cache.

    Passes are in multiply-adds, the cache in values; `size` is what sets how many values are trained.
    """

    title: str
    groups: tuple[Group, ...]
    size: sympy.Symbol
    layers: sympy.Expr
    in_pass: sympy.Expr
    in_token: sympy.Expr
    cached: sympy.Expr

    @property
    def values(self) -> sympy.Expr:
        """Trainable values of the whole model."""
        return self.layers * total(list(self.groups))


def attention(queries: sympy.Expr, keys: sympy.Expr) -> sympy.Expr:
    """Multiply-adds of QKᵀ and score·V over all heads of one layer, for every pair of query and key."""
    return 2 * queries * keys * D


def model_values() -> sympy.Expr:
    """Values of the layers' own matrices."""
    return N_LAYER * total(layer_groups())


def cache_values(tokens: sympy.Expr) -> sympy.Expr:
    """Keys and values of so many tokens in all layers."""
    return 2 * N_LAYER * tokens * D


def pass_multiply_adds(tokens: sympy.Expr) -> sympy.Expr:
    """One pass over so many tokens, nothing cached before."""
    return sympy.expand(N_LAYER * (tokens * total(layer_groups()) + attention(tokens, tokens)))


def token_multiply_adds() -> sympy.Expr:
    """The token after L cached ones, which attends to itself too."""
    return sympy.expand(N_LAYER * (total(layer_groups()) + attention(sympy.Integer(1), L + 1)))


def _beside(cost: StepCost) -> tuple[sympy.Expr, sympy.Expr]:
    """What low-rank products add to a pass over L tokens, and to one token."""
    added = sympy.expand(N_LAYER * (cost.forward_layer - freezing_cost(N_LAYER).forward_layer).subs(B, 1))
    return added, added.subs(L, 1)


def methods() -> dict[str, Method]:
    """The four methods in the order of the seminar's overview."""
    prefix = (Group("K", 1, (P, D)), Group("V", 1, (P, D)))
    in_token = N_LAYER * attention(sympy.Integer(1), P)
    prompt_pass = sympy.expand(pass_multiply_adds(P + L) - pass_multiply_adds(L))
    return {
        "lora": Method("LoRA", tuple(lora_groups()), R, N_LAYER, *_beside(lora_cost()), ZERO),
        "adapters": Method(
            "Adapters", tuple(adapter_groups(biases=False)), R, N_LAYER, *_beside(adapter_cost()), ZERO
        ),
        "prefix": Method("Prefix tuning", prefix, P, N_LAYER, N_LAYER * attention(L, P), in_token, cache_values(P)),
        "prompt": Method(
            "Prompt tuning", (Group("E", 1, (P, D)),), P, sympy.Integer(1), prompt_pass, in_token, cache_values(P)
        ),
    }  # fmt: skip
