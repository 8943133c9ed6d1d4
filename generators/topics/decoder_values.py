"""Values of a decoder whose layers have gated feed-forward networks, with an output head of its own."""

from __future__ import annotations

import sympy

N_LAYER, D, D_FF, V = sympy.symbols("N_layer D D_ff V", positive=True)


def matrix_values() -> sympy.Expr:
    """Values of the matrices that every step reads: attention and gated feed-forward layers, and the output head."""
    return N_LAYER * (4 * D**2 + 3 * D * D_FF) + D * V


def model_values() -> sympy.Expr:
    """All values of the model: its matrices, the embedding, and two norms a layer and one at the end."""
    return matrix_values() + D * V + (2 * N_LAYER + 1) * D
