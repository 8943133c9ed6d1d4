"""Counts bytes and FLOPs of a pruned matrix on torch's own tensors, most of them without storage, for `find`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import nn
from torch.sparse._semi_structured_conversions import sparse_semi_structured_from_dense_cutlass

from generators.oracles.products import ProductRecorder

VALUES = {1: torch.int8, 2: torch.float16, 4: torch.float32}
INDICES = {4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Matrix:
    """A matrix's sizes, bytes a value and an index, and the N:M pattern."""

    rows: int
    columns: int
    value: int
    index: int
    kept: int
    group: int

    def dense(self) -> int:
        """Bytes of every value."""
        return _bytes(torch.empty(self.rows, self.columns, dtype=VALUES[self.value], device="meta"))

    def csr(self, kept: int) -> Fraction:
        """Bytes of torch's three tensors of a CSR matrix."""
        indices = [torch.empty(size, dtype=INDICES[self.index], device="meta") for size in (self.rows + 1, kept)]
        return Fraction(_bytes(*indices, torch.empty(kept, dtype=VALUES[self.value], device="meta")))

    def bitmap(self, kept: int) -> Fraction:
        """Bytes of the values and of one bit a place."""
        places = torch.empty(self.rows, self.columns, dtype=torch.bool, device="meta").numel()
        return _bytes(torch.empty(kept, dtype=VALUES[self.value], device="meta")) + Fraction(places, 8)

    def place_bits(self) -> int:
        """Digits that the last place of a group has in binary."""
        return len(f"{self.group - 1:b}")

    def pattern(self) -> Fraction:
        """Bytes of the values of all groups, and of the bits that tell a place from the others."""
        groups = Fraction(self.rows * self.columns, self.group)
        return groups * sum((Fraction(8 * self.value + self.place_bits(), 8) for _ in range(self.kept)), Fraction(0))

    def crossing(self, format_bytes: Callable[[int], Fraction]) -> Fraction:
        """The sparsity at which a format, whose bytes grow evenly with the values held, meets the dense matrix."""
        none, one = format_bytes(0), format_bytes(1)
        return 1 - (self.dense() - none) / (one - none) / (self.rows * self.columns)

    def most_in_csr(self) -> int:
        """The most values with which CSR is no larger than dense, by bisection."""
        low, high = 0, self.rows * self.columns
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.csr(middle) <= self.dense() else (low, middle)
        return low


def _bytes(*tensors: torch.Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def dropped(total: int, sparsity: Fraction) -> int:
    """As torch rounds a share of a tensor; halves go to the even number."""
    return int(torch.round(torch.tensor(float(sparsity * total), dtype=torch.float64)))


def flops(tokens: int, columns: int, rows: int) -> int:
    """FLOPs of tokens through a matrix as torch counts them, two a multiply-add."""
    counter = ProductRecorder()
    with torch.device("meta"), torch.no_grad(), counter:
        nn.Linear(columns, rows, bias=False)(torch.empty(tokens, columns))
    return counter.flops


def csr_difference(one: Matrix) -> Fraction:
    """Between what is counted for a small matrix and what torch's own conversion holds, whose indices have 8 bytes."""
    one = replace(one, rows=7, columns=9, value=4, index=8)
    held = torch.arange(one.rows * one.columns).reshape(one.rows, one.columns) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # CSR is announced as beta
        sparse = held.to(torch.float32).to_sparse_csr()
    found = _bytes(sparse.crow_indices(), sparse.col_indices(), sparse.values())
    return one.csr(int((held != 0).sum())) - found


def compressed_share() -> Fraction:
    """Bytes of 2:4 as torch compresses FP16 for CUTLASS, over the dense matrix."""
    dense = torch.tensor([1, 0, 2, 0], dtype=torch.float16).repeat(32, 16)
    values, places = sparse_semi_structured_from_dense_cutlass(dense)
    return Fraction(_bytes(values, places), _bytes(dense))
