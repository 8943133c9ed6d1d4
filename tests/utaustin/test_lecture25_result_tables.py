"""Averages worked out by hand, what rounding explains, and every rule of the parameters."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.answer import Answer
from generators.cells import Cell
from generators.courses.utaustin.lecture25_result_tables.averages import explained, likely_swaps, verdict
from generators.errors import ParameterError
from tests.conftest import worked_out
from tests.entries import composed_entry, drawn_entry, entry_of

SLUG = "lecture25_result_tables"
ID = f"utaustin/{SLUG}"
F = Fraction


entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)


def arena(*rows: tuple[list[float], float], decimals: int = 1) -> dict[str, Any]:
    """A table of two tasks."""
    listed = [{"model": f"m{i}", "scores": scores, "average": mean, "speedup": None} for i, (scores, mean) in enumerate(rows)]
    return {"long_range_arena": {"decimals": decimals, "tasks": ["a", "b"], "rows": listed}}


def column(answer: Answer, label: str, name: str) -> dict[Cell, Cell]:
    """A column of the averages by the names of the rows."""
    return {next(iter(row.values())): row[name] for row in answer[f"{label}/averages"].rows.values()}


def cells(answer: Answer, address: str, row: str) -> tuple[Cell, ...]:
    return tuple(answer[address].rows[row].values())


def test_the_long_range_arena() -> None:
    """The transformer's scores sum to 296.2, a fifth of which is 59.24 and not 59.3; all others agree."""
    answer = worked_out(ID)[2]
    assert column(answer, "1", "recomputed")["Transformer"] == F("59.24")
    assert column(answer, "1", "difference")["Transformer"] == F("0.06")
    assert cells(answer, "1/off", "row_1") == ("Transformer", F("59.3"), F("59.24"), F("0.06"), "can")
    assert list(answer["1/off"].rows) == ["row_1"]
    assert (answer["1/n_agree"].value, answer["1/n_averages"].value) == (8, 9)
    assert (answer["1/S"].value, answer["1/n"].value, answer["1/furthest"].value) == (F("296.2"), 5, F("59.24"))
    assert answer["1/terms"].value == "36.0 + 63.6 + 81.6 + 42.3 + 72.7"
    assert not answer["1/half_cases"]


def test_sheared_llama() -> None:
    """262.1 on the five tasks shown and 449.1 on the six others make 711.2 over 11."""
    answer = worked_out(ID)[2]
    assert column(answer, "2", "recomputed")["LLaMA2-7B (2T)†"] == F("711.2") / 11
    assert column(answer, "2", "difference")["Sheared-LLaMA-2.7B (50B)"] == 0  # 213.9 + 409.8 = 623.7
    assert answer["2/n_agree"].value == 6
    assert len(answer["2/swaps"].rows) == 1
    assert cells(answer, "2/swaps", "row_1") == ("LLaMA2-7B (2T)†", "LAMBADA", "NQ (32)")


def test_bitfit() -> None:
    """93.5 + 94.1 + 86.5 + 87.1 = 361.2, a fourth of which is 90.3; no printed average is near the mean of its row."""
    answer = worked_out(ID)[2]
    assert column(answer, "3", "recomputed")["(V) Full-FT†"] == F("90.3")
    assert answer["3/none_explained"]
    assert cells(answer, "3/beside", "row_1") == ("(V) BitFit", "(V) Full-FT†", F("0.08"), F("-1.85"), F("-0.6"))
    assert answer["3/printed/row_2/task_1"].value == "91.7 ± 0.1"


def test_perplexities() -> None:
    """The first 8-bit row has 87.76 beside 25.65."""
    answer = worked_out(ID)[2]
    assert answer["4/ratios/absmax/model_1"].value == F(8776, 2565)
    assert cells(answer, "4/best", "model_3") == (
        "2.7B", "Int8 zeropoint vector-wise", F(1436, 1443), "Int8 absmax row-wise", F(1524, 1443), 1,
    )  # fmt: skip
    assert str(answer["4/best/model_5/best"].value).count("LLM.int8()") == 2


