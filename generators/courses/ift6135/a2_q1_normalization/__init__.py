"""Assignment 2, question 1: means and variances of batch, layer and instance normalization."""

from generators.courses.ift6135.a2_q1_normalization.draw import draw
from generators.courses.ift6135.a2_q1_normalization.find import find
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.courses.ift6135.a2_q1_normalization.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Normalization: batch, layer and instance",
    points=6,
    params=TensorParams,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {
            "tensor": [
                [[0, 7, "1/2", 3, 9], [-2, 4, 6, 1, 8], [5, 5, 11, 2, "-3/2"]],
                [[6, 0, 2, 7, 4], [1, 10, "5/2", 3, 3], [8, -1, 0, 12, 5]],
            ]
        },
    ),
)
