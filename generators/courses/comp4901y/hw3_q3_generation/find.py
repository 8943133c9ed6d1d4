"""Finds medians, fit, scores and counts of the generation runs again from the raw samples, and filters distributions itself.

From the sheet: the launch command and the generated output for other values of --output_len (3.1), --beam_width (3.2),
--top_k (3.3) and --top_p (3.4).
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from generators.cells import Cell
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.found import Found, Proof, Route
from generators.oracles.recorded import machine_rows
from generators.recording import Recording, Series

SHEET = Route("the sheet, the entry and the recordings, read again", restates=True)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
POLYFIT = Route("numpy, polyfit", tolerance=1e-7, absolute=1e-9)
LISTED = Route("the recorded texts, read again", restates=True)
FILTERS = Route("numpy, the filters in a few lines", tolerance=1e-6)
BOUND = Route("bound, entropy of a flat distribution", tolerance=1e-6)
DEVICES = Route("the other device", tolerance=1e-3)
MS = 1000
SHOWN = {
    "3.1": ("Output length", "output_len"),
    "3.2": ("Beam width", "beam_width"),
    "3.3": ("Top-k", "top_k"),
    "3.4": ("Top-p", "top_p"),
}
OTHERS = {"cuda": "On a GPU", "cpu": "On a processor"}
TIMES = dict.fromkeys(("median", "quartile_1", "quartile_3"), "ms")
Made = Mapping[str, Recording]
Keyed = Iterator[tuple[str, Sequence[Cell]]]


def find(params: GenerationParams) -> Iterator[Found | Proof]:
    """Everything that is published of both kinds of device, and how filters and greedy choice work."""
    yield from SHEET.part("sheet", "Given")
    options = {"hf_model_name": params.hf_model_name, "prompt_seq": params.prompt_seq, "output_len": params.output_len}
    options |= {"beam_width": params.beam_width, "top_k": params.top_k, "top_p": float(params.top_p)}
    yield from SHEET.values("sheet", launch=_command("generators.measuring.hw3_generate", options))
    yield from _filters()
    made = {
        kind: {label: ones[f"hw3_q3_{name}"] for label, (_, name) in SHOWN.items() if f"hw3_q3_{name}" in ones}
        for kind, ones in params.measured.items()
    }
    kinds = [kind for kind, of_kind in made.items() if of_kind]
    if kinds:
        first = max(kinds, key=lambda kind: len(made[kind]))
        yield from _parts(first, made[first], params.measured[first].get("hw3_q1_products"))
        yield from _runs(first, made[first])
        for kind in set(kinds) - {first}:
            yield from _timed(f"measured_{kind}", OTHERS[kind], made[kind], params.measured[kind].get("hw3_q1_products"))
            yield from _devices(made[first], made[kind])


def _command(module: str, options: Mapping[str, Any]) -> str:
    return shlex.join(["python", "-m", module, *(word for name, value in options.items() for word in (f"--{name}", str(value)))])


def _filters() -> Iterator[Proof]:
    from generators.courses.comp4901y.hw3_q3_generation.next_token import STEPS, farthest, unlike_greedy

    where = f"{STEPS} steps of a small random model"
    kept, distance = farthest()
    yield from FILTERS.proof(f"greedy choices of generate at {where}", unlike_greedy())
    yield from FILTERS.proof(f"tokens that top-k and top-p of generate keep at {where}", kept)
    yield from FILTERS.proof(f"probabilities that generate draws from at {where}", distance)


def _parts(kind: str, made: Made, ceilings: Recording | None) -> Iterator[Found | Proof]:
    for label, recording in made.items():
        title, argument = SHOWN[label]
        yield from SHEET.part(label, title)
        yield from _outputs(label, argument, recording)
        if label == "3.1":
            yield from SAMPLES.values(label, on_a_gpu=kind == "cuda")
            yield from _lengths(label, recording, ceilings)
        elif label == "3.2":
            yield from _beams(label, recording)
            yield from _scores(label, recording)
        else:
            yield from _kept(label, argument, recording)
    if {"3.3", "3.4"} <= made.keys():
        yield from _shared(made["3.3"], made["3.4"])


def _outputs(label: str, argument: str, recording: Recording) -> Iterator[Found]:
    """The first text of each setting, drawn as the sheet's program draws, and a command with every setting of the recording."""
    taken = recording.parameters
    options = {"hf_model_name": taken["model"], "prompt_seq": taken["prompt"]}
    options |= {name: taken[name] for _, name in SHOWN.values() if name in taken}
    options |= {"seed": taken["seed"], "device": recording.device_kind, "dtype": taken["dtype"], argument: "N"}
    yield from SHEET.values(label, launch=_command("generators.measuring.hw3_generate", options))
    drawn = [one for one in reversed(recording.outputs) if one.at.get("do_sample") is not False]
    first = {one.at[argument]: one.text for one in drawn}
    rows = {f"n_{value}": (_exact(value), ascii(text)) for value, text in reversed(first.items())}
    headings = {"n": "N", "text": "Generated text, as a Python literal"}
    yield from LISTED.table(label, "outputs", rows, headings=headings, columns=("n", "text"))


