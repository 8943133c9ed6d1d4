"""Bytes of fine-tuning with QLoRA: codes and scales, adapters with their gradients, Adam's states, and activations.

Adapters of rank r stand beside four D×D and three D×D_ff matrices in each layer.
"""

from __future__ import annotations

import sympy

N, b1, b2, c1, c2, s = sympy.symbols("N b_1 b_2 c_1 c_2 s", positive=True)
N_layer, D, D_ff, V, r = sympy.symbols("N_layer D D_ff V r", positive=True)
CODE_BITS = 4
ADAPTED = 7
"""Matrices with an adapter in a layer."""


def plain_overhead() -> sympy.Expr:
    """Bits a weight for the scales of its block."""
    return c1 / b1


def double_overhead() -> sympy.Expr:
    """Bits a weight for quantized scales, and for the scales of their blocks."""
    return c2 / b1 + c1 / (b1 * b2)


def adapter_values() -> sympy.Expr:
    """Values of A and B beside every matrix: r for each row and each column of it."""
    return r * N_layer * (8 * D + 3 * (D + D_ff))


def state_bytes() -> sympy.Expr:
    """Adam's two FP32 averages for each value, and a step count of 4 bytes for each tensor."""
    return 8 * adapter_values() + 4 * 2 * ADAPTED * N_layer


def fixed_bytes() -> sympy.Expr:
    """What stays on the accelerator: NF4 codes with quantized scales, adapters and their gradients."""
    return sympy.ceiling(N * (CODE_BITS + double_overhead()) / 8) + 2 * s * adapter_values()


def unquantized_bytes() -> sympy.Expr:
    """Bytes more if the embedding and the output head, V×D each, stay in 16 bits instead of NF4 with quantized scales."""
    return 2 * V * D * (16 - CODE_BITS - double_overhead()) / 8


def per_token() -> sympy.Expr:
    """Bytes of activations a token: the input of each layer, all else is computed again (gradient checkpointing)."""
    return s * N_layer * D
