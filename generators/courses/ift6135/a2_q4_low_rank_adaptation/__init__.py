"""Assignment 2, question 4: LoRA and QLoRA compared, their time and trainable space in LFFN and MHA, and which to choose."""

from generators.courses.ift6135.a2_q4_low_rank_adaptation.find import find
from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.courses.ift6135.a2_q4_low_rank_adaptation.slips import slips
from generators.courses.ift6135.a2_q4_low_rank_adaptation.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Low-rank adaptation with LoRA and QLoRA",
    points=18,
    params=LowRankParams,
    solve=solve,
    find=find,
    slips=slips,
    what_if=("d_model", "rank", "n_heads", "context_len", "quantized_bits"),
    others=(
        {"context_len": 7, "d_model": 12, "rank": 5, "n_heads": 4, "quantized_bits": 3},
        {"context_len": 1, "d_model": 8, "rank": 2, "n_heads": 2, "quantized_bits": 5},
    ),
)
