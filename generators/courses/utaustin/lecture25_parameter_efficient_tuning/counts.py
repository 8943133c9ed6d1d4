"""Which share of a transformer BitFit, adapters and LoRA train: counts from a model's configuration.

A layer has query, key, value and output of D×D, a feed-forward network of width D_ff, two layer norms, and biases everywhere.
Outside the layers stand E rows of embeddings or of an output head, a norm, and BERT's pooler of D×D.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from generators.topics.peft import ATTENTION_MATRICES, N_LAYER, D, R, adapter_groups, total

D_FF, E = sympy.symbols("D_ff E", positive=True)
ROWS, COLUMNS, SHARE, N_MODEL, R_AD = sympy.symbols("m n q N_model R_ad", positive=True)
NORM_VALUES = 2 * 2 * D
"""Scales and shifts of a layer's two norms."""
FFN = ("up", "down")


def rows_outside(kind: str, vocabulary: int, positions: int, segments: int) -> int:
    """BERT embeds words, positions and segments; GPT-NeoX embeds words and has an output head."""
    return vocabulary + positions + segments if kind == "bert" else 2 * vocabulary


def model_values(kind: str) -> sympy.Expr:
    """All values of the model; BERT has a pooler."""
    layer = ATTENTION_MATRICES * (D**2 + D) + (D * D_FF + D_FF) + (D_FF * D + D) + NORM_VALUES
    return N_LAYER * sympy.expand(layer) + D * E + 2 * D + (D**2 + D if kind == "bert" else 0)


def bias_values(kind: str) -> sympy.Expr:
    """BitFit: every bias, those of norms and pooler among them."""
    return N_LAYER * sympy.expand(ATTENTION_MATRICES * D + D_FF + D + 2 * D) + (2 if kind == "bert" else 1) * D


def some_bias_values() -> sympy.Expr:
    """BitFit on the biases of query and of the first feed-forward matrix."""
    return N_LAYER * (D + D_FF)


def adapter_values(*, norms: bool) -> sympy.Expr:
    """Two adapters with biases in each layer, of inner width R_ad; `norms` trains the layer's norms as well."""
    return N_LAYER * (total(adapter_groups(biases=True)).subs(R, R_AD) + (NORM_VALUES if norms else 0))


def lora_values(kind: str, on: Sequence[str]) -> sympy.Expr:
    """A and B of rank R beside the matrices named, R values for each row and column of these.

    GPT-NeoX holds query, key and value in one D×3D matrix, which gets one pair if any of them is named.
    """
    ends = {name: D + D_FF if name in FFN else 2 * D for name in on}
    if kind == "gpt_neox":
        ends = {"fused" if name in ("query", "key", "value") else name: one for name, one in ends.items()}
        ends = {name: 4 * D if name == "fused" else one for name, one in ends.items()}
    return R * N_LAYER * sum(ends.values(), sympy.Integer(0))


def width_for_share(*, norms: bool) -> sympy.Expr:
    """The inner width at which adapters train a share q of the model."""
    return sympy.solve(adapter_values(norms=norms) - SHARE * N_MODEL, R_AD)[0]
