"""Seminar 2, low-rank adaptation: rank and span of the slide's matrices, LoRA on its network, the first steps, merging."""

from generators.courses.sydney.seminar2_low_rank.find import find
from generators.courses.sydney.seminar2_low_rank.params import LowRankPageParams
from generators.courses.sydney.seminar2_low_rank.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Rank, LoRA's size, and its first steps",
    points=0,
    params=LowRankPageParams,
    solve=solve,
    find=find,
    others=(
        {
            "matrices": [[[0, 0, 2], [1, 0, "1/2"], [0, 3, 1]]], "vector": [1, 1, "-1/3"], "embedding_dim": 12, "rank": 5,
            "example": {
                "weight": [[1, 2], [0, -1], [3, 1]], "draw": [[1, -2]], "sigma": "2/3", "other_sigmas": [], "alpha": 3,
                "learning_rate": "1/50", "x": ["1/2", 1], "target": [1, 0, 2], "other_x": [1, 1],
            },
        },
    ),
)  # fmt: skip
