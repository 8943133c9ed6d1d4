"""One answer for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from generators.pipeline.answers_json import question_object
from generators.pipeline.build import Worked, found_again
from generators.pipeline.listed import listed


def to_json(worked: Worked) -> str:
    """The question's object of answers.json."""
    return json.dumps(question_object(listed(worked)), ensure_ascii=False, indent=1)


def as_text(worked: Worked) -> str:
    """Parts with all that stands in them, then what was found again."""
    return "\n".join([f"{worked.question_id}: {worked.title}", *_parts(worked.answer), "", found_again(worked.ledger)])


def _parts(answer: Mapping[str, Any]) -> Iterator[str]:
    """Every datum at its address, a row of a table a line."""
    for label, part in answer["parts"].items():
        yield ""
        yield f"{label} {part['title']}"
        for one in part["quantities"]:
            formula = f" = {one['formula']}" if one["formula"] else ""
            yield f"  {one['address']}{formula} = {_cell(one['value'])} {one['unit']}".rstrip()
        for one in (*part["texts"], *part["claims"]):
            yield f"  {one['address']}: {_cell(one['value'])}"
        for one in part["derivations"]:
            yield from (f"  {one['address']}/{line['key']}: {line['symbol']} = {line['latex']}" for line in one["lines"])
        for table in part["tables"]:
            yield f"  {table['address']}: {', '.join(column['key'] for column in table['columns'])}"
            for row in table["rows"]:
                yield f"    {row['key']}: " + ", ".join(map(_cell, row["cells"].values()))


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return str(next(iter(value.values())))
    return "–" if value is None else str(value)
