"""Tables of timed speculative decoding, as the page and its figures use them."""

from __future__ import annotations

from generators.answer import Cell
from generators.recording import Recording
from generators.steps import Table
from generators.topics.speculative_runs import COMPILED, LAUNCHES, LIBRARY_RULE, Runs, Tally, gain_at, tokens_at

ALL_PROMPTS = "all prompts"


def times(runs: Runs) -> Table:
    """Median milliseconds of every prompt, launch and draft length, and the widest spread of each row in percent."""
    settings = (None, LIBRARY_RULE, *runs.draft_lens)
    rows = [
        (prompt, name, *(runs.median_ms(by, prompt, setting) for setting in settings), runs.widest_spread(by, prompt))
        for by, name in {**LAUNCHES, COMPILED: "compiled"}.items()
        for prompt in runs.prompts
        if runs.median_ms(by, prompt, None) is not None
    ]
    header = ("Prompt", "Launch", "Standard", "Library's rule", *(f"γ = {length}" for length in runs.draft_lens), "Spread")
    return Table(header=header, rows=tuple(rows))


def steadiness(runs: Runs) -> Table:
    """For each launch the fastest and the slowest prompt of standard decoding."""
    rows = tuple((LAUNCHES[by], *runs.standard_range_ms(by)) for by in runs.launches)
    return Table(header=("Launch", "Fastest prompt", "Slowest prompt"), rows=rows)


def acceptance(runs: Runs) -> Table:
    """What the last launch drafted and accepted, by prompt and draft length, beside the tokens a call expected."""
    by = runs.launches[-1]
    groups: list[str | None] = [*runs.prompts, None]
    rows = [
        (prompt or ALL_PROMPTS, length, *_counts(runs.tally(by, length, prompt), length))
        for prompt in groups
        for length in runs.draft_lens
    ]
    header = ("Prompt", "γ", "Calls", "Drafted", "Accepted", "Rejected", "α", "Tokens a call", "Expected")
    return Table(header=header, rows=tuple(rows))


def _counts(tally: Tally, n_drafted: int) -> tuple[Cell, ...]:
    expected = tokens_at(tally.rate, n_drafted)
    return tally.calls, tally.drafted, tally.accepted, tally.rejected, tally.rate, tally.tokens_per_call, expected


def gains(runs: Runs) -> Table:
    """Step times, cost ratio, and the gain by the formula, by the step times and as measured, of all prompts together."""
    rows = tuple(_gain_row(runs, by, length) for by in runs.launches for length in runs.draft_lens)
    header = ("Launch", "γ", "Drafted token", "Single token", "Check", "c", "Formula", "Step times", "Measured")
    return Table(header=header, rows=rows)


def _gain_row(runs: Runs, by: str, length: int) -> tuple[Cell, ...]:
    costs, tally = runs.costs(by, length), runs.tally(by, length)
    by_formula, by_steps = gain_at(tally.rate, length, costs.ratio), costs.gain(tally.tokens_per_call, length)
    times = (costs.draft_ms, costs.single_ms, costs.check_ms)
    return LAUNCHES[by], length, *times, costs.ratio, by_formula, by_steps, runs.gain(by, length)


def models(recording: Recording) -> Table:
    """Both models as they were trained: what they are, their layers, width, weights and loss on held-out text."""
    rows = []
    for role in ("target", "assistant"):
        card = recording.models[recording.parameters[role]]
        loss = card["training"]["held_out_loss"]
        rows.append((role, card["label"], card["layers"], card["hidden_size"], card["parameters"], loss))
    return Table(header=("Role", "Model", "Layers", "Width", "Weights", "Held-out loss"), rows=tuple(rows))


def machine(recording: Recording) -> Table:
    """Where, when and with which versions the samples were taken."""
    versions = ", ".join(f"{name} {version}" for name, version in recording.versions.items())
    new, repeats = recording.parameters["max_new_tokens"], recording.parameters["repeats"]
    rows = (
        ("Device", recording.device),
        ("Driver", recording.driver),
        ("Versions", versions),
        ("Date", recording.date),
        ("Runs", f"{recording.parameters['dtype']}, greedy, {new} new tokens, {repeats} timed runs a setting after a warm-up"),
    )
    return Table(header=("", "Measured on"), rows=rows)
