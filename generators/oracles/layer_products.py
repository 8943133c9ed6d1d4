"""Counts FLOPs and bytes of the products that torch runs in a transformer layer on meta tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import nn

from generators.answer import Cell, rational
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows, text
from generators.oracles.layer_forms import filled
from generators.oracles.products import Count, ProductRecorder
from generators.steps import Answer, Check

if TYPE_CHECKING:
    from generators.courses.comp4901y.hw3_q1_arithmetic_intensity import InferenceParams

DTYPES = {2: torch.float16, 4: torch.float32, 8: torch.float64}
ORDER = ("projection", "projection", "projection", "score", "weighting", "projection", "up", "down")
"""The products in the order in which the layer runs them."""
NAMES = {"projection": "projections", "score": "QKᵀ", "weighting": "score·V", "up": "FFN up", "down": "FFN down"}
OTHER_SIZES = {"L": 7, "D": 12, "n_H": 3, "H": 4}
BY = "torch, meta tensors"
TIMES = "torch, time of FLOPs against time of bytes"
ROW_NUMBERS = {"1.1": (1, 2, 3, 7, 8, 10, 11, 13), "1.2": (1, 2, 4, 9, 10, 12, 13, 15)}
"""The sheet's numbers of those products."""


class Layer(nn.Module):
    """The layer of the sheet: attention with per-head products, then a ReLU network; no biases, no residuals."""

    def __init__(self, d_model: int, n_heads: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model, bias=False, dtype=dtype) for _ in range(4))
        self.up = nn.Linear(d_model, 4 * d_model, bias=False, dtype=dtype)
        self.down = nn.Linear(4 * d_model, d_model, bias=False, dtype=dtype)

    def heads(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, D) to (heads, tokens, H)."""
        return x.view(len(x), self.n_heads, -1).transpose(0, 1)

    def forward(self, x: torch.Tensor, cache: tuple[torch.Tensor, torch.Tensor] | None = None) -> torch.Tensor:
        """Run (tokens, D) through the layer; `cache` holds keys and values of earlier tokens."""
        q, k, v = self.q(x), self.k(x), self.v(x)
        if cache is not None:
            k, v = torch.cat([cache[0], k]), torch.cat([cache[1], v])
        scores = torch.bmm(self.heads(q), self.heads(k).transpose(1, 2)) / x.shape[-1] ** 0.5
        z = torch.bmm(scores.softmax(-1), self.heads(v)).transpose(0, 1).flatten(1)
        out: torch.Tensor = self.down(self.up(self.o(z)).relu())
        return out


def count_products(seq_len: int, d_model: int, n_heads: int, element: int, *, decode: bool) -> list[tuple[str, Count]]:
    """Run one layer on meta tensors and return each product's name and count, in the order they ran."""
    dtype = DTYPES[element]
    with torch.device("meta"), torch.no_grad():
        layer = Layer(d_model, n_heads, dtype)
        tokens = torch.empty(1 if decode else seq_len, d_model, dtype=dtype)
        cached = torch.empty(seq_len, d_model, dtype=dtype)
        with ProductRecorder() as recorder:
            layer(tokens, (cached, cached) if decode else None)
    return list(zip(ORDER, recorder.products, strict=True))


