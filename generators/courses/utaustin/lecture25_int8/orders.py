"""Compares the order of the methods by their errors with the order of the printed perplexities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import combinations

from generators.answer import Item, Part, claim, number, part, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_int8.params import Perplexities
from generators.courses.utaustin.lecture25_int8.products import METHODS, agreement
from generators.table import Column, Table, column, table
from generators.topics.printed_tables import as_printed

NAMES: dict[str, str] = {method.scheme: method.name for method in METHODS}
Errors = Mapping[str, float]


def orders(printed: Perplexities, ours: Errors) -> Part:
    """Pairs of methods in the same order and in the opposite one, for each printed column."""
    compared = _agreement(printed, ours)
    return part(
        "3",
        "The printed order",
        number("n_pairs", len(list(combinations(NAMES, 2))), "pairs of methods"),
        compared,
        *_equal_orders(compared),
        _beside(printed, ours),
        *_opposite(printed, ours),
    )


def _column(printed: Perplexities, model: int) -> dict[str, Fraction]:
    """The perplexities of one model by scheme."""
    return {row.scheme: row.values[model] for row in printed.rows}


def _agreement(printed: Perplexities, ours: Errors) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for place, model in enumerate(printed.models):
        theirs = _column(printed, place)
        pairs = agreement(list(ours.values()), [theirs[scheme] for scheme in ours])
        compared = pairs.same + pairs.opposite
        rows[f"model_{place + 1}"] = {
            "model": model,
            "same": pairs.same,
            "opposite": pairs.opposite,
            "tied": pairs.tied,
            "agreement": exact(Fraction(pairs.same - pairs.opposite, compared)) if compared else None,
            "equal_order": "no" if pairs.opposite else "yes",
        }
    return table("agreement", ["model", "same", "opposite", "tied", "agreement", "equal_order"], rows, asked=True)


def _equal_orders(compared: Table) -> Iterator[Item]:
    """The models for which no pair is in the opposite order, and the others."""
    equal, unequal = (
        [str(row["model"]) for row in compared.rows.values() if row["equal_order"] == said] for said in ("yes", "no")
    )
    yield claim("all_orders_equal", not unequal)
    yield claim("some_orders_equal", bool(equal and unequal))
    yield claim("no_order_equal", not equal)
    if equal and unequal:
        yield text("equal_models", ", ".join(equal))
        yield text("unequal_models", ", ".join(unequal))


def _beside(printed: Perplexities, ours: Errors) -> Table:
    """Methods from the worst to the best here, with the printed perplexities as text."""
    models = {f"model_{place}": name for place, name in enumerate(printed.models, 1)}
    values: dict[str, list[Fraction]] = {row.scheme: row.values for row in printed.rows}
    rows: dict[str, dict[str, Cell]] = {}
    for rank, scheme in enumerate(sorted(ours, key=lambda one: -ours[one]), 1):
        texts = [as_printed(value, printed.decimals) for value in values[scheme]]
        cells: dict[str, Cell] = {"rank": rank, "method": NAMES[scheme], "error": ours[scheme]}
        rows[scheme] = cells | dict(zip(models, texts, strict=True))
    named = [column(*one) for one in models.items()]
    columns: list[Column | str] = [column("rank", "Rank here"), "method", column("error", "RMS error"), *named]
    return table("beside", columns, rows)


def _opposite(printed: Perplexities, ours: Errors) -> Iterator[Item]:
    """Pairs of methods that some printed column orders the other way, if any."""
    rows: dict[str, Mapping[str, Cell]] = {}
    for pair in combinations(ours, 2):
        worse, better = sorted(pair, key=lambda scheme: -ours[scheme])
        where = [model for place, model in enumerate(printed.models) if _reversed(_column(printed, place), ours, worse, better)]
        if where:
            rows[f"{worse}.{better}"] = {"worse": NAMES[worse], "better": NAMES[better], "other_way": ", ".join(where)}
    yield claim("some_pairs_opposite", bool(rows))
    yield claim("no_pair_opposite", not rows)
    if rows:
        columns = [
            column("worse", "Worse here"),
            column("better", "Better here"),
            column("other_way", "Printed the other way for"),
        ]
        yield table("opposite", columns, rows)


def _reversed(theirs: Mapping[str, Fraction], ours: Errors, worse: str, better: str) -> bool:
    return ours[worse] > ours[better] and theirs[worse] < theirs[better]
