"""FLOPs, bytes and arithmetic intensity of a matrix product, and the roofline of an accelerator."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.depending import greatest, least


@dataclass(frozen=True)
class Product:
    """A product (m×k)(k×n); sizes may be numbers or symbols."""

    m: sympy.Expr
    k: sympy.Expr
    n: sympy.Expr

    def flops(self, flops_per_multiply_add: int) -> sympy.Expr:
        """FLOPs of the m·n dot products of length k."""
        return flops_per_multiply_add * self.m * self.k * self.n

    def bytes_moved(self, bytes_per_element: int) -> sympy.Expr:
        """Bytes read for both operands and written for the result, each once."""
        return sympy.expand(bytes_per_element * (self.m * self.k + self.k * self.n + self.m * self.n))

    def intensity(self, flops_per_multiply_add: int, bytes_per_element: int) -> sympy.Expr:
        """Arithmetic intensity in FLOPs per byte, reduced."""
        return sympy.cancel(self.flops(flops_per_multiply_add) / self.bytes_moved(bytes_per_element))


def ridge_point(peak_flops_per_s: Fraction, bytes_per_s: Fraction) -> Fraction:
    """The intensity, in FLOPs per byte, from which a product is compute-bound."""
    return peak_flops_per_s / bytes_per_s


def attainable_share(intensity: Fraction, ridge: Fraction) -> Fraction:
    """The share of peak FLOP/s that memory bandwidth allows at this intensity, at most 1."""
    share: Fraction = least(Fraction(1), intensity / ridge)
    return share


def roofline_seconds(flops: Fraction, bytes_moved: Fraction, peak_flops_per_s: Fraction, bytes_per_s: Fraction) -> Fraction:
    """The time of arithmetic or of memory, whichever is longer, in seconds: both run at the same time."""
    seconds: Fraction = greatest(flops / peak_flops_per_s, bytes_moved / bytes_per_s)
    return seconds
