"""Homework 3, question 3: what output length, beam width, top-k and top-p change, from recorded runs."""

from generators.courses.comp4901y.hw3_q3_generation.find import find
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.courses.comp4901y.hw3_q3_generation.solve import solve
from generators.question import Question, Recorded

QUESTION = Question(
    title="Generating text: length, beams, top-k and top-p",
    points=40,
    params=GenerationParams,
    solve=solve,
    find=find,
    recordings={
        f"hw3_{one}": Recorded(cuda=()) for one in ("q3_output_len", "q3_beam_width", "q3_top_k", "q3_top_p", "q1_products")
    },
)
