"""Lecture 25, QLoRA: the levels of 4-bit NormalFloat, double quantization, and optimizer states in pages."""

from generators.courses.utaustin.lecture25_nf4.draw import draw
from generators.courses.utaustin.lecture25_nf4.find import find
from generators.courses.utaustin.lecture25_nf4.params import Nf4Params
from generators.courses.utaustin.lecture25_nf4.solve import solve
from generators.question import Question

QUESTION = Question(
    title="4-bit NormalFloat, double quantization and paged optimizers",
    points=0,
    params=Nf4Params,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {
            "sample": {"seed": 3, "n_seeds": 1, "size": 16, "block_lens": [8, 32]},
            "block_len": 32,
            "second_block_len": 8,
            "models": [{"name": "small", "n_parameters": 1_000_001}],
            "training": {
                "model": "small", "n_layers": 3, "d_model": 24, "n_heads": 6, "n_kv_heads": 2, "d_ff": 40, "vocabulary_size": 400,
                "rank": 2, "limit_mib": 1, "page_kib": 3, "tokens": [7, 3200],
            },
            "conventions": {"scale_bits": 16, "quantized_scale_bits": 16, "bytes_per_value": 4},
        },
        {
            "sample": {"seed": 4, "n_seeds": 2, "size": 16, "block_lens": [8, 16]},
            "block_len": 16,
            "second_block_len": 4,
            "models": [{"name": "other", "n_parameters": 2_000_003}],
            "training": {
                "model": "other", "n_layers": 2, "d_model": 10, "n_heads": 2, "n_kv_heads": 1, "head_dim": 6, "d_ff": 30,
                "vocabulary_size": 50, "rank": 3, "limit_mib": 2, "page_kib": 5, "tokens": [9],
            },
            "conventions": {"scale_bits": 32, "quantized_scale_bits": 8, "bytes_per_value": 2},
        },
    ),
    what_if=("block_len", "second_block_len", "training.rank", "training.limit_mib"),
)  # fmt: skip