def _exact(value: Any) -> Cell:
    """A top-k as it is, a top-p as the decimal that was typed."""
    return value if isinstance(value, int) else Fraction(round(value * 10**6), 10**6)


def _ms(series: Series) -> Any:
    """Median and quartiles."""
    return (np.percentile(series.samples, [50, 25, 75]) * MS).tolist()


def _memory_ms(recording: Recording, ceilings: Recording | None) -> float | None:
    import torch

    if ceilings is None:
        return None
    copy, (card,) = ceilings.one("seconds", ceiling="copy"), recording.models.values()
    read: int = card["parameters"] * getattr(torch, recording.parameters["dtype"]).itemsize
    return MS * read * float(np.median(copy.samples)) / float(copy.at["bytes"])


def _lengths(label: str, recording: Recording, ceilings: Recording | None) -> Iterator[Found]:
    timed = {int(one.at["output_len"]): _ms(one) for one in recording.find("seconds")}
    slope, intercept = np.polyfit(list(timed), [median for median, _, _ in timed.values()], 1).tolist()
    yield from POLYFIT.values(label, unit="ms", symbols={"per_token": "b"}, per_token=slope)
    yield from POLYFIT.values(label, unit="token/s", symbols={"rate": "1 / b"}, rate=MS / slope)
    memory = _memory_ms(recording, ceilings)
    yield from SHEET.values(label, copy_timed=memory is not None)
    if memory is not None:
        yield from SAMPLES.values(label, unit="ms", symbols={"memory_bound": r"b_{\text{memory}}"}, memory_bound=memory)
    units, columns = {**TIMES, "line": "ms"}, ("output_length", *TIMES, "line")
    rows = {f"n_{n}": dict(zip(columns, (n, *times), strict=False)) for n, times in timed.items()}
    yield from SAMPLES.table(label, "times", rows, units=units, columns=columns)
    yield from POLYFIT.cells(label, "times", {f"n_{n}": {"line": intercept + slope * n} for n in timed})
    if label == "3.1":
        worst = max(abs(median - intercept - slope * n) for n, (median, _, _) in timed.items())
        symbols = {"fixed": "a", "worst": r"\max \vert t - a - b n \vert"}
        far = memory is not None and memory < slope / 2
        yield from POLYFIT.values(label, unit="ms", symbols=symbols, fixed=intercept, worst=worst)
        yield from POLYFIT.values(label, fixed_is_negative=intercept < 0, waits=far, reads=memory is not None and not far)


def _by_width(recording: Recording, quantity: str, *, sampled: bool) -> dict[int, Series]:
    return {int(one.at["beam_width"]): one for one in recording.find(quantity, do_sample=sampled)}


def _beams(label: str, recording: Recording) -> Iterator[Found]:
    times = {width: _ms(one)[0] for width, one in _by_width(recording, "seconds", sampled=True).items()}
    yield from SAMPLES.values(label, time_ratio=times[max(times)] / times[min(times)])
    units = {**TIMES, "score": "nat"}
    for name, sampled in (("sampled", True), ("searched", False)):
        scores = _by_width(recording, "log_probability", sampled=sampled)
        counts = ("distinct", "seeds") if sampled else ()
        rows: dict[str, Sequence[Cell]] = {}
        for width, one in sorted(_by_width(recording, "seconds", sampled=sampled).items()):
            drawn = scores[width].samples
            counted = len(np.unique(drawn)), len(drawn)
            rows[f"width_{width}"] = width, *_ms(one), float(np.median(drawn)), *counted[: len(counts)]
        yield from SAMPLES.table(label, name, rows, units=units, columns=("width", *units, *counts))


def _scores(label: str, recording: Recording) -> Iterator[Found]:
    drawn, searched = (_by_width(recording, "log_probability", sampled=one) for one in (True, False))
    last, wide, narrow = (
        float(np.median(one.samples)) for one in (searched[max(searched)], drawn[max(drawn)], drawn[min(drawn)])
    )
    best = float(np.concatenate([one.samples for one in drawn.values()]).max())
    symbols = {"gain": r"\Delta s", "best_sampled": r"s_{\text{sampled}}", "searched_score": r"s_{\text{searched}}"}
    values = dict(zip(symbols, (wide - narrow, best, last), strict=True))
    yield from SAMPLES.values(label, values, unit="nat", symbols=symbols)
    yield from SAMPLES.values(label, draws_win=last < best)


