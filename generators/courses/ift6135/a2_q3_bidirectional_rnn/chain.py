"""The letters of the two chains as matrix symbols, with their shapes."""

from __future__ import annotations

import sympy
from sympy import HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix

from generators.matrices import Diagonal, gradient, vector


class Chain:
    """One of the two directions: its superscript, the time steps it comes from and goes to, and its weights.

    Square weights have one letter for all sizes, others a letter each for input, hidden state and output.
    """

    def __init__(self, name: str, before: str, after: str, *, square: bool) -> None:
        self.name, self.before, self.after = name, before, after
        x, h, y = sympy.symbols("d d d" if square else "d_x d_h d_y", integer=True, positive=True)
        self.d_x, self.d_h, self.d_y = x, h, y
        self.w, self.u, self.v = (
            MatrixSymbol(rf"\mathbf{{{letter}}}^{{({name})}}", *shape)
            for letter, shape in (("W", (h, x)), ("U", (h, h)), ("V", (y, h)))
        )

    def h(self, time: str) -> MatrixSymbol:
        """The hidden state."""
        return MatrixSymbol(vector("h", time, self.name), self.d_h, 1)

    def loss_by_h(self) -> MatrixSymbol:
        """The gradient of the whole loss by the hidden state at step t."""
        return MatrixSymbol(gradient("L", vector("h", "t", self.name)), self.d_h, 1)

    def x(self, time: str) -> MatrixSymbol:
        """The input."""
        return MatrixSymbol(vector("x", time), self.d_x, 1)

    def error(self, time: str) -> MatAdd:
        """Target less output."""
        z, y = (MatrixSymbol(vector(letter, time), self.d_y, 1) for letter in "zy")
        return MatAdd(z, MatMul(-1, y))

    def slope(self, time: str) -> Diagonal:
        """The derivatives of tanh on the diagonal, written with its values."""
        h = self.h(time)
        return Diagonal(MatAdd(OneMatrix(self.d_h, 1), MatMul(-1, HadamardProduct(h, h))))
