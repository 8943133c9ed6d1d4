"""Averages the rows of printed tables exactly and compares them with what is printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from generators.answer import Answer, Item, Part, answer, claim, number, part
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_result_tables.agreement import (
    Averaged,
    Rows,
    agreement,
    averages_table,
    keyed,
    numbers,
    tasks,
    texts,
)
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
    return answer(
        _arena(params.long_range_arena),
        _sheared(params.sheared_llama),
        _bitfit(params.bitfit),
        _perplexities(params.perplexities),
    )


def _arena(arena: Arena) -> Part:
    d, columns = arena.decimals, [column(*one) for one in tasks(arena.tasks).items()]
    printed: list[dict[str, Cell]] = [
        {"model": row.model, **texts(row.scores, d), "average": as_printed(row.average, d), "speedup": _times(row.speedup, d)}
        for row in arena.rows
    ]
    scores: list[dict[str, Cell]] = [
        {"model": row.model, **numbers(row.scores), "speedup": None if row.speedup is None else exact(row.speedup)}
        for row in arena.rows
    ]
    return part(
        "1",
        "FlashAttention",
        table("printed", ["model", *columns, column("average", "Avg"), "speedup"], keyed(printed)),
        table("scores", ["model", *columns, column("speedup", unit="×")], keyed(scores), drawn=True),
        number("decimals", d, "decimals of a printed number"),
        *agreement([Averaged(row.model, row.scores, row.average) for row in arena.rows], d),
    )


def _times(speedup: Fraction | None, decimals: int) -> Cell:
    return None if speedup is None else f"{as_printed(speedup, decimals)}×"


def _sheared(sheared: Sheared) -> Part:
    d = sheared.decimals
    shown, left_out = ([column(*one) for one in tasks(names).items()] for names in (sheared.shown, sheared.left_out))
    printed = [{"model": row.model, **texts(row.shown, d), "average": as_printed(row.average, d)} for row in sheared.rows]
    beside = [{"model": row.model, **texts(row.left_out, d)} for row in sheared.rows]
    scores = [{"model": row.model, **numbers(row.shown)} for row in sheared.rows]
    return part(
        "2",
        "Sheared LLaMA",
        number("n_tasks", len(shown) + len(left_out), "tasks that the average is over"),
        number("n_shown", len(shown), "tasks that the lecture shows"),
        table("printed", ["model", *shown, "average"], keyed(printed)),
        table("left_out", ["model", *left_out], keyed(beside)),
        table("scores", ["model", *shown], keyed(scores), drawn=True),
        *agreement([Averaged(row.model, [*row.shown, *row.left_out], row.average) for row in sheared.rows], d),
        *_swaps(sheared),
    )


def _swaps(sheared: Sheared) -> Iterator[Item]:
    """Pairs of values that may have been exchanged."""
    swaps = keyed(
        [
            {"model": sheared.rows[place].model, "column": sheared.shown[i], "and_column": sheared.shown[j]}
            for place, i, j in likely_swaps([row.shown for row in sheared.rows], sheared.swap_margin)
        ]
    )
    yield number("swap_margin", exact(sheared.swap_margin), "points by which exchanged values lie nearer")
    yield claim("swaps_found", bool(swaps), "values of a row look exchanged")
    yield claim("no_swaps", not swaps, "no values of a row look exchanged")
    if swaps:
        yield table("swaps", ["model", "column", "and_column"], swaps)


def _bitfit(bitfit: Bitfit) -> Part:
    d, columns = bitfit.decimals, [column(*one) for one in tasks(bitfit.tasks).items()]
    printed: list[dict[str, Cell]] = [
        {
            "method": _named(row),
            "percent": f"{float(row.percent):g}%",
            **_spread(row, d),
            "average": as_printed(row.average, d),
        }
        for row in bitfit.rows
    ]
    scores: list[dict[str, Cell]] = [
        {"method": _named(row), **numbers(row.scores), "trained": exact(row.percent)} for row in bitfit.rows
    ]
    averages = averages_table(
        [Averaged(_named(row), row.scores, row.average) for row in bitfit.rows], d, "method", "Mean of shown", asked=True
    )
    count = len([row for row in averages.rows.values() if row["explained"] != "no"])
    return part(
        "3",
        "BitFit",
        number("n_lost", bitfit.n_lost, "lost columns, at least"),
        number("n_shown", len(columns), "columns that are shown"),
        number("n_averages", len(bitfit.rows), "printed averages"),
        claim("none_explained", count == 0),
        *([number("n_explained", count, "averages that the shown columns explain")] if 0 < count < len(bitfit.rows) else []),
        claim("some_explained", 0 < count < len(bitfit.rows)),
        claim("all_explained", count == len(bitfit.rows)),
        table("printed", ["method", column("percent", "%Param"), *columns, column("average", "Avg.")], keyed(printed)),
        table("scores", ["method", *columns, column("trained", "Parameters trained", "%")], keyed(scores), drawn=True),
        averages,
        *_least_trained(bitfit),
    )


def _named(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _spread(row: BitfitRow, decimals: int) -> dict[str, Cell]:
    scores = texts(row.scores, decimals)
    if row.spreads is None:
        return scores
    spreads = [as_printed(spread, decimals) for spread in row.spreads]
    return {key: f"{score} ± {spread}" for (key, score), spread in zip(scores.items(), spreads, strict=True)}


def _least_trained(bitfit: Bitfit) -> Iterator[Item]:
    """Of each set, the row that trains the fewest parameters beside those that train the most."""
    pairs: list[dict[str, Cell]] = []
    for name in dict.fromkeys(row.set for row in bitfit.rows):
        of_set = [row for row in bitfit.rows if row.set == name]
        least, most = min(of_set, key=lambda row: row.percent), max(row.percent for row in of_set)
        pairs += [
            {
                "fewest": _named(least),
                "against": _named(full),
                "share": exact(100 * least.percent / full.percent),
                "on_shown": exact(mean(least.scores) - mean(full.scores)),
                "on_average": exact(least.average - full.average),
            }
            for full in of_set
            if full.percent == most and full is not least
        ]
    columns: list[Column | str] = [
        "fewest",
        "against",
        column("share", "Share trained", "%"),
        column("on_shown", "On the shown"),
        column("on_average", "On the printed average"),
    ]
    yield claim("compared", bool(pairs), "a set has a method to be compared with")
    if pairs:
        yield table("beside", columns, keyed(pairs))


def _perplexities(printed: Perplexities) -> Part:
    models = {f"model_{place}": name for place, name in enumerate(printed.models, 1)}
    columns = [column(*one) for one in models.items()]
    baseline = next(row.values for row in printed.rows if row.scheme == "float32")
    eight_bit = [row for row in printed.rows if row.scheme != "float32"]

    def texts_of(row: PerplexityRow) -> list[str]:
        return [as_printed(value, printed.decimals) for value in row.values]

    printed_rows: Rows = {
        row.scheme: {
            "method": row.method,
            **dict(zip(models, texts_of(row), strict=True)),
        }
        for row in printed.rows
    }
    ratios: Rows = {
        row.scheme: {
            "method": row.method,
            **{key: exact(x / base) for key, x, base in zip(models, row.values, baseline, strict=True)},
        }
        for row in eight_bit
    }
    best = {key: _ends(name, eight_bit, place, baseline[place]) for place, (key, name) in enumerate(models.items())}
    return part(
        "4",
        "LLM.int8()",
        table("printed", ["method", *columns], printed_rows),
        table("ratios", ["method", *columns], ratios),
        table(
            "best",
            [
                "model",
                column("best", "Best in 8 bits"),
                column("best_ratio", "Over FP32"),
                "worst",
                column("worst_ratio", "Its ratio"),
                column("n_below", "Below FP32"),
            ],
            best,
            asked=True,
        ),
    )


def _ends(model: str, rows: Sequence[PerplexityRow], place: int, baseline: Fraction) -> dict[str, Cell]:
    """The methods with the least and with the largest perplexity of a model, and how many lie below the baseline."""
    values = [row.values[place] for row in rows]
    least, most = (
        (end, "; ".join(row.method for row, value in zip(rows, values, strict=True) if value == end))
        for end in (min(values), max(values))
    )
    return {
        "model": model,
        "best": least[1],
        "best_ratio": exact(least[0] / baseline),
        "worst": most[1],
        "worst_ratio": exact(most[0] / baseline),
        "n_below": sum(value < baseline for value in values),
    }
