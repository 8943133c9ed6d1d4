"""One question worked out: solved, drawn and rendered, then verified, as plain data that can be kept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from generators import steps
from generators.answer import Answer, Figure
from generators.errors import CheckFailed, ParameterError, ProjectError, RenderError
from generators.params import Params
from generators.pipeline.catalog import QuestionId, load_params, load_question
from generators.pipeline.export import exported
from generators.pipeline.match import Findings, Ledger, formula_problems, ledger, problems, summary
from generators.pipeline.render import body
from generators.question import Question, Whole
from generators.steps import Check


def compose(question_id: QuestionId, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Solve, draw and render; nothing is verified yet."""
    question = load_question(question_id)
    params = load_params(question_id, question, entry)
    answer = question.solve(params)
    figures = drawn(question_id, question, params, answer)
    site = body(question_id, params, answer, figures, "site")
    return {
        "id": str(question_id),
        "page": question_id.page,
        "title": question.title,
        "points": question.points,
        "site": site.text,
        "pdf": body(question_id, params, answer, figures, "pdf").text,
        "conventions": site.conventions,
        "errata": site.errata,
        "figures": {name: figure.svg for name, figure in figures.items()},
        "answer": exported(question_id, question.title, params, answer),
    }


def drawn(question_id: QuestionId, question: Any, params: Params, answer: Any) -> Mapping[str, Figure]:
    """Draw; a warning is a failure too, as matplotlib only warns when labels leave no room for the picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            addressed = isinstance(answer, Answer)
            figures: Mapping[str, Figure] = question.draw(answer) if addressed else question.draw(params, answer)
    except ProjectError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise RenderError(f"generators/courses/{question_id}.py: draw: a figure failed: {reason}") from error
    return figures


def verified(question_id: QuestionId, entry: Mapping[str, Any]) -> list[dict[str, Any]] | dict[str, Any]:
    """Solve, and run every check or find every datum again; what does not hold raises CheckFailed."""
    try:
        if isinstance(load_question(question_id), Question):
            return asdict(matched(question_id, entry))
        checks = run_checks(question_id, entry)
    except (RuntimeError, OverflowError, MemoryError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        where = f"generators/courses/{question_id.course}/params.yml: {question_id.slug}"
        raise ParameterError(f"{where}: sizes must be small enough to be checked (got {reason})") from error
    for check in checks:
        if not check.passed:
            raise CheckFailed(f"{question_id}: {check.what}: published {check.published}, found {check.found} by {check.by}")
    if not checks:
        raise CheckFailed(f"{question_id}: no check was made, every answer needs one")
    return [vars(check) for check in checks]


def run_checks(question_id: QuestionId, entry: Mapping[str, Any], answer: steps.Answer | None = None) -> list[Check]:
    """Every check of a question, passed or not."""
    question = load_question(question_id)
    params = load_params(question_id, question, entry)
    return list(question.verify(params, question.solve(params) if answer is None else answer))


def matched(question_id: QuestionId, entry: Mapping[str, Any]) -> Ledger:
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


def overlaid(entry: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with some fields changed, mappings field by field unless they are Whole."""
    made = dict(entry)
    for name, value in change.items():
        inside = isinstance(value, Mapping) and not isinstance(value, Whole) and isinstance(made.get(name), Mapping)
        made[name] = overlaid(made[name], value) if inside else value
    return made
