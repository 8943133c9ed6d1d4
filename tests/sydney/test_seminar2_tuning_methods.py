"""Values, FLOPs and caches worked out by hand, sizes of all kinds, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

from generators.cells import Cell
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "seminar2_tuning_methods"
ID = f"sydney/{SLUG}"
F = Fraction
entry = partial(entry_of, ID)

ONES = {"n_layers": 1, "d_model": 1, "n_heads": 1, "rank": 1, "n_virtual_tokens": 1, "context_len": 1}
LLAMA = {"d_model": 4096, "n_heads": 32, "n_kv_heads": 8, "d_ff": 14336}
FAR = [
    Far(ONES, ["1$ layer of width", "virtual token, the user's prompt has $L = 1$ token."]),
    Far(LLAMA, ["= 1024$", "= 14\\,336$"]),
    Far({"n_kv_heads": 1}, ["= 128$"]),
    Far(
        {**LLAMA, "lora_on": ["down", "output"]},
        ["makes of $x$: output and down.", "LoRA is put on output and down, and in COMP4901Y"],
        ["LoRA is put on query"],
    ),
    Far({"d_model": 96, "n_heads": 5, "head_dim": 64, "rank": 96}, ["= 320$"]),
    Far({"n_layers": 1024, "d_model": 2**20, "n_heads": 2**20, "rank": 2**20, "n_virtual_tokens": 2**14, "context_len": 2**17}),
    Far(
        {"conventions": {"flops_per_multiply_add": 1}},
        stays=[f"2/in_token/{one}/share" for one in ("lora", "prefix")],
    ),
    Far({"conventions": {"bytes_per_element": 4}}, stays=["3/bytes/prefix/share", "3/bytes/prompt/share", "2/in_pass/lora/here"]),
    Far({"context_len": 1, "n_virtual_tokens": 2**14}, ["= 16\\,384$ virtual tokens"]),
]


def test_lora_beside_all_linear_layers() -> None:
    """Of Llama 3 8B at rank 8: 32·8·(2·8192 + 2·5120 + 2·18432)."""
    answer = solved_entry(ID, entry(**LLAMA, lora_on=["query", "key", "value", "output", "up", "down"]))
    assert answer["1/values"].rows["lora"]["here"] == 16_252_928


def column(address: str, key: str) -> list[Cell]:
    """A column of a table from top to bottom."""
    return list(worked_out(ID)[2][address][key].cells.values())


def test_trained_values() -> None:
    assert column("1/values", "here") == [
        6_291_456,
        4_194_304,
        5_242_880,
        81_920,
    ]  # 32·6·4096·8, 32·4·4096·8, 32·2·20·4096, 20·4096
    assert worked_out(ID)[2]["1/model"].value == 6_442_450_944  # 32 · 12 · 4096²


def test_flops() -> None:
    """Two FLOPs for each value of low-rank matrices; 2·32·2·20·4096 for the more keys and values."""
    assert column("2/in_token", "here") == [12_582_912, 0, 8_388_608, 10_485_760, 10_485_760]
    more = 2 * 32 * 4096 * (12 * 4096 * 20 + 2 * (2068**2 - 2048**2))
    assert column("2/in_pass", "here") == [2048 * 12_582_912, 0, 2048 * 8_388_608, 2048 * 10_485_760, more]


def test_caches_and_costs() -> None:
    assert column("3/bytes", "here") == [0, 0, 0, 10_485_760, 10_485_760]  # 2 · 2 · 32 · 20 · 4096
    assert column("3/bytes", "share")[3] == 100 * F(20, 2048)
    assert column("4/costs", "flops") == [2, 0, 2, 2, 128]  # 4 · 32 for a value of a prompt
    assert column("4/costs", "bytes") == [0, 0, 0, 2, 128]
    assert column("4/costs", "size") == [8, 8, 12, 24, 1536]  # 3R/2, 3R, 6NR


def test_grouped_keys() -> None:
    """With 8 of 32 key-value heads, key and value have 1024 outputs: 8·(4096 + 4096) + 2·8·(4096 + 1024) a layer."""
    values = solved_entry(ID, entry(**LLAMA))["1/values"]
    assert values.rows["lora"]["here"] == 32 * (8 * 8192 + 16 * 5120)
    assert values.rows["prefix"]["here"] == 32 * 2 * 20 * 1024


REFUSED = [
    ({"n_heads": 3}, "d_model: must be divisible by n_heads (got 4096 and 3)"),
    ({"n_kv_heads": 3}, "n_heads: must be divisible by n_kv_heads (got 32 and 3)"),
    ({"rank": 4097}, "rank: must be at most d_model (got 4097 and 4096)"),
    ({"n_virtual_tokens": 0}, "n_virtual_tokens: must be greater than 0 (got 0)"),
    ({"context_len": 2**17 + 1}, "context_len: must be less than or equal to 131072 (got 131073)"),
]
