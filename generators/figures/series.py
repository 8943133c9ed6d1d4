"""What pictures take from the columns that they draw: labels and units."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from generators.table import Series


def axis_label(series: Sequence[Series], what: str = "") -> str:
    """The label of an axis on which these columns are drawn: `what` or the one column's label, and their unit.

    Columns of two units on one axis raise ValueError, and so do several columns that `what` does not name together.
    """
    units = list(dict.fromkeys(one.unit for one in series))
    if len(units) != 1:
        raise ValueError(f"one axis must have one unit (got {', '.join(unit or 'none' for unit in units)})")
    if not what and len(series) != 1:
        raise ValueError(f"several columns on one axis need a name (got {', '.join(one.label for one in series)})")
    name = lowered(what or series[0].label)
    return f"{name}, {units[0]}" if units[0] else name


def spoken(number: float) -> str:
    """A number in an alternative text: four digits, or all before the point in groups of three, without an exponent."""
    return f"{number:,.0f}" if abs(number) >= 1000 else format(Decimal(f"{number:.4g}"), "f")


def lowered(label: str) -> str:
    """A label within a sentence: its first letter is small unless its first word is a name such as LoRA or B."""
    return label[:1].lower() + label[1:] if label.partition(" ")[0][1:].islower() else label
