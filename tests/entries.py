"""A question's entry of params.yml with other values, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from generators.answer import Figure
from generators.params import Params
from generators.pipeline.catalog import QuestionId, entries, find, load_question
from generators.pipeline.match import Findings
from generators.pipeline.render import body
from generators.pipeline.unit import Task, drawn, matched

ENTRIES = entries()
"""Every question with its entry, read once: reading all courses takes as long as a small test."""


def id_of(prefix: str) -> QuestionId:
    """The question whose id starts so."""
    return find(prefix, ENTRIES)


def entry_of(prefix: str, **changes: Any) -> dict[str, Any]:
    """A question's entry with some fields changed."""
    return {**deepcopy(dict(ENTRIES[id_of(prefix)])), **changes}


@lru_cache(maxsize=32)
def found(question_id: QuestionId, params: Params) -> Findings:
    """What is found at some parameters; entries that differ in a field are often the same at the other sizes."""
    return Findings.gathered(load_question(question_id).find(params))


def solved_entry(prefix: str, changed: dict[str, Any]) -> Any:
    """Solve an entry, and require that everything is found again."""
    task = Task.at(id_of(prefix), changed)
    matched(task)
    return task.answer


def drawn_entry(prefix: str, changed: dict[str, Any]) -> Any:
    """Solve and draw an entry, and require that everything is found again."""
    task = Task.at(id_of(prefix), changed)
    matched(task)
    assert drawn(task)
    return task.answer


def composed_entry(prefix: str, changed: dict[str, Any]) -> dict[str, Any]:
    """The page of an entry for the site, and its pictures as SVG text; nothing is found again."""
    task = Task.at(id_of(prefix), changed)
    pictures = drawn(task)
    return {"site": site_of(task, pictures), **{name: one.svg for name, one in pictures.items()}}


def site_of(task: Task, pictures: Mapping[str, Figure]) -> str:
    """A page as Markdown, without what it needs to follow changes of its numbers."""
    return body(task.question_id, task.params, task.answer, pictures, "site").text


@dataclass(frozen=True)
class Far:
    """Parameters far from the default, laid over the entry, and what the page says, or does not say, of them.

    `stays` lists addresses of values that must be those of the entry as it stands: physical results when only counting changes.
    """

    change: Mapping[str, Any]
    says: Sequence[str] = ()
    silent: Sequence[str] = ()
    stays: Sequence[str] = ()
