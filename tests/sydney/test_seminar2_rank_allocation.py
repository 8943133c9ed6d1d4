"""Best ranks worked out by hand, the rules on cases that can be foreseen, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

from generators.answer import Answer
from generators.cells import Cell, rational
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.courses.sydney.seminar2_rank_allocation.rank_methods import Smoothed, budget, chooses
from generators.courses.sydney.seminar2_rank_allocation.rank_problem import best_ranks, least_error
from generators.errors import ParameterError
from generators.pipeline.catalog import find, load_params, load_question
from generators.table import Series, Table
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "seminar2_rank_allocation"
ID = f"sydney/{SLUG}"
F = Fraction


entry = partial(entry_of, ID)


def part_of(name: str, **changes: Any) -> dict[str, Any]:
    return {name: {**entry()[name], **changes}}


def modules(*values: list[float]) -> list[dict[str, Any]]:
    return [{"name": f"m{number}", "singular_values": one} for number, one in enumerate(values)]


solved = partial(drawn_entry, ID)


def answer() -> Answer:
    """The answer to the entry of params.yml."""
    made: Answer = worked_out(ID)[2]
    return made


def cells(series: Series) -> tuple[Cell, ...]:
    """A column from top to bottom."""
    return tuple(series.cells.values())


def ranks(table: Table, row: str) -> list[Cell]:
    """The ranks of all modules in a row."""
    return [cell for key, cell in table.rows[row].items() if key.startswith("module_")]


def test_best_ranks() -> None:
    """The eight largest of ten singular values leave out 0.4 and 0.5; equal ranks leave out 1.6, 1.4 and 0.5."""
    part = answer()["1"]
    assert cells(part["modules"]["best_rank"]) == (4, 1, 2, 1)
    assert part["best"].value == F(41, 200)  # (0.16 + 0.25) / 2
    assert part["uniform"].value == F(477, 200)  # (2.56 + 1.96 + 0.25) / 2


def test_equal_singular_values_go_to_the_first_modules() -> None:
    assert best_ranks([[F(1), F(1)], [F(1)]], 2) == (2, 0)
    assert least_error([[F(1), F(1)], [F(1)]], [2, 0]) == F(1, 2)


def test_training_comes_close_to_what_ranks_allow() -> None:
    for row in answer()["5/methods"]:
        least = float(row["least"])
        assert least - 1e-3 <= float(row["error"]) <= 1.1 * least + 0.1


def test_dylora_orders_its_factors() -> None:
    """Cut to a rank below the largest, it is better than a LoRA of the largest rank that is cut."""
    rows = list(answer()["2/errors"])
    assert all(float(row["dylora"]) < float(row["lora_cut"]) for row in rows[:-1])


def params(**changes: Any) -> RankAllocationParams:
    """The entry's, with changes."""
    made = load_params(find(ID), load_question(find(ID)), entry(**changes))
    assert isinstance(made, RankAllocationParams)
    return made


def test_the_budget_falls_as_in_peft() -> None:
    """Along a cubic curve, from 16 after 30 steps to 8 after 160: 8 + 8·(1/2)³ half way."""
    import torch
    from peft import AdaLoraConfig
    from peft.tuners.adalora.layer import RankAllocator

    one = params()
    assert [budget(one, step) for step in (30, 95, 160, 161)] == [16, 9, 8, 8]
    assert [step for step in range(1, 241) if chooses(one, step)] == [45, 60, 75, 90, 105, 120, 135, 150, 160]
    layer = torch.nn.Module()
    layer.lora_A = torch.nn.ParameterDict({"default": torch.zeros(16, 1)})
    config = AdaLoraConfig(init_r=16, target_r=8, tinit=30, tfinal=80, total_step=240)
    allocator = RankAllocator(torch.nn.ModuleList([layer]), config, "default")
    assert [allocator.budget_schedule(step)[0] for step in range(1, 241)] == [budget(one, step) for step in range(1, 241)]


