"""answers.json, from questions as they were worked out; nothing slow is imported for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from generators.pipeline.listed import Listed

VERSION = 2


def answers_json(contents: Sequence[Listed]) -> str:
    """Every answer with what was found again, as docs/answers.schema.json says."""
    content = {"$schema": "answers.schema.json", "version": VERSION, "questions": [question_object(one) for one in contents]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


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
