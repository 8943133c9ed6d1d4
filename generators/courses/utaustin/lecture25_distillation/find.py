"""Finds distillation's numbers again with torch: its losses, autograd, and everything trained once more.

From Hinton et al.: the soft loss compares softmax(ζ/τ) with softmax(ψ/τ) and counts τ² times; λ weighs the label's loss. The
lecture gives no formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from generators.courses.utaustin.lecture25_distillation.params import DistillationParams, Example, Training
from generators.found import Found, Proof, Route
from generators.recording import Recording

SHEET = Route("the sheet and the parameters, read again", restates=True)
LOSSES = Route("torch, cross_entropy and KLDivLoss", tolerance=1e-12, absolute=1e-12)
AUTOGRAD = Route("torch, autograd", tolerance=1e-9, absolute=1e-12)
RECORDED = Route("the recording, read again", restates=True)
MODULES = Route("torch, tensors added up")
TRAINED = Route("torch, everything trained again with autograd", tolerance=1e-4)
GIVEN = dict.fromkeys(("class", "psi", "zeta", "tau", "learns_from"), SHEET)


def find(params: DistillationParams) -> Iterator[Found | Proof]:
    """Everything that is published about the example and the run."""
    yield from _given(params)
    yield from _losses(params.example)
    yield from _gradients(params.example)
    yield from _run(params.training, params.label_weights)
    for made in list(params.measured.values())[:1]:
        yield from _draft(made["lecture25_distillation_draft"])


def _draft(recording: Recording) -> Iterator[Found]:
    """The recorded curve, of which every point was rounded when it was made."""
    yield from SHEET.part("draft", "A draft for a language model")
    made, (target, draft) = recording.parameters, recording.models.values()
    yield from RECORDED.values("draft", device=recording.device, target=target["label"])
    yield from RECORDED.values("draft", target_parameters=target["parameters"], draft_parameters=draft["parameters"])
    yield from RECORDED.values("draft", chats=made["chats"], answer_tokens=made["answer_tokens"])
    held_out = {name: made[name] for name in ("chats_held_out", "answer_tokens_held_out")}
    yield from RECORDED.values("draft", held_out)
    yield from RECORDED.values("draft", unit="s", seconds=made["seconds"])
    points: dict[Any, dict[str, float]] = {}
    for one in recording.series:
        points.setdefault(one.at["answer_tokens_seen"], {})[one.quantity] = one.samples[0]
    rows = {}
    for place, (seen, point) in enumerate(sorted(points.items())):
        numbers = (seen / 1e6, 100 * point["agreement"], 100 * point["overlap"])
        million, agreement, overlap = (float(f"{one:.3g}") for one in numbers)
        rows[f"point_{place}"] = (million, point["kl"], agreement, overlap)
    units = {"divergence": "nat", "agreement": "%", "overlap": "%"}
    headings = {"seen": "Million tokens seen"}
    yield from RECORDED.table("draft", "curve", rows, units=units, headings=headings, columns=("seen", *units))
    yield from RECORDED.values("draft", unit="%", agreement=rows[f"point_{len(rows) - 1}"][2])


def _given(params: DistillationParams) -> Iterator[Found]:
    example, run = params.example, params.training
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_classes=len(example.classes))
    yield from SHEET.letters("sheet", tau=example.temperature)
    yield from SHEET.values("sheet", {"lamda": example.label_weight}, symbols={"lamda": "lamda"})
    yield from SHEET.letters("sheet", D_teacher=run.teacher_hidden, D_student=run.student_hidden)
    yield from SHEET.values("sheet", label=example.label, seed=run.seed, run_temperature=run.temperature)
    yield from SHEET.values("sheet", n_teacher=run.n_teacher, n_student=run.n_student, n_test=run.n_test, n_starts=run.n_starts)
    yield from SHEET.values("sheet", teacher_steps=run.teacher_steps, student_steps=run.student_steps)
    yield from SHEET.values("sheet", label_noise=100 * run.label_noise, unit="%")


def _losses(example: Example) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_distillation.torch_losses import of_example

    found = of_example(example, example.temperature)
    cells = zip(example.classes, example.teacher, example.student, found.teacher, found.student, found.cool, strict=True)
    headings = {"psi": "ψ/log\u00a02", "zeta": "ζ/log\u00a02", "p": "p", "q": "q", "q_cool": "q at τ = 1"}
    yield from SHEET.part("1", "The losses")
    rows = {f"class_{place}": row for place, row in enumerate(cells, 1)}
    yield from LOSSES.table("1", "distributions", rows, headings=headings, columns=["class", *headings], given=GIVEN)
    symbols = {"hard": "J_hard", "soft": "C", "entropy": "C_min", "divergence": "J_KL", "loss": "J"}
    yield from LOSSES.values("1", found.values, symbols=symbols)


def _gradients(example: Example) -> Iterator[Found | Proof]:
    from generators.courses.utaustin.lecture25_distillation.torch_losses import of_example

    heat, place = example.temperature, example.classes.index(example.label)
    slopes = of_example(example, heat).gradients
    cells = zip(example.classes, slopes["loss"], slopes["hard"], (heat**2 * one for one in slopes["divergence"]), strict=True)
    yield from SHEET.part("2", "The gradients")
    rows = {f"class_{at}": row for at, row in enumerate(cells, 1)}
    yield from AUTOGRAD.table("2", "classes", rows, columns=["class", "together", "hard", "soft"], given=GIVEN)
    off = max(abs(one - other) for one, other in zip(slopes["soft"], slopes["divergence"], strict=True))
    yield from AUTOGRAD.proof("2: cross-entropy and divergence have the same gradients", off)
    heats = {}
    for at, one in enumerate(example.temperatures, 1):
        found = of_example(example, one)
        slope = found.gradients["divergence"][place]
        heats[f"temperature_{at}"] = (one, found.teacher[place], found.student[place], slope, one**2 * slope)
    headings = {"p": "p", "q": "q", "slope": "Gradient", "slope_times": "τ² × gradient"}
    headings = {"tau": "τ", **headings}
    yield from AUTOGRAD.table("2", "temperatures", heats, headings=headings, columns=list(headings), given=GIVEN)


def _run(one: Training, weights: Sequence[Fraction]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_distillation.torch_run import counted_values, trained

    yield from SHEET.part("3", "A small run")
    symbols = {name: rf"N_{{\text{{{name}}}}}" for name in ("teacher", "student")}
    counts = {"teacher": counted_values(one.teacher_hidden), "student": counted_values(one.student_hidden)}
    yield from MODULES.values("3", counts, symbols=symbols)
    found = trained(one, weights)
    yield from TRAINED.values("3", unit="%", teacher_right=Fraction(100 * found.teacher_right, one.n_test))
    percent, rows = 100 * found.right / one.n_test, {}
    for at, weight in enumerate(weights):
        name = "labels alone" if weight == 1 else "the teacher alone" if weight == 0 else f"both, λ = {weight}"
        kinds = ((found.divergence[at], 3), (percent[at], 1))
        cells = [round(float(x), n) for row, n in kinds for x in (row.mean(), row.std(correction=0))]
        wins = [(found.divergence[at] < found.divergence[0]).sum(), (found.right[at] > found.right[0]).sum()]
        rows[f"lambda_{at + 1}"] = (name, *cells, *(int(count) if at else None for count in wins))
    headings = {"spread": "±", "right": "Right (%)", "right_spread": "± (%)"}
    headings |= {"nearer": f"Nearer (of {one.n_starts})", "more_right": f"More right (of {one.n_starts})"}
    yield from TRAINED.table(
        "3", "scores", rows, headings=headings, columns=["learns_from", "divergence", *headings], given=GIVEN
    )
