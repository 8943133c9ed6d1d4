"""Evaluates a published expression by its structure, at numbers and arrays by the names that a reader sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import sympy

Array = Any
"""A two-dimensional numpy array, or a plain number."""


class NoValue(Exception):
    """An expression has a name or an operation that a world has no value for, or shapes that do not fit."""


def evaluated(expression: sympy.Basic, world: Mapping[str, Any]) -> Array:
    """The value of a matrix expression, or of one in entries: index i runs down its rows and j along its columns.

    `world` holds matrices (rows, columns) by name, the sizes that their shapes are written with, and under `steps` a world
    for each time step of a sum over time.
    """
    try:
        return _value(expression, world)
    except (KeyError, ValueError, IndexError) as error:
        raise NoValue(f"{expression}: {error}") from error


def is_matrix(expression: object) -> bool:
    """Whether an expression is one of matrices or of their entries, which sympy cannot evaluate by substitution."""
    if not isinstance(expression, sympy.Basic):
        return False
    return isinstance(expression, sympy.MatrixExpr) or expression.has(sympy.MatrixSymbol)


def _value(expression: Any, world: Mapping[str, Any]) -> Array:
    if isinstance(expression, sympy.MatrixSymbol | sympy.Symbol):
        return world[str(expression.name)]
    if expression.is_Number:
        return np.array([[float(expression)]])
    name = type(expression).__name__
    if name not in _OPERATIONS:
        raise NoValue(f"no value for {name}: {expression}")
    return _OPERATIONS[name](expression, world)


def _values(expression: Any, world: Mapping[str, Any]) -> list[Array]:
    return [_value(argument, world) for argument in expression.args]


def _product(expression: Any, world: Mapping[str, Any]) -> Array:
    """Numbers scale; everything else is a matrix product."""
    scale = float(np.prod([float(one) for one in expression.args if one.is_Number]))
    factors = [_value(one, world) for one in expression.args if not one.is_Number]
    return scale * reduce(np.matmul, factors)


def _sum(expression: Any, world: Mapping[str, Any]) -> Array:
    """All terms must have one shape; a matrix of ones takes that of the others."""
    parts = [_value(one, world) for one in expression.args if not isinstance(one, sympy.OneMatrix)]
    if len({part.shape for part in parts}) != 1:
        raise NoValue(f"terms of different shapes: {expression}")
    return reduce(np.add, parts) + (len(expression.args) - len(parts))


def _entries(expression: Any, world: Mapping[str, Any]) -> Array:
    """All entries at once, laid along the rows for an index i and along the columns for j; those at i, i along the rows."""
    matrix, indices = world[str(expression.parent.name)], (str(expression.i), str(expression.j))
    if indices == ("i", "i"):
        return np.diag(matrix)[:, None]
    if indices not in (("i", "j"), ("i", "0"), ("j", "0")):
        raise NoValue(f"no value for the entry {expression}")
    return matrix.T if indices == ("j", "0") else matrix


_OPERATIONS: dict[str, Callable[[Any, Mapping[str, Any]], Array]] = {
    "MatMul": _product,
    "MatAdd": _sum,
    "MatrixElement": _entries,
    "TimeSum": lambda of, world: reduce(np.add, (_value(of.summand, step) for step in world["steps"])),
    "Transpose": lambda of, world: _value(of.arg, world).T,
    "Diagonal": lambda of, world: np.diag(_value(of.args[0], world)[:, 0]),
    "HadamardProduct": lambda of, world: reduce(np.multiply, _values(of, world)),
    "HadamardPower": lambda of, world: _value(of.base, world) ** int(of.exp),
    "Add": lambda of, world: reduce(np.add, _values(of, world)),
    "Mul": lambda of, world: reduce(np.multiply, _values(of, world)),
    "Pow": lambda of, world: _value(of.base, world) ** int(of.exp),
}


def shape(expression: sympy.MatrixExpr, world: Mapping[str, Any]) -> tuple[int, ...]:
    """The written shape of a matrix expression at the sizes that the world has by the letters in it."""
    sizes = [sympy.sympify(size) for size in expression.shape]
    missing = sorted({str(letter) for size in sizes for letter in size.free_symbols} - set(world))
    if missing:
        raise NoValue(f"no size for {', '.join(missing)}: {expression}")
    return tuple(int(size.subs({letter: world[str(letter)] for letter in size.free_symbols})) for size in sizes)


def difference(expression: sympy.Basic, world: Mapping[str, Any], found: Array) -> float:
    """The largest difference over the largest found value; infinite where shapes do not fit or a value is missing.

    The shape that is written beside a matrix expression, at the sizes of the world, must be the found one too.
    """
    found = np.asarray(found)
    try:
        value = evaluated(expression, world)
        if isinstance(expression, sympy.MatrixExpr):
            written = shape(expression, world)
        else:
            written, value = found.shape, np.broadcast_to(value, found.shape)
    except (NoValue, ValueError):
        return float("inf")
    if not value.shape == written == found.shape:
        return float("inf")
    off = float(np.abs(value - found).max() / np.abs(found).max())
    return off if off == off else float("inf")  # noqa: PLR0124 (a NaN differs from itself)
