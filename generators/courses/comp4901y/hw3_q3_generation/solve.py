"""Reads launches, texts, times, scores and counts from what was recorded of the generation program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generators.answer import Answer, Item, Part, answer, claim, number, part, text
from generators.courses.comp4901y.hw3_q3_generation import runs
from generators.courses.comp4901y.hw3_q3_generation.launches import launch, launched
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.recording import Recording
from generators.topics.measured import machine_table

PARTS = {
    "3.1": ("Output length", "hw3_q3_output_len", "output_len"),
    "3.2": ("Beam width", "hw3_q3_beam_width", "beam_width"),
    "3.3": ("Top-k", "hw3_q3_top_k", "top_k"),
    "3.4": ("Top-p", "hw3_q3_top_p", "top_p"),
}
"""Title, recording and argument of each part."""
OTHERS = {"cuda": "On a GPU", "cpu": "On a processor"}
Made = Mapping[str, Recording]


def solve(params: GenerationParams) -> Answer:
    """The parts that were recorded, on the kind of device with most of them; of the other kind what a token costs."""
    sheet = part("sheet", "Given", text("launch", launch({name: getattr(params, name) for name in type(params).model_fields})))
    of_kind = {
        kind: {label: made[what] for label, (_, what, _) in PARTS.items() if what in made}
        for kind, made in params.measured.items()
    }
    kinds = sorted((kind for kind, made in of_kind.items() if made), key=lambda kind: -len(of_kind[kind]))
    if not kinds:
        return answer(sheet)
    made = of_kind[kinds[0]]
    shown = [_part(label, recording) for label, recording in made.items()]
    both = [part("together", "Both filters", *runs.together(made["3.3"], made["3.4"]))] if _comparable(made) else []
    others = [
        part(f"measured_{kind}", OTHERS[kind], text("device", of_kind[kind]["3.1"].device), runs.per_token(of_kind[kind]["3.1"]))
        for kind in kinds[1:]
        if "3.1" in of_kind[kind]
    ]
    return answer(sheet, *shown, *both, part("runs", "Machine and model", *_runs(made)), *others)


def _part(label: str, recording: Recording) -> Part:
    title, _, argument = PARTS[label]
    if label == "3.1":
        results = runs.lengths(recording)
    elif label == "3.2":
        results = runs.beams(recording)
    else:
        results = runs.kept(recording, argument, title)
    return part(label, title, *launched(recording, argument), *results)


def _comparable(made: Made) -> bool:
    """Whether top-k and top-p were tried on one prompt and model, with top-p at 1 and at the value beside every top-k."""
    if not {"3.3", "3.4"} <= made.keys():
        return False
    by_k, by_p = made["3.3"], made["3.4"]
    values = {one.at["top_p"] for one in by_p.find("first_entropy")}
    same = by_k.models == by_p.models and by_k.parameters["prompt"] == by_p.parameters["prompt"]
    return same and {1.0, by_k.parameters["top_p"]} <= values


def _runs(made: Made) -> Iterator[Item]:
    """The machine and model that made the recordings that are shown."""
    first = next(iter(made.values()))
    card = next(iter(first.models.values()))
    more = {"model": str(card["label"]), "element_type": str(first.parameters["dtype"])}
    yield text("device", first.device)
    yield text("model", str(card["label"]))
    yield machine_table(first, "value", more)
    yield number("parameters", card["parameters"], "parameters of the model")
    yield claim("trained", "training" in card, "how the model was trained is known")
    if "training" in card:
        yield number("held_out_loss", float(card["training"]["held_out_loss"]), unit="nat/token")
