"""Draws every product on every accelerator's roofline, and the timed ones on the measured roofline of each device."""

from __future__ import annotations

from generators.answer import Answer, Figure, Part
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.roofline_chart import Roof, measured_figure, roofline_figure


def draw(answer: Answer) -> dict[str, Figure]:
    """The rooflines of the accelerators, and one for each device on which products were timed."""
    shares, known = answer["roofline/share_of_peak"], answer["roofline/accelerators"]
    roofs = [Roof(str(row["name"].value), float(row["peak"]), float(row["bandwidth"])) for row in known]
    points = [(str(row["product"].value), float(row["intensity"])) for row in shares]
    figures = {"roofline": roofline_figure(roofs, points, (shares.address, known.address))}
    return figures | {measured.label: _measured(measured) for measured in answer.starting("measured_")}


def _measured(measured: Part) -> Figure:
    roof = Roof(measured["device"].value, float(measured["rate"]), float(measured["bandwidth"]))
    products = measured["products"]
    rows = [(str(row["product"].value), float(row["intensity"]), float(row["rate"])) for row in products]
    return measured_figure(roof, rows, (products.address, measured["rate"].address, measured["bandwidth"].address))