def test_verdicts() -> None:
    """59.24 is nearer to 59.2, 0.25 lies halfway between 0.2 and 0.3; a unit apart is what rounded scores can explain."""
    assert verdict(F("59.3"), F("59.24"), 1) == "no"
    assert verdict(F("59.2"), F("59.24"), 1) == "yes"
    assert verdict(F("0.3"), F("0.25"), 1) == verdict(F("0.2"), F("0.25"), 1) == "half case"
    assert explained(F("59.3"), F("59.2"), 1)
    assert not explained(F("59.3"), F("59.19"), 1)


def test_half_cases_are_named() -> None:
    """1.1 and 1.2 have the mean 1.15, which could be printed as 1.1 and 1.2 alike, but not as 1.3."""
    answer = solved(entry(**arena(([1.1, 1.2], 1.1), ([1.1, 1.2], 1.2), ([1.1, 1.2], 1.3), ([1.1, 1.1], 1.1))))
    assert list(column(answer, "1", "agrees").values()) == ["half case", "half case", "no", "yes"]
    assert list(column(answer, "1", "explained").values()) == [None, None, "no", None]
    assert [row["model"] for row in answer["1/halves"].rows.values()] == ["m0", "m1"]


def test_a_swap_by_hand() -> None:
    """Medians of the other rows are 1 and 9; the last row has them the other way round."""
    rows = [[F(1), F(9)], [F(1), F(9)], [F(8), F(2)]]
    assert likely_swaps(rows, F(6)) == [(2, 0, 1)]  # |8 - 1| - |2 - 1| = 6, |2 - 9| - |8 - 9| = 6
    assert likely_swaps(rows, F(7)) == []


@pytest.mark.parametrize(
    ("averages", "claims"),
    [
        ((1.0, 2.0), {"none_explained": False, "some_explained": False, "all_explained": True}),
        ((1.1, 2.5), {"none_explained": False, "some_explained": True, "all_explained": False}),
        ((1.5, 2.5), {"none_explained": True, "some_explained": False, "all_explained": False}),
    ],
)
def test_what_the_shown_columns_explain(averages: tuple[float, float], claims: dict[str, bool]) -> None:
    """The means are 1 and 2; a tenth off is what rounding explains. Two sets of one method each compare nothing."""
    rows = [
        {"set": name, "method": "all", "percent": 100, "scores": [mean, mean], "average": average}
        for name, mean, average in zip("VT", (1, 2), averages, strict=True)
    ]
    changed = entry(bitfit={"decimals": 1, "tasks": ["a", "b"], "n_lost": 1, "rows": rows})
    answer = solved(changed)
    assert {key: bool(answer[f"3/{key}"]) for key in claims} == claims
    assert not answer["3/compared"]
    text = composed_entry(ID, changed)["site"]
    assert ("None of the" in text, "; the others cannot" in text, "explains all" in text) == tuple(claims.values())


def with_first(table: str, **changes: Any) -> dict[str, Any]:
    """The table with its first row changed."""
    held = deepcopy(entry()[table])
    held["rows"][0] |= changes
    return {table: held}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (arena(([1.0], 1.0), ([1.0, 1.0], 1.0)), "long_range_arena: rows: 'm0' must have 2 scores (got 1)"),
        (arena(([1.05, 1.0], 1.0), ([1.0, 1.0], 1.0)), "long_range_arena: rows: 'm0' must have at most 1 decimals (got 1.05)"),
        (arena(([1.0, 1.0], 1.25), ([1.0, 1.0], 1.0)), "long_range_arena: rows: 'm0' must have at most 1 decimals (got 1.25)"),
        (with_first("sheared_llama", left_out=[1.0]),
         "sheared_llama: rows: 'LLaMA2-7B (2T)†' must have 6 scores (got 1)"),
        (with_first("bitfit", spreads=[0.1]), "bitfit: rows: 'Full-FT†' must have 4 spreads (got 1)"),
        (with_first("bitfit", percent=0), "bitfit.rows.0.percent: must be greater than 0 (got 0)"),
        (with_first("perplexities", scheme="half"), None),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str | None) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value).startswith(
        f"generators/courses/utaustin/params.yml: {SLUG}: {message or 'perplexities.rows.0.scheme: must be'}"
    )
