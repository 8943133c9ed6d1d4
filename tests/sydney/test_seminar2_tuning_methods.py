"""Values, FLOPs and caches worked out by hand, sizes of all kinds, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.errors import ParameterError
from tests.conftest import worked_out
from tests.entries import entry_of, solved_entry

SLUG = "seminar2_tuning_methods"
ID = f"sydney/{SLUG}"
F = Fraction


entry = partial(entry_of, ID)
solved = partial(solved_entry, ID)


def test_trained_values() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["lora"].value == 6_291_456  # 32 · 6 · 4096 · 8
    assert part["adapters"].value == 4_194_304  # 32 · 4 · 4096 · 8
    assert part["prefix"].value == 5_242_880  # 32 · 2 · 20 · 4096
    assert part["prompt"].value == 81_920  # 20 · 4096
    assert part["model"].value == 6_442_450_944  # 32 · 12 · 4096²


def test_flops() -> None:
    part = worked_out(ID)[2]["2"]
    assert part["lora_token"].value == 12_582_912  # two FLOPs for each trained value
    assert part["prefix_token"].value == 10_485_760  # 2 · 32 · 2 · 20 · 4096
    assert part["prompt_token"].value == part["prefix_token"].value
    # 2 · 32 · 4096 · (12 · 4096 · 20 + 2 · (2068² − 2048²))
    assert part["prompt_pass"].value == 2 * 32 * 4096 * (12 * 4096 * 20 + 2 * (2068**2 - 2048**2))
    assert tuple(part["flops"].rows["merged"].values()) == ("LoRA, merged into the weights", 0, 0, 0, 0)


def test_caches() -> None:
    table = worked_out(ID)[2]["3/bytes"]
    assert list(table["extra_cache"].cells.values()) == [0, 0, 10_485_760, 10_485_760]  # 2 · 2 · 32 · 20 · 4096
    assert table.rows["prefix"]["of_the_users_tokens"] == 100 * F(20, 2048)


def test_equal_sizes() -> None:
    part = worked_out(ID)[2]["4"]
    assert [part[name].value for name in ("adapters", "prefix", "prompt")] == [12, 24, 1536]  # 3R/2, 3R, 6NR
    assert list(part["costs"]["flops_here"].cells.values()) == [2, 2, 2, 128]
    assert list(part["costs"]["bytes_here"].cells.values()) == [0, 0, 2, 128]
    assert tuple(part["sizes"].rows["rank_1"].values()) == (1, 786_432, F(3, 2), 3, 192)


def test_other_conventions() -> None:
    """All is found again with float32 caches, one head and one virtual token."""
    conventions = {"bytes_per_element": 4, "flops_per_multiply_add": 1}
    answer = solved(entry(n_layers=3, d_model=4, n_heads=1, rank=4, n_virtual_tokens=1, context_len=1, conventions=conventions))
    assert answer["4/costs/prompt/flops_here"].value == 6  # two multiply-adds a value in each of 3 layers
    assert answer["4/costs/prefix/bytes_here"].value == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 3}, "d_model: must be divisible by n_heads (got 4096 and 3)"),
        ({"rank": 4097}, "rank: must be at most d_model (got 4097 and 4096)"),
        ({"n_virtual_tokens": 0}, "n_virtual_tokens: must be greater than 0 (got 0)"),
        ({"context_len": 2**17 + 1}, "context_len: must be less than or equal to 131072 (got 131073)"),
    ],
)
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/sydney/params.yml: {SLUG}: {message}"
