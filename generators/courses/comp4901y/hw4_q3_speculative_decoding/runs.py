"""What a recording of standard and speculative decoding says: times, accepted drafts, cost ratios and gains.

Every measured number is rounded to four significant digits, and what is derived is computed from rounded numbers, so
that a reader can repeat it from the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from generators.recording import At, Recording, Series
from generators.topics.speculative_decoding import expected_tokens, walltime_gain

LAUNCHES = {"transformers": "eager", "fixed cache": "eager, fixed cache", "fixed cache, graph": "graph, fixed cache"}
"""Ways in which both modes of decoding are launched, and what a page calls them."""
KEYS = {
    "transformers": "eager",
    "fixed cache": "fixed_cache",
    "fixed cache, graph": "graph",
    "transformers, compiled": "compiled",
}
"""Every recorded launch with its key."""
COMPILED = "transformers, compiled"
LIBRARY_RULE = 0
"""The recorded draft length where the library decides how many tokens are drafted."""


def measured(value: float | Fraction) -> float:
    """Four significant digits; what lies halfway between two such numbers goes to the even one."""
    number = Fraction(str(value))
    return float(round(number, 3 - math.floor(math.log10(abs(number))))) if number else 0.0


def exactly(value: float) -> Fraction:
    """The decimal number that a rounded measurement shows."""
    return Fraction(str(value))


def tokens_at(rate: float, n_drafted: int) -> float:
    """Tokens expected of a target call at a measured rate; a draft that is never rejected gives all and one more."""
    alpha = exactly(rate)
    return measured(expected_tokens(alpha, n_drafted)) if alpha < 1 else float(n_drafted + 1)


def gain_at(rate: float, n_drafted: int, cost_ratio: float) -> float:
    """Expected gain at a measured rate and cost ratio."""
    alpha, cost = exactly(rate), exactly(cost_ratio)
    gain = walltime_gain(alpha, n_drafted, cost) if alpha < 1 else (n_drafted + 1) / (n_drafted * cost + 1)
    return measured(gain)


@dataclass(frozen=True)
class Tally:
    """Calls of the target, tokens drafted for them, and those it accepted."""

    calls: int
    drafted: int
    accepted: int
    rejected: int

    @property
    def rate(self) -> float:
        """Accepted tokens over those looked at: a call looks at none behind the first it rejects."""
        return measured(Fraction(self.accepted, self.accepted + self.rejected))

    @property
    def tokens_per_call(self) -> float:
        """Accepted tokens and the target's own one, a call on average."""
        return measured(Fraction(self.accepted, self.calls) + 1)


def tally(pairs: list[tuple[Series, Series]]) -> Tally:
    """Count pairs of recorded drafted and accepted tokens; of a call that rejects, one token is rejected."""
    rounds = [one for drafted, accepted in pairs for one in zip(drafted.samples, accepted.samples, strict=True)]
    return Tally(
        calls=len(rounds),
        drafted=int(sum(drafted for drafted, _ in rounds)),
        accepted=int(sum(accepted for _, accepted in rounds)),
        rejected=sum(accepted < drafted for drafted, accepted in rounds),
    )


@dataclass(frozen=True)
class Costs:
    """Milliseconds of a drafted token, of the target's single token, and of its check of all drafts where measured."""

    draft_ms: float
    single_ms: float
    check_ms: float | None

    @property
    def ratio(self) -> float:
        """The cost ratio c."""
        return measured(exactly(self.draft_ms) / exactly(self.single_ms))

    def gain(self, tokens_per_call: float, n_drafted: int) -> float | None:
        """The gain that the times of the steps give for the measured tokens a call, with the check at its own price."""
        if self.check_ms is None:
            return None
        call = n_drafted * exactly(self.draft_ms) + exactly(self.check_ms)
        return measured(exactly(tokens_per_call) * exactly(self.single_ms) / call)


