"""Homework 3, question 3, on recordings small enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from generators.errors import ParameterError
from generators.oracles.next_token import filtered
from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.pipeline.render import body
from generators.recording import Output, Recording, Series
from generators.steps import Answer
from generators.topics.measured import least_squares

ID = find("comp4901y/hw3_q3_generation")
QUESTION = load_question(ID)


def params(recordings: dict[str, Recording]) -> Any:
    loaded: Any = load_params(ID, QUESTION, entries()[ID])
    return loaded.with_recordings(recordings)


def lengths_recording() -> Recording:
    """Three runs at each of three lengths; medians 3, 5 and 9 ms lie on 1 + 2n at n = 1, 2, 4."""
    times = {1: (0.001, 0.003, 0.004), 2: (0.005, 0.005, 0.009), 4: (0.009, 0.008, 0.01)}
    return Recording(
        what="hw3_q3_output_len",
        parameters={"prompt": "a 'b", "top_k": 5, "top_p": 0.9, "beam_width": 1, "dtype": "float32", "seed": 3, "model": "m"},
        command="make it", device="GPU", device_kind="cuda", driver="1", versions={"torch": "2"},
        date="2026-01-01T00:00:00+00:00", models={"m": {"label": "this architecture", "parameters": 10}},
        series=tuple(Series(quantity="seconds", unit="s", at={"output_len": n}, samples=s) for n, s in times.items()),
        outputs=tuple(Output(at={"output_len": n}, text="x\n" * n) for n in times),
    )  # fmt: skip


def checks_pass(given: Any, answer: Answer) -> bool:
    return all(check.passed for check in QUESTION.verify(given, answer))


def test_the_line_through_points_on_a_line() -> None:
    line = least_squares([1, 2, 4], [3.0, 5.0, 9.0])
    assert (line.intercept, line.slope) == (Fraction(1), Fraction(2))


def test_the_line_through_points_off_a_line() -> None:
    """Means 2 and 5/3; slope (1·(2/3) + 0 + 1·(4/3)) / 2 = 1, intercept 5/3 - 2."""
    line = least_squares([1, 2, 3], [1.0, 1.0, 3.0])
    assert (line.intercept, line.slope) == (Fraction(-1, 3), Fraction(1))


def test_medians_and_fit_of_a_recording() -> None:
    given = params({"hw3_q3_output_len": lengths_recording()})
    answer = QUESTION.solve(given)
    part = answer["3.1"]
    assert part.tables["times"].column("Median") == pytest.approx((3, 5, 9))
    assert part["per_token"].value == pytest.approx(2)
    assert part["fixed"].value == pytest.approx(1)
    assert part["rate"].value == pytest.approx(500)  # 1000 ms / 2 ms
    assert part.tables["outputs"].rows[1] == (2, r"'x\nx\n'")
    assert "--prompt_seq 'a '\"'\"'b' " in str(part.tables["launch"].rows[0][0])
    assert checks_pass(given, answer)


def test_what_was_not_measured_says_so() -> None:
    """Without recordings each part gives the command, and only the filters are checked."""
    given = params({})
    answer = QUESTION.solve(given)
    for medium in ("site", "pdf"):
        text = body(ID, given, answer, QUESTION.draw(given, answer), medium).text
        assert text.count("Not measured yet") == 4
        assert text.count("hw3&#95;q3&#95;top&#95;p") == 4
    assert checks_pass(given, answer)


def test_one_recording_alone_is_shown() -> None:
    given = params({"hw3_q3_output_len": lengths_recording()})
    answer = QUESTION.solve(given)
    text = body(ID, given, answer, QUESTION.draw(given, answer), "site").text
    assert text.count("Not measured yet") == 3
    assert "this architecture" in text


def test_a_changed_sample_changes_the_checks() -> None:
    """An answer made from other samples than the recording holds is found out."""
    recording = lengths_recording()
    answer = QUESTION.solve(params({"hw3_q3_output_len": recording}))
    slower = replace(recording.series[0], samples=(1.0, 1.0, 1.0))
    other = replace(recording, series=(slower, *recording.series[1:]))
    assert not checks_pass(params({"hw3_q3_output_len": other}), answer)


def test_filters_by_hand() -> None:
    """1/2, 1/4, 1/8, 1/8: two tokens are kept by top-k 2, and two reach 0.6 where one does not."""
    logits = np.log([1 / 8, 1 / 2, 1 / 8, 1 / 4])
    assert filtered(logits, 2, 1.0) == pytest.approx([0, 2 / 3, 0, 1 / 3])
    assert filtered(logits, 0, 0.6) == pytest.approx([0, 2 / 3, 0, 1 / 3])
    assert filtered(logits, 0, 0.4) == pytest.approx([0, 1, 0, 0])
    assert filtered(logits, 0, 1.0) == pytest.approx([1 / 8, 1 / 2, 1 / 8, 1 / 4])


@pytest.mark.parametrize(
    ("field", "value"), [("top_p", 0), ("top_p", 1.5), ("output_len", 0), ("top_k", -1), ("prompt_seq", ""), ("beam_width", 0)]
)
def test_bad_parameters(field: str, value: object) -> None:
    with pytest.raises(ParameterError, match=rf"hw3_q3_generation: {field}: .*\(got "):
        load_params(ID, QUESTION, {**entries()[ID], field: value})


def test_a_processor_beside_a_gpu() -> None:
    """Its times stand in parts of their own, and no table mixes the two."""
    gpu = lengths_recording()
    slower = tuple(replace(series, samples=tuple(10 * sample for sample in series.samples)) for series in gpu.series)
    cpu = replace(gpu, device="CPU", device_kind="cpu", driver=None, series=slower)
    given = params({}).with_recordings({"hw3_q3_output_len": gpu}, {"hw3_q3_output_len": cpu})
    answer = QUESTION.solve(given)
    assert answer["3.1"]["per_token"].value == pytest.approx(2)
    assert answer["cpu_3.1"]["per_token"].value == pytest.approx(20)
    assert answer["cpu_runs"].tables["machine"].rows[0] == ("Device", "CPU")
    assert checks_pass(given, answer)
    swapped = Answer({**answer.parts, "3.1": answer["cpu_3.1"]})
    assert not checks_pass(given, swapped)
    text = body(ID, given, answer, QUESTION.draw(given, answer), "site").text
    assert "## On a processor" in text
