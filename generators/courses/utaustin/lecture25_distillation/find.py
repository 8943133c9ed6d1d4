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
    rows: dict[str, dict[str, Cell]] = {
        f"class_{place + 1}": {
            "class": name,
            "v": example.teacher[place],
            "z": example.student[place],
            "p": found.teacher[place],
            "q": found.student[place],
            "q_cool": found.cool[place],
        }
        for place, name in enumerate(example.classes)
    }
    headings = {"v": "v/log\u00a02", "z": "z/log\u00a02", "p": "p", "q": "q", "q_cool": "q at T = 1"}
    yield from SHEET.part("1", "The losses")
    yield from LOSSES.table("1", "distributions", rows, headings=headings)
    symbols = {"hard": "ell_hard", "soft": "C", "entropy": "H", "divergence": "D", "loss": "L"}
    yield from LOSSES.values("1", found.values, symbols=symbols)
    highest = max(example.temperatures[-1], 2 * example.temperature)
    heats = [math.exp(place / HEAT_PLACES * math.log(highest)) for place in range(HEAT_PLACES + 1)]
    keys = list(rows)
    drawn: dict[str, dict[str, Cell]] = {
        f"place_{place}": {"temperature": heat, **dict(zip(keys, row, strict=True))}
        for place, (heat, row) in enumerate(zip(heats, shares(example.teacher, heats), strict=True))
    }
    yield from LOSSES.table("1", "heat", drawn, headings=dict(zip(keys, example.classes, strict=True)))


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
    rows: dict[str, dict[str, Cell]] = {
        f"class_{at + 1}": {
            "class": name,
            "hard": slopes["hard"][at],
            "soft": heat**2 * slopes["divergence"][at],
            "together": slopes["loss"][at],
        }
        for at, name in enumerate(example.classes)
    }
    yield from SHEET.part("2", "The gradients")
    yield from AUTOGRAD.table("2", "classes", rows)
    off = max(abs(one - other) for one, other in zip(slopes["soft"], slopes["divergence"], strict=True))
    yield from AUTOGRAD.proof("2: cross-entropy and divergence have the same gradients", off)
    heats: dict[str, dict[str, Cell]] = {}
    for at, one in enumerate(example.temperatures, 1):
        found = of_example(example, one)
        slope = found.gradients["divergence"][place]
        heats[f"temperature_{at}"] = {
            "T": one,
            "p": found.teacher[place],
            "q": found.student[place],
            "slope": slope,
            "slope_times": one**2 * slope,
        }
    headings = {"p": "p", "q": "q", "slope": "∂D/∂z", "slope_times": "T² ∂D/∂z"}
    yield from AUTOGRAD.table("2", "temperatures", heats, headings=headings)


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
    found, total = trained(one, alphas), one.n_starts * one.n_test
    names = ["labels alone" if a == 1 else "the teacher alone" if a == 0 else f"both, α = {a}" for a in alphas]
    scores: dict[str, dict[str, Cell]] = {
        "teacher": {
            "learns_from": "(the teacher itself)",
            "loss_training": None,
            "loss_test": found.teacher_loss,
            "divergence_test": None,
            "agrees": None,
            "right": Fraction(100 * found.teacher_right, one.n_test),
        }
    }
    for at, name in enumerate(names):
        scores[f"alpha_{at + 1}"] = {
            "learns_from": name,
            "loss_training": found.loss_training[at],
            "loss_test": found.loss_test[at],
            "divergence_test": found.divergence_test[at],
            "agrees": Fraction(100 * found.agreeing[at], total),
            "right": Fraction(100 * found.right[at], total),
        }
    headings = {"loss_training": "Loss, training", "loss_test": "Loss, test", "divergence_test": "Divergence, test"}
    yield from TRAINED.table("3", "scores", scores, units={"agrees": "%", "right": "%"}, headings=headings)
    keys = [f"alpha_{at}" for at in range(1, len(names) + 1)]
    curve: dict[str, dict[str, Cell]] = {
        f"record_{at}": {"step": step, **dict(zip(keys, row, strict=True))} for at, (step, row) in enumerate(found.curve.items())
    }
    yield from TRAINED.table("3", "curve", curve, headings=dict(zip(keys, names, strict=True)))
    ends = zip(keys[1:], names[1:], found.nearer, strict=True)
    starts: dict[str, dict[str, Cell]] = {key: {"learns_from": name, "nearer": count} for key, name, count in ends}
    yield from TRAINED.table("3", "starts", starts)
