"""Counts worked out by hand from the configurations, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.answer import Cell
from generators.errors import ParameterError
from generators.steps import Table
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "lecture25_parameter_efficient_tuning"
ID = f"utaustin/{SLUG}"
F = Fraction


entry = partial(entry_of, ID)
solved = partial(drawn_entry, ID)


def row(table: Table, *names: Cell) -> tuple[Cell, ...]:
    (found,) = (one for one in table.rows if one[: len(names)] == names)
    return found


def test_the_slides_question() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["lora"].value == 65_536  # 2 · 4096 · 8
    assert part["ratio"].value == 256  # 4096/16
    assert part["break_even"].value == 2048
    assert part.tables["ranks"].rows[-1] == (2048, 4096**2, 1, 1)
    assert part["rectangular"].value == F(11008 * 4096, 15104)


def test_bert_large() -> None:
    """A layer has 4·1024² + 8·1024² weights, 4·1024 + 4096 + 1024 biases and 4·1024 in norms."""
    layer = 12 * 1024**2 + 9 * 1024 + 4 * 1024
    part = worked_out(ID)[2]["2"]
    assert part["rows"].value == 30522 + 512 + 2
    assert part["model"].value == 24 * layer + 31036 * 1024 + 2 * 1024 + 1024**2 + 1024 == 335_141_888
    assert part["BitFit"].value == 24 * 11 * 1024 + 2 * 1024  # and the shift of the first norm, and the pooler's bias
    assert part["BitFit, half"].value == 24 * 5 * 1024
    assert part["Adapters"].value == 24 * (2 * (2 * 1024 * 64 + 64 + 1024) + 4 * 1024)
    assert part["LoRA"].value == 24 * 2 * 2 * 1024 * 8


def test_pythia() -> None:
    """Query, key and value are one matrix; the output head is not the embedding; only the last norm stands outside."""
    tables = worked_out(ID)[2]["2"].tables
    assert row(tables["models"], "pythia-160m")[4] == 162_322_944
    assert row(tables["shares"], "pythia-160m", "BitFit")[2] == 12 * 11 * 768 + 768
    assert row(tables["shares"], "pythia-160m", "LoRA")[2] == 12 * 8 * (768 + 3 * 768)


def test_printed_shares() -> None:
    """272384 of 335141888 is 0.0813 %, 102912 of 109482240 is 0.0940 %."""
    part = worked_out(ID)[2]["3"]
    table = part.tables["printed"]
    assert [(one[2], one[5]) for one in table.rows if one[0] == "BitFit"] == [("BERT-large", "yes"), ("BERT-base", "no")]
    assert {one[5] for one in table.rows if one[0] == "Adapters"} == {"no"}
    width = part["width"].value
    assert 24 * (2 * (2049 * width + 1024) + 4096) == F(36, 1000) * 335_141_888
    assert part["difference"].value == F(335_141_888, 200)


def test_bytes_of_many_tasks() -> None:
    table = worked_out(ID)[2]["4"].tables["bytes"]
    assert row(table, "Full")[1:3] == (4 * 335_141_888, 400 * 335_141_888)
    assert row(table, "LoRA")[1:] == (4 * 786_432, 4 * (335_141_888 + 100 * 786_432), 12 * 786_432)


def test_a_width_that_rounds_to_the_printed_share() -> None:
    assert (
        row(solved(entry(adapter_width=121))["3"].tables["printed"], "Adapters", F(36, 1000), "BERT-large, width 121")[5] == "yes"
    )


def test_other_conventions() -> None:
    conventions = {"adapters_train_norms": False, "bytes_per_value": 2, "optimizer_states": 0}
    models = [{**entry()["models"][0], "n_layers": 2, "d_model": 16, "d_ff": 40, "vocabulary_size": 100}]
    answer = solved(entry(conventions=conventions, models=models, lora_on=["query", "key", "value"], rank=4, n_tasks=1))
    assert answer["2"]["LoRA"].value == 2 * 3 * 2 * 16 * 4
    assert answer["2"]["Adapters"].value == 2 * 2 * (2 * 16 * 64 + 64 + 16)
    assert row(answer["4"].tables["bytes"], "LoRA")[3] == 2 * 768


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ranks": [4, 2]}, "ranks: must rise from each to the next (got [4, 2])"),
        ({"ranks": [5000]}, "ranks: must be at most d_model, 4096 (got 5000)"),
        ({"rank": 800}, "rank: must be at most the smallest d_model, 768 (got 800)"),
        ({"models": entry()["models"][2:]}, "models: must begin with a BERT, which the lecture's table is about (got gpt_neox)"),
        ({"models": [entry()["models"][0]] * 2}, "models: must not repeat a name (got BERT-large, BERT-large)"),
        ({"lora_on": ["query", "query"]}, "lora_on: must not repeat a matrix (got query, query)"),
        ({"adapter_width": 0}, "adapter_width: must be greater than 0 (got 0)"),
    ],
)
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/utaustin/params.yml: {SLUG}: {message}"
