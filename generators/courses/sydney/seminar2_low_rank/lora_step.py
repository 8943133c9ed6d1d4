"""Training LoRA by plain gradient descent, exactly: h = Wx + sBAx, loss ½‖h − t‖² summed over the inputs.

W is outputs×inputs, A is R×inputs, B is outputs×R and starts at 0; inputs and targets are columns.
Source: Hu et al. 2021, arXiv 2106.09685.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.courses.sydney.seminar2_low_rank.params import LowRankPageParams


@dataclass(frozen=True)
class State:
    """A and B with what they give: output, its gradient g = h − t, loss, and gradients of A and B."""

    a: sympy.Matrix
    b: sympy.Matrix
    h: sympy.Matrix
    g: sympy.Matrix
    loss: sympy.Rational
    a_gradient: sympy.Matrix
    b_gradient: sympy.Matrix


class Problem:
    """The frozen W, the scale s, two inputs, the target, the learning rate η, and what A is drawn as."""

    def __init__(self, params: LowRankPageParams) -> None:
        one = params.example
        self.over_rank = params.conventions.scaling == "alpha_over_rank"
        self.weight, self.draw, self.target = (sympy.Matrix(rows) for rows in (one.weight, one.draw, one.target))
        self.x, self.other_x = sympy.Matrix(one.x), sympy.Matrix(one.other_x)
        self.scale = sympy.sympify(one.alpha) / (len(one.draw) if self.over_rank else 1)
        self.learning_rate = sympy.sympify(one.learning_rate)

    def state(self, a: sympy.Matrix, b: sympy.Matrix, x: sympy.Matrix) -> State:
        """Output, loss and gradients by the chain rule: dL/dB = s g (Ax)ᵀ, dL/dA = s Bᵀg xᵀ; every input has the same target."""
        h = self.weight * x + self.scale * b * a * x
        g = h - self.target * sympy.ones(1, x.cols)
        return State(a, b, h, g, (g.T * g).trace() / 2, self.scale * b.T * g * x.T, self.scale * g * (a * x).T)

    def trained(self, sigma: Fraction, x: sympy.Matrix, n_steps: int) -> list[State]:
        """A = σ·draw and B = 0, then what each step of gradient descent on A and B together makes of them."""
        states = [self.state(sympy.sympify(sigma) * self.draw, sympy.zeros(self.weight.rows, self.draw.rows), x)]
        for _ in range(n_steps):
            last = states[-1]
            a, b = last.a - self.learning_rate * last.a_gradient, last.b - self.learning_rate * last.b_gradient
            states.append(self.state(a, b, x))
        return states

    def removed(self, sigma: Fraction) -> sympy.Rational:
        """The c that the first step removes of g: h ← h − ηs²‖Ax‖² g, as B alone changes."""
        inner = sympy.sympify(sigma) * self.draw * self.x
        return self.learning_rate * self.scale**2 * inner.dot(inner)
