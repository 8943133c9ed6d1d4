"""Medians, fit, scores and entropies of recorded generation runs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from generators.answer import Item, claim, number
from generators.cells import Cell, Quantity
from generators.courses.comp4901y.hw3_q3_generation.fit import Line, least_squares
from generators.courses.comp4901y.hw3_q3_generation.launches import setting
from generators.recording import Recording
from generators.table import Column, Table, column, table
from generators.topics.measured import PER_SECOND_MS, in_ms

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
QUARTILES = ("median", "quartile_1", "quartile_3")
TIMES = [column(key, unit="ms") for key in QUARTILES]
ALIKE_NAT = Fraction(1, 1000)
"""Mean entropies that differ by less are called the same."""


def _medians(recording: Recording) -> dict[int, float]:
    return {int(one.at["output_len"]): in_ms(one)[0] for one in recording.find("seconds")}


def _line(recording: Recording) -> Line:
    """The line through the medians."""
    medians = _medians(recording)
    return least_squares(list(medians), list(medians.values()))


def lengths(recording: Recording, ceilings: Recording | None) -> Iterator[Item]:
    """Time against output length, and what the line through the medians says."""
    line = _line(recording)
    worst = max(abs(Fraction(median) - line.at(n)) for n, median in _medians(recording).items())
    memory = _memory_ms(recording, ceilings)
    yield from lengths_shortly(recording, ceilings)
    yield number("fixed", float(line.intercept), "cost that does not grow", "a", "ms")
    yield claim("fixed_is_negative", line.intercept < 0, "the cost that does not grow is negative")
    yield number("worst", float(worst), "largest distance of a median from the line", r"\max \vert t - a - b n \vert", "ms")
    yield claim("waits", memory is not None and line.slope > 2 * memory, "a token takes far longer than reading the weights")
    yield claim("on_a_gpu", recording.device_kind == "cuda")
    yield claim("reads", memory is not None and line.slope <= 2 * memory, "a token takes little longer than reading the weights")


def lengths_shortly(recording: Recording, ceilings: Recording | None) -> Iterator[Item]:
    """The cost of a token beside the time to read all weights once, and the times."""
    line, memory = _line(recording), _memory_ms(recording, ceilings)
    yield number("per_token", float(line.slope), "cost of one more token", "b", "ms")
    yield number("rate", float(PER_SECOND_MS / line.slope), "tokens a second", "1 / b", "token/s")
    yield claim("copy_timed", memory is not None, "the copy rate was measured on the same device")
    if memory is not None:
        what = "reading every weight once at the measured copy rate"
        yield number("memory_bound", memory, what, r"b_{\text{memory}}", "ms")
    rows = {}
    for one in recording.find("seconds"):
        n = int(one.at["output_len"])
        rows[f"n_{n}"] = {"output_length": n, **dict(zip(QUARTILES, in_ms(one), strict=True)), "line": float(line.at(n))}
    yield table("times", ["output_length", *TIMES, column("line", unit="ms")], rows)


def _memory_ms(recording: Recording, ceilings: Recording | None) -> float | None:
    """Time to read all weights once at the measured copy rate, where that was measured on the same device."""
    if ceilings is None:
        return None
    copy = ceilings.one("seconds", ceiling="copy")
    size = next(iter(recording.models.values()))["parameters"] * BYTES[recording.parameters["dtype"]]
    return float(PER_SECOND_MS * size * copy.median / float(copy.at["bytes"]))


def time_ratio(recording: Recording) -> Quantity:
    """Time of the widest sampled beam over that of the narrowest."""
    times = [in_ms(one)[0] for one in recording.find("seconds", do_sample=True)]
    return number("time_ratio", times[-1] / times[0], "time of the widest beam over that of the narrowest")


def beam_table(recording: Recording, *, sampled: bool, drawn: bool = False) -> Table:
    """Time and score against beam width, of sampled beams or of searched ones."""
    rows = {}
    for one in recording.find("seconds", do_sample=sampled):
        score = recording.one("log_probability", **one.at)
        cells: dict[str, Cell] = {"width": int(one.at["beam_width"]), **dict(zip(QUARTILES, in_ms(one), strict=True))}
        cells["score"] = score.median
        if sampled:
            cells |= {"distinct": len(set(score.samples)), "seeds": len(score.samples)}
        rows[f"width_{one.at['beam_width']}"] = cells
    counts = ["distinct", "seeds"] if sampled else []
    columns: list[Column | str] = ["width", *TIMES, column("score", unit="nat"), *counts]
    return table("sampled" if sampled else "searched", columns, rows, drawn=drawn)


def beams(recording: Recording) -> Iterator[Item]:
    """Time and best score against beam width."""
    scores = {do: [one.median for one in recording.find("log_probability", do_sample=do)] for do in (True, False)}
    best = max(sample for one in recording.find("log_probability", do_sample=True) for sample in one.samples)
    searched = scores[False][-1]
    yield time_ratio(recording)
    gain = scores[True][-1] - scores[True][0]
    yield number("gain", gain, "score of the widest beam less that of the narrowest", r"\Delta s", "nat")
    yield number("best_sampled", best, "best score of any sampled run", r"s_{\text{sampled}}", "nat")
    yield number("searched_score", searched, "score of the widest search", r"s_{\text{searched}}", "nat")
    yield claim("draws_win", best > searched, "a sampled run scores higher than the widest search")
    yield from (beam_table(recording, sampled=sampled) for sampled in (True, False))


def kept(recording: Recording, argument: str, name: str) -> Iterator[Item]:
    """Tokens kept, entropy of what is kept, and distinct outputs for each value of a filter."""
    rows: dict[str, dict[str, Cell]] = {}
    drift: list[float] = []
    for first in recording.find("first_entropy"):
        value = first.at[argument]
        entropy = recording.one("entropy", **first.at)
        texts = [output.text for output in recording.outputs if output.at[argument] == value]
        rows[f"n_{value}"] = {
            "value": setting(value),
            "kept": int(recording.one("first_kept_tokens", **first.at).median),
            "first_entropy": first.median + 0.0,
            "mean_entropy": entropy.median + 0.0,
            "distinct_outputs": len(set(texts)),
            "outputs": len(texts),
        }
        drift += [abs(sample - first.median) for sample in entropy.samples]
    yield number("drift", max(drift), "largest distance of a mean entropy from that of the first step", unit="nat")
    yield claim("alike", max(drift) < ALIKE_NAT, "every mean entropy is nearly that of the first step")
    entropies = [column(key, unit="nat") for key in ("first_entropy", "mean_entropy")]
    yield table("kept", [column("value", name), "kept", *entropies, "distinct_outputs", "outputs"], rows)
