"""What `params.yml` may say of the variants of LoRA that set ranks."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveExact, PositiveInt, Text

MAX_CHOICES = 15
Beta = Annotated[Exact, Field(gt=0, lt=1)]


class Module(Params):
    """A module's name, and the singular values of its target."""

    name: Text
    singular_values: Annotated[list[Annotated[Exact, Field(gt=0, le=10)]], Field(min_length=1, max_length=6)]

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if self.singular_values != sorted(self.singular_values, reverse=True):
            shown = ", ".join(map(str, self.singular_values))
            raise ValueError(f"singular_values: must not rise from one to the next (got {shown})")
        return self


class Training(Params):
    """Plain gradient descent on noisy targets; ranks are chosen with `n_seeds` seeds from `seed` on."""

    n_steps: Annotated[int, Field(ge=10, le=1000)]
    learning_rate: PositiveExact
    noise: Annotated[Exact, Field(ge=0, le=1)]
    sigma: Annotated[Exact, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0)]
    n_seeds: Annotated[int, Field(ge=1, le=10)]


class DyLora(Params):
    """The largest rank that is trained."""

    largest_rank: PositiveInt


class TripletSettings(Params):
    """The penalty, and how slowly importance is averaged."""

    penalty: Annotated[Exact, Field(ge=0, le=0.25)]
    beta_1: Beta
    beta_2: Beta


class AdaLora(Params):
    """Ranks at the start, and when triplets are chosen."""

    initial_rank: PositiveInt
    warmup: Annotated[int, Field(ge=0)]
    final: PositiveInt
    interval: PositiveInt


class IncreLora(Params):
    """When modules grow, how many at a time, and λ of the triplet in reserve."""

    warmup: Annotated[int, Field(ge=0)]
    interval: PositiveInt
    at_once: PositiveInt
    reserve: Annotated[Exact, Field(ge=0, le=1)]


class RankAllocationParams(Params):
    """The problem, the total rank, and what each method is run with."""

    modules: Annotated[list[Module], Field(min_length=2, max_length=5)]
    width: Annotated[int, Field(ge=2, le=16)]
    budget: PositiveInt
    training: Training
    dylora: DyLora
    triplets: TripletSettings
    adalora: AdaLora
    increlora: IncreLora

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [module.name for module in self.modules]
        if len(set(names)) < len(names):
            raise ValueError(f"modules: must have different names (got {', '.join(names)})")
        longest = max(len(module.singular_values) for module in self.modules)
        if longest > self.width:
            raise ValueError(f"width: must be at least the {longest} singular values of a target (got {self.width})")
        if self.budget % len(names):
            raise ValueError(f"budget: must be divisible by the {len(names)} modules (got {self.budget})")
        return self

    @model_validator(mode="after")
    def _converges(self) -> Self:
        """Gradient descent on PΛQ diverges where the rate times the curvature by P, about λ² + 8γ, comes near 2."""
        sharpest = float(max(module.singular_values[0] for module in self.modules))
        largest = sharpest + 2 * float(self.training.noise) * self.width**0.5
        highest = 1.5 / (max(1.0, largest**2) + 8 * float(self.triplets.penalty))
        if self.training.learning_rate > highest:
            rule = f"must be at most {highest:.3g} for these singular values, noise, width and penalty"
            raise ValueError(f"training.learning_rate: {rule} (got {float(self.training.learning_rate):g})")
        return self

    @model_validator(mode="after")
    def _ranks_fit_the_width(self) -> Self:
        uniform, largest, initial = self.budget // len(self.modules), self.dylora.largest_rank, self.adalora.initial_rank
        if not uniform <= largest <= self.width:
            rule = f"must be from {uniform}, the budget of a module, to the width of {self.width}"
            raise ValueError(f"dylora.largest_rank: {rule} (got {largest})")
        if not uniform < initial <= self.width:
            rule = f"must be above {uniform}, the budget of a module, and at most the width of {self.width}"
            raise ValueError(f"adalora.initial_rank: {rule} (got {initial})")
        return self

    @model_validator(mode="after")
    def _adalora_chooses_in_time(self) -> Self:
        one, steps = self.adalora, self.training.n_steps
        if one.warmup + one.final >= steps:
            raise ValueError(f"adalora: warmup and final must leave steps of {steps} (got {one.warmup} and {one.final})")
        choices = (steps - one.final - one.warmup) // one.interval
        if choices > MAX_CHOICES:
            raise ValueError(f"adalora.interval: must give at most {MAX_CHOICES} choices (got {choices})")
        return self

    @model_validator(mode="after")
    def _increlora_grows_in_time(self) -> Self:
        one, growths = self.increlora, self.budget - len(self.modules)
        if growths + 2 > self.width:
            most = self.width + len(self.modules) - 2
            raise ValueError(f"budget: must be at most {most} at this width, as one module may get the rest (got {self.budget})")
        rounds = -(-growths // one.at_once)
        if rounds > MAX_CHOICES:
            raise ValueError(f"increlora.at_once: must spend the budget in at most {MAX_CHOICES} growths (got {rounds})")
        if (one.warmup // one.interval + rounds) * one.interval >= self.training.n_steps:
            steps = self.training.n_steps
            raise ValueError(f"increlora.interval: must spend the budget within {steps} steps (got {one.interval})")
        return self
