"""What holds for every question: one test finds them all."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sympy

from generators.answer import Answer, Place, Value, published_numbers, with_value
from generators.catalog import ROOT, TEMPLATES, entries, load_params, load_question
from generators.errors import ParameterError
from generators.render import Medium, body
from tests.conftest import IDS, worked_out

MEDIA: tuple[Medium, ...] = ("site", "pdf")


def changed(value: Value) -> Value:
    """Another value; a matrix takes no plus one."""
    return 2 * value if isinstance(value, sympy.MatrixExpr) else value + 1


def all_passed(prefix: str, answer: Answer) -> bool:
    question_id, params, _ = worked_out(prefix)
    checks = list(load_question(question_id).verify(params, answer))
    assert checks
    return all(check.passed for check in checks)


@pytest.mark.parametrize("prefix", IDS)
def test_every_check_passes(prefix: str) -> None:
    """The published answer is found again by every route."""
    assert all_passed(prefix, worked_out(prefix)[2])


@pytest.mark.parametrize("prefix", IDS)
def test_changing_any_published_number_fails_a_check(prefix: str) -> None:
    """No number can be wrong unseen: each one is changed in turn, and some check must fail."""
    _, _, answer = worked_out(prefix)
    unseen: list[Place] = []
    count = 0
    for place, value in published_numbers(answer):
        count += 1
        if all_passed(prefix, with_value(answer, place, changed(value))):
            unseen.append(place)
    assert not unseen
    assert count > 0


def with_changed_formulas(answer: Answer) -> Iterator[tuple[str, Answer]]:
    for label, part in answer.parts.items():
        for name, line in part.steps.items():
            if line.formula is not None and line.formula.free_symbols:
                changed = replace(line, formula=2 * line.formula + sympy.Integer(1))
                yield f"{label} {name}", Answer({**answer.parts, label: replace(part, steps={**part.steps, name: changed})})


@pytest.mark.parametrize("prefix", IDS)
def test_changing_any_published_formula_fails_a_check(prefix: str) -> None:
    """A formula that gives the right number only at the sheet's sizes is found out."""
    unseen = [name for name, changed in with_changed_formulas(worked_out(prefix)[2]) if all_passed(prefix, changed)]
    assert not unseen


@pytest.mark.parametrize("prefix", IDS)
def test_a_question_stands_in_four_places(prefix: str) -> None:
    """Module, template, parameters and test carry one slug."""
    question_id = worked_out(prefix)[0]
    assert (ROOT / "generators" / f"{question_id}.py").is_file()
    assert (TEMPLATES / question_id.template).is_file()
    assert (ROOT / "tests" / question_id.course / f"test_{question_id.slug}.py").is_file()


@pytest.mark.parametrize("prefix", IDS)
def test_solving_drawing_and_rendering_twice_gives_the_same_bytes(prefix: str) -> None:
    question_id, params, answer = worked_out(prefix)
    question = load_question(question_id)
    pages: list[object] = []
    for _ in range(2):
        figures = question.draw(params, question.solve(params))
        texts = [body(question_id, params, answer, figures, medium) for medium in MEDIA]
        pages.append((texts, {name: figure.svg for name, figure in figures.items()}))
    assert pages[0] == pages[1]


@pytest.mark.parametrize("prefix", IDS)
def test_every_figure_is_shown_and_described(prefix: str) -> None:
    question_id, params, answer = worked_out(prefix)
    figures = load_question(question_id).draw(params, answer)
    for medium in MEDIA:
        text = body(question_id, params, answer, figures, medium).text
        for name, figure in figures.items():
            assert f"]({question_id.page}-{name}.svg " in text
            assert len(figure.alt) > 20
            assert len(figure.caption) > 20


@pytest.mark.parametrize("prefix", IDS)
def test_every_key_is_known_and_typed(prefix: str) -> None:
    """An unknown key, and each field given something that is no parameter, is refused in one line."""
    question_id = worked_out(prefix)[0]
    question = load_question(question_id)
    entry = entries()[question_id]
    bad = [{**entry, "no_such_key": 1}, *({**entry, field: object()} for field in entry)]
    for one in bad:
        with pytest.raises(ParameterError) as refusal:
            load_params(question_id, question, one)
        message = str(refusal.value)
        assert message.startswith(f"generators/{question_id.course}/params.yml: {question_id.slug}: ")
        assert "(got " in message
        assert "\n" not in message
