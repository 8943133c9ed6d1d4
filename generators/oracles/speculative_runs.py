"""Finds every number of the timed speculative decoding again from the raw samples, with numpy and decimals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Context
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from generators.answer import Cell
from generators.oracles.compare import Formula, at_sizes, same, same_letters, same_rows, text
from generators.oracles.speculative_models import STANDARD_ERRORS, check_greedy, check_sampling, simulated_tokens
from generators.recording import Recording
from generators.steps import Answer, Check, Part

BY_NUMPY = f"numpy {np.__version__}, from the raw samples"
BY_SERIES = "sum of powers of α"
NAMES = {
    "eager": "transformers",
    "eager, fixed cache": "fixed cache",
    "graph, fixed cache": "fixed cache, graph",
    "compiled": "transformers, compiled",
}


def four_digits(number: float) -> float:
    """The nearest decimal number of four digits."""
    return float(Context(prec=4).create_decimal(repr(float(number))))


class Samples:
    """Raw samples found by scanning a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.prompts = recording.parameters["prompts"]
        self.lengths = recording.parameters["draft_lens"]

    @cache  # noqa: B019 - lives as long as one verification
    def of(self, quantity: str, by: str, **at: Any) -> Any:
        """All samples of the first series at this setting, or nothing."""
        wanted = {"by": by, **at}
        for series in self.recording.series:
            if series.quantity == quantity and all(series.at.get(name) == value for name, value in wanted.items()):
                return np.array(series.samples)
        return None

    def seconds(self, by: str, prompt: str, length: int | None) -> Any:
        """Seconds of standard (None) or speculative decoding."""
        if length is None:
            return self.of("seconds", by, prompt=prompt, mode="standard")
        return self.of("seconds", by, prompt=prompt, mode="speculative", draft_len=length)

    def ms(self, by: str, prompt: str, length: int | None) -> float | None:
        """Median in milliseconds."""
        found = self.seconds(by, prompt, length)
        return None if found is None else four_digits(np.median(found) * 1000)

    def rounds(self, by: str, prompts: list[str], length: int) -> tuple[Any, Any]:
        """Drafted and accepted tokens of all calls."""
        ats = [{"prompt": prompt, "draft_len": length} for prompt in prompts]
        drafted, accepted = ([self.of(name, by, **at) for at in ats] for name in ("drafted", "accepted"))
        return np.concatenate(drafted), np.concatenate(accepted)


def verify_decoding(prompt: str, recordings: Mapping[str, Recording], answer: Answer) -> Iterator[Check]:
    """Run speculative decoding itself, then recompute the tables and steps of every part from its recording's samples."""
    yield check_greedy()
    yield check_sampling()
    for label, part in answer.parts.items():
        if label in recordings:
            for check in _verify_part(prompt, recordings[label], part):
                yield check if label == "3" else replace(check, what=f"{recordings[label].device_kind}: {check.what}")
        else:
            yield same("3, numbers published without a recording", len(part.steps) + len(part.tables), 0, "counted")


def _verify_part(prompt: str, recording: Recording, part: Part) -> Iterator[Check]:
    samples = Samples(recording)
    yield same_rows("3, median times and spreads", part.tables["times"], _times(samples, part), BY_NUMPY)
    yield same_rows("3, fastest and slowest prompt", part.tables["steadiness"], _steadiness(samples, part), BY_NUMPY)
    yield same_rows("3, calls, acceptance and expected tokens", part.tables["acceptance"], _acceptance(samples, part), BY_NUMPY)
    yield same_rows("3, step times, cost ratios and gains", part.tables["gains"], _gains(samples, part), BY_NUMPY)
    yield same_rows("3, machine and runs", part.tables["machine"], _machine(recording), "the recording")
    yield same_rows("3, models", part.tables["models"], _models(recording), "the models' cards")
    yield from _check_steps(prompt, samples, part)
    yield from _check_formulas(part)
    yield from _check_simulation(part)


def _times(samples: Samples, part: Part) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for name, by in NAMES.items():
        for prompt in samples.prompts:
            if samples.seconds(by, prompt, None) is not None:
                settings = (None, 0, *samples.lengths)
                spreads = [_spread(found) for one in settings if (found := samples.seconds(by, prompt, one)) is not None]
                rows.append((prompt, name, *(samples.ms(by, prompt, one) for one in settings), max(spreads)))
    return rows


def _spread(found: Any) -> float:
    low, middle, high = np.percentile(found, (25, 50, 75))
    return four_digits((high - low) / middle * 100)


def _launches(samples: Samples) -> list[tuple[str, str]]:
    first = samples.prompts[0]
    return [(name, by) for name, by in NAMES.items() if samples.of("seconds", by, prompt=first, mode="speculative") is not None]


def _steadiness(samples: Samples, part: Part) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for name, by in _launches(samples):
        medians = sorted(samples.ms(by, prompt, None) or 0.0 for prompt in samples.prompts)
        rows.append((name, medians[0], medians[-1]))
    return rows


