"""Homework 4, question 3: times, acceptance and gains read from a recording."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from generators.errors import RecordingError
from generators.oracles.speculative_models import LEAST_P, chi_square_p, first_two, small_tables
from generators.pipeline.catalog import load_question
from generators.pipeline.render import body
from generators.recording import Recording, Series
from generators.topics.speculative_runs import Costs, Runs, gain_at, measured, tally, tokens_at
from tests.conftest import worked_out

PREFIX = "comp4901y/hw4_q3"


def series(quantity: str, *samples: float, **at: Any) -> Series:
    return Series(quantity=quantity, unit="1", at=at, samples=samples)


def without(recording: Recording, *launches: str) -> Recording:
    """The recording of a device that lacks some launches."""
    return replace(recording, series=tuple(one for one in recording.series if one.at.get("by") not in launches))


def given(recordings: dict[str, Recording]) -> Any:
    params: Any = worked_out(PREFIX)[1]
    return params.with_recordings(recordings)


def test_a_call_rejects_at_most_one_token() -> None:
    """Three calls draft 2, 2 and 1 and keep 2, 0 and 1; the second one's second token is never looked at."""
    found = tally([(series("drafted", 2, 2, 1), series("accepted", 2, 0, 1))])
    assert (found.calls, found.drafted, found.accepted, found.rejected) == (3, 5, 3, 1)
    assert found.rate == 0.75  # 3 / (3 + 1)
    assert found.tokens_per_call == 2.0  # 3 / 3 + 1


def test_expected_tokens_and_gain() -> None:
    """At α = 1/2, γ = 2 and c = 1/4."""
    assert tokens_at(0.5, 2) == 1.75  # 1 + 1/2 + 1/4
    assert gain_at(0.5, 2, 0.25) == 1.167  # 1.75 / (2/4 + 1)


def test_a_draft_that_is_never_rejected() -> None:
    """The formula divides by 1 - α; its limit is γ + 1."""
    assert tokens_at(1.0, 4) == 5.0
    assert gain_at(1.0, 4, 0.25) == 2.5  # 5 / (4/4 + 1)


def test_a_check_at_its_own_price() -> None:
    """2 tokens a call at 6 ms each, in two drafts of 1 ms and a check of 8 ms."""
    assert Costs(1.0, 6.0, 8.0).gain(2.0, 2) == 1.2  # 12 / 10
    assert Costs(1.0, 6.0, None).gain(2.0, 2) is None
    assert Costs(1.0, 4.0, 8.0).ratio == 0.25


def test_four_digits() -> None:
    assert measured(678.5730885) == 678.6
    assert measured(0.36523) == 0.3652


def test_sampling_without_rejection_is_found_out() -> None:
    """The chi-square test sees a draft whose tokens are all kept, which gives the draft's distribution."""
    target, draft = small_tables(seed=5, vocabulary=5)
    wrong = first_two(target, draft, np.random.default_rng(11), 60_000, keep_all=True)
    assert chi_square_p(target, wrong)[2] < LEAST_P


def test_a_page_before_the_first_recording() -> None:
    """Title, command and checks of the principle; no number."""
    question_id = worked_out(PREFIX)[0]
    question = load_question(question_id)
    params = given({})
    answer = question.solve(params)
    assert not answer["3"].steps
    assert question.draw(params, answer) == {}
    assert "Not measured yet" in body(question_id, params, answer, {}, "site").text
    assert all(check.passed for check in question.verify(params, answer))


def test_a_page_of_a_device_without_graphs() -> None:
    """A CPU's recording has neither graphs nor a compiled run; the page then speaks of the launches it has."""
    question_id, shown, _ = worked_out(PREFIX)
    question, held = load_question(question_id), shown.recordings["hw4_q3_speculative"]  # type: ignore[attr-defined]
    params = given({"hw4_q3_speculative": without(held, "fixed cache, graph", "transformers, compiled")})
    answer = question.solve(params)
    text = body(question_id, params, answer, question.draw(params, answer), "pdf").text
    assert 'launch "eager, fixed cache"' in text.replace("&quot;", '"')
    assert "graph of the same kernels" not in text
    assert all(check.passed for check in question.verify(params, answer))


def test_a_prompt_that_was_not_recorded_is_refused() -> None:
    params: Any = worked_out(PREFIX)[1]
    other = params.model_copy(update={"prompt": "Another."})
    with pytest.raises(RecordingError, match="must stand once in the recording"):
        load_question(worked_out(PREFIX)[0]).solve(other)


def test_library_and_fixed_caches_decode_the_same_tokens() -> None:
    """In float32 every recorded way gave standard decoding's tokens."""
    params: Any = worked_out(PREFIX)[1]
    same, compared = Runs(params.recordings["hw4_q3_speculative"]).agreement()
    assert same == compared > 0
