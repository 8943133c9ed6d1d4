"""Lecture 25, FlashAttention: softmax with a running maximum and sum, and the memory traffic that it saves."""

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
    what_if=("seq_len", "head_width"),
    others=({"head_width": 9, "seq_len": 100, "accelerator": {"sram_kib": 1}},),
)
