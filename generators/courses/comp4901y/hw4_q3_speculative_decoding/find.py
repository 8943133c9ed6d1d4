"""Finds every number of the timed speculative decoding again from the raw samples, and decodes with small models.

From the sheet: the two times of its program, standard and with the assistant model, for its prompt. The program leaves the
number of drafted tokens to the library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.found import Found, Proof, Route
from generators.oracles.commands import command
from generators.oracles.recorded import said_of_machine
from generators.recording import Recording, Series

SHEET = Route("the sheet, the entry and the recording, read again", restates=True)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
SERIES = Route("sum of powers of α", tolerance=1e-12)
RUN = Route("generate, small models in float32, whole passes without a cache")
CASES = ((Fraction(1, 3), 3, Fraction(1, 5)), (Fraction(1, 2), 2, Fraction(1, 4)), (Fraction(4, 7), 5, Fraction(2, 9)))
DEVICES = (("cpu", "processor"), ("cuda", "GPU"))
LAUNCHES = {
    "library": ("transformers", "the library, eager"),
    "compiled": ("transformers, compiled", "the library, compiled"),
    "fixed": ("fixed cache", "ours, eager"),
    "graph": ("fixed cache, graph", "ours, as a graph"),
    "fused": ("fixed cache, fused", "ours, fused"),
}
"""Every launch by its key: as the recording and as a page calls it."""
STATE = {"load": "Load average (1 min)", "clock": "Clock (MHz)", "power_limit": "Power limit (W)"}
ENDS = {"low": "Interval from", "high": "Interval to"}
RULE = {"mode": "speculative", "draft_len": 0}
"""The sheet's program."""


def find(params: SpeculativeParams) -> Iterator[Found | Proof]:
    """Everything that is published of each kind of device, and that decoding with a draft changes no token."""
    from generators.courses.comp4901y.hw4_q3_speculative_decoding import small_models

    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", prompt=params.prompt)
    yield from _expected()
    yield from RUN.proof("greedy speculative decoding gives the tokens of greedy decoding", small_models.unlike_greedy())
    recorded = {kind: Samples(params.measured[kind]["hw4_q3_speculative"]) for kind, _ in DEVICES
                if "hw4_q3_speculative" in params.measured.get(kind, {})}  # fmt: skip
    programs = {kind: _program(params, kind, one) for kind, one in recorded.items()}
    if programs:
        yield from SHEET.part("3", "Standard and speculative decoding")
        yield from _times(programs, params.prompt)
        yield from SHEET.values("3", command=_command(next(iter(programs.values())).recording, params.prompt))
    for kind, name in DEVICES:
        if kind in recorded:
            yield from SHEET.part(f"run_{kind}", f"This prompt on a {name}")
            yield from _run(f"run_{kind}", programs[kind], params.prompt)
            yield from SHEET.part(f"on_{kind}", f"On a {name}")
            yield from _device(f"on_{kind}", recorded[kind])
            if rounded := list(recorded[kind].recording.find("agreeing_tokens", dtype="bfloat16")):
                yield from SHEET.part(f"bfloat16_{kind}", f"In bfloat16 on a {name}")
                yield from _same(f"bfloat16_{kind}", rounded)
                gaps = [one.samples[0] for one in recorded[kind].recording.find("gap")]
                said = {"widest_gap": _shown(np.max(gaps, initial=0.0)), "some_differ": len(gaps) > 0}
                yield from SAMPLES.values(f"bfloat16_{kind}", said)
            for launch in recorded[kind].launches:
                if recorded[kind].guesses(launch):
                    label = f"library_{kind}" if launch == "library" else f"ours_{kind}_{launch}"
                    yield from SHEET.part(label, f"Gains on a {name}: {LAUNCHES[launch][1]}")
                    yield from _gains(label, recorded[kind], launch)


def _expected() -> Iterator[Found]:
    """A drafted token counts where all before it are kept; γ of them and a check take the time of γ·c + 1 calls."""
    yield from SHEET.part("expected", "What is expected")
    yield Found("expected/gain@symbol", "G", SHEET)
    for rate, length, cost in CASES:
        gain = _series(rate, length) / (1 + sum([cost] * length))
        yield from SERIES.worlds("expected/gain", [({"alpha": rate, "gamma": length, "c": cost}, gain)])


def _series(rate: float | Fraction, n_drafted: int) -> Fraction:
    """1 + α + α² ...: a call's tokens, as the k-th draft counts only where all before it were kept."""
    return sum((Fraction(str(rate)) ** power for power in range(n_drafted + 1)), Fraction(0))


def _shown(number: Any) -> float:
    """The nearest decimal number of three digits."""
    return float(Context(prec=3).plus(Decimal(float(number))))


@lru_cache
def _ranks(n: int) -> tuple[int, int]:
    """Places, from 0, of the samples that bound the middle 95 % of all resamples' medians, by the incomplete beta function."""
    import mpmath

    half = (n + 1) // 2
    shares = [mpmath.betainc(half, n - half + 1, 0, mpmath.mpf(k) / n, regularized=True) for k in range(1, n + 1)]
    return int(np.searchsorted(shares, 0.025)), int(np.searchsorted(shares, 0.975))


