"""Levels, bits and pages worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.courses.utaustin.lecture25_nf4.normal_float import (
    block_error,
    in_blocks,
    levels,
    probabilities,
    restored,
    rounded_scales,
)
from generators.courses.utaustin.lecture25_nf4.paging import Memory, paged_step
from generators.errors import ParameterError
from generators.topics.quantization import measured_error, seeded_weights
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of, solved_entry

SLUG = "lecture25_nf4"
ID = f"utaustin/{SLUG}"
F = Fraction


entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def within(field: str, **changes: Any) -> dict[str, Any]:
    return {field: {**entry()[field], **changes}}


def test_probabilities() -> None:
    """929/960 = 1 - (1/30 + 1/32)/2; the first step below a half is 449/960 over 7, above it over 8."""
    found = probabilities()
    assert (found[0], found[7], found[15]) == (F(31, 960), F(1, 2), F(929, 960))
    assert found[7] - found[6] == F(449, 960) / 7
    assert found[8] - found[7] == F(449, 960) / 8
    assert len(found) == 16


def test_levels() -> None:
    """The ends, zero, and FP4's magnitudes 0.5, 1, 1.5, 2, 3, 4, 6 over 6."""
    assert (levels("nf4")[0], levels("nf4")[7], levels("nf4")[15]) == (-1.0, 0.0, 1.0)
    assert levels("nf4")[8] == pytest.approx(0.0796, abs=1e-4)
    assert levels("fp4")[7:] == pytest.approx([0, 1 / 12, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1])
    assert len(levels("int4")) == 15


def test_a_block_by_hand() -> None:
    """With a scale of 4, -1 is -1/4 and its nearest seventh -2/7; 4 is the largest level."""
    blocks = in_blocks([4.0, -1.0, 0.2, -3.0], 4, "int4")
    assert restored(blocks, "int4") == pytest.approx([4, -8 / 7, 0, -20 / 7])


def test_one_block_of_integers_is_a_quantized_matrix() -> None:
    """With a single scale, Int4 is the symmetric quantization of assignment 2."""
    weights = seeded_weights(3, 16)
    assert block_error(weights, 256, "int4") == pytest.approx(measured_error(weights, 4).relative, rel=1e-12)


def test_scales_by_hand() -> None:
    """Mean 3, rests -2 and 2 with a step of 2/127, which both ends hit; the mean comes back as 0."""
    assert rounded_scales([1.0, 5.0, 3.0], 3, 8) == pytest.approx([1, 5, 3])


def test_bits() -> None:
    answer = worked_out(ID)[2]
    assert answer["3/plain"].value == F(1, 2)  # 32/64
    assert answer["3/double"].value == F(65, 512)  # 8/64 + 32/(64·256)
    assert answer["3/memory/model_1/fp16"].value == F(14 * 10**9, 2**30)
    assert answer["3/memory/model_4/saved"].value == F(65 * 10**9) * F(191, 512) / 8 / 2**30  # 3 GB


def test_adapters_and_states() -> None:
    part = worked_out(ID)[2]["4"]
    assert part["N_LoRA"].value == 64 * 32 * (4 * 2 * 4096 + 3 * (4096 + 11008))
    assert part["S"].value == 8 * 159_907_840 + 4 * 14 * 32
    assert part["A"].value == 2 * 32 * 4096


def test_pages_by_hand() -> None:
    """Of 100 bytes 40 stay and 3 pages of 10 are states: 30 are free; activations of 45 push two pages out."""
    found = [paged_step(Memory(100, 40, 10, 3), activations) for activations in (30, 31, 45, 60, 5)]
    assert [step.left for step in found] == [0, 1, 2, 3, 0]
    assert [step.peak for step in found] == [100, 91, 95, 100, 75]
    assert [step.peak_without for step in found] == [100, 101, 115, 130, 75]


def test_a_run_that_never_pages() -> None:
    """Short sequences move nothing, and the picture says so."""
    answer = drawn_entry(ID, entry(**within("training", tokens=[512, 640])))
    assert bool(answer["4/pages_stay"])
    assert not answer["4/spikes"].rows
    assert answer["4/moved"].value == 0


def test_other_conventions() -> None:
    """FP16 scales halve their bits; FP32 adapters double what stays beside the codes."""
    changes = {"conventions": {"scale_bits": 16, "quantized_scale_bits": 8, "bytes_per_value": 4}}
    answer = solved(entry(**changes, **within("training", limit_mib=8192)))
    assert answer["3/plain"].value == F(1, 4)
    assert answer["4/M_fixed"].value == 4 * 2 * 159_907_840 + -(-7 * 10**9 * (4 + F(1, 8) + F(1, 1024)) // 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (within("sample", block_lens=[64, 32]), "sample.block_lens: must rise from each to the next (got 64, 32)"),
        (within("sample", block_lens=[60, 64]), "sample: block_lens: must divide the 16384 weights (got 60)"),
        ({"block_len": 512}, "block_len: must be one of sample.block_lens (got 512)"),
        ({"second_block_len": 3}, "second_block_len: must divide the 256 scales (got 3)"),
        (within("training", model="1B"), "training.model: must be the name of one of the models (got '1B')"),
        ({"models": [{"name": "7B", "n_parameters": 1}] * 2}, "models: must have different names (got ['7B', '7B'])"),
        (within("training", page_kib=4), "training.page_kib: must cut the states into at most 20000 pages (got 312321)"),
        (within("training", limit_mib=4096),
         "training.limit_mib: must hold weights and optimizer states, 5276 MiB (got 4096)"),
        (within("training", tokens=[9000]),
         "training.tokens: must be at most the 8360 that fit without optimizer states (got 9000)"),
        (within("sample", size=256), "sample.size: must be less than or equal to 128 (got 256)"),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/utaustin/params.yml: {SLUG}: {message}"
