"""Answers for machines: the objects of json, whose form docs/answers.schema.json states."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import sympy

from generators.answer import Answer, Claim, Derivation, Part, Text
from generators.cells import Cell, Math, Quantity
from generators.params import Params
from generators.pipeline import typeset
from generators.table import Table

DIGITS, MEASURED_DIGITS = 12, 6
"""Significant digits of decimal forms: of exact values and of measured ones."""
EXACT_BELOW = 10_000
RELATIVE = 0.001


def exported(params: Params, answer: Answer) -> dict[str, Any]:
    """Parameters and parts, without what was found again."""
    return {
        "params": params.model_dump(mode="json"),
        "parts": {label: _part(part) for label, part in answer.parts.items()},
    }


def _part(part: Part) -> dict[str, Any]:
    """A part with everything in it by address."""
    items = part.items.values()
    return {
        "title": part.title,
        "quantities": [_quantity(one) for one in items if isinstance(one, Quantity)],
        "texts": [{"address": one.address, "value": datum(one.value)} for one in items if isinstance(one, Text)],
        "claims": [{"address": one.address, "what": one.what, "value": one.holds} for one in items if isinstance(one, Claim)],
        "derivations": [_derivation(one) for one in items if isinstance(one, Derivation)],
        "tables": [_table(one) for one in items if isinstance(one, Table)],
    }


def _quantity(one: Quantity) -> dict[str, Any]:
    return {
        "address": one.address,
        "what": one.what,
        "symbol": str(one.symbol),
        "unit": one.unit,
        "value": datum(one.value),
        "formula": None if one.formula is None else str(one.formula),
        "letters": {str(symbol): letter.address for symbol, letter in one.letters.items()},
        "answer": one.asked,
    }


def _derivation(one: Derivation) -> dict[str, Any]:
    lines = [
        {"key": key, "symbol": line.symbol, "latex": typeset.value(line.value), "why": line.why}
        for key, line in one.lines.items()
    ]
    return {"address": one.address, "lines": lines, "answer": one.asked}


def _table(one: Table) -> dict[str, Any]:
    columns = [
        {"key": key, "heading": datum(column.title), "unit": column.unit, "symbol": str(column.symbol or ""), "of": column.of}
        for key, column in one.columns.items()
    ]
    rows = [{"key": key, "cells": {name: datum(value) for name, value in cells.items()}} for key, cells in one.rows.items()]
    letters = {str(symbol): letter.address for symbol, letter in one.letters.items()}
    return {"address": one.address, "columns": columns, "rows": rows, "letters": letters, "answer": one.asked}


def datum(value: Cell) -> Any:
    """A value for machines: text as it is, notation as LaTeX, an exact or measured number with its decimal form.

    A number's `tolerance` is what grading may allow: none for integers below EXACT_BELOW, else RELATIVE of the value.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Math):
        return {"latex": value.latex}
    if isinstance(value, float):
        return {"measured": value, **_decimal(value, MEASURED_DIGITS)}
    if isinstance(value, int | Fraction) or (isinstance(value, sympy.Expr) and value.is_number and value.is_real):
        return {"exact": str(value), **_decimal(value, DIGITS)}
    return {"expression": str(value)}


def _decimal(value: Any, digits: int) -> dict[str, Any]:
    number = sympy.N(sympy.sympify(value), digits + 5)
    exact = isinstance(value, int) and abs(value) < EXACT_BELOW
    tolerance = 0.0 if exact else float(f"{abs(float(number)) * RELATIVE:.3g}")
    shown = str(value) if isinstance(value, int) else f"{Decimal(str(number)):.{digits - 1}e}"
    return {"decimal": str(Decimal(shown)), "digits": digits, "tolerance": tolerance}
