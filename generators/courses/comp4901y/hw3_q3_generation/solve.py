"""Reads launches, texts, times, scores and counts from what was recorded of the generation program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generators.answer import Answer, Item, Part, answer, claim, number, part, text
from generators.courses.comp4901y.hw3_q3_generation import runs
from generators.courses.comp4901y.hw3_q3_generation.launches import PROGRAM, launched
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.recording import Recording
from generators.topics.commands import command
from generators.topics.measured import machine_table

LAUNCHES = "hw3_q3_launches"
PARTS = {
    "3.1": ("Output length", "output_len"),
    "3.2": ("Beam width", "beam_width"),
    "3.3": ("Top-k", "top_k"),
    "3.4": ("Top-p", "top_p"),
}
"""Title and argument of each part."""
KEPT = {"top_k": "Top-k", "top_p": "Top-p"}
KINDS = {"cpu": "On a processor", "cuda": "On a GPU"}
Made = Mapping[str, Recording]

RESTORED = "smollm2-135m-instruct"
"""The model whose weights `make models` restores."""


def solve(params: GenerationParams) -> Answer:
    """What was recorded on a processor, whose runs anyone can repeat, and what a token costs on a GPU; else all of the GPU."""
    defaults = {name: getattr(params, name) for name in type(params).model_fields}
    sheet = part("sheet", "Given", text("launch", command(PROGRAM, defaults)))
    kinds = [kind for kind in KINDS if params.measured.get(kind)]
    if not kinds:
        return answer(sheet)
    made = params.measured[kinds[0]]
    others = [
        part(f"measured_{kind}", KINDS[kind], text("device", one.device), runs.per_token(one))
        for kind in kinds[1:]
        if (one := params.measured[kind].get("hw3_q3_output_len"))
    ]
    model = part("runs", "Machine and model", *_runs(made, params.hf_model_name))
    return answer(sheet, *_launches(made), *_statistics(made), model, *others)


def _launches(made: Made) -> Iterator[Part]:
    if LAUNCHES in made:
        for label, (title, argument) in PARTS.items():
            yield part(label, title, *launched(made[LAUNCHES], argument))


def _statistics(made: Made) -> Iterator[Part]:
    """Of many runs, where they were recorded."""
    if "hw3_q3_output_len" in made:
        yield part("lengths", "Time against output length", *runs.lengths(made["hw3_q3_output_len"]))
    if "hw3_q3_beam_width" in made:
        yield part("beams", "Beam sampling and beam search", *runs.beams(made["hw3_q3_beam_width"]))
    for argument, title in KEPT.items():
        if f"hw3_q3_{argument}" in made:
            items = runs.kept(made[f"hw3_q3_{argument}"], argument, title)
            yield part(argument, f"{title}: tokens kept and distinct texts", *items)
    if _comparable(made):
        yield part("together", "Both filters", *runs.together(made["hw3_q3_top_k"], made["hw3_q3_top_p"]))


def _comparable(made: Made) -> bool:
    """Whether top-k and top-p were tried on one prompt and model, with top-p at 1 and at the value beside every top-k."""
    by_k, by_p = made.get("hw3_q3_top_k"), made.get("hw3_q3_top_p")
    if not by_k or not by_p:
        return False
    values = {one.at["top_p"] for one in by_p.find("first_entropy")}
    same = by_k.models == by_p.models and by_k.parameters["prompt"] == by_p.parameters["prompt"]
    return same and {1.0, by_k.parameters["top_p"]} <= values


def _runs(made: Made, courses_model: str) -> Iterator[Item]:
    """The machine and model that made the recordings that are shown."""
    first = next(iter(made.values()))
    ((name, card),) = first.models.items()
    yield text("device", first.device)
    yield text("model", str(card["label"]))
    yield claim("other_model", name != courses_model, "the model is not the course's")
    yield claim("restored", name == RESTORED, "the model's file stores weights with fewer bits")
    yield claim("chat", bool(first.parameters["chat"]), "the prompt was given as a user's turn")
    yield number("seed", first.parameters["seed"], "seed")
    yield machine_table(first, {"model": str(card["label"]), "element_type": str(first.parameters["dtype"])})
    yield number("parameters", card["parameters"], "parameters of the model")
