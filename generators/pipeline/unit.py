"""The steps of one question: solve, draw, render and match, each with the key of what it reads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sympy

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.errors import CheckFailed, ParameterError, ProjectError, RenderError
from generators.params import Params
from generators.pipeline.catalog import QuestionId, load_params, load_question
from generators.pipeline.export import exported
from generators.pipeline.kept import Section, Sections
from generators.pipeline.keys import Entry, Keys, current
from generators.pipeline.match import Findings, Ledger, formula_problems, ledger, problems, summary
from generators.pipeline.published import published, with_formulas
from generators.pipeline.reads import digest_of
from generators.pipeline.render import body
from generators.question import Question, Whole
from generators.table import Table

_TOO_LARGE = re.compile("memory|overflow|too large|invalid.*size", re.IGNORECASE)
"""What torch says of sizes that it cannot hold."""


def composed(question_id: QuestionId, entry: Entry, kept: Sections) -> dict[str, Section]:
    """Solve, draw and render, each only if what it reads changed; nothing is matched."""
    keys = Keys.of(question_id, entry)
    work = _Work(question_id, entry)
    solved = work.solved(kept.get("solve"), keys)
    of_answer = solved.content["digest"]
    drawn_key, rendered_key = digest_of([keys.draw, of_answer]), digest_of([keys.render, keys.draw, of_answer])
    pictures = current(kept.get("draw"), drawn_key) or Section(drawn_key, work.pictures())
    pages = current(kept.get("render"), rendered_key) or Section(rendered_key, work.pages(pictures.content))
    return {"solve": solved, "draw": pictures, "render": pages}


def match_section(question_id: QuestionId, entry: Entry, kept: Sections) -> tuple[Section, bool]:
    """What was found again for the answer as it is now, and whether that had to be found now."""
    keys = Keys.of(question_id, entry)
    solved = _Work(question_id, entry).solved(kept.get("solve"), keys)
    key = digest_of([keys.match, solved.content["digests"]])
    held = current(kept.get("match"), key)
    return (held, False) if held else (Section(key, verified(question_id, entry)), True)


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


class _Work:
    """A question solved at most once, for whatever step needs its answer."""

    def __init__(self, question_id: QuestionId, entry: Entry) -> None:
        self.question_id, self.entry = question_id, entry
        self._solved: tuple[Question[Any], Params, Answer] | None = None

    def answer(self) -> tuple[Question[Any], Params, Answer]:
        """The question, its parameters and its answer."""
        if self._solved is None:
            question = load_question(self.question_id)
            params = load_params(self.question_id, question, self.entry)
            self._solved = question, params, question.solve(params)
        return self._solved

    def solved(self, kept: Section | None, keys: Keys) -> Section:
        """The answer for machines, its digest, and the digests of the answers at other sizes too."""
        held = current(kept, keys.solve)
        if held:
            return held
        question, params, answer = self.answer()
        export = exported(params, answer)
        given = [load_params(self.question_id, question, overlaid(self.entry, one), recorded=False) for one in question.others]
        others = [fingerprint(question.solve(other)) for other in given]
        facts = {"title": question.title, "points": question.points, "answer": export}
        digest = digest_of([facts, fingerprint(answer)])
        return Section(keys.solve, {**facts, "digest": digest, "digests": digest_of([digest, others])})

    def pictures(self) -> dict[str, Any]:
        """Every figure as plain data."""
        question, _, answer = self.answer()
        return {name: vars(figure) for name, figure in drawn(self.question_id, question, answer).items()}

    def pages(self, pictures: Mapping[str, Any]) -> dict[str, str]:
        """The page for the site and for print, and what other pages quote of it."""
        _, params, answer = self.answer()
        figures = {name: Figure(**{**one, "shows": tuple(one["shows"])}) for name, one in pictures.items()}
        site = body(self.question_id, params, answer, figures, "site")
        printed = body(self.question_id, params, answer, figures, "pdf")
        return {"site": site.text, "pdf": printed.text, "conventions": site.conventions, "errata": site.errata}


def drawn(question_id: QuestionId, question: Question[Any], answer: Answer) -> Mapping[str, Figure]:
    """Draw; a warning is a failure too, as matplotlib only warns when labels leave no room for the picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            figures = question.draw(answer)
    except ProjectError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise RenderError(f"generators/courses/{question_id}: draw: a figure failed: {reason}") from error
    return figures


def verified(question_id: QuestionId, entry: Entry) -> dict[str, Any]:
    """What `matched` says as plain data; what is too large to be found raises ParameterError."""
    try:
        return asdict(matched(question_id, entry))
    except (RuntimeError, OverflowError, MemoryError) as error:
        if not isinstance(error, OverflowError | MemoryError | RecursionError) and not _TOO_LARGE.search(str(error)):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        where = f"generators/courses/{question_id.course}/params.yml: {question_id.slug}"
        raise ParameterError(f"{where}: sizes must be small enough to be checked (got {reason})") from error


def matched(question_id: QuestionId, entry: Entry) -> Ledger:
    """Find every published datum again, and evaluate every formula at other sizes too; a difference raises CheckFailed."""
    question = load_question(question_id)
    params = load_params(question_id, question, entry)
    answer = question.solve(params)
    found = Findings.gathered(question.find(params))
    messages = problems(answer, found)
    others = []
    for change in question.others:
        other = load_params(question_id, question, overlaid(entry, change), recorded=False)
        others.append(Findings.gathered(question.find(other)))
        messages += [f"{one} (at {dict(change)})" for one in problems(question.solve(other), others[-1])]
    messages += formula_problems(answer, found, others)
    if messages:
        raise CheckFailed(f"{question_id}: {summary(messages)}")
    return ledger(answer, found)


def overlaid(entry: Entry, change: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with some fields changed, mappings field by field unless they are Whole."""
    made = dict(entry)
    for name, value in change.items():
        inside = isinstance(value, Mapping) and not isinstance(value, Whole) and isinstance(made.get(name), Mapping)
        made[name] = overlaid(made[name], value) if inside else value
    return made


def compose(question_id: QuestionId, entry: Entry) -> dict[str, Any]:
    """The pages and pictures of a question, worked out anew."""
    made = composed(question_id, entry, {})
    figures = {name: one["svg"] for name, one in made["draw"].content.items()}
    return {**made["render"].content, "figures": figures, "answer": made["solve"].content["answer"]}
