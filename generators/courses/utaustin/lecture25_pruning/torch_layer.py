"""Prunes the seeded layer with torch, for `find`: its pruning methods, and least squares on what stays."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy
import torch
from torch import nn
from torch.nn.utils import prune

from generators.courses.utaustin.lecture25_pruning.params import Layer, Pattern
from generators.courses.utaustin.lecture25_pruning.torch_storage import dropped

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

    def squares_kept(self, mask: torch.Tensor) -> Fraction:
        """The share of the weights' sum of squares that stays."""
        squares = self.codes.square()
        return Fraction(int((squares * mask).sum()), int(squares.sum()))

    def _linear(self) -> Any:
        layer = nn.Linear(self.codes.shape[1], self.codes.shape[0], bias=False, dtype=torch.float64)
        layer.weight.data.copy_(self.codes)
        return layer
