"""Reads times, gains, acceptance and costs from recordings, and puts the expected gain beside the measured one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generators.answer import Answer, Item, Text, answer, claim, number, part, text
from generators.cells import Cell
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    LIBRARY,
    RULE,
    Interval,
    Runs,
    Way,
    acceptance_rate,
    gain_at,
    interval,
    measured,
    tokens_per_call,
)
from generators.errors import RecordingError
from generators.recording import Recording
from generators.table import Table, column, table
from generators.topics.commands import command
from generators.topics.measured import machine
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, walltime_gain

PROGRAM = "python -m generators.measuring.hw4_speculative"
KINDS = {"cpu": "processor", "cuda": "GPU"}
STANDARD, BY_RULE = Way(LIBRARY, "standard"), Way(LIBRARY, "speculative", RULE)
MS = [column(key, heading, unit="ms") for key, heading in (("median", ""), ("low", "Interval from"), ("high", "Interval to"))]
STATE = {"load": "Load average (1 min)", "clock": "Clock (MHz)", "power_limit": "Power limit (W)"}
GAIN = [column("gain"), column("low", "Interval from"), column("high", "Interval to")]


def solve(params: SpeculativeParams) -> Answer:
    """What was recorded of each kind of device: a processor first, whose run anyone can repeat."""
    runs = {kind: Runs(params.measured[kind]["hw4_q3_speculative"]) for kind in KINDS
            if "hw4_q3_speculative" in params.measured.get(kind, {})}  # fmt: skip
    parts = [
        part("sheet", "Given", text("prompt", params.prompt)),
        part("expected", "What is expected", number("gain", walltime_gain(ALPHA, GAMMA, COST_RATIO), "expected gain", "G")),
    ]
    if runs:
        _refuse_unknown(params.prompt, runs)
        programs = {kind: _program(params, kind, one) for kind, one in runs.items()}
        command = _command(next(iter(programs.values())).recording, params.prompt)
        parts.append(part("3", "Standard and speculative decoding", _times(programs, params.prompt), command))
        for kind, one in programs.items():
            run = *_run(one, params.prompt), *_other_run(one, runs[kind], params.prompt)
            parts.append(part(f"run_{kind}", f"This prompt on a {KINDS[kind]}", *run))
    for kind, one in runs.items():
        parts.append(part(f"on_{kind}", f"On a {KINDS[kind]}", *_device(one)))
        if any(one.recording.find("agreeing_tokens", dtype="bfloat16")):
            parts.append(part(f"bfloat16_{kind}", f"In bfloat16 on a {KINDS[kind]}", *_in_bfloat16(one.recording)))
        for key, launch in one.launches.items():
            title = f"Gains on a {KINDS[kind]}: {launch.title}"
            if launch.by == LIBRARY:
                parts.append(part(f"library_{kind}", title, _gains(one, one.drafting(LIBRARY))))
            elif ways := one.drafting(launch.by):
                parts.append(part(f"ours_{kind}_{key}", title, _gains(one, ways), *_best(one, ways), *_steps(one, ways)))
    return answer(*parts)


def _refuse_unknown(prompt: str, runs: dict[str, Runs]) -> None:
    known = [one for one in next(iter(runs.values())).prompts if all(one in each.prompts for each in runs.values())]
    if prompt not in known:
        raise RecordingError(
            "generators/courses/comp4901y/params.yml: hw4_q3_speculative_decoding: prompt: must be one of the recorded "
            f"{', '.join(map(repr, known))}; others are added to measurements.yml and recorded by `make measure` (got {prompt!r})"
        )


def _program(params: SpeculativeParams, kind: str, runs: Runs) -> Runs:
    """The runs of the sheet's program for this prompt: with the sheet's number of tokens where they were recorded."""
    recording = params.measured[kind].get("hw4_q3_program")
    return Runs(recording) if recording and params.prompt in recording.parameters["prompts"] else runs


def _times(runs: dict[str, Runs], prompt: str) -> Table:
    """The sheet's program on each device, both ways."""
    rows = {
        f"{kind}_{way.mode}": (KINDS[kind], way.mode, one.new_tokens(prompt), *interval(one.ms(way, [prompt])))
        for kind, one in runs.items()
        for way in (STANDARD, BY_RULE)
    }
    return table("times", ["machine", "decoding", "new_tokens", *MS], rows, asked=True)


def _command(recording: Recording, prompt: str) -> Text:
    """The program that does the same for one prompt, with the recorded models and number of tokens."""
    made = recording.parameters
    device = {} if recording.device_kind == "cpu" else {"device": recording.device_kind}
    options = {name: made[name] for name in ("chat", "target", "assistant") if made[name]} | {"prompt": prompt}
    return text("command", command(PROGRAM, options | {"max_new_tokens": made["max_new_tokens"]} | device))


