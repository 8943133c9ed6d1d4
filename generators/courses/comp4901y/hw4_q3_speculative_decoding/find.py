"""Finds every number of the timed speculative decoding again from the raw samples, and decodes with small models.

From the sheet: the two times of its program, standard and with the assistant model, for its prompt. The program leaves the
number of drafted tokens to the library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.samples import LAUNCHES, RULE, Samples, interval, shown
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
STATE = {"load": "Load average (1 min)", "clock": "Clock (MHz)", "power_limit": "Power limit (W)"}
ENDS = {"low": "Interval from", "high": "Interval to"}


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
            holding = [one for one in params.measured[kind].values() if params.prompt in one.parameters.get("prompts", ())]
            yield from _other_run(f"run_{kind}", recorded[kind], params.prompt, twice=len(holding) > 1)
            yield from SHEET.part(f"on_{kind}", f"On a {name}")
            yield from _device(f"on_{kind}", recorded[kind])
            if rounded := list(recorded[kind].recording.find("agreeing_tokens", dtype="bfloat16")):
                yield from SHEET.part(f"bfloat16_{kind}", f"In bfloat16 on a {name}")
                yield from _same(f"bfloat16_{kind}", rounded)
                gaps = [one.samples[0] for one in recorded[kind].recording.find("gap")]
                said = {"widest_gap": shown(np.max(gaps, initial=0.0)), "some_differ": len(gaps) > 0}
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


def _program(params: SpeculativeParams, kind: str, otherwise: Samples) -> Samples:
    """The recording of the sheet's program, if it has the prompt."""
    own = params.measured[kind].get("hw4_q3_program")
    return otherwise if own is None or params.prompt not in own.parameters["prompts"] else Samples(own)


def _times(recorded: dict[str, Samples], prompt: str) -> Iterator[Found]:
    rows: dict[str, Any] = {}
    for kind, name in DEVICES:
        for at in ({"mode": "standard"}, RULE) if kind in recorded else ():
            times, tokens = recorded[kind].ms("library", at, [prompt]), recorded[kind].new_tokens(prompt)
            rows[f"{kind}_{at['mode']}"] = (name, at["mode"], tokens, *interval(times))
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
        yield from SAMPLES.values(label, {key: shown(accepted[calls].sum() / max(looked_at, 1))})
    written = next(one.text for one in samples.recording.outputs if one.at.get("prompt") == prompt)
    lines = Counter(line for line in written.split("\n") if line.strip())
    repeated = lines.total() - len(lines)
    yield from SHEET.values(label, generated=written)
    yield from SAMPLES.values(label, lines=lines.total(), repeated=repeated, repeats_itself=repeated > 0)


def _other_run(label: str, samples: Samples, prompt: str, *, twice: bool) -> Iterator[Found]:
    """The same prompt in the recording of all ways, if another has it too."""
    yield from SHEET.values(label, recorded_twice=twice)
    if twice:
        ends = zip(("other_gain", "other_low", "other_high"), samples.gain("library", RULE, [prompt]), strict=True)
        yield from SAMPLES.values(label, dict(ends), other_tokens=samples.new_tokens(prompt))


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
            states[one.quantity] = (*states.get(one.quantity, (STATE[one.quantity],)), shown(one.samples[0]))
    yield from SAMPLES.table(label, "state", states, columns=("what", "before", "after"))
    yield from _compared(label, "all_", samples.gain("library", RULE, samples.prompts))
    others = (one for one in recording.find("agreeing_tokens") if "dtype" not in one.at)
    yield from _same(label, [one for one in others if (one.at["by"], one.at["mode"]) != ("transformers", "standard")])
    yield from _standard(label, samples)
    rows = {
        f"prompt_{place}": (one, samples.new_tokens(one), *samples.gain("library", RULE, [one]),
                            shown(samples.accepted("library", RULE, [one])[1]))
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
    once = shown(1000 * np.median(read.samples))
    yield from SAMPLES.values(label, unit="B", bytes=read.at["bytes"])
    yield from SAMPLES.values(label, unit="ms", read=once)
    tokens, rows = sum(map(samples.new_tokens, samples.prompts)), {}
    for launch in samples.launches:
        times = samples.ms(launch, {"mode": "standard"}, samples.prompts) / tokens
        spread = interval(times)
        rows[launch] = (LAUNCHES[launch][1], *spread, shown(times.min()), shown(times.max()), shown(spread[0] / once))
    units = dict.fromkeys(("median", "low", "high", "fastest", "slowest"), "ms")
    headings = {**ENDS, "reads": "Median / reading"}
    yield from SAMPLES.table(label, "standard", rows, units=units, headings=headings, columns=("launch", *units, "reads"))


def _gains(label: str, samples: Samples, launch: str) -> Iterator[Found]:
    rows: dict[str, tuple[Any, ...]] = {}
    own: dict[int, tuple[float, float, float]] = {}
    for key, at in samples.guesses(launch).items():
        accepted, rate = samples.accepted(launch, at, samples.prompts)
        alpha, cost, length = shown(rate), shown(samples.cost(launch, at)), at["draft_len"]
        gain = samples.gain(launch, at, samples.prompts)
        drafts = length if at["mode"] == "speculative" else 0
        expected = shown(_series(alpha, drafts) / (1 + drafts * Fraction(str(cost)))) if drafts else None
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
    over = interval(samples.ms("library", {"mode": "standard"}, samples.prompts) / fastest)
    yield from SAMPLES.values(label, dict(zip(("over_library", "over_low", "over_high"), over, strict=True)))
    yield from _steps(label, samples, launch, list(own))


def _tokens(accepted: Any) -> float:
    """Tokens a call: those accepted, and the target's own."""
    return shown(Fraction(int((accepted + 1).sum()), len(accepted)))


def _steps(label: str, samples: Samples, launch: str, lengths: Sequence[int]) -> Iterator[Found]:
    single = shown(samples.step(launch, "single token"))
    yield from SAMPLES.values(label, unit="ms", single=single)
    rows = {}
    for length in lengths:
        propose, check = (shown(samples.step(launch, one, length)) for one in ("propose", "check"))
        accepted, _ = samples.accepted(launch, {"mode": "speculative", "draft_len": length}, samples.prompts)
        rows[str(length)] = (length, propose, check, shown(single / (propose + check) * _tokens(accepted)))
    headings, units = {"gamma": "γ", "by_steps": "Gain by steps"}, dict.fromkeys(("propose", "check"), "ms")
    yield from SAMPLES.table(label, "steps", rows, units=units, headings=headings, columns=("gamma", *units, "by_steps"))
