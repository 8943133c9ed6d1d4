"""Finds distillation's numbers again with torch: its losses, autograd, and everything trained once more.

From Hinton et al.: the soft loss compares softmax(z/T) with softmax(v/T) and counts T² times; α weighs the label's loss. The
lecture gives no formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from generators.cells import Cell
from generators.courses.utaustin.lecture25_distillation.params import DistillationParams, Example, Training
from generators.found import Found, Proof, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)
LOSSES = Route("torch, cross_entropy and KLDivLoss", tolerance=1e-12, absolute=1e-12)
AUTOGRAD = Route("torch, autograd", tolerance=1e-9, absolute=1e-12)
HOT = Route("torch, autograd at a very high temperature", absolute=1e-6)
MODULES = Route("torch, tensors added up")
TRAINED = Route("torch, everything trained again with autograd", tolerance=1e-4)

HEAT_PLACES, HIGHEST = 60, 1e7
LETTERS = {"hard": r"\ell_{\text{hard}}", "soft": "C", "entropy": "H"}


def find(params: DistillationParams) -> Iterator[Found | Proof]:
    """Everything that is published about the example and the run."""
    yield from _given(params)
    yield from _losses(params.example)
    yield from _in_letters(params.example)
    yield from _gradients(params.example)
    yield from _limit(params.example)
    yield from _run(params.training, params.alphas)


def _given(params: DistillationParams) -> Iterator[Found]:
    example, run = params.example, params.training
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", K=len(example.classes), T=example.temperature, alpha=example.alpha)
    yield from SHEET.letters("sheet", h_t=run.teacher_hidden, h_s=run.student_hidden)
    yield from SHEET.values("sheet", label=example.label, seed=run.seed, run_temperature=run.temperature)
    yield from SHEET.values("sheet", n_teacher=run.n_teacher, n_student=run.n_student, n_test=run.n_test, n_starts=run.n_starts)
    yield from SHEET.values("sheet", teacher_steps=run.teacher_steps, student_steps=run.student_steps)
    yield from SHEET.values("sheet", label_noise=100 * run.label_noise, unit="%")


def _losses(example: Example) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_distillation.torch_losses import of_example, shares

    found = of_example(example, example.temperature)
    cells = zip(example.classes, example.teacher, example.student, found.teacher, found.student, found.cool, strict=True)
    headings = {"v": "v/log\u00a02", "z": "z/log\u00a02", "p": "p", "q": "q", "q_cool": "q at T = 1"}
    yield from SHEET.part("1", "The losses")
    rows = {f"class_{place}": row for place, row in enumerate(cells, 1)}
    yield from LOSSES.table("1", "distributions", rows, headings=headings, columns=["class", *headings])
    symbols = {"hard": "ell_hard", "soft": "C", "entropy": "H", "divergence": "D", "loss": "L"}
    yield from LOSSES.values("1", found.values, symbols=symbols)
    highest = max(example.temperatures[-1], 2 * example.temperature)
    heats = [math.exp(place / HEAT_PLACES * math.log(highest)) for place in range(HEAT_PLACES + 1)]
    drawn = zip(heats, shares(example.teacher, heats), strict=True)
    heat = {f"place_{place}": (one, *row) for place, (one, row) in enumerate(drawn)}
    headings = dict(zip(rows, example.classes, strict=True))
    yield from LOSSES.table("1", "heat", heat, headings=headings, columns=["temperature", *headings])


def _in_letters(example: Example) -> Iterator[Found]:
    """What the losses and the slope come to at other logits and temperatures, for their expressions."""
    from generators.courses.utaustin.lecture25_distillation.torch_losses import elsewhere

    places = elsewhere(example)
    yield from LOSSES.values("1", symbols={f"{name}_in_letters": symbol for name, symbol in LETTERS.items()})
    for name in LETTERS:
        cases = []
        for student, _, found in places:
            rows = {"z": student, "p": found.teacher, "q": found.student}
            world = {f"{letter}_{at}": value for letter, row in rows.items() for at, value in enumerate(row, 1)}
            cases.append((world, found.values[name]))
        yield from LOSSES.worlds(f"1/{name}_in_letters", cases)
    yield from AUTOGRAD.values("2", symbols={"slope": r"\frac{\partial D}{\partial z_i}"})
    slopes = [
        ({"q_i": found.student[at], "p_i": found.teacher[at], "T": heat}, found.gradients["divergence"][at])
        for _, heat, found in places
        for at in range(len(example.classes))
    ]
    yield from AUTOGRAD.worlds("2/slope", slopes)


def _gradients(example: Example) -> Iterator[Found | Proof]:
    from generators.courses.utaustin.lecture25_distillation.torch_losses import of_example

    heat, place = example.temperature, example.classes.index(example.label)
    slopes = of_example(example, heat).gradients
    cells = zip(example.classes, slopes["hard"], (heat**2 * one for one in slopes["divergence"]), slopes["loss"], strict=True)
    yield from SHEET.part("2", "The gradients")
    rows = {f"class_{at}": row for at, row in enumerate(cells, 1)}
    yield from AUTOGRAD.table("2", "classes", rows, columns=["class", "hard", "soft", "together"])
    off = max(abs(one - other) for one, other in zip(slopes["soft"], slopes["divergence"], strict=True))
    yield from AUTOGRAD.proof("2: cross-entropy and divergence have the same gradients", off)
    heats = {}
    for at, one in enumerate(example.temperatures, 1):
        found = of_example(example, one)
        slope = found.gradients["divergence"][place]
        heats[f"temperature_{at}"] = (one, found.teacher[place], found.student[place], slope, one**2 * slope)
    headings = {"p": "p", "q": "q", "slope": "∂D/∂z", "slope_times": "T² ∂D/∂z"}
    yield from AUTOGRAD.table("2", "temperatures", heats, headings=headings, columns=["T", *headings])


def _limit(example: Example) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_distillation.torch_losses import means, of_example

    found = means(example)
    symbols = {name: name for name in found} | {"limit": r"g_{\infty}"}
    yield from LOSSES.values("2", found, symbols=symbols)
    slope = of_example(example, HIGHEST).gradients["divergence"][example.classes.index(example.label)]
    yield from HOT.values("2", limit=HIGHEST**2 * slope)


def _run(one: Training, alphas: Sequence[Fraction]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_distillation.torch_run import counted_values, trained

    yield from SHEET.part("3", "A small run")
    symbols = {name: rf"N_{{\text{{{name}}}}}" for name in ("teacher", "student")}
    counts = {"teacher": counted_values(one.teacher_hidden), "student": counted_values(one.student_hidden)}
    yield from MODULES.values("3", counts, symbols=symbols)
    found, share = trained(one, alphas), Fraction(100, one.n_starts * one.n_test)
    names = {f"alpha_{at}": "labels alone" if a == 1 else "the teacher alone" if a == 0 else f"both, α = {a}"
             for at, a in enumerate(alphas, 1)}  # fmt: skip
    loss, right = found.teacher
    scores: dict[str, tuple[Cell, ...]] = {
        "teacher": ("(the teacher itself)", None, loss, None, None, Fraction(100 * right, one.n_test))
    }
    for (key, name), (*losses, agreeing, correct) in zip(names.items(), found.scores, strict=True):
        scores[key] = (name, *losses, share * int(agreeing), share * int(correct))
    headings = {"loss_training": "Loss, training", "loss_test": "Loss, test", "divergence_test": "Divergence, test"}
    yield from TRAINED.table("3", "scores", scores, units={"agrees": "%", "right": "%"}, headings=headings,
                             columns=["learns_from", *headings, "agrees", "right"])  # fmt: skip
    curve = {f"record_{at}": (step, *row) for at, (step, row) in enumerate(found.curve.items())}
    yield from TRAINED.table("3", "curve", curve, headings=names, columns=["step", *names])
    starts = {key: (names[key], count) for key, count in zip([*names][1:], found.nearer, strict=True)}
    yield from TRAINED.table("3", "starts", starts, columns=["learns_from", "nearer"])
