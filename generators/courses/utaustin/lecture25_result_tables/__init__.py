"""Lecture 25, its four tables of results: every average recomputed where the printed columns allow it."""

from generators.courses.utaustin.lecture25_result_tables.draw import draw
from generators.courses.utaustin.lecture25_result_tables.find import find
from generators.courses.utaustin.lecture25_result_tables.params import TablesParams
from generators.courses.utaustin.lecture25_result_tables.solve import solve
from generators.question import Question

QUESTION = Question(
    title="The lecture's tables of results",
    points=0,
    params=TablesParams,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {
            "long_range_arena": {
                "decimals": 1, "tasks": ["a", "b"], "rows": [
                    {"model": "half", "scores": [1, 1.1], "average": 1, "speedup": None},
                    {"model": "far", "scores": [2.5, 3.5], "average": 5, "speedup": 1.5},
                ],
            },
            "sheared_llama": {
                "decimals": 1, "shown": ["a", "b"], "left_out": ["c", "d"], "rows": [
                    {"model": "far", "shown": [1, 2], "left_out": [6, 7], "average": 7},
                    {"model": "near", "shown": [1, 2], "left_out": [6, 7], "average": 4},
                ],
            },
        },
        {
            "long_range_arena": {
                "decimals": 0, "tasks": ["a", "b", "c"], "rows": [
                    {"model": "far", "scores": [1, 2, 4], "average": 3, "speedup": None},
                    {"model": "near", "scores": [2, 3, 4], "average": 3, "speedup": 2},
                ],
            },
            "sheared_llama": {
                "decimals": 2, "shown": ["a", "b", "c"], "left_out": ["d", "e"], "rows": [
                    {"model": "near", "shown": [1, 2, 3], "left_out": [4, 5.25], "average": 3},
                    {"model": "far", "shown": [1, 2, 3], "left_out": [4, 5.25], "average": 3.5},
                ],
            },
        },
    ),
)  # fmt: skip
