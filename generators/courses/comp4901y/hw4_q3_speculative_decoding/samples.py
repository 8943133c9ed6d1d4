"""Reads a recording of speculative decoding from its raw samples, with numpy and decimals."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
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

    def seconds(self, launch: str, prompt: str, length: int | None) -> Any:
        """Seconds of all runs, or nothing."""
        mode = {"mode": "standard"} if length is None else {"mode": "speculative", "draft_len": length}
        return self.of("seconds", launch, prompt=prompt, **mode)

    def ms(self, launch: str, length: int | None) -> Any:
        """Medians of all prompts in milliseconds, or None."""
        found = [self.seconds(launch, prompt, length) for prompt in self.prompts]
        return [None if one is None else four_digits(np.median(one) * MS) for one in found]

    def speedup(self, launch: str, length: int | None, base: str = "") -> float:
        """Standard decoding by `base` or the same launch over this, all prompts together."""
        above, below = self.ms(base or launch, None), self.ms(launch, length)
        return four_digits(sum(map(shown, above), Fraction(0)) / sum(map(shown, below), Fraction(0)))

    def rounds(self, launch: str, length: int, prompts: list[str]) -> tuple[Any, Any]:
        """Drafted and accepted tokens of all calls."""
        ats = [{"prompt": prompt, "draft_len": length} for prompt in prompts]
        drafted, accepted = ([self.of(name, launch, **at) for at in ats] for name in ("drafted", "accepted"))
        return np.concatenate(drafted), np.concatenate(accepted)

    def rate(self, launch: str, length: int, prompts: list[str]) -> float:
        """Accepted tokens over those that the target looked at, one behind the accepted ones where it rejects."""
        drafted, accepted = self.rounds(launch, length, prompts)
        return four_digits(Fraction(int(accepted.sum()), int(np.minimum(accepted + 1, drafted).sum())))

    def steps(self, launch: str, length: int) -> tuple[float, float, float | None]:
        """Milliseconds of all drafts of a call, of a single token and of the check; without timed steps from whole runs."""
        found = [self.of("step_seconds", launch, step=one, draft_len=length) for one in ("propose", "single token", "check")]
        if found[0] is not None:
            propose, single, check = (MS * float(np.median(one)) for one in found)
            return propose, single, check
        tokens = len(self.prompts) * self.recording.parameters["max_new_tokens"]
        alone, standard = (
            sum(np.median(self.of("seconds", launch, prompt=prompt, mode=mode)) for prompt in self.prompts)
            for mode in ("draft alone", "standard")
        )
        return MS * length * alone / tokens, MS * standard / tokens, None

    def card(self, role: str) -> dict[str, Any]:
        """What is known of the target or the assistant."""
        return self.recording.models[self.recording.parameters[role]]
