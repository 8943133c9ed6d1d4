"""Finds distillation's losses with torch, its gradients with autograd, and trains teacher and students again in torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy
import sympy
import torch
from torch.nn import functional

from generators.answer import Cell
from generators.oracles.compare import at_sizes, same, text
from generators.steps import Answer, Check, Part, Step, is_number

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_distillation import DistillationParams, Example, Training

VERSION = torch.__version__.split("+")[0]
LOSSES = f"torch, version {VERSION}, cross_entropy and KLDivLoss"
AUTOGRAD = f"torch, version {VERSION}, autograd"
TRAINED = f"torch, version {VERSION}, autograd, float64"
TOLERANCE = 1e-12
RUN_TOLERANCE = 1e-4  # relative; published are five digits
HOT, NEARLY = 1e7, 1e-3
CLASSES, FEATURES, MOMENTUM = 3, 2, 0.9

Rows = Sequence[Sequence[Cell]]
Labelled = tuple[torch.Tensor, torch.Tensor]


def near(what: str, published: Rows, found: Rows, by: str, tolerance: float = TOLERANCE) -> Check:
    """Compare rows cell by cell, numbers within a tolerance, all else exactly; names the first cell that differs."""
    for number, (ours, theirs) in enumerate(zip(published, found, strict=True), 1):
        for left, right in zip(ours, theirs, strict=True):
            if not _alike(left, right, tolerance):
                return Check(what=f"{what}: row {number}", published=text(left), found=text(right), by=by, passed=False)
    count = sum(len(row) for row in published)
    return Check(what=what, published=f"{count} cells", found=f"equal to {tolerance:g}", by=by, passed=count > 0)


def _alike(left: Cell, right: Cell, tolerance: float) -> bool:
    if not (is_number(left) and is_number(right)):
        return left == right
    return math.isclose(float(left), float(right), rel_tol=tolerance, abs_tol=TOLERANCE)  # type: ignore[arg-type]


def verify_distillation(params: DistillationParams, answer: Answer) -> Iterator[Check]:
    """Check losses, gradients and the run."""
    yield from _check_losses(params.example, answer["1"])
    yield from _check_gradients(params.example, answer["2"])
    yield from _check_run(params.training, tuple(params.alphas), answer["3"])


@dataclass(frozen=True)
class Losses:
    """What torch finds for teacher's and student's logits: distributions, losses, and gradients by the student's logits."""

    teacher: tuple[float, ...]
    student: tuple[float, ...]
    cool: tuple[float, ...]
    values: Mapping[str, float]
    gradients: Mapping[str, tuple[float, ...]]


@lru_cache(maxsize=64)
def losses(teacher: tuple[float, ...], student: tuple[float, ...], label: int, heat: float, alpha: float) -> Losses:
    """Run torch's losses and go back through them."""
    v = torch.tensor([teacher], dtype=torch.float64)
    z = torch.tensor([student], dtype=torch.float64, requires_grad=True)
    p, log_q = (v / heat).softmax(1), (z / heat).log_softmax(1)
    hard = functional.cross_entropy(z, torch.tensor([label]))
    soft = functional.cross_entropy(z / heat, p)
    divergence = torch.nn.KLDivLoss(reduction="batchmean")(log_q, p)
    whole = alpha * hard + (1 - alpha) * heat**2 * divergence
    kept = {"hard": hard, "soft": soft, "divergence": divergence, "loss": whole}
    values = {name: float(loss.detach()) for name, loss in kept.items()}
    values["entropy"] = float(torch.distributions.Categorical(p).entropy())
    gradients = {name: _tuple(torch.autograd.grad(loss, z, retain_graph=True)[0]) for name, loss in kept.items()}
    return Losses(_tuple(p), _tuple(log_q.exp()), _tuple(z.softmax(1)), values, gradients)


def _tuple(row: torch.Tensor) -> tuple[float, ...]:
    return tuple(row.detach().flatten().tolist())


def _logits(example: Example, name: str) -> tuple[float, ...]:
    return tuple(logit * math.log(2) for logit in getattr(example, name))


def _of(example: Example, heat: float) -> Losses:
    logits = (_logits(example, name) for name in ("teacher", "student"))
    return losses(*logits, example.classes.index(example.label), heat, float(example.alpha))


