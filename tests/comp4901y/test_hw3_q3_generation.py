"""Homework 3, question 3, on recordings small enough to work out by hand."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from generators.answer import Answer
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.courses.comp4901y.hw3_q3_generation.runs import least_squares
from generators.errors import ParameterError
from generators.pipeline.catalog import load_params, load_question
from generators.pipeline.match import Findings, problems
from generators.pipeline.render import body
from generators.recording import Output, Recording, Series
from tests.conftest import worked_out
from tests.entries import ENTRIES, Far, id_of

ID = id_of("comp4901y/hw3_q3_generation")
QUESTION = load_question(ID)


def params(*recordings: Recording) -> GenerationParams:
    """The entry's parameters beside these recordings."""
    loaded: Any = load_params(ID, QUESTION, ENTRIES[ID], recorded=False)
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
        parameters={"dtype": "float32", "seed": 3, "chat": True},
        command="make it", device="CPU", device_kind="cpu", driver=None, versions={"torch": "2"},
        date="2026-01-01T00:00:00+00:00", models={"m": {"label": "this architecture", "parameters": 10}},
        series=tuple(Series(quantity="seconds", unit="s", at={"output_len": n}, samples=s) for n, s in times.items()),
    )  # fmt: skip


PROMPT = "a 'b"
COMMAND = f"python -m generators.measuring.hw3_generate --hf_model_name m --prompt_seq {shlex.quote(PROMPT)} --chat --seed 3"


def launches_recording() -> Recording:
    """Three lengths, two numbers of beams with as many texts, and one value of each filter."""
    values: dict[str, list[float]] = {"output_len": [1, 2, 4], "beam_width": [1, 2], "top_k": [1], "top_p": [0.5]}
    outputs = []
    for name, every in values.items():
        for value in every:
            at: dict[str, Any] = {"argument": name, "value": value, "command": f"{COMMAND} --{name} {value}"}
            texts = int(value) if name == "beam_width" else 1
            outputs += [Output(at={**at, "sequence": place}, text=f"{place}\n\né") for place in range(1, texts + 1)]
    given = {"hf_model_name": "m", "prompt_seq": PROMPT, "output_len": 20, "beam_width": 1, "top_k": 50, "top_p": 0.9}
    parameters = {**given, "chat": True, "seed": 3, "dtype": "float32", "values": values}
    return replace(lengths_recording(), what="hw3_q3_launches", parameters=parameters, series=(), outputs=tuple(outputs))


def test_the_line_through_points_off_a_line() -> None:
    """Means 2 and 5/3; slope (1·(2/3) + 0 + 1·(4/3)) / 2 = 1, intercept 5/3 - 2."""
    assert least_squares({1: 1.0, 2: 1.0, 3: 3.0}) == (Fraction(-1, 3), Fraction(1))


def test_medians_and_fit_of_a_recording() -> None:
    """The slope of 1 + 2n; without recorded launches the sheet's parts are not answered."""
    answer: Answer = QUESTION.solve(params(lengths_recording()))
    assert list(answer["lengths/times"]["median"].numbers.values()) == [3, 5, 9]
    assert float(answer["lengths/per_token"]) == 2
    assert list(answer.parts) == ["sheet", "lengths", "runs"]
    assert "this architecture" in page(params(lengths_recording()))


def test_a_shell_reads_the_loop_that_is_printed() -> None:
    """Each launch gets the recorded options and one value of its own."""
    loop = QUESTION.solve(params(launches_recording()))["3.1/launch"].value.replace("python -m", "printf '%s|' python -m")
    said = subprocess.run(["bash", "-c", loop], capture_output=True, text=True, check=True).stdout
    expected = [word for value in (1, 2, 4) for word in shlex.split(f"{COMMAND} --output_len {value}")]
    assert said.split("|")[:-1] == expected
    assert max(map(len, loop.splitlines())) < 80


