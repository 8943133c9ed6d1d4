"""answers.json, from questions as they were worked out; nothing slow is imported for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from generators.pipeline.listed import Listed

VERSION = 2


def answers_json(contents: Sequence[Listed]) -> str:
    """Every answer with what was found again, as docs/answers.schema.json says, a line a question."""
    questions = ",\n".join(json.dumps(question_object(one), ensure_ascii=False) for one in contents)
    return f'{{"$schema": "answers.schema.json", "version": {VERSION}, "questions": [\n{questions}\n]}}\n'


def question_object(listed: Listed) -> dict[str, Any]:
    """One question's object of json."""
    worked = listed.worked
    return {
        "id": str(worked.question_id),
        "course": listed.course,
        "document": listed.document,
        "number": worked.question_id.number,
        "title": worked.title,
        "points": worked.points,
        "page": f"answers/{listed.path}.html",
        "pdf": f"answers/{listed.pdf}",
        "params": worked.answer["params"],
        "parts": worked.answer["parts"],
        "found": worked.ledger,
    }
