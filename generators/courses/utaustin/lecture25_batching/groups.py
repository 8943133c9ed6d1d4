"""Equal products of one decoding step, in the letters of the page."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from generators.topics.roofline import Product

BATCH, CONTEXT, N_LAYER, D, N_HEAD, V = sympy.symbols("b n N_layer D n_H V", positive=True)


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
