"""Reads medians, fit, scores, distinct outputs and entropies from what was recorded of the generation program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generators.answer import Answer, Item, Part, answer, claim, number, part, text
from generators.courses.comp4901y.hw3_q3_generation import runs
from generators.courses.comp4901y.hw3_q3_generation.launches import launch, launched
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.recording import Recording
from generators.table import Table, table
from generators.topics.measured import machine_table

PARTS = {
    "3.1": ("Output length", "hw3_q3_output_len", "output_len"),
    "3.2": ("Beam width", "hw3_q3_beam_width", "beam_width"),
    "3.3": ("Top-k", "hw3_q3_top_k", "top_k"),
    "3.4": ("Top-p", "hw3_q3_top_p", "top_p"),
}
"""Title, recording and argument of each part."""
OTHERS = {"cuda": "On a GPU", "cpu": "On a processor"}


def solve(params: GenerationParams) -> Answer:
    """The parts that were recorded, on the kind of device with most of them; of the other kind what takes time."""
    sheet = part("sheet", "Given", text("launch", launch({name: getattr(params, name) for name in type(params).model_fields})))
    of_kind = {
        kind: {label: made[what] for label, (_, what, _) in PARTS.items() if what in made}
        for kind, made in params.measured.items()
    }
    kinds = sorted((kind for kind, made in of_kind.items() if made), key=lambda kind: -len(of_kind[kind]))
    if not kinds:
        return answer(sheet)
    first, *others = kinds
    shown = (_part(label, made, params.measured[first]) for label, made in of_kind[first].items())
    timed = (part(f"measured_{kind}", OTHERS[kind], *_timed(of_kind[kind], params.measured[kind])) for kind in others)
    return answer(sheet, *shown, part("runs", "Machine and model", *_runs(of_kind[first])), *timed)


def _part(label: str, recording: Recording, made: Mapping[str, Recording]) -> Part:
    title, _, argument = PARTS[label]
    if label == "3.1":
        results = runs.lengths(recording, made.get("hw3_q1_products"))
    elif label == "3.2":
        results = runs.beams(recording)
    else:
        results = runs.kept(recording, argument, title)
    return part(label, title, *launched(recording, argument), *results)


def _runs(made: Mapping[str, Recording]) -> Iterator[Item]:
    """The machine and model that made the recordings that are shown, and how each is made anew."""
    first = next(iter(made.values()))
    card = next(iter(first.models.values()))
    program = "python -m generators.measuring.measure_all"
    commands = {
        label: (label, one.date, f"{program} --device {one.device_kind} --only {one.what}") for label, one in made.items()
    }
    yield text("device", first.device)
    yield text("model", str(card["label"]))
    yield _machine(first)
    yield number("parameters", card["parameters"], "parameters of the model")
    yield claim("trained", "training" in card, "how the model was trained is known")
    if "training" in card:
        yield number("held_out_loss", float(card["training"]["held_out_loss"]), unit="nat/token")
    yield table("commands", ["part", "recorded", "renewed_by"], commands)


def _machine(recording: Recording) -> Table:
    model, element = next(iter(recording.models.values()))["label"], recording.parameters["dtype"]
    return machine_table(recording, "value", {"model": str(model), "element_type": str(element)})


def _timed(of_kind: Mapping[str, Recording], made: Mapping[str, Recording]) -> Iterator[Item]:
    """Times on the other kind of device."""
    lengths, beams = of_kind.get("3.1"), of_kind.get("3.2")
    yield _machine(next(iter(of_kind.values())))
    yield claim("lengths", lengths is not None, "output lengths were timed")
    if lengths:
        yield from runs.lengths(lengths, made.get("hw3_q1_products"), shortly=True)
    yield claim("beams", beams is not None, "sampled beams were timed")
    if beams:
        yield runs.time_ratio(beams)
        yield runs.beam_table(beams, sampled=True)
        yield runs.beam_table(beams, sampled=False, drawn=True)
