"""Bytes and FLOPs of a pruned matrix of m×n: compressed sparse rows (CSR), a bitmap, N:M, and fewer columns.

b bytes a value and i an index; k values stay; s is the share that does not; T tokens pass.
"""

from __future__ import annotations

import sympy

m, n, b, i, k, s, T = sympy.symbols("m n b i k s T", positive=True)
N_KEPT, M_GROUP, P = sympy.symbols("N M p", positive=True)


def dense_bytes() -> sympy.Expr:
    """Every value, zero or not."""
    return b * m * n


def csr_bytes() -> sympy.Expr:
    """Each value that stays with its column, and where each row begins and ends."""
    return (b + i) * k + i * (m + 1)


def bitmap_bytes() -> sympy.Expr:
    """Each value that stays, and a bit for every place."""
    return b * k + m * n / 8


def n_of_m_bytes() -> sympy.Expr:
    """N values of every M, each with its place in the group in p bits."""
    return m * n * N_KEPT / M_GROUP * (b + P / 8)


def csr_break_even() -> sympy.Expr:
    """The sparsity from which CSR takes no more than the dense matrix."""
    return 1 - (dense_bytes() - i * (m + 1)) / ((b + i) * m * n)


def bitmap_break_even() -> sympy.Expr:
    """The same for a bitmap: a bit a place against b bytes saved for each zero."""
    return 1 / (8 * b)


def dense_multiply_adds() -> sympy.Expr:
    """Of T tokens through the dense matrix, which multiplies zeros like everything else."""
    return T * m * n


def narrower_multiply_adds() -> sympy.Expr:
    """The same with a share s of the columns gone."""
    return T * m * (n - s * n)
