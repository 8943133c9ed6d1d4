"""What `params.yml` may say of the variants of LoRA that set ranks."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveExact, PositiveInt, Text

MAX_CHOICES = 15
MAX_TRIPLETS = 8
"""More columns of scores would not fit on a page."""
Beta = Annotated[Exact, Field(gt=0, lt=1)]
Warmup = Annotated[int, Field(ge=0)]


class Module(Params):
    """A module's name, and the singular values of its target."""

    name: Text
    singular_values: Annotated[list[Annotated[Exact, Field(ge=Fraction(1, 100), le=10)]], Field(min_length=1, max_length=6)]

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if self.singular_values != sorted(self.singular_values, reverse=True):
            shown = ", ".join(map(str, self.singular_values))
            raise ValueError(f"singular_values: must not rise from one to the next (got {shown})")
        return self


class Training(Params):
    """Plain gradient descent on noisy targets, with `n_seeds` seeds from `seed` on."""

    n_steps: Annotated[int, Field(ge=10, le=1000)]
    learning_rate: PositiveExact
    noise: Annotated[Exact, Field(ge=0, le=1)]
    sigma: Annotated[Exact, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0)]
    n_seeds: Annotated[int, Field(ge=1, le=10)]


class TripletSettings(Params):
    """The penalty, and how slowly importance is averaged."""

    penalty: Annotated[Exact, Field(ge=0, le=0.25)]
    beta_1: Beta
    beta_2: Beta


class AdaLora(Params):
    """Ranks at the start, and when triplets are chosen."""

    initial_rank: PositiveInt
    warmup: Warmup
    final: PositiveInt
    interval: PositiveInt


class IncreLora(Params):
    """When modules grow, and λ of the triplet in reserve."""

    warmup: Warmup
    interval: PositiveInt
    reserve: Annotated[Exact, Field(ge=0, le=1)]


class RankAllocationParams(Params):
    """The problem, the total rank, and what each method is run with."""

    modules: Annotated[list[Module], Field(min_length=2, max_length=5)]
    width: Annotated[int, Field(ge=2, le=16)]
    budget: PositiveInt
    largest_rank: PositiveInt
    training: Training
    triplets: TripletSettings
    adalora: AdaLora
    increlora: IncreLora

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        names, width, budget = [module.name for module in self.modules], self.width, self.budget
        longest, most = max(len(module.singular_values) for module in self.modules), self.width + len(names) - 2
        each, top = budget // len(names), min(width, MAX_TRIPLETS)
        for broken, said in (
            (len(set(names)) < len(names), f"modules: must have different names (got {', '.join(names)})"),
            (longest > width, f"width: must be at least the {longest} singular values of a target (got {width})"),
            (budget % len(names), f"budget: must be divisible by the {len(names)} modules (got {budget})"),
            (budget > most, f"budget: must be at most {most} at this width, as one module may get the rest (got {budget})"),
            (not each <= self.largest_rank <= width,
             f"largest_rank: must be from {each}, the budget of a module, to the width of {width} (got {self.largest_rank})"),
            (not each < self.adalora.initial_rank <= top,
             f"adalora.initial_rank: must be above {each}, the budget of a module, and at most {top} "
             f"(got {self.adalora.initial_rank})"),
        ):  # fmt: skip
            if broken:
                raise ValueError(said)
        return self

    @model_validator(mode="after")
    def _training_ends(self) -> Self:
        """Gradient descent on PΛQ diverges where the rate times the curvature by P, about λ² + 8γ, comes near 2."""
        sharpest = float(max(module.singular_values[0] for module in self.modules))
        largest = sharpest + 2 * float(self.training.noise) * self.width**0.5
        highest, rate = 1.5 / (max(1.0, largest**2) + 8 * float(self.triplets.penalty)), self.training.learning_rate
        ada, incre, steps = self.adalora, self.increlora, self.training.n_steps
        choices, growths = (steps - ada.final - ada.warmup) // ada.interval, self.budget - len(self.modules)
        for broken, said in (
            (rate > highest, f"training.learning_rate: must be at most {highest:.3g} for these singular values, noise, width "
             f"and penalty (got {float(rate):g})"),
            (ada.warmup + ada.final >= steps,
             f"adalora: warmup and final must leave steps of {steps} (got {ada.warmup} and {ada.final})"),
            (choices > MAX_CHOICES, f"adalora.interval: must give at most {MAX_CHOICES} choices (got {choices})"),
            (growths > MAX_CHOICES, f"budget: must leave at most {MAX_CHOICES} growths (got {growths})"),
            ((incre.warmup // incre.interval + growths) * incre.interval >= steps,
             f"increlora.interval: must spend the budget within {steps} steps (got {incre.interval})"),
        ):  # fmt: skip
            if broken:
                raise ValueError(said)
        return self
