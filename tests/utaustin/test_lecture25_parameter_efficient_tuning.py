"""Counts worked out by hand from the configurations, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.errors import ParameterError
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "lecture25_parameter_efficient_tuning"
ID = f"utaustin/{SLUG}"
F = Fraction


entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)


def test_the_slides_question() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["lora"].value == 65_536  # 2 · 4096 · 8
    assert part["ratio"].value == 256  # 4096/16
    assert part["break_even"].value == 2048
    assert tuple(part["ranks"].rows["rank_2048"].values()) == (2048, 4096**2, 1, 100)
    assert part["rectangular"].value == F(11008 * 4096, 15104)


def test_bert_large() -> None:
    """A layer has 4·1024² + 8·1024² weights, 4·1024 + 4096 + 1024 biases and 4·1024 in norms."""
    layer = 12 * 1024**2 + 9 * 1024 + 4 * 1024
    answer = worked_out(ID)[2]
    assert answer["model/E"].value == 30522 + 512 + 2
    assert answer["model/values"].value == 24 * layer + 31036 * 1024 + 2 * 1024 + 1024**2 + 1024 == 335_141_888
    assert answer["2/bitfit"].value == 24 * 11 * 1024 + 2 * 1024  # and the shift of the first norm, and the pooler's bias
    assert answer["2/bitfit_half"].value == 24 * 5 * 1024
    assert answer["adapters/trained"].value == 24 * (2 * (2 * 1024 * 64 + 64 + 1024) + 4 * 1024)
    assert answer["lora/trained"].value == 24 * 2 * 2 * 1024 * 8


def test_pythia() -> None:
    """Query, key and value are one matrix; the output head is not the embedding; only the last norm stands outside."""
    answer = worked_out(ID)[2]
    assert answer["2/models/model_3/values"].value == 162_322_944
    assert answer["2/shares/model_3.bitfit/trained"].value == 12 * 11 * 768 + 768
    assert answer["2/shares/model_3.lora/trained"].value == 12 * 8 * (768 + 3 * 768)


def test_printed_shares() -> None:
    """272384 of 335141888 is 0.0813 %, 102912 of 109482240 is 0.0940 %."""
    part = worked_out(ID)[2]["3"]
    rounds = part["printed"]["rounds_to_it"].cells
    assert [rounds["bitfit.model_1"], rounds["bitfit.model_2"]] == ["yes", "no"]
    assert {cell for row, cell in rounds.items() if row.startswith("adapters.")} == {"no"}
    width = part["width"].value
    assert 24 * (2 * (2049 * width + 1024) + 4096) == F(36, 1000) * 335_141_888
    assert part["difference"].value == 1_675_709  # 335141888 / 200 = 1675709.44


def test_bytes_of_many_tasks() -> None:
    table = worked_out(ID)[2]["4/bytes"]
    assert list(table.rows["full"].values())[1:3] == [4 * 335_141_888, 400 * 335_141_888]
    assert list(table.rows["lora"].values())[1:] == [4 * 786_432, 4 * (335_141_888 + 100 * 786_432), 12 * 786_432]


def test_a_width_that_rounds_to_the_printed_share() -> None:
    assert solved(entry(adapter_width=121))["3/printed/adapters.width_121/rounds_to_it"].value == "yes"


def test_other_conventions() -> None:
    conventions = {"adapters_train_norms": False, "bytes_per_value": 2, "optimizer_states": 0}
    models = [{**entry()["models"][0], "n_layers": 2, "d_model": 16, "d_ff": 40, "vocabulary_size": 100}]
    answer = solved(entry(conventions=conventions, models=models, lora_on=["query", "key", "value"], rank=4, n_tasks=1))
    assert answer["lora/trained"].value == 2 * 3 * 2 * 16 * 4
    assert answer["adapters/trained"].value == 2 * 2 * (2 * 16 * 64 + 64 + 16)
    assert answer["4/bytes/lora/gradients_and_optimizer"].value == 2 * 768
    assert answer["3/bitfit_fits_none"]


def test_no_printed_share_of_other_models() -> None:
    """The models that the printed share of biases does not fit are spoken of where it fits one."""
    part = worked_out(ID)[2]["3"]
    assert (part["bitfit_models"].value, part["n_other_models"].value) == ("BERT-large", 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ranks": [4, 2]}, "ranks: must rise from each to the next (got 4, 2)"),
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
