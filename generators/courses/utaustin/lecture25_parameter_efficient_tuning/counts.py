"""Which share of a BERT is trained by BitFit, adapters and LoRA: counts from its configuration.

A layer has query, key, value and output of D×D, a feed-forward network of width D_ff, two layer norms, and biases everywhere.
Outside the layers stand N_rows rows of embeddings, a norm, and a pooler of D×D.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from generators.topics.peft import ATTENTION_MATRICES, N_LAYER, D, R, adapter_groups, total

D_FF, N_ROWS = sympy.symbols("D_ff N_rows", positive=True)
SHARE, N_MODEL, R_AD = sympy.symbols("omega N_model R_ad", positive=True)
NORM_VALUES = 2 * 2 * D
"""Scales and shifts of a layer's two norms."""
FFN = ("up", "down")


def model_values() -> sympy.Expr:
    """All values of the model."""
    layer = ATTENTION_MATRICES * (D**2 + D) + (D * D_FF + D_FF) + (D_FF * D + D) + NORM_VALUES
    return N_LAYER * sympy.expand(layer) + D * N_ROWS + 2 * D + D**2 + D


def bias_values() -> sympy.Expr:
    """BitFit: every bias, those of norms and pooler among them."""
    return N_LAYER * sympy.expand(ATTENTION_MATRICES * D + D_FF + D + 2 * D) + 2 * D


def adapter_values(*, norms: bool) -> sympy.Expr:
    """Two adapters with biases in each layer, of inner width R_ad; `norms` trains the layer's norms as well."""
    return N_LAYER * (total(adapter_groups(biases=True)).subs(R, R_AD) + (NORM_VALUES if norms else 0))


def lora_values(on: Sequence[str]) -> sympy.Expr:
    """A and B of rank R beside the matrices named, R values for each row and column of these."""
    return R * N_LAYER * sum((D + D_FF if name in FFN else 2 * D for name in on), sympy.Integer(0))


def width_for_share(*, norms: bool) -> sympy.Expr:
    """The inner width at which adapters train a share omega of the model."""
    return sympy.solve(adapter_values(norms=norms) - SHARE * N_MODEL, R_AD)[0]
