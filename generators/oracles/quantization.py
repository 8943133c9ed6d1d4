"""Quantizes the seeded weights again: with torch's rounding, with torch's own fake quantization, and in exact fractions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

import torch

from generators.answer import Cell
from generators.oracles.compare import text
from generators.steps import Check, Part

TOLERANCE = 1e-12
FLOAT32 = 5e-7  # relative; a few roundings of a 24-bit significand
EXACT_WEIGHTS = 1024


@lru_cache(maxsize=4)
def sample(seed: int, size: int) -> torch.Tensor:
    """The size×size standard normal weights in float64."""
    generator = random.Random(seed)
    return torch.tensor([generator.gauss(0, 1) for _ in range(size * size)], dtype=torch.float64)


@lru_cache(maxsize=64)
def rounded_by_torch(seed: int, size: int, bits: int) -> tuple[float, ...]:
    """Δ, Δ/2, largest, RMS and relative error in float64."""
    weights = sample(seed, size)
    step = weights.abs().max() / (2 ** (bits - 1) - 1)
    errors = step * torch.round(weights / step) - weights
    rms = errors.square().mean().sqrt()
    return tuple(float(x) for x in (step, step / 2, errors.abs().max(), rms, errors.norm() / weights.norm()))


@lru_cache(maxsize=64)
def faked_by_torch(seed: int, size: int, bits: int) -> tuple[float, float]:
    """Δ and the largest error of torch.fake_quantize_per_tensor_affine on the weights in float32."""
    weights = sample(seed, size).float()
    largest_code = 2 ** (bits - 1) - 1
    step = float(weights.abs().max()) / largest_code
    back = torch.fake_quantize_per_tensor_affine(weights, step, 0, -largest_code, largest_code)
    return step, float((back - weights).abs().max())


@lru_cache(maxsize=64)
def largest_exact_error(seed: int, size: int, bits: int) -> tuple[Fraction, Fraction]:
    """Δ of all weights and the largest error of the first of them, in fractions, so that nothing but the codes is rounded."""
    weights = sample(seed, size)
    step = Fraction(float(weights.abs().max())) / (2 ** (bits - 1) - 1)
    first = map(Fraction, weights[:EXACT_WEIGHTS].tolist())
    return step, max(abs(step * round(weight / step) - weight) for weight in first)


def verify_errors(part: Part, seed: int, size: int, bits: int) -> Iterator[Check]:
    """Check the measured errors of every number of bits, and those of the number of bits in force."""
    rows = part.tables["errors"].rows
    found = [rounded_by_torch(seed, size, _bits(row)) for row in rows]
    yield _close("4.1, Δ, Δ/2 and errors at every number of bits", [row[2:] for row in rows], found)
    step, _, largest, _, relative = rounded_by_torch(seed, size, bits)
    published = [part[name].value for name in ("step_size", "largest_error", "relative_error")]
    yield _close(f"4.1, Δ, largest and relative error at {bits} bits", [published], [(step, largest, relative)])
    yield _check_half_a_step(rows, seed, size)
    yield _check_against_fake_quantization(rows, seed, size)


def _bits(row: Sequence[Cell]) -> int:
    if not isinstance(row[0], int) or row[0] < 2:
        raise TypeError(f"not a number of bits: {row[0]!r}")
    return row[0]


def _close(what: str, published: Sequence[Sequence[Cell]], found: Sequence[Sequence[float]]) -> Check:
    """Compare measured values to 1e-12 relative, and name the first pair that differs."""
    by = f"torch.round, float64, torch {torch.__version__.split('+')[0]}"
    pairs = [pair for ours, theirs in zip(published, found, strict=True) for pair in zip(ours, theirs, strict=True)]
    for ours, theirs in pairs:
        if abs(_float(ours) - theirs) > TOLERANCE * abs(theirs):
            return Check(what=what, published=text(ours), found=text(theirs), by=by, passed=False)
    equal = f"equal to {TOLERANCE:g}"
    return Check(what=what, published=f"{len(pairs)} values", found=equal, by=by, passed=bool(pairs))


def _check_half_a_step(rows: Sequence[Sequence[Cell]], seed: int, size: int) -> Check:
    """In floating point the published largest error, in fractions that of the first weights; both over half a step."""
    ours = max(_float(row[4]) / _float(row[3]) for row in rows)
    theirs = max(error / (step / 2) for step, error in (largest_exact_error(seed, size, _bits(row)) for row in rows))
    return Check(
        what="4.1, largest error over Δ/2, at every number of bits",
        published=f"at most {ours:.6f}",
        found=f"at most {float(theirs):.6f}",
        by=f"exact fractions, first {min(EXACT_WEIGHTS, size * size)} weights",
        passed=ours <= 1 + TOLERANCE and theirs <= 1,
    )


def _check_against_fake_quantization(rows: Sequence[Sequence[Cell]], seed: int, size: int) -> Check:
    """Torch's own quantizer on float32 weights makes the same largest error, but for float32's rounding."""
    passed, shown = True, []
    for row in rows:
        scale, error = faked_by_torch(seed, size, _bits(row))
        rounding = FLOAT32 * scale * 2 ** (_bits(row) - 1)
        passed &= abs(error - _float(row[4])) <= rounding and error <= scale / 2 + rounding
        shown.append((text(row[4]), text(error)))
    ours, theirs = (", ".join(column) for column in zip(*shown, strict=True))
    by = "torch.fake_quantize_per_tensor_affine, float32"
    return Check(what="4.1, largest error at every number of bits", published=ours, found=theirs, by=by, passed=passed)


def _float(cell: Cell) -> float:
    if not isinstance(cell, float):
        raise TypeError(f"not a measured value: {cell!r}")
    return cell
