"""Brings questions up to date: each step of each runs only if what it reads changed, in processes side by side."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any

from generators.pipeline.catalog import QuestionId, load_params, load_question
from generators.pipeline.imports import keep_imports
from generators.pipeline.kept import Section, keep, load, path_of
from generators.pipeline.keys import is_current
from generators.pipeline.reads import imported_packages
from generators.pipeline.workers import workers

_DONE = {"solve": "solved", "draw": "drawn", "render": "rendered"}
"""Steps as progress says them."""
_SLOW_PACKAGES = (("transformers", "peft"), ("torch",))

Entries = Mapping[QuestionId, Mapping[str, Any]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Worked:
    """A question worked out: its pages and pictures, its answer for machines, and, once matched, what was found again."""

    question_id: QuestionId
    title: str
    points: int
    site: str
    pdf: str
    conventions: str
    errata: str
    figures: Mapping[str, str]
    answer: Mapping[str, Any]
    ledger: Any = None

    @classmethod
    def of(cls, question_id: QuestionId, sections: Mapping[str, Section]) -> Worked:
        """Put the sections of all steps together."""
        solved, matched = sections["solve"].content, sections.get("match")
        return cls(
            question_id=question_id,
            title=solved["title"],
            points=solved["points"],
            figures={name: one["svg"] for name, one in sections["draw"].content.items()},
            answer=solved["answer"],
            ledger=matched.content["ledger"] if matched else None,
            **sections["render"].content,
        )


def units(
    entries: Entries,
    tell: Tell,
    on_composed: Callable[[Worked], object] = lambda worked: None,
    while_waiting: Callable[[], object] = lambda: None,
) -> dict[QuestionId, Worked]:
    """Every question worked out and found again, kept steps as they are; any failure raises before anything is kept.

    `on_composed` is called with each question as soon as its page exists, for one composed again before it is matched;
    `while_waiting` once, when all pages exist and only matches still run.
    """
    kept = {question_id: load(path_of(question_id)) for question_id in entries}
    stale = {one: entry for one, entry in entries.items() if not is_current(one, entry, kept[one])}
    keep_imports()
    for question_id in entries:
        if question_id not in stale:
            on_composed(Worked.of(question_id, kept[question_id]))
    fresh = _worked_out(stale, kept, tell, on_composed, while_waiting) if stale else {}
    for question_id, sections in fresh.items():
        keep(path_of(question_id), sections)
    return {one: Worked.of(one, fresh.get(one) or kept[one]) for one in entries}


Kept = Mapping[QuestionId, Mapping[str, Section]]


def _worked_out(
    stale: Entries,
    kept: Kept,
    tell: Tell,
    on_composed: Callable[[Worked], object],
    while_waiting: Callable[[], object],
) -> dict[QuestionId, dict[str, Section]]:
    """Compose and match in parallel processes; questions whose matches import the same slow packages share a process."""
    _refuse_bad(stale)
    batches = _batches(stale)
    made: dict[QuestionId, dict[str, Section]] = {}
    matches: dict[QuestionId, Section] = {}
    with workers(len(stale) + len(batches)) as pool:
        jobs: dict[Future[Any], QuestionId | None] = {pool.submit(_match, batches[0], kept): None}
        jobs |= {pool.submit(_compose, one, stale[one], kept[one]): one for one in _longest_first(stale)}
        jobs |= {pool.submit(_match, batch, kept): None for batch in batches[1:]}
        for job in as_completed(jobs):
            question_id = jobs[job]
            if question_id is None:
                for matched_id, (seconds, section, anew) in job.result().items():
                    matches[matched_id] = section
                    if anew:
                        tell(f"{matched_id}: {found_again(section.content['ledger'])} ({seconds:.1f} s)")
            else:
                made[question_id] = job.result()
                ran = [_DONE[step] for step, section in made[question_id].items() if section != kept[question_id].get(step)]
                if ran:
                    tell(f"{question_id}: {', '.join(ran)}")
                on_composed(Worked.of(question_id, made[question_id]))
                if len(made) == len(stale):
                    while_waiting()
    return {question_id: {**made[question_id], "match": matches[question_id]} for question_id in stale}


def _longest_first(stale: Entries) -> list[QuestionId]:
    """Questions of the documents with most pages first: their PDFs take longest, and wait for all of them."""
    pages = Counter((question_id.course, question_id.document) for question_id in stale)
    return sorted(stale, key=lambda question_id: -pages[question_id.course, question_id.document])


Batch = list[tuple[QuestionId, Mapping[str, Any]]]


def _batches(stale: Entries) -> list[Batch]:
    """Questions whose matches import the same slow package together, all others one by one; the largest batch first.

    On two cores torch is imported once: a second import costs more than running one question after the other.
    """
    groups: dict[Any, Batch] = {}
    for question_id, entry in stale.items():
        packages = imported_packages(question_id)
        slow = [names for names in _SLOW_PACKAGES if packages & set(names)]
        few_cores = (os.cpu_count() or 1) <= 2
        group = ("torch",) if slow and few_cores else slow[0] if slow else question_id
        groups.setdefault(group, []).append((question_id, entry))
    return sorted(groups.values(), key=len, reverse=True)


def verify_all(entries: Entries, tell: Tell) -> int:
    """Find the values of these questions again, kept or not; return how many."""
    _refuse_bad(entries)
    count = 0
    batches = _batches(entries)
    with workers(len(batches)) as pool:
        for job in as_completed([pool.submit(_match, batch, {}) for batch in batches]):
            for question_id, (seconds, section, _) in job.result().items():
                count += section.content["ledger"]["total"]
                tell(f"{question_id}: {found_again(section.content['ledger'])} ({seconds:.1f} s)")
    return count


def found_again(ledger: Mapping[str, Any]) -> str:
    """How many values were found again, as progress says it."""
    return f"{ledger['total']} values found again"


def _refuse_bad(entries: Entries) -> None:
    """Refuse bad parameters before any work begins; processes forked later have the modules imported here."""
    for question_id, entry in entries.items():
        load_params(question_id, load_question(question_id), entry)


def _compose(question_id: QuestionId, entry: Mapping[str, Any], kept: Mapping[str, Section]) -> dict[str, Section]:
    from generators.pipeline.unit import composed

    return composed(question_id, entry, kept)


def _match(batch: Iterable[tuple[QuestionId, Mapping[str, Any]]], kept: Kept) -> dict[QuestionId, tuple[float, Section, bool]]:
    from generators.pipeline.unit import match_section

    found = {}
    for question_id, entry in batch:
        start = time.perf_counter()
        section, anew = match_section(question_id, entry, kept.get(question_id, {}))
        found[question_id] = (time.perf_counter() - start, section, anew)
    return found
