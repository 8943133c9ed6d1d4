"""What `params.yml` may say of distillation."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveExact, RecordedParams, Rising, Text

MAX_WORK = 40_000_000
MAX_RATE = Fraction(1, 4)
"""With larger or more steps the last digits of training would depend on the order of sums, and so on the machine."""
Share = Annotated[Exact, Field(ge=0, le=1)]
Logit = Annotated[int, Field(ge=-8, le=8)]


class Example(Params):
    """Logits of teacher and student as multiples of ln 2, so that probabilities are fractions; the label; τ and λ."""

    classes: Annotated[list[Text], Field(min_length=2, max_length=6)]
    teacher: list[Logit]
    student: list[Logit]
    label: Text
    temperature: Annotated[int, Field(ge=1, le=8)]
    label_weight: Share
    temperatures: Annotated[list[Annotated[int, Field(ge=1, le=500)]], Field(min_length=2, max_length=8), Rising]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("teacher", "student"):
            logits = getattr(self, name)
            if len(logits) != len(self.classes):
                raise ValueError(f"{name}: must have a logit for each of the {len(self.classes)} classes (got {len(logits)})")
            if any(logit % self.temperature for logit in logits):
                raise ValueError(f"{name}: must hold multiples of the temperature {self.temperature} (got {logits})")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes: must not repeat a class (got {self.classes})")
        if self.label not in self.classes:
            raise ValueError(f"label: must be one of the classes (got {self.label!r})")
        return self


class Training(Params):
    """The seeded run."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    n_teacher: Annotated[int, Field(ge=10, le=2000)]
    n_student: Annotated[int, Field(ge=5, le=2000)]
    n_test: Annotated[int, Field(ge=10, le=2000)]
    label_noise: Share
    teacher_hidden: Annotated[int, Field(ge=1, le=64)]
    student_hidden: Annotated[int, Field(ge=1, le=64)]
    n_starts: Annotated[int, Field(ge=2, le=50)]
    teacher_steps: Annotated[int, Field(ge=1, le=500)]
    student_steps: Annotated[int, Field(ge=10, le=500)]
    learning_rate: PositiveExact
    temperature: Annotated[PositiveExact, Field(le=100)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_student > self.n_teacher:
            raise ValueError(f"n_student: must be at most the teacher's {self.n_teacher} points (got {self.n_student})")
        if self.learning_rate > MAX_RATE:
            raise ValueError(f"learning_rate: must be at most {MAX_RATE} (got {self.learning_rate})")
        return self


class DistillationParams(RecordedParams):
    """The worked example, the run, and the weight of the hard loss for each kind of student of the run."""

    example: Example
    training: Training
    label_weights: Annotated[list[Share], Field(min_length=2, max_length=5)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        weights = self.label_weights
        if weights[0] != 1:
            raise ValueError(f"label_weights: must begin with 1, labels alone (got {weights[0]})")
        if weights != sorted(set(weights), reverse=True):
            raise ValueError(f"label_weights: must fall from each to the next (got {', '.join(map(str, weights))})")
        run = self.training
        students = run.student_steps * run.n_student * run.student_hidden * run.n_starts * len(weights)
        work = run.teacher_steps * run.n_teacher * run.teacher_hidden + students
        if work > MAX_WORK:
            raise ValueError(f"training: must take at most {MAX_WORK} steps times points times hidden units (got {work})")
        return self
