"""Pruning one layer: which weights stay by magnitude, by N:M and by neuron, and the error of what stays.

A layer has a row of integer codes for each output and a column for each neuron that feeds it. The problem it is fitted to
has integer numbers, so that every error is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy

from generators.courses.utaustin.lecture25_pruning.params import Layer, Pattern

Codes: TypeAlias = tuple[tuple[int, ...], ...]
Mask: TypeAlias = tuple[tuple[bool, ...], ...]

CODE_UNIT = 100
"""A code is a hundredth of a target's unit, which is a hundredth too, so a weight is code/10 000."""
LARGEST_INPUT = 9


@dataclass(frozen=True)
class Problem:
    """What least squares needs of data X and Y: XᵀX, XᵀY with a row for each output, and the sum of squares of each output."""

    gram: Sequence[Sequence[int]]
    cross: Sequence[Sequence[int]]
    energies: Sequence[int]


def seeded_problem(layer: Layer) -> Problem:
    """The sums over seeded integers: neighbouring inputs are correlated, targets come from heavy-tailed weights plus noise."""
    draw = numpy.random.default_rng(layer.seed)
    base = draw.integers(-LARGEST_INPUT, LARGEST_INPUT + 1, size=(layer.n_samples, layer.n_inputs))
    x = 2 * base + numpy.roll(base, 1, axis=1)
    first, second = draw.integers(-9, 10, size=(2, layer.n_outputs, layer.n_inputs))
    importance = draw.integers(1, 10, size=layer.n_inputs)
    noise = draw.integers(-layer.noise, layer.noise + 1, size=(layer.n_samples, layer.n_outputs))
    y = x @ (first * second * importance).T + noise
    return Problem((x.T @ x).tolist(), (y.T @ x).tolist(), (y * y).sum(0).tolist())


def fitted(problem: Problem) -> Codes:
    """The least-squares layer, rounded to codes."""
    return tuple(tuple(round(v * CODE_UNIT) for v in row) for row in _least_squares(problem.gram, problem.cross))


def name_of(pattern: Pattern) -> str:
    """N:M."""
    return f"{pattern.kept}:{pattern.group}"


def sparsity_of(pattern: Pattern) -> Fraction:
    """The share that goes."""
    return 1 - Fraction(pattern.kept, pattern.group)


def kept_count(total: int, sparsity: Fraction) -> int:
    """How many of `total` stay; the number dropped is rounded, halves to even."""
    return total - round(sparsity * total)


def _largest(scores: Sequence[int], count: int) -> list[bool]:
    """Mark the `count` largest, of equals the earlier."""
    kept = set(sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count])
    return [i in kept for i in range(len(scores))]


def by_magnitude(codes: Codes, sparsity: Fraction) -> Mask:
    """Unstructured: the largest magnitudes of the whole matrix stay."""
    width = len(codes[0])
    scores = [abs(code) for row in codes for code in row]
    kept = _largest(scores, kept_count(len(scores), sparsity))
    return tuple(tuple(kept[start : start + width]) for start in range(0, len(kept), width))


def by_neuron(codes: Codes, sparsity: Fraction) -> Mask:
    """Structured: the columns of the largest norm stay whole."""
    norms = [sum(code * code for code in column) for column in zip(*codes, strict=True)]
    kept = _largest(norms, kept_count(len(norms), sparsity))
    return tuple(tuple(kept) for _ in codes)


def n_of_m(codes: Codes, pattern: Pattern) -> Mask:
    """N:M: of every group of neighbours in a row the largest magnitudes stay."""
    starts = range(0, len(codes[0]), pattern.group)
    groups = [[[abs(code) for code in row[start : start + pattern.group]] for start in starts] for row in codes]
    return tuple(tuple(stays for group in row for stays in _largest(group, pattern.kept)) for row in groups)


def error(problem: Problem, codes: Codes, mask: Mask) -> Fraction:
    """Squared error of the pruned layer's outputs over the targets' sum of squares; what stays is left as it was."""
    gram, cross = (numpy.array(rows, dtype=object) for rows in (problem.gram, problem.cross))
    kept, energy = numpy.array(codes, dtype=object) * mask, sum(problem.energies)
    squared = (kept @ gram * kept).sum() - 2 * CODE_UNIT * (kept * cross).sum() + CODE_UNIT**2 * energy
    return Fraction(int(squared), CODE_UNIT**2 * energy)


def refitted_error(problem: Problem, mask: Mask) -> Fraction:
    """The same after fitting the weights that stay once more by least squares, each output by itself."""
    explained = Fraction(0)
    for bits, cross in zip(mask, problem.cross, strict=True):
        kept = [place for place, stays in enumerate(bits) if stays]
        if kept:
            (weights,) = _least_squares([[problem.gram[x][y] for y in kept] for x in kept], [[cross[x] for x in kept]])
            explained += sum((weight * cross[x] for weight, x in zip(weights, kept, strict=True)), Fraction(0))
    return 1 - explained / sum(problem.energies)


def _least_squares(gram: Sequence[Sequence[int]], cross: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    """The weights of each output that solve its normal equations, exactly: whole numbers over one denominator."""
    from sympy import ZZ
    from sympy.polys.matrices import DomainMatrix

    sums, products = (DomainMatrix.from_list([list(row) for row in rows], ZZ) for rows in (gram, cross))
    found, denominator = sums.solve_den(products.transpose())
    return [[Fraction(int(v), int(denominator)) for v in row] for row in found.transpose().to_list()]
