"""Arithmetic intensity: values derived by hand, other sizes, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch

from generators.answer import Answer
from generators.oracles.products import joined
from generators.pipeline.catalog import load_params, load_question
from tests.conftest import worked_out
from tests.entries import ENTRIES, Far, id_of

SLUG = "hw3_q1_arithmetic_intensity"
PREFIX = f"comp4901y/{SLUG}"
ONE = {"name": "one", "peak_tflops": 1, "bandwidth_gb_per_s": 1, "source": "datasheet"}


def answered(**changes: Any) -> Answer:
    """The answer to the entry of params.yml with some fields changed."""
    question_id = id_of(PREFIX)
    question = load_question(question_id)
    answer: Answer = question.solve(load_params(question_id, question, {**ENTRIES[question_id], **changes}))
    return answer


def intensities(answer: Answer, label: str) -> dict[str, Fraction]:
    """The filled cells of a form by the sheet's row number."""
    cells = answer[f"{label}/form"]["intensity"].cells
    return {row: Fraction(cell) for row, cell in cells.items() if isinstance(cell, int | Fraction)}


def test_prefill_form() -> None:
    """The sheet's eight rows at L = D = 4096 and H = 128."""
    projection = Fraction(4096, 3)  # 2·4096³ / (2·(4096² + 4096² + 4096²))
    attention = Fraction(2048, 17)  # 2·4096²·128 / (2·(2·4096·128 + 4096²)) = 4096·128 / (2·128 + 4096)
    network = Fraction(16384, 9)  # 2·4·4096³ / (2·(4096² + 4·4096² + 4·4096²))
    assert intensities(worked_out(PREFIX)[2], "1.1") == {
        "1": projection, "2": projection, "3": projection, "7": attention, "8": attention,
        "10": projection, "11": network, "13": network,
    }  # fmt: skip


def test_decode_form() -> None:
    """The sheet's eight rows for one token that meets 4096 cached ones."""
    projection = Fraction(2048, 2049)  # 2·4096² / (2·(4096 + 4096² + 4096)) = 4096 / 4098
    attention = Fraction(524416, 528641)  # 2·128·4097 / (2·(128 + 128·4097 + 4097))
    network = Fraction(16384, 16389)  # 2·4·4096² / (2·(4096 + 4·4096² + 4·4096)) = 4·4096 / (4·4096 + 5)
    assert intensities(worked_out(PREFIX)[2], "1.2") == {
        "1": projection, "2": projection, "4": projection, "9": attention, "10": attention,
        "12": projection, "13": network, "15": network,
    }  # fmt: skip


def test_llama_3_8b() -> None:
    """Eight of 32 heads have keys and values of their own, and the feed-forward network has 14,336 units."""
    prefill = intensities(answered(n_kv_heads=8, d_ff=14336, seq_len=8192), "1.1")
    assert prefill["2"] == prefill["3"] == Fraction(8192, 11)  # 8192·4096·1024 / (8192·4096 + 4096·1024 + 8192·1024)
    assert prefill["1"] == prefill["10"] == Fraction(8192, 5)  # 8192·4096² / (2·8192·4096 + 4096²)
    assert prefill["11"] == Fraction(57344, 25)  # 8192·4096·14336 / (8192·4096 + 4096·14336 + 8192·14336)


def test_the_way_of_counting_changes_no_share_of_peak() -> None:
    """At 512 tokens QKᵀ does 256/3 FLOP/B, two FLOPs a multiply-add, of the 312,000/2,039 that an A100 needs."""
    for each in (1, 2):
        shares = answered(seq_len=512, conventions={"flops_per_multiply_add": each})["roofline/share_of_peak"]
        assert shares.rows["1.1.7"]["accelerator_1"] == 100 * Fraction(8156, 14625)  # 256/3 · 2039/312000


def test_a_product_on_the_ridge_reaches_the_peak() -> None:
    """At equality arithmetic and memory take as long."""
    accelerator = {**ONE, "peak_tflops": "3/4", "bandwidth_gb_per_s": 1000}
    answer = answered(seq_len=1, d_model=6, n_heads=2, accelerators=[accelerator])  # projections: 3/4 FLOP/B
    shares = {row: cells["accelerator_1"] for row, cells in answer["roofline/share_of_peak"].rows.items()}
    # With 2 (1·6·24) / 2 (6 + 144 + 24) = 24/29 the FFN reaches it too, with 2 (1·3·1) / 2 (3 + 3 + 1) = 3/7 attention does not.
    assert {row for row, share in shares.items() if row.startswith("1.1") and share == 100} == {"1.1.1", "1.1.11", "1.1.13"}
    assert shares["1.1.7"] == 100 * Fraction(3, 7) / Fraction(3, 4)


