"""What a recording of standard and speculative decoding says: times, accepted drafts, cost ratios and gains.

A measured number is rounded to three significant digits, a long time to milliseconds, and what is derived is computed from
rounded numbers, so that a reader can repeat it from the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from generators.cells import significant
from generators.recording import At, Recording, Series
from generators.topics.measured import in_ms
from generators.topics.speculative_decoding import expected_tokens

EAGER = "transformers"
LAUNCHES = {
    EAGER: "eager",
    "fixed cache": "eager, fixed cache",
    "fixed cache, graph": "graph, fixed cache",
}
"""Every recorded launch that drafts, and what a page calls it; it shows the last one."""
LIBRARY_RULE = 0
"""The recorded draft length where the library decides how many tokens are drafted."""


def measured(value: float | Fraction) -> float:
    """Three significant digits."""
    return significant(float(value), 3)


def whole_ms(value: float) -> float:
    """A time in milliseconds: three significant digits, or all before the point."""
    return float(round(value)) if value >= 100 else measured(value)


def to_spread(times: Sequence[float]) -> tuple[float, ...]:
    """Median and quartiles in milliseconds, to tens where the quartiles are a hundred apart, to hundreds where a thousand."""
    unit = 10 ** (len(str(int(times[2] - times[1]))) - 2)
    return tuple(float(unit * round(time / unit)) for time in times) if unit > 1 else tuple(times)


class Ratio(NamedTuple):
    """One time over another, of the medians, and from quartile to quartile."""

    middle: float
    low: float
    high: float


def ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """The ratio of two medians with quartiles; at its least the upper time is short and the lower one long."""
    return Ratio(measured(above[0] / below[0]), measured(above[1] / below[2]), measured(above[2] / below[1]))


def gain_at(rate: float, n_drafted: int, cost_ratio: float) -> float:
    """Expected gain at a measured rate and cost ratio; a draft that is never rejected gives one token more than drafted."""
    alpha = Fraction(str(rate))
    tokens = expected_tokens(alpha, n_drafted) if alpha < 1 else Fraction(n_drafted + 1)
    return measured(tokens / (n_drafted * Fraction(str(cost_ratio)) + 1))


def acceptance_rate(pairs: Sequence[tuple[Series, Series]]) -> float:
    """Accepted tokens over those that the target looked at, from drafted and accepted tokens of each call.

    A call looks at no token behind the first that it rejects.
    """
    rounds = [one for drafted, accepted in pairs for one in zip(drafted.samples, accepted.samples, strict=True)]
    kept = int(sum(accepted for _, accepted in rounds))
    rejected = sum(accepted < drafted for drafted, accepted in rounds)
    return measured(Fraction(kept, kept + rejected))


class Runs:
    """A recording read by launch, prompt and draft length (None for standard decoding)."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.prompts: list[str] = recording.parameters["prompts"]
        self.draft_lens: list[int] = recording.parameters["draft_lens"]
        self.launches = [by for by in LAUNCHES if any(recording.find("seconds", by=by, mode="speculative"))]

    def ms(self, by: str, prompt: str, draft_len: int | None) -> tuple[float, ...]:
        """Median and quartiles of one setting in milliseconds."""
        at: At = {"mode": "standard"} if draft_len is None else {"mode": "speculative", "draft_len": draft_len}
        return tuple(map(whole_ms, in_ms(self.recording.one("seconds", by=by, prompt=prompt, **at))))

    def both_ways(self, prompt: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Standard and speculative decoding as the sheet's program runs them, with the digits that their spread allows."""
        return to_spread(self.ms(EAGER, prompt, None)), to_spread(self.ms(EAGER, prompt, LIBRARY_RULE))

    def together(self, by: str, draft_len: int | None) -> list[float]:
        """Median and quartiles of one way, the times of all prompts together."""
        return [sum(times) for times in zip(*(self.ms(by, prompt, draft_len) for prompt in self.prompts), strict=True)]

    def gain(self, by: str, draft_len: int) -> Ratio:
        """Standard over speculative decoding, the times of all prompts together."""
        return ratio(self.together(by, None), self.together(by, draft_len))

    def rate(self, by: str, draft_len: int) -> float:
        """The acceptance rate of all prompts."""
        at: list[At] = [{"by": by, "prompt": one, "draft_len": draft_len} for one in self.prompts]
        return acceptance_rate([(self.recording.one("drafted", **one), self.recording.one("accepted", **one)) for one in at])

    def cost_ratio(self, by: str, draft_len: int) -> float:
        """A drafted token over a token of the target; from whole runs, prefill included, where a launch has no timed steps."""
        if any(self.recording.find("step_seconds", by=by)):
            propose, single = (self.recording.one("step_seconds", by=by, draft_len=draft_len, step=step).median
                               for step in ("propose", "single token"))  # fmt: skip
            return measured(propose / draft_len / single)
        return measured(self.eager_cost())

    def eager_cost(self) -> float:
        """The draft's whole runs alone over the target's, all prompts together, as the library launches them."""
        alone, standard = (
            sum(self.recording.one("seconds", by=EAGER, mode=mode, prompt=prompt).median for prompt in self.prompts)
            for mode in ("draft alone", "standard")
        )
        return alone / standard
