"""Brings questions up to date: each step of each runs only if what it reads changed, in processes side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from generators.pipeline.catalog import QuestionId, load_params, load_question
from generators.pipeline.failures import named
from generators.pipeline.imports import keep_imports
from generators.pipeline.kept import Section, Sections, current, keep, load, path_of
from generators.pipeline.keys import Keys, is_current
from generators.pipeline.progress import progress
from generators.pipeline.schedule import (
    Composed,
    Entries,
    Matched,
    Varied,
    as_they_end,
    composed_as_they_end,
    matched_as_they_end,
)
from generators.pipeline.wording import counted

_DONE = {"solve": "solved", "draw": "drawn", "render": "rendered"}
"""Steps as progress says them."""

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
    tall: Mapping[str, str]
    answer: Mapping[str, Any]
    left_out: Mapping[str, str]
    """Recordings that do not fit the entry, by file, with the reasons."""
    slips: Sequence[Mapping[str, Any]]
    """What other numbers than the boxed ones come from."""
    what_if: Mapping[str, Any] | None = None
    """What a page needs to follow changes of its parameters."""
    variants: Sequence[Mapping[str, Any]] = ()
    """The page under other conventions, and at other sizes that it names."""
    ledger: Any = None

    @classmethod
    def of(cls, question_id: QuestionId, sections: Sections) -> Worked:
        """Put the sections of all steps together."""
        solved, matched = sections["solve"].content, sections.get("match")
        return cls(
            question_id=question_id,
            title=solved["title"],
            points=solved["points"],
            figures={name: one["svg"] for name, one in sections["draw"].content.items()},
            tall={name: one["tall"] for name, one in sections["draw"].content.items() if one["tall"]},
            answer=solved["answer"],
            left_out=solved.get("left_out", {}),  # what older versions kept has none
            slips=solved.get("slips", ()),
            variants=sections["variants"].content if "variants" in sections else (),
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

    `on_composed` is called with each question as soon as its page exists, whether it is matched by then or not;
    `while_waiting` once, when all pages exist and only matches and variants still run.
    """
    kept, stale = _kept(entries)
    fresh = _worked_out(stale, kept, tell, on_composed, while_waiting) if stale else {}
    if not stale:
        _pass_on(kept, on_composed)
    for question_id, sections in fresh.items():
        keep(path_of(question_id), sections)
    return {one: Worked.of(one, fresh.get(one) or kept[one]) for one in entries}


def _kept(entries: Entries) -> tuple[dict[QuestionId, dict[str, Section]], Entries]:
    """What is kept of each question, and the questions with a step that has something to do; bad ones are refused."""
    with named("reading"):
        kept = {question_id: load(path_of(question_id)) for question_id in entries}
        stale = {one: entry for one, entry in entries.items() if not is_current(one, entry, kept[one])}
        keep_imports()
        _refuse_bad(stale)
    return kept, stale


def _worked_out(
    stale: Entries,
    kept: Mapping[QuestionId, Sections],
    tell: Tell,
    on_composed: Callable[[Worked], object],
    while_waiting: Callable[[], object],
) -> dict[QuestionId, dict[str, Section]]:
    """Compose and match in parallel processes, and say what ended."""
    made: dict[QuestionId, dict[str, Section]] = {one: {} for one in stale}
    waiting = set(stale)
    unchanged = {question_id: sections for question_id, sections in kept.items() if question_id not in stale}
    with progress(len(stale)) as at_work, closing(as_they_end(stale, kept, at_work)) as steps:
        for question_id, one in steps:
            # Only now: a process that forks while a thread imports a module would wait for that module for ever.
            _pass_on(unchanged, on_composed)
            unchanged = {}
            if isinstance(one, Matched):
                made[question_id]["match"] = one.section
                if one.anew:
                    tell(_found(question_id, one))
                continue
            if isinstance(one, Varied):
                made[question_id]["variants"] = one.section
                continue
            made[question_id] |= one.sections
            _tell_composed(question_id, one, kept[question_id], tell)
            on_composed(Worked.of(question_id, one.sections))
            waiting.discard(question_id)
            if not waiting:
                while_waiting()
    return made


def _pass_on(kept: Mapping[QuestionId, Sections], on_composed: Callable[[Worked], object]) -> None:
    """Give on the pages that are as they were."""
    for question_id, sections in kept.items():
        on_composed(Worked.of(question_id, sections))


def _tell_composed(question_id: QuestionId, made: Composed, kept: Sections, tell: Tell) -> None:
    ran = [_DONE[step] for step, section in made.sections.items() if section != kept.get(step)]
    if ran:
        tell(f"{question_id}: {', '.join(ran)}")
    for name, reason in made.sections["solve"].content["left_out"].items() if "solved" in ran else ():
        tell(f"recording left out of {question_id}: {name}: {reason}")


def drafts(entries: Entries, tell: Tell) -> dict[QuestionId, Worked]:
    """Every question worked out; what was found again only where that is known already."""
    kept, stale = _kept(entries)
    fresh: dict[QuestionId, Sections] = {}
    for question_id, one in composed_as_they_end(stale, kept):
        _tell_composed(question_id, one, kept[question_id], tell)
        match = current(kept[question_id].get("match"), Keys.of(question_id, entries[question_id]).solve_and_match)
        fresh[question_id] = {**one.sections, **({"match": match} if match else {})}
        keep(path_of(question_id), {**kept[question_id], **one.sections})
    return {one: Worked.of(one, fresh.get(one) or kept[one]) for one in entries}


def verify_all(entries: Entries, tell: Tell) -> int:
    """Find the values of these questions again, kept or not; return how many."""
    _refuse_bad(entries)
    count = 0
    with progress(len(entries)) as at_work, closing(matched_as_they_end(entries, at_work)) as steps:
        for question_id, one in steps:
            count += one.section.content["ledger"]["values"]
            tell(_found(question_id, one))
    return count


def _found(question_id: QuestionId, one: Matched) -> str:
    return f"{question_id}: {found_again(one.section.content['ledger'])} ({one.seconds:.1f} s)"


def found_again(ledger: Mapping[str, Any]) -> str:
    """How many values were found again, as progress says it."""
    return f"{counted(ledger['values'], 'value')} found again"


def _refuse_bad(entries: Entries) -> None:
    """Refuse bad parameters before any work begins; processes forked later have the modules imported here."""
    for question_id, entry in entries.items():
        load_params(question_id, load_question(question_id), entry)
