"""Finds 2.4 and 2.5 again: the tree enumerated, ranks counted, and the tree searched with Hugging Face's generate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate

from generators.cells import Cell, Math
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.found import Found, Route
from generators.oracles import token_tree as trees
from generators.oracles.token_tree import Prefix, Scores, Weights

SHEET = Route("the sheet and the parameters, read again", restates=True)
ADDED = Route("a running sum")
COUNTED = Route("ranks by counting better candidates")
SCORED = {"log_likelihood": "Log-likelihood"}


def searches(params: DecodingParams) -> Iterator[Found]:
    """Both decodings of the tree, and what they miss."""
    weights = trees.weights_of(params.tree, "log_p")
    scores = {(): Fraction(0)} | {prefix: _sum(weights, prefix) for prefix in weights}
    ties, width = params.conventions.ties, params.beam_width
    greedy, beams = (trees.search(scores, one, ties) for one in (1, width))
    yield from _greedy(weights, scores, greedy)
    yield from _beams(weights, scores, beams, params)
    yield from _limitations(params, scores, greedy, beams)
    yield from _generated("2.4a", 1, weights, scores, greedy)
    yield from _generated("2.4b", width, weights, scores, beams)


def _sum(weights: Weights, prefix: Prefix) -> Fraction:
    *_, last = accumulate(trees.along(weights, prefix))
    return last


def _candidates(label: str, weights: Weights, scores: Scores, steps: Sequence[trees.Found]) -> Iterator[Found]:
    keys = trees.node_keys(weights)
    rows: dict[str, tuple[Cell, ...]] = {}
    for number, step in enumerate(steps, 1):
        for one in step.ranks:
            key, last = (f"{keys[one]}.step_{number}", (None, None)) if number > len(one) else (
                keys[one], (scores[one[:-1]], weights[one]))  # fmt: skip
            rows[key] = (number, " ".join(one), *last, scores[one], "yes" if one in step.kept else "no")
    headings = {"before": "Before", "last": "Last word", **SCORED}
    yield from COUNTED.table(label, "candidates", rows, headings=headings, columns=("step", "candidate", *headings, "kept"))


def _greedy(weights: Weights, scores: Scores, steps: Sequence[trees.Found]) -> Iterator[Found]:
    yield from SHEET.part("2.4a", "Greedy decoding")
    (end,) = steps[-1].kept
    yield from COUNTED.values("2.4a", sequence=" ".join(end))
    symbols = {"log_likelihood": rf"\log p(\overline{{\mathbf{{w}}}}_{{1:{len(end)}}})"}
    yield from ADDED.values("2.4a", symbols=symbols, log_likelihood=scores[end])
    yield from _candidates("2.4a", weights, scores, steps)


def _beams(weights: Weights, scores: Scores, steps: Sequence[trees.Found], params: DecodingParams) -> Iterator[Found]:
    width = params.beam_width
    yield from SHEET.part("2.4b", "Beam search with 1 beam" if width == 1 else f"Beam search with {width} beams")
    tree = trees.tree_cells(weights, steps, "log_probability")
    yield from COUNTED.table("2.4b", "tree", tree, headings={"log_probability": "Log-probability"})
    rows = _ranked(scores, steps[-1].kept)
    equal = {len(one) for one in trees.complete(scores)} == {len(steps)}
    words = Math(rf"\mathbf{{w}}_{{1:{len(steps)}}}^{{(b)}}" if equal else r"\mathbf{w}^{(b)}")
    headings: dict[str, str | Math] = {"rank": Math("b"), "sequence": words, **SCORED}
    yield from COUNTED.table("2.4b", "final", rows, headings=headings)
    yield from _candidates("2.4b", weights, scores, steps)
    pruned = [[scores[one] for one in step.ranks if one not in step.kept] for step in steps]
    ends = [scores[step.kept[-1]] for step in steps]
    tie = any(end in below for end, below in zip(ends, pruned, strict=True))
    yield from COUNTED.values("2.4b", {"tie": tie, **({"ties": params.conventions.ties} if tie else {})})


def _ranked(scores: Scores, order: Sequence[Prefix]) -> dict[str, dict[str, Cell]]:
    """Rank, sequence and log-likelihood, for sequences in their order."""
    return {f"rank_{n}": {"rank": n, "sequence": " ".join(one), "log_likelihood": scores[one]} for n, one in enumerate(order, 1)}


def _limitations(
    params: DecodingParams, scores: Scores, greedy: Sequence[trees.Found], beams: Sequence[trees.Found]
) -> Iterator[Found]:
    ties = params.conventions.ties
    order = trees.ranks(scores, trees.complete(scores), ties)
    best, *_ = order
    ends = {name: scores[steps[-1].kept[0]] for name, steps in (("greedy", greedy), ("beam", beams))}
    gaps = {name: scores[best] - end for name, end in ends.items()}
    yield from SHEET.part("2.5", "Limitations")
    yield from COUNTED.values("2.5", ell_best=scores[best], ell_greedy=ends["greedy"], ell_beam=ends["beam"])
    for key, name, steps in (("greedy_loses", "greedy", greedy), ("beams_lose", "beam", beams)):
        if gaps[name]:
            yield from COUNTED.values("2.5", {key: trees.pruned_at(best, steps)})
    yield from COUNTED.values("2.5", greedy_misses=gaps["greedy"] > 0, greedy_finds=gaps["greedy"] == 0)
    yield from COUNTED.values("2.5", beams_miss=gaps["beam"] > 0, beams_find=gaps["beam"] == 0)
    yield from COUNTED.values("2.5", beams_do_worse=gaps["beam"] > gaps["greedy"], best=" ".join(best))
    smallest = trees.smallest_width(scores, ties)
    yield from COUNTED.values("2.5", smallest_width=smallest, symbols={"smallest_width": r"B_{\min}"})
    rows = _ranked(scores, list(order))
    for row, one in zip(rows.values(), order, strict=True):
        by = [name for name, steps in (("greedy decoding", greedy), ("beam search", beams)) if one in steps[-1].kept]
        row["found_by"] = ", ".join(by) or "–"
    yield from COUNTED.table("2.5", "sequences", rows, headings=SCORED)


def _generated(label: str, width: int, weights: Weights, scores: Scores, steps: Sequence[trees.Found]) -> Iterator[Found]:
    """The fate of every node down to the first step whose cut float32 cannot tell, and the log-likelihoods at the end."""
    from generators.oracles.tree_model import generate_route, generated, generated_fates

    logs = tuple((prefix, float(weight)) for prefix, weight in weights.items())
    run, by, decided = generated(logs, width), generate_route(width), trees.decided_steps(scores, steps)
    if label == "2.4b":
        yield from by.cells(label, "tree", generated_fates(weights, run, decided))
    if not trees.settled(scores, steps):
        return
    if label == "2.4a":
        yield from by.values(label, log_likelihood=run.final[0][1])
    else:
        yield from by.cells(label, "final", {f"rank_{n}": {"log_likelihood": log} for n, (_, log) in enumerate(run.final, 1)})
