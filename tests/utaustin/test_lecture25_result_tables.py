"""Printed cells beside the document's text, averages worked out by hand, and every rule of the parameters."""

from __future__ import annotations

import re
from copy import deepcopy
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from generators.answer import Answer
from generators.cells import Cell
from generators.courses.utaustin.lecture25_result_tables.solve import likely_swaps, verdict
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_result_tables"
ID = f"utaustin/{SLUG}"
F = Fraction

entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def arena(*rows: tuple[list[float], float], decimals: int = 1) -> dict[str, Any]:
    """A table of two tasks; the first method is claimed to be faster than the others."""
    listed = [
        {"model": f"m{i}", "kind": "approximate" if i else "claimed", "scores": scores, "average": mean, "speedup": 1 + i}
        for i, (scores, mean) in enumerate(rows)
    ]
    return {"long_range_arena": {"decimals": decimals, "tasks": ["a", "b"], "rows": listed}}


def sheared(groups: str, *shown: list[float]) -> dict[str, Any]:
    """A model a letter of its group, with scores that are shown, and one more that is not."""
    rows = [
        {"model": f"m{i}", "group": group, "billion_tokens": 1 + i, "shown": scores, "left_out": [0, 0], "average": 0}
        for i, (group, scores) in enumerate(zip(groups, shown, strict=True))
    ]
    return {"sheared_llama": {"decimals": 1, "shown": ["a", "b"], "left_out": ["c", "d"], "swap_margin": 20, "rows": rows}}


def bitfit(*rows: tuple[str, float | str, float]) -> dict[str, Any]:
    """A set, a share in percent and an average a row, with two scores of 1."""
    listed = [{"set": name, "method": "M", "percent": x, "scores": [1, 1], "average": mean} for name, x, mean in rows]
    return {"bitfit": {"decimals": 1, "tasks": ["a", "b"], "rows": listed}}


NO_SWAP, BEST = "look exchanged", "For each size, the model"
FAR = [
    Far(arena(([1, 1.1], 1), ([2.5, 3.5], 5)), ("faster than 0 of 1 approximate method,", "between $-4$ and $-4$ points")),
    Far(arena(([50, 50], 50), ([100, 0], 49.9), ([0, 0], 0)),
        ("between $0.1$ and $50$ points. Less than one point behind: m1 (0.1).",)),
    Far(arena(([1, 2], 2), ([1, 2], 1), decimals=0), ("Of 2 printed averages, 2 agree",)),
    Far(arena(([1.1, 1.2], 1.3), ([1.1, 1.2], 1.2), ([1, 1.1], 1.1)), ("Of 3 printed averages, 2 agree", "0 more could agree")),
    Far(sheared("ab", [1, 2], [1, 2]), silent=(BEST, NO_SWAP)),
    Far(sheared("aab", [90, 1], [1, 90], [1, 90]), (NO_SWAP, BEST)),
    Far(bitfit(("V", 100, 1), ("T", 100, 1)), silent=("minus those of full fine-tuning",)),
    Far(bitfit(("V", "1/3", 99.9), ("V", 100, 100), ("V", 100, 0)), ("-0.1", "99.9")),
    Far({"perplexities": {"models": ["x"], "decimals": 0, "rows": [
        {"method": "a", "scheme": "float32", "values": [7]}, {"method": "b", "scheme": "absmax", "values": [7]}]}},
        stays=("1/n_slower", "2/n_agree")),
]  # fmt: skip


def test_printed_cells_are_those_of_the_document() -> None:
    """The text of the lecture's tables has the same numbers in the same order, row by row."""
    held = entry()
    rows = [
        [*row["scores"], row["average"], *([row["speedup"]] if row["speedup"] else [])]
        for row in held["long_range_arena"]["rows"]
    ]
    rows += [[*row["shown"], row["average"]] for row in held["sheared_llama"]["rows"]]
    for row in held["bitfit"]["rows"]:
        spreads = row.get("spreads", [None] * 4)
        pairs = [x for pair in zip(row["scores"], spreads, strict=True) for x in pair if x is not None]
        rows.append([row["percent"], *pairs, row["average"]])
    rows += [row["values"] for row in held["perplexities"]["rows"]]
    text = (Path(__file__).parent / "lecture25_tables.txt").read_text(encoding="utf-8").splitlines()
    read = [
        [float(x) for x in re.findall(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w)\]-])", line.replace("100%", "100 "))] for line in text
    ]
    assert [list(map(float, row)) for row in rows] == [line[-len(row) :] for row, line in zip(rows, read, strict=True)]


def cells(answer: Answer, address: str, row: str) -> tuple[Cell, ...]:
    return tuple(answer[address].rows[row].values())


