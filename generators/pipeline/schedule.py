"""Runs the steps of questions in processes side by side: each question is composed and matched, then varied."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from generators.pipeline.catalog import QuestionId
from generators.pipeline.kept import Section, Sections
from generators.pipeline.keys import is_matched
from generators.pipeline.progress import AtWork, quiet
from generators.pipeline.reads import imported_packages
from generators.pipeline.workers import workers

_SLOW_PACKAGES = (("transformers", "peft"), ("torch",))

Entries = Mapping[QuestionId, Mapping[str, Any]]


@dataclass(frozen=True)
class Composed:
    """A question solved, drawn and rendered; its answers for another process, if it was solved now."""

    sections: Mapping[str, Section]
    answers: bytes | None


@dataclass(frozen=True)
class Varied:
    """A question's page under its other readings."""

    section: Section


@dataclass(frozen=True)
class Matched:
    """What was found again, whether that was found now, and how long it took."""

    section: Section
    anew: bool
    seconds: float


def as_they_end(
    entries: Entries, kept: Mapping[QuestionId, Sections], at_work: AtWork, *, varied: bool
) -> Generator[tuple[QuestionId, Composed | Matched | Varied], None, None]:
    """Each question composed, then matched with the answers that were composed; and variants, once all are composed."""
    ordered = _longest_first(entries)
    with _pools(ordered) as (light, slow):
        # The first match of a process imports its slow packages meanwhile, so it solves its question itself.
        firsts = {pool: one for one, pool in slow.items() if not is_matched(one, entries[one], kept[one])}
        jobs: dict[Future[Any], QuestionId] = {
            pool.submit(_match, one, entries[one], kept[one], None): one for pool, one in firsts.items()
        }
        jobs |= {light.submit(_compose, one, entries[one], kept[one]): one for one in ordered}
        composed: dict[QuestionId, tuple[Any, ...]] = {}
        for question_id, made in _ended(jobs, at_work):
            if isinstance(made, Composed):
                one = (question_id, entries[question_id], kept[question_id], made.answers)
                composed[question_id] = (*one, made.sections["draw"].content)
                if question_id not in firsts.values():
                    jobs[slow.get(question_id, light).submit(_match, *one)] = question_id
                if varied and len(composed) == len(entries):
                    jobs |= {light.submit(_vary, *one): which for which, one in composed.items()}
            yield question_id, made


def composed_as_they_end(entries: Entries, kept: Mapping[QuestionId, Sections]) -> Iterator[tuple[QuestionId, Composed]]:
    """Each question composed and not matched; a single one in this process."""
    if len(entries) <= 1:
        yield from ((one, _compose(one, entry, kept[one])) for one, entry in entries.items())
        return
    with workers(len(entries)) as pool:
        yield from _ended({pool.submit(_compose, one, entry, kept[one]): one for one, entry in entries.items()})


def matched_as_they_end(entries: Entries, at_work: AtWork) -> Generator[tuple[QuestionId, Matched], None, None]:
    """Each question matched, whatever is kept."""
    with _pools(list(entries)) as (light, slow):
        jobs = {slow.get(one, light).submit(_match, one, entry, {}, None): one for one, entry in entries.items()}
        yield from _ended(jobs, at_work)


def _ended(jobs: dict[Future[Any], QuestionId], at_work: AtWork = quiet) -> Iterator[tuple[QuestionId, Any]]:
    """Each job's question and result as it ends; jobs may be added meanwhile."""
    while jobs:
        at_work([question_id for job, question_id in jobs.items() if job.running()], len(set(jobs.values())))
        for job in wait(jobs, return_when=FIRST_COMPLETED).done:
            yield jobs.pop(job), job.result()


def _longest_first(entries: Entries) -> list[QuestionId]:
    """Questions of the documents with most pages first: their PDFs take longest, and wait for all of them."""
    pages = Counter((question_id.course, question_id.document) for question_id in entries)
    return sorted(entries, key=lambda question_id: -pages[question_id.course, question_id.document])


@contextmanager
def _pools(ids: list[QuestionId]) -> Iterator[tuple[ProcessPoolExecutor, Mapping[QuestionId, ProcessPoolExecutor]]]:
    """Processes for every step, and one process for the matches of all questions that import the same slow packages.

    On two cores torch is imported in one process: a second import costs more than running one question after the other.
    """
    cores, groups = os.cpu_count() or 1, {one: _slow_packages(one) for one in ids}
    if cores <= 2:
        groups = {one: names and ("torch",) for one, names in groups.items()}
    kinds = sorted({names for names in groups.values() if names})
    with ExitStack() as stack:
        processes = {names: stack.enter_context(workers(1)) for names in kinds}
        # The one process that matches with torch has most to do; the others give way to it.
        light = stack.enter_context(workers(min(len(ids), max(1, cores - len(kinds))), gives_way=bool(kinds)))
        yield light, {one: processes[names] for one, names in groups.items() if names}


def _slow_packages(question_id: QuestionId) -> tuple[str, ...] | None:
    packages = imported_packages(question_id)
    return next((names for names in _SLOW_PACKAGES if packages & set(names)), None)


def _compose(question_id: QuestionId, entry: Mapping[str, Any], kept: Sections) -> Composed:
    from generators.pipeline.unit import composed

    return composed(question_id, entry, kept)


def _vary(
    question_id: QuestionId, entry: Mapping[str, Any], kept: Sections, answers: bytes | None, pictures: Mapping[str, Any]
) -> Varied:
    from generators.pipeline.unit import varied

    return Varied(varied(question_id, entry, kept, answers, pictures))


def _match(question_id: QuestionId, entry: Mapping[str, Any], kept: Sections, answers: bytes | None) -> Matched:
    from generators.pipeline.unit import match_section

    start = time.perf_counter()
    section, anew = match_section(question_id, entry, kept, answers)
    return Matched(section, anew, time.perf_counter() - start)