def test_every_text_that_a_launch_returned_is_shown_with_its_lines() -> None:
    """Two for two beams; a letter beyond ASCII is escaped, as a PDF's font may lack it."""
    answer: Answer = QUESTION.solve(params(launches_recording()))
    assert answer["3.2/outputs/n_2/text"].value == "Generated: 1\n\n\\xe9\nGenerated: 2\n\n\\xe9"
    assert list(answer.parts) == ["sheet", "3.1", "3.2", "3.3", "3.4", "runs"]
    assert "it is not the course's" in page(params(launches_recording()))


def test_a_command_that_a_page_does_not_print_is_found() -> None:
    """The other route builds the command from the recorded arguments."""
    whole = launches_recording()
    given = params(replace(whole, parameters={**whole.parameters, "top_k": 49}))
    assert any("3.1/launch" in one for one in problems(QUESTION.solve(given), Findings.gathered(QUESTION.find(given))))


def test_what_was_not_measured_has_no_section() -> None:
    """Without recordings the question and its launch alone."""
    for medium in ("site", "handed_in"):
        text = page(params(), medium)
        assert "--hf_model_name facebook/opt-350m" in text
        assert "Machine and model" not in text


def test_both_filters_keep_fewer_tokens_than_either() -> None:
    """Top-p acts on what top-k left: fewer tokens than top-k alone leaves, and than top-p beside a large k."""
    answer = worked_out(str(ID))[2]
    both = answer["together"]
    assert int(both["by_both"]) < int(both["by_k"]) == int(both["k"]) < int(answer["top_k/kept/n_500/kept"].value)


@pytest.mark.parametrize(
    ("field", "value"), [("top_p", 0), ("top_p", 1.5), ("output_len", 0), ("top_k", -1), ("prompt_seq", ""), ("beam_width", 0)]
)
def test_bad_parameters(field: str, value: object) -> None:
    with pytest.raises(ParameterError, match=rf"hw3_q3_generation: {field}: .*\(got "):
        load_params(ID, QUESTION, {**ENTRIES[ID], field: value})


def test_a_gpu_beside_a_processor() -> None:
    """Its times stand in a part of their own; a processor answers the sheet, and a GPU only alone."""
    cpu = lengths_recording()
    faster = tuple(replace(series, samples=tuple(sample / 10 for sample in series.samples)) for series in cpu.series)
    gpu = replace(cpu, device="GPU", device_kind="cuda", driver="1", series=faster)
    answer: Answer = QUESTION.solve(params(gpu, cpu))
    assert float(answer["lengths/per_token"]) == 2
    assert float(answer["measured_cuda/per_token"]) == 0.2
    assert "## On a GPU" in page(params(gpu, cpu))
    assert QUESTION.solve(params(gpu))["runs/device"].value == "GPU"


FAR = [
    Far({"prompt_seq": "it's $HOME"}, ("--prompt_seq 'it'\"'\"'s $HOME'",)),
    Far({"prompt_seq": "word " * 39 + "end"}, ("word end'",)),
    Far({"prompt_seq": "100 % | `x` <b> é"}, ("'100 % | `x` <b> é'",)),
    Far({"hf_model_name": "models/" + "x" * 150}),
    Far({"output_len": 1, "beam_width": 1, "top_k": 1, "top_p": 1}, ("--output_len 1 ", "--top_k 1 --top_p 1.0")),
    Far({"output_len": 10**6, "beam_width": 1000}, ("--output_len 1000000 --beam_width 1000",)),
    Far({"top_k": 0}, ("--top_k 0",)),
    Far({"top_p": "1/3"}, ("--top_p 0.3333333333333333",)),
    Far({"top_p": "0.001"}, ("--top_p 0.001",)),
]


REFUSED = [
    ({"output_len": 0}, "output_len: must be greater than 0 (got 0)"),
    ({"top_k": -1}, "top_k: must be greater than or equal to 0 (got -1)"),
    ({"top_p": 0}, "top_p: must be greater than 0 (got 0)"),
    ({"top_p": 1.5}, "top_p: must be less than or equal to 1 (got 1.5)"),
    ({"prompt_seq": 3}, "prompt_seq: must be a valid string (got 3)"),
]
