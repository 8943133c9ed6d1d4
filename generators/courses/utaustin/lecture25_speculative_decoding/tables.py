"""Tables of speculative decoding: greedy calls, a traced round, and the fates of one drafted token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from generators.cells import Cell
from generators.courses.utaustin.lecture25_speculative_decoding.rounds import (
    Distribution,
    GreedyRound,
    Model,
    SampledRound,
    Trial,
    acceptance_rate,
    excess,
    keep_probability,
    residual,
)
from generators.table import Table, column, table

Words = Sequence[str]
X, OF_TARGET, OF_DRAFT = column("x", "x"), column("p", "p(x)"), column("q", "q(x)")


def models(words: Words, target: Model, draft: Model) -> Table:
    """Both models, a row for each token before."""
    columns = [
        column(f"{name}_{place}", f"{name}: {word}") for name in ("target", "draft") for place, word in enumerate(words, 1)
    ]
    rows = {f"token_{place + 1}": (word, *target[place], *draft[place]) for place, word in enumerate(words)}
    return table("models", ["after", *columns], rows)


def joined(words: Words, tokens: Sequence[int]) -> str:
    """Tokens in words."""
    return ", ".join(words[token] for token in tokens)


def rounds(words: Words, start: int, found: Sequence[GreedyRound]) -> Table:
    """Greedy calls, one after the other from the token `start`."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for number, one in enumerate(found, 1):
        drafted, choices, emitted = (joined(words, tokens) for tokens in (one.drafted, one.choices, one.emitted))
        rows[f"call_{number}"] = (number, words[start], drafted, choices, one.accepted, emitted, len(one.emitted))
        start = one.emitted[-1]
    choices_column = column("choices", "Target's choices")
    return table("rounds", ["call", "after", "drafted", choices_column, "accepted", "emitted", "tokens"], rows)


def places(found: Sequence[GreedyRound], words: Words) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Every place of every greedy call: what was drafted, what the target says, and what comes of its choice."""
    for number, one in enumerate(found, 1):
        for place, choice in enumerate(one.choices):
            drafted = words[one.drafted[place]] if place < len(one.drafted) else None
            fate = "kept" if place < one.accepted else "own" if place == one.accepted else "unused"
            yield f"call_{number}.{place + 1}", (number, drafted, words[choice], fate)


def trace(words: Words, target: Model, draft: Model, one: SampledRound) -> Table:
    """Every drafted token: the numbers r that drew and tried it, and what became of it."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for number, trial in enumerate(one.trials, 1):
        before, token, p, q = trial.before, trial.token, target[trial.before], draft[trial.before]
        shares = (p[token], q[token], keep_probability(p, q, token))
        rows[f"drafted_{number}"] = (number, words[before], trial.draw, words[token], *shares, trial.tried_with, _fate(trial))
    drawn = [column("number", "No."), column("after"), column("r_drafting", "r drafting")]
    tried = [column("keep", "min(1, p/q)"), column("r_trying", "r trying"), column("fate")]
    return table("trace", [*drawn, X, OF_TARGET, OF_DRAFT, *tried], rows)


def _fate(trial: Trial) -> str:
    if trial.tried_with is None:
        return "dropped unread"
    return "kept" if trial.kept else "rejected"


def last(words: Words, target: Model, draft: Model, one: SampledRound) -> Table:
    """The distribution the last token is drawn from, with where each token's share of [0, 1) ends."""
    p, q = target[one.last_before], draft[one.last_before]
    over, ends = excess(p, q), accumulate(one.last_from)
    rows = {
        f"token_{x + 1}": (
            word, p[x], *((q[x], over[x], one.last_from[x]) if one.rejected else ()), end, "drawn" if x == one.last else "",
        )
        for x, (word, end) in enumerate(zip(words, ends, strict=True))
    }  # fmt: skip
    beyond = [OF_DRAFT, column("excess", "max(0, p - q)"), column("drawn_with")] if one.rejected else []
    return table("last", [X, OF_TARGET, *beyond, "share_ends_at", "result"], rows)


def fates(words: Words, p: Distribution, q: Distribution) -> Table:
    """How each token comes out of one draft and trial, and how it would if a rejected one were drawn again from p."""
    lost = 1 - acceptance_rate(p, q)
    again = residual(p, q) if lost else p
    rows: dict[str, tuple[Cell, ...]] = {}
    for x, word in enumerate(words):
        kept, redrawn = min(p[x], q[x]), lost * again[x]
        rows[f"token_{x + 1}"] = (word, p[x], q[x], kept, redrawn, kept + redrawn, kept + lost * p[x])
    kinds = ["drafted_and_kept", "drawn_again", "emitted", "if_drawn_again_from_p"]
    return table("one_token", [X, OF_TARGET, OF_DRAFT, *kinds], rows)
