"""Brings questions up to date: each step of each runs only if what it reads changed, in processes side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
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
    slips: Mapping[str, Any]
    """What other numbers than the boxed ones come from."""
    what_if: Mapping[str, Any] | None = None
    """What a page needs to follow changes of its parameters."""
    readings: Sequence[Mapping[str, Any]] = ()
    """Other conventions, and other sizes that the question names, with what they give in the boxes."""
    variants: Sequence[Mapping[str, Any]] | None = None
    """The page of each other reading, once it is made."""
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
            left_out=solved["left_out"],
            slips=solved["slips"],
            readings=solved["readings"],
            variants=sections["variants"].content if "variants" in sections else None,
            ledger=matched.content["ledger"] if matched else None,
            **sections["render"].content,
        )


@dataclass(frozen=True)
class Hooks:
    """What else is done while questions are worked out."""

    composed: Callable[[Worked], object] = lambda worked: None
    """Called with each question as soon as its page exists, whether it is matched by then or not."""
    waiting: Callable[[], object] = lambda: None
    """Called once, when all pages exist."""
    found: Callable[[dict[QuestionId, Worked]], object] | None = None
    """Called once, when all questions are matched; with it the pages of other readings are made too, some meanwhile."""


def units(entries: Entries, tell: Tell, hooks: Hooks = Hooks()) -> dict[QuestionId, Worked]:
    """Every question worked out and found again, kept steps as they are; nothing is kept before all are found again."""
    kept, stale = _kept(entries, varied=hooks.found is not None)
    made = {one: {} if one in stale else dict(sections) for one, sections in kept.items()}
    if stale:
        _work_out(stale, kept, made, tell, hooks)
    else:
        _pass_on(made, hooks)
        _all_found(made, hooks)
    return {one: Worked.of(one, sections) for one, sections in made.items()}


def _kept(entries: Entries, *, varied: bool) -> tuple[dict[QuestionId, dict[str, Section]], Entries]:
    """What is kept of each question, and the questions with a step that has something to do; bad ones are refused."""
    with named("reading"):
        kept = {question_id: load(path_of(question_id)) for question_id in entries}
        stale = {one: entry for one, entry in entries.items() if not is_current(one, entry, kept[one], varied=varied)}
        keep_imports()
        _refuse_bad(stale)
    return kept, stale


def _work_out(
    stale: Entries, kept: Mapping[QuestionId, Sections], made: dict[QuestionId, dict[str, Section]], tell: Tell, hooks: Hooks
) -> None:
    """Compose, match and vary in parallel processes into `made`, and say what ended."""
    to_compose, to_match = set(stale), set(stale)
    unchanged = {question_id: sections for question_id, sections in made.items() if sections}
    with progress(len(stale)) as at_work, closing(as_they_end(stale, kept, at_work, varied=hooks.found is not None)) as steps:
        for question_id, one in steps:
            # Only now: a process that forks while a thread imports a module would wait for that module for ever.
            _pass_on(unchanged, hooks)
            unchanged = {}
            if isinstance(one, Varied):
                made[question_id]["variants"] = one.section
                continue
            if isinstance(one, Matched):
                made[question_id]["match"] = one.section
                to_match.discard(question_id)
                if one.anew:
                    tell(_found(question_id, one))
            else:
                made[question_id] |= one.sections
                to_compose.discard(question_id)
                _tell_composed(question_id, one, kept[question_id], tell)
                hooks.composed(Worked.of(question_id, one.sections))
                if not to_compose:
                    hooks.waiting()
            if not to_compose and not to_match:
                at_work((), 0)
                _keep(stale, kept, made)
                _all_found(made, hooks)
    if hooks.found:
        _keep(stale, kept, made)


def _keep(stale: Entries, kept: Mapping[QuestionId, Sections], made: Mapping[QuestionId, Sections]) -> None:
    """Keep what was made, and earlier pages of other readings until there are new ones."""
    for question_id in stale:
        earlier = {step: section for step, section in kept[question_id].items() if step == "variants"}
        keep(path_of(question_id), {**earlier, **made[question_id]})


def _all_found(made: Mapping[QuestionId, Sections], hooks: Hooks) -> None:
    if hooks.found:
        hooks.found({one: Worked.of(one, sections) for one, sections in made.items()})


def _pass_on(made: Mapping[QuestionId, Sections], hooks: Hooks) -> None:
    """Give on the pages that are as they were."""
    for question_id, sections in made.items():
        hooks.composed(Worked.of(question_id, sections))


def _tell_composed(question_id: QuestionId, made: Composed, kept: Sections, tell: Tell) -> None:
    ran = [_DONE[step] for step, section in made.sections.items() if section != kept.get(step)]
    if ran:
        tell(f"{question_id}: {', '.join(ran)}")
    for name, reason in made.sections["solve"].content["left_out"].items() if "solved" in ran else ():
        tell(f"recording left out of {question_id}: {name}: {reason}")


def drafts(entries: Entries, tell: Tell) -> dict[QuestionId, Worked]:
    """Every question worked out; what was found again only where that is known already."""
    kept, stale = _kept(entries, varied=True)
    made = {one: Worked.of(one, sections) for one, sections in kept.items() if one not in stale}
    for question_id, one in composed_as_they_end(stale, kept):
        _tell_composed(question_id, one, kept[question_id], tell)
        match = current(kept[question_id].get("match"), Keys.of(question_id, entries[question_id]).solve_and_match)
        worked = Worked.of(question_id, {**one.sections, **({"match": match} if match else {})})
        made[question_id] = replace(worked, readings=())  # their pages are not made yet
        keep(path_of(question_id), {**kept[question_id], **one.sections})
    return {one: made[one] for one in entries}


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
