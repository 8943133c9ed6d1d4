"""Homework 3, question 1: arithmetic intensity of every product of a transformer layer."""

from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.draw import draw
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.find import find
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import InferenceParams
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.slips import slips
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.solve import solve
from generators.question import Question, Recorded

QUESTION = Question(
    title="Arithmetic intensity of prefill and decode",
    points=40,
    params=InferenceParams,
    solve=solve,
    find=find,
    draw=draw,
    slips=slips,
    what_if=("seq_len", "d_model", "n_heads"),
    recordings={"hw3_q1_products": Recorded(cuda=("seq_len", "d_model", "n_heads", "n_kv_heads", "head_dim", "d_ff"))},
)
