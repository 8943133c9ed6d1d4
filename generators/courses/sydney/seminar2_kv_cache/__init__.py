"""Seminar 2, KV cache: which scores a decoding step needs, what the cache saves, and how large it grows."""

from generators.courses.sydney.seminar2_kv_cache.find import find
from generators.courses.sydney.seminar2_kv_cache.params import CacheParams
from generators.courses.sydney.seminar2_kv_cache.slips import slips
from generators.courses.sydney.seminar2_kv_cache.solve import solve
from generators.question import Question

QUESTION = Question(
    title="KV cache inference step by step",
    points=0,
    params=CacheParams,
    solve=solve,
    find=find,
    slips=slips,
    what_if=(
        "model.n_layers",
        "model.d_model",
        "model.n_heads",
        "model.n_kv_heads",
        "model.vocabulary_size",
        "prompt_len",
        "new_tokens",
    ),
    others=(
        {
            "example": {"tokens": ["a", "b"], "queries": [[1], [-2]], "keys": [[3], [1]], "values": [[0, 4], [-1, 2]]},
            "model": {"n_layers": 3, "d_model": 12, "n_heads": 4, "n_kv_heads": 2, "vocabulary_size": 50},
            "prompt_len": 5,
            "new_tokens": 4,
            "seq_lens": [2, 7],
        },
        {
            "example": {"tokens": ["a", "b", "c"], "queries": [[1]] * 3, "keys": [[2]] * 3, "values": [[3]] * 3},
            "model": {
                "n_layers": 5,
                "d_model": 36,
                "n_heads": 7,
                "n_kv_heads": 7,
                "head_dim": 5,
                "d_ff": 11,
                "vocabulary_size": 51,
            },
            "prompt_len": 3,
            "new_tokens": 9,
            "seq_lens": [1, 3],
        },
    ),
)