def _run(runs: Runs, prompt: str) -> Iterator[Item]:
    """Where and of what the times of the sheet's program are, and how its two ways compare."""
    recording = runs.recording
    yield from _made(recording)
    for role in ("target", "assistant"):
        card = recording.models[recording.parameters[role]]
        yield text(role, card["label"])
        yield number(f"{role}_weights", card["parameters"])
    yield from _compared("", runs.gain(BY_RULE, [prompt]))
    for key, rate in zip(("first_half", "second_half"), runs.halves(BY_RULE, prompt), strict=True):
        yield number(key, rate, "acceptance rate of one half of the calls")
    (output,) = (one.text for one in recording.outputs if one.at.get("prompt") == prompt)
    yield text("generated", output)
    yield from _repetition([line for line in output.splitlines() if line.strip()])


def _repetition(lines: Sequence[str]) -> Iterator[Item]:
    """Lines that stand in the text before: a draft guesses them easily."""
    repeated = sum(line in lines[:place] for place, line in enumerate(lines))
    yield number("lines", len(lines), "lines of the text")
    yield number("repeated", repeated, "lines that stand in the text before")
    yield claim("repeats_itself", repeated > 0, "the text repeats lines")


def _other_run(program: Runs, runs: Runs, prompt: str) -> Iterator[Item]:
    """The gain with another number of new tokens, where that was recorded."""
    other = program is not runs and prompt in runs.prompts
    yield claim("recorded_twice", other, "this prompt was recorded with another number of tokens too")
    if other:
        yield number("other_tokens", runs.new_tokens(prompt), "new tokens of the other recording")
        for key, one in zip(("other_gain", "other_low", "other_high"), runs.gain(BY_RULE, [prompt]), strict=True):
            yield number(key, one, "time of standard decoding over that of speculative decoding")


def _made(recording: Recording) -> Iterator[Item]:
    """On which machine, with what and how often."""
    yield from machine(recording)
    yield text("transformers", dict(recording.versions)["transformers"])
    yield text("recorded_by", recording.command)
    yield number("repeats", recording.parameters["repeats"], "rounds of all ways after a warm-up")
    yield number("most_new_tokens", recording.parameters["max_new_tokens"])


def _device(runs: Runs) -> Iterator[Item]:
    """Where the times of all ways are from, how steady they are, and what drafts gain on each prompt."""
    yield from _made(runs.recording)
    states = {key: (said, *map(measured, runs.state(key))) for key, said in STATE.items() if runs.state(key)}
    yield table("state", ["what", "before", "after"], states)
    yield from _compared("all_", runs.gain(BY_RULE))
    yield from _agreement(runs.recording)
    yield from _standard(runs)
    yield from _prompts(runs)


def _agreement(recording: Recording, dtype: str | None = None) -> Iterator[Item]:
    """Answers whose tokens are those of the library's standard decoding, which is not compared with itself."""
    standard = {"by": LIBRARY, "mode": "standard"}.items()
    compared = [
        one for one in recording.find("agreeing_tokens") if one.at.get("dtype") == dtype and not standard <= one.at.items()
    ]
    yield number("same", sum(one.samples[0] == one.at["of"] for one in compared), "answers equal to standard decoding's")
    yield number("compared", len(compared), "answers compared")


def _in_bfloat16(recording: Recording) -> Iterator[Item]:
    """The same in bfloat16, and how near to each other the logits are where an answer first differs."""
    yield from _agreement(recording, "bfloat16")
    gaps = [one.samples[0] for one in recording.find("gap")]
    yield number("widest_gap", measured(max(gaps, default=0)), "largest gap of both tokens' logits where answers first differ")
    yield claim("some_differ", bool(gaps), "an answer differs")


def _compared(of: str, gain: Interval) -> Iterator[Item]:
    """How many times faster speculative decoding is, and whether the interval says so; `of` opens the keys."""
    for key, one in zip(("gain", "gain_low", "gain_high"), gain, strict=True):
        yield number(f"{of}{key}", one, "time of standard decoding over that of speculative decoding")
    yield claim(f"{of}faster", gain.low > 1, "the whole interval is above one")
    yield claim(f"{of}slower", gain.high < 1, "the whole interval is below one")
    yield claim(f"{of}unclear", gain.low <= 1 <= gain.high, "the interval contains one")


