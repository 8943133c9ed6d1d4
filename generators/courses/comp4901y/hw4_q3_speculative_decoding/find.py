"""Finds every number of the timed speculative decoding again from the raw samples, and decodes with small models.

From the sheet: the two times of its program, standard and with the assistant model, for its prompt. The program leaves the
number of drafted tokens to the library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from generators.cells import Cell
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.samples import (
    LAUNCHES,
    Samples,
    four_digits,
    ratio,
    series,
    shown,
    tokens_a_call,
)
from generators.found import Found, Proof, Route
from generators.recording import Recording

SHEET = Route("the sheet, the entry and the recording, read again", restates=True)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)
CARDS = Route("the models' cards, read again", tolerance=1e-12, restates=True)
SHARES = Route("the models' cards, divided", tolerance=1e-12)
SERIES = Route("sum of powers of α", tolerance=1e-12)
RUN = Route("torch, small models in float32, whole passes without a cache")
DRAWN = Route("numpy, sampled rounds, in standard errors", tolerance=4)
CASES = ((Fraction(1, 3), 3, Fraction(1, 5)), (Fraction(1, 2), 2, Fraction(1, 4)), (Fraction(4, 7), 5, Fraction(2, 9)))
TITLES = {"cuda": "On a GPU", "cpu": "On a processor"}
HEADINGS = {"gamma": "γ"}


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
    tokens, gains = [], []
    for rate, length, cost in CASES:
        world = {"alpha": rate, "gamma": length, "c": cost}
        kept = series(rate, length)
        tokens.append(({name: world[name] for name in ("alpha", "gamma")}, kept))
        gains.append((world, kept / (1 + sum((cost for _ in range(length)), Fraction(0)))))
    yield from SERIES.worlds("expected/tokens", tokens)
    yield from SERIES.worlds("expected/gain", gains)
    ratios = [({"T_draft": draft, "T_single": single}, Fraction(draft, single)) for draft, single in ((2, 5), (3, 7))]
    yield from SERIES.worlds("expected/cost_ratio", ratios)
    for key, symbol in (("tokens", "E"), ("gain", "S"), ("cost_ratio", "c")):
        yield Found(f"expected/{key}@symbol", symbol, SHEET)


def _times(label: str, prompt: str, samples: Samples) -> Iterator[Found]:
    recording = samples.recording
    standard, speculative = (samples.ms("eager", prompt, length) or 0.0 for length in (None, 0))
    symbols = {name: rf"T_{{\text{{{name}}}}}" for name in ("standard", "speculative")}
    yield from SAMPLES.values(label, unit="ms", symbols=symbols, standard=standard, speculative=speculative)
    yield from SAMPLES.values(label, sheets_gain=ratio(standard, speculative), slower=standard < speculative)
    yield from SHEET.values(label, device=recording.device)
    yield from SHEET.table(label, "machine", _machine(recording))
    models = {role: {"role": role, **_model(samples.card(role))} for role in ("target", "assistant")}
    yield from CARDS.table(
        label, "models", models, units={"held_out_loss": "nat/token"}, headings={"held_out_loss": "Held-out loss"}
    )
    lengths = {"standard": None, "library_rule": 0, **{f"gamma_{length}": length for length in samples.lengths}}
    rows: dict[str, dict[str, Cell]] = {}
    for key, (_, name) in LAUNCHES.items():
        for number, one in enumerate(samples.prompts, 1):
            if samples.seconds(key, one, None) is not None:
                medians = {column: samples.ms(key, one, length) for column, length in lengths.items()}
                spread = samples.spread(key, one)
                rows[f"{key}.prompt_{number}"] = {"prompt": one, "launch": name, **medians, "spread": spread}
    headings = {"library_rule": "Library's rule", **{f"gamma_{length}": f"γ = {length}" for length in samples.lengths}}
    yield from SAMPLES.table(label, "times", rows, units={**dict.fromkeys(lengths, "ms"), "spread": "%"}, headings=headings)
    steady: dict[str, dict[str, Cell]] = {}
    for key in samples.launches:
        found = sorted(samples.ms(key, one, None) or 0.0 for one in samples.prompts)
        steady[key] = {"launch": LAUNCHES[key][1], "fastest_prompt": found[0], "slowest_prompt": found[-1]}
    yield from SAMPLES.table(label, "steadiness", steady, units={"fastest_prompt": "ms", "slowest_prompt": "ms"})


def _machine(recording: Recording) -> dict[str, dict[str, Cell]]:
    made = recording.parameters
    said = [("Device", recording.device)]
    if recording.driver is not None:
        said.append(("Driver", recording.driver))
    said += [
        ("Versions", ", ".join(map(" ".join, recording.versions.items()))),
        ("Date", recording.date),
        ("Runs", "{dtype}, greedy, {max_new_tokens} new tokens, {repeats} timed runs a setting after a warm-up".format(**made)),
    ]
    return {name.lower(): {"what": name, "measured_on": value} for name, value in said}


def _model(card: Mapping[str, Any]) -> dict[str, Cell]:
    return {
        "model": card["label"],
        "layers": card["layers"],
        "width": card["hidden_size"],
        "weights": card["parameters"],
        "held_out_loss": card["training"]["held_out_loss"],
    }


def _best(samples: Samples) -> tuple[str, int]:
    """The last launch, and the draft length of its largest gain."""
    last = samples.launches[-1]
    gains = {length: samples.gain(last, length) for length in samples.lengths}
    return last, next(length for length, gain in gains.items() if gain == max(gains.values()))


def _gains(label: str, samples: Samples) -> Iterator[Found]:
    rows = {f"{key}.{length}": _gain(samples, key, length) for key in samples.launches for length in samples.lengths}
    units = dict.fromkeys(("drafted_token", "single_token", "check"), "ms")
    yield from SAMPLES.table(label, "gains", rows, units=units, headings={**HEADINGS, "cost_ratio": "c"})
    last, best = _best(samples)
    row = rows[f"{last}.{best}"]
    yield from SHEET.values(label, last_launch=LAUNCHES[last][1])
    symbols = {"best": r"\gamma", "measured_gain": r"S_{\text{measured}}", "rate": r"\alpha", "cost_ratio": "c", "gain": "S"}
    values = (best, row["measured"], samples.rate(last, best), row["cost_ratio"], row["formula"])
    yield from SAMPLES.values(label, dict(zip(symbols, values, strict=True)), symbols=symbols)
    compared = [one for one in samples.recording.series if one.quantity == "agreeing_tokens"]
    same = [one for one in compared if set(one.samples) == {one.at["of"]}]
    yield from SAMPLES.values(label, same=len(same), compared=len(compared), steps_timed=row["check"] is not None)
    if row["check"] is not None:
        yield from SAMPLES.values(label, unit="ms", single_token=row["single_token"], check=row["check"])
        yield from SAMPLES.values(label, step_gain=row["step_times"])


def _gain(samples: Samples, key: str, length: int) -> dict[str, Cell]:
    draft, single, check = samples.costs(key, length)
    cost = ratio(draft, single)
    return {
        "launch": LAUNCHES[key][1],
        "gamma": length,
        "drafted_token": draft,
        "single_token": single,
        "check": check,
        "cost_ratio": cost,
        "formula": _in_time(samples.rate(key, length), length, cost),
        "step_times": samples.step_gain(key, length),
        "measured": samples.gain(key, length),
    }


def _in_time(rate: float, length: int, cost: float) -> float:
    return four_digits(series(rate, length) / (1 + length * shown(cost)))


def _explained(kind: str, samples: Samples) -> Iterator[Found | Proof]:
    last, best = _best(samples)
    draft, single, _ = samples.costs(last, best)
    rate, cost = samples.rate(last, best), ratio(draft, single)
    yield from _acceptance(last, samples)
    yield from SERIES.values("3", tokens=four_digits(series(rate, best)), symbols={"tokens": "E"})
    target, small = samples.card("target"), samples.card("assistant")
    by_weights = four_digits(small["parameters"] / target["parameters"])
    yield from SHARES.values("3", by_layers=four_digits(small["layers"] / target["layers"]), by_weights=by_weights)
    yield from SAMPLES.values("3", costs_more_than_weights=by_weights < cost, on_a_gpu=kind == "cuda")
    if by_weights < cost:
        yield from SERIES.values("3", gain_by_weights=_in_time(rate, best, by_weights))
    if kind == "cuda":
        element = {"float32": 4, "bfloat16": 2, "float16": 2}[samples.recording.parameters["dtype"]]
        read = four_digits(target["parameters"] * element / (single / 1000) / 1e9)
        yield from SAMPLES.values("3", unit="GB/s", read_rate=read)
    yield from SAMPLES.values("3", compiled=samples.of("seconds", "compiled") is not None, graphs=last == "graph")
    also_eager = last == "graph" and "fixed_cache" in samples.launches
    yield from SAMPLES.values("3", also_eager=also_eager)
    if also_eager:
        yield from _eager(samples, best)


def _eager(samples: Samples, best: int) -> Iterator[Found]:
    draft, single, _ = samples.costs("fixed_cache", best)
    faster = four_digits(samples.total_ms(samples.launches[0], None) / samples.total_ms("graph", None))
    helps = faster > 1
    yield from SAMPLES.values("3", eager_cost_ratio=ratio(draft, single), graphs_help=helps)
    yield from SAMPLES.values("3", graphs_help_more=helps and samples.gain("graph", best) < faster)
    if helps:
        yield from SAMPLES.values("3", unit="ms", eager_single_token=single)
        yield from SAMPLES.values("3", launch_gain=faster)


def _acceptance(last: str, samples: Samples) -> Iterator[Found | Proof]:
    """Calls, drafts and acceptance; what a call is expected to give, also from rounds simulated at its rate."""
    from generators.courses.comp4901y.hw4_q3_speculative_decoding.small_models import simulated_tokens

    groups = {f"prompt_{number}": (prompt, [prompt]) for number, prompt in enumerate(samples.prompts, 1)}
    rows: dict[str, dict[str, Cell]] = {}
    furthest = 0.0
    for key, (name, prompts) in {**groups, "all": ("all prompts", samples.prompts)}.items():
        for length in samples.lengths:
            drafted, accepted = samples.rounds(last, prompts, length)
            rejected = int(np.count_nonzero(accepted != drafted))
            rate = four_digits(Fraction(int(accepted.sum()), int(accepted.sum()) + rejected))
            expected = series(rate, length)
            counts = {"calls": len(drafted), "drafted": int(drafted.sum()), "accepted": int(accepted.sum()), "rejected": rejected}
            means = {"alpha": rate, "tokens_a_call": tokens_a_call(accepted), "expected": four_digits(expected)}
            rows[f"{key}.{length}"] = {"prompt": name, "gamma": length, **counts, **means}
            mean, error = simulated_tokens(rate, length)
            furthest = max(furthest, abs(mean - float(expected)) / (error or 1e-9))
    yield from SAMPLES.table("3", "acceptance", rows, headings={**HEADINGS, "alpha": "α"})
    yield from DRAWN.proof("expected tokens a call, simulated with one rate for all drafted tokens", furthest)
