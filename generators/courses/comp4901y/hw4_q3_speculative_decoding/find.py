"""Finds every number of the timed speculative decoding again from the raw samples, and decodes with small models.

From the sheet: the two times of its program, standard and with the assistant model, for its prompt. The program leaves the
number of drafted tokens to the library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from generators.cells import Cell
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.samples import LAUNCHES, Samples, four_digits, ratio, series, shown
from generators.found import Found, Proof, Route
from generators.oracles.recorded import machine_rows

SHEET = Route("the sheet, the entry and the recording, read again", restates=True)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
CARDS = Route("the models' cards, read again", tolerance=1e-12, restates=True)
SHARES = Route("the models' cards, divided", tolerance=1e-12)
SERIES = Route("sum of powers of α", tolerance=1e-12)
CLOCK = Route("every recorded call on a clock, nothing rounded", tolerance=2e-3)
RUN = Route("generate, small models in float32, whole passes without a cache")
DRAWN = Route("numpy, sampled rounds, in standard errors", tolerance=4)
CASES = ((Fraction(1, 3), 3, Fraction(1, 5)), (Fraction(1, 2), 2, Fraction(1, 4)), (Fraction(4, 7), 5, Fraction(2, 9)))
TITLES = {"cuda": "On a GPU", "cpu": "On a processor"}

Keyed = Iterator[tuple[str, Sequence[Cell]]]


def find(params: SpeculativeParams) -> Iterator[Found | Proof]:
    """Everything that is published of each kind of device, and that decoding with a draft changes no token."""
    from generators.courses.comp4901y.hw4_q3_speculative_decoding import small_models

    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", prompt=params.prompt)
    yield from _expected()
    yield from RUN.proof("tokens of greedy speculative decoding that greedy decoding does not give", small_models.unlike_greedy())
    yield from DRAWN.proof("first two tokens of sampled speculative decoding", small_models.distance_of_samples())
    for place, (kind, recordings) in enumerate(params.measured.items()):
        samples = Samples(recordings["hw4_q3_speculative"])
        label = f"measured_{kind}" if place else "3"
        yield from SHEET.part(label, TITLES[kind] if place else "Standard and speculative decoding")
        yield from _times(label, params.prompt, samples)
        yield from _gains(label, samples)
        if not place:
            yield from _explained(kind, samples)


def _expected() -> Iterator[Found]:
    """A drafted token counts where all before it are kept; γ of them and a check take the time of γ·c + 1 calls."""
    yield from SHEET.part("expected", "What is expected")
    for rate, length, cost in CASES:
        world, kept = {"alpha": rate, "gamma": length}, series(rate, length)
        yield from SERIES.worlds("expected/tokens", [(world, kept)])
        yield from SERIES.worlds("expected/gain", [({**world, "c": cost}, kept / (1 + sum([cost] * length)))])
    ratios = [({"T_draft": draft, "T_single": single}, Fraction(draft, single)) for draft, single in ((2, 5), (3, 7))]
    yield from SERIES.worlds("expected/cost_ratio", ratios)
    for key, symbol in (("tokens", "E"), ("gain", "S"), ("cost_ratio", "c")):
        yield Found(f"expected/{key}@symbol", symbol, SHEET)


def _times(label: str, prompt: str, samples: Samples) -> Iterator[Found]:
    recording, own = samples.recording, samples.prompts.index(prompt)
    standard, speculative = (samples.ms("eager", length)[own] for length in (None, 0))
    symbols = {name: rf"T_{{\text{{{name}}}}}" for name in ("standard", "speculative")}
    yield from SAMPLES.values(label, unit="ms", symbols=symbols, standard=standard, speculative=speculative)
    yield from SAMPLES.values(label, sheets_gain=ratio(standard, speculative), slower=standard < speculative)
    yield from SHEET.values(label, device=recording.device)
    runs = "{dtype}, greedy, {max_new_tokens} new tokens, {repeats} timed runs a setting after a warm-up"
    machine = machine_rows(recording, ("Date", recording.date), ("Runs", runs.format(**recording.parameters)))
    yield from SHEET.table(label, "machine", machine, columns=("what", "measured_on"))
    cards = {role: samples.card(role) for role in ("target", "assistant")}
    models: dict[str, Sequence[Cell]] = {
        role: (role, one["label"], one["layers"], one["hidden_size"], one["parameters"], one["training"]["held_out_loss"])
        for role, one in cards.items()
    }
    columns = ("role", "model", "layers", "width", "weights", "held_out_loss")
    loss = {"units": {"held_out_loss": "nat/token"}, "headings": {"held_out_loss": "Held-out loss"}}
    yield from CARDS.table(label, "models", models, columns=columns, **loss)
    yield from _medians(label, samples)
    steady = {key: (LAUNCHES[key][1], min(samples.ms(key, None)), max(samples.ms(key, None))) for key in samples.launches}
    units = dict.fromkeys(("fastest_prompt", "slowest_prompt"), "ms")
    yield from SAMPLES.table(label, "steadiness", steady, units=units, columns=("launch", *units))


def _medians(label: str, samples: Samples) -> Iterator[Found]:
    lengths = {"standard": None, "library_rule": 0, **{f"gamma_{length}": length for length in samples.lengths}}

    def rows() -> Keyed:
        for key, (_, name) in LAUNCHES.items():
            medians = [samples.ms(key, length) for length in lengths.values()]
            for number, (prompt, *cells) in enumerate(zip(samples.prompts, *medians, strict=True), 1):
                timed = [one for length in lengths.values() if (one := samples.seconds(key, prompt, length)) is not None]
                if cells[0] is not None:
                    quartiles = (np.percentile(one, (25, 50, 75)) for one in timed)
                    spread = max(four_digits((high - low) / middle * 100) for low, middle, high in quartiles)
                    yield f"{key}.prompt_{number}", (prompt, name, *cells, spread)

    headings = {"library_rule": "Library's rule", **{f"gamma_{length}": f"γ = {length}" for length in samples.lengths}}
    units = {**dict.fromkeys(lengths, "ms"), "spread": "%"}
    yield from SAMPLES.table(label, "times", rows(), units=units, headings=headings, columns=("prompt", "launch", *units))


def _best(samples: Samples) -> tuple[str, int]:
    """The last launch, and the draft length of its largest gain."""
    last = samples.launches[-1]
    gains = [samples.speedup(last, length) for length in samples.lengths]
    return last, samples.lengths[int(np.argmax(gains))]


def _gains(label: str, samples: Samples) -> Iterator[Found]:
    rows = {f"{key}.{length}": _gain(samples, key, length) for key in samples.launches for length in samples.lengths}
    units = dict.fromkeys(("drafted_token", "single_token", "check"), "ms")
    yield from SAMPLES.table(label, "gains", rows, units=units, headings={"gamma": "γ", "cost_ratio": "c"})
    for key, length in product(samples.launches, samples.lengths):
        yield from CLOCK.cells(label, "gains", {f"{key}.{length}": _on_a_clock(samples, key, length)})
    last, best = _best(samples)
    row = rows[f"{last}.{best}"]
    yield from SHEET.values(label, last_launch=LAUNCHES[last][1])
    symbols = {"best": r"\gamma", "measured_gain": r"S_{\text{measured}}", "rate": r"\alpha", "cost_ratio": "c", "gain": "S"}
    values = (best, row["measured"], samples.rate(last, best, samples.prompts), row["cost_ratio"], row["formula"])
    yield from SAMPLES.values(label, dict(zip(symbols, values, strict=True)), symbols=symbols)
    compared = list(samples.recording.find("agreeing_tokens"))
    same = [one for one in compared if set(one.samples) == {one.at["of"]}]
    yield from SAMPLES.values(label, same=len(same), compared=len(compared), steps_timed=row["check"] is not None)
    if row["check"] is not None:
        yield from SAMPLES.values(label, unit="ms", single_token=row["single_token"], check=row["check"])
        yield from SAMPLES.values(label, step_gain=row["step_times"])


def _gain(samples: Samples, key: str, length: int) -> dict[str, Any]:
    """What a reader finds who computes with the rounded numbers of the page."""
    propose, alone, checked = samples.steps(key, length)
    draft, single, check = four_digits(propose / length), four_digits(alone), checked and four_digits(checked)
    cost = ratio(draft, single)
    accepted = samples.rounds(key, length, samples.prompts)[1]
    step_times = check and four_digits(_tokens(accepted) * shown(single) / (length * shown(draft) + shown(check)))
    return {
        "launch": LAUNCHES[key][1], "gamma": length, "drafted_token": draft, "single_token": single, "check": check,
        "cost_ratio": cost, "formula": _in_time(samples.rate(key, length, samples.prompts), length, cost),
        "step_times": step_times, "measured": samples.speedup(key, length),
    }  # fmt: skip


def _tokens(accepted: np.ndarray) -> Fraction:
    """The mean over calls of their accepted tokens and one more, as a page shows it."""
    return shown(four_digits(Fraction(int((accepted + 1).sum()), len(accepted))))


def _in_time(rate: float, length: int, cost: float) -> float:
    return four_digits(series(rate, length) / (1 + length * shown(cost)))


def _on_a_clock(samples: Samples, key: str, length: int) -> dict[str, Cell]:
    """The time in which the same tokens come one by one, over that of the recorded calls, or of calls as they are expected."""
    propose, single, check = samples.steps(key, length)
    drafted, accepted = samples.rounds(key, length, samples.prompts)
    kept = np.cumprod(np.full(length, accepted.sum() / np.minimum(accepted + 1, drafted).sum())).sum()
    found: dict[str, Cell] = {"formula": float((1 + kept) * single / (propose + single))}
    if check is not None:
        found["step_times"] = float(sum(single * (one + 1) for one in accepted) / sum(propose + check for _ in accepted))
    return found


def _explained(kind: str, samples: Samples) -> Iterator[Found]:
    last, best = _best(samples)
    gain, rate = _gain(samples, last, best), samples.rate(last, best, samples.prompts)
    yield from _acceptance(last, samples)
    yield from SERIES.values("3", tokens=four_digits(series(rate, best)), symbols={"tokens": "E"})
    target, small = samples.card("target"), samples.card("assistant")
    by_weights = four_digits(small["parameters"] / target["parameters"])
    yield from SHARES.values("3", by_layers=four_digits(small["layers"] / target["layers"]), by_weights=by_weights)
    dear = by_weights < gain["cost_ratio"]
    yield from SAMPLES.values("3", costs_more_than_weights=dear, on_a_gpu=kind == "cuda")
    if dear:
        yield from SERIES.values("3", gain_by_weights=_in_time(rate, best, by_weights))
    if kind == "cuda":
        import torch

        element = getattr(torch, samples.recording.parameters["dtype"]).itemsize
        read = four_digits(target["parameters"] * element / (gain["single_token"] / 1000) / 1e9)
        yield from SAMPLES.values("3", unit="GB/s", read_rate=read)
    also_eager = last == "graph" and "fixed_cache" in samples.launches
    yield from SAMPLES.values("3", compiled=samples.of("seconds", "compiled") is not None, graphs=last == "graph")
    yield from SAMPLES.values("3", also_eager=also_eager)
    if also_eager:
        eager, faster = _gain(samples, "fixed_cache", best), samples.speedup("graph", None, base=samples.launches[0])
        yield from SAMPLES.values("3", eager_cost_ratio=eager["cost_ratio"], graphs_help=faster > 1)
        yield from SAMPLES.values("3", graphs_help_more=faster > 1 and samples.speedup("graph", best) < faster)
        if faster > 1:
            yield from SAMPLES.values("3", unit="ms", eager_single_token=eager["single_token"])
            yield from SAMPLES.values("3", launch_gain=faster)


def _acceptance(last: str, samples: Samples) -> Iterator[Found]:
    """Calls, drafts and acceptance; what a call is expected to give."""

    def rows() -> Keyed:
        groups = {f"prompt_{number}": (prompt, [prompt]) for number, prompt in enumerate(samples.prompts, 1)}
        for key, (name, prompts) in {**groups, "all": ("all prompts", samples.prompts)}.items():
            for length in samples.lengths:
                drafted, accepted = samples.rounds(last, length, prompts)
                counts = (len(drafted), int(drafted.sum()), int(accepted.sum()), int(np.count_nonzero(accepted != drafted)))
                rate = samples.rate(last, length, prompts)
                means = (rate, float(_tokens(accepted)), four_digits(series(rate, length)))
                yield f"{key}.{length}", (name, length, *counts, *means)

    columns = ("prompt", "gamma", "calls", "drafted", "accepted", "rejected", "alpha", "tokens_a_call", "expected")
    yield from SAMPLES.table("3", "acceptance", rows(), headings={"gamma": "γ", "alpha": "α"}, columns=columns)
