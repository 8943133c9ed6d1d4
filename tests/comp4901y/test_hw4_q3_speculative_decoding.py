"""Homework 4, question 3: times, acceptance and gains read from a recording."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import pytest

from generators.answer import Answer
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    Ratio,
    acceptance_rate,
    gain_at,
    ratio,
    to_spread,
    whole_ms,
)
from generators.errors import RecordingError
from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.pipeline.match import Findings, problems
from generators.pipeline.render import body
from generators.recording import Recording, Series
from tests.conftest import worked_out
from tests.entries import Far
from tests.page_text import without_addresses

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
    return html.unescape(without_addresses(body(question_id, params, answer, {}, "site").text))


def test_a_call_rejects_at_most_one_token() -> None:
    """Three calls draft 2, 2 and 1 and keep 2, 0 and 1; the second one's second token is never looked at."""
    assert acceptance_rate([(series("drafted", 2, 2, 1), series("accepted", 2, 0, 1))]) == 0.75  # 3 / (3 + 1)


def test_expected_gain() -> None:
    """At α = 1/2, γ = 2 and c = 1/4, and for a draft that is never rejected, where the formula would divide by 0."""
    assert gain_at(0.5, 2, 0.25) == 1.17  # (1 + 1/2 + 1/4) / (2/4 + 1)
    assert gain_at(1.0, 4, 0.25) == 2.5  # 5 / (4/4 + 1)


def test_a_ratio_compares_opposite_quartiles() -> None:
    """At least a short time over a long one, at most a long one over a short one."""
    assert ratio((30, 20, 40), (10, 8, 16)) == Ratio(3.0, 1.25, 5.0)  # 30/10, 20/16, 40/8


def test_long_times_have_whole_milliseconds() -> None:
    assert [whole_ms(time) for time in (1176.4, 99.96, 0.12345)] == [1176, 100, 0.123]


def test_a_wide_spread_takes_digits() -> None:
    """Quartiles 279 ms apart leave tens, 58 ms apart leave whole milliseconds, 1500 ms apart leave hundreds."""
    assert to_spread((816, 718, 997)) == (820, 720, 1000)
    assert to_spread((1175, 1166, 1224)) == (1175, 1166, 1224)
    assert to_spread((2540, 2000, 3500)) == (2500, 2000, 3500)


def test_times_of_the_sheets_program() -> None:
    """As recorded on a GPU: 645, 678, 679 and 697 ms, and 1155, 1169, 1182 and 1353 ms."""
    part = worked_out(PREFIX)[2]["on_cuda"]
    assert (part["times"].value, bool(part["slower"]), bool(part["unclear"])) == (1.73, True, False)  # 1175 / 679
    assert (part["times_low"].value, part["times_high"].value) == (1.7, 1.83)  # 1166 / 684 and 1224 / 670


def test_a_best_length_is_claimed_beyond_the_spread_only() -> None:
    """As graphs on the GPU γ = 4 gains from 1.20 on, the next at most 1.11; on the processor γ = 2 and 4 overlap."""
    answer = worked_out(PREFIX)[2]
    assert bool(answer["on_cuda/one_is_best"])
    assert not bool(answer["on_cpu/one_is_best"])


def test_a_page_before_the_first_recording() -> None:
    """The question alone; no number and no command."""
    text = page(given({}))
    assert "Decode greedily" in text
    assert " ms" not in text
    assert "python -m" not in text


@pytest.mark.parametrize(
    ("kind", "without", "said"),
    [("cuda", ["fixed cache, graph"], 'launched as "eager, fixed cache":'), ("cpu", ["fixed cache"], 'launched as "eager":')],
)
def test_a_page_of_one_device_with_fewer_launches(kind: str, without: list[str], said: str) -> None:
    """The page speaks of the launches and of the machine that it has."""
    text = page(given({kind: recorded(kind, *without)}))
    assert said in text
    assert ("NVIDIA" in text) == (kind == "cuda")


def test_a_prompt_that_was_not_recorded_is_refused() -> None:
    """The recorded ones are named, and the command that records others."""
    with pytest.raises(RecordingError, match=r"prompt: must be one of .*'class Stack:'.*`make measure` \(got 'Another\.'\)"):
        load_question(find(PREFIX)).solve(given({"cuda": recorded("cuda")}, prompt="Another."))


FAR = [  # all other prompts that are recorded
    Far({"prompt": "def read_lines(path):"}, ("times slower", "times faster"), ("poem",)),
    Far({"prompt": "class Stack:"}, ("times faster", "the quartiles of both overlap"), ("poem", "slower")),
    Far({"prompt": "import numpy as np"}, ("times faster",), ("poem", "slower")),
]
