"""Answers for machines: the objects of answers.json, whose form docs/answers.schema.json states."""

from __future__ import annotations

from typing import Any

from generators.answer import Cell, Math
from generators.params import Params
from generators.pipeline import typeset
from generators.pipeline.catalog import QuestionId
from generators.steps import Answer, Part, Step, Table


def exported(question_id: QuestionId, title: str, params: Params, answer: Answer) -> dict[str, Any]:
    """A question's object, without its checks."""
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
