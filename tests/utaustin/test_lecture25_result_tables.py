"""Averages worked out by hand, what rounding explains, and every rule of the parameters."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.errors import ParameterError
from generators.steps import Answer
from generators.topics.printed_tables import explained, likely_swaps, verdict
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "lecture25_result_tables"
ID = f"utaustin/{SLUG}"
F = Fraction


entry = partial(entry_of, ID)
solved = partial(drawn_entry, ID)


def arena(*rows: tuple[list[float], float], decimals: int = 1) -> dict[str, Any]:
    """A table of two tasks."""
    listed = [{"model": f"m{i}", "scores": scores, "average": mean, "speedup": None} for i, (scores, mean) in enumerate(rows)]
    return {"long_range_arena": {"decimals": decimals, "tasks": ["a", "b"], "rows": listed}}


def column(answer: Answer, label: str, name: str) -> dict[Any, Any]:
    table = answer[label].tables["averages"]
    return dict(zip(table.column(str(table.header[0])), table.column(name), strict=True))


def test_the_long_range_arena() -> None:
    """The transformer's scores sum to 296.2, a fifth of which is 59.24 and not 59.3; all others agree."""
    answer = worked_out(ID)[2]
    assert column(answer, "1", "Recomputed")["Transformer"] == F("59.24")
    assert column(answer, "1", "Difference")["Transformer"] == F("0.06")
    assert [name for name, agrees in column(answer, "1", "Agrees").items() if agrees == "no"] == ["Transformer"]
    assert answer["1"]["agree"].value == 8
    assert answer["1"]["half"].value == 0


def test_sheared_llama() -> None:
    """262.1 on the five tasks shown and 449.1 on the six others make 711.2 over 11."""
    answer = worked_out(ID)[2]
    assert column(answer, "2", "Recomputed")["LLaMA2-7B (2T)†"] == F("711.2") / 11
    assert column(answer, "2", "Difference")["Sheared-LLaMA-2.7B (50B)"] == 0  # 213.9 + 409.8 = 623.7
    assert answer["2"]["agree"].value == 6
    assert answer["2"].tables["swaps"].rows == (("LLaMA2-7B (2T)†", "LAMBADA", "NQ (32)"),)


def test_bitfit() -> None:
    """93.5 + 94.1 + 86.5 + 87.1 = 361.2, a fourth of which is 90.3; no printed average is near the mean of its row."""
    answer = worked_out(ID)[2]
    assert column(answer, "3", "Mean of shown")["(V) Full-FT†"] == F("90.3")
    assert answer["3"]["explained"].value == 0
    assert answer["3"].tables["beside"].rows[0] == ("(V) BitFit", "(V) Full-FT†", F(8, 10_000), F("-1.85"), F("-0.6"))
    assert answer["3"].tables["printed"].rows[1][2] == "91.7 ± 0.1"


def test_perplexities() -> None:
    part = worked_out(ID)[2]["4"]
    assert part.tables["ratios"].rows[0][1] == F(8776, 2565)
    assert part.tables["best"].rows[2] == (
        "2.7B",
        "Int8 zeropoint vector-wise",
        F(1436, 1443),
        "Int8 absmax row-wise",
        F(1524, 1443),
        1,
    )
    assert part.tables["best"].rows[4][1].count("LLM.int8()") == 2


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
    assert list(column(answer, "1", "Agrees").values()) == ["half case", "half case", "no", "yes"]
    assert list(column(answer, "1", "Explained by rounding").values()) == ["–", "–", "no", "–"]
    assert answer["1"]["half"].value == 2


def test_a_swap_by_hand() -> None:
    """Medians of the other rows are 1 and 9; the last row has them the other way round."""
    rows = [[F(1), F(9)], [F(1), F(9)], [F(8), F(2)]]
    assert likely_swaps(rows, F(6)) == [(2, 0, 1)]  # |8 - 1| - |2 - 1| = 6, |2 - 9| - |8 - 9| = 6
    assert likely_swaps(rows, F(7)) == []


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 1000)] * 3), min_size=2, max_size=4))
def test_any_scores(rows: list[tuple[int, ...]]) -> None:
    """All checks pass."""
    solved(entry(**arena(*(([a / 10, b / 10], mean / 10) for a, b, mean in rows))))


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
