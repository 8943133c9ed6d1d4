"""Reads times, acceptance and costs from recordings, and puts the expected gain beside the measured one."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from generators.answer import Answer, Item, Part, answer, claim, number, part, text
from generators.courses.comp4901y.hw4_q3_speculative_decoding import tables
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    LAUNCHES,
    LIBRARY_RULE,
    Runs,
    exactly,
    gain_at,
    measured,
    tokens_at,
)
from generators.errors import RecordingError
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, expected_tokens, walltime_gain

T_DRAFT, T_SINGLE = sympy.symbols("T_draft T_single", positive=True)
BYTES_OF = {"float32": 4, "bfloat16": 2, "float16": 2}
RECORDING = "hw4_q3_speculative"
OTHERS = {"cuda": "On a GPU", "cpu": "On a processor"}


def solve(params: SpeculativeParams) -> Answer:
    """What was recorded, of each kind of device apart: a GPU's answers the sheet, a processor's where there is no other."""
    parts: list[Part] = []
    for kind, recordings in params.measured.items():
        runs = Runs(recordings[RECORDING])
        _refuse_unrecorded(params.prompt, runs)
        if parts:
            parts.append(part(f"measured_{kind}", OTHERS[kind], *_times(runs, params.prompt), *_gains(runs)))
        else:
            items = (*_times(runs, params.prompt, asked=True), *_gains(runs), *_explained(runs, on_a_gpu=kind == "cuda"))
            parts.append(part("3", "Standard and speculative decoding", *items))
    return answer(part("sheet", "Given", text("prompt", params.prompt)), _expected(), *parts)


def _refuse_unrecorded(prompt: str, runs: Runs) -> None:
    if prompt not in runs.prompts:
        prompts = ", ".join(map(repr, runs.prompts))
        raise RecordingError(
            f"{runs.recording.what}: prompt: must be one of those that measurements.yml has measured, {prompts} (got {prompt!r})"
        )


def _expected() -> Part:
    """The formulas that measured rates and times are put into."""
    return part(
        "expected",
        "What is expected",
        number("tokens", expected_tokens(ALPHA, GAMMA), "expected tokens a call", "E"),
        number("cost_ratio", T_DRAFT / T_SINGLE, symbol="c"),
        number("gain", walltime_gain(ALPHA, GAMMA, COST_RATIO), "expected gain", "S"),
    )


def _times(runs: Runs, prompt: str, *, asked: bool = False) -> Iterator[Item]:
    """The sheet's prompt, with the library's own draft lengths and launched as its program does; then all that was timed."""
    at = {"mode": "standard"}, {"mode": "speculative", "draft_len": LIBRARY_RULE}
    found = (runs.recording.one("seconds", by="transformers", prompt=prompt, **one).median for one in at)
    standard, speculative = (measured(1000 * one) for one in found)
    yield text("device", runs.recording.device)
    yield number("standard", standard, "standard decoding", r"T_{\text{standard}}", "ms", asked=asked)
    yield number("speculative", speculative, "speculative decoding", r"T_{\text{speculative}}", "ms", asked=asked)
    yield number("sheets_gain", measured(exactly(standard) / exactly(speculative)), "gain of the sheet's program")
    yield claim("slower", speculative > standard, "speculative decoding of the sheet's program is slower")
    yield from (tables.machine(runs.recording), tables.models(runs.recording), tables.times(runs), tables.steadiness(runs))


def _best(runs: Runs) -> int:
    return max(runs.draft_lens, key=lambda length: runs.gain(runs.launches[-1], length))


def _gains(runs: Runs) -> Iterator[Item]:
    """The gain of the last launch at its best draft length, beside what its times and the formula give."""
    by, best = runs.launches[-1], _best(runs)
    costs, tally = runs.costs(by, best), runs.tally(by, best)
    same, compared = runs.agreement()
    yield text("last_launch", LAUNCHES[by])
    yield number("best", best, "draft length with the largest measured gain", r"\gamma")
    yield number("measured_gain", runs.gain(by, best), symbol=r"S_{\text{measured}}")
    yield number("rate", tally.rate, "acceptance rate", r"\alpha")
    yield number("cost_ratio", costs.ratio, symbol="c")
    yield number("gain", gain_at(tally.rate, best, costs.ratio), "expected gain", "S")
    yield number("same", same, "settings whose tokens all equal standard decoding's")
    yield number("compared", compared, "settings compared")
    step_gain = costs.gain(tally.tokens_per_call, best)
    yield claim("steps_timed", step_gain is not None, "the steps of the last launch were timed")
    if step_gain is not None and costs.check_ms is not None:
        yield number("single_token", costs.single_ms, unit="ms")
        yield number("check", costs.check_ms, "check of all drafted tokens", unit="ms")
        yield number("step_gain", step_gain, "gain by the times of the steps")
    yield tables.gains(runs)


def _explained(runs: Runs, *, on_a_gpu: bool) -> Iterator[Item]:
    """What the gain would be if time went with weights, how fast these are read, and what launching costs."""
    by, best = runs.launches[-1], _best(runs)
    costs, rate = runs.costs(by, best), runs.tally(by, best).rate
    target, draft = (runs.recording.models[runs.recording.parameters[role]] for role in ("target", "assistant"))
    by_weights = measured(draft["parameters"] / target["parameters"])
    yield tables.acceptance(runs)
    yield number("tokens", tokens_at(rate, best), "expected tokens a call", "E")
    yield number("by_layers", measured(draft["layers"] / target["layers"]), "the draft's layers over the target's")
    yield number("by_weights", by_weights, "the draft's weights over the target's")
    yield claim("costs_more_than_weights", costs.ratio > by_weights, "a drafted token costs more than its share of the weights")
    if costs.ratio > by_weights:
        yield number("gain_by_weights", gain_at(rate, best, by_weights), "expected gain if cost went with weights")
    yield claim("on_a_gpu", on_a_gpu)
    if on_a_gpu:
        read = target["parameters"] * BYTES_OF[runs.recording.parameters["dtype"]] / (1_000_000 * costs.single_ms)
        yield number("read_rate", measured(read), "weights read", unit="GB/s")
    yield claim("compiled", any(runs.recording.find("seconds", by="transformers, compiled")), "the library's compiled run")
    yield from _of_launches(runs, best)


def _of_launches(runs: Runs, best: int) -> Iterator[Item]:
    """The same fixed cache launched operation by operation, where a graph was launched too."""
    by = runs.launches[-1]
    graphs = by == "fixed cache, graph"
    yield claim("graphs", graphs, "steps were also replayed as graphs")
    also_eager = graphs and "fixed cache" in runs.launches
    yield claim("also_eager", also_eager, "the fixed cache was also launched operation by operation")
    if also_eager:
        eager = runs.costs("fixed cache", best)
        yield number("eager_cost_ratio", eager.ratio, "cost ratio when every operation is launched by itself")
        faster = runs.launch_gain() > 1
        yield claim("graphs_help", faster, "standard decoding is faster as a graph")
        yield claim("graphs_help_more", faster and runs.launch_gain() > runs.gain(by, best), "a graph gains more than drafting")
        if faster:
            yield number("eager_single_token", eager.single_ms, unit="ms")
            yield number("launch_gain", runs.launch_gain(), "standard decoding, eager over graph")
