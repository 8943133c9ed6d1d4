"""Lecture 25, Medusa: what the heads cost, the tree of their guesses, and pruning it to the likely ones."""

from typing import Any

from generators.courses.utaustin.lecture25_medusa.draw import draw
from generators.courses.utaustin.lecture25_medusa.find import find
from generators.courses.utaustin.lecture25_medusa.params import MAX_HEADS, MedusaParams
from generators.courses.utaustin.lecture25_medusa.solve import solve
from generators.question import Question


def _of_heads(n_heads: int) -> dict[str, Any]:
    """A small model with this many heads: the formula of the full tree has a letter for each, so every number is tried."""
    accuracies = [[f"{6 + place}/17", f"3/{17 + place}"][: 2 if n_heads < 5 else 1] for place in range(n_heads)]
    heads = [{"guesses": ["a", "b"][: len(one)], "accuracies": one} for one in accuracies]
    model = {"n_layers": 1 + n_heads, "d_model": 5 * n_heads, "d_ff": 9 * n_heads, "vocabulary_size": 7 + n_heads}
    return {"model": model, "heads": heads, "n_nodes": n_heads}


QUESTION = Question(
    title="Medusa heads and their tree",
    points=0,
    params=MedusaParams,
    solve=solve,
    find=find,
    draw=draw,
    others=tuple(map(_of_heads, range(1, MAX_HEADS + 1))),
)
