"""Homework 3, question 3, on recordings small enough to work out by hand."""

from __future__ import annotations

import subprocess
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
from generators.pipeline.render import body
from generators.recording import Output, Recording, Series
from tests.conftest import worked_out
from tests.entries import Far

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


def beams_recording() -> Recording:
    """One beam and two, of which both texts were recorded."""
    texts = [Output(at={"beam_width": n, "do_sample": True}, text=f"{n} {place}") for n in (1, 2) for place in range(n)]
    series = [
        Series(quantity=quantity, unit="s", at={"beam_width": n, "do_sample": sampled}, samples=(0.5,))
        for quantity in ("seconds", "log_probability") for n in (1, 2) for sampled in (True, False)
    ]  # fmt: skip
    return replace(lengths_recording(), what="hw3_q3_beam_width", series=tuple(series), outputs=tuple(texts))


def test_the_line_through_points_off_a_line() -> None:
    """Means 2 and 5/3; slope (1·(2/3) + 0 + 1·(4/3)) / 2 = 1, intercept 5/3 - 2."""
    assert least_squares({1: 1.0, 2: 1.0, 3: 3.0}) == (Fraction(-1, 3), Fraction(1))


def test_medians_and_fit_of_a_recording() -> None:
    """The slope of 1 + 2n, and a prompt that a shell needs quoted."""
    answer: Answer = QUESTION.solve(params(lengths_recording()))
    assert list(answer["3.1/times"]["median"].numbers.values()) == [3, 5, 9]
    assert float(answer["3.1/per_token"]) == 2
    assert answer["3.1/outputs/n_2/text"].value == "Generated: x\nx\n"
    assert list(answer.parts) == ["sheet", "3.1", "runs"]
    assert "this architecture" in page(params(lengths_recording()))


def test_a_shell_reads_the_loop_that_is_printed() -> None:
    """Each launch gets the arguments of the recording and one value of its own."""
    loop = QUESTION.solve(params(lengths_recording()))["3.1/launch"].value.replace("python -m", "printf '%s|'")
    said = subprocess.run(["bash", "-c", loop], capture_output=True, text=True, check=True).stdout
    words = said.split("|")
    assert [words[place + 1] for place, word in enumerate(words) if word == "--output_len"] == ["1", "2", "4"]
    assert [words[place + 1] for place, word in enumerate(words) if word == "--prompt_seq"] == ["a 'b"] * 3
    assert max(map(len, loop.splitlines())) < 80


def test_every_text_that_a_launch_returned_is_shown() -> None:
    """Where only the first was recorded, the page says so."""
    whole = beams_recording()
    first = replace(whole, outputs=whole.outputs[:2])
    assert QUESTION.solve(params(whole))["3.2/outputs/n_2/text"].value == "Generated: 2 0\nGenerated: 2 1"
    assert "the others were not recorded" not in page(params(whole))
    assert "the others were not recorded" in page(params(first))


def test_what_was_not_measured_has_no_section() -> None:
    """Without recordings the question and its launch alone."""
    for medium in ("site", "handed_in"):
        text = page(params(), medium)
        assert "--hf_model_name facebook/opt-350m" in text
        assert "Machine and model" not in text


def test_both_filters_keep_fewer_tokens_than_either() -> None:
    """Top-p acts on what top-k left: 35 tokens, where top-k alone leaves 50, and top-p beside a large k more."""
    answer = worked_out(str(ID))[2]
    both = answer["together"]
    assert int(both["by_both"]) < int(both["by_k"]) == int(both["k"]) < int(answer["3.3/kept/n_500/kept"].value)


@pytest.mark.parametrize(
    ("field", "value"), [("top_p", 0), ("top_p", 1.5), ("output_len", 0), ("top_k", -1), ("prompt_seq", ""), ("beam_width", 0)]
)
def test_bad_parameters(field: str, value: object) -> None:
    with pytest.raises(ParameterError, match=rf"hw3_q3_generation: {field}: .*\(got "):
        load_params(ID, QUESTION, {**entries()[ID], field: value})


def test_a_processor_beside_a_gpu() -> None:
    """Its times stand in a part of their own; the kind with most recordings answers the sheet, a GPU's before a processor's."""
    gpu = lengths_recording()
    slower = tuple(replace(series, samples=tuple(10 * sample for sample in series.samples)) for series in gpu.series)
    cpu = replace(gpu, device="CPU", device_kind="cpu", driver=None, series=slower)
    answer: Answer = QUESTION.solve(params(gpu, cpu))
    assert float(answer["3.1/per_token"]) == 2
    assert float(answer["measured_cpu/per_token"]) == 20
    assert "## On a processor" in page(params(gpu, cpu))
    assert QUESTION.solve(params(cpu))["runs/device"].value == "CPU"


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
