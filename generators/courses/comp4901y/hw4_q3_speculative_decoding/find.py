"""Finds every number of the timed speculative decoding again from the raw samples, and decodes with small models.

From the sheet: the two times of its program, standard and with the assistant model, for its prompt. The program leaves the
number of drafted tokens to the library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.found import Found, Proof, Route
from generators.oracles.recorded import said_of_machine
from generators.recording import Recording

SHEET = Route("the sheet, the entry and the recording, read again", restates=True)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
SERIES = Route("sum of powers of α", tolerance=1e-12)
CLOCK = Route("every recorded call on a clock, nothing rounded", tolerance=2e-2)
RUN = Route("generate, small models in float32, whole passes without a cache")
CASES = ((Fraction(1, 3), 3, Fraction(1, 5)), (Fraction(1, 2), 2, Fraction(1, 4)), (Fraction(4, 7), 5, Fraction(2, 9)))
DEVICES = (("cpu", "processor"), ("cuda", "GPU"))
WAYS = (("standard", None), ("speculative", 0))
LAUNCHES = {"eager": ("transformers", "eager"), "fixed_cache": ("fixed cache", "eager, fixed cache"),
            "graph": ("fixed cache, graph", "graph, fixed cache")}  # fmt: skip
"""Every launch by its key: as the recording and as a page calls it."""


def find(params: SpeculativeParams) -> Iterator[Found | Proof]:
    """Everything that is published of each kind of device, and that decoding with a draft changes no token."""
    from generators.courses.comp4901y.hw4_q3_speculative_decoding import small_models

    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", prompt=params.prompt)
    yield from _expected()
    yield from RUN.proof("greedy speculative decoding gives the tokens of greedy decoding", small_models.unlike_greedy())
    recorded = {kind: Samples(params.measured[kind]["hw4_q3_speculative"]) for kind, _ in DEVICES if kind in params.measured}
    if recorded:
        yield from SHEET.part("3", "Standard and speculative decoding")
        yield from _times(recorded, params.prompt)
    for kind, name in DEVICES:
        if kind in recorded:
            yield from SHEET.part(f"on_{kind}", f"On a {name}")
            yield from _device(f"on_{kind}", recorded[kind], params.prompt)


def _expected() -> Iterator[Found]:
    """A drafted token counts where all before it are kept; γ of them and a check take the time of γ·c + 1 calls."""
    yield from SHEET.part("expected", "What is expected")
    yield Found("expected/gain@symbol", "S", SHEET)
    for rate, length, cost in CASES:
        gain = _series(rate, length) / (1 + sum([cost] * length))
        yield from SERIES.worlds("expected/gain", [({"alpha": rate, "gamma": length, "c": cost}, gain)])


def _series(rate: float | Fraction, n_drafted: int) -> Fraction:
    """1 + α + α² ...: a call's tokens, as the k-th draft counts only where all before it were kept."""
    return sum((Fraction(str(rate)) ** power for power in range(n_drafted + 1)), Fraction(0))


def _shown(number: Any) -> float:
    """The nearest decimal number of three digits."""
    return float(Context(prec=3).plus(Decimal(repr(float(number)))))


def _milliseconds(seconds: Any) -> float:
    """As a page shows a time: long ones in whole milliseconds."""
    time = 1000 * float(seconds)
    return float(Decimal(repr(time)).to_integral_value()) if time >= 100 else _shown(time)


