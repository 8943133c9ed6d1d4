"""Lecture 25, Medusa: what the heads cost, the tree of their guesses, and pruning it to the likely ones."""

from generators.courses.utaustin.lecture25_medusa.draw import draw
from generators.courses.utaustin.lecture25_medusa.find import find
from generators.courses.utaustin.lecture25_medusa.params import MedusaParams
from generators.courses.utaustin.lecture25_medusa.solve import solve
from generators.question import Question

_HEAD = {"guesses": ["a", "b"], "accuracies": ["7/17", "3/17"]}
_SMALL = {"n_layers": 2, "d_model": 15, "n_heads": 6, "n_kv_heads": 2, "head_dim": 7, "d_ff": 9, "vocabulary_size": 8}

QUESTION = Question(
    title="Medusa heads and their tree",
    points=0,
    params=MedusaParams,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {"model": _SMALL, "heads": [_HEAD], "n_nodes": 1, "choices": None},
        {"model": {**_SMALL, "n_layers": 3, "d_model": 11, "n_kv_heads": 3}, "heads": [_HEAD] * 3, "n_nodes": 2, "choices": None},
    ),
)