def _interval(samples: Any) -> tuple[float, float, float]:
    """Median, and the samples that bound its interval."""
    low, high = np.sort(samples)[list(_ranks(len(samples)))]
    return _shown(np.median(samples)), _shown(low), _shown(high)


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
        return _interval(self.ms(launch, {"mode": "standard"}, prompts) / self.ms(launch, at, prompts))

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
        return _shown(self.step(launch, "propose", length)) / (length * _shown(self.step(launch, "single token")))

    def step(self, launch: str, name: str, draft_len: int = 0) -> float:
        """Median milliseconds of a step."""
        (samples,) = self.of("step_seconds", launch, step=name, **({"draft_len": draft_len} if draft_len else {}))
        return float(1000 * np.median(samples))

    def new_tokens(self, prompt: str) -> int:
        """Tokens of the answer, all of which standard decoding shares with itself."""
        (samples,) = self.of("agreeing_tokens", "library", mode="standard", prompt=prompt)
        return int(samples[0])


def _program(params: SpeculativeParams, kind: str, otherwise: Samples) -> Samples:
    """The recording of the sheet's program, if it has the prompt."""
    own = params.measured[kind].get("hw4_q3_program")
    return otherwise if own is None or params.prompt not in own.parameters["prompts"] else Samples(own)


def _times(recorded: dict[str, Samples], prompt: str) -> Iterator[Found]:
    rows: dict[str, Any] = {}
    for kind, name in DEVICES:
        for at in ({"mode": "standard"}, RULE) if kind in recorded else ():
            times, tokens = recorded[kind].ms("library", at, [prompt]), recorded[kind].new_tokens(prompt)
            rows[f"{kind}_{at['mode']}"] = (name, at["mode"], tokens, *_interval(times))
    units = dict.fromkeys(("median", "low", "high"), "ms")
    yield from SAMPLES.table(
        "3", "times", rows, units=units, headings=ENDS, columns=("machine", "decoding", "new_tokens", *units)
    )


def _command(recording: Recording, prompt: str) -> str:
    """The sheet's program with the recorded models, as a user's turn."""
    made = recording.parameters
    options: dict[str, Any] = {"chat": True} if made["chat"] else {}
    options |= {"target": made["target"], "assistant": made["assistant"], "prompt": prompt}
    options["max_new_tokens"] = made["max_new_tokens"]
    if recording.device_kind != "cpu":
        options["device"] = recording.device_kind
    return command("python -m generators.measuring.hw4_speculative", options)


def _run(label: str, samples: Samples, prompt: str) -> Iterator[Found]:
    yield from _made(label, samples.recording)
    for role in ("target", "assistant"):
        card = samples.recording.models[samples.recording.parameters[role]]
        yield from SHEET.values(label, {role: card["label"], f"{role}_weights": card["parameters"]})
    yield from _compared(label, "", samples.gain("library", RULE, [prompt]))
    drafted, accepted = (samples.of(name, "library", prompt=prompt, **RULE)[0] for name in ("drafted", "accepted"))
    place = len(drafted) // 2
    for key, calls in (("first_half", slice(place)), ("second_half", slice(place, None))):
        looked_at = np.minimum(accepted[calls] + 1, drafted[calls]).sum()
        yield from SAMPLES.values(label, {key: _shown(accepted[calls].sum() / max(looked_at, 1))})
    yield from SHEET.values(
        label, generated=next(one.text for one in samples.recording.outputs if one.at.get("prompt") == prompt)
    )


def _made(label: str, recording: Recording) -> Iterator[Found]:
    yield from said_of_machine(SHEET, label, recording)
    yield from SHEET.values(label, transformers=dict(recording.versions)["transformers"], recorded_by=recording.command)
    made = recording.parameters
    yield from SHEET.values(label, repeats=made["repeats"], most_new_tokens=made["max_new_tokens"])


def _device(label: str, samples: Samples) -> Iterator[Found]:
    recording = samples.recording
    yield from _made(label, recording)
    states: dict[str, tuple[Any, ...]] = {}
    for one in recording.series:
        if "when" in one.at:
            states[one.quantity] = (*states.get(one.quantity, (STATE[one.quantity],)), _shown(one.samples[0]))
    yield from SAMPLES.table(label, "state", states, columns=("what", "before", "after"))
    yield from _compared(label, "all_", samples.gain("library", RULE, samples.prompts))
    others = (one for one in recording.find("agreeing_tokens") if "dtype" not in one.at)
    yield from _same(label, [one for one in others if (one.at["by"], one.at["mode"]) != ("transformers", "standard")])
    yield from _standard(label, samples)
    rows = {
        f"prompt_{place}": (one, samples.new_tokens(one), *samples.gain("library", RULE, [one]),
                            _shown(samples.accepted("library", RULE, [one])[1]))
        for place, one in enumerate(samples.prompts, 1)
    }  # fmt: skip
    ranked = sorted(rows.values(), key=lambda row: -row[2])
    rest = samples.gain("library", RULE, [one for one in samples.prompts if one != ranked[0][0]])
    yield from SAMPLES.values(
        label, {"most": ranked[0][0], **dict(zip(("rest_gain", "rest_low", "rest_high"), rest, strict=True))}
    )
    columns = ("prompt", "new_tokens", "gain", "low", "high", "alpha")
    yield from SAMPLES.table(label, "prompts", rows, headings={**ENDS, "alpha": "α"}, columns=columns)