class Samples:
    """Raw samples by launch, prompt and draft length (None for standard decoding); 0 leaves the length to the library."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.prompts: list[str] = recording.parameters["prompts"]
        self.lengths: list[int] = recording.parameters["draft_lens"]
        self.launches = [key for key in LAUNCHES if self.of("seconds", key, mode="speculative") is not None]

    def of(self, quantity: str, launch: str, **at: Any) -> Any:
        """All samples of the first series at this setting, or nothing."""
        return next((np.array(one.samples) for one in self.recording.find(quantity, by=LAUNCHES[launch][0], **at)), None)

    def quartiles(self, launch: str, length: int | None, prompts: Sequence[str]) -> tuple[float, ...]:
        """Median, first and third quartile in milliseconds as the page shows them, added up over prompts."""
        mode: dict[str, Any] = {"mode": "standard"} if length is None else {"mode": "speculative", "draft_len": length}
        found = [np.percentile(self.of("seconds", launch, prompt=one, **mode), (50, 25, 75)) for one in prompts]
        return tuple(sum(map(_milliseconds, column)) for column in np.transpose(found))

    def shown(self, length: int | None, prompt: str) -> tuple[float, ...]:
        """Those of one prompt, launched eagerly, to a tenth of the power of ten that is between the quartiles."""
        times = self.quartiles("eager", length, [prompt])
        decades = sum(times[2] - times[1] >= 10**power for power in range(2, 9))
        return tuple(float(np.round(time, -decades)) for time in times) if decades else times

    def rounds(self, launch: str, length: int) -> tuple[Any, Any]:
        """Drafted and accepted tokens of all calls."""
        ats = [{"prompt": prompt, "draft_len": length} for prompt in self.prompts]
        drafted, accepted = ([self.of(name, launch, **at) for at in ats] for name in ("drafted", "accepted"))
        return np.concatenate(drafted), np.concatenate(accepted)

    def cost(self, launch: str, length: int) -> float:
        """A drafted token's time over the target's; without timed steps that of whole runs."""
        steps = [self.of("step_seconds", launch, step=one, draft_len=length) for one in ("propose", "single token")]
        if steps[0] is not None:
            return float(np.median(steps[0]) / (length * np.median(steps[1])))
        runs = [
            [self.of("seconds", launch, prompt=one, mode=mode) for one in self.prompts] for mode in ("draft alone", "standard")
        ]
        alone, standard = (sum(map(np.median, one)) for one in runs)
        return float(alone / standard)


def _times(recorded: dict[str, Samples], prompt: str) -> Iterator[Found]:
    rows = {
        kind: {"machine": one.recording.device, **{way: one.shown(length, prompt)[0] for way, length in WAYS}}
        for kind, one in recorded.items()
    }
    yield from SAMPLES.table("3", "times", rows, units=dict.fromkeys(("standard", "speculative"), "ms"))


def _device(label: str, samples: Samples, prompt: str) -> Iterator[Found]:
    recording = samples.recording
    yield from said_of_machine(SHEET, label, recording)
    for role in ("target", "assistant"):
        card = recording.models[recording.parameters[role]]
        yield from SHEET.values(label, {role: card["label"], f"{role}_weights": card["parameters"]})
    small, large = (recording.models[recording.parameters[role]]["parameters"] for role in ("assistant", "target"))
    yield from SAMPLES.values(label, unit="%", weights=_shown(100 * small / large))
    yield from SAMPLES.values(label, unit="%", cost=_shown(100 * samples.cost("eager", samples.lengths[0])))
    made = recording.parameters
    yield from SHEET.values(label, repeats=made["repeats"], new_tokens=made["max_new_tokens"])
    yield from _compared(label, "", [samples.shown(length, prompt) for _, length in WAYS])
    yield from _compared(label, "all_", [samples.quartiles("eager", length, samples.prompts) for _, length in WAYS])
    compared = list(recording.find("agreeing_tokens"))
    same = [one for one in compared if set(one.samples) == {one.at["of"]}]
    yield from SAMPLES.values(label, same=len(same), compared=len(compared))
    yield from _gains(label, samples)


def _compared(label: str, of: str, both: Sequence[tuple[float, ...]]) -> Iterator[Found]:
    """The way with the longer median over the other one, and the same of opposite quartiles."""
    short, long = both if both[0][0] < both[1][0] else reversed(both)
    extremes = {"times": long[0] / short[0], "times_low": long[1] / short[2], "times_high": long[2] / short[1]}
    shown = {name: _shown(value) for name, value in extremes.items()}
    slower = both[0][0] < both[1][0]
    said: dict[str, Any] = {**shown, "slower": slower, "faster": not slower, "unclear": not shown["times_low"] > 1}
    yield from SAMPLES.values(label, {f"{of}{name}": one for name, one in said.items()})


def _gains(label: str, samples: Samples) -> Iterator[Found]:
    rows: dict[str, tuple[Any, ...]] = {}
    launch = samples.launches[-1]
    standard = samples.quartiles(launch, None, samples.prompts)
    for length in samples.lengths:
        drafted, accepted = samples.rounds(launch, length)
        rate = accepted.sum() / np.minimum(accepted + 1, drafted).sum()
        alpha, cost = _shown(rate), _shown(samples.cost(launch, length))
        times = samples.quartiles(launch, length, samples.prompts)
        gain = [_shown(above / below) for above, below in zip(standard, (times[0], times[2], times[1]), strict=True)]
        expected = _shown(_series(alpha, length) / (1 + length * Fraction(str(cost))))
        rows[str(length)] = (length, *gain, expected, alpha, cost)
        kept = np.cumprod(np.full(length, rate)).sum()
        clock = {"formula": float((1 + kept) / (1 + length * samples.cost(launch, length)))}
        yield from CLOCK.cells(label, "gains", {str(length): clock})
    headings = {"gamma": "γ", "low": "At least", "high": "At most", "formula": "Expected", "alpha": "α", "cost": "c"}
    columns = ("gamma", "measured", "low", "high", "formula", "alpha", "cost")
    yield from SAMPLES.table(label, "gains", rows, headings=headings, columns=columns)
    ranked = sorted(rows.values(), key=lambda row: -row[1])
    apart = all(ranked[0][2] > row[3] for row in ranked[1:])
    best = " and ".join(str(row[0]) for row in rows.values() if row[1] == ranked[0][1])
    yield from SAMPLES.values(label, one_is_best=apart, none_is_best=not apart, best=best)
    yield from SHEET.values(label, last_launch=LAUNCHES[launch][1])
