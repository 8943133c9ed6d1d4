"""Lecture 25, distillation: losses and gradients on given logits, and a small run with and without a teacher."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact
from generators.params import Exact, Params, PositiveExact, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table
from generators.topics.distillation import (
    ALPHA,
    K,
    T,
    entropy,
    hard_loss,
    many_degrees,
    mixed,
    soft_gradient,
    soft_loss,
    softmax,
)
from generators.topics.distillation_run import Outcome, Run, means, nearer, network_values, outcome, published

DIGITS = 30
MAX_WORK = 40_000_000
MAX_RATE = Fraction(1, 4)
"""With larger or more steps the last digits of training would depend on the order of sums, and so on the machine."""
Share = Annotated[Exact, Field(ge=0, le=1)]
Logit = Annotated[int, Field(ge=-40, le=40)]


class Example(Params):
    """Logits of teacher and student as multiples of ln 2, so that probabilities are fractions; the label; T and α."""

    classes: Annotated[list[Text], Field(min_length=2, max_length=6)]
    teacher: list[Logit]
    student: list[Logit]
    label: Text
    temperature: Annotated[int, Field(ge=1, le=20)]
    alpha: Share
    temperatures: Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=2, max_length=8)]

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
        if self.temperatures != sorted(set(self.temperatures)):
            raise ValueError(f"temperatures: must rise from each to the next (got {self.temperatures})")
        return self

    @property
    def place(self) -> int:
        """Where the label's class stands."""
        return self.classes.index(self.label)

    def logits(self, name: str) -> list[sympy.Expr]:
        """Exactly, as multiples of log 2."""
        return [logit * sympy.log(2) for logit in getattr(self, name)]


class Training(Params):
    """The seeded run."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    n_teacher: Annotated[int, Field(ge=10, le=2000)]
    n_student: Annotated[int, Field(ge=5, le=2000)]
    n_test: Annotated[int, Field(ge=10, le=2000)]
    label_noise: Share
    teacher_hidden: Annotated[int, Field(ge=1, le=64)]
    student_hidden: Annotated[int, Field(ge=1, le=64)]
    n_starts: Annotated[int, Field(ge=1, le=10)]
    teacher_steps: Annotated[int, Field(ge=1, le=500)]
    student_steps: Annotated[int, Field(ge=10, le=500)]
    learning_rate: PositiveExact
    temperature: Annotated[PositiveExact, Field(le=100)]
    n_records: Annotated[int, Field(ge=2, le=10)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_student > self.n_teacher:
            raise ValueError(f"n_student: must be at most the teacher's {self.n_teacher} points (got {self.n_student})")
        if self.learning_rate > MAX_RATE:
            raise ValueError(f"learning_rate: must be at most {MAX_RATE} (got {self.learning_rate})")
        return self

    def work(self, n_alphas: int) -> int:
        """Steps times points times hidden units of all networks."""
        students = self.student_steps * self.n_student * self.student_hidden * self.n_starts * n_alphas
        return self.teacher_steps * self.n_teacher * self.teacher_hidden + students


class DistillationParams(Params):
    """The worked example, the run, and the weight of the hard loss for each kind of student of the run."""

    example: Example
    training: Training
    alphas: Annotated[list[Share], Field(min_length=2, max_length=5)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.alphas[0] != 1:
            raise ValueError(f"alphas: must begin with 1, labels alone (got {self.alphas[0]})")
        if self.alphas != sorted(set(self.alphas), reverse=True):
            raise ValueError(f"alphas: must fall from each to the next (got {', '.join(map(str, self.alphas))})")
        work = self.training.work(len(self.alphas))
        if work > MAX_WORK:
            raise ValueError(f"training: must take at most {MAX_WORK} steps times points times hidden units (got {work})")
        return self

    @property
    def run(self) -> Run:
        """The run in floats."""
        given = {name: getattr(self.training, name) for name in type(self.training).model_fields}
        given |= {name: float(number) for name, number in given.items() if isinstance(number, Fraction)}
        return Run(**given, alphas=tuple(map(float, self.alphas)))


def solve(params: DistillationParams) -> Answer:
    """Work out losses and gradients exactly, and train students with and without the teacher."""
    return Answer({"1": _losses(params.example), "2": _gradients(params.example), "3": _run(params)})


def tidy(expression: sympy.Expr) -> Value:
    """Logarithms of fractions as sums of logarithms of primes."""
    return exact(sympy.expand(sympy.expand_log(sympy.sympify(expression), force=True, factor=True)))


def _tidy_step(what: str, symbol: str, formula: sympy.Expr, at: dict[sympy.Symbol, Value]) -> Step:
    return Step(what=what, symbol=symbol, value=tidy(formula.subs(at)), formula=formula, at=at)


def _letters(name: str, count: int) -> list[sympy.Symbol]:
    return [sympy.Symbol(f"{name}_{number}", positive=True) for number in range(1, count + 1)]


def _losses(example: Example) -> Part:
    teacher, student = (example.logits(name) for name in ("teacher", "student"))
    p, q = ([exact(x) for x in softmax(logits, example.temperature)] for logits in (teacher, student))
    cool = [exact(x) for x in softmax(student, 1)]
    ps, qs, zs = (_letters(name, len(p)) for name in "pqz")
    at_p, at_q = dict(zip(ps, p, strict=True)), dict(zip(qs, q, strict=True))
    hard = _tidy_step("cross-entropy with the label", r"\ell_{\text{hard}}", hard_loss(zs, example.place),
                      dict(zip(zs, map(tidy, student), strict=True)))  # fmt: skip
    soft = _tidy_step("cross-entropy with the teacher", "C", soft_loss(ps, qs), {**at_p, **at_q})
    own = _tidy_step("the teacher's entropy", "H", entropy(ps), at_p)
    C, H, D, loss = sympy.symbols("C H D ell_hard", positive=True)
    divergence = _tidy_step("divergence of the student from the teacher", "D", C - H, {C: soft.value, H: own.value})
    at = {ALPHA: example.alpha, T: example.temperature, loss: hard.value, D: divergence.value}
    whole = _tidy_step("the loss", "L", mixed(ALPHA, loss, T**2 * D), at)
    rows = tuple(zip(example.classes, example.teacher, example.student, p, q, cool, strict=True))
    return Part(
        title="The losses",
        steps={"hard": hard, "soft": soft, "entropy": own, "divergence": divergence, "loss": whole},
        tables={"distributions": Table(header=("Class", "v/log\u00a02", "z/log\u00a02", "p", "q", "q at T = 1"), rows=rows)},
    )


def _gradients(example: Example) -> Part:
    teacher, student = (example.logits(name) for name in ("teacher", "student"))
    heat, place = example.temperature, example.place
    p, q, cool = softmax(teacher, heat), softmax(student, heat), softmax(student, 1)
    alpha = sympy.Rational(example.alpha.numerator, example.alpha.denominator)
    rows = []
    for number, name in enumerate(example.classes):
        hard, soft = cool[number] - int(number == place), soft_gradient(heat, q[number], p[number])
        rows.append((name, exact(hard), exact(soft), exact(mixed(alpha, hard, soft))))
    heats = tuple(_at_temperature(example, one) for one in example.temperatures)
    z, z_mean, v, v_mean = letters = sympy.symbols("z_y zbar v_y vbar")
    numbers = (student[place], sum(student) / len(p), teacher[place], sum(teacher) / len(p))
    at = {**dict(zip(letters, map(tidy, numbers), strict=True)), K: len(p)}
    limit = _tidy_step("limit for large T", r"g_{\infty}", many_degrees(z, z_mean, v, v_mean), at)
    header = ("T", "p", "q", "∂D/∂z", "T² ∂D/∂z")
    return Part(
        title="The gradients",
        steps={"limit": limit},
        tables={
            "classes": Table(header=("Class", "Hard", "Soft", "Together"), rows=tuple(rows)),
            "temperatures": Table(header=header, rows=heats),
        },
    )


def _at_temperature(example: Example, heat: int) -> tuple[Cell, ...]:
    """The label's class at another temperature."""
    p, q = (softmax(example.logits(name), heat)[example.place] for name in ("teacher", "student"))
    whole = soft_gradient(heat, q, p)
    return (heat, *(float(sympy.N(number, DIGITS)) for number in (p, q, whole / heat**2, whole)))


