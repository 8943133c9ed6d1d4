"""Evaluates matrix formulas on tensors, by their structure and the names that the reader sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import sympy
import torch

Values: TypeAlias = Mapping[str, torch.Tensor]
"""Matrices (rows, columns) by the name of their symbol."""


@dataclass(frozen=True)
class Evaluator:
    """Replaces the symbols of a formula by `values`, and in a sum over time by those of every step.

    In a formula of single entries, index i runs down the rows of the result and j along its columns. A missing name
    raises KeyError, an operation not listed here TypeError, and shapes that do not fit RuntimeError.
    """

    values: Values
    steps: Sequence[Values] = ()

    def __call__(self, formula: sympy.Basic) -> torch.Tensor:
        """The formula's value as a matrix."""
        if isinstance(formula, sympy.MatrixSymbol):
            return self.values[formula.name]
        if formula.is_Number:
            return torch.tensor([[float(formula)]], dtype=torch.float64)
        name = type(formula).__name__
        if name not in _OPERATIONS:
            raise TypeError(f"no value for {name}: {formula}")
        return _OPERATIONS[name](self, formula)

    def each(self, formula: sympy.Basic) -> list[torch.Tensor]:
        """The values of the formula's arguments."""
        return [self(arg) for arg in formula.args]

    def matrix_product(self, formula: sympy.Basic) -> torch.Tensor:
        """Numbers scale; everything else is a matrix product."""
        scale, factors = 1.0, []
        for arg in formula.args:
            if arg.is_Number:
                scale *= float(arg)
            else:
                factors.append(self(arg))
        return scale * reduce(torch.matmul, factors)

    def matrix_sum(self, formula: sympy.Basic) -> torch.Tensor:
        """All terms must have one shape; a matrix of ones takes that of the others."""
        parts = [self(arg) for arg in formula.args if not isinstance(arg, sympy.OneMatrix)]
        if len({part.shape for part in parts}) != 1:
            raise TypeError(f"terms of different shapes: {formula}")
        return reduce(torch.add, parts) + (len(formula.args) - len(parts))

    def entries(self, formula: Any) -> torch.Tensor:
        """All entries at once, laid along the rows for an index i and along the columns for j."""
        matrix, indices = self.values[formula.parent.name], (str(formula.i), str(formula.j))
        if indices not in (("i", "j"), ("i", "0"), ("j", "0")):
            raise TypeError(f"no value for the entry {formula}")
        return matrix.T if indices == ("j", "0") else matrix

    def time_sum(self, formula: Any) -> torch.Tensor:
        """The summand at every step, added up."""
        return reduce(torch.add, (Evaluator(values)(formula.summand) for values in self.steps))


_OPERATIONS: dict[str, Callable[[Evaluator, Any], torch.Tensor]] = {
    "MatMul": Evaluator.matrix_product,
    "MatAdd": Evaluator.matrix_sum,
    "MatrixElement": Evaluator.entries,
    "TimeSum": Evaluator.time_sum,
    "Transpose": lambda of, formula: of(formula.arg).T,
    "Diagonal": lambda of, formula: torch.diag(of(formula.args[0])[:, 0]),
    "HadamardProduct": lambda of, formula: reduce(torch.mul, of.each(formula)),
    "HadamardPower": lambda of, formula: of(formula.base) ** int(formula.exp),
    "Add": lambda of, formula: reduce(torch.add, of.each(formula)),
    "Mul": lambda of, formula: reduce(torch.mul, of.each(formula)),
    "Pow": lambda of, formula: of(formula.base) ** int(formula.exp),
}


def relative_difference(formula: sympy.Basic, of: Evaluator, found: torch.Tensor) -> float:
    """The largest difference over the largest found value; infinite where the formula or its shape does not fit."""
    try:
        published = of(formula)
        if not isinstance(formula, sympy.MatrixExpr):
            published = published.broadcast_to(found.shape)
    except (KeyError, TypeError, RuntimeError, IndexError):
        return float("inf")
    if published.shape != found.shape:
        return float("inf")
    difference = float((published - found).abs().max() / found.abs().max())
    return difference if difference == difference else float("inf")  # noqa: PLR0124 (a NaN differs from itself)
