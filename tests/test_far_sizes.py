"""Pages at parameters far from those of the site: every value is found again, and what is said follows the numbers."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest

from generators.pipeline import unit
from generators.pipeline.catalog import QuestionId
from generators.pipeline.match import formula_problems, problems
from generators.pipeline.published import published
from generators.pipeline.render import Body, body
from generators.pipeline.unit import Task, composed
from generators.question import overlaid
from tests.conftest import IDS, worked_out
from tests.entries import ENTRIES, Far, found, id_of
from tests.page_text import without_addresses
from tests.project import Project

PLURALS = (
    "tokens|heads|layers|sequences|candidates|copies|nodes|levels|calls|comparisons|beams|decimals|words|steps|blocks|tiles"
    "|additions|multiplications|guesses(?= a head)|squares|ones|values|rows|columns|bytes|pages|seeds|bits|formulas|elements"
    "|products|matrices|samples"
)
ONE_OF_MANY = re.compile(rf"(?<![\d.,])(?<![+-] )\b1\$? (?:(?:input|drafted|more|Medusa) )?(?:{PLURALS})\b")
"""One of what stands in the plural; not the 1 of T + 1 words."""
PYTHON = re.compile(r"\b(?:None(?! of)|nan|inf)\b|\d[eE][-+]\d|Fraction\(|\b0\.0{6}\d")
"""What no reader understands."""


def far(question_id: str) -> Sequence[Far]:
    """The parameter sets that the test of a question lists."""
    one = id_of(question_id)
    return getattr(import_module(f"tests.{one.course}.test_{one.slug}"), "FAR", ())


CASES = [pytest.param(id_of(one), case, id=f"{one}-{place}") for one in IDS for place, case in enumerate(far(one))]


LEAST = dict.fromkeys(IDS, 8) | {"comp4901y/hw4_q3_speculative_decoding": 3}
"""How many sets there are at least; this one has one parameter, a prompt, of which four are recorded."""


@pytest.mark.parametrize("question_id", IDS)
def test_every_question_is_tried_far_from_its_default(question_id: str) -> None:
    """With other values of every convention among them."""
    held = getattr(worked_out(question_id)[1], "conventions", None)
    conventions = set(type(held).model_fields) if held else set()
    assert len(far(question_id)) >= LEAST[question_id]
    assert conventions <= {name for case in far(question_id) for name in case.change.get("conventions", {})}


@pytest.mark.parametrize("question_id", IDS)
def test_a_page_of_the_site(built: Project, question_id: str) -> None:
    """Numbers of one go with the singular."""
    assert not ONE_OF_MANY.findall(html.unescape(built.made(question_id)["render"]["site"]))


@pytest.mark.parametrize(("question_id", "case"), CASES)
def test_far_from_the_default(question_id: QuestionId, case: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of one go with the singular, in captions and alternative texts too, and claims that do not hold are not made.

    Every value is found again, and is that of the site where only the way of counting is another.
    """
    entry = ENTRIES[question_id]
    changed = overlaid(entry, case.change)
    monkeypatch.setattr(Task, "readings", [])  # what they give is not looked at here
    bodies: list[Body] = []

    def noted(*arguments: Any, **options: Any) -> Body:
        bodies.append(body(*arguments, **options))
        return bodies[-1]

    monkeypatch.setattr(unit, "body", noted)
    task = Task.at(question_id, changed, composed(question_id, changed, {}).answers)
    site, printed = (_text(one.text) for one in bodies[:2])  # the third, if any, follows changes of numbers
    for text in (site, printed):
        assert not ONE_OF_MANY.findall(text)
        assert not PYTHON.findall(text)
        assert not [words for words in case.silent if words in text]
    assert not [words for words in case.says if words not in site]
    answer = task.answer
    at_entry, *others = (found(question_id, params) for params in task.sizes.values())
    assert not problems(answer, at_entry)
    assert not formula_problems(answer, at_entry, others)
    now, before = published(answer), published(worked_out(str(question_id))[2]) if case.stays else {}
    assert {address: now[address] for address in case.stays} == {address: before[address] for address in case.stays}


def _text(markdown: str) -> str:
    return " ".join(html.unescape(without_addresses(markdown)).split())
