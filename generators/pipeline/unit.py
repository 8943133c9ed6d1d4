"""The steps of one question: solve, draw, render, vary and match, each with the key of what it reads."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import Any

import sympy

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.errors import CheckFailed, ParameterError, RenderError
from generators.params import Params
from generators.pipeline import slots, what_if
from generators.pipeline.catalog import QuestionId, load_params, load_question, recordings_folder, validated
from generators.pipeline.compared import compared
from generators.pipeline.course import sheet_of
from generators.pipeline.digest import digest_of
from generators.pipeline.exact_pickle import dumped
from generators.pipeline.export import exported
from generators.pipeline.failures import named
from generators.pipeline.kept import Section, Sections, current
from generators.pipeline.keys import Entry, Keys
from generators.pipeline.ledger import Ledger, ledger
from generators.pipeline.match import Findings, formula_problems, problems, summary
from generators.pipeline.published import published, with_formulas
from generators.pipeline.readings import Reading, answers, offered, readings
from generators.pipeline.recorded import left_out
from generators.pipeline.render import Medium, body
from generators.pipeline.schedule import Composed
from generators.pipeline.variants import draw_strictly, own_pictures, page_of
from generators.question import Question, overlaid
from generators.table import Table
from generators.traced import Trace

_TOO_LARGE = re.compile("memory|overflow|too large|invalid.*size", re.IGNORECASE)
"""What torch says of sizes that it cannot hold."""


def composed(question_id: QuestionId, entry: Entry, kept: Sections) -> Composed:
    """Solve, draw and render, each only if what it reads changed; nothing is matched."""
    keys, tasks = Keys.of(question_id, entry), cache(lambda: Task.at(question_id, entry))
    solved = current(kept.get("solve"), keys.solve) or Section(keys.solve, _solved(tasks()))
    of_answer = solved.content["digest"]
    drawn_key, rendered_key = keys.draw_of(of_answer), keys.render_of(of_answer)
    pictures = current(kept.get("draw"), drawn_key) or Section(drawn_key, _pictures(tasks()))
    pages = current(kept.get("render"), rendered_key) or Section(rendered_key, _pages(tasks(), pictures.content))
    anew = solved is not kept.get("solve")
    answers = dumped([tasks().answer, *tasks().under_readings]) if anew else None
    return Composed({"solve": solved, "draw": pictures, "render": pages}, answers)


def varied(question_id: QuestionId, entry: Entry, kept: Sections, composed: bytes | None, pictures: Mapping[str, Any]) -> Section:
    """The page of each other reading; `composed` are the answers if they are solved already."""
    keys, earlier = Keys.of(question_id, entry), kept.get("variants")
    if held := current(earlier, keys.variants):
        return held
    task, published_pictures = Task.at(question_id, entry, composed), _figures(pictures)
    drawn_before = {one.get("drawn_for"): one.get("pictures") for one in (earlier.content if earlier else ())}
    pages = []
    for place, (reading, other) in enumerate(zip(task.readings, task.under_readings, strict=True), 1):
        with named(reading.called, question_id):
            drawn_for = digest_of([keys.draw_of(fingerprint(other)), pictures])
            drawn = drawn_before.get(drawn_for)
            if drawn is None:
                drawn_now = own_pictures(task.question, lambda: task.answer, other, published_pictures)
                drawn = {name: one and vars(one) for name, one in drawn_now.items()}
            own = _figures({name: one for name, one in drawn.items() if one})
            figures = {name: own.get(name) or published_pictures[name] for name in drawn}
            html = page_of(question_id, reading.params, other, figures, own, place)
        pages.append({"html": html, "drawn_for": drawn_for, "pictures": drawn})
    return Section(keys.variants, pages)


def _solved(task: Task) -> dict[str, Any]:
    """The answer for machines, the digest of all that other steps see of it, the recordings left out, slips, and readings."""
    question = task.question
    facts = {"title": question.title, "points": question.points, "answer": exported(task.params, task.answer)}
    entry = task.params.model_dump(exclude_none=True)
    others = left_out(recordings_folder(task.question_id), question.recordings, entry)
    own = question.slips(task.params, task.answer)
    read = [offered(*one) for one in zip(task.readings, task.under_readings, strict=True)]
    more = {
        "left_out": others,
        "slips": compared(task.params, task.answer, own),
        "readings": read,
    }
    return {**facts, "digest": digest_of([facts, fingerprint(task.answer)]), **more}


def _pictures(task: Task) -> dict[str, Any]:
    """Every figure as plain data."""
    return {name: vars(figure) for name, figure in drawn(task).items()}


def _figures(pictures: Mapping[str, Any]) -> dict[str, Figure]:
    """Figures of plain data."""
    tuples = [(name, {"shows": tuple(one["shows"]), "steps": tuple(map(tuple, one["steps"]))}) for name, one in pictures.items()]
    return {name: Figure(**{**pictures[name], **fields}) for name, fields in tuples}


def _pages(task: Task, pictures: Mapping[str, Any]) -> dict[str, Any]:
    """The page for the site and for print, and what other pages quote of it."""
    figures = _figures(pictures)
    media: tuple[Medium, Medium] = ("site", sheet_of(task.question_id).medium)
    site, printed = (body(task.question_id, task.params, task.answer, figures, medium) for medium in media)
    pages = {"site": site.text, "pdf": printed.text, "conventions": site.conventions, "errata": site.errata, "what_if": None}
    return {**pages, **_following(task, figures)} if task.question.what_if else pages


def _following(task: Task, figures: Mapping[str, Figure]) -> dict[str, Any]:
    """The page for the site whose numbers follow changes of parameters, and what it needs for that."""
    with named("solving with numbers that keep how they follow", task.question_id):
        trace = Trace()
        params, answer = what_if.solved(task.question, task.params, trace)
        figures = what_if.charts(task.question, answer, figures, trace)
        decided = len(trace.conditions)
    with slots.collected() as collected:
        site = body(task.question_id, params, answer, figures, "site", following=True)
    if len(trace.conditions) > decided:
        raise RenderError(f"templates/{task.question_id.template}: a number that a reader may change decides what is shown")
    return {"site": site.text, "what_if": what_if.described(task.question, task.params, answer, trace, list(collected))}


def match_section(question_id: QuestionId, entry: Entry, kept: Sections, composed: bytes | None = None) -> tuple[Section, bool]:
    """What was found again for the answer as it is now, and whether that had to be found now.

    `composed` are the answers if another process has solved them; they are only read by who wrote them.
    """
    keys, held = Keys.of(question_id, entry), kept.get("match")
    key = keys.solve_and_match
    if held and held.key == key:
        return held, False
    task = Task.at(question_id, entry, composed)
    of = digest_of([keys.match, [fingerprint(answer) for answer in task.answers]])
    if held and held.content.get("of") == of:
        return Section(key, held.content), False
    return Section(key, {"of": of, "ledger": verified(task)}), True


def fingerprint(answer: Answer) -> str:
    """A digest of all that rendering and matching see of an answer, such as types and formulas as they are written."""
    data = [[address, type(value).__name__, _written(value)] for address, value in published(answer).items()]
    formulas = [[one.address, _written(one.formula)] for one in with_formulas(answer)]
    items = [item for part in answer.parts.values() for item in part.items.values()]
    looks = [[one.address, _written(one.symbol)] for one in items if isinstance(one, Quantity)]
    looks += [[one.address, str(one.drawn)] for one in items if isinstance(one, Table)]
    return digest_of([data, formulas, looks])


def _written(value: Any) -> str:
    return sympy.srepr(value) if isinstance(value, sympy.Basic) else repr(value)


@dataclass(frozen=True)
class Task:
    """A question with its parameters, first as its entry says, then at its other sizes, each with the words for it.

    `composed` are the published answer and those under other readings, if another process has solved them.
    """

    question_id: QuestionId
    question: Question[Any]
    entry: Entry
    sizes: Mapping[str, Params]
    composed: bytes | None = None

    @classmethod
    def at(cls, question_id: QuestionId, entry: Entry, composed: bytes | None = None) -> Task:
        """Read the entry; a broken rule raises ParameterError."""
        question = load_question(question_id)
        sizes = {"": load_params(question_id, question, entry)}
        for place, change in enumerate(question.others):
            with suppress(ParameterError):  # other sizes lie over the entry, and need not fit every entry
                sizes[f" (at others[{place}])"] = validated(question.params, overlaid(entry, change), "others")
        return cls(question_id, question, entry, sizes, composed)

    @property
    def params(self) -> Params:
        """What the entry says."""
        return self.sizes[""]

    @cached_property
    def answer(self) -> Answer:
        """The answer that is published."""
        return self._solve(self.params) if self.composed is None else self._composed[0]

    @cached_property
    def _composed(self) -> list[Answer]:
        assert self.composed is not None
        held: list[Answer] = pickle.loads(self.composed)
        return held

    @cached_property
    def readings(self) -> list[Reading]:
        """The other readings."""
        return readings(self.question_id, self.question, self.entry)

    @cached_property
    def under_readings(self) -> list[Answer]:
        """The answers under the other readings."""
        return answers(self.question_id, self.question, self.readings) if self.composed is None else self._composed[1:]

    @cached_property
    def answers(self) -> list[Answer]:
        """The answers at all sizes."""
        return [self.answer, *map(self._solve, list(self.sizes.values())[1:])]

    def _solve(self, params: Params) -> Answer:
        with named("solving", self.question_id):
            return self.question.solve(params)

    def found(self) -> list[Findings]:
        """What is found at all sizes."""
        return [Findings.gathered(self.question.find(params)) for params in self.sizes.values()]


def drawn(task: Task) -> Mapping[str, Figure]:
    """Draw the published pictures; a warning is a failure too."""
    with named("a figure", task.question_id):
        return draw_strictly(task.question, task.answer)


def verified(task: Task) -> dict[str, Any]:
    """What `matched` says as plain data; what is too large to be found raises ParameterError."""
    with named("finding", task.question_id):
        try:
            return asdict(matched(task))
        except (RuntimeError, OverflowError, MemoryError) as error:
            if not isinstance(error, OverflowError | MemoryError | RecursionError) and not _TOO_LARGE.search(str(error)):
                raise
            size, field = _largest(task.params.model_dump())
            where = f"generators/courses/{task.question_id.course}/params.yml: {task.question_id.slug}"
            raise ParameterError(f"{where}: {field}: must be small enough to be checked (got {size})") from error


def _largest(fields: Any, name: str = "") -> tuple[int, str]:
    """The largest whole number of an entry, and its field."""
    if not isinstance(fields, dict | list):
        return (fields if isinstance(fields, int) else 0), name
    inner = fields.items() if isinstance(fields, dict) else enumerate(fields)
    return max((_largest(value, f"{name}.{key}".removeprefix(".")) for key, value in inner), default=(0, name))


def matched(task: Task) -> Ledger:
    """Find every published datum again, at other sizes too; a difference raises CheckFailed."""
    found = task.found()
    messages = mismatches(task, found)
    if messages:
        raise CheckFailed(f"{task.question_id}: {summary(messages)}")
    return ledger(task.answer, found[0])


def mismatches(task: Task, found: Sequence[Findings]) -> list[str]:
    """Every datum that differs from what was found at its address, and every formula that does not give it."""
    messages = [
        f"{problem}{place}"
        for place, answer, one in zip(task.sizes, task.answers, found, strict=True)
        for problem in problems(answer, one)
    ]
    return messages + formula_problems(task.answer, found[0], found[1:])
