"""Times, scores and counts of recorded generation runs; measured numbers have three significant digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from generators.answer import Item, number
from generators.cells import Cell, significant
from generators.recording import Recording, Series
from generators.table import column, table
from generators.topics.measured import in_ms

TIMES = [column(key, unit="ms") for key in ("median", "quartile_1", "quartile_3")]


def _times(series: Series) -> Iterator[float]:
    return map(significant, in_ms(series))


def least_squares(points: Mapping[int, float]) -> tuple[Fraction, Fraction]:
    """Intercept and slope of the line with the smallest sum of squared distances in y, exact for the floats given."""
    mean_x = Fraction(sum(points), len(points))
    mean_y = sum(map(Fraction, points.values()), Fraction(0)) / len(points)
    across = sum(((x - mean_x) * (Fraction(y) - mean_y) for x, y in points.items()), Fraction(0))
    slope = across / sum(((x - mean_x) ** 2 for x in points), Fraction(0))
    return mean_y - slope * mean_x, slope


def per_token(recording: Recording) -> Item:
    """What one more token costs, by the line through the medians."""
    _, slope = least_squares({int(one.at["output_len"]): in_ms(one)[0] for one in recording.find("seconds")})
    return number("per_token", significant(float(slope)), "time of one more token", unit="ms")


def lengths(recording: Recording) -> Iterator[Item]:
    """Time against output length, and what a token costs."""
    yield per_token(recording)
    rows = ((f"n_{one.at['output_len']}", (int(one.at["output_len"]), *_times(one))) for one in recording.find("seconds"))
    yield table("times", ["output_length", *TIMES], rows)


def beams(recording: Recording) -> Iterator[Item]:
    """Time and scores of sampled beams against their number, and the score of a beam search that samples nothing."""
    rows: dict[str, Sequence[Cell]] = {}
    seeds: set[int] = set()
    for one in sorted(recording.find("seconds", do_sample=True), key=lambda one: int(one.at["beam_width"])):
        width = int(one.at["beam_width"])
        sampled, searched = (
            recording.one("log_probability", beam_width=width, do_sample=do_sample) for do_sample in (True, False)
        )
        scores = (sampled.median, min(sampled.samples), max(sampled.samples), searched.median)
        rows[f"width_{width}"] = (width, *map(significant, scores), *_times(one))
        seeds.add(len(sampled.samples))
    columns = [column(key, unit="nat") for key in ("median_score", "lowest", "highest", "score_of_search")]
    yield number("seeds", min(seeds))
    yield table("widths", ["width", *columns, *TIMES], rows)


def kept(recording: Recording, argument: str, name: str) -> Iterator[Item]:
    """Tokens left at the first step, entropy of their distribution, and distinct outputs of a batch."""
    rows: dict[str, Sequence[Cell]] = {}
    for first in recording.find("first_entropy"):
        value = first.at[argument]
        texts = {output.text for output in recording.outputs if output.at[argument] == value}
        tokens = int(recording.one("first_kept_tokens", **first.at).median)
        rows[f"n_{value}"] = (Fraction(str(value)), tokens, significant(first.median + 0.0), len(texts))
    yield number("batch", int(recording.parameters["sequences"]), "texts that were drawn at once")
    yield table("kept", [column("value", name), "kept", column("entropy", unit="nat"), "distinct_outputs"], rows)


def together(by_k: Recording, by_p: Recording) -> Iterator[Item]:
    """Tokens that top-k alone and top-p after it keep at the first step, of one model and prompt."""
    p = by_k.parameters["top_p"]
    yield number("k", by_p.parameters["top_k"], "top-k")
    yield number("p", Fraction(str(p)), "top-p")
    for key, top_p in (("by_k", 1.0), ("by_both", p)):
        yield number(key, int(by_p.one("first_kept_tokens", top_p=top_p).median), "tokens kept")
