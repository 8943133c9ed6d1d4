"""Draws the tensor once a technique, with the values of each statistic in one colour and pattern."""

from __future__ import annotations

from fractions import Fraction

from generators.answer import Answer, Figure
from generators.cells import rational
from generators.courses.ift6135.a2_q1_normalization.tensor_picture import tensor_picture
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """What shares a mean is what the tensor of means has one entry for."""
    given, tensor = answer["sheet/tensor"], _blocks(answer["sheet/tensor"])
    figures = {}
    for technique in ("batch", "layer", "instance"):
        means = answer[f"1/{technique}_mean"]
        each_sample, each_channel = "sample_all" not in means.rows, "channel_all" not in means.columns
        name = f"{technique.capitalize()} normalization"
        figures[f"{technique}_subsets"] = tensor_picture(tensor, name, each_sample, each_channel, (given.address, means.address))
    return figures


def _blocks(given: Table) -> list[list[list[Fraction]]]:
    """The entries by sample, channel and feature."""
    features = [key for key in given.columns if key not in ("sample", "channel")]
    blocks: dict[int, list[list[Fraction]]] = {}
    for row in given:
        blocks.setdefault(int(row["sample"]), []).append([rational(row[key].value) for key in features])
    return list(blocks.values())
