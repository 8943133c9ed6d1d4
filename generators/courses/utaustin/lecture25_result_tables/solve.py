"""Averages the rows of printed tables exactly, and says what each table shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from statistics import median
from typing import TypeAlias

from generators.answer import Answer, Item, Part, answer, claim, number, part, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_result_tables.params import (
    Arena,
    Bitfit,
    BitfitRow,
    Perplexities,
    Sheared,
    ShearedRow,
    TablesParams,
)
from generators.table import Column, column, table
from generators.topics.printed_tables import as_printed

Columns: TypeAlias = list[Column | str]


def solve(params: TablesParams) -> Answer:
    """The four tables as printed, what can be recomputed of them, and what they show."""
    averaged = (_arena(params.long_range_arena), _sheared(params.sheared_llama), _bitfit(params.bitfit))
    return answer(*averaged, _perplexities(params.perplexities))


def mean(numbers: Sequence[Fraction]) -> Fraction:
    """The exact mean."""
    return sum(numbers, Fraction(0)) / len(numbers)


def verdict(printed: Fraction, average: Fraction, decimals: int) -> str:
    """Whether the average rounds to the printed one, or could if the scores were rounded themselves, as each may be off."""
    off = abs(printed - average) * 10**decimals
    return "yes" if 2 * off <= 1 else "nearly" if off <= 1 else "no"


def likely_swaps(rows: Sequence[Sequence[Fraction]], margin: Fraction) -> list[tuple[int, int, int]]:
    """Row and two columns whose values would each lie nearer, by the margin, to the other column's median without the row."""
    found = []
    for place, row in enumerate(rows):
        medians = [median(column) for column in zip(*(other for i, other in enumerate(rows) if i != place), strict=True)]
        for i, j in combinations(range(len(row)), 2):
            nearer = [abs(row[a] - medians[a]) - abs(row[b] - medians[a]) for a, b in ((i, j), (j, i))]
            if min(nearer) >= margin:
                found.append((place, i, j))
    return found


def _keyed(rows: Iterable[Sequence[Cell]]) -> dict[str, Sequence[Cell]]:
    return {f"row_{place}": row for place, row in enumerate(rows, 1)}


def _tasks(names: Sequence[str]) -> Columns:
    return [column(f"task_{place}", name) for place, name in enumerate(names, 1)]


def _texts(scores: Sequence[Fraction], decimals: int) -> list[str]:
    return [as_printed(score, decimals) for score in scores]


def _agreeing(verdicts: Sequence[Cell]) -> Iterator[Item]:
    """How many averages agree, and how many could."""
    yield number("n_averages", len(verdicts), "printed averages")
    yield number("n_agree", verdicts.count("yes"), "averages that agree", asked=True)
    yield number("n_nearly", verdicts.count("nearly"), "averages that agree if scores were rounded", asked=True)


def _arena(arena: Arena) -> Part:
    d, rows = arena.decimals, []
    for row in arena.rows:
        average, times = mean(row.scores), None if row.speedup is None else f"{as_printed(row.speedup, d)}×"
        rows.append((row.model, verdict(row.average, average, d), exact(average), as_printed(row.average, d), times))
    scores = _keyed((row.model, *_texts(row.scores, d)) for row in arena.rows)
    return part(
        "1",
        "FlashAttention",
        table("averages", ["model", "agrees", "recomputed", "printed", "speedup"], _keyed(rows), asked=True),
        *_agreeing([row[1] for row in rows]),
        *_slower(arena),
        table("scores", ["model", *_tasks(arena.tasks)], scores),
    )


def _slower(arena: Arena) -> Iterator[Item]:
    """The slide's claim: the method is faster than approximate ones, and they perform worse."""
    ours = next(row for row in arena.rows if row.kind == "claimed")
    others = [row for row in arena.rows if row.kind == "approximate"]
    left_out = [row.model for row in arena.rows if row.kind == "other" and row.speedup]
    faster = [row.model for row in others if row.speedup >= ours.speedup]  # type: ignore[operator]
    behind = sorted((ours.average - row.average, row.model) for row in others)
    close = [f"{name} ({as_printed(points, arena.decimals)})" for points, name in behind if points < 1]
    yield text("claimed", ours.model)
    yield number("n_approximate", len(others), "approximate methods")
    yield number("n_slower", len(others) - len(faster), "approximate methods that are slower", asked=True)
    yield claim("some_faster", bool(faster), "an approximate method is as fast")
    yield text("faster", ", ".join(faster))
    yield claim("some_left_out", bool(left_out), "a method with a speedup is neither approximate nor the claimed one")
    yield text("left_out", ", ".join(left_out))
    yield claim("some_close", bool(close), "an approximate method is not a point worse")
    yield text("close", ", ".join(close))
    yield number("least_behind", exact(behind[0][0]), "points by which the best approximate method is behind", asked=True)
    yield number("most_behind", exact(behind[-1][0]), "points by which the worst one is behind", asked=True)


