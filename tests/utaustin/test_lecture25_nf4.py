"""Levels, bits and pages worked out by hand, parameters far from the default, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import pytest

from generators.courses.utaustin.lecture25_nf4.normal_float import (
    affine,
    in_blocks,
    rounded_scales,
)
from generators.courses.utaustin.lecture25_nf4.solve import M_GPU, M_fixed, M_page, n_page, pages_out
from generators.question import overlaid
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_nf4"
ID = f"utaustin/{SLUG}"
F = Fraction
entry, solved = partial(entry_of, ID), partial(solved_entry, ID)
LLAMA3 = {"n_kv_heads": 8, "d_ff": 14336, "vocabulary_size": 128256, "limit_mib": 9216, "tokens": [512]}
SMALL = {"seed": 3, "n_seeds": 1, "size": 16, "block_lens": [2]}
TINY = {"n_layers": 1, "d_model": 1, "n_heads": 1, "d_ff": 1, "vocabulary_size": 1, "rank": 1, "limit_mib": 1, "page_kib": 1}

FAR = [
    Far({"training": LLAMA3}, [r"167\,772\,160", "8 030 261 248"]),
    Far({"training": {**LLAMA3, "lora_on": ["value", "query"]}},  # 32 · 64 · (4096 + 4096 + 4096 + 1024)
        [r"27\,262\,976", "beside these alone, query, value", "each of the 4 tensors of a layer"], ["all seven"]),
    Far({"training": {**TINY, "lora_on": ["down"], "tokens": [1]}}, ["each of the 2 tensors"]),
    Far({"training": {**LLAMA3, "model": "8B", "head_dim": 64}, "models": [{"name": "8B", "n_parameters": 8_030_261_248}]}),
    Far({"training": {"tokens": [512, 640]}}, ["No step needs to move a page"], ["moving"]),
    Far({"training": {"tokens": [1, 7389], "link_gb_per_s": "1/3"}}, ["out and back takes"]),
    Far({"sample": SMALL, "block_len": 2, "second_block_len": 2, "training": {**TINY, "tokens": [1]}},
        ["2 weights", "with 1 seed from 3 on"]),
    Far({"sample": SMALL, "block_len": 32, "second_block_len": 8, "training": {**TINY, "tokens": [262144]}}),
    Far({"sample": {"block_lens": [16384]}, "block_len": 8192, "second_block_len": 2}),
    Far({"block_len": 128, "second_block_len": 100}),  # 128 scales, of which 28 share the last one
    Far({"conventions": {"scale_bits": 16, "quantized_scale_bits": 16, "bytes_per_value": 4}, "training": {"limit_mib": 2**20}}),
    Far({"training": {"n_layers": 200, "d_model": 2**15, "d_ff": 2**17, "limit_mib": 2**24, "page_kib": 2**20}}),
    Far({"models": [{"name": "7B", "n_parameters": 1}]}, ["takes 1 parameter for 7B"]),
]  # fmt: skip


def test_blocks_by_hand() -> None:
    """With a scale of 4, -1 is -1/4 and its nearest seventh -2/7. From -3 to 4.5 are 15 steps of a half."""
    scales, nearest = in_blocks([4.0, -1.0, 0.2, -3.0], 4, "int4")
    assert (scales * nearest).ravel().tolist() == pytest.approx([4, -8 / 7, 0, -20 / 7])
    assert affine([4.5, -1.1, 0.2, -3.0], 4).ravel().tolist() == pytest.approx([4.5, -1, 0, -3])


def test_scales_by_hand() -> None:
    """Mean 3, rests -2 and 2 with a step of 2/127, which both ends hit; the mean comes back as 0."""
    assert rounded_scales([1.0, 5.0, 3.0], 3, 8) == pytest.approx([1, 5, 3])


def test_affine_integers_win_in_equal_blocks_and_lose_at_equal_bits() -> None:
    """Means over five seeds; a second FP32 number a block of 64 weights is half a bit a weight."""
    part = worked_out(ID)[2]["2"]
    assert (part["affine_is_better"].holds, part["wins_at_equal_bits"].holds, part["beats_symmetric"].holds) == (True,) * 3
    bits = part["errors"]["bits_a_weight"].cells
    assert (bits["nf4"], bits["affine"], bits["affine_equal"]) == (F(9, 2), 5, F(9, 2))


def test_bits_and_the_run() -> None:
    """32/64 bits; 8/64 + 32/(64·256); four D×D and three D×D_ff matrices a layer."""
    answer = worked_out(ID)[2]
    assert (answer["3/plain"].value, answer["3/double"].value) == (F(1, 2), F(65, 512))
    assert answer["3/memory/model_4/saved"].value == F(65 * 10**9) * F(191, 512) / 8 / 2**30  # 3 GB
    assert answer["4/N_LoRA"].value == 64 * 32 * (4 * 2 * 4096 + 3 * (4096 + 11008)) == 159_907_840
    assert answer["4/M_states"].value == 8 * 159_907_840 + 4 * 14 * 32
    assert answer["4/values"].value == 6_738_415_616


def test_a_shape_with_fewer_heads_of_keys() -> None:
    """Llama-3-8B: keys and values are 4096×1024, so a layer's adapters of rank one hold 2·8192 + 2·5120 + 3·18432 values."""
    part = solved(overlaid(entry(), {"training": LLAMA3}))["4"]
    assert part["N_LoRA"].value == 64 * 32 * 81_920 == 167_772_160
    assert part["values"].value == 8_030_261_248


def test_pages_by_hand() -> None:
    """Of 100 bytes 40 stay and 3 pages of 10 are states: 30 are free; activations of 45 push two pages out."""
    sizes = {M_GPU: 100, M_fixed: 40, M_page: 10, n_page: 3}
    assert [pages_out(sizes, activations) for activations in (30, 31, 45, 60, 5)] == [0, 1, 2, 3, 0]


REFUSED = [
    ({"sample": {"block_lens": [64, 32]}}, "sample.block_lens: must rise from each to the next (got 64, 32)"),
    ({"sample": {"block_lens": [60, 64]}}, "sample: block_lens: must divide the 16384 weights (got 60)"),
    ({"block_len": 192}, "block_len: must divide the 16384 weights twice over (got 192)"),
    ({"training": {"model": "1B"}}, "training.model: must be the name of one of the models (got '1B')"),
    ({"training": {"n_kv_heads": 5}}, "training: n_heads: must be divisible by n_kv_heads (got 32 and 5)"),
    ({"training": {"lora_on": ["up", "up"]}}, "training.lora_on: must not repeat an entry (got up, up)"),
    ({"training": {"n_heads": 3}}, "training: d_model: must be divisible by n_heads (got 4096 and 3)"),
    ({"models": [{"name": "7B", "n_parameters": 1}] * 2}, "models: must have different names (got ['7B', '7B'])"),
    ({"training": {"page_kib": 4}}, "training.page_kib: the states must take at most 20000 pages (got 312321 of 4 KiB)"),
    ({"training": {"limit_mib": 4096}},
     "training.limit_mib: must hold the bytes of weights and optimizer states (got 4096 for 5519 MiB)"),
    ({"training": {"tokens": [9000]}},
     "training.tokens: each step must fit without optimizer states (got 9000 where 7389 fit)"),
    ({"sample": {"size": 256}}, "sample.size: must be less than or equal to 128 (got 256)"),
]  # fmt: skip
