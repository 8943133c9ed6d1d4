"""Tables of speculative decoding: greedy calls, a traced round, and the fates of one drafted token."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from generators.steps import Table
from generators.topics.speculative_decoding import (
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

Words = Sequence[str]


def models_table(words: Words, target: Model, draft: Model) -> Table:
    """Both models, a row for each token before."""
    header = ("After", *(f"{name}: {word}" for name in ("target", "draft") for word in words))
    rows = tuple((word, *p, *q) for word, p, q in zip(words, target, draft, strict=True))
    return Table(header=header, rows=rows)


def rounds_table(words: Words, start: int, rounds: Sequence[GreedyRound]) -> Table:
    """Greedy calls, one after the other from the token `start`."""

    def joined(tokens: Sequence[int]) -> str:
        return ", ".join(words[token] for token in tokens)

    rows = []
    for number, one in enumerate(rounds, 1):
        texts = (joined(one.drafted), joined(one.choices), one.accepted, joined(one.emitted))
        rows.append((number, words[start], *texts, len(one.emitted)))
        start = one.emitted[-1]
    header = ("Call", "After", "Drafted", "Target's choices", "Accepted", "Emitted", "Tokens")
    return Table(header=header, rows=tuple(rows))


def trace_table(words: Words, target: Model, draft: Model, one: SampledRound) -> Table:
    """Every drafted token: the numbers r that drew and tried it, and what became of it."""
    rows = []
    for number, trial in enumerate(one.trials, 1):
        p, q = target[trial.before], draft[trial.before]
        keep = keep_probability(p, q, trial.token)
        pair = (p[trial.token], q[trial.token])
        rows.append((number, words[trial.before], trial.draw, words[trial.token], *pair, keep, trial.tried_with, _fate(trial)))
    header = ("No.", "After", "r drafting", "x", "p(x)", "q(x)", "min(1, p/q)", "r trying", "Fate")
    return Table(header=header, rows=tuple(rows))


def _fate(trial: Trial) -> str:
    if trial.tried_with is None:
        return "dropped unread"
    return "kept" if trial.kept else "rejected"


def last_table(words: Words, target: Model, draft: Model, one: SampledRound) -> Table:
    """The distribution the last token is drawn from, with where each token's share of [0, 1) ends."""
    before = one.trials[one.accepted].before if one.rejected else one.trials[-1].token
    p, q = target[before], draft[before] if one.rejected else None
    rows = []
    end = Fraction(0)
    for x, share in enumerate(one.last_from):
        end += share
        compared = (q[x], excess(p, q)[x]) if q else (None, None)
        rows.append((words[before], words[x], p[x], *compared, share, end, "drawn" if x == one.last else ""))
    header = ("After", "x", "p(x)", "q(x)", "max(0, p - q)", "Drawn with", "Share ends at", "Result")
    return Table(header=header, rows=tuple(rows))


def fates_table(words: Words, p: Distribution, q: Distribution) -> Table:
    """How each token comes out of one draft and trial, and how it would if a rejected one were drawn again from p."""
    lost = 1 - acceptance_rate(p, q)
    again = residual(p, q) if lost else p
    kept = [min(pair) for pair in zip(p, q, strict=True)]
    rows = tuple(
        (word, p[x], q[x], kept[x], lost * again[x], kept[x] + lost * again[x], kept[x] + lost * p[x])
        for x, word in enumerate(words)
    )
    header = ("x", "p(x)", "q(x)", "Drafted and kept", "Drawn again", "Emitted", "If drawn again from p")
    return Table(header=header, rows=rows)
