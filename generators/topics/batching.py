"""One decoding step for a batch of sequences: its products, its weights and its caches.

A layer has W^Q, W^K, W^V, W^O of D×D, W^1 of D×4D and W^2 of 4D×D; an output head of D×V follows the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import sympy

from generators.topics.roofline import Product

BATCH, CONTEXT, N_LAYER, D, N_HEAD, V = sympy.symbols("b n N_layer D n_H V", positive=True)

Size: TypeAlias = int | sympy.Symbol


@dataclass(frozen=True)
class Sizes:
    """Sequences in the batch, cached tokens of each, the token of the step included, and the model; numbers or letters."""

    batch: Size = BATCH
    context: Size = CONTEXT
    n_layers: Size = N_LAYER
    d_model: Size = D
    n_heads: Size = N_HEAD
    vocabulary: Size = V


@dataclass(frozen=True)
class Group:
    """Equal products of one step, and how many there are of them."""

    count: sympy.Expr
    product: Product

    def flops(self, flops_per_multiply_add: int) -> sympy.Expr:
        """FLOPs of the whole group."""
        return self.count * self.product.flops(flops_per_multiply_add)

    def bytes_moved(self, bytes_per_element: int) -> sympy.Expr:
        """Bytes of the whole group."""
        return sympy.expand(self.count * self.product.bytes_moved(bytes_per_element))


def weight_groups(sizes: Sizes) -> list[Group]:
    """Products with weights: all sequences of the batch share one reading of each matrix."""
    b, layers, d = (sympy.sympify(size) for size in (sizes.batch, sizes.n_layers, sizes.d_model))
    return [
        Group(4 * layers, Product(b, d, d)),
        Group(layers, Product(b, d, 4 * d)),
        Group(layers, Product(b, 4 * d, d)),
        Group(sympy.Integer(1), Product(b, d, sympy.sympify(sizes.vocabulary))),
    ]


def attention_groups(sizes: Sizes) -> list[Group]:
    """QKᵀ and score·V: each head of each sequence reads keys and values of its own."""
    n, d, heads = (sympy.sympify(size) for size in (sizes.context, sizes.d_model, sizes.n_heads))
    count = sympy.sympify(sizes.batch) * sizes.n_layers * heads
    one = sympy.Integer(1)
    return [Group(count, Product(one, d / heads, n)), Group(count, Product(one, n, d / heads))]


def weight_values(sizes: Sizes) -> sympy.Expr:
    """Values of all matrices."""
    return sum(group.count * group.product.k * group.product.n for group in weight_groups(sizes))


def cache_values(sizes: Sizes) -> sympy.Expr:
    """Keys and values of one sequence in all layers."""
    return 2 * sympy.sympify(sizes.n_layers) * sizes.context * sizes.d_model
