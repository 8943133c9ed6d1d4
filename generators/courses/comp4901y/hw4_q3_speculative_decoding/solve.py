"""Reads times, acceptance and costs from recordings, and puts the expected gain beside the measured one."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from generators.answer import Answer, Item, answer, claim, number, part, text
from generators.courses.comp4901y.hw4_q3_speculative_decoding import tables
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    COMPILED,
    EAGER,
    FIXED,
    GRAPH,
    LAUNCHES,
    LIBRARY_RULE,
    Runs,
    exactly,
    gain_at,
    measured,
    tokens_at,
)
from generators.errors import RecordingError
from generators.topics.measured import ELEMENT_BYTES
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, expected_tokens, walltime_gain

T_DRAFT, T_SINGLE = sympy.symbols("T_draft T_single", positive=True)
OTHERS = {"cuda": "On a GPU", "cpu": "On a processor"}


def solve(params: SpeculativeParams) -> Answer:
    """What was recorded, of each kind of device apart: a GPU's answers the sheet, a processor's where there is no other."""
    parts = [
        part("sheet", "Given", text("prompt", params.prompt)),
        part(
            "expected",
            "What is expected",
            number("tokens", expected_tokens(ALPHA, GAMMA), "expected tokens a call", "E"),
            number("cost_ratio", T_DRAFT / T_SINGLE, symbol="c"),
            number("gain", walltime_gain(ALPHA, GAMMA, COST_RATIO), "expected gain", "S"),
        ),
    ]
    for place, (kind, recordings) in enumerate(params.measured.items()):
        runs = Runs(recordings["hw4_q3_speculative"])
        if params.prompt not in runs.prompts:
            rule = f"must be one of those that measurements.yml has measured, {', '.join(map(repr, runs.prompts))}"
            raise RecordingError(f"{runs.recording.what}: prompt: {rule} (got {params.prompt!r})")
        best = max(runs.draft_lens, key=lambda length: runs.gain(runs.launches[-1], length).measured)
        items = (*_times(runs, params.prompt, asked=not place), *_gains(runs, best))
        if place:
            parts.append(part(f"measured_{kind}", OTHERS[kind], *items))
        else:
            explained = _explained(runs, best, on_a_gpu=kind == "cuda")
            parts.append(part("3", "Standard and speculative decoding", *items, *explained, *_of_launches(runs, best)))
    return answer(*parts)


def _times(runs: Runs, prompt: str, *, asked: bool) -> Iterator[Item]:
    """The sheet's prompt, with the library's own draft lengths and launched as its program does; then all that was timed."""
    at = {"mode": "standard"}, {"mode": "speculative", "draft_len": LIBRARY_RULE}
    standard, speculative = (measured(1000 * runs.recording.one("seconds", by=EAGER, prompt=prompt, **one).median) for one in at)
    yield text("device", runs.recording.device)
    yield number("standard", standard, "standard decoding", r"T_{\text{standard}}", "ms", asked=asked)
    yield number("speculative", speculative, "speculative decoding", r"T_{\text{speculative}}", "ms", asked=asked)
    yield number("sheets_gain", measured(exactly(standard) / exactly(speculative)), "gain of the sheet's program")
    yield claim("slower", speculative > standard, "speculative decoding of the sheet's program is slower")
    yield from (tables.machine(runs.recording), tables.models(runs.recording), tables.times(runs), tables.steadiness(runs))


def _gains(runs: Runs, best: int) -> Iterator[Item]:
    """The gain of the last launch at its best draft length, beside what its times and the formula give."""
    last = runs.launches[-1]
    gain, compared = runs.gain(last, best), list(runs.recording.find("agreeing_tokens"))
    same = sum(one.samples[0] == one.at["of"] for one in compared)
    yield text("last_launch", LAUNCHES[last][1])
    yield number("best", best, "draft length with the largest measured gain", r"\gamma")
    yield number("measured_gain", gain.measured, symbol=r"S_{\text{measured}}")
    yield number("rate", runs.tally(last, best).rate, "acceptance rate", r"\alpha")
    yield number("cost_ratio", gain.cost_ratio, symbol="c")
    yield number("gain", gain.formula, "expected gain", "S")
    yield number("same", same, "settings whose tokens all equal standard decoding's")
    yield number("compared", len(compared), "settings compared")
    yield claim("steps_timed", gain.check is not None, "the steps of the last launch were timed")
    if gain.check is not None and gain.step_times is not None:
        yield number("single_token", gain.single_token, unit="ms")
        yield number("check", gain.check, "check of all drafted tokens", unit="ms")
        yield number("step_gain", gain.step_times, "gain by the times of the steps")
    yield tables.gains(runs)


def _explained(runs: Runs, best: int, *, on_a_gpu: bool) -> Iterator[Item]:
    """What the gain would be if time went with weights, and how fast these are read."""
    last, made = runs.launches[-1], runs.recording.parameters
    gain, rate = runs.gain(last, best), runs.tally(last, best).rate
    target, draft = (runs.recording.models[made[role]] for role in ("target", "assistant"))
    by_weights = measured(draft["parameters"] / target["parameters"])
    yield tables.acceptance(runs)
    yield number("tokens", tokens_at(rate, best), "expected tokens a call", "E")
    yield number("by_layers", measured(draft["layers"] / target["layers"]), "the draft's layers over the target's")
    yield number("by_weights", by_weights, "the draft's weights over the target's")
    dear = gain.cost_ratio > by_weights
    yield claim("costs_more_than_weights", dear, "a drafted token costs more than its share of the weights")
    if dear:
        yield number("gain_by_weights", gain_at(rate, best, by_weights), "expected gain if cost went with weights")
    yield claim("on_a_gpu", on_a_gpu)
    if on_a_gpu:
        read = target["parameters"] * ELEMENT_BYTES[made["dtype"]] / (1_000_000 * gain.single_token)
        yield number("read_rate", measured(read), "weights read", unit="GB/s")


def _of_launches(runs: Runs, best: int) -> Iterator[Item]:
    """What launching costs: the same fixed cache launched operation by operation, where a graph was launched too."""
    graphs = runs.launches[-1] == GRAPH
    yield claim("compiled", any(runs.recording.find("seconds", by=COMPILED)), "the library's compiled run")
    yield claim("graphs", graphs, "steps were also replayed as graphs")
    also_eager = graphs and FIXED in runs.launches
    yield claim("also_eager", also_eager, "the fixed cache was also launched operation by operation")
    if also_eager:
        eager, faster = runs.gain(FIXED, best), runs.launch_gain()
        more = faster > max(1, runs.gain(GRAPH, best).measured)
        yield number("eager_cost_ratio", eager.cost_ratio, "cost ratio when every operation is launched by itself")
        yield claim("graphs_help", faster > 1, "standard decoding is faster as a graph")
        yield claim("graphs_help_more", more, "a graph gains more than drafting")
        if faster > 1:
            yield number("eager_single_token", eager.single_token, unit="ms")
            yield number("launch_gain", faster, "standard decoding, eager over graph")
