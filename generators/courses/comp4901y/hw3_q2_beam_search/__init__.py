"""Homework 3, question 2: the track of a beam search on the tree of all sequences, and what it ends with."""

from generators.courses.comp4901y.hw3_q2_beam_search.draw import draw
from generators.courses.comp4901y.hw3_q2_beam_search.find import find
from generators.courses.comp4901y.hw3_q2_beam_search.params import BeamParams
from generators.courses.comp4901y.hw3_q2_beam_search.solve import solve
from generators.question import Question, Whole

QUESTION = Question(
    title="Beam search on a tree of probabilities",
    points=20,
    params=BeamParams,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {"tree": Whole(a="0.4", b="0.3", c="0.1", d="0.2"), "num_beams": 1},
        {
            "tree": Whole(a={"p": "0.6", "next": {"a": "0.5", "b": "0.5"}}, b={"p": "0.4", "next": {"a": "0.1", "b": "0.9"}}),
            "num_beams": 2,
            "conventions": {"scoring": "sum of logs"},
        },
    ),
)