def _sheared(sheared: Sheared) -> Part:
    d, rows = sheared.decimals, []
    for row in sheared.rows:
        average = mean([*row.shown, *row.left_out])
        rows.append((row.model, verdict(row.average, average, d), exact(average), as_printed(row.average, d)))
    shown, left_out = (
        _keyed((row.model, *_texts(getattr(row, kind), d)) for row in sheared.rows) for kind in ("shown", "left_out")
    )
    return part(
        "2",
        "Sheared LLaMA",
        table("averages", ["model", "agrees", "recomputed", "printed"], _keyed(rows), asked=True),
        *_agreeing([row[1] for row in rows]),
        table("shown", ["model", *_tasks(sheared.shown)], shown),
        table("left_out", ["model", *_tasks(sheared.left_out)], left_out),
        *_best(sheared.rows),
        *_swaps(sheared),
    )


def _best(rows: Sequence[ShearedRow]) -> Iterator[Item]:
    """In each group of sizes the model with the largest average, and the tokens that it was trained on."""
    found = []
    for group in dict.fromkeys(row.group for row in rows):
        best, *others = sorted((row for row in rows if row.group == group), key=lambda row: -row.average)
        if others:
            fewest = min(row.billion_tokens for row in others)
            found.append((group, best.model, *map(exact, (best.average - others[0].average, best.billion_tokens, fewest))))
    tokens = [column("its_tokens", "Its tokens (billions)"), column("fewest", "Fewest of the others (billions)")]
    yield claim("ranked", bool(found), "some models are of about one size")
    yield table("best", ["size", "best", column("ahead", "Points ahead"), *tokens], _keyed(found), asked=True)


def _swaps(sheared: Sheared) -> Iterator[Item]:
    """Pairs of values that may have been exchanged."""
    swaps = [
        (sheared.rows[place].model, sheared.shown[i], sheared.shown[j])
        for place, i, j in likely_swaps([row.shown for row in sheared.rows], sheared.swap_margin)
    ]
    yield claim("swaps_found", bool(swaps), "values of a row look exchanged")
    yield table("swaps", ["model", "column", "and_column"], _keyed(swaps))


def _named(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _bitfit(bitfit: Bitfit) -> Part:
    d, rows, scores = bitfit.decimals, [], []
    for row in bitfit.rows:
        spreads = [f" ± {one}" for one in _texts(row.spreads, d)] if row.spreads else [""] * len(row.scores)
        scores.append((_named(row), *(x + y for x, y in zip(_texts(row.scores, d), spreads, strict=True))))
        rows.append((_named(row), as_printed(row.average, d), exact(mean(row.scores)), exact(row.percent)))
    columns: Columns = ["method", "printed", column("recomputed", _of_shown(bitfit)), column("trained", unit="%")]
    return part(
        "3",
        "BitFit",
        table("averages", columns, _keyed(rows), asked=True),
        table("scores", ["method", *_tasks(bitfit.tasks)], _keyed(scores)),
        *_least_trained(bitfit),
    )


def _of_shown(bitfit: Bitfit) -> str:
    return f"Mean of the {len(bitfit.tasks)} tasks shown"


def _least_trained(bitfit: Bitfit) -> Iterator[Item]:
    """Of each set, the row that trains the fewest parameters less those that train the most."""
    pairs: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys(row.set for row in bitfit.rows):
        of_set = [row for row in bitfit.rows if row.set == name]
        least, most = min(of_set, key=lambda row: row.percent), max(row.percent for row in of_set)
        for full in (row for row in of_set if row.percent == most and row is not least):
            differences = (least.average - full.average, mean(least.scores) - mean(full.scores))
            pairs.append((_named(least), _named(full), *map(exact, differences)))
    yield claim("compared", bool(pairs), "a set has a method to be compared with")
    columns: Columns = ["method", "minus", "printed_averages", column("means_of_the_shown", _of_shown(bitfit))]
    yield table("beside", columns, _keyed(pairs), asked=True)


def _perplexities(printed: Perplexities) -> Part:
    ends = {f"model_{at}": (name, *_ends(printed, at - 1)) for at, name in enumerate(printed.models, 1)}
    columns: Columns = ["model", "best", column("best_ratio", "Best / FP32"), "worst", column("worst_ratio", "Worst / FP32")]
    return part("4", "LLM.int8()", table("best", columns, ends, asked=True))


def _ends(printed: Perplexities, place: int) -> list[Cell]:
    """The methods with the least and with the largest perplexity of a model, over that of 32-bit floats."""
    baseline = next(row.values[place] for row in printed.rows if row.scheme == "float32")
    rows = [row for row in printed.rows if row.scheme != "float32"]
    values = [row.values[place] for row in rows]
    cells: list[Cell] = []
    for end in (min(values), max(values)):
        cells += ["; ".join(row.method for row in rows if row.values[place] == end), exact(end / baseline)]
    return cells