def _same(label: str, compared: Sequence[Series]) -> Iterator[Found]:
    same = [one for one in compared if set(one.samples) == {one.at["of"]}]
    yield from SAMPLES.values(label, same=len(same), compared=len(compared))


def _compared(label: str, of: str, gain: tuple[float, float, float]) -> Iterator[Found]:
    said: dict[str, Any] = dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
    low, high = gain[1:]
    said |= {"faster": low > 1, "slower": high < 1, "unclear": low <= 1 <= high}
    yield from SAMPLES.values(label, {f"{of}{name}": one for name, one in said.items()})


def _standard(label: str, samples: Samples) -> Iterator[Found]:
    (read,) = samples.recording.find("read_seconds")
    once = _shown(1000 * np.median(read.samples))
    yield from SAMPLES.values(label, unit="B", bytes=read.at["bytes"])
    yield from SAMPLES.values(label, unit="ms", read=once)
    tokens, rows = sum(map(samples.new_tokens, samples.prompts)), {}
    for launch in samples.launches:
        times = samples.ms(launch, {"mode": "standard"}, samples.prompts) / tokens
        shown = _interval(times)
        rows[launch] = (LAUNCHES[launch][1], *shown, _shown(times.min()), _shown(times.max()), _shown(shown[0] / once))
    units = dict.fromkeys(("median", "low", "high", "fastest", "slowest"), "ms")
    headings = {**ENDS, "reads": "Median / reading"}
    yield from SAMPLES.table(label, "standard", rows, units=units, headings=headings, columns=("launch", *units, "reads"))


def _gains(label: str, samples: Samples, launch: str) -> Iterator[Found]:
    rows: dict[str, tuple[Any, ...]] = {}
    own: dict[int, tuple[float, float, float]] = {}
    for key, at in samples.guesses(launch).items():
        accepted, rate = samples.accepted(launch, at, samples.prompts)
        alpha, cost, length = _shown(rate), _shown(samples.cost(launch, at)), at["draft_len"]
        gain = samples.gain(launch, at, samples.prompts)
        drafts = length if at["mode"] == "speculative" else 0
        expected = _shown(_series(alpha, drafts) / (1 + drafts * Fraction(str(cost)))) if drafts else None
        who = "draft, γ =" if drafts else "prompt lookup, γ ≤"
        guess = f"{who} {length}" if length else "draft, own rule"
        rows[key] = (guess, *gain, expected, alpha, cost, _tokens(accepted))
        if drafts:
            own[length] = gain
    headings = {**ENDS, "guess": "Guesses", "alpha": "α", "cost": "c", "tokens": "Tokens a call"}
    columns = ("guess", "gain", "low", "high", "expected", "alpha", "cost", "tokens")
    yield from SAMPLES.table(label, "gains", rows, headings=headings, columns=columns)
    if launch == "library":
        return
    ranked = sorted(own, key=lambda length: -own[length][0])
    best, lengths = ranked[0], sorted(own)
    apart = all(own[best][1] > own[other][2] for other in ranked[1:]) and best not in (lengths[0], lengths[-1])
    yield from SAMPLES.values(label, best=best, one_is_best=apart, none_is_best=not apart)
    fastest = samples.ms(launch, {"mode": "speculative", "draft_len": best}, samples.prompts)
    over = _interval(samples.ms("library", {"mode": "standard"}, samples.prompts) / fastest)
    yield from SAMPLES.values(label, dict(zip(("over_library", "over_low", "over_high"), over, strict=True)))
    yield from _steps(label, samples, launch, list(own))


def _tokens(accepted: Any) -> float:
    """Tokens a call: those accepted, and the target's own."""
    return _shown(Fraction(int((accepted + 1).sum()), len(accepted)))


def _steps(label: str, samples: Samples, launch: str, lengths: Sequence[int]) -> Iterator[Found]:
    single = _shown(samples.step(launch, "single token"))
    yield from SAMPLES.values(label, unit="ms", single=single)
    rows = {}
    for length in lengths:
        propose, check = (_shown(samples.step(launch, one, length)) for one in ("propose", "check"))
        accepted, _ = samples.accepted(launch, {"mode": "speculative", "draft_len": length}, samples.prompts)
        rows[str(length)] = (length, propose, check, _shown(single / (propose + check) * _tokens(accepted)))
    headings, units = {"gamma": "γ", "by_steps": "Gain by steps"}, dict.fromkeys(("propose", "check"), "ms")
    yield from SAMPLES.table(label, "steps", rows, units=units, headings=headings, columns=("gamma", *units, "by_steps"))
