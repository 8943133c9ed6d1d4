"""A question's entry of params.yml with other values, and the answer to it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.steps import Answer


def entry_of(prefix: str, **changes: Any) -> dict[str, Any]:
    """A question's entry with some fields changed."""
    return {**deepcopy(dict(entries()[find(prefix)])), **changes}


def solved_entry(prefix: str, changed: dict[str, Any]) -> Answer:
    """Solve an entry, and require that every check passes."""
    question_id = find(prefix)
    question = load_question(question_id)
    params = load_params(question_id, question, changed)
    answer = question.solve(params)
    assert [check for check in question.verify(params, answer) if not check.passed] == []
    return answer  # type: ignore[no-any-return]


def drawn_entry(prefix: str, changed: dict[str, Any]) -> Answer:
    """Solve and draw an entry, and require that every check passes."""
    answer, question_id = solved_entry(prefix, changed), find(prefix)
    question = load_question(question_id)
    assert question.draw(load_params(question_id, question, changed), answer)
    return answer
