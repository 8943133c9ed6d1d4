"""The first steps of training LoRA on one input, exactly: h = Wx + sBAx, loss ½‖h − t‖², plain gradient descent.

W is d_out×d_in, A is r×d_in with entries of variance σ², B is d_out×r and starts at 0. Source: Hu et al. 2021, arXiv 2106.09685.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.courses.sydney.seminar2_low_rank.row_reduction import (
    Matrix,
    Row,
    added,
    applied,
    dot,
    product,
    squares,
    transposed,
)
from generators.topics.peft import R

ALPHA, ETA, S, SIGMA = sympy.symbols("alpha eta s sigma", nonnegative=True)
X_SQUARED = sympy.Symbol("X", positive=True)  # ‖x‖²


def expected_inner() -> sympy.Expr:
    """Mean of ‖Ax‖²: each of its r entries has variance σ²‖x‖²."""
    return R * SIGMA**2 * X_SQUARED


def expected_ratio() -> sympy.Expr:
    """Mean of LoRA's first change of h over that of full fine-tuning, sBAx = −ηs²‖Ax‖²g over −η‖x‖²g."""
    return S**2 * expected_inner() / X_SQUARED


def expected_shrinking() -> sympy.Expr:
    """Mean of the factor in h ← h − factor·g."""
    return ETA * X_SQUARED * expected_ratio()


@dataclass(frozen=True)
class State:
    """A and B with what they give: output, its gradient g = h − t, loss, and gradients of A and B."""

    a: Matrix
    b: Matrix
    h: Row
    g: Row
    loss: Fraction
    a_gradient: Matrix
    b_gradient: Matrix


@dataclass(frozen=True)
class Problem:
    """The frozen W, the scale s, one input with its target, and the learning rate η."""

    weight: Matrix
    scale: Fraction
    x: Row
    target: Row
    learning_rate: Fraction

    def update(self, a: Matrix, b: Matrix) -> Matrix:
        """sBA, of W's shape."""
        return added(_zeros(self.weight), product(b, a), self.scale)

    def merged(self, a: Matrix, b: Matrix) -> Matrix:
        """W + sBA."""
        return added(self.weight, self.update(a, b))

    def output(self, a: Matrix, b: Matrix, x: Row) -> Row:
        """Wx + sB(Ax): the two branches apart."""
        beside = applied(b, applied(a, x))
        return tuple(own + self.scale * low for own, low in zip(applied(self.weight, x), beside, strict=True))

    def state(self, a: Matrix, b: Matrix) -> State:
        """Output, loss and gradients by the chain rule: dL/dB = s g (Ax)ᵀ, dL/dA = s Bᵀg xᵀ."""
        h = self.output(a, b, self.x)
        g = tuple(ours - wanted for ours, wanted in zip(h, self.target, strict=True))
        b_gradient = _outer(g, applied(a, self.x), self.scale)
        a_gradient = _outer(applied(transposed(b), g), self.x, self.scale)
        return State(a, b, h, g, dot(g, g) / 2, a_gradient, b_gradient)

    def stepped(self, state: State) -> State:
        """After one step of gradient descent on A and B together."""
        rate = -self.learning_rate
        return self.state(added(state.a, state.a_gradient, rate), added(state.b, state.b_gradient, rate))

    def shrinking(self, state: State) -> Fraction:
        """C = ηs²‖Ax‖² in h ← h − c·g, what a step on B alone does to the output."""
        return self.learning_rate * self.scale**2 * squares((applied(state.a, self.x),))

    def start(self, draw: Matrix, sigma: Fraction) -> State:
        """A = σ·draw and B = 0."""
        a = tuple(tuple(sigma * value for value in row) for row in draw)
        return self.state(a, tuple((Fraction(0),) * len(a) for _ in self.weight))

    def first_loss(self, draw: Matrix, sigma: Fraction) -> Fraction:
        """The loss after the first step."""
        return self.stepped(self.start(draw, sigma)).loss


def _outer(column: Row, row: Row, factor: Fraction) -> Matrix:
    return tuple(tuple(factor * a * b for b in row) for a in column)


def _zeros(like: Matrix) -> Matrix:
    return tuple((Fraction(0),) * len(row) for row in like)
