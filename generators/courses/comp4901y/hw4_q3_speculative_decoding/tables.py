"""Tables of timed speculative decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generators.cells import Cell
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    LAUNCHES,
    LIBRARY_RULE,
    Gain,
    Runs,
    Tally,
    measured,
    tokens_at,
)
from generators.recording import Recording
from generators.table import Table, column, table
from generators.topics.measured import machine_table

Keyed = Iterator[tuple[str, Sequence[Cell]]]


def machine(recording: Recording) -> Table:
    """Where, when and how the samples were taken."""
    runs = "{dtype}, greedy, {max_new_tokens} new tokens, {repeats} timed runs a setting after a warm-up"
    return machine_table(recording, "measured_on", {"date": recording.date, "runs": runs.format(**recording.parameters)})


def models(recording: Recording) -> Table:
    """Both models as they were trained: what they are, their layers, width, weights and loss on held-out text."""
    cards = {role: recording.models[recording.parameters[role]] for role in ("target", "assistant")}
    rows = {
        role: (role, *(card[key] for key in ("label", "layers", "hidden_size", "parameters")), card["training"]["held_out_loss"])
        for role, card in cards.items()
    }
    loss = column("held_out_loss", "Held-out loss", "nat/token")
    return table("models", ["role", "model", "layers", "width", "weights", loss], rows)


def times(runs: Runs) -> Table:
    """Medians of every prompt, launch and draft length, and each row's largest distance between quartiles over the median."""

    def rows() -> Keyed:
        for by, (key, name) in LAUNCHES.items():
            for number, prompt in enumerate(runs.prompts, 1):
                if runs.seconds(by, prompt, None) is None:
                    continue
                medians = [runs.median_ms(by, prompt, one) for one in (None, LIBRARY_RULE, *runs.draft_lens)]
                timed = [runs.seconds(by, prompt, one) for one in (None, LIBRARY_RULE, *runs.draft_lens)]
                spreads = [measured(100 * (one.spread[1] - one.spread[0]) / one.median) for one in timed if one]
                yield f"{key}.prompt_{number}", (prompt, name, *medians, max(spreads))

    lengths = [column(f"gamma_{length}", f"γ = {length}", "ms") for length in runs.draft_lens]
    rule = column("library_rule", "Library's rule", "ms")
    own = [column("standard", unit="ms"), rule, *lengths, column("spread", unit="%")]
    return table("times", ["prompt", "launch", *own], rows())


def steadiness(runs: Runs) -> Table:
    """For each launch the fastest and the slowest prompt of standard decoding, which does the same work for each."""
    rows = {}
    for by in runs.launches:
        key, name = LAUNCHES[by]
        medians = [one for prompt in runs.prompts if (one := runs.median_ms(by, prompt, None)) is not None]
        rows[key] = name, min(medians), max(medians)
    return table("steadiness", ["launch", column("fastest_prompt", unit="ms"), column("slowest_prompt", unit="ms")], rows)


def acceptance(runs: Runs) -> Table:
    """What the last launch drafted and accepted, by prompt and draft length, beside the tokens a call expected."""

    def rows() -> Keyed:
        for number, prompt in enumerate((*runs.prompts, None), 1):
            for length in runs.draft_lens:
                counted = runs.tally(runs.launches[-1], length, prompt)
                key = f"prompt_{number}" if prompt else "all"
                yield f"{key}.{length}", (prompt or "all prompts", length, *counted, tokens_at(counted.rate, length))

    columns = ("prompt", column("gamma", "γ"), *Tally._fields[:4], column("alpha", "α"), "tokens_a_call", "expected")
    return table("acceptance", columns, rows())


def gains(runs: Runs) -> Table:
    """Step times, cost ratio, and the gain by the formula, by the step times and as measured, of all prompts together."""
    rows = {
        f"{LAUNCHES[by][0]}.{length}": (LAUNCHES[by][1], length, *runs.gain(by, length))
        for by in runs.launches
        for length in runs.draft_lens
    }
    said = {
        "drafted_token": {"unit": "ms"},
        "single_token": {"unit": "ms"},
        "check": {"unit": "ms"},
        "cost_ratio": {"heading": "c"},
    }
    columns = [column(key, **said.get(key, {})) for key in Gain._fields]
    return table("gains", ["launch", column("gamma", "γ"), *columns], rows)
