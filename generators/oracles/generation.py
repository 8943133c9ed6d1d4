"""Finds medians, fit, scores and counts of the generation runs again, from the raw samples with numpy."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from generators.answer import Cell
from generators.oracles.compare import close, close_rows, same, same_rows
from generators.oracles.next_token import check_next_token
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.comp4901y.hw3_q3_generation import GenerationParams
    from generators.recording import Recording, Series

NUMPY = "numpy, from the raw samples"
POLYFIT = "numpy, polyfit"
LISTED = "counting, the recorded texts"
BOUND = "bound, entropy of a flat distribution"
MS = 1000
SHOWN = {"3.1": "hw3_q3_output_len", "3.2": "hw3_q3_beam_width", "3.3": "hw3_q3_top_k", "3.4": "hw3_q3_top_p"}


def verify_generation(params: GenerationParams, answer: Answer) -> Iterator[Check]:
    """Check every part that was measured on each kind of device, and the filters themselves."""
    yield from check_next_token()
    yield from _verify_measured(params, answer)
    other = params.elsewhere
    if other:
        kind = other.device_kind
        parts = {label.removeprefix(f"{kind}_"): part for label, part in answer.parts.items() if label.startswith(f"{kind}_")}
        for check in _verify_measured(other, Answer(parts)):
            yield replace(check, what=f"{kind}: {check.what}")
        yield from _check_devices(params.recordings, other.recordings)


def _check_devices(one: Mapping[str, Recording], other: Mapping[str, Recording]) -> Iterator[Check]:
    """What is kept at the first step does not depend on the device, up to rounding in float32."""
    for name in sorted(one.keys() & other.keys() & {"hw3_q3_top_k", "hw3_q3_top_p"}):
        if one[name].parameters == other[name].parameters and one[name].models == other[name].models:
            entropies = [[series.samples[0] for series in _of(of_kind[name], "first_entropy")] for of_kind in (one, other)]
            furthest = float(np.abs(np.array(entropies[0]) - np.array(entropies[1])).max())
            yield Check(what=f"{name}: first entropies on both kinds of device", published=f"{len(entropies[0])} settings",
                        found=f"at most {furthest:.2g} nat apart", by="the other device", passed=furthest < 1e-3)  # fmt: skip


def _verify_measured(params: GenerationParams, answer: Answer) -> Iterator[Check]:
    made = params.recordings
    if "hw3_q3_output_len" in made:
        yield from _check_lengths(made["hw3_q3_output_len"], made.get("hw3_q1_products"), answer["3.1"])
    if "hw3_q3_beam_width" in made:
        yield from _check_beams(made["hw3_q3_beam_width"], answer["3.2"])
    for label, argument in (("3.3", "top_k"), ("3.4", "top_p")):
        if f"hw3_q3_{argument}" in made and label in answer.parts:
            yield from _check_kept(made[f"hw3_q3_{argument}"], argument, answer[label])
    if {"hw3_q3_top_k", "hw3_q3_top_p"} <= set(made) and {"3.3", "3.4"} <= set(answer.parts):
        yield from _check_shared(made["hw3_q3_top_k"], made["hw3_q3_top_p"], answer)
    if "runs" in answer.parts:
        yield from _check_runs(params, answer["runs"])


def _of(recording: Recording, quantity: str, **at: Any) -> list[Series]:
    return [one for one in recording.series if one.quantity == quantity and all(one.at.get(name) == at[name] for name in at)]


def _ms(series: Series) -> list[float]:
    return [float(value) * MS for value in np.percentile(series.samples, [50, 25, 75])]


def _check_lengths(recording: Recording, ceilings: Recording | None, part: Part) -> Iterator[Check]:
    found = _of(recording, "seconds")
    lengths = [int(one.at["output_len"]) for one in found]
    times = [_ms(one) for one in found]
    slope, intercept = (float(one) for one in np.polyfit(lengths, [time[0] for time in times], 1))
    line = [intercept + slope * n for n in lengths]
    rows = [(n, *time) for n, time in zip(lengths, times, strict=True)]
    published = part.tables["times"]
    yield close_rows("3.1 times", _without(published, "Line"), rows, NUMPY)
    worst_gap = max(abs(float(ours) - y) for ours, y in zip(published.column("Line"), line, strict=True))  # type: ignore[arg-type]
    yield Check(what="3.1 line at every length", published=f"{len(line)} values", by=POLYFIT, passed=worst_gap < 1e-6,
                found=f"within {1e-6:g} ms" if worst_gap < 1e-6 else f"off by {worst_gap:.3g} ms")  # fmt: skip
    yield close("3.1 cost of one more token", part["per_token"].value, slope, POLYFIT, 1e-7)
    yield close("3.1 cost that does not grow", part["fixed"].value, intercept, POLYFIT, 1e-7)
    residual = float(np.abs(np.array([time[0] for time in times]) - line).max())
    yield close("3.1 largest distance from the line", part["worst"].value, residual, POLYFIT, 1e-7)
    yield close("3.1 tokens a second", part["rate"].value, MS / slope, POLYFIT, 1e-7)
    if ceilings:
        copy = _of(ceilings, "seconds", ceiling="copy")[0]
        bandwidth = copy.at["bytes"] / float(np.median(copy.samples))  # type: ignore[operator]
        width = {"float32": 32, "bfloat16": 16, "float16": 16}[recording.parameters["dtype"]] // 8
        (card,) = recording.models.values()
        yield close(
            "3.1 reading the weights once", part["memory_bound"].value, MS * card["parameters"] * width / bandwidth, NUMPY
        )
    yield from _check_outputs(recording, "output_len", part, recording.outputs)


def _without(table: Table, name: str) -> Table:
    dropped = table.header.index(name)

    def kept(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return row[:dropped] + row[dropped + 1 :]

    return Table(header=kept(table.header), rows=tuple(kept(row) for row in table.rows))


def _check_beams(recording: Recording, part: Part) -> Iterator[Check]:
    scores: dict[bool, list[float]] = {}
    times: list[float] = []
    for name, sampled in (("sampled", True), ("searched", False)):
        rows = []
        for series in _of(recording, "seconds", do_sample=sampled):
            (score,) = _of(recording, "log_probability", **series.at)
            values = np.array(score.samples)
            rows.append((series.at["beam_width"], *_ms(series), float(np.median(values)), len(np.unique(values)), len(values)))
            times += _ms(series)[:1] if sampled else []
        scores[sampled] = [float(row[4]) for row in rows]
        yield close_rows(f"3.2 times and scores, {name}", part.tables[name], rows, NUMPY)
    yield close("3.2 widest over narrowest", part["time_ratio"].value, times[-1] / times[0], NUMPY)
    yield close("3.2 gain of the widest", part["gain"].value, scores[True][-1] - scores[True][0], NUMPY)
    best = max(max(one.samples) for one in _of(recording, "log_probability", do_sample=True))
    yield close("3.2 best sampled score", part["best_sampled"].value, best, NUMPY)
    yield close("3.2 searched score", part["searched"].value, scores[False][-1], NUMPY)
    drawn = [output for output in recording.outputs if output.at["do_sample"]]
    yield from _check_outputs(recording, "beam_width", part, drawn)


def _check_kept(recording: Recording, argument: str, part: Part) -> Iterator[Check]:
    label = {"top_k": "3.3", "top_p": "3.4"}[argument]
    texts: dict[Any, list[str]] = {}
    for output in recording.outputs:
        texts.setdefault(output.at[argument], []).append(output.text)
    rows, drift = [], 0.0
    for first in _of(recording, "first_entropy"):
        setting = first.at[argument]
        (entropy,) = _of(recording, "entropy", **{argument: setting})
        (kept,) = _of(recording, "first_kept_tokens", **{argument: setting})
        drawn = texts[setting]
        rows.append((_exact(setting), round(kept.samples[0]), float(first.samples[0]), float(np.median(entropy.samples)),
                     len(dict.fromkeys(drawn)), len(drawn)))  # fmt: skip
        drift = max(drift, float(np.abs(np.array(entropy.samples) - first.samples[0]).max()))
    yield close_rows(f"{label} kept tokens, entropies and outputs", part.tables["kept"], rows, NUMPY)
    yield close(f"{label} distance of mean entropies from the first step's", part["drift"].value, drift, NUMPY)
    over = [row for row in part.tables["kept"].rows if float(row[2]) > math.log(int(row[1])) + 1e-6]  # type: ignore[arg-type]
    yield same(f"{label} settings whose entropy exceeds the logarithm of the tokens kept", len(over), 0, BOUND)
    firsts = [next(output for output in recording.outputs if output.at[argument] == setting) for setting in texts]
    yield from _check_outputs(recording, argument, part, firsts)


def _exact(setting: Any) -> Cell:
    """A top-k as it is, a top-p as the decimal that was typed."""
    return setting if isinstance(setting, int) else Fraction(round(setting * 10**6), 10**6)


def _check_shared(by_k: Recording, by_p: Recording, answer: Answer) -> Iterator[Check]:
    """Both recordings hold the pair of top-k and top-p that the other one fixes; what was kept must agree there."""
    k, p = by_p.parameters["top_k"], by_k.parameters["top_p"]
    one = [row[1:3] for row in answer["3.3"].tables["kept"].rows if row[0] == k]
    two = [row[1:3] for row in answer["3.4"].tables["kept"].rows if row[0] == _exact(p)]
    if one and two and by_k.models == by_p.models and by_k.parameters["prompt"] == by_p.parameters["prompt"]:
        what = f"tokens kept and entropy at top_k = {k}, top_p = {p} in 3.3 and 3.4"
        yield close_rows(what, Table(header=("Kept", "Entropy"), rows=tuple(one)), two, "the other recording")


def _check_outputs(recording: Recording, argument: str, part: Part, outputs: Any) -> Iterator[Check]:
    """The texts as literals that read back as they were, and a command that holds every setting of the recording."""
    rows = [(_exact(output.at[argument]), ascii(output.text)) for output in outputs]
    yield same_rows(f"{argument}: generated texts", part.tables["outputs"], rows, LISTED)
    words = shlex.split(str(part.tables["launch"].rows[0][0]))
    given = list(zip_longest(words[3::2], words[4::2], fillvalue="no value"))
    taken = {f"--{name}": str(value) for name, value in recording.parameters.items()}
    needed = {"--hf_model_name": taken["--model"], "--prompt_seq": taken["--prompt"], "--seed": taken["--seed"],
              "--dtype": taken["--dtype"], "--device": recording.device_kind, f"--{argument}": "N"}  # fmt: skip
    names = ("--output_len", "--beam_width", "--top_k", "--top_p")
    needed |= {name: taken[name] for name in names if name in taken}
    yield same(
        f"{argument}: options of the launch",
        " ".join([*words[:3], str(sorted(given))]),
        " ".join(["python -m generators.measuring.hw3_generate", str(sorted(needed.items()))]),
        "shlex, the words read back",
    )


def _check_runs(params: GenerationParams, part: Part) -> Iterator[Check]:
    shown = [recording for what, recording in params.recordings.items() if what.startswith("hw3_q3_")]
    cards = [card for recording in shown for card in recording.models.values()]
    yield same(
        "parameters of every run's model",
        str({card["parameters"] for card in cards}),
        str({part["parameters"].value}),
        "model card",
    )
    if "held_out_loss" in part.steps:
        losses = {float(card["training"]["held_out_loss"]) for card in cards}
        yield same("held-out loss of every run's model", str({part["held_out_loss"].value}), str(losses), "model card")
    machine = [
        ("Device", shown[0].device),
        ("Driver", shown[0].driver),
        ("Versions", ", ".join(" ".join(pair) for pair in shown[0].versions.items())),
        ("Model", next(iter(shown[0].models.values()))["label"]),
        ("Element type", shown[0].parameters["dtype"]),
    ]
    yield same_rows("machine and model of the runs", part.tables["machine"], machine, "recordings")
    made = {label: params.recordings[what] for label, what in SHOWN.items() if what in params.recordings}
    commands = [(label, one.date, one.command) for label, one in made.items()]
    yield same_rows("commands of the runs", part.tables["commands"], commands, "recordings")
    yield same("devices of all runs", str({recording.device for recording in params.recordings.values()}),
               str({part.tables["machine"].rows[0][1]}), "recordings")  # fmt: skip
