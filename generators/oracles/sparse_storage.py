"""Counts bytes and FLOPs of a pruned matrix on torch's own tensors, most of them without storage."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.sparse._semi_structured_conversions import sparse_semi_structured_from_dense_cutlass

from generators.answer import Cell, rational
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.oracles.gated_decoder import counted_values
from generators.oracles.products import ProductRecorder
from generators.steps import Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_pruning import PruningParams

VERSION = torch.__version__.split("+")[0]
BY = "torch, bytes of meta tensors"
FLOPS = "torch, FLOP counter on meta tensors"
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

    def csr(self, kept: int) -> int:
        """Bytes of torch's three tensors of a CSR matrix."""
        indices = INDICES[self.index]
        crow = torch.empty(self.rows + 1, dtype=indices, device="meta")
        column = torch.empty(kept, dtype=indices, device="meta")
        return _bytes(crow, column, torch.empty(kept, dtype=VALUES[self.value], device="meta"))

    def bitmap(self, kept: int) -> Fraction:
        """Bytes of the values and of one bit a place."""
        places = torch.empty(self.rows, self.columns, dtype=torch.bool, device="meta").numel()
        return _bytes(torch.empty(kept, dtype=VALUES[self.value], device="meta")) + Fraction(places, 8)

    def pattern(self) -> Fraction:
        """Bytes of the values of all groups, and of the bits that tell a place from the others."""
        groups = Fraction(self.rows * self.columns, self.group)
        bits = len(f"{self.group - 1:b}")
        return groups * sum((Fraction(8 * self.value + bits, 8) for _ in range(self.kept)), Fraction(0))

    def crossing(self, at_none: Fraction, at_one: Fraction) -> Fraction:
        """The sparsity at which a format, whose bytes grow evenly with the values held, meets the dense matrix."""
        return 1 - (self.dense() - at_none) / (at_one - at_none) / (self.rows * self.columns)


OTHER = Matrix(6, 40, 2, 8, 3, 8)
OTHER_TOKENS = 5


