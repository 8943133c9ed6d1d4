"""A question's entry of params.yml with other values, and the answer to it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.pipeline.unit import drawn, matched


def entry_of(prefix: str, **changes: Any) -> dict[str, Any]:
    """A question's entry with some fields changed."""
    return {**deepcopy(dict(entries()[find(prefix)])), **changes}


def solved_entry(prefix: str, changed: dict[str, Any]) -> Any:
    """Solve an entry, and require that everything is found again."""
    question_id = find(prefix)
    question = load_question(question_id)
    params = load_params(question_id, question, changed)
    matched(question_id, changed)
    return question.solve(params)


def drawn_entry(prefix: str, changed: dict[str, Any]) -> Any:
    """Solve and draw an entry, and require that everything is found again."""
    answer, question_id = solved_entry(prefix, changed), find(prefix)
    question = load_question(question_id)
    assert drawn(question_id, question, answer)
    return answer
