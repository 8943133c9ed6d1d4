"""Homework 4, question 3: recorded times of standard and speculative decoding, beside the expected gain."""

from generators.courses.comp4901y.hw4_q3_speculative_decoding.find import find
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.solve import solve
from generators.question import Question, Recorded

QUESTION = Question(
    title="Speculative decoding, measured",
    points=20,
    params=SpeculativeParams,
    solve=solve,
    find=find,
    recordings={"hw4_q3_speculative": Recorded(cuda=()), "hw4_q3_program": Recorded(cuda=())},
)
