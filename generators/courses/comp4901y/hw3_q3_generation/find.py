"""Finds launches, texts, medians, scores and counts of the generation runs again, and filters distributions itself.

From the sheet: the launch command and the generated output for other values of --output_len (3.1), --beam_width (3.2),
--top_k (3.3) and --top_p (3.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from generators.cells import Cell
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.found import Found, Proof, Route
from generators.oracles.commands import command
from generators.oracles.recorded import machine_rows
from generators.recording import Recording, Series

SHEET = Route("the sheet and the entry, read again", restates=True)
RECORDED = Route("the recording, read again", restates=True)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
FILTERS = Route("numpy, the filters in a few lines", tolerance=1e-6)
BOUND = Route("bound, entropy of a flat distribution", tolerance=1e-6)
DEVICES = Route("the other device", tolerance=1e-3)
PROGRAM = "python -m generators.measuring.hw3_generate"
ARGUMENTS = {"3.1": "output_len", "3.2": "beam_width", "3.3": "top_k", "3.4": "top_p"}
TITLES = {"3.1": "Output length", "3.2": "Beam width", "3.3": "Top-k", "3.4": "Top-p"}
MORE = {
    "lengths": "Time against output length",
    "beams": "Beam sampling and beam search",
    "top_k": "Top-k: tokens kept and distinct texts",
    "top_p": "Top-p: tokens kept and distinct texts",
}
KINDS = (("cpu", "On a processor"), ("cuda", "On a GPU"))
TIMES = dict.fromkeys(("median", "quartile_1", "quartile_3"), "ms")
Made = Mapping[str, Recording]


def find(params: GenerationParams) -> Iterator[Found | Proof]:
    """Everything that is published of both kinds of device, and how filters and greedy choice work."""
    yield from SHEET.part("sheet", "Given")
    options = {"hf_model_name": params.hf_model_name, "prompt_seq": params.prompt_seq, "output_len": params.output_len}
    options |= {"beam_width": params.beam_width, "top_k": params.top_k, "top_p": float(params.top_p)}
    yield from SHEET.values("sheet", launch=command(PROGRAM, options))
    yield from _filters()
    made = {kind: {name.removeprefix("hw3_q3_"): one for name, one in ones.items()} for kind, ones in params.measured.items()}
    shown = [(kind, title) for kind, title in KINDS if made.get(kind)]
    for number, (kind, title) in enumerate(shown):
        if not number:
            yield from _launches(made[kind])
            yield from _statistics(made[kind])
            yield from _runs(made[kind], params.hf_model_name)
        elif "output_len" in made[kind]:
            yield from SHEET.part(f"measured_{kind}", title)
            yield from RECORDED.values(f"measured_{kind}", device=made[kind]["output_len"].device)
            yield from _per_token(f"measured_{kind}", made[kind]["output_len"])
    for one, other in pairwise(shown):
        yield from _devices(made[one[0]], made[other[0]])


def _filters() -> Iterator[Proof]:
    from generators.courses.comp4901y.hw3_q3_generation.next_token import STEPS, farthest, unlike_greedy

    where = f"{STEPS} steps of a small random model"
    kept, distance = farthest()
    yield from FILTERS.proof(f"greedy generate takes the likeliest token at {where}", unlike_greedy())
    yield from FILTERS.proof(f"generate keeps the tokens of both filters at {where}", kept)
    yield from FILTERS.proof(f"generate draws from the filtered probabilities at {where}", distance)


def _launches(made: Made) -> Iterator[Found]:
    """What the program leaves at its defaults is not said; every sequence that a launch returned is."""
    if "launches" not in made:
        return
    from generators.measuring.hw3_generate import parser

    recording = made["launches"]
    usual = vars(parser().parse_args([]))
    given = {
        **{name: recording.parameters[name] for name in usual if name in recording.parameters},
        "device": recording.device_kind,
    }
    for label, argument in ARGUMENTS.items():
        yield from SHEET.part(label, TITLES[label])
        options = {name: value for name, value in given.items() if name != argument and value != usual[name]}
        loop = "\n".join(f"  {line}" for line in command(PROGRAM, options, f"--{argument} $value").split("\n"))
        values = recording.parameters["values"][argument]
        yield from RECORDED.values(label, launch=f"for value in {' '.join(map(str, values))}; do\n{loop}\ndone")
        rows = {}
        for value in values:
            texts = [one.text for one in recording.outputs if (one.at["argument"], one.at["value"]) == (argument, value)]
            lines = "\n".join(f"Generated: {one}" for one in texts)
            rows[f"n_{value}"] = (f"--{argument} {value}", "".join(ascii(one)[1:-1] if ord(one) > 127 else one for one in lines))
        yield from RECORDED.table(label, "outputs", rows, columns=("setting", "text"))


def _statistics(made: Made) -> Iterator[Found | Proof]:
    for label, title in MORE.items():
        name = {"lengths": "output_len", "beams": "beam_width"}.get(label, label)
        if name in made:
            yield from SHEET.part(label, title)
            if label == "lengths":
                yield from _per_token(label, made[name])
                yield from _lengths(label, made[name])
            elif label == "beams":
                yield from _beams(label, made[name])
            else:
                yield from _kept(label, made[name])
    if {"top_k", "top_p"} <= made.keys():
        yield from _together(made["top_k"], made["top_p"])


def _three(number: Any) -> float:
    return float(np.format_float_scientific(float(number), precision=2, unique=False))


def _ms(series: Series) -> list[float]:
    """Median and quartiles."""
    quartiles: list[float] = (np.percentile(series.samples, [50, 25, 75]) * 1000).tolist()
    return quartiles


def _per_token(label: str, recording: Recording) -> Iterator[Found]:
    timed = {int(one.at["output_len"]): _ms(one)[0] for one in recording.find("seconds")}
    slope, _ = np.polyfit(list(timed), list(timed.values()), 1)
    yield from SAMPLES.values(label, unit="ms", per_token=_three(slope))


def _lengths(label: str, recording: Recording) -> Iterator[Found]:
    rows = {f"n_{one.at['output_len']}": (one.at["output_len"], *map(_three, _ms(one))) for one in recording.find("seconds")}
    yield from SAMPLES.table(label, "times", rows, units=TIMES, columns=("output_length", *TIMES))


def _beams(label: str, recording: Recording) -> Iterator[Found]:
    by_width = [
        {int(one.at["beam_width"]): one for one in recording.find(quantity, do_sample=sampled)}
        for quantity, sampled in (("seconds", True), ("log_probability", True), ("log_probability", False))
    ]
    rows: dict[str, Sequence[Cell]] = {}
    for width in sorted(by_width[0]):
        time, drawn, searched = (ones[width] for ones in by_width)
        low, middle, high = np.percentile(drawn.samples, [0, 50, 100])
        rows[f"width_{width}"] = (width, *map(_three, (middle, low, high, np.median(searched.samples), *_ms(time))))
    units = {**dict.fromkeys(("median_score", "lowest", "highest", "score_of_search"), "nat"), **TIMES}
    yield from SAMPLES.table(label, "widths", rows, units=units, columns=("width", *units))
    yield from SAMPLES.values(label, seeds=min(len(one.samples) for one in by_width[1].values()))


def _kept(label: str, recording: Recording) -> Iterator[Found | Proof]:
    rows: dict[str, Sequence[Cell]] = {}
    name, over = MORE[label].partition(":")[0], 0.0
    for first in recording.find("first_entropy"):
        value = first.at[label]
        (own,), (kept, *_) = first.samples, recording.one("first_kept_tokens", **first.at).samples
        texts = [one.text for one in recording.outputs if one.at[label] == value]
        shown = value if isinstance(value, int) else Fraction(round(float(value) * 10**6), 10**6)
        rows[f"n_{value}"] = (shown, round(kept), _three(own), len(dict.fromkeys(texts)))
        over = max(over, own - math.log(kept))
        yield from SAMPLES.values(label, batch=len(texts))
    columns = ("value", "kept", "entropy", "distinct_outputs")
    yield from SAMPLES.table(label, "kept", rows, units={"entropy": "nat"}, headings={"value": name}, columns=columns)
    yield from BOUND.proof(f"{name}: no entropy is above the logarithm of the tokens kept", over)


def _together(by_k: Recording, by_p: Recording) -> Iterator[Found | Proof]:
    """Both recordings hold the pair of top-k and top-p that the other one fixes; what was kept must agree there."""
    k, p = by_p.parameters["top_k"], by_k.parameters["top_p"]
    kept = [
        {one.at[name]: round(one.samples[0]) for one in recording.find("first_kept_tokens")}
        for name, recording in (("top_k", by_k), ("top_p", by_p))
    ]
    if by_k.models != by_p.models or by_k.parameters["prompt"] != by_p.parameters["prompt"] or not {1.0, p} <= kept[1].keys():
        return
    yield from SHEET.part("together", "Both filters")
    yield from RECORDED.values("together", k=k, p=Fraction(round(p * 10**6), 10**6))
    yield from SAMPLES.values("together", by_k=kept[1][1.0], by_both=kept[1][p])
    if k in kept[0]:
        yield from SAMPLES.proof(
            "both recordings keep equally many tokens at the same top-k and top-p", abs(kept[0][k] - kept[1][p])
        )


def _runs(made: Made, courses_model: str) -> Iterator[Found]:
    """Where the recordings were made, which is the same machine and model for all that are shown."""
    yield from SHEET.part("runs", "Machine and model")
    for one in made.values():
        ((name, card),) = one.models.items()
        rows = machine_rows(one, ("Model", card["label"]), ("Element type", one.parameters["dtype"]))
        yield from RECORDED.table("runs", "machine", rows, columns=("what", "value"))
        yield from RECORDED.values("runs", device=one.device, model=card["label"], parameters=card["parameters"])
        yield from RECORDED.values("runs", other_model=name != courses_model, restored="restored" in str(card["label"]))
        yield from RECORDED.values("runs", chat=one.parameters["chat"] is True)
        yield from RECORDED.values("runs", seed=one.parameters["seed"])


def _devices(one: Made, other: Made) -> Iterator[Proof]:
    """What is kept at the first step does not depend on the device, up to rounding in float32."""
    for label in sorted(one.keys() & other.keys() & {"top_k", "top_p"}):
        if one[label].parameters == other[label].parameters and one[label].models == other[label].models:
            ours, theirs = (
                np.array([first.samples[0] for first in of_kind[label].find("first_entropy")]) for of_kind in (one, other)
            )
            yield from DEVICES.proof(
                f"{MORE[label].partition(':')[0]}: first entropies are the same on both devices",
                float(np.abs(ours - theirs).max()),
            )