def _kept(label: str, argument: str, recording: Recording) -> Iterator[Found | Proof]:
    rows: dict[str, Sequence[Cell]] = {}
    drift = over = 0.0
    for first in recording.find("first_entropy"):
        at = {argument: first.at[argument]}
        entropy = np.array(recording.one("entropy", **at).samples)
        (own,), (kept, *_) = first.samples, recording.one("first_kept_tokens", **at).samples
        texts = [one.text for one in recording.outputs if at.items() <= one.at.items()]
        counts = len(dict.fromkeys(texts)), len(texts)
        rows[f"n_{at[argument]}"] = _exact(at[argument]), round(kept), own, float(np.median(entropy)), *counts
        drift, over = max(drift, float(np.abs(entropy - own).max())), max(over, own - math.log(kept))
    units = {"first_entropy": "nat", "mean_entropy": "nat"}
    columns = ("value", "kept", *units, "distinct_outputs", "outputs")
    yield from SAMPLES.table(label, "kept", rows, units=units, headings={"value": SHOWN[label][0]}, columns=columns)
    yield from SAMPLES.values(label, unit="nat", drift=drift)
    yield from SAMPLES.values(label, alike=drift * 1000 < 1)
    yield from BOUND.proof(f"{label}: entropy beyond the logarithm of the tokens kept", over)


def _shared(by_k: Recording, by_p: Recording) -> Iterator[Proof]:
    """Both recordings hold the pair of top-k and top-p that the other one fixes; what was kept must agree there."""
    if by_k.models != by_p.models or by_k.parameters["prompt"] != by_p.parameters["prompt"]:
        return
    for quantity in ("first_kept_tokens", "first_entropy"):
        one = list(by_k.find(quantity, top_k=by_p.parameters["top_k"]))
        two = list(by_p.find(quantity, top_p=by_k.parameters["top_p"]))
        if one and two:
            what = f"{quantity.replace('_', ' ')} in 3.3 and 3.4 where top-k and top-p are the same"
            yield from SAMPLES.proof(what, abs(one[0].samples[0] - two[0].samples[0]))


def _machine(part: str, recording: Recording) -> Iterator[Found]:
    (card,) = recording.models.values()
    rows = machine_rows(recording, ("Model", card["label"]), ("Element type", recording.parameters["dtype"]))
    yield from SHEET.table(part, "machine", rows, columns=("what", "value"))


def _runs(kind: str, made: Made) -> Iterator[Found]:
    """Where the recordings were made, which is the same machine and model for all that are shown."""
    yield from SHEET.part("runs", "Machine and model")
    for one in made.values():
        (card,) = one.models.values()
        yield from _machine("runs", one)
        yield from SHEET.values("runs", device=one.device, model=card["label"], trained="training" in card)
        yield from SHEET.values("runs", parameters=card["parameters"])
        if "training" in card:
            yield from SHEET.values("runs", unit="nat/token", held_out_loss=float(card["training"]["held_out_loss"]))
    module, names = "generators.measuring.measure_all", {label: f"hw3_q3_{name}" for label, (_, name) in SHOWN.items()}
    commands = {label: (label, one.date, _command(module, {"device": kind, "only": names[label]})) for label, one in made.items()}
    yield from SHEET.table("runs", "commands", commands, columns=("part", "recorded", "renewed_by"))


def _timed(label: str, title: str, made: Made, ceilings: Recording | None) -> Iterator[Found]:
    yield from SHEET.part(label, title)
    yield from _machine(label, next(iter(made.values())))
    yield from SHEET.values(label, lengths="3.1" in made, beams="3.2" in made)
    if "3.1" in made:
        yield from _lengths(label, made["3.1"], ceilings)
    if "3.2" in made:
        yield from _beams(label, made["3.2"])


def _devices(one: Made, other: Made) -> Iterator[Proof]:
    """What is kept at the first step does not depend on the device, up to rounding in float32."""
    for label in sorted(one.keys() & other.keys() & {"3.3", "3.4"}):
        if one[label].parameters == other[label].parameters and one[label].models == other[label].models:
            ours, theirs = (
                np.array([first.samples[0] for first in of_kind[label].find("first_entropy")]) for of_kind in (one, other)
            )
            yield from DEVICES.proof(f"{label}: first entropies on both kinds of device", float(np.abs(ours - theirs).max()))
