"""A question's entry of params.yml with other values, and the answer to it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.pipeline.unit import drawn, matched
from generators.question import Question


def entry_of(prefix: str, **changes: Any) -> dict[str, Any]:
    """A question's entry with some fields changed."""
    return {**deepcopy(dict(entries()[find(prefix)])), **changes}


def solved_entry(prefix: str, changed: dict[str, Any]) -> Any:
    """Solve an entry, and require that every check passes."""
    question_id = find(prefix)
    question = load_question(question_id)
    params = load_params(question_id, question, changed)
    if isinstance(question, Question):
        matched(question_id, changed)
        return question.solve(params)
    answer = question.solve(params)
    assert [check for check in question.verify(params, answer) if not check.passed] == []
    return answer


def drawn_entry(prefix: str, changed: dict[str, Any]) -> Any:
    """Solve and draw an entry, and require that every check passes."""
    answer, question_id = solved_entry(prefix, changed), find(prefix)
    question = load_question(question_id)
    assert drawn(question_id, question, load_params(question_id, question, changed), answer)
    return answer