def test_the_long_range_arena() -> None:
    """The transformer's scores sum to 296.2, a fifth of which is 59.24 and not 59.3; Linformer's speedup of 2.5 exceeds 2.4."""
    answer = worked_out(ID)[2]
    assert cells(answer, "1/averages", "row_1")[1:] == ("nearly", F("59.24"), "59.3", None)
    assert [answer[f"1/{key}"].value for key in ("n_agree", "n_nearly", "n_averages")] == [8, 1, 9]
    assert (answer["1/n_slower"].value, answer["1/faster"].value) == (5, "Linformer")
    assert (answer["1/close"].value, answer["1/least_behind"].value) == ("Linear Attention (0.2), Performer (0.9)", F("0.2"))
    assert answer["1/left_out"].value == "Block-sparse FlashAttention"


def test_sheared_llama() -> None:
    """262.1 on the five tasks shown and 449.1 on the six others make 711.2 over 11; the best of a size lead by 51.0 - 48.9."""
    answer = worked_out(ID)[2]
    assert answer["2/averages/row_1/recomputed"].value == F("711.2") / 11
    assert answer["2/n_agree"].value == 6
    assert cells(answer, "2/best", "row_1") == ("about 1.3B", "Sheared-LLaMA-1.3B (50B)", F("2.1"), 50, 300)
    assert cells(answer, "2/swaps", "row_1") == ("LLaMA2-7B (2T)†", "LAMBADA", "NQ (32)")


def test_bitfit() -> None:
    """93.5 + 94.1 + 86.5 + 87.1 = 361.2, a fourth of which is 90.3."""
    answer = worked_out(ID)[2]
    assert cells(answer, "3/averages", "row_1") == ("(V) Full-FT†", "84.8", F("90.3"), 100)
    assert cells(answer, "3/beside", "row_1") == ("(V) BitFit", "(V) Full-FT†", F("-0.6"), F("-1.85"))
    assert answer["3/scores/row_2/task_1"].value == "91.7 ± 0.1"


def test_perplexities() -> None:
    """The first model's worst row has 87.76 beside 25.65, its best one 25.69."""
    answer = worked_out(ID)[2]
    assert cells(answer, "4/best", "model_1")[2:] == (F(2569, 2565), "Int8 absmax", F(8776, 2565))
    assert str(answer["4/best/model_5/best"].value).count("LLM.int8()") == 2


def test_verdicts() -> None:
    """59.24 is nearer to 59.2, 0.25 lies halfway between 0.2 and 0.3; a unit apart is what rounded scores can explain."""
    assert verdict(F("59.3"), F("59.24"), 1) == verdict(F("59.3"), F("59.2"), 1) == "nearly"
    assert verdict(F("59.2"), F("59.24"), 1) == verdict(F("0.3"), F("0.25"), 1) == verdict(F("0.2"), F("0.25"), 1) == "yes"
    assert verdict(F("59.3"), F("59.19"), 1) == "no"


def test_a_swap_by_hand() -> None:
    """Medians of the other rows are 1 and 9; the last row has them the other way round."""
    rows = [[F(1), F(9)], [F(1), F(9)], [F(8), F(2)]]
    assert likely_swaps(rows, F(6)) == [(2, 0, 1)]  # |8 - 1| - |2 - 1| = 6, |2 - 9| - |8 - 9| = 6
    assert likely_swaps(rows, F(7)) == []


def with_first(table: str, **changes: Any) -> dict[str, Any]:
    """The table with its first row changed."""
    held = deepcopy(entry()[table])
    held["rows"][0] |= changes
    return {table: held}


REFUSED = [
    (arena(([1.0], 1.0), ([1.0, 1.0], 1.0)), "long_range_arena: rows: 'm0' must have 2 scores (got 1)"),
    (arena(([1.05, 1.0], 1.0), ([1.0, 1.0], 1.0)), "long_range_arena: rows: 'm0' must have at most 1 decimals (got 1.05)"),
    (with_first("sheared_llama", left_out=[1.0]), "sheared_llama: rows: 'LLaMA2-7B (2T)†' must have 6 scores (got 1)"),
    (with_first("bitfit", spreads=[0.1]), "bitfit: rows: 'Full-FT†' must have 4 spreads (got 1)"),
    (with_first("long_range_arena", scores=[100.1, 1, 1, 1, 1]),
     "long_range_arena.rows.0.scores.0: must be less than or equal to 100 (got 100.1)"),
    (with_first("long_range_arena", kind="approximate"),
     "long_range_arena: rows: 'Transformer' must have a speedup, as it is approximate (got none)"),
    (with_first("long_range_arena", kind="claimed", speedup=2),
     "long_range_arena: rows: must have one claimed and some approximate (got 2 claimed)"),
    (with_first("bitfit", percent=0), "bitfit.rows.0.percent: must be greater than 0 (got 0)"),
    ({"perplexities": {"models": ["x"], "decimals": 0, "rows": [{"method": "a", "scheme": "b", "values": [1]}] * 2}},
     "perplexities: rows: must have the scheme 'float32' once (got b, b)"),
]  # fmt: skip
