"""Homework 3, question 3: what output length, beam width, top-k and top-p change, from recorded runs."""

from generators.courses.comp4901y.hw3_q3_generation.find import find
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.courses.comp4901y.hw3_q3_generation.solve import solve
from generators.question import Question, Recorded

SHOWN = ("prompt_seq", "output_len", "beam_width", "top_k", "top_p")
"""Default values that the page prints above the launches."""

QUESTION = Question(
    title="Generating text: length, beams, top-k and top-p",
    points=40,
    params=GenerationParams,
    solve=solve,
    find=find,
    recordings={"hw3_q3_launches": Recorded(cuda=SHOWN, cpu=SHOWN)}
    | {f"hw3_q3_{one}": Recorded(cuda=()) for one in ("output_len", "beam_width", "top_k", "top_p")},
)
