"""A question's entry of params.yml with other values, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from generators.pipeline.catalog import QuestionId, entries, find
from generators.pipeline.unit import Task, composed, drawn, matched

ENTRIES = entries()
"""Every question with its entry, read once: reading all courses takes as long as a small test."""


def id_of(prefix: str) -> QuestionId:
    """The question whose id starts so."""
    return find(prefix, ENTRIES)


def entry_of(prefix: str, **changes: Any) -> dict[str, Any]:
    """A question's entry with some fields changed."""
    return {**deepcopy(dict(ENTRIES[id_of(prefix)])), **changes}


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
    made = composed(id_of(prefix), changed, {}).sections
    return {"site": made["render"].content["site"], **{name: one["svg"] for name, one in made["draw"].content.items()}}


@dataclass(frozen=True)
class Far:
    """Parameters far from the default, laid over the entry, and what the page says, or does not say, of them.

    `stays` lists addresses of values that must be those of the entry as it stands: physical results when only counting changes.
    """

    change: Mapping[str, Any]
    says: Sequence[str] = ()
    silent: Sequence[str] = ()
    stays: Sequence[str] = ()
