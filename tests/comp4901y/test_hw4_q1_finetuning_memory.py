"""Fine-tuning memory and compute: values derived by hand, other sizes, and every rule of the parameters."""

from __future__ import annotations

from typing import Any

import sympy

from generators.answer import Answer
from generators.pipeline.unit import Task, composed
from generators.question import overlaid
from generators.topics.peft import N_LAYER, N_TOP, B, D, L, R
from tests.conftest import worked_out
from tests.entries import ENTRIES, Far, id_of

SLUG = "hw4_q1_finetuning_memory"
PREFIX = f"comp4901y/{SLUG}"
ONES = dict.fromkeys(("n_layers", "n_top_layers", "d_model", "n_heads", "rank", "batch_size", "seq_len"), 1)


def answered(**changes: Any) -> Answer:
    """The answer to the entry of params.yml with some fields changed."""
    answer: Answer = Task.at(id_of(PREFIX), overlaid(ENTRIES[id_of(PREFIX)], changes)).answer
    return answer


def test_formulas() -> None:
    """Two bytes for each trainable value; gradients take as many bytes as parameters."""
    expected = {
        "1.1": 24 * N_TOP * D**2,  # 2·N_top·(4D² + 2·4D²)
        "1.2": 8 * N_LAYER * D * R,  # 2·N·2 adapters·(DR + RD)
        "1.3": 12 * N_LAYER * D * R,  # 2·N·3 matrices·(DR + RD)
        "1.4": 6 * N_LAYER * (D + R),  # 2·N·3 matrices·(R + D)
    }
    answer = worked_out(PREFIX)[2]
    for label, formula in expected.items():
        for kind in ("parameters", "gradients") if label != "1.1" else ("gradients",):
            assert sympy.expand(answer[label][kind].formula - formula) == 0


def test_bytes_at_the_example_sizes() -> None:
    """32 layers, 4 of them tuned, width 4096, rank 16."""
    answer = worked_out(PREFIX)[2]
    assert answer["1.1/values_per_layer"].value == 201_326_592  # 12·4096²
    assert answer["1.1/gradients"].value == 1_610_612_736  # 2·4·12·4096² = 1.5 GiB
    assert answer["1.2/parameters"].value == 16_777_216  # 2·32·4·4096·16 = 16 MiB
    assert answer["1.3/parameters"].value == 25_165_824  # 2·32·6·4096·16 = 24 MiB
    assert answer["1.4/parameters"].value == 789_504  # 2·32·3·(4096 + 16)
    assert answer["1.4/frozen"].value == 262_144  # 2·(4096·16 + 16·4096)
    for label in ("1.2", "1.3", "1.4"):
        assert answer[label]["gradients"].value == answer[label]["parameters"].value


def test_llama_3_8b() -> None:
    """Keys and values of 8 of 32 heads, 1024 wide, and an inner width of 14336."""
    answer = answered(n_kv_heads=8, d_ff=14336)
    assert answer["1.1/values_per_layer"].value == 159_383_552  # 2·4096² + 2·4096·1024 + 2·4096·14336
    assert answer["1.3/values_per_layer"].value == 294_912  # 3·4096·16 + 16·4096 + 2·16·1024
    assert answer["1.4/values_per_layer"].value == 6_192  # 3·16 + 4096 + 2·1024


def test_flops_of_one_training_step() -> None:
    """Products of one layer: 12·BLD² multiply-adds with weights, 2·BL²D in attention; two FLOPs each."""
    weights, attention, low_rank, width = 12 * B * L * D**2, 2 * B * L**2 * D, B * L * D * R, B * L * D**2
    expected = {
        "full": (weights + attention, 2 * (weights + attention), 3 * width),  # no gradient by the model's input, for Q, K, V
        "adapters": (  # 2 adapters of 2 products; frozen weights need no gradient by weight
            weights + attention + 4 * low_rank,
            weights + 2 * attention + 8 * low_rank,
            4 * width + 2 * attention + low_rank,  # below the lowest adapter nothing is needed, nor by its own input
        ),
        "lora": (
            weights + attention + 6 * low_rank,
            weights + 2 * attention + 12 * low_rank,
            3 * width + 3 * low_rank,  # by the model's input, for Q, K, V and the three A
        ),
        "vera": (
            weights + attention + 6 * low_rank,
            weights + 2 * attention + 6 * low_rank,  # A and B are frozen
            3 * width + 3 * low_rank,
        ),
    }
    part = worked_out(PREFIX)[2]["optional/flops"]
    for name, (forward, backward, not_needed) in expected.items():
        assert sympy.expand(part.cell(name, "forward").formula - 2 * N_LAYER * forward) == 0
        assert sympy.expand(part.cell(name, "backward").formula - 2 * (N_LAYER * backward - not_needed)) == 0
    tuned = 2 * (2 * N_TOP * (weights + attention) - 3 * width)  # gradients stop at the lowest tuned layer
    assert sympy.expand(part.cell("freezing", "backward").formula - tuned) == 0


def test_what_is_handed_in_counts_no_flops() -> None:
    """They stand on the site only, and so does the convention that counts them."""
    made = composed(id_of(PREFIX), ENTRIES[id_of(PREFIX)], {}).sections["render"].content
    assert ("FLOP" in made["site"], "FLOP" in made["pdf"]) == (True, False)
    assert "A parameter or gradient value takes 2 bytes" in made["pdf"]


def test_one_layer_of_width_one() -> None:
    """Every size 1: twelve weights, of which adapters add 4, LoRA 6, VeRA 6."""
    answer = answered(**ONES)
    assert [answer[label]["values_per_layer"].value for label in ("1.1", "1.2", "1.3", "1.4")] == [12, 4, 6, 6]
    full = answer["optional/flops"].rows["full"]
    assert (full["forward"], full["backward"]) == (28, 50)  # 2·(12 + 2), and twice that less 2·3


