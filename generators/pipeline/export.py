"""Answers for machines: the objects of answers.json, whose form docs/answers.schema.json states."""

from __future__ import annotations

from typing import Any

from generators import answer as answers
from generators.answer import Cell, Math
from generators.params import Params
from generators.pipeline import typeset
from generators.pipeline.catalog import QuestionId
from generators.steps import Answer, Part, Step, Table


def exported(question_id: QuestionId, title: str, params: Params, answer: Answer | answers.Answer) -> dict[str, Any]:
    """A question's object, without its checks."""
    if isinstance(answer, answers.Answer):
        return {
            "id": str(question_id),
            "title": title,
            "params": params.model_dump(mode="json"),
            "parts": {label: _addressed(part) for label, part in answer.parts.items()},
        }
    return {
        "id": str(question_id),
        "title": title,
        "params": params.model_dump(mode="json"),
        "parts": {label: _part(part) for label, part in answer.parts.items()},
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "steps": [_step(line) for line in part.steps.values()],
        "tables": {name: _table(table) for name, table in part.tables.items()},
    }


def _step(line: Step) -> dict[str, Any]:
    return {
        "what": line.what,
        "formula": None if line.formula is None else str(line.formula),
        "latex": typeset.equation(line),
        "value": cell(line.value),
        "unit": line.unit,
    }


def _table(table: Table) -> dict[str, Any]:
    return {"header": [cell(name) for name in table.header], "rows": [[cell(one) for one in row] for row in table.rows]}


def cell(content: Cell) -> str | float | None:
    """Exact numbers and formulas as text, measured numbers as numbers, an empty cell as null."""
    if content is None or isinstance(content, float):
        return content
    return content.latex if isinstance(content, Math) else str(content)


def _addressed(part: answers.Part) -> dict[str, Any]:
    """A part with everything in it by address."""
    items = part.items.values()
    return {
        "title": part.title,
        "quantities": [_quantity(one) for one in items if isinstance(one, answers.Quantity)],
        "texts": [{"address": one.address, "value": cell(one.value)} for one in items if isinstance(one, answers.Text)],
        "claims": [
            {"address": one.address, "what": one.what, "value": one.holds} for one in items if isinstance(one, answers.Claim)
        ],
        "derivations": [_derivation(one) for one in items if isinstance(one, answers.Derivation)],
        "tables": [_addressed_table(one) for one in items if isinstance(one, answers.Table)],
    }


def _quantity(one: answers.Quantity) -> dict[str, Any]:
    return {
        "address": one.address,
        "what": one.what,
        "symbol": str(one.symbol),
        "unit": one.unit,
        "value": cell(one.value),
        "formula": None if one.formula is None else str(one.formula),
        "letters": {str(symbol): letter.address for symbol, letter in one.letters.items()},
        "answer": one.asked,
    }


def _derivation(one: answers.Derivation) -> dict[str, Any]:
    lines = [{"key": key, "symbol": line.symbol, "value": cell(line.value), "why": line.why} for key, line in one.lines.items()]
    return {"address": one.address, "lines": lines, "answer": one.asked}


def _addressed_table(one: answers.Table) -> dict[str, Any]:
    columns = [
        {"key": key, "heading": cell(column.title), "unit": column.unit, "symbol": str(column.symbol or ""), "of": column.of}
        for key, column in one.columns.items()
    ]
    rows = [{"key": key, "cells": {name: cell(value) for name, value in cells.items()}} for key, cells in one.rows.items()]
    return {"address": one.address, "columns": columns, "rows": rows, "answer": one.asked}
