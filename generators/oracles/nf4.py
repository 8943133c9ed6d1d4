"""Finds QLoRA's numbers again: quantiles by bisection, nearest levels by distance, tensors and AdamW's states weighed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from generators.answer import Cell
from generators.oracles.compare import Formula, close_rows, same, same_formulas, same_letters, same_rows, text
from generators.oracles.qlora_memory import OTHER_BITS, WEIGHED, bits_of, check_paging, overheads
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_nf4 import Nf4Params

BISECTED = "bisection of math.erf"
NDTRI = "torch.special.ndtri, float64"
NEAREST = "torch, the nearest of all levels by distance"
FAKE = "torch.fake_quantize, float32"
GIB = 2**30
PUBLISHED = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""The levels as the paper's appendix lists them, in FP32."""
PUBLISHED_TOLERANCE = 1e-6
FAKE_TOLERANCE = 1e-4


@lru_cache(maxsize=1)
def points() -> tuple[tuple[Fraction, float], ...]:
    """Probability and quantile of each level: an end's distance in 7 steps below a half, and in 8 above."""
    end = (Fraction(29, 30) + Fraction(31, 32)) / 2 - Fraction(1, 2)
    shares = [Fraction(1, 2) - end * (7 - j) / 7 for j in range(8)] + [Fraction(1, 2) + end * j / 8 for j in range(1, 9)]
    return tuple((share, _bisected(share)) for share in shares)


def _bisected(share: Fraction) -> float:
    """The value below which a standard normal one lies with the probability `share`."""
    low, high = -8.0, 8.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + math.erf(middle / math.sqrt(2))) / 2 < share else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=3)
def levels(name: str) -> torch.Tensor:
    """The levels of NF4, Int4 or FP4, the latter as products of mantissa and power of two."""
    if name == "NF4":
        probabilities = torch.tensor([float(share) for share, _ in points()], dtype=torch.float64)
        found: torch.Tensor = torch.special.ndtri(probabilities)
        return found / found.max()
    if name == "Int4":
        return torch.arange(-7, 8, dtype=torch.float64) / 7
    sizes = [0, 0.5] + [(1 + mantissa / 2) * 2**exponent for exponent in range(3) for mantissa in range(2)]
    return torch.tensor(sorted({sign * size / 6 for sign in (-1, 1) for size in sizes}), dtype=torch.float64)


@lru_cache(maxsize=4)
def sample(seed: int, size: int, *, uniform: bool = False) -> torch.Tensor:
    """Seeded weights in float64."""
    generator = random.Random(seed)
    drawn = [generator.uniform(-1, 1) if uniform else generator.gauss(0, 1) for _ in range(size * size)]
    return torch.tensor(drawn, dtype=torch.float64)


Key = tuple[int, int, bool]


