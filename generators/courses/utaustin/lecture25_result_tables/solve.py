"""Averages the rows of printed tables exactly and compares them with what is printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from generators.answer import Answer, Item, Part, answer, claim, number, part
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_result_tables.agreement import Averaged, agreement, averages_table, keyed
from generators.courses.utaustin.lecture25_result_tables.averages import likely_swaps, mean
from generators.courses.utaustin.lecture25_result_tables.params import (
    Arena,
    Bitfit,
    BitfitRow,
    Perplexities,
    PerplexityRow,
    Sheared,
    TablesParams,
)
from generators.table import Column, column, table
from generators.topics.printed_tables import as_printed


def solve(params: TablesParams) -> Answer:
    """The four tables as printed, and what can be recomputed of them."""
    averaged = (_arena(params.long_range_arena), _sheared(params.sheared_llama), _bitfit(params.bitfit))
    return answer(*averaged, _perplexities(params.perplexities))


def _tasks(names: Sequence[str]) -> list[Column]:
    return [column(f"task_{place}", name) for place, name in enumerate(names, 1)]


def _texts(scores: Sequence[Fraction], decimals: int) -> list[str]:
    return [as_printed(score, decimals) for score in scores]


def _arena(arena: Arena) -> Part:
    d, tasks, rows = arena.decimals, _tasks(arena.tasks), arena.rows
    speedups = [None if row.speedup is None else f"{as_printed(row.speedup, d)}×" for row in rows]
    printed = ((row.model, *_texts([*row.scores, row.average], d), times) for row, times in zip(rows, speedups, strict=True))
    scores = ((row.model, *map(exact, row.scores), None if row.speedup is None else exact(row.speedup)) for row in rows)
    return part(
        "1",
        "FlashAttention",
        table("printed", ["model", *tasks, column("average", "Avg"), "speedup"], keyed(printed)),
        table("scores", ["model", *tasks, column("speedup", unit="×")], keyed(scores), drawn=True),
        number("decimals", d, "decimals of a printed number"),
        *agreement([Averaged(row.model, row.scores, row.average) for row in rows], d),
    )


def _sheared(sheared: Sheared) -> Part:
    d, shown, left_out, rows = sheared.decimals, _tasks(sheared.shown), _tasks(sheared.left_out), sheared.rows
    return part(
        "2",
        "Sheared LLaMA",
        number("n_tasks", len(shown) + len(left_out), "tasks that the average is over"),
        number("n_shown", len(shown), "tasks that the lecture shows"),
        table("printed", ["model", *shown, "average"], keyed((x.model, *_texts([*x.shown, x.average], d)) for x in rows)),
        table("left_out", ["model", *left_out], keyed((row.model, *_texts(row.left_out, d)) for row in rows)),
        table("scores", ["model", *shown], keyed((row.model, *map(exact, row.shown)) for row in rows), drawn=True),
        *agreement([Averaged(row.model, [*row.shown, *row.left_out], row.average) for row in rows], d),
        *_swaps(sheared),
    )


def _swaps(sheared: Sheared) -> Iterator[Item]:
    """Pairs of values that may have been exchanged."""
    places = likely_swaps([row.shown for row in sheared.rows], sheared.swap_margin)
    swaps = keyed((sheared.rows[place].model, sheared.shown[i], sheared.shown[j]) for place, i, j in places)
    yield number("swap_margin", exact(sheared.swap_margin), "points by which exchanged values lie nearer")
    yield claim("swaps_found", bool(swaps), "values of a row look exchanged")
    yield claim("no_swaps", not swaps, "no values of a row look exchanged")
    if swaps:
        yield table("swaps", ["model", "column", "and_column"], swaps)


def _bitfit(bitfit: Bitfit) -> Part:
    d, tasks, rows = bitfit.decimals, _tasks(bitfit.tasks), bitfit.rows
    printed = ((_named(row), f"{float(row.percent):g}%", *_with_spread(row, d), as_printed(row.average, d)) for row in rows)
    scores = ((_named(row), *map(exact, row.scores), exact(row.percent)) for row in rows)
    averaged = [Averaged(_named(row), row.scores, row.average) for row in rows]
    averages = averages_table(averaged, d, "method", "Mean of shown", asked=True)
    count = len([row for row in averages.rows.values() if row["explained"] != "no"])
    return part(
        "3",
        "BitFit",
        number("n_lost", bitfit.n_lost, "lost columns, at least"),
        number("n_shown", len(tasks), "columns that are shown"),
        number("n_averages", len(rows), "printed averages"),
        claim("none_explained", count == 0),
        *([number("n_explained", count, "averages that the shown columns explain")] if 0 < count < len(rows) else []),
        claim("some_explained", 0 < count < len(rows)),
        claim("all_explained", count == len(rows)),
        table("printed", ["method", column("percent", "%Param"), *tasks, column("average", "Avg.")], keyed(printed)),
        table("scores", ["method", *tasks, column("trained", "Parameters trained", "%")], keyed(scores), drawn=True),
        averages,
        *_least_trained(bitfit),
    )


def _named(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _with_spread(row: BitfitRow, decimals: int) -> list[str]:
    scores = _texts(row.scores, decimals)
    if row.spreads is None:
        return scores
    return [f"{score} ± {spread}" for score, spread in zip(scores, _texts(row.spreads, decimals), strict=True)]


def _least_trained(bitfit: Bitfit) -> Iterator[Item]:
    """Of each set, the row that trains the fewest parameters beside those that train the most."""
    pairs: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys(row.set for row in bitfit.rows):
        of_set = [row for row in bitfit.rows if row.set == name]
        least, most = min(of_set, key=lambda row: row.percent), max(row.percent for row in of_set)
        for full in (row for row in of_set if row.percent == most and row is not least):
            share, on_shown = 100 * least.percent / full.percent, mean(least.scores) - mean(full.scores)
            pairs.append((_named(least), _named(full), *map(exact, (share, on_shown, least.average - full.average))))
    differences = [column("on_shown", "On the shown"), column("on_average", "On the printed average")]
    yield claim("compared", bool(pairs), "a set has a method to be compared with")
    if pairs:
        yield table("beside", ["fewest", "against", column("share", "Share trained", "%"), *differences], keyed(pairs))


def _perplexities(printed: Perplexities) -> Part:
    models = [column(f"model_{place}", name) for place, name in enumerate(printed.models, 1)]
    baseline = next(row.values for row in printed.rows if row.scheme == "float32")
    eight_bit = [row for row in printed.rows if row.scheme != "float32"]
    ratios = ((row.scheme, (row.method, *(exact(x / base) for x, base in zip(row.values, baseline, strict=True))))
              for row in eight_bit)  # fmt: skip
    texts = ((row.scheme, (row.method, *_texts(row.values, printed.decimals))) for row in printed.rows)
    ends = {model.key: _ends(name, eight_bit, place, baseline[place]) for place, (model, name) in
            enumerate(zip(models, printed.models, strict=True))}  # fmt: skip
    best = [column("model"), column("best", "Best in 8 bits"), column("best_ratio", "Over FP32"), column("worst")]
    columns = [*best, column("worst_ratio", "Its ratio"), column("n_below", "Below FP32")]
    return part(
        "4",
        "LLM.int8()",
        table("printed", ["method", *models], texts),
        table("ratios", ["method", *models], ratios),
        table("best", columns, ends, asked=True),
    )


def _ends(model: str, rows: Sequence[PerplexityRow], place: int, baseline: Fraction) -> tuple[Cell, ...]:
    """The methods with the least and with the largest perplexity of a model, and how many lie below the baseline."""
    values = [row.values[place] for row in rows]
    cells: list[Cell] = [model]
    for end in (min(values), max(values)):
        named = "; ".join(row.method for row, value in zip(rows, values, strict=True) if value == end)
        cells += [named, exact(end / baseline)]
    return *cells, sum(value < baseline for value in values)