def _standard(runs: Runs) -> Iterator[Item]:
    """Milliseconds a token of standard decoding by each launch, beside the time to read the target's weights once."""
    size, read = runs.read_ms()
    tokens = sum(map(runs.new_tokens, runs.prompts))
    yield number("bytes", size, "bytes of the target's weights", unit="B")
    yield number("read", read, "time to read as many bytes", unit="ms")
    rows: dict[str, Sequence[Cell]] = {}
    for key, launch in runs.launches.items():
        times = [one / tokens for one in runs.ms(Way(launch.by, "standard"))]
        shown = interval(times)
        rows[key] = (launch.title, *shown, measured(min(times)), measured(max(times)), measured(shown.middle / read))
    spread = [column(key, unit="ms") for key in ("fastest", "slowest")]
    yield table("standard", ["launch", *MS, *spread, column("reads", "Median / reading")], rows)


def _prompts(runs: Runs) -> Iterator[Item]:
    """Of each prompt the sheet's program's gain and the acceptance rate, and the gain without the prompt that gains most."""
    most = max(runs.prompts, key=lambda one: runs.gain(BY_RULE, [one]).middle)
    rest = runs.gain(BY_RULE, [one for one in runs.prompts if one != most])
    for key, one in zip(("rest_gain", "rest_low", "rest_high"), rest, strict=True):
        yield number(key, one, "time of standard decoding over that of speculative decoding")
    yield text("most", most)
    rows: dict[str, Sequence[Cell]] = {}
    for place, prompt in enumerate(runs.prompts, 1):
        rate = acceptance_rate(*runs.calls(BY_RULE, [prompt]))
        rows[f"prompt_{place}"] = (prompt, runs.new_tokens(prompt), *runs.gain(BY_RULE, [prompt]), rate)
    yield table("prompts", ["prompt", "new_tokens", *GAIN, column("alpha", "α")], rows)


def _gains(runs: Runs, ways: Sequence[Way]) -> Table:
    """Every way of a launch that guesses tokens."""
    rows: dict[str, Sequence[Cell]] = {}
    for way in ways:
        drafted, accepted = runs.calls(way)
        rate, cost = acceptance_rate(drafted, accepted), runs.cost_ratio(way)
        always = way.mode == "speculative" and way.draft_len  # by rule and by lookup, some calls draft fewer tokens or none
        expected = gain_at(rate, always, cost) if always else None
        rows[_key(way)] = (_guess(way), *runs.gain(way), expected, rate, cost, tokens_per_call(accepted))
    columns = [column("expected"), column("alpha", "α"), column("cost", "c"), column("tokens", "Tokens a call")]
    return table("gains", [column("guess", "Guesses"), *GAIN, *columns], rows)


def _best(runs: Runs, ways: Sequence[Way]) -> Iterator[Item]:
    """The draft length with the largest gain, whether it is best beyond the intervals and between others, and how fast it is."""
    own = {way: runs.gain(way) for way in ways}
    first = max(own, key=lambda way: own[way].middle)
    apart = all(own[first].low > one.high for way, one in own.items() if way != first)
    lengths = [way.draft_len or 0 for way in own]
    best = first.draft_len or 0
    inside = apart and min(lengths) < best < max(lengths)
    yield number("best", best, "drafted tokens with the largest gain")
    yield claim("one_is_best", inside, "one draft length between others is best beyond the spread")
    yield claim("none_is_best", not inside, "no draft length between others is best beyond the spread")
    for key, one in zip(("over_library", "over_low", "over_high"), runs.gain(first, over=STANDARD), strict=True):
        yield number(key, one, "time of the library's eager standard decoding over that of the best draft length")


def _key(way: Way) -> str:
    return "rule" if way.draft_len == RULE else f"{'draft' if way.mode == 'speculative' else 'lookup'}_{way.draft_len}"


def _guess(way: Way) -> str:
    """What guesses, and how many tokens."""
    if way.draft_len == RULE:
        return "draft, own rule"
    return f"draft, γ = {way.draft_len}" if way.mode == "speculative" else f"prompt lookup, γ ≤ {way.draft_len}"


def _steps(runs: Runs, ways: Sequence[Way]) -> Iterator[Item]:
    """What one round is made of: the gain that its steps alone would give leaves out the prefill and all between steps."""
    single = runs.step(ways[0].by, "single token", None)
    rows: dict[str, Sequence[Cell]] = {}
    for way in ways:
        propose, check = (runs.step(way.by, step, way.draft_len) for step in ("propose", "check"))
        tokens = tokens_per_call(runs.calls(way)[1])
        rows[str(way.draft_len)] = (way.draft_len, propose, check, measured(tokens * single / (propose + check)))
    yield number("single", single, "time of a token of the target alone", unit="ms")
    times = [column(key, unit="ms") for key in ("propose", "check")]
    yield table("steps", [column("gamma", "γ"), *times, column("by_steps", "Gain by steps")], rows)
