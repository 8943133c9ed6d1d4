"""Finds launches, texts, medians, scores and counts of the generation runs again, and filters distributions itself.

From the sheet: the launch command and the generated output for other values of --output_len (3.1), --beam_width (3.2),
--top_k (3.3) and --top_p (3.4).
"""

from __future__ import annotations

import math
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from generators.cells import Cell
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.found import Found, Proof, Route
from generators.oracles.recorded import machine_rows
from generators.recording import Recording, Series

SHEET = Route("the sheet and the entry, read again", restates=True)
RECORDED = Route("the recording, read again", restates=True)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
FILTERS = Route("numpy, the filters in a few lines", tolerance=1e-6)
BOUND = Route("bound, entropy of a flat distribution", tolerance=1e-6)
DEVICES = Route("the other device", tolerance=1e-3)
SHOWN = {
    "3.1": ("Output length", "output_len"),
    "3.2": ("Beam width", "beam_width"),
    "3.3": ("Top-k", "top_k"),
    "3.4": ("Top-p", "top_p"),
}
OTHERS = {"cuda": "On a GPU", "cpu": "On a processor"}
TIMES = dict.fromkeys(("median", "quartile_1", "quartile_3"), "ms")
Made = Mapping[str, Recording]


def find(params: GenerationParams) -> Iterator[Found | Proof]:
    """Everything that is published of both kinds of device, and how filters and greedy choice work."""
    yield from SHEET.part("sheet", "Given")
    options = {"hf_model_name": params.hf_model_name, "prompt_seq": params.prompt_seq, "output_len": params.output_len}
    options |= {"beam_width": params.beam_width, "top_k": params.top_k, "top_p": float(params.top_p)}
    yield from SHEET.values("sheet", launch=_command(options))
    yield from _filters()
    made = {
        kind: {label: ones[f"hw3_q3_{name}"] for label, (_, name) in SHOWN.items() if f"hw3_q3_{name}" in ones}
        for kind, ones in params.measured.items()
    }
    kinds = [kind for kind, of_kind in made.items() if of_kind]
    if kinds:
        first = max(kinds, key=lambda kind: len(made[kind]))
        yield from _parts(made[first])
        yield from _runs(made[first])
        for kind in set(kinds) - {first}:
            if "3.1" in made[kind]:
                yield from SHEET.part(f"measured_{kind}", OTHERS[kind])
                yield from RECORDED.values(f"measured_{kind}", device=made[kind]["3.1"].device)
                yield from _per_token(f"measured_{kind}", made[kind]["3.1"])
            yield from _devices(made[first], made[kind])


def _command(options: Mapping[str, Any], more: str = "") -> str:
    """Options as a shell needs them; a space inside one is hidden from the wrapping, which breaks between options only."""
    said = (f"--{name} {shlex.quote(str(value))}".replace(" ", "\0") for name, value in options.items())
    words = ["python -m generators.measuring.hw3_generate".replace(" ", "\0"), *said, *filter(None, [more.replace(" ", "\0")])]
    lines = textwrap.wrap(" ".join(words), 72, break_long_words=False, break_on_hyphens=False)
    return " \\\n    ".join(lines).replace("\0", " ")


def _filters() -> Iterator[Proof]:
    from generators.courses.comp4901y.hw3_q3_generation.next_token import STEPS, farthest, unlike_greedy

    where = f"{STEPS} steps of a small random model"
    kept, distance = farthest()
    yield from FILTERS.proof(f"greedy generate takes the likeliest token at {where}", unlike_greedy())
    yield from FILTERS.proof(f"generate keeps the tokens of both filters at {where}", kept)
    yield from FILTERS.proof(f"generate draws from the filtered probabilities at {where}", distance)


def _parts(made: Made) -> Iterator[Found | Proof]:
    for label, recording in made.items():
        title, argument = SHOWN[label]
        yield from SHEET.part(label, title)
        yield from _outputs(label, argument, recording)
        if label == "3.1":
            yield from _per_token(label, recording)
            yield from _lengths(label, recording)
        elif label == "3.2":
            yield from _beams(label, recording)
        else:
            yield from _kept(label, argument, recording)
    if {"3.3", "3.4"} <= made.keys():
        yield from _together(made["3.3"], made["3.4"])