@pytest.mark.parametrize(("changes", "all_reach"), [({"bandwidth_gb_per_s": 10**6}, True), ({"peak_tflops": 99}, False)])
def test_all_or_no_products_of_decoding_reach_the_peak(changes: dict[str, int], all_reach: bool) -> None:
    """Their intensities lie from 0.99 to 1; the ridge points are far below or above."""
    shares = answered(accelerators=[{**ONE, **changes}])["roofline/share_of_peak"].rows
    assert {cells["accelerator_1"] == 100 for row, cells in shares.items() if row.startswith("1.2")} == {all_reach}


SHARES = [f"roofline/share_of_peak/{row}/accelerator_{n}" for row in ("1.1.1", "1.1.7", "1.2.1", "1.2.15") for n in (1, 2, 3)]
GPU, TINY = "timed on a GPU", {"seq_len": 1, "d_model": 1, "n_heads": 1}
FAR = [
    Far(TINY, ("1 input token ($L$)", "1 head ($n_H$)"), silent=(GPU,)),
    Far({"seq_len": 10**9}, ("1 000 000 000 input tokens",)),
    Far({"d_model": 2**20, "n_heads": 1}, ("1 head ($n_H$)",)),
    Far({"seq_len": 512, "d_model": 768, "n_heads": 12}, silent=(GPU,)),
    Far({"conventions": {"flops_per_multiply_add": 1}}, ("Makers count two FLOPs",), stays=SHARES),
    Far({"conventions": {"bytes_per_element": 4}}, ("In FP32", "products of FP32 are not"), ("can reach an accelerator's peak",)),
    Far({"conventions": {"bytes_per_element": 8, "flops_per_multiply_add": 1}}, ("In FP64",), ("ridge point",)),
    Far({"n_kv_heads": 8, "d_ff": 14336}, ("with 8 heads of keys and values", r"network of width 14 336 ($D_{\text{ff}}$)")),
    Far({"n_kv_heads": 1}, ("with 1 head of keys and values", r"(L \times D)(D \times n_{\text{KV}} H)")),
    Far({"head_dim": 256}, ("of width 256 ($H$)", r"(L \times n_H H)(n_H H \times D)"), (GPU,)),
    Far({"n_heads": 3, "head_dim": 5, "d_model": 7, "d_ff": 1, "n_kv_heads": 3}, ("of width 5 ($H$)",), ("of keys and",)),
    Far({"accelerators": [{**ONE, "bandwidth_gb_per_s": 10**6}]}),
    Far({"accelerators": [{**ONE, "name": "W" * 60, "peak_tflops": 99}]}),
]  # fmt: skip


REFUSED = [
    ({"seq_len": 0}, "seq_len: must be greater than 0 (got 0)"),
    ({"seq_len": 4096.0}, "seq_len: must be a valid integer (got 4096.0)"),
    ({"n_heads": 3}, "d_model: must be divisible by n_heads (got 4096 and 3)"),
    ({"n_kv_heads": 5}, "n_heads: must be divisible by n_kv_heads (got 32 and 5)"),
    ({"head_dim": 0}, "head_dim: must be greater than 0 (got 0)"),
    ({"accelerators": []}, "accelerators: must have at least 1 item (got [])"),
    ({"accelerators": [ONE, ONE]}, "accelerators: each name must stand once (got 'one' twice)"),
    ({"accelerators": [{**ONE, "peak_tflops": 0}]}, "accelerators.0.peak_tflops: must be greater than 0 (got 0)"),
    ({"accelerators": [{"name": "one"}]}, "accelerators.0.peak_tflops: is required, but missing (and 2 more)"),
    ({"conventions": {"flops_per_multiply_add": 3}}, "conventions.flops_per_multiply_add: must be 1 or 2 (got 3)"),
    ({"conventions": {"bytes_per_element": 1}}, "conventions.bytes_per_element: must be 2, 4 or 8 (got 1)"),
]


def test_tensors_are_joined_as_by_torch() -> None:
    """Behind each other, and beside each other; without storage too."""
    first, second = torch.arange(6).view(2, 3), torch.arange(12).view(4, 3)
    assert joined(first, second).equal(torch.cat([first, second]))
    assert joined(first.T, second.T, dim=1).equal(torch.cat([first.T, second.T], dim=1))
    assert joined(first.to("meta"), second.to("meta")).shape == (6, 3)
