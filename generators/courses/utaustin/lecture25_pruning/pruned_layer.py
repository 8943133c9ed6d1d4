"""Pruning one layer: which weights stay by magnitude, by N:M and by neuron, and the error of what stays.

A layer has a row of integer codes for each output and a column for each neuron that feeds it. The problem it is fitted to
has integer numbers, so that every error is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

from generators.courses.utaustin.lecture25_pruning.params import Pattern

Codes: TypeAlias = tuple[tuple[int, ...], ...]
Mask: TypeAlias = tuple[tuple[bool, ...], ...]

TARGET_UNIT = 100
"""Targets are integers in hundredths."""
CODE_UNIT = 100
"""A code is a hundredth of a target's unit, so a weight is code/10 000."""
LARGEST_INPUT = 9


@dataclass(frozen=True)
class Problem:
    """What least squares needs of data X and Y: XᵀX, XᵀY with a row for each output, and the sum of squares of each output."""

    gram: tuple[tuple[int, ...], ...]
    cross: tuple[tuple[int, ...], ...]
    energies: tuple[int, ...]


def seeded_data(seed: int, n_samples: int, n_inputs: int, n_outputs: int, noise: int) -> tuple[Any, Any]:
    """Integer arrays X (samples × inputs), neighbours correlated, and Y (samples × outputs): heavy-tailed weights plus noise."""
    import numpy

    draw = numpy.random.default_rng(seed)
    base = draw.integers(-LARGEST_INPUT, LARGEST_INPUT + 1, size=(n_samples, n_inputs))
    x = 2 * base + numpy.roll(base, 1, axis=1)
    first, second = draw.integers(-9, 10, size=(2, n_outputs, n_inputs))
    importance = draw.integers(1, 10, size=n_inputs)
    y = x @ (first * second * importance).T + draw.integers(-noise, noise + 1, size=(n_samples, n_outputs))
    return x, y


@lru_cache(maxsize=8)
def seeded_problem(seed: int, n_samples: int, n_inputs: int, n_outputs: int, noise: int) -> Problem:
    """The sums over the seeded data."""
    x, y = seeded_data(seed, n_samples, n_inputs, n_outputs, noise)
    gram, cross = ((x.T @ x).tolist(), (y.T @ x).tolist())
    return Problem(tuple(map(tuple, gram)), tuple(map(tuple, cross)), tuple((y * y).sum(0).tolist()))


@lru_cache(maxsize=8)
def fitted(problem: Problem) -> Codes:
    """The least-squares layer, rounded to codes."""
    from sympy import QQ, ZZ
    from sympy.polys.matrices import DomainMatrix

    size, n_outputs = len(problem.gram), len(problem.cross)
    gram = DomainMatrix([list(map(ZZ, row)) for row in problem.gram], (size, size), ZZ).convert_to(QQ)
    columns = [[ZZ(row[i]) for row in problem.cross] for i in range(size)]
    found = gram.lu_solve(DomainMatrix(columns, (size, n_outputs), ZZ).convert_to(QQ)).to_Matrix().tolist()
    return tuple(tuple(round(Fraction(int(v.p), int(v.q)) * CODE_UNIT) for v in column) for column in zip(*found, strict=True))


def name_of(pattern: Pattern) -> str:
    """N:M."""
    return f"{pattern.kept}:{pattern.group}"


def sparsity_of(pattern: Pattern) -> Fraction:
    """The share that goes."""
    return 1 - Fraction(pattern.kept, pattern.group)


def kept_count(total: int, sparsity: Fraction) -> int:
    """How many of `total` stay; the number dropped is rounded, halves to even."""
    return total - round(sparsity * total)


def _largest(scores: Sequence[int], count: int) -> set[int]:
    """Places of the `count` largest, of equals the earlier."""
    return set(sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count])


def by_magnitude(codes: Codes, sparsity: Fraction) -> Mask:
    """Unstructured: the largest magnitudes of the whole matrix stay."""
    width = len(codes[0])
    scores = [abs(code) for row in codes for code in row]
    kept = _largest(scores, kept_count(len(scores), sparsity))
    return tuple(tuple(i * width + j in kept for j in range(width)) for i in range(len(codes)))


def neuron_norms(codes: Codes) -> list[int]:
    """The squared norm of each neuron's column."""
    return [sum(code * code for code in column) for column in zip(*codes, strict=True)]


def by_neuron(codes: Codes, sparsity: Fraction) -> Mask:
    """Structured: the columns of the largest norm stay whole."""
    kept = _largest(neuron_norms(codes), kept_count(len(codes[0]), sparsity))
    return tuple(tuple(j in kept for j in range(len(codes[0]))) for _ in codes)


def n_of_m(codes: Codes, n: int, m: int) -> Mask:
    """N:M: of every m neighbours in a row the n largest magnitudes stay."""

    def kept(row: tuple[int, ...]) -> tuple[bool, ...]:
        groups = [[abs(code) for code in row[start : start + m]] for start in range(0, len(row), m)]
        return tuple(i in chosen for group in groups for chosen in [_largest(group, n)] for i in range(len(group)))

    return tuple(map(kept, codes))


def squares_kept(codes: Codes, mask: Mask) -> Fraction:
    """The share of the weights' sum of squares that stays."""
    pairs = [(code * code, stays) for row, bits in zip(codes, mask, strict=True) for code, stays in zip(row, bits, strict=True)]
    return Fraction(sum(square for square, stays in pairs if stays), sum(square for square, _ in pairs))


def error(problem: Problem, codes: Codes, mask: Mask) -> Fraction:
    """Squared error of the pruned layer's outputs over the targets' sum of squares; what stays is left as it was."""
    import numpy

    gram = numpy.array(problem.gram, dtype=object)
    total = Fraction(0)
    for row, bits, cross, energy in zip(codes, mask, problem.cross, problem.energies, strict=True):
        kept = numpy.array([code if stays else 0 for code, stays in zip(row, bits, strict=True)], dtype=object)
        squared = kept @ gram @ kept - 2 * CODE_UNIT * (kept @ numpy.array(cross, dtype=object)) + CODE_UNIT**2 * energy
        total += Fraction(int(squared), CODE_UNIT**2)
    return total / sum(problem.energies)


def refitted_error(problem: Problem, mask: Mask) -> Fraction:
    """The same after fitting the weights that stay once more by least squares, each output by itself."""
    rows = zip(mask, problem.cross, problem.energies, strict=True)
    return sum((_residual(problem.gram, bits, cross, energy) for bits, cross, energy in rows), Fraction(0)) / sum(
        problem.energies
    )


def _residual(gram: tuple[tuple[int, ...], ...], bits: tuple[bool, ...], cross: tuple[int, ...], energy: int) -> Fraction:
    """Sum of squared residuals: the last pivot of the sums bordered by the target's, by elimination without fractions."""
    kept = [i for i, stays in enumerate(bits) if stays]
    rows = [[gram[i][j] for j in kept] + [cross[i]] for i in kept] + [[cross[j] for j in kept] + [energy]]
    before = 1
    for step in range(len(kept)):
        pivot = rows[step][step]
        for i in range(step + 1, len(rows)):
            lead = rows[i][step]
            rows[i] = [(pivot * x - lead * y) // before for x, y in zip(rows[i], rows[step], strict=True)]
        before = pivot
    return Fraction(rows[-1][-1], before)
