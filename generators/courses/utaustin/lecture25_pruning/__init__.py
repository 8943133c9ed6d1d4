"""Lecture 25, pruning: what stays of a layer by magnitude, by N:M and by neuron, its error, its bytes and its work."""

from generators.courses.utaustin.lecture25_pruning.draw import draw
from generators.courses.utaustin.lecture25_pruning.find import find
from generators.courses.utaustin.lecture25_pruning.params import PruningParams
from generators.courses.utaustin.lecture25_pruning.solve import solve
from generators.question import Question

SMALL_LAYER = {"seed": 3, "n_samples": 20, "n_inputs": 8, "n_outputs": 3, "noise": 50}
WITH_TIES = {**SMALL_LAYER, "seed": 36, "noise": 0}
"""Fitted without noise, weights are products of small integers: equal magnitudes stand on both sides of what is dropped."""
OTHERS = (
    {"layer": SMALL_LAYER, "pattern": {"kept": 3, "group": 8}, "sparsities": ["1/4", "5/7"],
     "stored": {"n_rows": 6, "n_columns": 40, "n_tokens": 5},
     "conventions": {"bytes_per_value": 4, "bytes_per_index": 8, "flops_per_multiply_add": 1}},
    {"layer": WITH_TIES, "pattern": {"kept": 1, "group": 4}, "sparsities": ["1/3", "1/2"],
     "stored": {"n_rows": 9, "n_columns": 4, "n_tokens": 7},
     "conventions": {"bytes_per_value": 1, "bytes_per_index": 4}},
)  # fmt: skip

QUESTION = Question(
    title="Pruning", points=0, params=PruningParams, solve=solve, find=find, draw=draw, others=OTHERS,
    what_if=("conventions.bytes_per_value", "conventions.bytes_per_index", "conventions.flops_per_multiply_add"),
)  # fmt: skip