@dataclass(frozen=True)
class Runs:
    """A recording read by launch, prompt and draft length; times in milliseconds."""

    recording: Recording

    @property
    def prompts(self) -> list[str]:
        """The prompts in the order in which they were run."""
        return list(self.recording.parameters["prompts"])

    @property
    def draft_lens(self) -> list[int]:
        """The constant draft lengths."""
        return list(self.recording.parameters["draft_lens"])

    @property
    def launches(self) -> list[str]:
        """The launches by which speculative decoding was recorded."""
        return [by for by in LAUNCHES if any(self.recording.find("seconds", by=by, mode="speculative"))]

    def _seconds(self, by: str, prompt: str, draft_len: int | None) -> Series | None:
        at = {"mode": "standard"} if draft_len is None else {"mode": "speculative", "draft_len": draft_len}
        return next(self.recording.find("seconds", by=by, prompt=prompt, **at), None)

    def median_ms(self, by: str, prompt: str, draft_len: int | None) -> float | None:
        """Median of one run of standard (None) or speculative decoding, or nothing where it was not run."""
        found = self._seconds(by, prompt, draft_len)
        return None if found is None else measured(1000 * found.median)

    def widest_spread(self, by: str, prompt: str) -> float:
        """The largest distance between quartiles over the median, in percent, of a launch's settings for one prompt."""
        found = [self._seconds(by, prompt, draft_len) for draft_len in (None, LIBRARY_RULE, *self.draft_lens)]
        return max(measured(100 * (one.spread[1] - one.spread[0]) / one.median) for one in found if one)

    def total_ms(self, by: str, draft_len: int | None) -> Fraction:
        """The sum over prompts of the medians."""
        medians = [self.median_ms(by, prompt, draft_len) for prompt in self.prompts]
        return sum((exactly(one) for one in medians if one is not None), Fraction(0))

    def gain(self, by: str, draft_len: int) -> float:
        """Standard over speculative decoding, all prompts together."""
        return measured(self.total_ms(by, None) / self.total_ms(by, draft_len))

    def standard_range_ms(self, by: str) -> tuple[float, float]:
        """The fastest and the slowest prompt's median of standard decoding, which does the same work for each."""
        medians = [one for prompt in self.prompts if (one := self.median_ms(by, prompt, None)) is not None]
        return min(medians), max(medians)

    def launch_gain(self) -> float:
        """Standard decoding by the first launch over standard decoding by the last, all prompts together."""
        return measured(self.total_ms(self.launches[0], None) / self.total_ms(self.launches[-1], None))

    def tally(self, by: str, draft_len: int, prompt: str | None = None) -> Tally:
        """What was drafted and accepted for one prompt or for all."""
        prompts = [prompt] if prompt else self.prompts
        ats: list[At] = [{"by": by, "prompt": one, "draft_len": draft_len} for one in prompts]
        return tally([(self.recording.one("drafted", **at), self.recording.one("accepted", **at)) for at in ats])

    def costs(self, by: str, draft_len: int) -> Costs:
        """From the timed steps; where a launch has none, from each model's own whole runs, prompts' prefill included."""
        if any(self.recording.find("step_seconds", by=by)):
            propose, check, single = (
                self.recording.one("step_seconds", by=by, draft_len=draft_len, step=step).median * 1000
                for step in ("propose", "check", "single token")
            )
            return Costs(measured(propose / draft_len), measured(single), measured(check))
        alone, standard = (
            sum(self.recording.one("seconds", by=by, mode=mode, prompt=prompt).median for prompt in self.prompts)
            for mode in ("draft alone", "standard")
        )
        tokens = len(self.prompts) * self.recording.parameters["max_new_tokens"]
        return Costs(measured(1000 * alone / tokens), measured(1000 * standard / tokens), None)

    def agreement(self) -> tuple[int, int]:
        """Settings whose tokens are all those of standard decoding, and settings compared."""
        found = list(self.recording.find("agreeing_tokens"))
        return sum(one.samples[0] == one.at["of"] for one in found), len(found)
