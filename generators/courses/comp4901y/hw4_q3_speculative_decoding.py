"""Homework 4, question 3: recorded times of standard and speculative decoding, beside the expected gain."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from generators.answer import Figure
from generators.params import MeasuredParams, Text
from generators.recording import Recording
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step
from generators.topics import speculative_tables as tables
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, expected_tokens, walltime_gain
from generators.topics.speculative_runs import LAUNCHES, LIBRARY_RULE, Costs, Runs, gain_at, measured, tokens_at

DRAFT, SINGLE, LAYERS, DRAFT_LAYERS, WEIGHTS, DRAFT_WEIGHTS, BYTES = sympy.symbols(
    "T_draft T_single N_layer N_draft P P_draft e", positive=True
)
BYTES_OF = {"float32": 4, "bfloat16": 2, "float16": 2}
RECORDING = "hw4_q3_speculative"
TITLE = "Standard and speculative decoding"


class SpeculativeParams(MeasuredParams):
    """Which recorded prompt the sheet's program runs."""

    prompt: Text


def solve(params: SpeculativeParams) -> Answer:
    """What was recorded, of each kind of device apart; nothing but the title where nothing was."""
    return Answer(
        {label: _part(recording, params.prompt) for label, recording in runs(params).items()} or {"3": Part(title=TITLE)}
    )


def runs(params: SpeculativeParams) -> dict[str, Recording]:
    """The recordings by the part that shows them: the sheet's part, and one for the other kind of device."""
    recording, elsewhere = params.recordings.get(RECORDING), params.elsewhere
    found = {"3": recording} if recording else {}
    return found | ({f"{elsewhere.device_kind}_3": elsewhere.recordings[RECORDING]} if elsewhere else {})


def _part(recording: Recording, prompt: str) -> Part:
    """Read times, acceptance and costs from the recording, and put the expected gain beside the measured one."""
    recorded = Runs(recording)
    found = {
        "times": tables.times(recorded),
        "steadiness": tables.steadiness(recorded),
        "acceptance": tables.acceptance(recorded),
        "gains": tables.gains(recorded),
        "models": tables.models(recording),
        "machine": tables.machine(recording),
    }
    best = max(recorded.draft_lens, key=lambda length: recorded.gain(recorded.launches[-1], length))
    steps = {**_course(recorded, prompt), **_steps(recorded, best)}
    return Part(title=TITLE, steps=steps, tables=found)


def _course(runs: Runs, prompt: str) -> dict[str, Step]:
    """The two times that the sheet asks for: its prompt, the library's own draft lengths, launched as its program does."""
    standard, speculative = (
        measured(1000 * runs.recording.one("seconds", by="transformers", prompt=prompt, **at).median)
        for at in ({"mode": "standard"}, {"mode": "speculative", "draft_len": LIBRARY_RULE})
    )
    gain = measured(standard / speculative)
    return {
        "course_standard": Step(what="standard decoding", symbol=r"T_{\text{standard}}", value=standard, unit="ms"),
        "course_speculative": Step(what="speculative decoding", symbol=r"T_{\text{speculative}}", value=speculative, unit="ms"),
        "course_gain": Step(what="gain", symbol="S", value=gain),
    }


def _steps(runs: Runs, best: int) -> dict[str, Step]:
    """The gain of the last launch at its best draft length, and what its times mean."""
    by = runs.launches[-1]
    costs, tally = runs.costs(by, best), runs.tally(by, best)
    at = {ALPHA: tally.rate, GAMMA: best, COST_RATIO: costs.ratio}
    tokens, gain = expected_tokens(ALPHA, GAMMA), walltime_gain(ALPHA, GAMMA, COST_RATIO)
    same, compared = runs.agreement()
    return {
        "best": Step(what="draft length with the largest measured gain", symbol=r"\gamma", value=best),
        "cost_ratio": _step("cost ratio", "c", costs.ratio, DRAFT / SINGLE, {DRAFT: costs.draft_ms, SINGLE: costs.single_ms}),
        "rate": Step(what="acceptance rate", symbol=r"\alpha", value=tally.rate),
        "tokens": _step("expected tokens a call", "E", tokens_at(tally.rate, best), tokens, at),
        "gain": _step("expected gain", "S", gain_at(tally.rate, best, costs.ratio), gain, at),
        "measured_gain": Step(what="measured gain", symbol=r"S_{\text{measured}}", value=runs.gain(by, best)),
        "launch_gain": Step(what="standard decoding, eager over the last launch", symbol="S", value=runs.launch_gain()),
        "same": Step(what="settings whose tokens all equal standard decoding's", symbol="", value=same),
        "compared": Step(what="settings compared", symbol="", value=compared),
        **_of_sizes(runs, costs, tally.rate, best),
    }


