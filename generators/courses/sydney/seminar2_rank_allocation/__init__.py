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
)
