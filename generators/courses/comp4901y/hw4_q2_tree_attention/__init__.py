"""Homework 4, question 2: prefix tree and attention mask of drafted candidates and of Medusa heads."""

from generators.courses.comp4901y.hw4_q2_tree_attention.draw import draw
from generators.courses.comp4901y.hw4_q2_tree_attention.find import find
from generators.courses.comp4901y.hw4_q2_tree_attention.params import TreeParams
from generators.courses.comp4901y.hw4_q2_tree_attention.solve import solve
from generators.question import Question, Recorded, Whole

QUESTION = Question(
    title="Tree attention: prefix trees and masks",
    points=40,
    params=TreeParams,
    solve=solve,
    find=find,
    draw=draw,
    variants=(("Guesses of each head in 2.2 (from the sheet)", "only the first guess of each head", {"medusa": {"top_k": 1}}),),
    others=(
        {
            "candidates": [["a", "b"], ["a", "c", "d"]],
            "medusa": Whole(root="a", heads=[["b", "c", "d"], ["e", "f"]], top_k=2),
        },
    ),
    recordings={"hw4_q2_tree_batch": Recorded(cuda=("candidates", "medusa"), cpu=("candidates", "medusa"))},
)
