"""Reads times, acceptance and costs from recordings, and puts the expected gain beside the measured one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from generators.answer import Answer, Item, answer, claim, number, part, text
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    EAGER,
    LAUNCHES,
    LIBRARY_RULE,
    Runs,
    gain_at,
    measured,
    ratio,
)
from generators.errors import RecordingError
from generators.table import Table, column, table
from generators.topics.measured import machine
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, walltime_gain

KINDS = {"cpu": "processor", "cuda": "GPU"}


def solve(params: SpeculativeParams) -> Answer:
    """What was recorded of each kind of device: a processor first, whose run anyone can repeat."""
    runs = {kind: Runs(params.measured[kind]["hw4_q3_speculative"]) for kind in KINDS if kind in params.measured}
    parts = [
        part("sheet", "Given", text("prompt", params.prompt)),
        part("expected", "What is expected", number("gain", walltime_gain(ALPHA, GAMMA, COST_RATIO), "expected gain", "S")),
    ]
    if runs:
        _refuse_unknown(params.prompt, runs)
        parts.append(part("3", "Standard and speculative decoding", _times(runs, params.prompt)))
    return answer(
        *parts, *(part(f"on_{kind}", f"On a {KINDS[kind]}", *_device(one, params.prompt)) for kind, one in runs.items())
    )


def _refuse_unknown(prompt: str, runs: dict[str, Runs]) -> None:
    known = list(
        dict.fromkeys(one for each in runs.values() for one in each.prompts if all(one in r.prompts for r in runs.values()))
    )
    if prompt not in known:
        raise RecordingError(
            "generators/courses/comp4901y/params.yml: hw4_q3_speculative_decoding: prompt: must be one of the recorded "
            f"{', '.join(map(repr, known))}; others are added to measurements.yml and recorded by `make measure` (got {prompt!r})"
        )


def _times(runs: dict[str, Runs], prompt: str) -> Table:
    """The sheet's program on each device: the medians of both ways."""
    rows = {kind: (one.recording.device, *(times[0] for times in one.both_ways(prompt))) for kind, one in runs.items()}
    return table("times", ["machine", column("standard", unit="ms"), column("speculative", unit="ms")], rows, asked=True)


def _device(runs: Runs, prompt: str) -> Iterator[Item]:
    """Where and of what the times are, how the two ways compare, and the gains."""
    recording = runs.recording
    yield from machine(recording)
    for role in ("target", "assistant"):
        card = recording.models[recording.parameters[role]]
        yield text(role, card["label"])
        yield number(f"{role}_weights", card["parameters"])
    yield number("repeats", recording.parameters["repeats"], "timed runs after a warm-up")
    yield number("new_tokens", recording.parameters["max_new_tokens"])
    standard, speculative = runs.both_ways(prompt)
    yield from _compared("", standard, speculative)
    yield from _compared("all_", *(runs.together(EAGER, one) for one in (None, LIBRARY_RULE)))
    weights = (recording.models[recording.parameters[role]]["parameters"] for role in ("assistant", "target"))
    yield number("weights", measured(100 * Fraction(*weights)), "weights of the draft over the target's", unit="%")
    yield number("cost", measured(100 * runs.eager_cost()), "time of a drafted token over a target's, eager", unit="%")
    compared = list(recording.find("agreeing_tokens"))
    same = sum(one.samples[0] == one.at["of"] for one in compared)
    yield number("same", same, "settings whose tokens all equal standard decoding's")
    yield number("compared", len(compared), "settings compared")
    yield from _gains(runs)


def _compared(of: str, standard: Sequence[float], speculative: Sequence[float]) -> Iterator[Item]:
    """Which way is slower, how many times by the medians, and by opposite quartiles; `of` opens the keys."""
    slower = speculative[0] > standard[0]
    longer = ratio(speculative, standard) if slower else ratio(standard, speculative)
    yield claim(f"{of}slower", slower, "the median of speculative decoding is above that of standard decoding")
    yield claim(f"{of}faster", not slower, "the median of speculative decoding is not above that of standard decoding")
    yield claim(f"{of}unclear", longer.low <= 1, "the quartiles of both ways overlap")
    for key, one, what in zip(("times", "times_low", "times_high"), longer, ("of medians", "at least", "at most"), strict=True):
        yield number(f"{of}{key}", one, f"longer time over shorter time, {what}")


def _gains(runs: Runs) -> Iterator[Item]:
    """The last launch at every draft length, and whether one length is best beyond the spread."""
    rows, last = {}, runs.launches[-1]
    own = {length: runs.gain(last, length) for length in runs.draft_lens}
    for length, gain in own.items():
        rate, cost = runs.rate(last, length), runs.cost_ratio(last, length)
        rows[str(length)] = length, *gain, gain_at(rate, length, cost), rate, cost
    found = [column("measured"), column("low", "At least"), column("high", "At most"), column("formula", "Expected")]
    yield table("gains", [column("gamma", "γ"), *found, column("alpha", "α"), column("cost", "c")], rows)
    best = max(one.middle for one in own.values())
    lengths = [length for length, one in own.items() if one.middle == best]
    apart = all(own[lengths[0]].low > one.high for length, one in own.items() if length != lengths[0])
    yield text("last_launch", LAUNCHES[last])
    yield claim("one_is_best", apart, "one draft length is best beyond the spread")
    yield claim("none_is_best", not apart, "no draft length is best beyond the spread")
    yield text("best", " and ".join(map(str, lengths)))
