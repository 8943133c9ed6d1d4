"""What an entry of params.yml may not say: each question's test lists changes that are refused, each with its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import pytest

from generators.errors import ParameterError
from generators.pipeline.catalog import QuestionId, load_params, load_question
from generators.question import overlaid
from tests.conftest import IDS
from tests.entries import ENTRIES, id_of


def refused(question_id: QuestionId) -> Sequence[tuple[Mapping[str, Any], str]]:
    """The changes that the test of a question lists, laid over its entry, with the message behind the entry's name."""
    cases: Sequence[tuple[Mapping[str, Any], str]] = import_module(f"tests.{question_id.course}.test_{question_id.slug}").REFUSED
    assert cases
    return cases


CASES = [pytest.param(one, *case, id=f"{one}-{place}") for one in map(id_of, IDS) for place, case in enumerate(refused(one))]


@pytest.mark.parametrize(("question_id", "change", "message"), CASES)
def test_a_bad_parameter_is_refused_in_one_line(question_id: QuestionId, change: Mapping[str, Any], message: str) -> None:
    """File, entry, field, rule and value stand on one line."""
    with pytest.raises(ParameterError) as refusal:
        load_params(question_id, load_question(question_id), overlaid(ENTRIES[question_id], change))
    assert str(refusal.value) == f"generators/courses/{question_id.course}/params.yml: {question_id.slug}: {message}"
