"""Homework 3, question 3, on recordings small enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from generators.answer import Answer
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.courses.comp4901y.hw3_q3_generation.runs import least_squares
from generators.errors import ParameterError
from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.pipeline.match import Findings, problems
from generators.pipeline.recorded import command_of
from generators.pipeline.render import body
from generators.recording import Output, Recording, Series
from tests.conftest import worked_out

ID = find("comp4901y/hw3_q3_generation")
QUESTION = load_question(ID)


def params(*recordings: Recording) -> GenerationParams:
    """The entry's parameters beside these recordings."""
    loaded: Any = load_params(ID, QUESTION, entries()[ID], recorded=False)
    for one in recordings:
        loaded._measured = {**loaded.measured, one.device_kind: {**loaded.measured.get(one.device_kind, {}), one.what: one}}
    held: GenerationParams = loaded
    return held


def page(given: GenerationParams, medium: Any = "site") -> str:
    """What a reader sees, all of it found again."""
    answer: Answer = QUESTION.solve(given)
    assert problems(answer, Findings.gathered(QUESTION.find(given))) == []
    return body(ID, given, answer, QUESTION.draw(answer), medium).text


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


def test_the_line_through_points_off_a_line() -> None:
    """Means 2 and 5/3; slope (1·(2/3) + 0 + 1·(4/3)) / 2 = 1, intercept 5/3 - 2."""
    line = least_squares({1: 1.0, 2: 1.0, 3: 3.0})
    assert (line.intercept, line.slope) == (Fraction(-1, 3), Fraction(1))


def test_medians_and_fit_of_a_recording() -> None:
    """The line 1 + 2n, and a prompt that a shell needs quoted."""
    given = params(lengths_recording())
    answer: Answer = QUESTION.solve(given)
    assert list(answer["3.1/times"]["median"].numbers.values()) == pytest.approx([3, 5, 9])
    assert float(answer["3.1/per_token"]) == pytest.approx(2)
    assert float(answer["3.1/fixed"]) == pytest.approx(1)
    assert float(answer["3.1/rate"]) == pytest.approx(500)  # 1000 ms / 2 ms
    assert answer["3.1/outputs/n_2/text"].value == r"'x\nx\n'"
    assert "--prompt_seq 'a '\"'\"'b' " in answer["3.1/launch"].value
    assert list(answer.parts) == ["sheet", "3.1", "runs"]
    assert "this architecture" in page(given)


def test_a_line_below_zero_is_explained() -> None:
    """Medians 1, 1 and 9 ms at n = 1, 2, 4: the line ends below zero at n = 0."""
    series = tuple(replace(one, samples=(0.001 * ms,)) for one, ms in zip(lengths_recording().series, (1, 1, 9), strict=True))
    given = params(replace(lengths_recording(), series=series))
    assert float(QUESTION.solve(given)["3.1/fixed"]) < 0
    assert "A negative $a$ is no time" in page(given)


def test_what_was_not_measured_has_no_section() -> None:
    """Without recordings the question and its launch alone."""
    for medium in ("site", "pdf"):
        text = page(params(), medium)
        assert "hw3_generate --hf_model_name facebook/opt-350m" in text
        assert "Machine and model" not in text


def test_commands_are_those_of_today() -> None:
    """Programs have moved since some recordings were made; pages print where they are now."""
    answer = worked_out(str(ID))[2]
    for label, what in (("3.1", "output_len"), ("3.2", "beam_width"), ("3.3", "top_k"), ("3.4", "top_p")):
        assert answer[f"runs/commands/{label}/renewed_by"].value == command_of(f"hw3_q3_{what}", "cuda")
        assert answer[f"{label}/launch"].value.startswith("python -m generators.measuring.hw3_generate ")


@pytest.mark.parametrize(
    ("field", "value"), [("top_p", 0), ("top_p", 1.5), ("output_len", 0), ("top_k", -1), ("prompt_seq", ""), ("beam_width", 0)]
)
def test_bad_parameters(field: str, value: object) -> None:
    with pytest.raises(ParameterError, match=rf"hw3_q3_generation: {field}: .*\(got "):
        load_params(ID, QUESTION, {**entries()[ID], field: value})


def test_a_processor_beside_a_gpu() -> None:
    """Its times stand in a part of their own, and no table mixes the two."""
    gpu = lengths_recording()
    slower = tuple(replace(series, samples=tuple(10 * sample for sample in series.samples)) for series in gpu.series)
    cpu = replace(gpu, device="CPU", device_kind="cpu", driver=None, series=slower)
    given = params(gpu, cpu)
    answer: Answer = QUESTION.solve(given)
    assert float(answer["3.1/per_token"]) == pytest.approx(2)
    assert float(answer["measured_cpu/per_token"]) == pytest.approx(20)
    assert answer["measured_cpu/machine/device/value"].value == "CPU"
    assert "driver" not in answer["measured_cpu/machine"].rows
    assert "## On a processor" in page(given)


def test_the_kind_of_device_with_most_recordings_answers_the_sheet() -> None:
    """A GPU's before a processor's where both have as many."""
    gpu = lengths_recording()
    cpu = replace(gpu, device="CPU", device_kind="cpu", driver=None)
    assert QUESTION.solve(params(gpu, cpu))["runs/device"].value == "GPU"
    assert QUESTION.solve(params(cpu))["runs/device"].value == "CPU"
