"""Medians, fit, scores and entropies of recorded generation runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from generators.answer import Item, claim, number
from generators.cells import Cell, Quantity
from generators.courses.comp4901y.hw3_q3_generation.launches import setting
from generators.recording import Recording, Series
from generators.table import Table, column, table
from generators.topics.measured import ELEMENT_BYTES, PER_SECOND_MS, in_ms

TIMES = [column(key, unit="ms") for key in ("median", "quartile_1", "quartile_3")]
ALIKE_NAT = Fraction(1, 1000)
"""Mean entropies that differ by less are called the same."""


class Line(NamedTuple):
    """y = intercept + slope·x."""

    intercept: Fraction
    slope: Fraction

    def at(self, x: int) -> Fraction:
        """The line's value at x."""
        return self.intercept + self.slope * x


def least_squares(points: Mapping[int, float]) -> Line:
    """The line with the smallest sum of squared distances in y, exact for the floats given; needs two different xs."""
    mean_x = Fraction(sum(points), len(points))
    mean_y = sum(map(Fraction, points.values()), Fraction(0)) / len(points)
    across = sum(((x - mean_x) * (Fraction(y) - mean_y) for x, y in points.items()), Fraction(0))
    slope = across / sum(((x - mean_x) ** 2 for x in points), Fraction(0))
    return Line(mean_y - slope * mean_x, slope)


def lengths(recording: Recording, ceilings: Recording | None, *, shortly: bool = False) -> Iterator[Item]:
    """Time against output length, what a token costs by the line through the medians, and what else the line says."""
    timed = {int(one.at["output_len"]): in_ms(one) for one in recording.find("seconds")}
    line = least_squares({n: median for n, (median, _, _) in timed.items()})
    memory = _memory_ms(recording, ceilings)
    yield number("per_token", float(line.slope), "cost of one more token", "b", "ms")
    yield number("rate", float(PER_SECOND_MS / line.slope), "tokens a second", "1 / b", "token/s")
    yield claim("copy_timed", memory is not None, "the copy rate was measured on the same device")
    if memory is not None:
        what = "reading every weight once at the measured copy rate"
        yield number("memory_bound", memory, what, r"b_{\text{memory}}", "ms")
    rows = ((f"n_{n}", (n, *times, float(line.at(n)))) for n, times in timed.items())
    yield table("times", ["output_length", *TIMES, column("line", unit="ms")], rows)
    if not shortly:
        worst = max(abs(Fraction(median) - line.at(n)) for n, (median, _, _) in timed.items())
        far = memory is not None and line.slope > 2 * memory
        near = memory is not None and line.slope <= 2 * memory
        yield number("fixed", float(line.intercept), "cost that does not grow", "a", "ms")
        yield claim("fixed_is_negative", line.intercept < 0, "the cost that does not grow is negative")
        yield number("worst", float(worst), "largest distance of a median from the line", r"\max \vert t - a - b n \vert", "ms")
        yield claim("waits", far, "a token takes far longer than reading the weights")
        yield claim("on_a_gpu", recording.device_kind == "cuda")
        yield claim("reads", near, "a token takes little longer than reading the weights")


def _memory_ms(recording: Recording, ceilings: Recording | None) -> float | None:
    """Time to read all weights once at the measured copy rate, where that was measured on the same device."""
    if ceilings is None:
        return None
    copy = ceilings.one("seconds", ceiling="copy")
    size = next(iter(recording.models.values()))["parameters"] * ELEMENT_BYTES[recording.parameters["dtype"]]
    return float(PER_SECOND_MS * size * copy.median / float(copy.at["bytes"]))


def _by_width(recording: Recording, quantity: str, *, sampled: bool) -> list[Series]:
    """From the narrowest beam to the widest."""
    return sorted(recording.find(quantity, do_sample=sampled), key=lambda one: int(one.at["beam_width"]))


def time_ratio(recording: Recording) -> Quantity:
    """Time of the widest sampled beam over that of the narrowest."""
    times = [in_ms(one)[0] for one in _by_width(recording, "seconds", sampled=True)]
    return number("time_ratio", times[-1] / times[0], "time of the widest beam over that of the narrowest")


def beam_table(recording: Recording, *, sampled: bool, drawn: bool = False) -> Table:
    """Time and score against beam width, of sampled beams or of searched ones."""

    def rows() -> Iterator[tuple[str, Sequence[Cell]]]:
        for one in _by_width(recording, "seconds", sampled=sampled):
            score = recording.one("log_probability", **one.at)
            counts = (len(set(score.samples)), len(score.samples)) if sampled else ()
            yield f"width_{one.at['beam_width']}", (int(one.at["beam_width"]), *in_ms(one), score.median, *counts)

    counts = ["distinct", "seeds"] if sampled else []
    measured = [column("width"), *TIMES, column("score", unit="nat")]
    return table("sampled" if sampled else "searched", [*measured, *counts], rows(), drawn=drawn)


def beams(recording: Recording) -> Iterator[Item]:
    """Time and best score against beam width."""
    sampled, searches = (_by_width(recording, "log_probability", sampled=one) for one in (True, False))
    best = max(sample for one in sampled for sample in one.samples)
    searched, gain = searches[-1].median, sampled[-1].median - sampled[0].median
    yield time_ratio(recording)
    yield number("gain", gain, "score of the widest beam less that of the narrowest", r"\Delta s", "nat")
    yield number("best_sampled", best, "best score of any sampled run", r"s_{\text{sampled}}", "nat")
    yield number("searched_score", searched, "score of the widest search", r"s_{\text{searched}}", "nat")
    yield claim("draws_win", best > searched, "a sampled run scores higher than the widest search")
    yield from (beam_table(recording, sampled=sampled) for sampled in (True, False))


def kept(recording: Recording, argument: str, name: str) -> Iterator[Item]:
    """Tokens kept, entropy of what is kept, and distinct outputs for each value of a filter."""
    rows: dict[str, Sequence[Cell]] = {}
    drift = 0.0
    for first in recording.find("first_entropy"):
        value, entropy = first.at[argument], recording.one("entropy", **first.at)
        texts = [output.text for output in recording.outputs if output.at[argument] == value]
        n_kept = int(recording.one("first_kept_tokens", **first.at).median)
        entropies = (first.median + 0.0, entropy.median + 0.0)
        rows[f"n_{value}"] = setting(value), n_kept, *entropies, len(set(texts)), len(texts)
        drift = max(drift, *(abs(sample - first.median) for sample in entropy.samples))
    yield number("drift", drift, "largest distance of a mean entropy from that of the first step", unit="nat")
    yield claim("alike", drift < ALIKE_NAT, "every mean entropy is nearly that of the first step")
    first_columns = [
        column("value", name),
        column("kept"),
        column("first_entropy", unit="nat"),
        column("mean_entropy", unit="nat"),
    ]
    yield table("kept", [*first_columns, "distinct_outputs", "outputs"], rows)