def _acceptance(samples: Samples, part: Part) -> list[tuple[Cell, ...]]:
    by = _launches(samples)[-1][1]
    groups = [(prompt, [prompt]) for prompt in samples.prompts] + [("all prompts", samples.prompts)]
    rows: list[tuple[Cell, ...]] = []
    for name, prompts in groups:
        for length in samples.lengths:
            drafted, accepted = samples.rounds(by, prompts, length)
            rejected = np.count_nonzero(accepted != drafted)
            rate = four_digits(accepted.sum() / (accepted.sum() + rejected))
            counts = (len(drafted), int(drafted.sum()), int(accepted.sum()), int(rejected))
            rows.append((name, length, *counts, rate, four_digits((accepted + 1).mean()), four_digits(_series(rate, length))))
    return rows


def _series(rate: float, n_drafted: int) -> float:
    """1 + α + α² ...: a call's tokens, as the k-th draft counts only where all before it were kept."""
    return float(sum(Fraction(str(rate)) ** power for power in range(n_drafted + 1)))


def _gains(samples: Samples, part: Part) -> list[tuple[Cell, ...]]:
    return [_gain_row(samples, name, by, length) for name, by in _launches(samples) for length in samples.lengths]


def _gain_row(samples: Samples, name: str, by: str, length: int) -> tuple[Cell, ...]:
    draft, single, check = _costs(samples, by, length)
    cost = four_digits(draft / single)
    drafted, accepted = samples.rounds(by, samples.prompts, length)
    looked_at = np.minimum(accepted + 1, drafted).sum()
    formula = _series(four_digits(accepted.sum() / looked_at), length) / (1 + length * cost)
    by_steps = None
    if check is not None:
        by_steps = four_digits(four_digits((accepted + 1).mean()) * single / (length * draft + check))
    standard, speculative = (sum(samples.ms(by, prompt, one) or 0.0 for prompt in samples.prompts) for one in (None, length))
    return name, length, draft, single, check, cost, four_digits(formula), by_steps, four_digits(standard / speculative)


def _costs(samples: Samples, by: str, length: int) -> tuple[float, float, float | None]:
    propose, single, check = (
        samples.of("step_seconds", by, step=step, draft_len=length) for step in ("propose", "single token", "check")
    )
    if propose is not None:
        medians = np.median(propose) / length, np.median(single), np.median(check)
        first, second, third = (four_digits(1000 * one) for one in medians)
        return first, second, third
    tokens = len(samples.prompts) * samples.recording.parameters["max_new_tokens"]
    alone, standard = (
        sum(np.median(samples.of("seconds", by, prompt=prompt, mode=mode)) for prompt in samples.prompts)
        for mode in ("draft alone", "standard")
    )
    return four_digits(1000 * alone / tokens), four_digits(1000 * standard / tokens), None


def _models(recording: Recording) -> list[tuple[Any, ...]]:
    rows = []
    for role in ("target", "assistant"):
        card = recording.models[recording.parameters[role]]
        sizes = [card[name] for name in ("layers", "hidden_size", "parameters")]
        rows.append((role, card["label"], *sizes, card["training"]["held_out_loss"]))
    return rows


def _machine(recording: Recording) -> list[tuple[Cell, ...]]:
    made = recording.parameters
    runs = f"{made['dtype']}, greedy, {made['max_new_tokens']} new tokens"
    return [
        ("Device", recording.device),
        ("Driver", recording.driver),
        ("Versions", ", ".join(" ".join(pair) for pair in recording.versions.items())),
        ("Date", recording.date),
        ("Runs", f"{runs}, {made['repeats']} timed runs a setting after a warm-up"),
    ]


def _check_steps(prompt: str, samples: Samples, part: Part) -> Iterator[Check]:
    """The course's own setting, the best setting, and what its cost ratio would be by layers and by weights."""
    name, by = _launches(samples)[-1]
    rows = {length: _gain_row(samples, name, by, length) for length in samples.lengths}
    best = max(samples.lengths, key=lambda length: float(rows[length][-1]))  # type: ignore[arg-type]
    row = rows[best]
    drafted, accepted = samples.rounds(by, samples.prompts, best)
    rate = four_digits(accepted.sum() / np.minimum(accepted + 1, drafted).sum())
    for field, found in {"best": best, "cost_ratio": row[5], "gain": row[6], "measured_gain": row[8]}.items():
        yield same(f"3, {part[field].what}", part[field].value, found, BY_NUMPY)
    yield same("3, acceptance rate", part["rate"].value, rate, BY_NUMPY)
    yield same("3, expected tokens a call", part["tokens"].value, four_digits(_series(rate, best)), BY_SERIES)
    standard, speculative = samples.ms("transformers", prompt, None), samples.ms("transformers", prompt, 0)
    yield same("3, standard decoding of the course's program", part["course_standard"].value, standard, BY_NUMPY)
    yield same("3, its speculative decoding", part["course_speculative"].value, speculative, BY_NUMPY)
    ratio = four_digits((standard or 0.0) / (speculative or 1.0))
    yield same("3, its gain", part["course_gain"].value, ratio, BY_NUMPY)
    first, last = (
        sum(samples.ms(one, each, None) or 0.0 for each in samples.prompts) for _, one in (_launches(samples)[0], (name, by))
    )
    yield same("3, standard decoding, first launch over last", part["launch_gain"].value, four_digits(first / last), BY_NUMPY)
    yield from _check_agreement(samples, part)
    letters = {"alpha": rate, "gamma": best, "c": row[5], "T_draft": row[2], "T_single": row[3]}
    yield from _check_sizes(samples.recording, part, rate, best, letters)


