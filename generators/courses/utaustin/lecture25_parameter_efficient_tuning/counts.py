"""Which share of a transformer BitFit, adapters and LoRA train: counts from a model's configuration.

A layer has query, key, value and output of D×D, a feed-forward network of width D_ff, two layer norms, and biases everywhere.
Outside the layers stand E rows of embeddings or of an output head, a norm, and BERT's pooler of D×D.
"""

from __future__ import annotations

import sympy

from generators.topics.peft import ATTENTION_MATRICES, N_LAYER, D, R, adapter_groups, low_rank_groups, total

D_FF, E = sympy.symbols("D_ff E", positive=True)
ROWS, COLUMNS, SHARE, N_MODEL = sympy.symbols("m n q N_model", positive=True)
NORMS_PER_LAYER = 2


def rows_outside(kind: str, vocabulary: int, positions: int, segments: int) -> int:
    """BERT embeds words, positions and segments; GPT-NeoX embeds words and has an output head."""
    return vocabulary + positions + segments if kind == "bert" else 2 * vocabulary


def layer_values() -> sympy.Expr:
    """All values of one layer: attention, feed-forward network, and norms with scale and shift."""
    attention = ATTENTION_MATRICES * (D**2 + D)
    return sympy.expand(attention + (D * D_FF + D_FF) + (D_FF * D + D) + norm_values())


def norm_values() -> sympy.Expr:
    """Scales and shifts of a layer's norms."""
    return NORMS_PER_LAYER * 2 * D


def model_values(kind: str) -> sympy.Expr:
    """All values of the model; BERT has a pooler."""
    return N_LAYER * layer_values() + D * E + 2 * D + (D**2 + D if kind == "bert" else 0)


def bias_values(kind: str) -> sympy.Expr:
    """BitFit: every bias, those of norms and pooler among them."""
    return N_LAYER * sympy.expand(ATTENTION_MATRICES * D + D_FF + D + NORMS_PER_LAYER * D) + (2 if kind == "bert" else 1) * D


def some_bias_values() -> sympy.Expr:
    """BitFit on the biases of query and of the first feed-forward matrix."""
    return N_LAYER * (D + D_FF)


def adapter_values(*, norms: bool) -> sympy.Expr:
    """Two adapters with biases in each layer, of inner width R; `norms` trains the layer's norms as well."""
    return N_LAYER * (total(adapter_groups(biases=True)) + (norm_values() if norms else 0))


def lora_values(kind: str, n_matrices: int) -> sympy.Expr:
    """A and B of rank R beside D×D matrices; GPT-NeoX holds query, key and value in one D×3D matrix, which gets one pair."""
    return N_LAYER * (total(low_rank_groups("W", n_matrices)) if kind == "bert" else R * (D + 3 * D))


def width_for_share(*, norms: bool) -> sympy.Expr:
    """The inner width at which adapters train a share q of the model."""
    return sympy.solve(adapter_values(norms=norms) - SHARE * N_MODEL, R)[0]