def _of_sizes(runs: Runs, costs: Costs, rate: float, best: int) -> dict[str, Step]:
    """What the cost ratio would be if time went with layers or with weights, and how fast weights are read."""
    parameters = runs.recording.parameters
    target, draft = (runs.recording.models[parameters[role]] for role in ("target", "assistant"))
    by_weights = measured(draft["parameters"] / target["parameters"])
    element = BYTES_OF[parameters["dtype"]]
    weights, small = target["parameters"], draft["parameters"]
    bytes_per_s = WEIGHTS * BYTES / (1_000_000 * SINGLE)
    return {
        "by_layers": _step(
            "cost ratio if time went with layers", r"c_{\text{layers}}", measured(draft["layers"] / target["layers"]),
            DRAFT_LAYERS / LAYERS, {DRAFT_LAYERS: draft["layers"], LAYERS: target["layers"]},
        ),
        "by_weights": _step(
            "cost ratio if time went with weights", r"c_{\text{weights}}", by_weights,
            DRAFT_WEIGHTS / WEIGHTS, {DRAFT_WEIGHTS: small, WEIGHTS: weights},
        ),
        "gain_by_weights": Step(
            what="expected gain at that cost ratio", symbol=r"S_{\text{weights}}", value=gain_at(rate, best, by_weights)
        ),
        "read_rate": _step(
            "weights read, GB/s", "r", measured(weights * element / (1_000_000 * costs.single_ms)),
            bytes_per_s, {WEIGHTS: weights, BYTES: element, SINGLE: costs.single_ms}, "GB/s",
        ),
    }  # fmt: skip


def _step(what: str, symbol: str, value: float, formula: sympy.Expr, at: dict[sympy.Symbol, int | float], unit: str = "") -> Step:
    return Step(what=what, symbol=symbol, value=value, formula=formula, at=at, unit=unit)


def verify(params: SpeculativeParams, answer: Answer) -> Iterator[Check]:
    """Recompute everything from the raw samples, and run speculative decoding on small models."""
    from generators.oracles.speculative_runs import verify_decoding

    return verify_decoding(params.prompt, runs(params), answer)


def draw(params: SpeculativeParams, answer: Answer) -> dict[str, Figure]:
    """Times of all launches, and for each the gain beside what was expected, of each kind of device apart."""
    figures: dict[str, Figure] = {}
    for label, recording in runs(params).items():
        prefix = label.removesuffix("3")
        figures |= {f"{prefix}{name}": figure for name, figure in _figures(answer[label], recording.device).items()}
    return figures


def _figures(part: Part, device: str) -> dict[str, Figure]:
    from generators.figures.speculation import gain_figure, times_figure

    found = part.tables
    figures = {
        "times": times_figure(
            found["times"],
            caption=f"Time of one run on {device}: dots are prompts (medians), lines their means. Logarithmic axis.",
            alt="Milliseconds of a run of standard decoding and of speculative decoding over draft lengths, one line a launch.",
        )
    }
    for by, launch in LAUNCHES.items():
        if launch in found["gains"].column("Launch"):
            figures["gain_" + by.replace(", ", "_").replace(" ", "_")] = gain_figure(
                found["gains"],
                launch,
                caption=f"Gain over standard decoding on {device}, all prompts together; {launch}.",
                alt=f"Expected and measured gain of speculative decoding over draft lengths; {launch}.",
            )
    return figures


QUESTION = SelfVerifying(
    title="Speculative decoding, measured",
    points=20,
    params=SpeculativeParams,
    solve=solve,
    verify=verify,
    draw=draw,
    recordings=(RECORDING,),
)