def test_importance_is_mean_times_spread() -> None:
    smoothed = Smoothed(params(**part_of("triplets", beta_1=0.5, beta_2=0.5)))
    smoothed.add(np.array([4.0]))  # mean 2, spread ½·|4 − 2| = 1
    smoothed.add(np.array([0.0]))  # mean 1, spread ½·1 + ½·|0 − 1| = 1
    assert smoothed.score.tolist() == [1.0]


def test_no_noise_no_growth_and_two_at_a_time() -> None:
    solved(entry(**part_of("training", noise=0)))
    nothing = solved(entry(budget=4, **part_of("adalora", initial_rank=2)))["4"]
    assert nothing["growth"].rows == {}
    assert nothing["nothing_to_add"]
    made = solved(entry(**part_of("increlora", at_once=3)))
    growth = made["4/growth"]
    assert [sum(map(rational, ranks(growth, row))) for row in growth.rows] == [7, 8]
    assert made["sheet/several_at_once"]
    assert made["sheet/at_once"].value == 3


def test_ranks_of_several_seeds() -> None:
    """The first seed ends as its run does; ranks add up to the budget, and one seed alone is no more than that run."""
    seeds = answer()["seeds/ranks"]
    assert cells(seeds["seed"]) == (1, 2, 3, 4, 5)
    for method in ("adalora", "increlora"):
        final = ", ".join(map(str, ranks(answer()["5/methods"], method)))
        assert seeds.rows["seed_1"][method] == final
        assert all(sum(map(int, str(cell).split(", "))) == 8 for cell in cells(seeds[method]))
        best = sum(cell == "4, 1, 2, 1" for cell in cells(seeds[method]))
        assert answer()["seeds/found"].rows[method]["best_ranks_found"] == best
    alone = solved(entry(**part_of("training", n_seeds=1)))["seeds/ranks"]
    assert alone.rows == {"seed_1": seeds.rows["seed_1"]}


def test_claims_follow_from_the_errors() -> None:
    """AdaLoRA finds the best ranks, 0.2106 < 2.3888; IncreLoRA gives query one more rank than its target has."""
    part, growing = answer()["5"], answer()["4"]
    assert part["adalora_leaves_less"]
    assert part["adalora_has_best_ranks"]
    assert not part["increlora_has_best_ranks"]
    assert part["dylora_costs"]
    assert [(row["module"].value, row["rank"].value) for row in growing["beyond"]] == [("query", 5)]


def test_other_modules() -> None:
    changes: dict[str, Any] = {"modules": modules([1, 1], [0.5, 0.2, 0.1]), "budget": 2, "width": 5}
    made = solved(entry(**changes, **part_of("training", seed=3), **part_of("dylora", largest_rank=3)))
    assert cells(made["1/modules"]["best_rank"]) == (2, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules": modules([1, 2], [1])}, "modules.0: singular_values: must not rise from one to the next (got 1, 2)"),
        ({"width": 3}, "width: must be at least the 4 singular values of a target (got 3)"),
        ({"budget": 7}, "budget: must be divisible by the 4 modules (got 7)"),
        ({"budget": 12}, "budget: must be at most 10 at this width, as one module may get the rest (got 12)"),
        (part_of("training", learning_rate=0.5),
         "training.learning_rate: must be at most 0.25 for these singular values, noise, width and penalty (got 0.5)"),
        (part_of("dylora", largest_rank=1),
         "dylora.largest_rank: must be from 2, the budget of a module, to the width of 8 (got 1)"),
        (part_of("adalora", initial_rank=2),
         "adalora.initial_rank: must be above 2, the budget of a module, and at most the width of 8 (got 2)"),
        (part_of("adalora", warmup=200), "adalora: warmup and final must leave steps of 240 (got 200 and 80)"),
        (part_of("adalora", interval=1), "adalora.interval: must give at most 15 choices (got 130)"),
        (part_of("increlora", interval=70), "increlora.interval: must spend the budget within 240 steps (got 70)"),
        (part_of("triplets", penalty=0.3), "triplets.penalty: must be less than or equal to 0.25 (got 0.3)"),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/sydney/params.yml: {SLUG}: {message}"
