"""Builds that say something wrong are refused: each is made on purpose, and the message names the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType

import pytest

from generators.pipeline.catalog import COURSES
from generators.pipeline.match import Findings
from generators.pipeline.unit import Task, mismatches
from tests.entries import ENTRIES, id_of

TREE, INTENSITY = "hw4_q2_tree_attention", "hw3_q1_arithmetic_intensity"


@cache
def found(slug: str) -> tuple[Task, list[Findings]]:
    """A question and what is found at all of its sizes."""
    question_id = id_of(f"comp4901y/{slug}")
    task = Task.at(question_id, ENTRIES[question_id])
    return task, task.found()


def messages(slug: str, old: str, new: str) -> list[str]:
    """What the matcher says of a solver in which `old` was replaced."""
    path = COURSES / "comp4901y" / slug / "solve.py"
    source = path.read_text(encoding="utf-8")
    assert old in source
    solver = ModuleType(f"generators.courses.comp4901y.{slug}.solve")
    exec(compile(source.replace(old, new), str(path), "exec"), vars(solver))
    task, findings = found(slug)
    return mismatches(replace(task, question=replace(task.question, solve=solver.solve)), findings)


@pytest.mark.parametrize(
    ("slug", "old", "new", "said"),
    [
        (  # the last guesses of each head instead of the first
            TREE, "medusa.root, medusa.heads", "medusa.root, [one[::-1] for one in medusa.heads]", ["2.2/tree/", "found b by"],
        ),
        (  # a share of the wrong whole
            TREE, "(N_PATHS - N_TREE) / N_PATHS", "(N_PATHS - N_TREE) / N_TREE", ["2.1/share_saved: published 8/13"],
        ),
        (  # a unit
            INTENSITY, 'column("bandwidth", unit="GB/s")', 'column("bandwidth", unit="GB")',
            ["/accelerators/bandwidth@unit: published GB, found GB/s"],
        ),
        (  # exchanged headings
            INTENSITY, 'column("flops", "FLOPs"', 'column("flops", "Bytes"',
            ["/products/flops@heading: published Bytes, found FLOPs"],
        ),
        (  # a heading that is its key in words
            INTENSITY, 'column("peak", unit=', 'column("peak", "Roofline", unit=',
            ["/accelerators/peak@heading: published Roofline, nothing found it"],
        ),
        (  # a claim the wrong way round
            TREE, 'claim("rows_are_queries", not ancestors)', 'claim("rows_are_queries", ancestors)',
            ["sheet/rows_are_queries: published that it holds, found that it does not hold"],
        ),
        (  # a formula that is right at the page's width only
            INTENSITY, "yield key, (\", \".join(", "formula = formula.subs(D, L); yield key, (\", \".join(",
            ["1.1/products/1/formula: published"],
        ),
    ],
)  # fmt: skip
def test_a_wrong_build_is_refused(slug: str, old: str, new: str, said: Sequence[str]) -> None:
    """The message says what was published and what was found."""
    assert messages(slug, old, old) == []
    joined = "\n".join(messages(slug, old, new))
    assert all(words in joined for words in said), joined
