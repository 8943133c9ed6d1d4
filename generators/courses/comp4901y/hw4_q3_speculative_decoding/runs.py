"""What a recording of interleaved decoding says: times with their intervals, gains, accepted drafts and costs.

All ways run once in each round, so times are compared within a round. A measured number is rounded to three significant
digits, and what is derived is computed from rounded numbers, so that a reader can repeat it from the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import comb
from statistics import median
from typing import NamedTuple

from generators.cells import significant
from generators.recording import At, Recording, Series
from generators.topics.measured import PER_SECOND_MS
from generators.topics.speculative_decoding import expected_tokens


class Launch(NamedTuple):
    """A way to launch: its name in recordings, and what a page calls it."""

    by: str
    title: str


LIBRARY = "transformers"
LAUNCHES = {
    "library": Launch(LIBRARY, "the library, eager"),
    "compiled": Launch("transformers, compiled", "the library, compiled"),
    "fixed": Launch("fixed cache", "ours, eager"),
    "graph": Launch("fixed cache, graph", "ours, as a graph"),
    "fused": Launch("fixed cache, fused", "ours, fused"),
}
RULE = 0
"""The recorded draft length where the library decides how many tokens are drafted."""
TAIL = Fraction(1, 40)
"""What a 95 % interval leaves out on each side."""


def measured(value: float | Fraction) -> float:
    """Three significant digits."""
    return significant(float(value), 3)


class Interval(NamedTuple):
    """A median and the ends of its 95 % interval."""

    middle: float
    low: float
    high: float


def interval(samples: Sequence[float]) -> Interval:
    """The median of an odd number of samples, and its bootstrap interval over all resamples, not only some drawn ones.

    Of n samples in order, the median of a resample is at most the k-th where more than half of n draws are: a binomial
    probability. Source: Efron 1979, section 3.
    """
    ordered, n = sorted(samples), len(samples)
    below = [_more_than_half(Fraction(k, n), n) for k in range(1, n + 1)]
    low, high = (next(k for k, share in enumerate(below) if share >= bound) for bound in (TAIL, 1 - TAIL))
    return Interval(*map(measured, (median(ordered), ordered[low], ordered[high])))


def _more_than_half(share: Fraction, n: int) -> Fraction:
    """The probability that more than half of n draws have what a share has."""
    terms = (comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n // 2 + 1, n + 1))
    return sum(terms, Fraction(0))


class Way(NamedTuple):
    """A recorded way to decode."""

    by: str
    mode: str
    draft_len: int | None = None

    @property
    def at(self) -> At:
        """As the recording names it."""
        at: At = {"by": self.by, "mode": self.mode}
        return at if self.draft_len is None else {**at, "draft_len": self.draft_len}


class Runs:
    """A recording read by way and prompt."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.prompts: list[str] = recording.parameters["prompts"]
        self.draft_lens: list[int] = recording.parameters["draft_lens"]
        timed = {one.at["by"] for one in recording.find("seconds", mode="standard")}
        self.launches = {key: one for key, one in LAUNCHES.items() if one.by in timed}

    def drafting(self, by: str) -> list[Way]:
        """The ways of a launch that guess tokens: the library's own rule, each draft length, and prompt lookup."""
        lookups = [Way(by, "prompt lookup", one) for one in self.recording.parameters["lookup_lens"]]
        every = [Way(by, "speculative", one) for one in (RULE, *self.draft_lens)] + lookups
        return [way for way in every if any(self.recording.find("seconds", **way.at))]

    def ms(self, way: Way, prompts: Sequence[str] = ()) -> list[float]:
        """Milliseconds of each round, of these prompts together or of all."""
        ones = [self.recording.one("seconds", **way.at, prompt=prompt) for prompt in prompts or self.prompts]
        return [PER_SECOND_MS * sum(times) for times in zip(*(one.samples for one in ones), strict=True)]

    def gain(self, way: Way, prompts: Sequence[str] = (), over: Way | None = None) -> Interval:
        """The time of another way, else of standard decoding by the same launch, over this way's, round by round."""
        standard = self.ms(over or Way(way.by, "standard"), prompts)
        return interval([one / other for one, other in zip(standard, self.ms(way, prompts), strict=True)])

    def new_tokens(self, prompt: str) -> int:
        """Tokens of the answer."""
        return int(self.recording.one("agreeing_tokens", by=LIBRARY, mode="standard", prompt=prompt).at["of"])

    def calls(self, way: Way, prompts: Sequence[str] = ()) -> tuple[Series, ...]:
        """Drafted and accepted tokens of each call, of these prompts or of all, one after the other."""
        found = []
        for quantity in ("drafted", "accepted"):
            ones = [self.recording.one(quantity, **way.at, prompt=prompt) for prompt in prompts or self.prompts]
            samples = tuple(sample for one in ones for sample in one.samples)
            found.append(Series(quantity=quantity, unit="token", at=way.at, samples=samples))
        return tuple(found)

    def halves(self, way: Way, prompt: str) -> tuple[float, float]:
        """The acceptance rates of the first half of a prompt's calls and of the others."""
        both = self.calls(way, [prompt])
        middle = len(both[0].samples) // 2
        first = acceptance_rate(*(replace(one, samples=one.samples[:middle]) for one in both))
        return first, acceptance_rate(*(replace(one, samples=one.samples[middle:]) for one in both))

    def cost_ratio(self, way: Way) -> float:
        """A guessed token's time over the target's: of timed steps, else of whole runs; a guess looked up costs nothing."""
        if way.mode == "prompt lookup":
            return 0.0
        if way.by == LIBRARY:
            alone, standard = (median(self.ms(Way(LIBRARY, mode))) for mode in ("draft alone", "standard"))
            return measured(alone / standard)
        propose, single = (self.step(way.by, step, way.draft_len) for step in ("propose", "single token"))
        return measured(propose / (way.draft_len or 1) / single)

    def step(self, by: str, step: str, draft_len: int | None) -> float:
        """Median milliseconds of a step."""
        at: At = {"by": by, "step": step}
        at |= {} if step == "single token" else {"draft_len": draft_len or 0}
        return measured(PER_SECOND_MS * self.recording.one("step_seconds", **at).median)

    def read_ms(self) -> tuple[int, float]:
        """Bytes of the target's weights, and the median milliseconds in which the device reads as many."""
        one = self.recording.one("read_seconds")
        return int(one.at["bytes"]), measured(PER_SECOND_MS * one.median)

    def state(self, quantity: str) -> list[float]:
        """What a machine's state was before and after; nothing where it was not recorded."""
        return [one.median for when in ("before", "after") for one in self.recording.find(quantity, when=when)]


def acceptance_rate(drafted: Series, accepted: Series) -> float:
    """Accepted tokens over those that the target looked at: a call looks at no token behind the first that it rejects."""
    kept = int(sum(accepted.samples))
    rejected = sum(one < other for one, other in zip(accepted.samples, drafted.samples, strict=True))
    return measured(Fraction(kept, kept + rejected)) if kept + rejected else 0.0


def tokens_per_call(accepted: Series) -> float:
    """Accepted tokens and the target's own, mean over its calls."""
    return measured(Fraction(int(sum(accepted.samples)), len(accepted.samples)) + 1)


def gain_at(rate: float, n_drafted: int, cost_ratio: float) -> float:
    """Expected gain at a measured rate and cost ratio; a draft that is never rejected gives one token more than drafted."""
    alpha = Fraction(str(rate))
    tokens = expected_tokens(alpha, n_drafted) if alpha < 1 else Fraction(n_drafted + 1)
    return measured(tokens / (n_drafted * Fraction(str(cost_ratio)) + 1))
