"""What a recording of standard and speculative decoding says: times, accepted drafts, cost ratios and gains.

Every measured number is rounded to four significant digits, and what is derived is computed from rounded numbers, so
that a reader can repeat it from the page.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from generators.recording import At, Recording, Series
from generators.topics.speculative_decoding import expected_tokens

EAGER, FIXED, GRAPH, COMPILED = "transformers", "fixed cache", "fixed cache, graph", "transformers, compiled"
LAUNCHES = {
    EAGER: ("eager", "eager"),
    FIXED: ("fixed_cache", "eager, fixed cache"),
    GRAPH: ("graph", "graph, fixed cache"),
    COMPILED: ("compiled", "compiled"),
}
"""Every recorded launch: its key, and what a page calls it."""
LIBRARY_RULE = 0
"""The recorded draft length where the library decides how many tokens are drafted."""


def measured(value: float | Fraction) -> float:
    """Four significant digits; what lies halfway between two such numbers goes to the even one."""
    number = Fraction(str(value))
    return float(round(number, 3 - math.floor(math.log10(abs(number))))) if number else 0.0


def exactly(value: float) -> Fraction:
    """The decimal number that a rounded measurement shows."""
    return Fraction(str(value))


def _tokens(rate: float, n_drafted: int) -> Fraction:
    """A draft that is never rejected gives all drafted tokens and one more."""
    alpha = exactly(rate)
    return expected_tokens(alpha, n_drafted) if alpha < 1 else Fraction(n_drafted + 1)


def tokens_at(rate: float, n_drafted: int) -> float:
    """Tokens expected of a target call at a measured rate."""
    return measured(_tokens(rate, n_drafted))


def gain_at(rate: float, n_drafted: int, cost_ratio: float) -> float:
    """Expected gain at a measured rate and cost ratio."""
    return measured(_tokens(rate, n_drafted) / (n_drafted * exactly(cost_ratio) + 1))


class Tally(NamedTuple):
    """Calls of the target, tokens drafted for them, those it accepted and rejected, and what follows from these.

    `rate` is accepted tokens over those looked at: a call looks at none behind the first it rejects. `tokens_per_call`
    counts accepted tokens and the target's own one.
    """

    calls: int
    drafted: int
    accepted: int
    rejected: int
    rate: float
    tokens_per_call: float


def tally(pairs: list[tuple[Series, Series]]) -> Tally:
    """Count pairs of recorded drafted and accepted tokens; of a call that rejects, one token is rejected."""
    rounds = [one for drafted, accepted in pairs for one in zip(drafted.samples, accepted.samples, strict=True)]
    kept = int(sum(accepted for _, accepted in rounds))
    rejected = sum(accepted < drafted for drafted, accepted in rounds)
    rate, tokens_per_call = measured(Fraction(kept, kept + rejected)), measured(Fraction(kept, len(rounds)) + 1)
    return Tally(len(rounds), int(sum(drafted for drafted, _ in rounds)), kept, rejected, rate, tokens_per_call)


class Gain(NamedTuple):
    """Times of the steps in milliseconds, and the gain by the formula, by these times, and of all prompts as measured."""

    drafted_token: float
    single_token: float
    check: float | None
    cost_ratio: float
    formula: float
    step_times: float | None
    measured: float


class Runs:
    """A recording read by launch, prompt and draft length (None for standard decoding)."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.prompts: list[str] = recording.parameters["prompts"]
        self.draft_lens: list[int] = recording.parameters["draft_lens"]
        self.launches = [by for by in LAUNCHES if any(recording.find("seconds", by=by, mode="speculative"))]

    def seconds(self, by: str, prompt: str, draft_len: int | None) -> Series | None:
        """Samples of one setting, or nothing where it was not run."""
        at = {"mode": "standard"} if draft_len is None else {"mode": "speculative", "draft_len": draft_len}
        return next(self.recording.find("seconds", by=by, prompt=prompt, **at), None)

    def median_ms(self, by: str, prompt: str, draft_len: int | None) -> float | None:
        """Median of one setting, or nothing where it was not run."""
        found = self.seconds(by, prompt, draft_len)
        return None if found is None else measured(1000 * found.median)

    def total_ms(self, by: str, draft_len: int | None) -> Fraction:
        """The sum over prompts of the medians."""
        medians = [self.median_ms(by, prompt, draft_len) for prompt in self.prompts]
        return sum((exactly(one) for one in medians if one is not None), Fraction(0))

    def launch_gain(self) -> float:
        """Standard decoding by the first launch over standard decoding by the last, all prompts together."""
        return measured(self.total_ms(self.launches[0], None) / self.total_ms(self.launches[-1], None))

    def tally(self, by: str, draft_len: int, prompt: str | None = None) -> Tally:
        """What was drafted and accepted for one prompt or for all."""
        at: list[At] = [{"by": by, "prompt": one, "draft_len": draft_len} for one in ([prompt] if prompt else self.prompts)]
        return tally([(self.recording.one("drafted", **one), self.recording.one("accepted", **one)) for one in at])

    def gain(self, by: str, draft_len: int) -> Gain:
        """What a launch costs and gains, the check of all drafted tokens at its own price where that was timed."""
        draft, single, check = self._step_ms(by, draft_len)
        counted, cost_ratio = self.tally(by, draft_len), measured(exactly(draft) / exactly(single))
        by_steps = None
        if check is not None:
            call = draft_len * exactly(draft) + exactly(check)
            by_steps = measured(exactly(counted.tokens_per_call) * exactly(single) / call)
        found = measured(self.total_ms(by, None) / self.total_ms(by, draft_len))
        return Gain(draft, single, check, cost_ratio, gain_at(counted.rate, draft_len, cost_ratio), by_steps, found)

    def _step_ms(self, by: str, draft_len: int) -> tuple[float, float, float | None]:
        """A drafted token, a single one, and a check; from whole runs, prefill included, where a launch has no timed steps."""
        if any(self.recording.find("step_seconds", by=by)):
            propose, check, single = (
                self.recording.one("step_seconds", by=by, draft_len=draft_len, step=step).median * 1000
                for step in ("propose", "check", "single token")
            )
            return measured(propose / draft_len), measured(single), measured(check)
        alone, standard = (
            sum(self.recording.one("seconds", by=by, mode=mode, prompt=prompt).median for prompt in self.prompts)
            for mode in ("draft alone", "standard")
        )
        tokens = len(self.prompts) * self.recording.parameters["max_new_tokens"]
        return measured(1000 * alone / tokens), measured(1000 * standard / tokens), None