def verify_intensities(params: InferenceParams, answer: Answer) -> Iterator[Check]:
    """Check both forms, their working and the shares of peak against what torch counts."""
    counts = {}
    for label, decode in (("1.1", False), ("1.2", True)):
        counts[label] = _count(params, decode=decode)
        form = answer[label].tables["form"]
        rows = [(*row, *published[4:]) for row, published in zip(filled(decode=decode), form.rows, strict=True)]
        yield same_rows(f"{label}, computations and shapes of the form", form, rows, "torch, every row run on small tensors")
        yield from _check_form(label, answer, counts[label])
        yield from _check_working(label, answer, dict(counts[label]))
        yield _check_formulas(label, params, answer, decode=decode)
        sizes = {"L": params.seq_len, "D": params.d_model, "n_H": params.n_heads, "H": params.d_model // params.n_heads}
        yield same_letters(f"{label}, numbers put in", answer[label].steps, sizes)
    distinct = [count for label in counts for count in dict(counts[label]).values()]
    yield from _check_rooflines(params, answer, distinct)
    yield same_rows("which rows are compute-bound", answer["roofline"].tables["bounds"], _bounds(params, counts), TIMES)


def _count(params: InferenceParams, *, decode: bool) -> list[tuple[str, Count]]:
    conventions = params.conventions
    counts = count_products(params.seq_len, params.d_model, params.n_heads, conventions.bytes_per_element, decode=decode)
    return [(name, _converted(count, conventions.flops_per_multiply_add)) for name, count in counts]


def _converted(count: Count, flops_per_multiply_add: int) -> Count:
    """Torch counts two FLOPs a multiply-add."""
    return Count(count.flops * flops_per_multiply_add / 2, count.bytes)


def _filled(label: str, answer: Answer) -> list[tuple[Cell, ...]]:
    return [row for row in answer[label].tables["form"].rows if row[-1] is not None]


def _check_form(label: str, answer: Answer, counts: list[tuple[str, Count]]) -> Iterator[Check]:
    for row, (_, count) in zip(_filled(label, answer), counts, strict=True):
        yield same(f"{label}, row {row[0]}: intensity", row[-1], count.intensity, BY)


def _check_working(label: str, answer: Answer, counts: dict[str, Count]) -> Iterator[Check]:
    for name, count in counts.items():
        found = {"flops": count.flops, "bytes": count.bytes, "intensity": count.intensity}
        for kind, value in found.items():
            line = answer[label][f"{name}_{kind}"]
            yield same(f"{label}, {line.what}", line.value, value, BY)


def _check_formulas(label: str, params: InferenceParams, answer: Answer, *, decode: bool) -> Check:
    small = params.model_copy(update={"seq_len": OTHER_SIZES["L"], "d_model": OTHER_SIZES["D"], "n_heads": OTHER_SIZES["n_H"]})
    counts = _count(small, decode=decode)
    triples: list[Formula] = []
    for name, count in dict(counts).items():
        for kind, found in (("flops", count.flops), ("bytes", count.bytes), ("intensity", count.intensity)):
            triples.append((f"{name} {kind}", answer[label][f"{name}_{kind}"].formula, found))
    for row, (_, count) in zip(_filled(label, answer), counts, strict=True):
        triples.append((f"row {row[0]}", row[-2], count.intensity))
    return same_formulas(f"{label}, formulas", triples, OTHER_SIZES, BY)


def _check_rooflines(params: InferenceParams, answer: Answer, counts: list[Count]) -> Iterator[Check]:
    """A product's share of peak is the time its FLOPs take over the time it takes."""
    peaks = [(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9) for one in params.accelerators]
    for number, (peak, bandwidth) in enumerate(peaks, 1):
        ridge = answer["roofline"][f"ridge_{number}"]
        found = _crossing(peak, bandwidth)
        close = abs(rational(ridge.value) - found) <= found / 10**9
        by = "bisection on the two times"
        yield Check(what=ridge.what, published=text(ridge.value), found=text(float(found)), by=by, passed=close)
    table = answer["roofline"].tables["share_of_peak"]
    rows = []
    names = [f"{phase}: {name}" for phase in ("prefill", "decode") for name in NAMES.values()]
    for name, count in zip(names, counts, strict=True):
        times = ((count.flops / peak, count.bytes / bandwidth) for peak, bandwidth in peaks)
        rows.append((name, count.intensity, *(compute / max(compute, memory) for compute, memory in times)))
    yield same_rows("share of peak, every product and accelerator", table, rows, TIMES)


def _bounds(params: InferenceParams, counts: Mapping[str, list[tuple[str, Count]]]) -> list[tuple[Cell, ...]]:
    named: list[tuple[str, list[Cell]]] = []
    for one in params.accelerators:
        cells: list[Cell] = []
        for label, products in counts.items():
            bound: dict[bool, list[int]] = {True: [], False: []}
            for number, (_, count) in zip(ROW_NUMBERS[label], products, strict=True):
                compute_s = count.flops / (one.peak_tflops * 10**12)
                bound[compute_s >= count.bytes / (one.bandwidth_gb_per_s * 10**9)].append(number)
            cells += [_in_words(bound[True]), _in_words(bound[False])]
        named.append((one.name, cells))
    distinct = [cells for i, (_, cells) in enumerate(named) if cells not in [earlier for _, earlier in named[:i]]]
    return [(" and ".join(", ".join(n for n, c in named if c == cells).rsplit(", ", 1)), *cells) for cells in distinct]


def _in_words(numbers: list[int]) -> str:
    text = ", ".join(map(str, numbers))
    return ("rows " if len(numbers) > 1 else "row " if numbers else "no row") + " and ".join(text.rsplit(", ", 1))


def _crossing(peak: Fraction, bandwidth: Fraction) -> Fraction:
    """The intensity at which one byte takes as long as its FLOPs, by bisection to 1e-12 relative."""
    low, high = Fraction(0), Fraction(1)
    while high / peak < 1 / bandwidth:
        high *= 2
    while high - low > high / 10**12:
        middle = (low + high) / 2
        low, high = (middle, high) if middle / peak < 1 / bandwidth else (low, middle)
    return high
