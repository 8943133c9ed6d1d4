"""Counts sequences and operations, then decodes the tree greedily and with beams."""

from __future__ import annotations

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, value_at
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.courses.ift6135.a2_q2_decoding.searches import beam_part, greedy_part, limitations
from generators.table import Table, column, table
from generators.topics.beam_search import SUM, beam_search
from generators.topics.growth import ORDER, leading_terms
from generators.topics.token_tree import Tree, flattened, same_length

SECONDS_PER_DAY, SECONDS_PER_YEAR = 86_400, 31_557_600  # a Julian year of 365.25 days
FIGURE_OF_2021 = {
    ("the",): "-1.5", ("the", "green"): "-3.4", ("the", "green", "ellipse"): "-3.6", ("the", "green", "rectangle"): "-3.3",
    ("the", "red"): "-3.1", ("the", "red", "circle"): "-4.8", ("the", "red", "rectangle"): "-4.5",
    ("a",): "-1.8", ("a", "blue"): "-2.5", ("a", "blue", "ellipse"): "-5.4", ("a", "blue", "square"): "-5",
    ("a", "red"): "-2.7", ("a", "red", "circle"): "-4.9", ("a", "red", "square"): "-5.1",
}  # fmt: skip
"""The tree of the assignment's 2021 editions."""
T, B, N, rho = sympy.symbols("T B N rho", positive=True)
LINES = {
    "calls": ("ask the model for p(· | w)", "calls", T * B),
    "scores": ("compute the BN scores", "additions", T * B * N),  # one a step, hypothesis and word
    # the b-th largest is the largest of the BN - b + 1 scores left, which takes BN - b
    "scan": ("find the b-th largest, for each b anew", "comparisons", T * (B**2 * N - B * (B + 1) / 2)),
    "copies": ("save prefixes and assign them back", "words copied", B * T * (T + 1)),  # at step t, B prefixes of t words
    "updates": ("add a word, update a log-likelihood", "assignments", 2 * B * T),
}
"""What each line of Algorithm 1 does in all T steps; Σ over b of BN - b is B²N - B(B + 1)/2."""
HELD = B * N + 2 * B * T + 3 * B
"""The scores of a step, B sequences of T + 1 words, B saved prefixes of T, old and new log-likelihoods."""


def solve(params: DecodingParams) -> Answer:
    """Every part, in the order of the sheet."""
    tree, ties, width = flattened(params.tree, "log_p"), params.conventions.ties, params.beam_width
    greedy, beams = (beam_search(tree, beam_width, SUM, ties) for beam_width in (1, width))
    sheet = _sheet(params, tree)
    return answer(
        sheet,
        _count(params, sheet),
        _feasibility(params, sheet),
        _complexity(sheet),
        greedy_part(tree, greedy),
        beam_part(tree, beams, width, ties),
        limitations(tree, greedy, beams, width, ties),
    )


def _sheet(params: DecodingParams, tree: Tree) -> Part:
    """What is given, and the sizes of the example."""
    sizes, width = params.sizes, params.beam_width
    return part(
        "sheet",
        "Given",
        letter(N, sizes.vocabulary_size, "words"),
        letter(T, sizes.length, "time steps"),
        letter(B, sizes.beam_width, "beam width"),
        letter(rho, sizes.sequences_per_second, "sequences a second"),
        claim("starts_anywhere", params.conventions.bos == "any position", "the start token may stand again"),
        claim("starts_once", params.conventions.bos == "start only", "the start token never stands again"),
        number("beam_width", width, "beam width on the tree"),
        claim("several_beams", width > 1),
        claim("lengths_differ", not same_length(tree), "sequences of the tree end after different numbers of words"),
        claim("tree_of_the_figure", dict(tree) == {one: sympy.Rational(log_p) for one, log_p in FIGURE_OF_2021.items()}),
    )


def _sequences(params: DecodingParams) -> sympy.Expr:
    return N**T if params.conventions.bos == "any position" else (N - 1) ** T


def _count(params: DecodingParams, sheet: Part) -> Part:
    """The count under both readings of where <BOS> may stand."""
    other = (N - 1) ** T if params.conventions.bos == "any position" else N**T
    return part(
        "2.1",
        "Number of sequences",
        formula("sequences", _sequences(params), "sequences that start with the start token", "S", asked=True),
        formula("other_reading", other, "sequences under the other reading", "S'"),
        within=sheet,
    )


def _feasibility(params: DecodingParams, sheet: Part) -> Part:
    """How long all sequences take at the stated rate, and what a larger vocabulary does."""
    count = _sequences(params)
    of_a_day = params.sizes.sequences_per_second * SECONDS_PER_DAY
    feasible, infeasible = value_at(count, sheet) <= of_a_day, value_at(count, sheet) > of_a_day
    doubled = sympy.expand_power_base(count.subs(N, 2 * N))
    return part(
        "2.2",
        "Feasibility of exhaustive enumeration",
        claim("feasible", feasible, "all sequences are tried within a day"),
        claim("infeasible", infeasible, "all sequences take longer than a day"),
        formula("seconds", count / rho, "time for all sequences", r"\tau", "s", asked=feasible),
        formula("years", count / (rho * SECONDS_PER_YEAR), "time for all sequences", r"\tau", "years", asked=infeasible),
        formula("doubling", doubled / count, "growth when the vocabulary doubles", "S(2N) / S(N)", asked=True),
        within=sheet,
    )


def _complexity(sheet: Part) -> Part:
    """Every line's count, and the orders of growth as the algorithm is printed."""
    time = sum((LINES[one][2] for one in ("scores", "scan", "copies", "updates")), sympy.Integer(0))
    return part(
        "2.3",
        "Time and space of Algorithm 1",
        number("time", _order(time), "time", asked=True),
        number("space", _order(HELD), "space", asked=True),
        formula("held", HELD, "numbers held at once"),
        _lines(sheet),
        within=sheet,
    )


def _order(count: sympy.Expr) -> sympy.Expr:
    """The fastest-growing terms while T, B and N grow apart from each other."""
    return ORDER(leading_terms(sympy.expand(count), (T, B, N), [(1, 0, 0), (0, 1, 0), (0, 0, 1)]))


def _lines(sheet: Part) -> Table:
    rows = {key: (line, operation, count, value_at(count, sheet)) for key, (line, operation, count) in LINES.items()}
    return table("lines", ["line", "operation", column("count", of="example"), "example"], rows)
