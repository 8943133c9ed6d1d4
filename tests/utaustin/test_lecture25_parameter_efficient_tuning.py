"""Counts worked out by hand from the configurations, parameters far from the default, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_parameter_efficient_tuning"
ID = f"utaustin/{SLUG}"
F = Fraction
entry, solved = partial(entry_of, ID), partial(solved_entry, ID)
LARGE = entry()["models"][0]
TINY = {**LARGE, "name": "tiny", "n_layers": 1, "d_model": 1, "d_ff": 1, "vocabulary_size": 1, "n_positions": 1, "n_segments": 1}
HUGE = {**LARGE, "name": "huge", "n_layers": 200, "d_model": 2**15, "d_ff": 2**20, "vocabulary_size": 2**20}
TWO = [LARGE, {**LARGE, "name": "two", "n_layers": 2}]

FAR = [
    Far(
        {"models": [TINY], "ranks": [1], "rank": 1, "adapter_width": 1, "n_tasks": 1}, ["tiny and 1 task, memory"], ["BERT-large"]
    ),
    Far({"models": [HUGE], "n_tasks": 10**6}, ["1 000 000 tasks"]),
    Far({"d_model": 8, "ranks": [1, 3, 8], "rank": 4}, ["= 4$ on."]),
    Far({"models": TWO, "lora_on": ["key"]}, ["beside the matrices key:", "BERT-large and two"]),
    Far(
        {"models": TWO, "lora_on": ["query", "key", "value", "output", "up", "down"]},
        ["query, key, value, output, up and down"],
    ),
    Far({"models": TWO, "lora_on": ["down", "up"], "rank": 512}),
    Far(
        {"conventions": {"adapters_train_norms": False, "bytes_per_value": 2, "optimizer_states": 1}},
        ["1 state of the optimizer"],
        ["norms are trained with them"],
    ),
    Far({"conventions": {"optimizer_states": 0}}, ["0 states of the optimizer"], stays=["2/bitfit", "lora/trained"]),
    Far({"adapter_width": 121, "other_adapter_widths": []}),
    Far(
        {"printed": {"bitfit": {"percent": 100, "decimals": 0}, "diff_pruning": {"percent": "1/3", "decimals": 1}}},
        ["for none of the models"],
        ["comes out for BERT"],
    ),
]


def test_the_slides_question() -> None:
    part = worked_out(ID)[2]["1"]
    assert (part["lora"].value, part["ratio"].value, part["break_even"].value) == (65_536, 256, 2048)  # 2·4096·8, 4096/16
    assert tuple(part["ranks"].rows["rank_2048"].values()) == (2048, 4096**2, 1, 100)


def test_bert_large() -> None:
    """A layer has 4·1024² + 8·1024² weights, 4·1024 + 4096 + 1024 biases and 4·1024 in norms."""
    layer = 12 * 1024**2 + 9 * 1024 + 4 * 1024
    answer = worked_out(ID)[2]
    assert answer["model/N_rows"].value == 30522 + 512 + 2
    assert answer["model/values"].value == 24 * layer + 31036 * 1024 + 2 * 1024 + 1024**2 + 1024 == 335_141_888
    assert answer["2/bitfit"].value == 24 * 11 * 1024 + 2 * 1024  # and the shift of the first norm, and the pooler's bias
    assert answer["adapters/trained"].value == 24 * (2 * (2 * 1024 * 64 + 64 + 1024) + 4 * 1024)
    assert answer["lora/trained"].value == 24 * 2 * 2 * 1024 * 8


def test_lora_on_all_linear_layers() -> None:
    """Four pairs of 2·1024 rows and columns, two of 1024 + 4096."""
    answer = solved(entry(lora_on=["query", "key", "value", "output", "up", "down"]))
    assert answer["lora/trained"].value == 24 * 8 * (4 * 2048 + 2 * 5120)


def test_printed_shares() -> None:
    """272384 of 335141888 is 0.0813 %, 102912 of 109482240 is 0.0940 %; a width of 121 rounds to 3.6 %."""
    part = worked_out(ID)[2]["3"]
    assert part["bitfit_models"].value == "BERT-large"
    rounds = part["printed"]["rounds_to_printed"].cells
    assert [rounds["bitfit.model_1"], rounds["bitfit.model_2"]] == ["yes", "no"]
    assert {cell for row, cell in rounds.items() if row.startswith("adapters.")} == {"no"}
    assert 24 * (2 * (2049 * part["width"].value + 1024) + 4096) == F(36, 1000) * 335_141_888
    assert part["difference"].value == 1_700_000  # 335141888 / 200 = 1675709.44
    assert solved(entry(adapter_width=121))["3/printed/adapters.own/rounds_to_printed"].value == "yes"


def test_bytes_of_many_tasks() -> None:
    """In MiB, at 4 bytes a value; Adam and the gradient keep three values for each trained one."""
    table = worked_out(ID)[2]["4/bytes"]
    kept = {key: [F(cell) * 2**18 for cell in list(table.rows[key].values())[1:]] for key in ("full", "lora")}
    assert kept["full"] == [335_141_888, 100 * 335_141_888, 3 * 335_141_888]
    assert kept["lora"] == [786_432, 335_141_888 + 100 * 786_432, 3 * 786_432]


REFUSED = [
    ({"ranks": [4, 2]}, "ranks: must rise from each to the next (got 4, 2)"),
    ({"ranks": [5000]}, "ranks: must be at most d_model (got 5000 and 4096)"),
    ({"rank": 800}, "rank: must be at most the smallest width of all models (got 800 and 768)"),
    ({"models": [LARGE] * 2}, "models: must not repeat a name (got BERT-large, BERT-large)"),
    ({"lora_on": ["query", "query"]}, "lora_on: must not repeat an entry (got query, query)"),
    ({"adapter_width": 0}, "adapter_width: must be greater than 0 (got 0)"),
]
