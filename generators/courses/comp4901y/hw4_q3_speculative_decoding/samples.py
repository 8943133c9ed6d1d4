"""Reads a recording of speculative decoding from its raw samples, with numpy and decimals."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from generators.recording import Recording

LAUNCHES = {
    "eager": ("transformers", "eager"),
    "fixed_cache": ("fixed cache", "eager, fixed cache"),
    "graph": ("fixed cache, graph", "graph, fixed cache"),
    "compiled": ("transformers, compiled", "compiled"),
}
"""Every launch by its key: as the recording and as a page calls it."""
MS = 1000


def four_digits(number: float | Fraction) -> float:
    """The nearest decimal number of four digits."""
    if isinstance(number, Fraction):
        return float(Context(prec=4).plus(Context(prec=60).divide(Decimal(number.numerator), Decimal(number.denominator))))
    return float(Context(prec=4).create_decimal(repr(float(number))))


def shown(number: float) -> Fraction:
    """The decimal number that a page shows."""
    return Fraction(Decimal(repr(float(number))))


def ratio(above: float, below: float) -> float:
    """What a reader finds who divides two numbers of the page."""
    return four_digits(shown(above) / shown(below))


def series(rate: float | Fraction, n_drafted: int) -> Fraction:
    """1 + α + α² ...: a call's tokens, as the k-th draft counts only where all before it were kept."""
    return sum((Fraction(str(rate)) ** power for power in range(n_drafted + 1)), Fraction(0))


def tokens_a_call(accepted: Any) -> float:
    """The mean over calls of their accepted tokens and one more."""
    return four_digits(Fraction(int((accepted + 1).sum()), len(accepted)))


class Samples:
    """Raw samples found by scanning a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.prompts: list[str] = recording.parameters["prompts"]
        self.lengths: list[int] = recording.parameters["draft_lens"]
        first = self.prompts[0]
        self.launches = [key for key in LAUNCHES if self.of("seconds", key, prompt=first, mode="speculative") is not None]

    @cache  # noqa: B019 - lives as long as one search
    def of(self, quantity: str, launch: str, **at: Any) -> Any:
        """All samples of the first series at this setting, or nothing."""
        wanted = {"by": LAUNCHES[launch][0], **at}
        for one in self.recording.series:
            if one.quantity == quantity and all(one.at.get(name) == value for name, value in wanted.items()):
                return np.array(one.samples)
        return None

    def seconds(self, launch: str, prompt: str, length: int | None) -> Any:
        """Seconds of standard (None) or speculative decoding."""
        if length is None:
            return self.of("seconds", launch, prompt=prompt, mode="standard")
        return self.of("seconds", launch, prompt=prompt, mode="speculative", draft_len=length)

    def ms(self, launch: str, prompt: str, length: int | None) -> float | None:
        """Median in milliseconds."""
        found = self.seconds(launch, prompt, length)
        return None if found is None else four_digits(np.median(found) * MS)

    def spread(self, launch: str, prompt: str) -> float:
        """The largest distance between quartiles over the median, in percent."""
        found = [self.seconds(launch, prompt, one) for one in (None, 0, *self.lengths)]
        quartiles = [np.percentile(one, (25, 50, 75)) for one in found if one is not None]
        return max(four_digits((high - low) / middle * 100) for low, middle, high in quartiles)

    def total_ms(self, launch: str, length: int | None) -> Fraction:
        """The sum over all prompts."""
        return sum((shown(self.ms(launch, prompt, length) or 0.0) for prompt in self.prompts), Fraction(0))

    def gain(self, launch: str, length: int) -> float:
        """Standard over speculative decoding, all prompts together."""
        return four_digits(self.total_ms(launch, None) / self.total_ms(launch, length))

    def rounds(self, launch: str, prompts: list[str], length: int) -> tuple[Any, Any]:
        """Drafted and accepted tokens of all calls."""
        ats = [{"prompt": prompt, "draft_len": length} for prompt in prompts]
        drafted, accepted = ([self.of(name, launch, **at) for at in ats] for name in ("drafted", "accepted"))
        return np.concatenate(drafted), np.concatenate(accepted)

    def rate(self, launch: str, length: int) -> float:
        """Accepted tokens over those that the target looked at, one behind the accepted ones where it rejects."""
        drafted, accepted = self.rounds(launch, self.prompts, length)
        return four_digits(Fraction(int(accepted.sum()), int(np.minimum(accepted + 1, drafted).sum())))

    def costs(self, launch: str, length: int) -> tuple[float, float, float | None]:
        """Milliseconds of a drafted token, of a single one and of the check; without timed steps from whole runs."""
        found = (self.of("step_seconds", launch, step=one, draft_len=length) for one in ("propose", "single token", "check"))
        propose, single, check = found
        if propose is not None:
            medians = np.median(propose) / length, np.median(single), np.median(check)
            first, second, third = (four_digits(MS * one) for one in medians)
            return first, second, third
        tokens = len(self.prompts) * self.recording.parameters["max_new_tokens"]
        alone, standard = (
            sum(np.median(self.of("seconds", launch, prompt=prompt, mode=mode)) for prompt in self.prompts)
            for mode in ("draft alone", "standard")
        )
        return four_digits(MS * alone / tokens), four_digits(MS * standard / tokens), None

    def step_gain(self, launch: str, length: int) -> float | None:
        """The gain by the times of the steps."""
        draft, single, check = self.costs(launch, length)
        if check is None:
            return None
        accepted = self.rounds(launch, self.prompts, length)[1]
        return four_digits(shown(tokens_a_call(accepted)) * shown(single) / (length * shown(draft) + shown(check)))

    def card(self, role: str) -> dict[str, Any]:
        """What is known of the target or the assistant."""
        return self.recording.models[self.recording.parameters[role]]
