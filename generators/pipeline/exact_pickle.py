"""Hands answers from one process to another with their formulas as they are written."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import sympy

from generators.answer import Answer


def dumped(answers: Sequence[Answer]) -> bytes:
    """The answers as bytes that `pickle.loads` reads."""
    stream = io.BytesIO()
    _Exact(stream).dump(answers)
    return stream.getvalue()


class _Exact(pickle.Pickler):
    """SymPy would work sums, products and powers out again when they are read: 2*(K*N) would become 2*K*N."""

    def reducer_override(self, of: Any) -> Any:
        """Called by pickle."""
        return (_as_written, (type(of), of.args)) if isinstance(of, sympy.Add | sympy.Mul | sympy.Pow) else NotImplemented


def _as_written(kind: type[sympy.Expr], arguments: tuple[sympy.Expr, ...]) -> sympy.Expr:
    return kind(*arguments, evaluate=False)
