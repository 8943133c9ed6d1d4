"""Finds medians, fit, scores and counts of the generation runs again from the raw samples, and filters distributions itself.

From the sheet: the launch command and the generated output for other values of --output_len (3.1), --beam_width (3.2),
--top_k (3.3) and --top_p (3.4).
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from generators.cells import Cell
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.found import Found, Proof, Route
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
Made = Mapping[str, Recording]


def find(params: GenerationParams) -> Iterator[Found | Proof]:
    """Everything that is published of both kinds of device, and how filters and greedy choice work."""
    yield from SHEET.part("sheet", "Given")
    options = {"hf_model_name": params.hf_model_name, "prompt_seq": params.prompt_seq, "output_len": params.output_len}
    options |= {"beam_width": params.beam_width, "top_k": params.top_k, "top_p": float(params.top_p)}
    yield from SHEET.values("sheet", launch=_command("generators.measuring.hw3_generate", options))
    yield from _filters()
    made = {kind: _shown(recordings) for kind, recordings in params.measured.items()}
    kinds = [kind for kind, of_kind in made.items() if of_kind]
    if kinds:
        first = max(kinds, key=lambda kind: len(made[kind]))
        yield from _parts(first, made[first], params.measured[first].get("hw3_q1_products"))
        yield from _runs(first, made[first])
        for kind in kinds:
            if kind != first:
                yield from _timed(kind, made[kind], params.measured[kind].get("hw3_q1_products"))
                yield from _devices(made[first], made[kind])


def _shown(recordings: Made) -> dict[str, Recording]:
    return {label: recordings[f"hw3_q3_{name}"] for label, (_, name) in SHOWN.items() if f"hw3_q3_{name}" in recordings}


def _command(module: str, options: Mapping[str, Any]) -> str:
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return shlex.join(["python", "-m", module, *words])


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
            yield from _line(label, recording, ceilings)
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
    drawn = [one for one in recording.outputs if one.at.get("do_sample") is not False]
    rows: dict[str, dict[str, Cell]] = {}
    for value in dict.fromkeys(one.at[argument] for one in drawn):
        first = next(one.text for one in drawn if one.at[argument] == value)
        rows[f"n_{value}"] = {"n": _exact(value), "text": ascii(first)}
    yield from LISTED.table(label, "outputs", rows, headings={"n": "N", "text": "Generated text, as a Python literal"})


def _exact(value: Any) -> Cell:
    """A top-k as it is, a top-p as the decimal that was typed."""
    return value if isinstance(value, int) else Fraction(round(value * 10**6), 10**6)


def _of(recording: Recording, quantity: str, **at: Any) -> list[Series]:
    return [one for one in recording.series if one.quantity == quantity and all(one.at.get(name) == at[name] for name in at)]


def _ms(series: Series) -> dict[str, float]:
    found = np.percentile(series.samples, [50, 25, 75]) * MS
    return dict(zip(("median", "quartile_1", "quartile_3"), map(float, found), strict=True))


def _fit(recording: Recording) -> tuple[list[int], list[float], float, float]:
    """Lengths, medians, slope and intercept of the line through them."""
    found = _of(recording, "seconds")
    lengths, medians = [int(one.at["output_len"]) for one in found], [_ms(one)["median"] for one in found]
    slope, intercept = (float(one) for one in np.polyfit(lengths, medians, 1))
    return lengths, medians, slope, intercept


def _memory_ms(recording: Recording, ceilings: Recording | None) -> float | None:
    if ceilings is None:
        return None
    (copy,) = _of(ceilings, "seconds", ceiling="copy")
    bits = {"float32": 32, "bfloat16": 16, "float16": 16}[recording.parameters["dtype"]]
    (card,) = recording.models.values()
    return MS * int(card["parameters"]) * (bits // 8) * float(np.median(copy.samples)) / float(copy.at["bytes"])


def _lengths(label: str, recording: Recording, ceilings: Recording | None) -> Iterator[Found]:
    _, _, slope, intercept = _fit(recording)
    yield from POLYFIT.values(label, unit="ms", symbols={"per_token": "b"}, per_token=slope)
    yield from POLYFIT.values(label, unit="token/s", symbols={"rate": "1 / b"}, rate=MS / slope)
    memory = _memory_ms(recording, ceilings)
    yield from SHEET.values(label, copy_timed=memory is not None)
    if memory is not None:
        yield from SAMPLES.values(label, unit="ms", symbols={"memory_bound": r"b_{\text{memory}}"}, memory_bound=memory)
    rows: dict[str, dict[str, Cell]] = {}
    lines: dict[str, dict[str, Cell]] = {}
    for one in _of(recording, "seconds"):
        n = int(one.at["output_len"])
        rows[f"n_{n}"] = {"output_length": n, **_ms(one)}
        lines[f"n_{n}"] = {"line": intercept + slope * n}
    units = dict.fromkeys(("median", "quartile_1", "quartile_3", "line"), "ms")
    columns = ("output_length", *units)
    yield from SAMPLES.table(label, "times", rows, units=units, columns=columns)
    yield from POLYFIT.cells(label, "times", lines)


def _line(label: str, recording: Recording, ceilings: Recording | None) -> Iterator[Found]:
    lengths, medians, slope, intercept = _fit(recording)
    worst = max(abs(median - intercept - slope * n) for n, median in zip(lengths, medians, strict=True))
    symbols = {"fixed": "a", "worst": r"\max \vert t - a - b n \vert"}
    yield from POLYFIT.values(label, unit="ms", symbols=symbols, fixed=intercept, worst=worst)
    yield from POLYFIT.values(label, fixed_is_negative=intercept < 0)
    memory = _memory_ms(recording, ceilings)
    far = memory is not None and memory < slope / 2
    yield from POLYFIT.values(label, waits=far, reads=memory is not None and not far)


def _beams(label: str, recording: Recording) -> Iterator[Found]:
    times = [_ms(one)["median"] for one in _of(recording, "seconds", do_sample=True)]
    yield from SAMPLES.values(label, time_ratio=times[-1] / times[0])
    units = {**dict.fromkeys(("median", "quartile_1", "quartile_3"), "ms"), "score": "nat"}
    for name, sampled in (("sampled", True), ("searched", False)):
        rows: dict[str, dict[str, Cell]] = {}
        for one in _of(recording, "seconds", do_sample=sampled):
            (score,) = _of(recording, "log_probability", **one.at)
            width = int(one.at["beam_width"])
            rows[f"width_{width}"] = {"width": width, **_ms(one), "score": float(np.median(score.samples))}
            if sampled:
                rows[f"width_{width}"] |= {"distinct": len(np.unique(score.samples)), "seeds": len(score.samples)}
        yield from SAMPLES.table(label, name, rows, units=units)


def _scores(label: str, recording: Recording) -> Iterator[Found]:
    drawn, searched = (
        [np.array(one.samples) for one in _of(recording, "log_probability", do_sample=sampled)] for sampled in (True, False)
    )
    best, last = float(max(one.max() for one in drawn)), float(np.median(searched[-1]))
    symbols = {"gain": r"\Delta s", "best_sampled": r"s_{\text{sampled}}", "searched_score": r"s_{\text{searched}}"}
    values = (float(np.median(drawn[-1]) - np.median(drawn[0])), best, last)
    yield from SAMPLES.values(label, dict(zip(symbols, values, strict=True)), unit="nat", symbols=symbols)
    yield from SAMPLES.values(label, draws_win=last < best)


def _kept(label: str, argument: str, recording: Recording) -> Iterator[Found | Proof]:
    texts: dict[Any, list[str]] = {}
    for output in recording.outputs:
        texts.setdefault(output.at[argument], []).append(output.text)
    rows: dict[str, dict[str, Cell]] = {}
    drift = over = 0.0
    for first in _of(recording, "first_entropy"):
        value = first.at[argument]
        (entropy,) = _of(recording, "entropy", **{argument: value})
        (kept,) = _of(recording, "first_kept_tokens", **{argument: value})
        own = float(first.samples[0])
        means: dict[str, Cell] = {"first_entropy": own, "mean_entropy": float(np.median(entropy.samples))}
        counts = {"distinct_outputs": len(dict.fromkeys(texts[value])), "outputs": len(texts[value])}
        rows[f"n_{value}"] = {"value": _exact(value), "kept": round(kept.samples[0]), **means, **counts}
        drift = max(drift, float(np.abs(np.array(entropy.samples) - own).max()))
        over = max(over, own - math.log(kept.samples[0]))
    units = {"first_entropy": "nat", "mean_entropy": "nat"}
    yield from SAMPLES.table(label, "kept", rows, units=units, headings={"value": SHOWN[label][0]})
    yield from SAMPLES.values(label, unit="nat", drift=drift)
    yield from SAMPLES.values(label, alike=drift * 1000 < 1)
    yield from BOUND.proof(f"{label}: entropy beyond the logarithm of the tokens kept", over)


def _shared(by_k: Recording, by_p: Recording) -> Iterator[Proof]:
    """Both recordings hold the pair of top-k and top-p that the other one fixes; what was kept must agree there."""
    if by_k.models != by_p.models or by_k.parameters["prompt"] != by_p.parameters["prompt"]:
        return
    for quantity in ("first_kept_tokens", "first_entropy"):
        one = _of(by_k, quantity, top_k=by_p.parameters["top_k"])
        two = _of(by_p, quantity, top_p=by_k.parameters["top_p"])
        if one and two:
            what = f"{quantity.replace('_', ' ')} in 3.3 and 3.4 where top-k and top-p are the same"
            yield from SAMPLES.proof(what, abs(one[0].samples[0] - two[0].samples[0]))


def _machine(recording: Recording) -> dict[str, dict[str, Cell]]:
    (card,) = recording.models.values()
    said = [("Device", recording.device), ("Driver", recording.driver)]
    said += [("Versions", ", ".join(map(" ".join, recording.versions.items())))]
    said += [("Model", card["label"]), ("Element type", recording.parameters["dtype"])]
    return {name.lower().replace(" ", "_"): {"what": name, "value": value} for name, value in said if value is not None}


def _runs(kind: str, made: Made) -> Iterator[Found | Proof]:
    first = next(iter(made.values()))
    cards = [card for one in made.values() for card in one.models.values()]
    yield from SHEET.part("runs", "Machine and model")
    yield from SHEET.values("runs", device=first.device, model=cards[0]["label"], trained="training" in cards[0])
    yield from SHEET.table("runs", "machine", _machine(first))
    for one in made.values():
        yield from SHEET.table("runs", "machine", _machine(one))
    for card in cards:
        yield from SHEET.values("runs", parameters=card["parameters"])
        if "training" in card:
            yield from SHEET.values("runs", unit="nat/token", held_out_loss=float(card["training"]["held_out_loss"]))
    commands: dict[str, dict[str, Cell]] = {}
    for label, one in made.items():
        options = {"device": kind, "only": f"hw3_q3_{SHOWN[label][1]}"}
        renewed = _command("generators.measuring.measure_all", options)
        commands[label] = {"part": label, "recorded": one.date, "renewed_by": renewed}
    yield from SHEET.table("runs", "commands", commands)


def _timed(kind: str, made: Made, ceilings: Recording | None) -> Iterator[Found]:
    label = f"measured_{kind}"
    yield from SHEET.part(label, OTHERS[kind])
    yield from SHEET.table(label, "machine", _machine(next(iter(made.values()))))
    yield from SHEET.values(label, lengths="3.1" in made, beams="3.2" in made)
    if "3.1" in made:
        yield from _lengths(label, made["3.1"], ceilings)
    if "3.2" in made:
        yield from _beams(label, made["3.2"])


def _devices(one: Made, other: Made) -> Iterator[Proof]:
    """What is kept at the first step does not depend on the device, up to rounding in float32."""
    for label in sorted(one.keys() & other.keys() & {"3.3", "3.4"}):
        if one[label].parameters == other[label].parameters and one[label].models == other[label].models:
            entropies = [[series.samples[0] for series in _of(of_kind[label], "first_entropy")] for of_kind in (one, other)]
            furthest = float(np.abs(np.array(entropies[0]) - np.array(entropies[1])).max())
            yield from DEVICES.proof(f"{label}: first entropies on both kinds of device", furthest)
