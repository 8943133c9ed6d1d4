"""Seminar 2, ways of tuning: LoRA, adapters, prefix and prompt tuning by trained values, FLOPs and cache."""

from generators.courses.sydney.seminar2_tuning_methods.find import find
from generators.courses.sydney.seminar2_tuning_methods.params import TuningParams
from generators.courses.sydney.seminar2_tuning_methods.solve import solve
from generators.question import Question

QUESTION = Question(
    title="LoRA, adapters, prefix and prompt tuning",
    points=0,
    params=TuningParams,
    solve=solve,
    find=find,
    what_if=("n_layers", "d_model", "rank", "n_virtual_tokens", "context_len"),
    others=(
        {
            "n_layers": 5, "d_model": 20, "n_heads": 6, "n_kv_heads": 3, "head_dim": 7, "d_ff": 31, "rank": 9,
            "n_virtual_tokens": 11, "context_len": 19,
        },
    ),
)  # fmt: skip
