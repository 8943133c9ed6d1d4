"""Raw samples of a recording of ways to decode, and medians and shares of them by numpy; for `find` alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import numpy as np

from generators.recording import Recording

LAUNCHES = {
    "library": ("transformers", "the library, eager"),
    "compiled": ("transformers, compiled", "the library, compiled"),
    "fixed": ("fixed cache", "ours, eager"),
    "graph": ("fixed cache, graph", "ours, as a graph"),
    "fused": ("fixed cache, fused", "ours, fused"),
}
"""Every launch by its key: as the recording and as a page calls it."""
RULE = {"mode": "speculative", "draft_len": 0}
"""The sheet's program."""


def shown(number: Any) -> float:
    """The nearest decimal number of three digits."""
    return float(Context(prec=3).plus(Decimal(float(number))))


@lru_cache
def _ranks(n: int) -> tuple[int, int]:
    """Places, from 0, of the samples that bound the middle 95 % of all resamples' medians, by the incomplete beta function."""
    import mpmath

    half = (n + 1) // 2
    shares = [mpmath.betainc(half, n - half + 1, 0, mpmath.mpf(k) / n, regularized=True) for k in range(1, n + 1)]
    return int(np.searchsorted(shares, 0.025)), int(np.searchsorted(shares, 0.975))


def interval(samples: Any) -> tuple[float, float, float]:
    """Median, and the samples that bound its interval."""
    low, high = np.sort(samples)[list(_ranks(len(samples)))]
    return shown(np.median(samples)), shown(low), shown(high)


class Samples:
    """Raw samples by launch, mode, prompt and draft length; 0 leaves the length to the library."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.prompts: list[str] = recording.parameters["prompts"]
        self.launches = [key for key in LAUNCHES if self.of("seconds", key, mode="standard")]

    def of(self, quantity: str, launch: str, **at: Any) -> list[Any]:
        """The samples of all series at this setting."""
        return [np.array(one.samples) for one in self.recording.find(quantity, by=LAUNCHES[launch][0], **at)]

    def ms(self, launch: str, at: dict[str, Any], prompts: Sequence[str]) -> Any:
        """Milliseconds of each round, of all prompts together."""
        return 1000 * np.sum([one for prompt in prompts for one in self.of("seconds", launch, prompt=prompt, **at)], axis=0)

    def gain(self, launch: str, at: dict[str, Any], prompts: Sequence[str]) -> tuple[float, float, float]:
        """Standard decoding's time over that of a setting in the same round."""
        return interval(self.ms(launch, {"mode": "standard"}, prompts) / self.ms(launch, at, prompts))

    def guesses(self, launch: str) -> dict[str, dict[str, Any]]:
        """Every setting of a launch that guesses tokens, by the key of its row."""
        made = self.recording.parameters
        every = {"rule": RULE} | {f"draft_{one}": {"mode": "speculative", "draft_len": one} for one in made["draft_lens"]}
        every |= {f"lookup_{one}": {"mode": "prompt lookup", "draft_len": one} for one in made["lookup_lens"]}
        return {key: at for key, at in every.items() if self.of("seconds", launch, **at)}

    def accepted(self, launch: str, at: dict[str, Any], prompts: Sequence[str]) -> tuple[Any, float]:
        """Accepted tokens of all calls, and their share of those that the target looked at."""
        drafted, accepted = (
            np.concatenate([one for prompt in prompts for one in self.of(name, launch, prompt=prompt, **at)])
            for name in ("drafted", "accepted")
        )
        looked_at = np.minimum(accepted + 1, drafted).sum()
        return accepted, float(accepted.sum() / looked_at) if looked_at else 0.0

    def cost(self, launch: str, at: dict[str, Any]) -> float:
        """A guessed token's time over the target's: of timed steps, of whole runs in the library, and 0 of one looked up."""
        if at["mode"] == "prompt lookup":
            return 0.0
        if launch == "library":
            alone, standard = (np.median(self.ms(launch, {"mode": one}, self.prompts)) for one in ("draft alone", "standard"))
            return float(alone / standard)
        length: int = at["draft_len"]
        return shown(self.step(launch, "propose", length)) / (length * shown(self.step(launch, "single token")))

    def step(self, launch: str, name: str, draft_len: int = 0) -> float:
        """Median milliseconds of a step."""
        (samples,) = self.of("step_seconds", launch, step=name, **({"draft_len": draft_len} if draft_len else {}))
        return float(1000 * np.median(samples))

    def new_tokens(self, prompt: str) -> int:
        """Tokens of the answer, all of which standard decoding shares with itself."""
        (samples,) = self.of("agreeing_tokens", "library", mode="standard", prompt=prompt)
        return int(samples[0])
