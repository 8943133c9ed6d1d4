"""Best ranks worked out by hand, the rules on cases that can be foreseen, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

from generators.answer import Answer
from generators.cells import Cell
from generators.courses.sydney.seminar2_rank_allocation.params import RankAllocationParams
from generators.courses.sydney.seminar2_rank_allocation.rank_methods import budget
from generators.pipeline.catalog import load_params, load_question
from generators.table import Series
from tests.conftest import worked_out
from tests.entries import Far, entry_of, id_of

SLUG = "seminar2_rank_allocation"
ID = f"sydney/{SLUG}"
F = Fraction
entry = partial(entry_of, ID)


def modules(*values: list[Any]) -> list[dict[str, Any]]:
    return [{"name": f"m{number}", "singular_values": one} for number, one in enumerate(values)]


def short(*, ada: Any = None, **changes: Any) -> dict[str, Any]:
    """Changes of an entry that is trained in 60 steps with one seed."""
    return {"training": {"n_steps": 60, "n_seeds": 1}, "adalora": {"warmup": 0, "final": 10, **(ada or {})},
            "increlora": {"warmup": 0, "interval": 10}, **changes}  # fmt: skip


VAIN = "already allows the error zero"
FAR = [
    Far({"training": {"n_seeds": 1}}, ["Mean errors over 1 seed:", VAIN]),
    Far({"training": {"n_seeds": 2, "seed": 0}}, ["over 2 seeds"]),
    Far({"training": {"noise": 0}}, ["standard deviation $"]),
    Far({"budget": 4, "adalora": {"initial_rank": 2}}, ["leaves nothing to add"], [VAIN, "This was logged"]),
    Far(short(ada={"warmup": 50, "final": 1, "interval": 1}, increlora={"warmup": 1, "interval": 1}),
        ["From step 51 on, a choice is made every 1 step,", "every 1 step the module", "1$ step before the end"]),
    Far(short(ada={"initial_rank": 2}, modules=modules([1], [1]), width=2, budget=2, largest_rank=1), ["a budget of 2 ranks"]),
    Far(short(modules=modules(*[[2, 2, 2, 2, 2, 2]] * 5), budget=10), ["m4 "], [VAIN]),
    Far(short(ada={"initial_rank": 8}, width=16, largest_rank=16) | {"training": {"n_steps": 60, "learning_rate": "1/5"}}),
    Far(short(triplets={"penalty": 0, "beta_1": "1/100", "beta_2": "99/100"})),
    Far(short(ada={"initial_rank": 2}, modules=modules(["1/100"], ["1/100", "1/100"]), budget=2)),
]  # fmt: skip


def answer() -> Answer:
    """The answer to the entry of params.yml."""
    made: Answer = worked_out(ID)[2]
    return made


def cells(series: Series) -> tuple[Cell, ...]:
    """A column from top to bottom."""
    return tuple(series.cells.values())


def params(**changes: Any) -> RankAllocationParams:
    """The entry's, with changes."""
    made = load_params(id_of(ID), load_question(id_of(ID)), entry(**changes))
    assert isinstance(made, RankAllocationParams)
    return made


def test_best_ranks() -> None:
    """The eight largest of ten singular values leave out 0.4 and 0.5; equal ranks leave out 1.6, 1.4 and 0.5."""
    part = answer()["1"]
    assert cells(part["modules"]["best_rank"]) == (4, 1, 2, 1)
    assert part["best"].value == F(41, 200)  # (0.16 + 0.25) / 2
    assert part["uniform"].value == F(477, 200)  # (2.56 + 1.96 + 0.25) / 2


def test_what_stays_scores_higher_than_what_goes() -> None:
    """At every choice, and in the table of the last one: as many entries of a row stay as the module's rank says."""
    part = answer()["3"]
    assert all(float(row["least_kept"]) > float(row["largest_dropped"]) for row in part["choices"])
    last, threshold = part["choices"].rows["choice_9"], part["choices"].rows["choice_9"]["least_kept"]
    stay = [sum(score >= threshold for key, score in row.items() if key != "module") for row in part["scores"].rows.values()]
    assert stay == [last[f"module_{place}"] for place in (1, 2, 3, 4)]


def test_the_budget_falls_as_in_peft() -> None:
    """Along a cubic curve, from 16 after 30 steps to 8 after 160: 8 + 8·(1/2)³ half way."""
    import torch
    from peft import AdaLoraConfig
    from peft.tuners.adalora.layer import RankAllocator

    one = params()
    assert [budget(one, step) for step in (30, 95, 160, 161)] == [16, 9, 8, 8]
    assert cells(answer()["3/choices"]["step"]) == (45, 60, 75, 90, 105, 120, 135, 150, 160)
    layer = torch.nn.Module()
    layer.lora_A = torch.nn.ParameterDict({"default": torch.zeros(16, 1)})
    config = AdaLoraConfig(init_r=16, target_r=8, tinit=30, tfinal=80, total_step=240)
    allocator = RankAllocator(torch.nn.ModuleList([layer]), config, "default")
    assert [allocator.budget_schedule(step)[0] for step in range(1, 241)] == [budget(one, step) for step in range(1, 241)]


REFUSED = [
    ({"modules": modules([1, 2], [1])}, "modules.0: singular_values: must not rise from one to the next (got 1, 2)"),
    ({"width": 3}, "width: must be at least the 4 singular values of a target (got 3)"),
    ({"budget": 7}, "budget: must be divisible by the 4 modules (got 7)"),
    ({"budget": 12}, "budget: must be at most 10 at this width, as one module may get the rest (got 12)"),
    ({"training": {"learning_rate": 0.5}},
     "training.learning_rate: must be at most 0.25 for these singular values, noise, width and penalty (got 0.5)"),
    ({"largest_rank": 1}, "largest_rank: must be from 2, the budget of a module, to the width of 8 (got 1)"),
    ({"adalora": {"initial_rank": 2}},
     "adalora.initial_rank: must be above 2, the budget of a module, and at most 8 (got 2)"),
    ({"adalora": {"warmup": 200}}, "adalora: warmup and final must leave steps of 240 (got 200 and 80)"),
    ({"adalora": {"interval": 1}}, "adalora.interval: must give at most 15 choices (got 130)"),
    ({"increlora": {"interval": 70}}, "increlora.interval: must spend the budget within 240 steps (got 70)"),
    ({"triplets": {"penalty": 0.3}}, "triplets.penalty: must be less than or equal to 0.25 (got 0.3)"),
]  # fmt: skip
