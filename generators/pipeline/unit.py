"""One question worked out: solved, drawn and rendered, then verified, as plain data that can be kept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from generators.answer import Figure
from generators.errors import CheckFailed, ParameterError, ProjectError, RenderError
from generators.pipeline.catalog import QuestionId, load_params, load_question
from generators.pipeline.export import exported
from generators.pipeline.render import body
from generators.steps import Answer, Check


def compose(question_id: QuestionId, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Solve, draw and render; nothing is verified yet."""
    question = load_question(question_id)
    params = load_params(question_id, question, entry)
    answer = question.solve(params)
    figures = _drawn(question_id, lambda: question.draw(params, answer))
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


def _drawn(question_id: QuestionId, draw: Any) -> Mapping[str, Figure]:
    """Draw; a warning is a failure too, as matplotlib only warns when labels leave no room for the picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            figures: Mapping[str, Figure] = draw()
    except ProjectError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise RenderError(f"generators/courses/{question_id}.py: draw: a figure failed: {reason}") from error
    return figures


def verified(question_id: QuestionId, entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Solve, and run every check; the first that fails raises CheckFailed."""
    try:
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


def run_checks(question_id: QuestionId, entry: Mapping[str, Any], answer: Answer | None = None) -> list[Check]:
    """Every check of a question, passed or not."""
    question = load_question(question_id)
    params = load_params(question_id, question, entry)
    return list(question.verify(params, question.solve(params) if answer is None else answer))