def _other(example: Example) -> tuple[Losses, dict[str, float]]:
    """The same at other logits, T and α, and what the letters of the formulas stand for there."""
    count, heat, alpha = len(example.classes), 1.7, 0.3
    student, teacher = (tuple(math.sin(rate * (place + 1)) + 1.5 for place in range(count)) for rate in (2.0, 3.0))
    place = example.classes.index(example.label)
    found = losses(teacher, student, place, heat, alpha)
    return found, _letters(found, student, teacher, heat, alpha, place)


def _letters(
    found: Losses, student: Sequence[float], teacher: Sequence[float], heat: float, alpha: float, place: int
) -> dict[str, float]:
    rows = {"z": student, "v": teacher, "p": found.teacher, "q": found.student}
    letters = {f"{name}_{number}": value for name, row in rows.items() for number, value in enumerate(row, 1)}
    values = found.values
    letters |= {"C": values["soft"], "H": values["entropy"], "D": values["divergence"], "ell_hard": values["hard"]}
    letters |= {"z_y": student[place], "v_y": teacher[place]}
    letters |= {"zbar": sum(student) / len(student), "vbar": sum(teacher) / len(teacher)}
    return letters | {"alpha": alpha, "T": heat, "K": float(len(student))}


def _check_steps(
    part: Part, label: str, example: Example, found: Mapping[str, float], other: Mapping[str, float]
) -> Iterator[Check]:
    """Values, formulas at other numbers, and the numbers put in."""
    steps: list[Step] = [part[name] for name in found]
    names = [(line.what,) for line in steps]
    ours = [(*name, line.value) for name, line in zip(names, steps, strict=True)]
    yield near(f"{label}, values", ours, [(*n, found[key]) for n, key in zip(names, found, strict=True)], LOSSES)
    _, elsewhere = _other(example)
    formulas = [(*name, _evaluated(line.formula, elsewhere)) for name, line in zip(names, steps, strict=True)]
    yield near(
        f"{label}, formulas at other numbers", formulas, [(*n, other[k]) for n, k in zip(names, other, strict=True)], LOSSES
    )
    here = _here(example)
    put_in = [(str(symbol), value) for line in steps for symbol, value in line.at.items()]
    yield near(f"{label}, numbers put in", put_in, [(name, here[name]) for name, _ in put_in], LOSSES)


def _here(example: Example) -> dict[str, float]:
    """What the letters stand for in the example."""
    heat, student, teacher = example.temperature, _logits(example, "student"), _logits(example, "teacher")
    place = example.classes.index(example.label)
    return _letters(_of(example, heat), student, teacher, heat, float(example.alpha), place)


def _limit(letters: Mapping[str, float], place: int) -> float:
    """The difference of the two centred rows of logits, over their number."""
    count = int(letters["K"])
    z, v = (torch.tensor([letters[f"{name}_{k}"] for k in range(1, count + 1)], dtype=torch.float64) for name in "zv")
    return float(((z - z.mean()) - (v - v.mean()))[place] / count)


def _evaluated(formula: sympy.Expr, letters: Mapping[str, float]) -> float:
    return float(formula.subs({symbol: letters[str(symbol)] for symbol in formula.free_symbols}))


def _check_losses(example: Example, part: Part) -> Iterator[Check]:
    found, (other, _) = _of(example, example.temperature), _other(example)
    order = ("hard", "soft", "entropy", "divergence", "loss")
    here, there = ({name: one.values[name] for name in order} for one in (found, other))
    yield from _check_steps(part, "1", example, here, there)
    rows = list(zip(example.classes, example.teacher, example.student, found.teacher, found.student, found.cool, strict=True))
    yield near("1, distributions", part.tables["distributions"].rows, rows, f"torch, version {VERSION}, softmax")


