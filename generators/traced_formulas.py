"""Formulas at traced letters: SymPy's operations as those that a trace keeps."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy

from generators.traced import Trace, Traced, is_traced

_FOLDED = {sympy.Add: "+", sympy.Mul: "*", sympy.Min: "min", sympy.Max: "max", sympy.Pow: "^"}


def traced(expression: sympy.Basic, letters: Mapping[sympy.Symbol, Any], number: Any) -> Any:
    """An expression's number at letters with its node; where it has none, the number, and traced letters must stay."""
    own = [letters[symbol] for symbol in sorted(expression.free_symbols & letters.keys(), key=str) if is_traced(letters[symbol])]
    if not own:
        return number
    trace: Trace = own[0].trace
    node = _node(trace, expression, letters) if isinstance(number, int | Fraction) else None
    if node is None:
        for one in own:
            one.kept()
        return number
    return Traced(trace, number, node)


def _node(trace: Trace, of: sympy.Basic, letters: Mapping[sympy.Symbol, Any]) -> int | None:
    if of.is_Rational:
        return trace.constant(Fraction(int(of.p), int(of.q)))
    if of.is_Symbol:
        letter = letters.get(of)
        return letter.node if is_traced(letter) else trace.constant(letter) if isinstance(letter, int | Fraction) else None
    if of.func == sympy.ceiling:
        of = -sympy.floor(-of.args[0], evaluate=False)
    inner = [_node(trace, one, letters) for one in of.args]
    if None in inner or (of.is_Pow and not _whole(of.args[1], letters)):
        return None
    if of.func == sympy.floor:
        return trace.place(("//", inner[0], trace.constant(1)))
    sign = _FOLDED.get(of.func)
    return reduce(lambda one, other: trace.place((sign, one, other)), inner) if sign else None


def _whole(exponent: sympy.Basic, letters: Mapping[sympy.Symbol, Any]) -> bool:
    """Whether an exponent is a sum of whole numbers."""
    terms = exponent.args if exponent.is_Add else [exponent]
    return all(one.is_Integer or (one.is_Symbol and isinstance(letters.get(one), int)) for one in terms)
