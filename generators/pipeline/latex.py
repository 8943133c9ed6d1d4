# ruff: noqa: N802 (sympy finds these methods by the names of its classes)
"""How sympy's expressions are written as LaTeX where its own printer is unclear or not understood downstream."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.printing.latex import LatexPrinter

from generators.matrices import entry


class _Printer(LatexPrinter):  # type: ignore[misc]
    """Sums open with a positive term, double sums need no stacked limits, vectors have one index."""

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
        if expr.is_Matrix:
            return list(expr.args)  # as written
        terms = super()._as_ordered_terms(expr, order)
        first = next((place for place, term in enumerate(terms) if not term.could_extract_minus_sign()), 0)
        return [terms[first], *terms[:first], *terms[first + 1 :]]

    def _print_Sum(self, expr: sympy.Sum) -> str:
        signs = [rf"\sum_{{{self._print(i)}={self._print(low)}}}^{{{self._print(high)}}}" for i, low, high in expr.limits]
        body = self._print(expr.function)
        return " ".join([*reversed(signs), rf"\left({body}\right)" if expr.function.is_Add else body])

    def _print_MatMul(self, expr: Any) -> str:
        """A gradient before another factor is bracketed, so that its L is not read as a factor."""
        text = str(super()._print_MatMul(expr))
        for name in {arg.name for arg in expr.args[:-1] if arg.is_symbol and arg.name.startswith(r"\nabla")}:
            text = text.replace(name, rf"\left({name}\right)")
        return text

    def _print_Transpose(self, expr: Any) -> str:
        """A name with a superscript takes the sign beside it, since a power of a power reads badly."""
        inner = self._print(expr.arg)
        if expr.arg.is_symbol and inner.endswith(")}") and "^{(" in inner:
            return rf"{inner[:-1]}\top}}"
        return rf"{inner}^{{\top}}" if expr.arg.is_symbol and "^" not in inner else rf"\left({inner}\right)^{{\top}}"

    def _print_MatrixElement(self, expr: Any) -> str:
        indices = [expr.i] if expr.parent.shape[1] == 1 else [expr.i, expr.j]
        return entry(self._print(expr.parent), " ".join(map(self._print, indices)))

    def _helper_print_standard_power(self, expr: Any, template: str) -> str:
        if isinstance(expr.base, MatrixElement):
            return rf"\left({self._print(expr.base)}\right)^{{{self._print(expr.exp)}}}"
        return str(super()._helper_print_standard_power(expr, template))

    def _print_HadamardProduct(self, expr: Any) -> str:
        return r" \odot ".join(map(self._print, expr.args))

    def _print_HadamardPower(self, expr: Any) -> str:
        return r" \odot ".join([self._print(expr.base)] * int(expr.exp))

    def _print_OneMatrix(self, expr: Any) -> str:
        return r"\mathbf{1}"


def latex(expression: sympy.Basic, **settings: Any) -> str:
    """An expression as LaTeX, with the settings of sympy.latex."""
    return str(_Printer(settings).doprint(expression))
