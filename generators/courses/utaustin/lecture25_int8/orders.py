"""Compares the order of the methods by their errors with the order of the printed perplexities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import combinations

from generators.answer import Item, Part, claim, number, part, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_int8.params import Perplexities
from generators.courses.utaustin.lecture25_int8.products import METHODS, agreement
from generators.table import Table, column, table
from generators.topics.printed_tables import as_printed

NAMES: dict[str, str] = {method.scheme: method.name for method in METHODS}
Errors = Mapping[str, float]


def orders(printed: Perplexities, ours: Errors) -> Part:
    """Pairs of methods in the same order and in the opposite one, for each printed column."""
    values: dict[str, list[Fraction]] = {row.scheme: row.values for row in printed.rows}
    columns = ["model", "same", "opposite", "tied", "agreement", "equal_order"]
    compared = table("agreement", columns, _agreement(printed.models, values, ours), asked=True)
    beside = {
        scheme: (rank, NAMES[scheme], ours[scheme], *(as_printed(value, printed.decimals) for value in values[scheme]))
        for rank, scheme in enumerate(sorted(ours, key=lambda one: -ours[one]), 1)
    }
    models = [column(f"model_{place}", name) for place, name in enumerate(printed.models, 1)]
    return part(
        "3",
        "The printed order",
        number("n_pairs", len(list(combinations(NAMES, 2))), "pairs of methods"),
        compared,
        *_equal_orders(compared),
        table("beside", [column("rank", "Rank here"), "method", column("error", "RMS error"), *models], beside),
        *_opposite(printed.models, values, ours),
    )


def _agreement(models: list[str], values: Mapping[str, list[Fraction]], ours: Errors) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for place, model in enumerate(models):
        same, opposite, tied = agreement(list(ours.values()), [values[scheme][place] for scheme in ours])
        gamma = exact(Fraction(same - opposite, same + opposite)) if same + opposite else None
        yield f"model_{place + 1}", (model, same, opposite, tied, gamma, "no" if opposite else "yes")


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


def _opposite(models: list[str], values: Mapping[str, list[Fraction]], ours: Errors) -> Iterator[Item]:
    """Pairs of methods that some printed column orders the other way, if any."""
    rows: dict[str, tuple[str, ...]] = {}
    for pair in combinations(ours, 2):
        worse, better = sorted(pair, key=lambda scheme: -ours[scheme])
        printed = zip(models, values[worse], values[better], strict=True)
        where = [model for model, first, second in printed if ours[worse] > ours[better] and first < second]
        if where:
            rows[f"{worse}.{better}"] = (NAMES[worse], NAMES[better], ", ".join(where))
    yield claim("some_pairs_opposite", bool(rows))
    yield claim("no_pair_opposite", not rows)
    if rows:
        other_way = column("other_way", "Printed the other way for")
        yield table("opposite", [column("worse", "Worse here"), column("better", "Better here"), other_way], rows)