def _outputs(label: str, argument: str, recording: Recording) -> Iterator[Found]:
    """A launch with every setting of the recording, and as many texts as it has beams, of those that were sampled."""
    taken = recording.parameters
    options = {"hf_model_name": taken["model"], "prompt_seq": taken["prompt"]}
    options |= {name: taken[name] for _, name in SHOWN.values() if name in taken}
    options |= {"seed": taken["seed"], "device": recording.device_kind, "dtype": taken["dtype"]}
    drawn = [one for one in recording.outputs if one.at.get("do_sample") is not False]
    every: list[Any] = list(dict.fromkeys(one.at[argument] for one in drawn))
    values = [every[int(place)] for place in dict.fromkeys(np.linspace(0, len(every) - 1, 3).round())] if every[3:] else every
    loop = "\n".join(f"  {line}" for line in _command(options, f"--{argument} $N").split("\n"))
    rows, missing = {}, 0
    for value in values:
        beams = value if argument == "beam_width" else 1
        texts = [one.text for one in drawn if one.at[argument] == value][:beams]
        missing += beams - len(texts)
        letters = "".join(
            letter if ord(letter) < 128 else ascii(letter)[1:-1] for letter in "\n".join(f"Generated: {one}" for one in texts)
        )
        rows[f"n_{value}"] = (f"--{argument} {value}", letters)
    yield from RECORDED.values(label, launch=f"for N in {' '.join(map(str, values))}; do\n{loop}\ndone")
    yield from RECORDED.table(label, "outputs", rows, columns=("setting", "text"))
    batched = "sequences" in taken
    yield from RECORDED.values(label, batched=batched, first_of_several=missing > 0, as_launched=not missing and not batched)


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


def _kept(label: str, argument: str, recording: Recording) -> Iterator[Found | Proof]:
    rows: dict[str, Sequence[Cell]] = {}
    over = 0.0
    for first in recording.find("first_entropy"):
        value = first.at[argument]
        (own,), (kept, *_) = first.samples, recording.one("first_kept_tokens", **first.at).samples
        texts = [one.text for one in recording.outputs if one.at[argument] == value]
        shown = value if isinstance(value, int) else Fraction(round(float(value) * 10**6), 10**6)
        rows[f"n_{value}"] = (shown, round(kept), _three(own), len(dict.fromkeys(texts)))
        over = max(over, own - math.log(kept))
        yield from SAMPLES.values(label, batch=len(texts))
    columns = ("value", "kept", "entropy", "distinct_outputs")
    yield from SAMPLES.table(label, "kept", rows, units={"entropy": "nat"}, headings={"value": SHOWN[label][0]}, columns=columns)
    yield from BOUND.proof(f"{label}: no entropy is above the logarithm of the tokens kept", over)


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
        yield from SAMPLES.proof("3.3 and 3.4 keep as many tokens at the same top-k and top-p", abs(kept[0][k] - kept[1][p]))


def _runs(made: Made) -> Iterator[Found]:
    """Where the recordings were made, which is the same machine and model for all that are shown."""
    yield from SHEET.part("runs", "Machine and model")
    for one in made.values():
        (card,) = one.models.values()
        rows = machine_rows(one, ("Model", card["label"]), ("Element type", one.parameters["dtype"]))
        yield from RECORDED.table("runs", "machine", rows, columns=("what", "value"))
        yield from RECORDED.values("runs", device=one.device, model=card["label"], trained="training" in card)
        yield from RECORDED.values("runs", parameters=card["parameters"])
        if "training" in card:
            yield from RECORDED.values("runs", unit="nat/token", held_out_loss=float(card["training"]["held_out_loss"]))


def _devices(one: Made, other: Made) -> Iterator[Proof]:
    """What is kept at the first step does not depend on the device, up to rounding in float32."""
    for label in sorted(one.keys() & other.keys() & {"3.3", "3.4"}):
        if one[label].parameters == other[label].parameters and one[label].models == other[label].models:
            ours, theirs = (
                np.array([first.samples[0] for first in of_kind[label].find("first_entropy")]) for of_kind in (one, other)
            )
            yield from DEVICES.proof(f"{label}: first entropies are the same on both devices", float(np.abs(ours - theirs).max()))
