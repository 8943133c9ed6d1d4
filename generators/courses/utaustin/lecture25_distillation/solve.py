"""Works out losses and gradients exactly, and trains students with and without the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, formula, letter, number, part, text
from generators.cells import Cell, Value, exact
from generators.courses.utaustin.lecture25_distillation.losses import (
    ALPHA,
    K,
    T,
    hard_loss,
    mixed,
    soft_gradient,
    soft_loss,
    softmax,
)
from generators.courses.utaustin.lecture25_distillation.params import DistillationParams, Example
from generators.courses.utaustin.lecture25_distillation.training_run import Outcome, means, network_values, outcome, published
from generators.table import Table, column, table

DIGITS = 30
HEAT_PLACES = 60
"""Between the lowest and the highest temperature that is drawn."""
C, H, D, ELL = sympy.symbols("C H D ell_hard", positive=True)
Z_Y, Z_BAR, V_Y, V_BAR = sympy.symbols("z_y zbar v_y vbar")
h_t, h_s = sympy.symbols("h_t h_s", positive=True)


def solve(params: DistillationParams) -> Answer:
    """What is given, and the three parts."""
    sheet = _sheet(params)
    return answer(sheet, _losses(params.example, sheet), _gradients(params.example, sheet), _run(params, sheet))


def _sheet(params: DistillationParams) -> Part:
    example, run = params.example, params.training
    return part(
        "sheet",
        "Given",
        text("label", example.label),
        letter(K, len(example.classes), "classes"),
        letter(T, example.temperature, "temperature"),
        letter(ALPHA, exact(example.alpha), "weight of the loss with the label"),
        number("seed", run.seed),
        number("label_noise", exact(100 * run.label_noise), "share of labels drawn at random", unit="%"),
        number("n_teacher", run.n_teacher, "points of the teacher"),
        number("n_student", run.n_student, "points of a student"),
        number("n_test", run.n_test, "test points"),
        number("n_starts", run.n_starts, "starts"),
        number("teacher_steps", run.teacher_steps),
        number("student_steps", run.student_steps),
        number("run_temperature", exact(run.temperature), "temperature of the run"),
        letter(h_t, run.teacher_hidden, "hidden units of the teacher"),
        letter(h_s, run.student_hidden, "hidden units of a student"),
    )


def _logits(powers: Sequence[int]) -> list[sympy.Expr]:
    """Exactly, as multiples of log 2."""
    return [power * sympy.log(2) for power in powers]


def _tidy(expression: sympy.Expr) -> Value:
    """Logarithms of fractions as sums of logarithms of primes."""
    return exact(sympy.expand(sympy.expand_log(sympy.sympify(expression), force=True, factor=True)))


def _letters(name: str, count: int) -> list[sympy.Symbol]:
    return [sympy.Symbol(f"{name}_{place}", positive=True) for place in range(1, count + 1)]


def _losses(example: Example, sheet: Part) -> Part:
    place, heat = example.classes.index(example.label), example.temperature
    teacher, student = _logits(example.teacher), _logits(example.student)
    p, q = softmax(teacher, heat), softmax(student, heat)
    ps, qs, zs = (_letters(name, len(p)) for name in "pqz")
    ell = r"\ell_{\text{hard}}"
    cells = zip(example.classes, example.teacher, example.student, p, q, softmax(student, 1), strict=True)
    distributions = {f"class_{at}": (name, v, z, *map(exact, shares)) for at, (name, v, z, *shares) in enumerate(cells, 1)}
    logits = [column("v", "v/log\u00a02"), column("z", "z/log\u00a02")]
    columns = [column("class"), *logits, column("p", "p"), column("q", "q"), column("q_cool", "q at T = 1")]
    return part(
        "1",
        "The losses",
        table("distributions", columns, distributions),
        number("hard_in_letters", hard_loss(zs, place), "cross-entropy with the label", ell),
        number("hard", _tidy(hard_loss(student, place)), "cross-entropy with the label", ELL, asked=True),
        number("soft_in_letters", soft_loss(ps, qs), "cross-entropy with the teacher", "C"),
        number("soft", _tidy(soft_loss(p, q)), "cross-entropy with the teacher", C, asked=True),
        number("entropy_in_letters", soft_loss(ps, ps), "the teacher's entropy", "H"),
        number("entropy", _tidy(soft_loss(p, p)), "the teacher's entropy", H),
        formula("divergence", C - H, "divergence of the student from the teacher", D, asked=True),
        formula("loss", mixed(ALPHA, ELL, T**2 * D), "the loss", "L", asked=True),
        _heat(example),
        within=sheet,
    )


def _heat(example: Example) -> Table:
    """The teacher's distribution from a temperature of one to the highest shown, at even steps of its logarithm."""
    highest = max(example.temperatures[-1], 2 * example.temperature)
    rows: dict[str, tuple[float, ...]] = {}
    for place in range(HEAT_PLACES + 1):
        heat = highest ** (place / HEAT_PLACES)
        weights = [2.0 ** ((power - max(example.teacher)) / heat) for power in example.teacher]
        rows[f"place_{place}"] = (heat, *(weight / sum(weights) for weight in weights))
    named = (column(f"class_{place}", name) for place, name in enumerate(example.classes, 1))
    return table("heat", ["temperature", *named], rows, drawn=True)


