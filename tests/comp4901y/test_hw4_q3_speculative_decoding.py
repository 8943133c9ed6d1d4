"""Homework 4, question 3: times, acceptance and gains read from a recording."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from generators.answer import Answer
from generators.courses.comp4901y.hw4_q3_speculative_decoding import small_models
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import gain_at, tally, tokens_at
from generators.errors import RecordingError
from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.pipeline.match import Findings, problems
from generators.pipeline.render import body
from generators.recording import Recording, Series
from tests.conftest import worked_out

PREFIX = "comp4901y/hw4_q3"


def series(quantity: str, *samples: float, **at: Any) -> Series:
    return Series(quantity=quantity, unit="1", at=at, samples=samples)


def given(recordings: dict[str, Recording], **changes: str) -> SpeculativeParams:
    """The entry's parameters beside recordings by the kind of their device."""
    question_id = find(PREFIX)
    params: Any = load_params(question_id, load_question(question_id), {**entries()[question_id], **changes}, recorded=False)
    params._measured = {kind: {"hw4_q3_speculative": one} for kind, one in recordings.items()}
    return params


def recorded(kind: str, *without: str) -> Recording:
    """What the site shows of a kind of device, less some launches."""
    params: Any = worked_out(PREFIX)[1]
    recording: Recording = params.measured[kind]["hw4_q3_speculative"]
    return replace(recording, series=tuple(one for one in recording.series if one.at.get("by") not in without))


def page(params: SpeculativeParams) -> str:
    """What a reader of the site sees, all of it found again."""
    question_id = find(PREFIX)
    question = load_question(question_id)
    answer: Answer = question.solve(params)
    assert problems(answer, Findings.gathered(question.find(params))) == []
    return body(question_id, params, answer, question.draw(answer), "site").text.replace("&quot;", '"')


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


def test_sampling_without_rejection_is_found_out() -> None:
    """The chi-square statistic sees a draft whose tokens are all kept, which gives the draft's distribution."""
    target, draft = small_models.small_tables(seed=5, vocabulary=5)
    wrong = small_models.first_two(target, draft, np.random.default_rng(11), 60_000, keep_all=True)
    assert small_models.chi_square_distance(target, wrong) > 100
    assert abs(small_models.distance_of_samples()) < 4


def test_a_page_before_the_first_recording() -> None:
    """The question alone; no number and no picture."""
    text = page(given({}))
    assert "Decode greedily" in text
    assert "ms" not in text


def test_a_page_of_a_device_without_graphs() -> None:
    """A GPU's recording without graphs and compiled run: the page speaks of the launches it has."""
    text = page(given({"cuda": recorded("cuda", "fixed cache, graph", "transformers, compiled")}))
    assert 'launch "eager, fixed cache"' in text
    assert "graph of the same kernels" not in text


def test_a_page_of_the_librarys_launch_alone() -> None:
    """Without timed steps the costs are those of whole runs, and nothing is said of the check."""
    text = page(given({"cpu": recorded("cpu", "fixed cache")}))
    assert 'launch "eager"' in text
    assert "Then the check" not in text
    assert "GPU waits" not in text


def test_a_processor_beside_a_gpu() -> None:
    """Each kind of device has a part of its own; a processor's answers the sheet where there is no other."""
    both = worked_out(PREFIX)[2]
    assert list(both.parts) == ["sheet", "expected", "3", "measured_cpu"]
    alone: Answer = load_question(find(PREFIX)).solve(given({"cpu": recorded("cpu")}))
    assert alone["3/standard"].value == both["measured_cpu/standard"].value
    assert alone["3/device"] != both["3/device"]


def test_a_prompt_that_was_not_recorded_is_refused() -> None:
    """The recorded ones are named."""
    with pytest.raises(RecordingError, match=r"prompt: must be one of .*'class Stack:'.* \(got 'Another\.'\)"):
        load_question(find(PREFIX)).solve(given({"cuda": recorded("cuda")}, prompt="Another."))
