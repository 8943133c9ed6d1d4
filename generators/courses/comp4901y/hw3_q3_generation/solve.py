"""Reads medians, fit, scores, distinct outputs and entropies from what was recorded of the generation program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generators.answer import Answer, Item, Part, answer, claim, number, part, text
from generators.courses.comp4901y.hw3_q3_generation import runs
from generators.courses.comp4901y.hw3_q3_generation.launches import launch, launched, measure
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.recording import Recording
from generators.table import table

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
    arguments = {name: getattr(params, name) for name in type(params).model_fields}
    sheet = part("sheet", "Given", text("launch", launch(arguments)))
    of_kind = {kind: _of_this_question(made) for kind, made in params.measured.items()}
    kinds = sorted((kind for kind, made in of_kind.items() if made), key=lambda kind: -len(of_kind[kind]))
    if not kinds:
        return answer(sheet)
    first, *others = kinds
    shown = (_part(label, made, params.measured[first]) for label, made in of_kind[first].items())
    timed = [_timed(kind, of_kind[kind], params.measured[kind]) for kind in others]
    return answer(sheet, *shown, _runs(of_kind[first]), *timed)


def _of_this_question(made: Mapping[str, Recording]) -> dict[str, Recording]:
    """Recordings by the label of their part."""
    return {label: made[what] for label, (_, what, _) in PARTS.items() if what in made}


def _part(label: str, recording: Recording, made: Mapping[str, Recording]) -> Part:
    title, _, argument = PARTS[label]
    return part(label, title, *launched(recording, argument), *_results(label, recording, made))


def _results(label: str, recording: Recording, made: Mapping[str, Recording]) -> Iterator[Item]:
    if label == "3.1":
        yield from runs.lengths(recording, made.get("hw3_q1_products"))
    elif label == "3.2":
        yield from runs.beams(recording)
    else:
        yield from runs.kept(recording, PARTS[label][2], PARTS[label][0])


def _runs(made: Mapping[str, Recording]) -> Part:
    """The machine and model that made the recordings that are shown, and how each is made anew."""
    first = next(iter(made.values()))
    card = next(iter(first.models.values()))
    trained = "training" in card
    commands = {
        label: {"part": label, "recorded": one.date, "renewed_by": measure(one.what, one.device_kind)}
        for label, one in made.items()
    }
    items: list[Item] = [
        text("device", first.device),
        text("model", str(card["label"])),
        _machine(first),
        number("parameters", card["parameters"], "parameters of the model"),
        claim("trained", trained, "how the model was trained is known"),
    ]
    if trained:
        items.append(number("held_out_loss", float(card["training"]["held_out_loss"]), unit="nat/token"))
    return part("runs", "Machine and model", *items, table("commands", ["part", "recorded", "renewed_by"], commands))


def _machine(recording: Recording) -> Item:
    """A processor has no driver."""
    said = {
        "device": recording.device,
        "driver": recording.driver,
        "versions": ", ".join(f"{name} {version}" for name, version in recording.versions.items()),
        "model": str(next(iter(recording.models.values()))["label"]),
        "element_type": str(recording.parameters["dtype"]),
    }
    rows = {key: {"what": key.replace("_", " ").capitalize(), "value": value} for key, value in said.items() if value is not None}
    return table("machine", ["what", "value"], rows)


def _timed(kind: str, of_kind: Mapping[str, Recording], made: Mapping[str, Recording]) -> Part:
    """Times on the other kind of device."""
    lengths, beams = of_kind.get("3.1"), of_kind.get("3.2")
    items: list[Item] = [_machine(next(iter(of_kind.values())))]
    items += [claim("lengths", lengths is not None, "output lengths were timed")]
    items += runs.lengths_shortly(lengths, made.get("hw3_q1_products")) if lengths else ()
    items += [claim("beams", beams is not None, "sampled beams were timed")]
    if beams:
        tables = (runs.beam_table(beams, sampled=True), runs.beam_table(beams, sampled=False, drawn=True))
        items += [runs.time_ratio(beams), *tables]
    return part(f"measured_{kind}", OTHERS[kind], *items)
