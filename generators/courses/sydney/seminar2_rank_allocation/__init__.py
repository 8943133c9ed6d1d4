"""Seminar 2, variants of LoRA: how DyLoRA, AdaLoRA and IncreLoRA set ranks, run on a small problem whose best ranks are known."""

from generators.courses.sydney.seminar2_rank_allocation.find import find
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.courses.sydney.seminar2_rank_allocation.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Setting ranks: DyLoRA, AdaLoRA, IncreLoRA",
    points=0,
    params=RankAllocationParams,
    solve=solve,
    find=find,
    others=(
        {
            "modules": [{"name": "a", "singular_values": [1, 1]}, {"name": "b", "singular_values": ["1/2"]}],
            "width": 4, "budget": 2, "largest_rank": 2,
            "training": {"n_steps": 40, "learning_rate": "1/5", "n_seeds": 1},
            "adalora": {"initial_rank": 2, "warmup": 5, "final": 10, "interval": 5},
            "increlora": {"warmup": 5, "interval": 5},
        },
        {
            "modules": [{"name": "a", "singular_values": [1, "3/4", "1/2"]}, {"name": "b", "singular_values": ["1/2"]}],
            "width": 4, "budget": 4, "largest_rank": 3,
            "training": {"n_steps": 30, "learning_rate": "1/6", "n_seeds": 2, "seed": 3},
            "adalora": {"initial_rank": 3, "warmup": 4, "final": 8, "interval": 6},
            "increlora": {"warmup": 3, "interval": 4},
        },
    ),
)  # fmt: skip
