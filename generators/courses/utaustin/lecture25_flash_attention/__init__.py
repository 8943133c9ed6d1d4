"""Lecture 25, FlashAttention: softmax with a running maximum and sum, and the memory traffic that it saves."""

from generators.courses.utaustin.lecture25_flash_attention.draw import draw
from generators.courses.utaustin.lecture25_flash_attention.find import find
from generators.courses.utaustin.lecture25_flash_attention.params import FlashParams
from generators.courses.utaustin.lecture25_flash_attention.solve import solve
from generators.question import Question

QUESTION = Question(
    title="FlashAttention",
    points=0,
    params=FlashParams,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {
            "example": {"scores": [-1, 0.5, 2], "values": [[1], [-2], [3]], "block_len": 1},
            "tiles": {"n_tokens": 3, "head_width": 1, "block_rows": 2, "block_columns": 5, "seed": 1},
            "traffic": {"head_width": 3, "seq_len": 100, "seq_lens": [2, 90], "sram_kib": [1, 2]},
            "accelerator": {"sram_kib": 1},
        },
        {
            "traffic": {"head_width": 19, "seq_len": 210, "seq_lens": [3, 50], "sram_kib": [2, 3]},
            "accelerator": {"sram_kib": 2},
        },
    ),
)
