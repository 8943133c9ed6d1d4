"""Assignment 2, question 2: how many sequences there are, what beam search costs, and what it finds on a tree."""

from generators.courses.ift6135.a2_q2_decoding.draw import draw
from generators.courses.ift6135.a2_q2_decoding.find import find
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.courses.ift6135.a2_q2_decoding.slips import slips
from generators.courses.ift6135.a2_q2_decoding.solve import solve
from generators.pipeline.wording import counted
from generators.question import Question, Whole

QUESTION = Question(
    title="Decoding: enumeration, greedy and beam search",
    points=20,
    params=DecodingParams,
    solve=solve,
    find=find,
    draw=draw,
    slips=slips,
    variants=tuple(("Number of beams (from the sheet)", counted(beams, "beam"), {"beam_width": beams}) for beams in range(1, 5)),
    what_if=("sizes.vocabulary_size", "sizes.length", "sizes.beam_width", "sizes.sequences_per_second"),
    others=(
        {
            "sizes": {"vocabulary_size": 10, "length": 3, "beam_width": 3, "sequences_per_second": 7},
            "tree": Whole(
                a={"log_p": "-1", "next": {"x": "-2", "y": "-3"}}, b={"log_p": "-1.1", "next": {"x": "-2.5", "y": "-0.5"}}
            ),
            "beam_width": 1,
        },
        {
            "sizes": {"vocabulary_size": 3, "length": 4, "beam_width": 2, "sequences_per_second": 11},
            "tree": Whole(a="-2", b="-1.75", c="-3"),
            "beam_width": 3,
        },
        {
            "sizes": {"vocabulary_size": 5, "length": 7, "beam_width": 5, "sequences_per_second": 1},
            "tree": Whole(a={"log_p": "-1", "next": {"x": "-4"}}, b={"log_p": "-1.5", "next": {"x": "-1"}}),
            "beam_width": 2,
            "conventions": {"ties": "last"},
        },
    ),
)
