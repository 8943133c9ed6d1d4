"""Finds 2.4 and 2.5 again: the tree enumerated, ranks counted, and the tree searched with Hugging Face's generate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate

from generators.cells import Math
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.found import Found, Route
from generators.oracles import token_tree as trees
from generators.oracles.token_tree import Prefix, Scores, Weights

SHEET = Route("the sheet and the parameters, read again", restates=True)
ADDED = Route("a running sum")
COUNTED = Route("ranks by counting better candidates")
PRINTED = Route("the pseudo-code run line by line")
DIFFERENCE = Route("the difference of two scores")
POWERS = Route("e to the difference of two scores, in float64", tolerance=1e-12)
HEADINGS = {"log_probability": "Log-probability", "log_likelihood": "Log-likelihood"}
SCORED = {"log_likelihood": "Log-likelihood"}


def searches(params: DecodingParams) -> Iterator[Found]:
    """Both decodings of the tree, and what they miss."""
    weights = trees.weights_of(params.tree, "log_p")
    scores = {(): Fraction(0)} | {prefix: _sum(weights, prefix) for prefix in weights}
    ties, width = params.conventions.ties, params.beam_width
    greedy, beams = (trees.search(scores, one, ties) for one in (1, width))
    yield from _greedy(weights, scores, greedy, ties)
    yield from _beams(weights, scores, beams, width)
    yield from _printed(weights, width, ties)
    yield from _limitations(params, weights, scores, greedy, beams)
    yield from _generated("2.4a", 1, weights, scores, greedy)
    yield from _generated("2.4b", width, weights, scores, beams)


def _sum(weights: Weights, prefix: Prefix) -> Fraction:
    *_, last = accumulate(trees.along(weights, prefix))
    return last


def _greedy(weights: Weights, scores: Scores, steps: Sequence[trees.Found], ties: str) -> Iterator[Found]:
    """Follow the likeliest word, one after the other."""
    yield from SHEET.part("2.4a", "Greedy decoding")
    yield from _tree("2.4a", weights, steps)
    keys = trees.node_keys(weights)
    prefix: Prefix = ()
    rows = {}
    while below := [one for one in weights if one[:-1] == prefix]:
        order = trees.ranks(weights, below, ties)
        for one, rank in order.items():
            rows[keys[one]] = (len(one), one[-1], weights[one], scores[one], "taken" if rank == 1 else "left")
        prefix = next(iter(order))
    columns = ("step", "word", *HEADINGS, "choice")
    yield from COUNTED.table("2.4a", "choices", rows, headings=HEADINGS, columns=columns)
    yield from COUNTED.values("2.4a", sequence=" ".join(prefix))
    yield from ADDED.values("2.4a", symbols={"log_likelihood": r"\log p(\overline{w}_{1:T})"}, log_likelihood=scores[prefix])


def _tree(label: str, weights: Weights, steps: Sequence[trees.Found]) -> Iterator[Found]:
    headings = {"log_probability": "Log-probability"}
    yield from COUNTED.table(label, "tree", trees.tree_cells(weights, steps, "log_probability"), headings=headings)


def _named(width: int) -> str:
    return "1 beam" if width == 1 else f"{width} beams"


def _beams(weights: Weights, scores: Scores, steps: Sequence[trees.Found], width: int) -> Iterator[Found]:
    yield from SHEET.part("2.4b", f"Beam search with {_named(width)}")
    yield from _tree("2.4b", weights, steps)
    rows = trees.ranked_cells(scores, steps[-1].kept, "log_likelihood")
    for row, one in zip(rows.values(), steps[-1].kept, strict=True):
        row.update({f"ell_{number}": weight for number, weight in enumerate(trees.along(weights, one), 1)})
    ells = [f"ell_{number}" for number in range(1, trees.length(scores) + 1)]
    headings: dict[str, str | Math] = {**SCORED, **{one: Math(f"\\ell_{{{one[4:]}}}") for one in ells}}
    columns = ("rank", "sequence", *ells, "log_likelihood")
    yield from COUNTED.table("2.4b", "final", rows, headings=headings, columns=columns)
    yield from COUNTED.values("2.4b", fewer_candidates=len(steps[0].ranks) < width)
    cuts = {
        f"step_{number}": (number, scores[step.kept[-1]] if len(step.kept) == width else Math(r"-\infty"))
        for number, step in enumerate(steps, 1)
    }
    yield from COUNTED.table("2.4b", "cuts", cuts, headings=SCORED, columns=("step", "log_likelihood"))
    names = {"before": "Log p before", "last_token": "Log p of last word", "score": "Log-likelihood"}
    for number, candidates in enumerate(trees.candidate_cells(weights, scores, steps), 1):
        noun = "candidate" if len(candidates) == 1 else "candidates"
        yield from COUNTED.part(f"step_{number}", f"Step {number}: {len(candidates)} {noun}")
        yield from COUNTED.table(f"step_{number}", "candidates", candidates, headings=names)


def _printed(weights: Weights, width: int, ties: str) -> Iterator[Found]:
    """The pseudo-code to the letter: all hypotheses start as <BOS> with log-likelihood 0, and pairs (b, j) are chosen."""
    place = {prefix: number if ties == "first" else -number for number, prefix in enumerate(weights)}
    words: list[Prefix] = [()] * width
    logs = [Fraction(0)] * width
    for _ in range(max(map(len, weights))):
        left = {(b, one): logs[b] + weights[one] for b, prefix in enumerate(words) for one in weights if one[:-1] == prefix}
        chosen: list[tuple[Prefix, Fraction]] = []
        while left and len(chosen) < width:
            best = min(left, key=lambda pair: (-left[pair], place[pair[1]], pair[0]))
            chosen.append((best[1], left.pop(best)))
        words, logs = [one for one, _ in chosen], [log for _, log in chosen]
    same = words.count(words[0])
    yield from PRINTED.values("2.4b", copies=same, copied=" ".join(words[0]), copied_log_likelihood=logs[0])


def _limitations(
    params: DecodingParams, weights: Weights, scores: Scores, greedy: Sequence[trees.Found], beams: Sequence[trees.Found]
) -> Iterator[Found]:
    ties, width = params.conventions.ties, params.beam_width
    order = trees.ranks(scores, trees.complete(scores), ties)
    ends = {"best": max(scores[one] for one in order)}
    ends |= {name: scores[steps[-1].kept[0]] for name, steps in (("greedy", greedy), ("beam", beams))}
    yield from SHEET.part("2.5", "Limitations")
    yield from COUNTED.letters("2.5", ell_best=ends["best"], ell_greedy=ends["greedy"], ell_beam=ends["beam"])
    yield from _gaps(ends)
    yield from COUNTED.values("2.5", greedy_misses=ends["greedy"] != ends["best"], greedy_finds=ends["greedy"] == ends["best"])
    yield from COUNTED.values("2.5", beams_miss=ends["beam"] != ends["best"])
    last = beams[-1].kept
    yield from COUNTED.values("2.5", one_first_word=width > 1 and all(one[0] == last[0][0] for one in last))
    yield from COUNTED.values("2.5", best=" ".join(next(iter(order))), sequences_of_the_tree=len(order), nodes=len(weights))
    smallest = trees.smallest_width(scores, ties)
    yield from COUNTED.values("2.5", smallest_width=smallest, symbols={"smallest_width": "B^*"})
    rows = {
        key: trees.search_cells(name, scores, order, steps, "log_likelihood", {"below_the_best": ends["best"] - ends[end]})
        for key, name, steps, end in (("greedy", "greedy", greedy, "greedy"), ("beams", _named(width), beams, "beam"))
    }
    yield from COUNTED.table("2.5", "searches", rows, headings=SCORED)
    widest = max(smallest, width)
    widths = trees.width_cells(scores, order, widest, ties, "log_likelihood")
    yield from COUNTED.table("2.5", "widths", widths, headings=SCORED)
    yield from COUNTED.table("2.5", "sequences", trees.ranked_cells(scores, list(order), "log_likelihood"), headings=SCORED)


def _gaps(ends: Mapping[str, Fraction]) -> Iterator[Found]:
    for name in ("greedy", "beam"):
        symbol = rf"p_{{\text{{best}}}} / p_{{\text{{{name}}}}}"
        ratio = {f"{name}_ratio": math.exp(ends["best"] - ends[name])}
        yield from POWERS.values("2.5", ratio, symbols={f"{name}_ratio": symbol})
    gain = ends["beam"] - ends["greedy"]
    yield from DIFFERENCE.values("2.5", symbols={"beam_gain": r"\Delta"}, beam_gain=gain)
    yield from DIFFERENCE.values("2.5", beams_do_worse=gain < 0, beams_do_the_same=gain == 0, beams_do_better=gain > 0)


def _logs(weights: Weights) -> tuple[tuple[Prefix, float], ...]:
    return tuple((prefix, float(weight)) for prefix, weight in weights.items())


def _generated(label: str, width: int, weights: Weights, scores: Scores, steps: Sequence[trees.Found]) -> Iterator[Found]:
    """The fate of every node down to the first step whose cut float32 cannot tell, and the log-likelihoods at the end."""
    from generators.oracles.tree_model import generate_route, generated, generated_fates

    run, by = generated(_logs(weights), width), generate_route(width)
    decided = trees.decided_steps(scores, steps)
    yield from by.cells(label, "tree", generated_fates(weights, run, decided))
    if decided >= len(steps) - 1:
        if label == "2.4a":
            yield from by.values(label, log_likelihood=run.final[0][1])
        else:
            yield from by.cells(label, "final", {f"rank_{n}": {"log_likelihood": log} for n, (_, log) in enumerate(run.final, 1)})
