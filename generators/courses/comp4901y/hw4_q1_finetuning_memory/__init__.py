"""Homework 4, question 1: bytes of parameters and gradients of four fine-tuning methods."""

from generators.courses.comp4901y.hw4_q1_finetuning_memory.find import find
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.courses.comp4901y.hw4_q1_finetuning_memory.slips import slips
from generators.courses.comp4901y.hw4_q1_finetuning_memory.solve import solve
from generators.question import Question, Recorded

QUESTION = Question(
    title="Memory of four fine-tuning methods",
    points=40,
    params=FinetuningParams,
    solve=solve,
    find=find,
    slips=slips,
    others=(
        {"n_layers": 3, "n_top_layers": 2, "d_model": 12, "n_heads": 3, "rank": 5, "batch_size": 2, "seq_len": 7},
        # the entry's number of heads of keys and values must divide n_heads, and 6720 has many divisors
        {"n_layers": 3, "n_top_layers": 2, "d_model": 13440, "n_heads": 6720, "rank": 5, "batch_size": 2, "seq_len": 7},
    ),
    recordings={
        "hw4_q1_allocation": Recorded(
            cuda=("n_layers", "n_top_layers", "d_model", "n_heads", "n_kv_heads", "d_ff", "rank", "lora_on")
        )
    },
    what_if=("n_layers", "n_top_layers", "d_model", "rank", "batch_size", "seq_len"),
)