@lru_cache(maxsize=64)
def kept(key: Key, block_len: int, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Each block's scale, and the number of each weight's nearest level, found by all distances."""
    seed, size, uniform = key
    blocks = sample(seed, size, uniform=uniform).reshape(-1, block_len)
    scales = blocks.abs().amax(1, keepdim=True)
    distances = ((blocks / scales).unsqueeze(-1) - levels(name)).abs_()
    return scales, distances.argmin(-1)


@lru_cache(maxsize=64)
def error(key: Key, block_len: int, name: str) -> float:
    """The relative error of weights kept in blocks."""
    scales, numbers = kept(key, block_len, name)
    return _relative((levels(name)[numbers] * scales).flatten(), sample(key[0], key[1], uniform=key[2]))


def _relative(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


@lru_cache(maxsize=16)
def faked(key: Key, block_len: int) -> float:
    """The error of 4-bit integers by torch's own quantizer, with a block a channel."""
    blocks = sample(key[0], key[1], uniform=key[2]).reshape(-1, block_len).float()
    steps = blocks.abs().amax(1) / 7
    back = torch.fake_quantize_per_channel_affine(blocks, steps, torch.zeros(len(steps), dtype=torch.int32), 0, -7, 7)
    return _relative(back.double().flatten(), blocks.double().flatten())


@lru_cache(maxsize=4)
def doubly(key: Key, block_len: int, second: int) -> tuple[float, float]:
    """The errors of scales in 8 bits, and of the weights with these."""
    scales, numbers = kept(key, block_len, "NF4")
    flat = scales.flatten()
    rest = (flat - flat.mean()).reshape(-1, second)
    steps = rest.abs().amax(1, keepdim=True) / 127
    again = (torch.round(rest / steps) * steps).flatten() + flat.mean()
    weights = (levels("NF4")[numbers] * again[:, None]).flatten()
    return _relative(again, flat), _relative(weights, sample(key[0], key[1]))


def verify_nf4(params: Nf4Params, answer: Answer) -> Iterator[Check]:
    """Check levels, errors, bits and the run with paged states."""
    key = (params.sample.seed, params.sample.size, False)
    yield from _check_levels(params, key, answer["1"])
    yield from _check_errors(params, key, answer["2"])
    yield from _check_double(params, key, answer["3"])
    yield from check_paging(params, answer["4"])


def _check_levels(params: Nf4Params, key: Key, part: Part) -> Iterator[Check]:
    found = points()
    counts = torch.bincount(kept(key, params.block_len, "NF4")[1].flatten(), minlength=16).tolist()
    by_torch = levels("NF4").tolist()
    rows = [(code, p, x, x / found[-1][1], used) for code, ((p, x), used) in enumerate(zip(found, counts, strict=True))]
    yield close_rows("1, levels and how often each is used", part.tables["levels"], rows, BISECTED)
    rows = [
        (code, p, x * found[-1][1], x, used) for code, ((p, _), x, used) in enumerate(zip(found, by_torch, counts, strict=True))
    ]
    yield close_rows("1, the same", part.tables["levels"], rows, NDTRI)
    yield _check_published(part)
    yield same("1, outermost probability", part["outermost"].value, found[-1][0], "arithmetic: the mean of 29/30 and 31/32")
    for name, used in (("least", min(counts)), ("most", max(counts))):
        yield same(f"1, {part[name].what}", part[name].value, used, "torch.bincount")


def _check_published(part: Part) -> Check:
    pairs = zip(part.tables["levels"].column("Level"), PUBLISHED, strict=True)
    most = max(abs(ours - theirs) if isinstance(ours, float) else math.inf for ours, theirs in pairs)
    return Check(
        what=f"1, levels within {PUBLISHED_TOLERANCE:g} of the published ones",
        published=f"off by {most:.2g} at most",
        found="16 levels in FP32",
        by="arXiv 2305.14314: its appendix",
        passed=most <= PUBLISHED_TOLERANCE,
    )


def _check_errors(params: Nf4Params, key: Key, part: Part) -> Iterator[Check]:
    names, held = ("NF4", "Int4", "FP4"), params.conventions
    rows: list[tuple[Cell, ...]] = []
    for length in params.sample.block_lens:
        bits = 4 + overheads(held.scale_bits, held.quantized_scale_bits, length, 4)[0]
        rows.append((length, bits, *(error(key, length, name) for name in names)))
    yield close_rows("2, errors in blocks of every size", part.tables["blocks"], rows, NEAREST)
    shapes = [
        (shape, *(error((key[0], key[1], shape == "uniform"), params.block_len, name) for name in names))
        for shape in ("normal", "uniform")
    ]
    yield close_rows("2, errors of normal and uniform weights", part.tables["shapes"], shapes, NEAREST)
    ours = [cell for cell in part.tables["blocks"].column("Int4") if isinstance(cell, float)]
    theirs = [faked(key, length) for length in params.sample.block_lens]
    near = len(ours) == len(theirs) and all(
        math.isclose(*pair, rel_tol=FAKE_TOLERANCE) for pair in zip(ours, theirs, strict=True)
    )
    yield Check(
        what=f"2, errors of Int4 to {FAKE_TOLERANCE:g}", published=_listed(ours), found=_listed(theirs), by=FAKE, passed=near
    )


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(map(text, numbers))


def _check_double(params: Nf4Params, key: Key, part: Part) -> Iterator[Check]:
    held = params.conventions
    plain, double = overheads(held.scale_bits, held.quantized_scale_bits, params.block_len, params.second_block_len)
    for name, value in (("plain", plain), ("double", double), ("saved", plain - double)):
        yield same(f"3, {part[name].what}", part[name].value, value, WEIGHED)
    other = overheads(*OTHER_BITS.values())
    triples: list[Formula] = [(name, part[name].formula, value) for name, value in zip(("plain", "double"), other, strict=True)]
    yield same_formulas("3, bits a weight", triples, OTHER_BITS, WEIGHED)
    put_in = dict(zip(OTHER_BITS, bits_of(params), strict=True))
    yield same_letters("3, values in the formulas", part.steps, put_in)
    rows = []
    for model in params.models:
        gib = [model.n_parameters * bits / 8 / GIB for bits in (Fraction(16), 4 + plain, 4 + double)]
        rows.append((model.name, *gib, gib[1] - gib[2]))
    yield same_rows("3, memory of the models", part.tables["memory"], rows, WEIGHED)
    off = doubly(key, params.block_len, params.second_block_len)
    errors = [("NF4", 4 + plain, 0.0, error(key, params.block_len, "NF4")), ("NF4 + DQ", 4 + double, *off)]
    yield close_rows("3, errors with and without double quantization", part.tables["errors"], errors, NEAREST)
