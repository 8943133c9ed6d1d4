"""What matrix formulas use beyond sympy's own matrix expressions: names with a time step, diagonals, tanh, sums."""

from __future__ import annotations

import re
from typing import Any

import sympy


def vector(letter: str, time: str, chain: str = "") -> str:
    r"""The name of a vector, such as \mathbf{h}_{t}^{(f)}."""
    return rf"\mathbf{{{letter}}}_{{{time}}}" + (f"^{{({chain})}}" if chain else "")


def gradient(of: str, by: str) -> str:
    """The name of a gradient."""
    return rf"\nabla_{{{by}}} {of}"


def jacobian(of: str, by: str) -> str:
    """The name of a matrix of partial derivatives, a row an entry of `of`."""
    return rf"\frac{{\partial {of}}}{{\partial {by}}}"


_NAMED = re.compile(r"\\mathbf\{(?P<letter>\w)\}(_\{(?P<time>[^{}]+)\})?(?P<chain>\^\{\(\w\)\})?")


def entry(name: str, indices: str) -> str:
    r"""The name of an entry of a vector or matrix, such as h_{t,i}^{(f)}; other names get brackets."""
    parts = _NAMED.fullmatch(name)
    if parts is None:
        return rf"\left({name}\right)_{{{indices}}}"
    subscript = f"{parts['time']},{indices}" if parts["time"] else indices
    return f"{parts['letter']}_{{{subscript}}}{parts['chain'] or ''}"


class Diagonal(sympy.MatrixExpr):  # type: ignore[misc]
    """The square matrix with a column vector on its diagonal; unlike sympy's, it is never reasoned about, which is slow."""

    @property
    def shape(self) -> tuple[Any, Any]:
        """As many rows and columns as entries."""
        return self.args[0].shape[0], self.args[0].shape[0]

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{diag}}\left({printer._print(self.args[0])}\right)"


class TimeSum(sympy.MatrixExpr):  # type: ignore[misc]
    """A matrix expression whose names carry the index t, summed over t = 1 to T."""

    @property
    def summand(self) -> sympy.MatrixExpr:
        """The term of one time step."""
        return self.args[0]

    @property
    def shape(self) -> tuple[Any, Any]:
        """The shape of every term."""
        rows, columns = self.summand.shape
        return rows, columns

    def _latex(self, printer: Any) -> str:
        return rf"\sum_{{t=1}}^{{T}} {printer._print(self.summand)}"
