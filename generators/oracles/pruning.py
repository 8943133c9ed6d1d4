"""Prunes the seeded layer again with torch: its pruning methods, least squares on what stays, and products with zeros."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import nn
from torch.nn.utils import prune

from generators.answer import Cell
from generators.oracles.compare import close_rows, same
from generators.oracles.products import ProductRecorder
from generators.oracles.sparse_storage import check_bytes, check_work
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_pruning import Layer, PruningParams

VERSION = torch.__version__.split("+")[0]
PRUNED = f"torch, version {VERSION}, nn.utils.prune and linalg.lstsq"
TIE = 1e-9
"""Later weights count as smaller by so little that only ties are decided by it."""

Pruned = tuple[torch.Tensor, float, float]
"""A mask, the error with the weights as they were, and after fitting them again."""


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
        """Errors are squares over the squares of the targets."""
        kept = self.y - self.x @ (self.codes / 100 * mask).T
        again = [self._residual(bits, target) for bits, target in zip(mask.bool(), self.y.T, strict=True)]
        energy = self.y.square().sum()
        return mask, float(kept.square().sum() / energy), float(torch.stack(again).sum() / energy)

    def _residual(self, bits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        x = self.x[:, bits]
        solution = torch.linalg.lstsq(x, target[:, None]).solution if bits.any() else torch.zeros(0, 1, dtype=torch.float64)
        return (target - (x @ solution)[:, 0]).square().sum()

    def magnitude(self, sparsity: Fraction) -> Pruned:
        """Torch's unstructured pruning by L1 norm."""
        layer = self._linear()
        order = torch.arange(self.codes.numel()).reshape(self.codes.shape)
        scores = self.codes.abs() - TIE * order
        prune.l1_unstructured(layer, "weight", amount=_dropped(self.codes.numel(), sparsity), importance_scores=scores)
        return self.pruned(layer.weight_mask)

    def neurons(self, sparsity: Fraction) -> Pruned:
        """Torch's structured pruning of columns by L2 norm."""
        layer = self._linear()
        prune.ln_structured(layer, "weight", amount=_dropped(self.codes.shape[1], sparsity), n=2, dim=1)
        return self.pruned(layer.weight_mask)

    def n_of_m(self, n: int, m: int) -> Pruned:
        """Of every choice of n in a group of m, the one with the largest sum of magnitudes, the first of equals."""
        choices = torch.zeros(0, m, dtype=torch.float64)
        for chosen in combinations(range(m), n):
            choices = torch.cat([choices, torch.zeros(1, m, dtype=torch.float64).index_fill(1, torch.tensor(chosen), 1)])
        groups = self.codes.abs().reshape(len(self.codes), -1, m)
        return self.pruned(choices[(groups @ choices.T).argmax(-1)].reshape(self.codes.shape))

    def _linear(self) -> Any:
        layer = nn.Linear(self.codes.shape[1], self.codes.shape[0], bias=False, dtype=torch.float64)
        layer.weight.data.copy_(self.codes)
        return layer


def _dropped(total: int, sparsity: Fraction) -> int:
    """As torch rounds a share of a tensor; halves go to the even number."""
    return int(torch.round(torch.tensor(float(sparsity * total), dtype=torch.float64)))


@lru_cache(maxsize=8)
def fit(layer: Layer) -> Fit:
    """The data and the layer; every check of an answer uses the same."""
    return Fit(layer)


@lru_cache(maxsize=256)
def pruned(layer: Layer, method: str, amount: Fraction | tuple[int, int]) -> Pruned:
    """What a method leaves; `amount` is a sparsity, or n and m."""
    one = fit(layer)
    if isinstance(amount, tuple):
        return one.n_of_m(*amount)
    return one.magnitude(amount) if method == "magnitude" else one.neurons(amount)


def verify_pruning(params: PruningParams, answer: Answer) -> Iterator[Check]:
    """Check masks, errors, bytes and work."""
    yield from _check_stays(params, answer["1"])
    yield from _check_errors(params, answer["2"])
    yield from check_bytes(params, answer["3"])
    yield _check_zeros(params)
    yield from check_work(params, answer["4"])


def _three(params: PruningParams) -> dict[str, Pruned]:
    pattern = params.pattern
    share = Fraction(pattern.group - pattern.kept, pattern.group)
    return {
        "Magnitude": pruned(params.layer, "magnitude", share),
        f"{pattern.kept}:{pattern.group}": pruned(params.layer, "pattern", (pattern.kept, pattern.group)),
        "Neurons": pruned(params.layer, "neurons", share),
    }


def _check_stays(params: PruningParams, part: Part) -> Iterator[Check]:
    codes, found = fit(params.layer).codes, _three(params)
    squares = codes.square()
    rows: list[tuple[Cell, ...]] = []
    for name, (mask, error, again) in found.items():
        kept = Fraction(int((squares * mask).sum()), int(squares.sum()))
        rows.append((name, int(mask.sum()), kept, error, again))
    yield close_rows("1, methods", part.tables["methods"], rows, PRUNED)
    texts = [[_digits(bits, params.pattern.group) for bits in mask] for mask, _, _ in found.values()]
    outputs = [(number, *cells) for number, cells in enumerate(zip(*texts, strict=True), 1)]
    yield close_rows("1, weights that stay", part.tables["kept"], outputs, PRUNED)
    yield same("1, names of the methods", ", ".join(map(str, part.tables["kept"].header[1:])), ", ".join(found), "the parameters")
    mask = found["Magnitude"][0].bool()
    values = {
        "weights": codes.numel(),
        "dropped": Fraction(int(codes[~mask].abs().max()), 10_000),
        "kept": Fraction(int(codes[mask].abs().min()), 10_000),
    }
    for name, value in values.items():
        yield same(f"1, {part[name].what}", part[name].value, value, PRUNED)


def _digits(bits: torch.Tensor, group: int) -> str:
    return " ".join("".join(str(int(bit)) for bit in chunk) for chunk in bits.split(group))


def _check_errors(params: PruningParams, part: Part) -> Iterator[Check]:
    layer = params.layer
    rows: list[tuple[Cell, ...]] = []
    for share in params.sparsities:
        (_, *magnitude), (columns, *neurons) = (pruned(layer, method, share) for method in ("magnitude", "neurons"))
        exact = share.numerator if share.denominator == 1 else share
        rows.append((exact, *magnitude, int(columns[0].sum()), *neurons))
    yield close_rows("2, error against sparsity", part.tables["sparsities"], rows, PRUNED)
    patterns = []
    for one in params.patterns:
        _, error, again = pruned(layer, "pattern", (one.kept, one.group))
        patterns.append((f"{one.kept}:{one.group}", Fraction(one.group - one.kept, one.group), error, again))
    yield close_rows("2, error of N:M", part.tables["patterns"], patterns, PRUNED)


def _check_zeros(params: PruningParams) -> Check:
    """The product of the small layer takes as many FLOPs with its pruned weights set to zero."""
    one = fit(params.layer)
    found = []
    for weights in (one.codes, one.codes * _three(params)["Magnitude"][0]):
        with ProductRecorder() as recorder, torch.no_grad():
            nn.functional.linear(one.x, weights)
        found.append(recorder.flops)
    return same(
        "4, FLOPs of the small layer with zeros and without", found[1], found[0], f"torch, version {VERSION}, FLOP counter"
    )