def _run(params: DistillationParams) -> Part:
    found, training = outcome(params.run), params.training
    sizes = {"teacher": training.teacher_hidden, "student": training.student_hidden}
    values: dict[str, Step] = {}
    for name, hidden in sizes.items():
        h = sympy.Symbol(f"h_{name[0]}", positive=True)
        symbol = rf"N_{{\text{{{name}}}}}"
        formula = sympy.expand(network_values(h))
        values[name] = Step(
            what=f"values of the {name}", symbol=symbol, value=network_values(hidden), formula=formula, at={h: hidden}
        )
    tables = {"scores": _scores(params, found), "curve": _curve(params, found), "starts": _starts(params, found)}
    return Part(title="A small run", steps=values, tables=tables)


def name_of(alpha: Fraction) -> str:
    """What a student learns from."""
    if alpha in (0, 1):
        return "labels alone" if alpha == 1 else "the teacher alone"
    return f"both, α = {alpha}"


def _scores(params: DistillationParams, found: Outcome) -> Table:
    tested, n_test = found.test, params.training.n_test
    total = params.training.n_starts * n_test
    columns = zip(
        map(name_of, params.alphas),
        means(found.train.loss),
        means(tested.loss),
        means(tested.divergence),
        (exact(Fraction(int(row.sum()), total)) for row in tested.agreeing),
        (exact(Fraction(int(row.sum()), total)) for row in tested.right),
        strict=True,
    )
    right = exact(Fraction(int(found.teacher.right), n_test))
    loss = published(float(found.teacher.loss))
    header = ("Learns from", "Loss, training", "Loss, test", "Divergence, test", "Agrees", "Right")
    return Table(header=header, rows=(("(the teacher itself)", None, loss, None, None, right), *columns))


def _curve(params: DistillationParams, found: Outcome) -> Table:
    rows = tuple((step, *means(row)) for step, row in zip(found.steps, found.divergences, strict=True))
    return Table(header=("Step", *map(name_of, params.alphas)), rows=rows)


def _starts(params: DistillationParams, found: Outcome) -> Table:
    counts = zip(map(name_of, params.alphas[1:]), nearer(found.test.divergence), strict=True)
    return Table(
        header=("Learns from", "Starts", "Nearer"), rows=tuple((name, params.training.n_starts, n) for name, n in counts)
    )


def verify(params: DistillationParams, answer: Answer) -> Iterator[Check]:
    """Find losses with torch, gradients with autograd, and train everything again in torch."""
    from generators.oracles.distillation import verify_distillation

    return verify_distillation(params, answer)


def draw(params: DistillationParams, answer: Answer) -> dict[str, Figure]:
    """The teacher's distribution over the temperature, and the students' way to the teacher."""
    from generators.figures.distillation import curve_figure, heat_figure

    example, training = params.example, params.training
    return {
        "heat": heat_figure(example.classes, example.teacher, example.temperature, example.temperatures[-1]),
        "curve": curve_figure(answer["3"].tables["curve"], training.n_starts),
    }


QUESTION = SelfVerifying(
    title="Distillation",
    points=0,
    params=DistillationParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
