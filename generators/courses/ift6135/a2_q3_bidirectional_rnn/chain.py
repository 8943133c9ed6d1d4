"""The letters of the two chains as matrix symbols, with their shapes."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix, Transpose

from generators.matrices import Diagonal, Tanh, gradient, vector


@dataclass(frozen=True)
class Sizes:
    """The letters of the sizes of input, hidden state and output."""

    x: sympy.Symbol
    h: sympy.Symbol
    y: sympy.Symbol


def sizes_of(shapes: str) -> Sizes:
    """One letter for all sizes of square weights, else a letter for each."""
    names = {"square": "d d d", "general": "d_x d_h d_y"}[shapes]
    return Sizes(*sympy.symbols(names, integer=True, positive=True))


@dataclass(frozen=True)
class Chain:
    """One of the two directions: its superscript, the time steps it comes from and goes to, its last one, and the sizes."""

    name: str
    before: str
    after: str
    last: str
    sizes: Sizes

    @property
    def w(self) -> MatrixSymbol:
        """From input to hidden state."""
        return MatrixSymbol(rf"\mathbf{{W}}^{{({self.name})}}", self.sizes.h, self.sizes.x)

    @property
    def u(self) -> MatrixSymbol:
        """From hidden state to hidden state."""
        return MatrixSymbol(rf"\mathbf{{U}}^{{({self.name})}}", self.sizes.h, self.sizes.h)

    @property
    def v(self) -> MatrixSymbol:
        """From hidden state to output."""
        return MatrixSymbol(rf"\mathbf{{V}}^{{({self.name})}}", self.sizes.y, self.sizes.h)

    def h(self, time: str) -> MatrixSymbol:
        """The hidden state."""
        return MatrixSymbol(vector("h", time, self.name), self.sizes.h, 1)

    def loss_by_h(self, time: str) -> MatrixSymbol:
        """The gradient of the whole loss by a hidden state."""
        return MatrixSymbol(gradient("L", vector("h", time, self.name)), self.sizes.h, 1)

    def x(self, time: str) -> MatrixSymbol:
        """The input."""
        return MatrixSymbol(vector("x", time), self.sizes.x, 1)

    def argument(self, time: str, before: str) -> MatAdd:
        """What tanh is applied to."""
        return MatAdd(MatMul(self.w, self.x(time)), MatMul(self.u, self.h(before)))

    @property
    def step(self) -> Tanh:
        """The hidden state as the sheet defines it."""
        return Tanh(self.argument("t", self.before))

    def error(self, time: str) -> MatAdd:
        """Target less output."""
        z, y = (MatrixSymbol(vector(letter, time), self.sizes.y, 1) for letter in "zy")
        return MatAdd(z, MatMul(-1, y))

    def slope(self, time: str) -> Diagonal:
        """The derivatives of tanh on the diagonal, written with its values."""
        h = self.h(time)
        return Diagonal(MatAdd(OneMatrix(self.sizes.h, 1), MatMul(-1, HadamardProduct(h, h))))

    def local(self, time: str) -> MatMul:
        """The gradient of one step's loss by its hidden state."""
        return MatMul(-2, Transpose(self.v), self.error(time))

    @property
    def jacobian(self) -> MatMul:
        """The derivative of the next hidden state by this one."""
        return MatMul(self.slope(self.after), self.u)
