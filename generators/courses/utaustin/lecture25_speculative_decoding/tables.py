"""Tables of speculative decoding: greedy calls, a traced round, and the fates of one drafted token."""

from __future__ import annotations

from collections.abc import Sequence
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
    keys = [(name, f"{name}_{place}", word) for name in ("target", "draft") for place, word in enumerate(words, 1)]
    rows = {
        f"token_{place}": {"after": word, **dict(zip((key for _, key, _ in keys), (*p, *q), strict=True))}
        for place, (word, p, q) in enumerate(zip(words, target, draft, strict=True), 1)
    }
    return table("models", ["after", *(column(key, f"{name}: {word}") for name, key, word in keys)], rows)


def joined(words: Words, tokens: Sequence[int]) -> str:
    """Tokens in words."""
    return ", ".join(words[token] for token in tokens)


def rounds(words: Words, start: int, found: Sequence[GreedyRound]) -> Table:
    """Greedy calls, one after the other from the token `start`."""
    rows: dict[str, dict[str, Cell]] = {}
    for number, one in enumerate(found, 1):
        rows[f"call_{number}"] = {
            "call": number,
            "after": words[start],
            "drafted": joined(words, one.drafted),
            "choices": joined(words, one.choices),
            "accepted": one.accepted,
            "emitted": joined(words, one.emitted),
            "tokens": len(one.emitted),
        }
        start = one.emitted[-1]
    choices = column("choices", "Target's choices")
    return table("rounds", ["call", "after", "drafted", choices, "accepted", "emitted", "tokens"], rows)


def places(words: Words, found: Sequence[GreedyRound]) -> Table:
    """Every place of every greedy call: what was drafted, what the target says, and what comes of its choice."""
    rows: dict[str, dict[str, Cell]] = {}
    for number, one in enumerate(found, 1):
        for place, choice in enumerate(one.choices):
            drafted = words[one.drafted[place]] if place < len(one.drafted) else None
            fate = "kept" if place < one.accepted else "own" if place == one.accepted else "unused"
            rows[f"call_{number}.{place + 1}"] = {"call": number, "drafted": drafted, "choice": words[choice], "fate": fate}
    return table("places", ["call", "drafted", "choice", "fate"], rows, drawn=True)


def trace(words: Words, target: Model, draft: Model, one: SampledRound) -> Table:
    """Every drafted token: the numbers r that drew and tried it, and what became of it."""
    rows: dict[str, dict[str, Cell]] = {}
    for number, trial in enumerate(one.trials, 1):
        p, q = target[trial.before], draft[trial.before]
        rows[f"drafted_{number}"] = {
            "number": number,
            "after": words[trial.before],
            "r_drafting": trial.draw,
            "x": words[trial.token],
            "p": p[trial.token],
            "q": q[trial.token],
            "keep": keep_probability(p, q, trial.token),
            "r_trying": trial.tried_with,
            "fate": _fate(trial),
        }
    drawn, tried = column("r_drafting", "r drafting"), column("r_trying", "r trying")
    return table(
        "trace",
        [column("number", "No."), "after", drawn, X, OF_TARGET, OF_DRAFT, column("keep", "min(1, p/q)"), tried, "fate"],
        rows,
    )


def _fate(trial: Trial) -> str:
    if trial.tried_with is None:
        return "dropped unread"
    return "kept" if trial.kept else "rejected"


def last(words: Words, target: Model, draft: Model, one: SampledRound, before: int) -> Table:
    """The distribution the last token is drawn from, with where each token's share of [0, 1) ends."""
    p, q = target[before], draft[before]
    rows: dict[str, dict[str, Cell]] = {}
    for x, (word, end) in enumerate(zip(words, accumulate(one.last_from), strict=True)):
        compared: dict[str, Cell] = {"q": q[x], "excess": excess(p, q)[x], "drawn_with": one.last_from[x]} if one.rejected else {}
        result = "drawn" if x == one.last else ""
        rows[f"token_{x + 1}"] = {"x": word, "p": p[x], **compared, "share_ends_at": end, "result": result}
    beyond = [OF_DRAFT, column("excess", "max(0, p - q)"), column("drawn_with")] if one.rejected else []
    return table("last", [X, OF_TARGET, *beyond, "share_ends_at", "result"], rows)


def fates(words: Words, p: Distribution, q: Distribution) -> Table:
    """How each token comes out of one draft and trial, and how it would if a rejected one were drawn again from p."""
    lost = 1 - acceptance_rate(p, q)
    again = residual(p, q) if lost else p
    rows: dict[str, dict[str, Cell]] = {}
    for x, word in enumerate(words):
        kept = min(p[x], q[x])
        rows[f"token_{x + 1}"] = {
            "x": word,
            "p": p[x],
            "q": q[x],
            "drafted_and_kept": kept,
            "drawn_again": lost * again[x],
            "emitted": kept + lost * again[x],
            "if_drawn_again_from_p": kept + lost * p[x],
        }
    kinds = ["drafted_and_kept", "drawn_again", "emitted", "if_drawn_again_from_p"]
    return table("one_token", [X, OF_TARGET, OF_DRAFT, *kinds], rows)
