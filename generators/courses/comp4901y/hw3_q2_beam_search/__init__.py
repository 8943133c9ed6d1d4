"""Homework 3, question 2: the track of a beam search on the tree of all sequences, and what it ends with."""

from generators.courses.comp4901y.hw3_q2_beam_search.draw import draw
from generators.courses.comp4901y.hw3_q2_beam_search.find import find
from generators.courses.comp4901y.hw3_q2_beam_search.params import BeamParams
from generators.courses.comp4901y.hw3_q2_beam_search.slips import slips
from generators.courses.comp4901y.hw3_q2_beam_search.solve import solve
from generators.pipeline.wording import counted
from generators.question import Question

QUESTION = Question(
    title="Beam search on a tree of probabilities",
    points=20,
    params=BeamParams,
    solve=solve,
    find=find,
    draw=draw,
    slips=slips,
    variants=tuple(("Number of beams (from the sheet)", counted(beams, "beam"), {"num_beams": beams}) for beams in range(1, 5)),
)
