"""Seminar 2, cache policies: the tokens that each keeps, the memory it takes, and the error it makes."""

from generators.courses.sydney.seminar2_cache_policies.draw import draw
from generators.courses.sydney.seminar2_cache_policies.find import find
from generators.courses.sydney.seminar2_cache_policies.params import PolicyParams
from generators.courses.sydney.seminar2_cache_policies.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Cache policies: window, initial tokens, attention-based",
    points=0,
    params=PolicyParams,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {
            "budget": 3,
            "n_initial": 1,
            "n_recent": 1,
            "attention": {"n_tokens": 5, "head_width": 2, "n_seeds": 2, "pulls": []},
            "memory": {"n_layers": 3, "d_model": 12, "n_heads": 4, "n_kv_heads": 2, "budget": 5, "seq_len": 9},
        },
        {
            "attention": {"n_seeds": 2},
            "memory": {"n_layers": 5, "d_model": 36, "n_heads": 7, "head_dim": 5, "budget": 8, "seq_len": 3},
        },
    ),
)
