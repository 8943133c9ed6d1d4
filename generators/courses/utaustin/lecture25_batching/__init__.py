"""Lecture 25, batching: what decoding many sequences together gains in throughput and costs in latency."""

from generators.courses.utaustin.lecture25_batching.draw import draw
from generators.courses.utaustin.lecture25_batching.find import find
from generators.courses.utaustin.lecture25_batching.params import BatchingParams
from generators.courses.utaustin.lecture25_batching.slips import slips
from generators.courses.utaustin.lecture25_batching.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Batching: throughput against latency",
    points=0,
    params=BatchingParams,
    solve=solve,
    find=find,
    slips=slips,
    what_if=(
        "model.n_layers",
        "model.d_model",
        "model.n_heads",
        "model.n_kv_heads",
        "model.head_dim",
        "model.d_ff",
        "model.vocabulary_size",
        "context_len",
        "conventions.flops_per_multiply_add",
    ),
    draw=draw,
    others=(
        {
            "model": {
                "n_layers": 5,
                "d_model": 65,
                "n_heads": 6,
                "n_kv_heads": 2,
                "head_dim": 7,
                "d_ff": 11,
                "vocabulary_size": 90,
            },
            "context_len": 3001,
            "other_context_lens": [7],
            "batch_sizes": [1, 5],
            "accelerator": {"peak_tflops": 0.0025, "bandwidth_gb_per_s": 1, "memory_gb": 0.1},
            "conventions": {"flops_per_multiply_add": 1, "bytes_per_element": 4},
        },
        {
            "model": {
                "n_layers": 7,
                "d_model": 99,
                "n_heads": 3,
                "n_kv_heads": 1,
                "head_dim": 19,
                "d_ff": 51,
                "vocabulary_size": 81,
            },
            "context_len": 3002,
            "other_context_lens": [],
            "batch_sizes": [1, 3],
            "accelerator": {"peak_tflops": 0.0035, "bandwidth_gb_per_s": 1, "memory_gb": 0.2},
        },
    ),
)