def test_low_rank_beside_all_linear_layers() -> None:
    """Of Llama 3 8B: query and output 4096 to 4096, key and value to 1024, up and down between 4096 and 14336."""
    every = ["query", "key", "value", "output", "up", "down"]
    answer = answered(n_kv_heads=8, d_ff=14336, lora_on=every)
    assert answer["1.3/values_per_layer"].value == 1_015_808  # 16·2·(8192 + 5120 + 18432)
    assert answer["1.4/values_per_layer"].value == 28_768  # 6·16 + 2·4096 + 2·1024 + 14336 + 4096
    assert answer["1.4/frozen"].value == 917_504  # 2·16·(14336 + 14336)


def test_the_backward_pass_ends_at_the_lowest_low_rank_pair() -> None:
    """All sizes 1 and d_ff 1: six weights, QKᵀ and score·V, and two products of a pair, each with two products backward.

    Only value's B needs the gradient that score·V gives; below down nothing is needed but its own A and B.
    """
    answers = {name: answered(**ONES, d_ff=1, lora_on=[name]) for name in ("query", "value", "down")}
    flops = {name: answer["optional/flops"].rows["lora"] for name, answer in answers.items()}
    assert {row["forward"] for row in flops.values()} == {20}  # 2·(6 + 2 + 2)
    # of 6 + 4 + 4 products, these lead nowhere: three projections backward, x·A, and in attention two or three of four
    assert [flops[name]["backward"] for name in ("query", "value")] == [2 * (14 - 3 - 1 - 2), 2 * (14 - 3 - 1 - 3)]
    assert flops["down"]["backward"] == 2 * (14 - 6 - 4 - 1)  # all weights, all of attention, and x·A


def test_biases_of_adapters_are_a_convention() -> None:
    """With biases each adapter has R + D values more."""
    part = answered(conventions={"adapter_biases": True})["1.2"]
    assert part["values_per_layer"].value == 270_368  # 4·4096·16 + 2·(16 + 4096)
    assert part["parameters"].value == 17_303_552  # 2·32·270368


REFUSED = [
    ({"seq_len": 0}, "seq_len: must be greater than 0 (got 0)"),
    ({"n_kv_heads": 3}, "n_heads: must be divisible by n_kv_heads (got 32 and 3)"),
    ({"n_heads": 3}, "d_model: must be divisible by n_heads (got 4096 and 3)"),
    ({"n_top_layers": 33}, "n_top_layers: must be at most n_layers (got 33 and 32)"),
    ({"lora_on": ["gate"]}, "lora_on.0: must be 'query', 'key', 'value', 'output', 'up' or 'down' (got 'gate')"),
    ({"lora_on": ["up", "up"]}, "lora_on: must not repeat an entry (got up, up)"),
    ({"rank": 4097}, "rank: must be at most d_model (got 4097 and 4096)"),
    ({"conventions": {"bytes_per_element": 8}}, "conventions.bytes_per_element: must be 2 or 4 (got 8)"),
    ({"conventions": {"flops_per_multiply_add": 0}}, "conventions.flops_per_multiply_add: must be 1 or 2 (got 0)"),
    ({"conventions": {"adapter_biases": "no"}}, "conventions.adapter_biases: must be a valid boolean (got 'no')"),
]


SHARES = tuple(f"comparison/bytes/{name}/share_of_all_weights" for name in ("freezing", "adapters", "lora", "vera"))
COSTS = tuple(f"optional/flops/{name}/share" for name in ("freezing", "adapters", "lora", "vera"))
ON_A_GPU = "As allocated by torch on a GPU"
KV, FF = "keys and values are", r"$D_{\text{ff}}$ wide inside"

FAR = [
    Far(ONES, ("= 1$ sequence of", "Each value takes 2 bytes"), (ON_A_GPU, KV, FF)),
    Far({"conventions": {"flops_per_multiply_add": 1}}, (ON_A_GPU,), stays=(*SHARES, *COSTS)),  # counting changes no share
    Far({"conventions": {"bytes_per_element": 4}}, ("Each value takes 4 bytes",), (ON_A_GPU,), (*SHARES, *COSTS)),
    Far({"conventions": {"adapter_biases": True}}, (r"\beta_A \text{ of each adapter}",), (ON_A_GPU,)),
    Far({"n_kv_heads": 8, "d_ff": 14336}, (KV, FF, r"W_B \text{ of key, value}"), (ON_A_GPU, "$4D$")),
    Far(
        {"lora_on": ["down", "query"], "d_ff": 14336},
        ("these linear layers: query, down (1.3)", r"W_B \text{ of query, down}"),
        (ON_A_GPU, "three"),
    ),
    Far({"lora_on": ["key", "value"], "n_kv_heads": 8}, (KV, "a narrower one uses only a part")),
    Far({"n_kv_heads": 32}, (KV, "$4D$"), (FF,), SHARES),  # as many heads as queries have, said in letters
    Far({"d_ff": 1}, (FF,), (KV,)),
    Far({"n_heads": 1, "n_kv_heads": 1, "d_model": 64, "rank": 64}, (KV,)),
    Far({"n_top_layers": 32}, (r"freezing trains $100\,\%$",), (ON_A_GPU,)),
    Far({"n_layers": 10**6, "n_top_layers": 10**5, "d_model": 2**14, "n_heads": 2**7, "rank": 2**6}, ("TiB",), (ON_A_GPU,)),
]