def _gradients(example: Example, sheet: Part) -> Part:
    teacher, student, heat = _logits(example.teacher), _logits(example.student), example.temperature
    place, count = example.classes.index(example.label), len(teacher)
    p, q, cool = softmax(teacher, heat), softmax(student, heat), softmax(student, 1)
    alpha = sympy.sympify(example.alpha)
    rows = {}
    for at, name in enumerate(example.classes):
        hard, soft = cool[at] - int(at == place), soft_gradient(heat, q[at], p[at])
        rows[f"class_{at + 1}"] = (name, *map(exact, (hard, soft, mixed(alpha, hard, soft))))
    q_i, p_i = sympy.symbols("q_i p_i")
    return part(
        "2",
        "The gradients",
        table("classes", ["class", "hard", "soft", "together"], rows, asked=True),
        number("slope", soft_gradient(T, q_i, p_i) / T**2, "slope of the divergence", r"\frac{\partial D}{\partial z_i}"),
        _temperatures(example),
        letter(Z_Y, _tidy(student[place]), "the student's logit of the label"),
        letter(Z_BAR, _tidy(sum(student) / count), "mean of the student's logits"),
        letter(V_Y, _tidy(teacher[place]), "the teacher's logit of the label"),
        letter(V_BAR, _tidy(sum(teacher) / count), "mean of the teacher's logits"),
        formula("limit", (Z_Y - Z_BAR - V_Y + V_BAR) / K, "limit at high temperatures", r"g_{\infty}"),
        within=sheet,
    )


def _temperatures(example: Example) -> Table:
    """The label's class at other temperatures."""
    place = example.classes.index(example.label)
    rows = {}
    for at, heat in enumerate(example.temperatures, 1):
        p, q = (softmax(_logits(powers), heat)[place] for powers in (example.teacher, example.student))
        whole = soft_gradient(heat, q, p)
        rows[f"temperature_{at}"] = (heat, *(float(sympy.N(one, DIGITS)) for one in (p, q, whole / heat**2, whole)))
    headings = {"p": "p", "q": "q", "slope": "∂D/∂z", "slope_times": "T² ∂D/∂z"}
    return table("temperatures", ["T", *(column(*one) for one in headings.items())], rows)


def _run(params: DistillationParams, sheet: Part) -> Part:
    found = outcome(params.training, params.alphas)
    names = {f"alpha_{place}": _learns_from(alpha) for place, alpha in enumerate(params.alphas, 1)}
    teacher, student = (sympy.expand(network_values(hidden)) for hidden in (h_t, h_s))
    curve = {f"record_{at}": (step, *means(row)) for at, (step, row) in enumerate(found.divergences.items())}
    first, *others = found.test.divergence  # of labels alone, and of students who see the teacher
    nearer = {key: (names[key], int((row < first).sum())) for key, row in zip(list(names)[1:], others, strict=True)}
    return part(
        "3",
        "A small run",
        formula("teacher", teacher, "values of the teacher", r"N_{\text{teacher}}"),
        formula("student", student, "values of a student", r"N_{\text{student}}"),
        _scores(params, names, found),
        table("curve", ["step", *(column(key, name) for key, name in names.items())], curve),
        table("starts", ["learns_from", "nearer"], nearer, asked=True),
        within=sheet,
    )


def _learns_from(alpha: Fraction) -> str:
    """What a student learns from."""
    if alpha in (0, 1):
        return "labels alone" if alpha == 1 else "the teacher alone"
    return f"both, α = {alpha}"


def _scores(params: DistillationParams, names: dict[str, str], found: Outcome) -> Table:
    tested, n_test = found.test, params.training.n_test
    share = Fraction(100, params.training.n_starts * n_test)
    numbers = zip(means(found.train.loss), means(tested.loss), means(tested.divergence), strict=True)
    counts = zip(tested.agreeing.sum(-1), tested.right.sum(-1), strict=True)
    right = exact(Fraction(100 * int(found.teacher.right), n_test))
    rows: dict[str, tuple[Cell, ...]] = {
        "teacher": ("(the teacher itself)", None, published(float(found.teacher.loss)), None, None, right)
    }
    for (key, name), losses, ones in zip(names.items(), numbers, counts, strict=True):
        rows[key] = (name, *losses, *(exact(share * int(one)) for one in ones))
    of_labels = [column("loss_training", "Loss, training"), column("loss_test", "Loss, test")]
    others = [column("divergence_test", "Divergence, test"), column("agrees", unit="%"), column("right", unit="%")]
    return table("scores", ["learns_from", *of_labels, *others], rows, asked=True)
