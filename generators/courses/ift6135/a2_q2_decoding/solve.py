"""Counts sequences and operations, then decodes the tree greedily, with beams and exhaustively."""

from __future__ import annotations

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import exact
from generators.courses.ift6135.a2_q2_decoding import cost
from generators.courses.ift6135.a2_q2_decoding.cost import B, N, T
from generators.courses.ift6135.a2_q2_decoding.counted_runs import runs_table
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.courses.ift6135.a2_q2_decoding.searches import greedy_part, limitations, track_parts
from generators.table import column, table
from generators.topics.beam_search import SUM, beam_search
from generators.topics.token_tree import Tree, flattened

SECONDS_PER_DAY, SECONDS_PER_YEAR = 86_400, 31_557_600  # a Julian year of 365.25 days
LISTED = ((2, 3), (3, 2), (3, 4), (5, 3))
"""Words and lengths for which all sequences are written out and counted."""
FIGURE_OF_2021 = {
    ("the",): "-1.5", ("the", "green"): "-3.4", ("the", "green", "ellipse"): "-3.6", ("the", "green", "rectangle"): "-3.3",
    ("the", "red"): "-3.1", ("the", "red", "circle"): "-4.8", ("the", "red", "rectangle"): "-4.5",
    ("a",): "-1.8", ("a", "blue"): "-2.5", ("a", "blue", "ellipse"): "-5.4", ("a", "blue", "square"): "-5",
    ("a", "red"): "-2.7", ("a", "red", "circle"): "-4.9", ("a", "red", "square"): "-5.1",
}  # fmt: skip
"""The tree of the assignment's 2021 editions."""
r = sympy.Symbol("r", positive=True)


def solve(params: DecodingParams) -> Answer:
    """Every part, in the order of the sheet."""
    tree, ties, width = flattened(params.tree, "log_p"), params.conventions.ties, params.beam_width
    greedy, beams = (beam_search(tree, beam_width, SUM, ties) for beam_width in (1, width))
    sheet = _sheet(params, tree)
    levels = cost.levels(sheet)
    return answer(
        sheet,
        _count(params, sheet),
        _feasibility(params, sheet),
        levels,
        _complexity(params, sheet, levels),
        greedy_part(tree, greedy),
        *track_parts(tree, beams, beam_search(tree, width, SUM, ties, starts=width), width),
        limitations(tree, greedy, beams, width, ties),
    )


def _sheet(params: DecodingParams, tree: Tree) -> Part:
    """What is given, and the sizes of the examples."""
    sizes, width = params.feasibility, params.beam_width
    return part(
        "sheet",
        "Given",
        letter(N, sizes.vocabulary_size, "words"),
        letter(T, sizes.length, "words of a sequence"),
        letter(r, sizes.sequences_per_second, "sequences or scores a second"),
        letter(B, params.counted.beam_width, "beam width"),
        claim("starts_anywhere", params.conventions.bos == "any position", "the start token may stand again"),
        claim("starts_once", params.conventions.bos == "start only", "the start token never stands again"),
        number("beam_width", width, "beam width on the tree"),
        claim("one_beam", width == 1),
        claim("several_beams", width > 1),
        text("ties", params.conventions.ties),
        claim("tree_of_the_figure", dict(tree) == {one: sympy.Rational(log_p) for one, log_p in FIGURE_OF_2021.items()}),
    )


def _sequences(params: DecodingParams) -> sympy.Expr:
    return N**T if params.conventions.bos == "any position" else (N - 1) ** T


def _count(params: DecodingParams, sheet: Part) -> Part:
    """The count under both readings of where <BOS> may stand, and small cases to be listed."""
    count = _sequences(params)
    other = (N - 1) ** T if params.conventions.bos == "any position" else N**T
    rows = {
        f"words_{words}_length_{length}": (words, length, *(int(one.subs({N: words, T: length})) for one in (count, other)))
        for words, length in LISTED
    }
    return part(
        "2.1",
        "Number of sequences",
        formula("sequences", count, "sequences that start with the start token", "S", asked=True),
        formula("other_reading", other, "sequences under the other reading", "S'"),
        table("listed", ["N", "T", "sequences", "under_the_other_reading"], rows),
        within=sheet,
    )


def _feasibility(params: DecodingParams, sheet: Part) -> Part:
    """How long all sequences take at the stated rate."""
    sizes, count = params.feasibility, _sequences(params)
    rate, longest = sizes.sequences_per_second, _longest(params)
    feasible = sizes.length <= longest
    rows = {
        f"words_{words}": (
            words,
            *(exact(one.subs({N: words, T: sizes.length})) for one in (count, count / rate, count / rate / SECONDS_PER_YEAR)),
        )
        for words in sorted({sizes.vocabulary_size, *sizes.other_vocabulary_sizes})
    }
    doubled = sympy.expand_power_base(count.subs(N, 2 * N))
    columns = [column("words"), column("sequences"), column("seconds", "Time", "s"), column("years", "Time", "years")]
    return part(
        "2.2",
        "Feasibility of exhaustive enumeration",
        claim("feasible", feasible, "all sequences are tried within a day"),
        claim("infeasible", not feasible, "all sequences take longer than a day"),
        formula("seconds", count / r, "time for all sequences", "t", "s", asked=feasible),
        number("year", SECONDS_PER_YEAR, "a year in seconds", unit="s"),
        formula("years", count / (r * SECONDS_PER_YEAR), "the same in years", "t", "years", asked=not feasible),
        formula("doubling", doubled / count, "growth when the vocabulary doubles", "S(2N) / S(N)", asked=True),
        number("longest", longest, "longest sequences enumerated in a day", r"T_{\text{day}}"),
        table("vocabularies", columns, rows),
        within=sheet,
    )


def _longest(params: DecodingParams) -> int:
    """The largest T whose sequences are all scored within a day."""
    base = int(_sequences(params).subs({N: params.feasibility.vocabulary_size, T: 1}))
    within, length = params.feasibility.sequences_per_second * SECONDS_PER_DAY, 0
    while base ** (length + 1) <= within:
        length += 1
    return length


def _complexity(params: DecodingParams, sheet: Part, levels: Part) -> Part:
    """Every line's count as a formula and at the sizes of 2.2, and operations counted in runs."""
    counted = params.counted
    both = part("both", "Sizes and levels", within=(sheet, levels))
    return part(
        "2.3",
        "Time and space of Algorithm 1",
        cost.growth_table(),
        cost.lines_table(both),
        formula("seconds", cost.SCORES / r, "time for all scores", "t", "s", asked=True),
        number("length_of_runs", counted.length, "words of a run's sequences", "T"),
        runs_table(counted.beam_width, counted.length, counted.vocabulary_sizes, counted.seed),
        within=(sheet, levels),
    )
