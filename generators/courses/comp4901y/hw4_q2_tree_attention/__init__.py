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
    others=(
        {
            "candidates": [["a", "b"], ["a", "c", "d"]],
            "medusa": Whole(root="a", heads=[["b", "c", "d"], ["e", "f"]], top_k=2),
        },
    ),
    recordings={"hw4_q2_tree_batch": Recorded(cuda=("candidates", "medusa"), cpu=("candidates", "medusa"))},
)
