"""Tables of speculative decoding: both models, greedy calls, a traced round, and the fates of one drafted token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from generators.cells import Cell
from generators.courses.utaustin.lecture25_speculative_decoding.rounds import (
    Distribution,
    GreedyRound,
    Model,
    SampledRound,
    acceptance_rate,
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
    return " ".join(words[token] for token in tokens)


def rounds(words: Words, found: Sequence[GreedyRound]) -> Table:
    """Greedy calls, one after the other."""
    rows = {
        f"call_{number}": (number, *(joined(words, tokens) for tokens in (one.drafted, one.choices, one.emitted)), one.accepted)
        for number, one in enumerate(found, 1)
    }
    return table("rounds", ["call", "drafted", column("choices", "Target's choices"), "emitted", column("kept")], rows)


def trace(words: Words, target: Model, draft: Model, one: SampledRound) -> Table:
    """Every drafted token: the numbers r that drew and tried it, and what became of it."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for place, draw in enumerate(one.draws):
        before, token = one.tokens[place : place + 2]
        p, q = target[before], draft[before]
        tried_with = one.tries[place] if place < len(one.tries) else None
        fate = "not tried" if tried_with is None else "kept" if place < one.accepted else "rejected"
        shares = (p[token], q[token], keep_probability(p, q, token))
        rows[f"drafted_{place + 1}"] = (words[before], draw, words[token], *shares, tried_with, fate)
    drawn = [column("after"), column("r_drafting", "r drafting"), X, OF_TARGET, OF_DRAFT]
    return table("trace", [*drawn, column("keep", "min(1, p/q)"), column("r_trying", "r trying"), "fate"], rows)


def last(words: Words, one: SampledRound) -> Table:
    """The distribution from which the last token is drawn, and where each token's share of [0, 1) ends."""
    shares = zip(words, one.last_from, accumulate(one.last_from), strict=True)
    return table("last", [X, "drawn_with", "share_ends_at"], {f"token_{x}": row for x, row in enumerate(shares, 1)})


def fates(words: Words, p: Distribution, q: Distribution) -> Table:
    """How each token may come out of one draft and trial: drafted and kept, or drawn in place of a rejected one."""
    lost = 1 - acceptance_rate(p, q)
    again = residual(p, q) if lost else p
    rows: dict[str, tuple[Cell, ...]] = {}
    for x, word in enumerate(words):
        kept, redrawn = min(p[x], q[x]), lost * again[x]
        rows[f"token_{x + 1}"] = (word, p[x], q[x], kept, redrawn, kept + redrawn)
    return table("one_token", [X, OF_TARGET, OF_DRAFT, "drafted_and_kept", "drawn_instead", "emitted"], rows)
