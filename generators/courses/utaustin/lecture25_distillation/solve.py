"""Works out losses and gradients exactly, and trains students with and without the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, formula, letter, number, part, text
from generators.cells import Cell, Rounded, Value, exact
from generators.courses.utaustin.lecture25_distillation.draft import DRAFT, recorded_draft
from generators.courses.utaustin.lecture25_distillation.losses import (
    LAMBDA,
    TAU,
    hard_loss,
    mixed,
    soft_gradient,
    soft_loss,
    softmax,
)
from generators.courses.utaustin.lecture25_distillation.params import DistillationParams, Example
from generators.courses.utaustin.lecture25_distillation.training_run import network_values, outcome
from generators.table import Table, column, table

DIGITS = 30
C, C_MIN, J_HARD, J_KL = sympy.symbols("C C_min J_hard J_KL", positive=True)
D_TEACHER, D_STUDENT = sympy.symbols("D_teacher D_student", positive=True)


def solve(params: DistillationParams) -> Answer:
    """What is given, the three parts, and the draft that was distilled, where its curve was recorded."""
    sheet = _sheet(params)
    drafts = [recorded_draft(made[DRAFT]) for made in params.measured.values() if DRAFT in made]
    return answer(sheet, _losses(params.example, sheet), _gradients(params.example), _run(params, sheet), *drafts[:1])


def _sheet(params: DistillationParams) -> Part:
    example, run = params.example, params.training
    return part(
        "sheet",
        "Given",
        text("label", example.label),
        number("n_classes", len(example.classes), "classes"),
        letter(TAU, example.temperature, "temperature"),
        letter(LAMBDA, exact(example.label_weight), "weight of the loss with the label"),
        number("seed", run.seed),
        number("label_noise", exact(100 * run.label_noise), "share of labels drawn at random", unit="%"),
        number("n_teacher", run.n_teacher, "points of the teacher"),
        number("n_student", run.n_student, "points of a student"),
        number("n_test", run.n_test, "test points"),
        number("n_starts", run.n_starts, "starts"),
        number("teacher_steps", run.teacher_steps),
        number("student_steps", run.student_steps),
        number("run_temperature", exact(run.temperature), "temperature of the run"),
        letter(D_TEACHER, run.teacher_hidden, "hidden units of the teacher"),
        letter(D_STUDENT, run.student_hidden, "hidden units of a student"),
    )


def _logits(powers: Sequence[int]) -> list[sympy.Expr]:
    """Exactly, as multiples of log 2."""
    return [power * sympy.log(2) for power in powers]


def _tidy(expression: sympy.Expr) -> Value:
    """Logarithms of fractions as sums of logarithms of primes."""
    return exact(sympy.expand(sympy.expand_log(sympy.sympify(expression), force=True, factor=True)))


def _losses(example: Example, sheet: Part) -> Part:
    place, heat = example.classes.index(example.label), example.temperature
    teacher, student = _logits(example.teacher), _logits(example.student)
    p, q = softmax(teacher, heat), softmax(student, heat)
    shares = zip(p, q, softmax(student, 1), strict=True)
    cells = zip(example.classes, example.teacher, example.student, shares, strict=True)
    distributions = {f"class_{at}": (*given, *map(exact, each)) for at, (*given, each) in enumerate(cells, 1)}
    logits = [column("psi", "ψ/log\u00a02"), column("zeta", "ζ/log\u00a02")]
    columns = [column("class"), *logits, column("p", "p"), column("q", "q"), column("q_cool", "q at τ = 1")]
    return part(
        "1",
        "The losses",
        table("distributions", columns, distributions),
        number("hard", _tidy(hard_loss(student, place)), "cross-entropy with the label", J_HARD, asked=True),
        number("soft", _tidy(soft_loss(p, q)), "cross-entropy with the teacher", C, asked=True),
        number("entropy", _tidy(soft_loss(p, p)), "the teacher's entropy", C_MIN),
        formula("divergence", C - C_MIN, "divergence of the student from the teacher", J_KL, asked=True),
        formula("loss", mixed(LAMBDA, J_HARD, TAU**2 * J_KL), "the loss", "J", asked=True),
        within=sheet,
    )


def _gradients(example: Example) -> Part:
    teacher, student, heat = _logits(example.teacher), _logits(example.student), example.temperature
    place = example.classes.index(example.label)
    p, q, cool = softmax(teacher, heat), softmax(student, heat), softmax(student, 1)
    weight = sympy.sympify(example.label_weight)
    rows = {}
    for at, name in enumerate(example.classes):
        hard, soft = cool[at] - int(at == place), soft_gradient(heat, q[at], p[at])
        rows[f"class_{at + 1}"] = (name, *map(exact, (mixed(weight, hard, soft), hard, soft)))
    return part(
        "2",
        "The gradients",
        table("classes", ["class", "together", "hard", "soft"], rows, asked=True),
        _temperatures(example),
    )


def _temperatures(example: Example) -> Table:
    """The label's class at other temperatures."""
    place = example.classes.index(example.label)
    rows = {}
    for at, heat in enumerate(example.temperatures, 1):
        p, q = (softmax(_logits(powers), heat)[place] for powers in (example.teacher, example.student))
        whole = soft_gradient(heat, q, p)
        rows[f"temperature_{at}"] = (heat, *(float(sympy.N(one, DIGITS)) for one in (p, q, whole / heat**2, whole)))
    headings = {"p": "p", "q": "q", "slope": "Gradient", "slope_times": "τ² × gradient"}
    return table("temperatures", [column("tau", "τ"), *(column(*one) for one in headings.items())], rows)


def _run(params: DistillationParams, sheet: Part) -> Part:
    run = params.training
    found = outcome(run, params.label_weights)
    teacher, student = (sympy.expand(network_values(hidden)) for hidden in (D_TEACHER, D_STUDENT))
    share = 100 / run.n_test
    rows: dict[str, tuple[Cell, ...]] = {}
    for place, (weight, apart, right) in enumerate(zip(params.label_weights, found.divergence, found.right, strict=True), 1):
        shown = (apart.mean(), apart.std(), share * right.mean(), share * right.std())
        numbers = (Rounded(one, digits) for one, digits in zip(shown, (3, 3, 1, 1), strict=True))
        better = [int((apart < found.divergence[0]).sum()), int((right > found.right[0]).sum())] if place > 1 else [None, None]
        rows[f"lambda_{place}"] = (_learns_from(weight), *numbers, *better)
    spread = [column("spread", "±"), column("right", "Right (%)"), column("right_spread", "± (%)")]
    counts = [column(key, f"{key.replace('_', ' ').capitalize()} (of {run.n_starts})") for key in ("nearer", "more_right")]
    return part(
        "3",
        "A small run",
        formula("teacher", teacher, "values of the teacher", r"N_{\text{teacher}}"),
        formula("student", student, "values of a student", r"N_{\text{student}}"),
        number("teacher_right", exact(Fraction(100 * found.teacher_right, run.n_test)), "points that it gets right", unit="%"),
        table("scores", ["learns_from", "divergence", *spread, *counts], rows, asked=True),
        within=sheet,
    )


def _learns_from(label_weight: Fraction) -> str:
    """What a student learns from."""
    if label_weight in (0, 1):
        return "labels alone" if label_weight == 1 else "the teacher alone"
    return f"both, λ = {label_weight}"
