"""Tables of timed speculative decoding."""

from __future__ import annotations

from generators.cells import Cell
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    COMPILED,
    KEYS,
    LAUNCHES,
    LIBRARY_RULE,
    Runs,
    Tally,
    gain_at,
    tokens_at,
)
from generators.recording import Recording
from generators.table import Column, Table, column, table

ALL_PROMPTS = "all prompts"


def machine(recording: Recording) -> Table:
    """Where, when and with which versions the samples were taken; a processor has no driver."""
    made = recording.parameters
    runs = f"{made['dtype']}, greedy, {made['max_new_tokens']} new tokens, {made['repeats']} timed runs a setting after a warm-up"
    said = {
        "device": recording.device,
        "driver": recording.driver,
        "versions": ", ".join(f"{name} {version}" for name, version in recording.versions.items()),
        "date": recording.date,
        "runs": runs,
    }
    rows = {name: {"what": name.capitalize(), "measured_on": value} for name, value in said.items() if value is not None}
    return table("machine", ["what", "measured_on"], rows)


def models(recording: Recording) -> Table:
    """Both models as they were trained: what they are, their layers, width, weights and loss on held-out text."""
    rows = {}
    for role in ("target", "assistant"):
        card = recording.models[recording.parameters[role]]
        rows[role] = {
            "role": role,
            "model": card["label"],
            "layers": card["layers"],
            "width": card["hidden_size"],
            "weights": card["parameters"],
            "held_out_loss": card["training"]["held_out_loss"],
        }
    columns: list[Column | str] = [
        "role",
        "model",
        "layers",
        "width",
        "weights",
        column("held_out_loss", "Held-out loss", "nat/token"),
    ]
    return table("models", columns, rows)


def times(runs: Runs) -> Table:
    """Medians of every prompt, launch and draft length, and the widest spread of each row."""
    settings = {"standard": None, "library_rule": LIBRARY_RULE, **{f"gamma_{length}": length for length in runs.draft_lens}}
    rows: dict[str, dict[str, Cell]] = {}
    for by, name in {**LAUNCHES, COMPILED: "compiled"}.items():
        for number, prompt in enumerate(runs.prompts, 1):
            medians = {key: runs.median_ms(by, prompt, setting) for key, setting in settings.items()}
            if medians["standard"] is not None:
                said: dict[str, Cell] = {"prompt": prompt, "launch": name, **medians, "spread": runs.widest_spread(by, prompt)}
                rows[f"{KEYS[by]}.prompt_{number}"] = said
    columns: list[Column | str] = [
        "prompt",
        "launch",
        column("standard", unit="ms"),
        column("library_rule", "Library's rule", "ms"),
        *(column(f"gamma_{length}", f"γ = {length}", "ms") for length in runs.draft_lens),
        column("spread", unit="%"),
    ]
    return table("times", columns, rows)


def steadiness(runs: Runs) -> Table:
    """For each launch the fastest and the slowest prompt of standard decoding."""
    rows = {}
    for by in runs.launches:
        fastest, slowest = runs.standard_range_ms(by)
        rows[KEYS[by]] = {"launch": LAUNCHES[by], "fastest_prompt": fastest, "slowest_prompt": slowest}
    return table("steadiness", ["launch", column("fastest_prompt", unit="ms"), column("slowest_prompt", unit="ms")], rows)


def acceptance(runs: Runs) -> Table:
    """What the last launch drafted and accepted, by prompt and draft length, beside the tokens a call expected."""
    groups: dict[str, str | None] = {f"prompt_{number}": prompt for number, prompt in enumerate(runs.prompts, 1)}
    rows = {
        f"{key}.{length}": {
            "prompt": prompt or ALL_PROMPTS,
            "gamma": length,
            **_counts(runs.tally(runs.launches[-1], length, prompt), length),
        }
        for key, prompt in {**groups, "all": None}.items()
        for length in runs.draft_lens
    }
    counts = ["calls", "drafted", "accepted", "rejected"]
    return table("acceptance", ["prompt", column("gamma", "γ"), *counts, column("alpha", "α"), "tokens_a_call", "expected"], rows)


def _counts(tally: Tally, n_drafted: int) -> dict[str, Cell]:
    return {
        "calls": tally.calls,
        "drafted": tally.drafted,
        "accepted": tally.accepted,
        "rejected": tally.rejected,
        "alpha": tally.rate,
        "tokens_a_call": tally.tokens_per_call,
        "expected": tokens_at(tally.rate, n_drafted),
    }


def gains(runs: Runs) -> Table:
    """Step times, cost ratio, and the gain by the formula, by the step times and as measured, of all prompts together."""
    rows = {f"{KEYS[by]}.{length}": _gain_row(runs, by, length) for by in runs.launches for length in runs.draft_lens}
    timed = [column(key, unit="ms") for key in ("drafted_token", "single_token", "check")]
    columns: list[Column | str] = [
        "launch",
        column("gamma", "γ"),
        *timed,
        column("cost_ratio", "c"),
        "formula",
        "step_times",
        "measured",
    ]
    return table("gains", columns, rows)


def _gain_row(runs: Runs, by: str, length: int) -> dict[str, Cell]:
    costs, tally = runs.costs(by, length), runs.tally(by, length)
    return {
        "launch": LAUNCHES[by],
        "gamma": length,
        "drafted_token": costs.draft_ms,
        "single_token": costs.single_ms,
        "check": costs.check_ms,
        "cost_ratio": costs.ratio,
        "formula": gain_at(tally.rate, length, costs.ratio),
        "step_times": costs.gain(tally.tokens_per_call, length),
        "measured": runs.gain(by, length),
    }
