"""The first steps of training LoRA on one input, exactly: h = Wx + sBAx, loss ½‖h − t‖², plain gradient descent.

W is d_out×d_in, A is r×d_in with entries of variance σ², B is d_out×r and starts at 0. Source: Hu et al. 2021, arXiv 2106.09685.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """The frozen W, the scale s, one input with its target, the learning rate η, and what A is drawn as."""

    def __init__(self, params: LowRankPageParams) -> None:
        one, over_rank = params.example, params.conventions.scaling == "alpha_over_rank"
        self.weight, self.draw = sympy.Matrix(one.weight), sympy.Matrix(one.draw)
        self.x, self.target = sympy.Matrix(one.x), sympy.Matrix(one.target)
        self.scale = sympy.sympify(one.alpha) / (len(one.draw) if over_rank else 1)
        self.learning_rate, self.sigma = sympy.sympify(one.learning_rate), sympy.sympify(one.sigma)

    def state(self, a: sympy.Matrix, b: sympy.Matrix) -> State:
        """Output, loss and gradients by the chain rule: dL/dB = s g (Ax)ᵀ, dL/dA = s Bᵀg xᵀ."""
        h = self.weight * self.x + self.scale * b * a * self.x
        g = h - self.target
        return State(a, b, h, g, g.dot(g) / 2, self.scale * b.T * g * self.x.T, self.scale * g * (a * self.x).T)

    def states(self, n_steps: int) -> list[State]:
        """A = σ·draw and B = 0, then what each step of gradient descent on A and B together makes of them."""
        found = [self.state(self.sigma * self.draw, sympy.zeros(self.weight.rows, self.draw.rows))]
        for _ in range(n_steps):
            last = found[-1]
            a, b = last.a - self.learning_rate * last.a_gradient, last.b - self.learning_rate * last.b_gradient
            found.append(self.state(a, b))
        return found

    def removed(self, sigma: sympy.Rational) -> sympy.Rational:
        """What the first step with A = σ·draw removes of g, h ← h − ηs²‖Ax‖² g: B alone changes."""
        inner = sigma * self.draw * self.x
        return self.learning_rate * self.scale**2 * inner.dot(inner)