def _bytes(*tensors: torch.Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _matrix(params: PruningParams) -> Matrix:
    stored, held, pattern = params.stored, params.conventions, params.pattern
    return Matrix(
        stored.n_rows, stored.n_columns, held.bytes_per_value, held.bytes_per_index, pattern.kept, pattern.group
    )  # fmt: skip


def _found(one: Matrix) -> dict[str, Fraction]:
    return {
        "dense": Fraction(one.dense()),
        "csr_break_even": one.crossing(Fraction(one.csr(0)), Fraction(one.csr(1))),
        "bitmap_break_even": one.crossing(one.bitmap(0), one.bitmap(1)),
        "pattern": one.pattern(),
    }


def _sizes(one: Matrix, tokens: int = 1) -> dict[str, int | Fraction]:
    """The letters of the formulas."""
    share = Fraction(one.group - one.kept, one.group)
    sizes: dict[str, int | Fraction] = {"m": one.rows, "n": one.columns, "b": one.value, "i": one.index, "T": tokens}
    return sizes | {"s": share, "N": one.kept, "M": one.group, "p": len(f"{one.group - 1:b}")}


def check_bytes(params: PruningParams, part: Part) -> Iterator[Check]:
    """Check bytes, break-even sparsities and the table of formats."""
    one = _matrix(params)
    found = _found(one)
    for name, value in found.items():
        yield same(f"3, {part[name].what}", rational(part[name].value), value, BY)
    triples: list[Formula] = [(name, part[name].formula, value) for name, value in _found(OTHER).items()]
    yield same_formulas("3, formulas", triples, _sizes(OTHER), BY)
    yield same_letters("3, numbers put in", part.steps, _sizes(one, params.stored.n_tokens))
    yield same("3, most weights in CSR", part["fits"].value, _most(one), "bisection on the bytes of torch's tensors")
    share = found["pattern"] / found["dense"]
    yield same("3, N:M over dense", rational(part["pattern_share"].value), share, BY)
    yield same_rows("3, formats", part.tables["formats"], _rows(params, one), BY)
    yield _check_real_csr(replace(one, rows=7, columns=9))
    if (one.kept, one.group, one.value) == (2, 4, 2):
        yield _check_semi_structured(share)


def _most(one: Matrix) -> int:
    """The most values with which CSR is no larger than dense, by bisection."""
    low, high = 0, one.rows * one.columns
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if one.csr(middle) <= one.dense() else (low, middle)
    return low


def _rows(params: PruningParams, one: Matrix) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for share in params.stored.sparsities:
        kept = one.rows * one.columns - round(float(share) * one.rows * one.columns)
        columns = one.columns - round(float(share) * one.columns)
        narrower = replace(one, columns=columns).dense()
        sizes = (Fraction(held) / one.dense() for held in (one.csr(kept), one.bitmap(kept), narrower))
        rows.append((_plain(share), kept, *map(_plain, sizes)))
    return rows


def _plain(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number


def _check_real_csr(one: Matrix) -> Check:
    """A matrix with values that torch itself turns to CSR, and whose indices have 8 bytes there."""
    held = torch.arange(one.rows * one.columns).reshape(one.rows, one.columns) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # CSR is announced as beta
        sparse = held.to(torch.float32).to_sparse_csr()
    found = _bytes(sparse.crow_indices(), sparse.col_indices(), sparse.values())
    counted_bytes = replace(one, value=4, index=8).csr(int((held != 0).sum()))
    return same("3, bytes of a matrix turned to CSR", counted_bytes, found, f"torch, version {VERSION}, to_sparse_csr")


@lru_cache(maxsize=1)
def _compressed_share() -> Fraction:
    dense = torch.tensor([1, 0, 2, 0], dtype=torch.float16).repeat(32, 16)
    values, places = sparse_semi_structured_from_dense_cutlass(dense)
    return Fraction(_bytes(values, places), _bytes(dense))


def _check_semi_structured(share: Fraction) -> Check:
    by = f"torch, version {VERSION}, conversion to 2:4 for CUTLASS"
    return same("3, 2:4 over dense, as torch compresses it", share, _compressed_share(), by)


def _flops(tokens: int, columns: int, rows: int) -> int:
    counter = ProductRecorder()
    with torch.device("meta"), torch.no_grad(), counter:
        nn.Linear(columns, rows, bias=False)(torch.empty(tokens, columns))
    return counter.flops


def _work(one: Matrix, tokens: int, flops: int) -> dict[str, Fraction]:
    """FLOPs as the page counts them; torch counts two a multiply-add."""
    left = one.columns * one.kept // one.group
    products = {"dense": one.columns, "narrower": left}
    return {name: Fraction(_flops(tokens, columns, one.rows) * flops, 2) for name, columns in products.items()}


def check_work(params: PruningParams, part: Part) -> Iterator[Check]:
    """Check FLOPs, tiles and the shapes of pruned models."""
    one, tokens, flops = _matrix(params), params.stored.n_tokens, params.conventions.flops_per_multiply_add
    for name, value in _work(one, tokens, flops).items():
        yield same(f"4, {part[name].what}", rational(part[name].value), value, FLOPS)
    triples: list[Formula] = [(name, part[name].formula, found) for name, found in _work(OTHER, OTHER_TOKENS, flops).items()]
    yield same_formulas("4, formulas", triples, _sizes(OTHER, OTHER_TOKENS), FLOPS)
    yield same_letters("4, numbers put in", part.steps, _sizes(one, tokens))
    kept = one.rows * one.columns - round(one.rows * one.columns * (one.group - one.kept) / one.group)
    yield same("4, FLOPs of weights that stay", part["useful"].value, _flops(tokens, kept, 1) * flops // 2, FLOPS)
    yield same_rows("4, tiles", part.tables["tiles"], [_tiled(w, params.tile) for w in params.widths], "enumeration: every tile")
    yield same_rows("4, shapes", part.tables["shapes"], _shapes(params, flops), "torch, meta tensors")


def _tiled(width: int, tile: int) -> tuple[Cell, ...]:
    computed = sum(tile for _ in range(0, width, tile))
    return width, len(range(0, width, tile)), computed, _plain(Fraction(width, computed))


def _shapes(params: PruningParams, flops: int) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    counts = [counted_values(one.n_layers, one.d_model, one.d_ff, one.vocabulary_size) for one in params.shapes]
    for one, count in zip(params.shapes, counts, strict=True):
        left = _plain(Fraction(count[0], counts[0][0]))
        rows.append((one.name, one.n_layers, one.d_model, one.d_ff, count[0], left, flops * count[1]))
    return rows
