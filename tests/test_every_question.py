"""What holds for every question: one test finds them all."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
import sympy

from generators.answer import Math, Value
from generators.errors import ParameterError
from generators.pipeline.catalog import ROOT, TEMPLATES, QuestionId, entries, find, load_params, load_question
from generators.pipeline.render import Medium, body
from generators.pipeline.unit import drawn
from generators.question import Question
from generators.steps import Answer, Place, published_numbers, published_texts, with_value
from tests.conftest import IDS, worked_out

SELF_VERIFYING = [one for one in IDS if not isinstance(load_question(find(one)), Question)]
MEDIA: tuple[Medium, ...] = ("site", "pdf")
MANY = 200
"""Texts, or numbers put into formulas, that are changed on one page."""
T = TypeVar("T")


def changed(value: Value) -> Value:
    """Another value; a matrix takes no plus one."""
    return 2 * value if isinstance(value, sympy.MatrixExpr) else value + 1


def all_passed(prefix: str, answer: Answer) -> bool:
    """Whether no check fails; what comes behind the first that does is not run."""
    question_id, params, _ = worked_out(prefix)
    count = 0
    for check in load_question(question_id).verify(params, answer):
        if not check.passed:
            return False
        count += 1
    assert count > 0
    return True


@pytest.mark.parametrize("prefix", SELF_VERIFYING)
def test_every_check_passes(prefix: str) -> None:
    """The published answer is found again by every route."""
    assert all_passed(prefix, worked_out(prefix)[2])


@pytest.mark.parametrize("prefix", SELF_VERIFYING)
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


@pytest.mark.parametrize("prefix", SELF_VERIFYING)
def test_changing_any_published_formula_fails_a_check(prefix: str) -> None:
    """A formula that gives the right number only at the sheet's sizes is found out."""
    unseen = [name for name, changed in with_changed_formulas(worked_out(prefix)[2]) if all_passed(prefix, changed)]
    assert not unseen


def some(cells: Sequence[T]) -> Sequence[T]:
    """All of them, or at most MANY spread evenly where a page has more: each costs a verification."""
    return cells[:: -(-len(cells) // MANY) or 1]


def with_changed_letters(answer: Answer) -> Iterator[tuple[str, Answer]]:
    """Each number that stands in the place of a formula's letter is changed in turn."""
    for label, part in answer.parts.items():
        for name, line in part.steps.items():
            for symbol in sorted(line.formula.free_symbols & line.at.keys(), key=str) if line.formula is not None else ():
                other = replace(line, at={**line.at, symbol: changed(line.at[symbol])})
                yield (
                    f"{label} {name} {symbol}",
                    Answer({**answer.parts, label: replace(part, steps={**part.steps, name: other})}),
                )


@pytest.mark.parametrize("prefix", SELF_VERIFYING)
def test_changing_any_number_put_into_a_formula_fails_a_check(prefix: str) -> None:
    """Readers see the numbers in the places of the letters, so these are published too."""
    answers = some(list(with_changed_letters(worked_out(prefix)[2])))
    assert [name for name, answer in answers if all_passed(prefix, answer)] == []


@pytest.mark.parametrize("prefix", SELF_VERIFYING)
def test_changing_any_text_in_a_table_fails_a_check(prefix: str) -> None:
    """A result in words, the name of a row, and a formula's LaTeX are each compared with what an oracle says."""
    answer = worked_out(prefix)[2]
    unseen = []
    for place, cell in some(list(published_texts(answer))):
        other = Math(f"{cell.latex}'") if isinstance(cell, Math) else f"{cell} not"
        if all_passed(prefix, with_value(answer, place, other)):
            unseen.append(place)
    assert unseen == []


@pytest.mark.parametrize("prefix", IDS)
def test_a_question_stands_in_four_places(prefix: str) -> None:
    """Module, template, parameters and test carry one slug."""
    question_id = worked_out(prefix)[0]
    place = ROOT / "generators" / "courses" / str(question_id)
    assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
    assert (TEMPLATES / question_id.template).is_file()
    assert (ROOT / "tests" / question_id.course / f"test_{question_id.slug}.py").is_file()


def linked(question_id: QuestionId) -> set[str]:
    """The pages that a question's template links to."""
    return set(re.findall(r'\bsee\("([^"]+)"', (TEMPLATES / question_id.template).read_text(encoding="utf-8")))


def is_lecture(question_id: QuestionId) -> bool:
    """Whether a page is about a lecture or seminar, not about homework."""
    return question_id.slug.startswith(("lecture", "seminar"))


@pytest.mark.parametrize("question_id", [one for one in entries() if is_lecture(one)], ids=str)
def test_homework_and_lectures_link_to_each_other(question_id: QuestionId) -> None:
    """A lecture's page links to a homework question that uses the method, and one links to it."""
    homework = [one for one in entries() if not is_lecture(one)]
    assert linked(question_id) & set(map(str, homework))
    assert any(str(question_id) in linked(one) for one in homework)


@pytest.mark.parametrize("question_id", entries(), ids=str)
def test_conventions_hold_no_links(question_id: QuestionId) -> None:
    """Links to other pages stand where a method is used, not among conventions and errata."""
    text = (TEMPLATES / question_id.template).read_text(encoding="utf-8")
    for name in ("conventions", "errata"):
        _, _, after = text.partition(f"{{% block {name} %}}")
        assert "see(" not in after.partition("{% endblock %}")[0]


@pytest.mark.parametrize("prefix", IDS)
def test_solving_drawing_and_rendering_twice_gives_the_same_bytes(prefix: str) -> None:
    question_id, params, answer = worked_out(prefix)
    question = load_question(question_id)
    pages: list[object] = []
    for _ in range(2):
        figures = drawn(question_id, question, params, question.solve(params))
        texts = [body(question_id, params, answer, figures, medium) for medium in MEDIA]
        pages.append((texts, {name: figure.svg for name, figure in figures.items()}))
    assert pages[0] == pages[1]


@pytest.mark.parametrize("prefix", IDS)
def test_every_figure_is_shown_and_described(prefix: str) -> None:
    question_id, params, answer = worked_out(prefix)
    figures = drawn(question_id, load_question(question_id), params, answer)
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
        assert message.startswith(f"generators/courses/{question_id.course}/params.yml: {question_id.slug}: ")
        assert "(got " in message
        assert "\n" not in message


@pytest.mark.parametrize("prefix", IDS)
def test_every_other_question_that_is_named_exists(prefix: str) -> None:
    """A misspelt id would be shown without a link."""
    assert linked(worked_out(prefix)[0]) <= set(IDS)