def _check_agreement(samples: Samples, part: Part) -> Iterator[Check]:
    compared = [series for series in samples.recording.series if series.quantity == "agreeing_tokens"]
    equal = [series for series in compared if set(series.samples) == {series.at["of"]}]
    yield same("3, settings compared", part["compared"].value, len(compared), "counted in the recording")
    yield same("3, settings with standard decoding's tokens", part["same"].value, len(equal), "counted in the recording")


def _check_sizes(recording: Recording, part: Part, rate: float, best: int, letters: dict[str, Any]) -> Iterator[Check]:
    (_, _, layers, _, weights, _), (_, _, few_layers, _, few_weights, _) = _models(recording)
    by = "the models' cards"
    by_weights = four_digits(few_weights / weights)
    yield same("3, cost ratio by layers", part["by_layers"].value, four_digits(few_layers / layers), by)
    yield same("3, cost ratio by weights", part["by_weights"].value, by_weights, by)
    gain = four_digits(_series(rate, best) / (1 + best * by_weights))
    yield same("3, expected gain at that cost ratio", part["gain_by_weights"].value, gain, BY_SERIES)
    element = np.dtype({"bfloat16": "float16"}.get(recording.parameters["dtype"], recording.parameters["dtype"])).itemsize
    letters |= {"N_layer": layers, "N_draft": few_layers, "P": weights, "P_draft": few_weights, "e": element}
    yield same_letters("3, numbers put in", part.steps, letters)
    rate_gb = four_digits(weights * element / (letters["T_single"] / 1000) / 1e9)
    yield same("3, weights read in a second", part["read_rate"].value, rate_gb, BY_NUMPY)


def _check_formulas(part: Part) -> Iterator[Check]:
    """The formulas at other values: α = 1/3, γ = 3, c = 1/5, and small sizes."""
    third, sizes = Fraction(1, 3), {"T_draft": 2, "T_single": 5, "N_layer": 9, "N_draft": 3, "P": 8_000_000, "P_draft": 2, "e": 4}
    kept = sum(third**power for power in range(4))
    values: dict[str, Any] = {"alpha": _rational(third), "gamma": 3, "c": _rational(Fraction(1, 5)), **sizes}
    # 8 million weights of 4 bytes in 5 ms are 6.4 GB/s; 3 drafts at 1/5 and a check take 8/5 of a call
    found: list[Formula] = [
        ("cost_ratio", part["cost_ratio"].formula, Fraction(2, 5)),
        ("tokens", part["tokens"].formula, kept),
        ("gain", part["gain"].formula, kept / Fraction(8, 5)),
        ("by_layers", part["by_layers"].formula, Fraction(1, 3)),
        ("by_weights", part["by_weights"].formula, Fraction(2, 8_000_000)),
        ("read_rate", part["read_rate"].formula, Fraction(32, 5)),
    ]
    for name, formula, expected in found:
        yield same(
            f"3, formula of {part[name].what}, at other values", text(at_sizes(formula, values)), text(expected), BY_SERIES
        )


def _rational(number: Fraction) -> Any:
    import sympy

    return sympy.Rational(number.numerator, number.denominator)


def _check_simulation(part: Part) -> Iterator[Check]:
    """Every expected number of tokens against rounds simulated at its rate."""
    furthest = 0.0
    table = part.tables["acceptance"]
    for length, rate, expected in zip(table.column("γ"), table.column("α"), table.column("Expected"), strict=True):
        mean, error = simulated_tokens(float(rate), int(length))  # type: ignore[arg-type]
        furthest = max(furthest, abs(mean - float(expected)) / (error or 1e-9))  # type: ignore[arg-type]
    yield Check(
        what="3, expected tokens a call, simulated with one rate for all drafted tokens, seed 3",
        published=f"within {STANDARD_ERRORS} standard errors",
        found=f"at most {furthest:.2f}",
        by=f"numpy {np.__version__}, sampled",
        passed=furthest <= STANDARD_ERRORS,
    )
