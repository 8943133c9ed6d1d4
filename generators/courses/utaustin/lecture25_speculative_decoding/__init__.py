"""Lecture 25, speculative decoding: greedy, with rejection and resampling, and what it gains."""

from generators.courses.utaustin.lecture25_speculative_decoding.draw import draw
from generators.courses.utaustin.lecture25_speculative_decoding.find import find
from generators.courses.utaustin.lecture25_speculative_decoding.params import SpeculativeParams
from generators.courses.utaustin.lecture25_speculative_decoding.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Speculative decoding",
    points=0,
    params=SpeculativeParams,
    solve=solve,
    find=find,
    what_if=("n_drafted", "gain.cost_ratio", "gain.acceptance_rates"),
    draw=draw,
    others=(
        {"n_drafted": 2, "gain": {"cost_ratio": "1/9", "acceptance_rates": ["2/7"], "longest_draft": 3}},
        {"n_drafted": 1, "gain": {"cost_ratio": "2/5", "acceptance_rates": ["1/3", "3/5"], "longest_draft": 2}},
    ),
)