def _check_gradients(example: Example, part: Part) -> Iterator[Check]:
    heat, place = example.temperature, example.classes.index(example.label)
    slopes = _of(example, heat).gradients
    soft = [heat**2 * slope for slope in slopes["divergence"]]
    rows = list(zip(example.classes, slopes["hard"], soft, slopes["loss"], strict=True))
    yield near("2, gradients by the logits", part.tables["classes"].rows, rows, AUTOGRAD)
    same_soft = list(zip(example.classes, slopes["soft"], strict=True))
    divided = [(row[0], float(row[2]) / heat**2) for row in part.tables["classes"].rows]  # type: ignore[arg-type]
    yield near("2, soft gradients through the cross-entropy, over T²", divided, same_soft, AUTOGRAD)
    heats = []
    for one in example.temperatures:
        at = _of(example, one)
        slope = at.gradients["divergence"][place]
        heats.append((one, at.teacher[place], at.student[place], slope, one**2 * slope))
    yield near("2, gradients by temperature", part.tables["temperatures"].rows, heats, AUTOGRAD, 1e-9)
    limits = [_limit(one, place) for one in (_here(example), _other(example)[1])]
    yield from _check_steps(part, "2", example, {"limit": limits[0]}, {"limit": limits[1]})
    hot = _of(example, HOT).gradients["divergence"][place] * HOT**2
    ours, what = float(part["limit"].value), f"2, limit, and the gradient at T = {HOT:g}"
    yield Check(what=what, published=text(ours), found=text(hot), by=AUTOGRAD, passed=abs(ours - hot) <= NEARLY)


@dataclass(frozen=True)
class Points:
    """Points with a constant input, labels, and where the networks start."""

    x: torch.Tensor
    labels: torch.Tensor
    teacher: tuple[torch.Tensor, torch.Tensor]
    students: tuple[torch.Tensor, torch.Tensor]


def _points(one: Training) -> Points:
    """Draws everything in the order: points, which labels are random, those labels, teacher, students."""
    draw, total = numpy.random.default_rng(one.seed), one.n_teacher + one.n_test
    points = torch.tensor(draw.uniform(-1, 1, size=(total, FEATURES)))
    angle, radius = torch.atan2(points[:, 1], points[:, 0]) / (2 * math.pi), points.square().sum(1).sqrt()
    labels = (CLASSES * ((angle + 0.6 * radius) % 1)).long() % CLASSES
    noisy = torch.tensor(draw.uniform(size=total) < float(one.label_noise))
    labels = torch.where(noisy, torch.tensor(draw.integers(0, CLASSES, size=total)), labels)
    starts = []
    for count, hidden in ((1, one.teacher_hidden), (one.n_starts, one.student_hidden)):
        first = torch.tensor(draw.uniform(-2, 2, size=(count, FEATURES + 1, hidden)))
        starts.append((first, torch.tensor(draw.uniform(-1, 1, size=(count, hidden + 1, CLASSES))) / hidden**0.5))
    return Points(functional.pad(points, (0, 1), value=1.0), labels, *starts)


