"""Assignment 2, question 1: means and variances of batch, layer and instance normalization."""

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
    others=(
        {
            "tensor": [
                [[0, 7], [1, -2], [5, 5]],
                [["1/2", 3], [4, 4], [9, 1]],
                [[-1, 6], [2, 8], [0, 3]],
                [[10, 2], ["2.5", 1], [7, 0]],
                [[3, 3], [6, -4], [1, 2]],
            ]
        },
    ),
)
