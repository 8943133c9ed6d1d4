"""Lecture 25, 8-bit products: absmax, zero-point, row-wise, vector-wise and mixed decomposition on a matrix with outliers."""

from generators.courses.utaustin.lecture25_int8.draw import draw
from generators.courses.utaustin.lecture25_int8.find import find
from generators.courses.utaustin.lecture25_int8.params import Int8Params
from generators.courses.utaustin.lecture25_int8.solve import solve
from generators.question import Question

SMALL = {"n_tokens": 8, "n_features": 16, "n_outputs": 8, "seed": 1, "n_seeds": 5, "outliers": [{"feature": 3, "size": 30}],
         "share_of_tokens": 1, "threshold": 8, "largest_sizes": [1, 2]}  # fmt: skip
OTHER = {**SMALL, "n_tokens": 9, "n_features": 17, "n_outputs": 10, "seed": 2,
         "outliers": [{"feature": 3, "size": -30}, {"feature": 5, "size": 20}]}  # fmt: skip

QUESTION = Question(
    title="8-bit products with outliers: LLM.int8()",
    points=0,
    params=Int8Params,
    solve=solve,
    find=find,
    draw=draw,
    what_if=("conventions.bytes_per_step", "conventions.bytes_per_zero_point"),
    others=(
        {"vector": [0.5, -2, 7], "product": SMALL, "conventions": {"bytes_per_step": 2, "bytes_per_zero_point": 1}},
        {"vector": [1, 3.54], "product": OTHER, "conventions": {"bytes_per_step": 4, "bytes_per_zero_point": 2}},
    ),
)