def _network(weights: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = functional.pad((x @ weights[0]).tanh(), (0, 1), value=1.0) @ weights[1]
    return logits


def _cross_entropies(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean over points for each network."""
    flat = functional.cross_entropy(logits.reshape(-1, CLASSES), labels.repeat(logits.shape[0]), reduction="none")
    return flat.reshape(logits.shape[:2]).mean(1)


def _divergences(logits: torch.Tensor, aim: torch.Tensor, heat: float) -> torch.Tensor:
    pointwise = functional.kl_div((logits / heat).log_softmax(-1), (aim / heat).softmax(-1), reduction="none")
    return pointwise.sum(-1).mean(-1)


@lru_cache(maxsize=4)
def trained(one: Training, alphas: tuple[Fraction, ...]) -> dict[str, list[tuple[Cell, ...]]]:
    """The rows of all tables of the run: every student by itself in one stack, each with its own loss, under one optimizer."""
    points, n = _points(one), one.n_teacher
    test, test_labels = points.x[n:], points.labels[n:]
    teacher = [part.clone().requires_grad_() for part in points.teacher]
    for _ in _descending(teacher, one.teacher_steps, float(one.learning_rate)):
        _cross_entropies(_network(teacher, points.x[:n]), points.labels[:n]).sum().backward()
    x, labels = points.x[: one.n_student], points.labels[: one.n_student]
    with torch.no_grad():
        (aim,), (test_aim,) = _network(teacher, x), _network(teacher, test)
    students = [part.repeat(len(alphas), 1, 1).requires_grad_() for part in points.students]
    weights = torch.tensor([float(alpha) for alpha in alphas], dtype=torch.float64).repeat_interleave(one.n_starts)
    heat = float(one.temperature)
    curve: list[tuple[Cell, ...]] = []
    steps = [one.student_steps * k // one.n_records for k in range(one.n_records + 1)]
    for step in _descending(students, one.student_steps, float(one.learning_rate)):
        if step in steps:
            curve.append((step, *_by_alpha(one, _divergences(_network(students, test), test_aim, 1.0))))
        logits = _network(students, x)
        both = weights * _cross_entropies(logits, labels) + (1 - weights) * heat**2 * _divergences(logits, aim, heat)
        both.sum().backward()
    with torch.no_grad():
        seen, tested = (_network(students, x), labels), (_network(students, test), test_labels)
        return _tables(one, alphas, seen, tested, test_aim, curve)


def _descending(weights: Sequence[torch.Tensor], steps: int, rate: float) -> Iterator[int]:
    """Yield each step for a backward pass, then take it; the last number stands for the end, at which nothing is taken.

    torch.optim would do the same, but imports a compiler.
    """
    speeds = [torch.zeros_like(part) for part in weights]
    for step in range(steps):
        yield step
        with torch.no_grad():
            for part, speed in zip(weights, speeds, strict=True):
                speed.mul_(MOMENTUM).add_(torch.zeros_like(part) if part.grad is None else part.grad)
                part.sub_(rate * speed)
                part.grad = None
    yield steps


def _by_alpha(one: Training, numbers: torch.Tensor) -> list[float]:
    return numbers.detach().reshape(-1, one.n_starts).mean(1).tolist()


def _tables(
    one: Training,
    alphas: tuple[Fraction, ...],
    seen: Labelled,
    tested: Labelled,
    aim: torch.Tensor,
    curve: list[tuple[Cell, ...]],
) -> dict[str, list[tuple[Cell, ...]]]:
    """Rows from the logits of students on their training points and on the test, and the teacher's on the test."""
    (logits, test_labels), ours = tested, _cross_entropies(*seen)
    names = ["labels alone" if a == 1 else "the teacher alone" if a == 0 else f"both, α = {a}" for a in alphas]
    apart, best = _divergences(logits, aim, 1.0), logits.argmax(-1)
    columns = [_by_alpha(one, numbers) for numbers in (ours, _cross_entropies(logits, test_labels), apart)]
    shares = [_by_alpha(one, (best == goal).double().mean(-1)) for goal in (aim.argmax(-1), test_labels)]
    loss = float(_cross_entropies(aim[None], test_labels))
    right = float((aim.argmax(-1) == test_labels).double().mean())
    ends = apart.reshape(-1, one.n_starts)
    starts = [(name, one.n_starts, int((row < ends[0]).sum())) for name, row in zip(names[1:], ends[1:], strict=True)]
    scores: list[tuple[Cell, ...]] = [("(the teacher itself)", None, loss, None, None, right)]
    scores += zip(names, *columns, *shares, strict=True)
    return {"scores": scores, "curve": curve, "starts": list(starts)}


def _check_run(one: Training, alphas: tuple[Fraction, ...], part: Part) -> Iterator[Check]:
    found = trained(one, alphas)
    for name, what in (("scores", "scores"), ("curve", "divergence as students train"), ("starts", "starts that end nearer")):
        yield near(f"3, {what}", part.tables[name].rows, found[name], TRAINED, RUN_TOLERANCE)
    names = ", ".join(str(row[0]) for row in found["scores"][1:])
    yield same("3, names of the curves", ", ".join(map(str, part.tables["curve"].header[1:])), names, "the parameters")
    sizes = {"teacher": one.teacher_hidden, "student": one.student_hidden}
    for name, hidden in sizes.items():
        line = part[name]
        yield same(f"3, {line.what}", line.value, _values(hidden), f"torch, version {VERSION}, tensors added up")
        elsewhere = at_sizes(sympy.sympify(line.formula), {f"h_{name[0]}": hidden + 3})
        yield same(f"3, {line.what}, with 3 hidden units more", int(elsewhere), _values(hidden + 3), "torch, tensors added up")
        yield same(f"3, {line.what}, number put in", next(iter(line.at.values())), hidden, "the parameters")


def _values(hidden: int) -> int:
    layers = (torch.nn.Linear(FEATURES, hidden, device="meta"), torch.nn.Linear(hidden, CLASSES, device="meta"))
    return sum(tensor.numel() for layer in layers for tensor in layer.parameters())
