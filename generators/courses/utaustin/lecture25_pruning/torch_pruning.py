"""Prunes the seeded layer with torch, and counts bytes and FLOPs on torch's own tensors, for `find`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy
import torch
from torch import nn
from torch.nn.utils import prune
from torch.sparse._semi_structured_conversions import sparse_semi_structured_from_dense_cutlass

from generators.courses.utaustin.lecture25_pruning.params import Layer, Pattern
from generators.oracles.products import ProductRecorder

TIE = 1e-9
"""Later weights count as smaller by so little that only ties are decided by it."""

Pruned = tuple[torch.Tensor, float, float]
"""A mask, the error with the weights as they were, and after fitting them again."""


def _digits(error: torch.Tensor) -> float:
    return float(f"{Decimal(float(error)):.3e}")


class Fit:
    """The seeded data and the layer fitted to it, rounded to hundredths of the targets' unit."""

    def __init__(self, layer: Layer) -> None:
        draw = numpy.random.default_rng(layer.seed)
        base = torch.tensor(draw.integers(-9, 10, size=(layer.n_samples, layer.n_inputs)))
        first, second = draw.integers(-9, 10, size=(2, layer.n_outputs, layer.n_inputs))
        weights = torch.tensor(first * second * draw.integers(1, 10, size=layer.n_inputs))
        noise = torch.tensor(draw.integers(-layer.noise, layer.noise + 1, size=(layer.n_samples, layer.n_outputs)))
        inputs = 2 * base + base.roll(1, 1)
        self.x, self.y = inputs.double(), (inputs @ weights.T + noise).double()
        self.codes = torch.round(100 * torch.linalg.lstsq(self.x, self.y).solution.T)

    def pruned(self, mask: torch.Tensor) -> Pruned:
        """Errors are squares over the squares of the targets, with as many digits as are published."""
        kept = self.y - self.x @ (self.codes / 100 * mask).T
        again = [self._residual(bits, target) for bits, target in zip(mask.bool(), self.y.T, strict=True)]
        energy = self.y.square().sum()
        return mask, _digits(kept.square().sum() / energy), _digits(torch.stack(again).sum() / energy)

    def _residual(self, bits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        x = self.x[:, bits]
        solution = torch.linalg.lstsq(x, target[:, None]).solution if bits.any() else torch.zeros(0, 1, dtype=torch.float64)
        return (target - (x @ solution)[:, 0]).square().sum()

    def magnitude(self, sparsity: Fraction) -> Pruned:
        """Torch's unstructured pruning by L1 norm."""
        layer, n_weights = self._linear(), self.codes.numel()
        scores = self.codes.abs() - TIE * torch.arange(n_weights).reshape(self.codes.shape)
        prune.l1_unstructured(layer, "weight", amount=dropped(n_weights, sparsity), importance_scores=scores)
        return self.pruned(layer.weight_mask)

    def neurons(self, sparsity: Fraction) -> Pruned:
        """Torch's structured pruning of columns by L2 norm."""
        layer = self._linear()
        prune.ln_structured(layer, "weight", amount=dropped(self.codes.shape[1], sparsity), n=2, dim=1)
        return self.pruned(layer.weight_mask)

    def n_of_m(self, pattern: Pattern) -> Pruned:
        """Of every choice in a group, the one with the largest sum of magnitudes, the first of equals."""
        places = range(pattern.group)
        chosen = [[float(place in one) for place in places] for one in combinations(places, pattern.kept)]
        choices = torch.tensor(chosen, dtype=torch.float64)
        groups = self.codes.abs().reshape(len(self.codes), -1, pattern.group)
        return self.pruned(choices[(groups @ choices.T).argmax(-1)].reshape(self.codes.shape))

    def _linear(self) -> Any:
        layer = nn.Linear(self.codes.shape[1], self.codes.shape[0], bias=False, dtype=torch.float64)
        layer.weight.data.copy_(self.codes)
        return layer


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

    def place_bits(self) -> int:
        """Digits that the last place of a group has in binary."""
        return len(f"{self.group - 1:b}")

    def pattern(self) -> Fraction:
        """Bytes of the values of all groups, and of the bits that tell a place from the others."""
        groups = Fraction(self.rows * self.columns, self.group)
        return groups * sum((Fraction(8 * self.value + self.place_bits(), 8) for _ in range(self.kept)), Fraction(0))

    def csr_meets_dense(self) -> Fraction:
        """The sparsity at which CSR, whose bytes grow evenly with the values held, is as large as the dense matrix."""
        none, one = self.csr(0), self.csr(1)
        return 1 - (self.dense() - none) / (one - none) / (self.rows * self.columns)


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
