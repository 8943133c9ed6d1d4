"""The roofline: attainable FLOP/s over arithmetic intensity, with products marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from generators.answer import Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

Named = tuple[str, float]
"""A product's name, such as `decode: FFN up`, and its intensity."""

LINE_SHARE = 0.031
"""The height of a line of text, of the plot's width: upright labels stand side by side at this distance."""
LETTER_SHARE = 0.02
"""The width of a letter, of the plot's height."""


@dataclass(frozen=True)
class Roof:
    """An accelerator's peak in TFLOP/s and its bandwidth in GB/s."""

    name: str
    peak_tflops: float
    bandwidth_gb_per_s: float

    def attainable(self, intensity: float) -> float:
        """TFLOP/s at this intensity in FLOPs per byte."""
        return min(self.peak_tflops, intensity * self.bandwidth_gb_per_s / 1000)

    @property
    def ridge(self) -> float:
        """Where the slope meets the flat roof, in FLOPs per byte."""
        return self.peak_tflops * 1000 / self.bandwidth_gb_per_s


def roofline_figure(roofs: list[Roof], products: list[Named], shows: tuple[str, ...]) -> Figure:
    """Draw every roof, and every product as a mark on each roof with a guide; products close together share a label."""
    xs = [x for _, x in products]
    low, high = min(0.5, min(xs) / 2), max(8 * max(roof.ridge for roof in roofs), 2.5 * max(xs))
    figure, axes = _log_axes(4.3, low, high, "attainable TFLOP/s (log scale)")
    for number, roof in enumerate(roofs):
        _draw_roof(axes, roof, number, products)
    heights = {name: min(roof.attainable(x) for roof in roofs) for name, x in products}
    _label_products(axes, products, heights, 1.6 * max(roof.peak_tflops for roof in roofs))
    _name_roofs(axes, roofs)
    bound = "; ".join(f"{roof.name} has its ridge at {roof.ridge:.0f} FLOP/B" for roof in roofs)
    marks = ", ".join(f"{name} at {x:.4g}" for name, x in products)
    return Figure(
        svg=to_svg(figure),
        caption="Every product on every roofline: left of a ridge the product waits for memory, right of it for arithmetic.",
        alt=f"Roofline chart, both axes logarithmic. {bound}. Products by FLOPs per byte: {marks}.",
        shows=shows,
    )


def measured_figure(roof: Roof, products: list[tuple[str, float, float]], shows: tuple[str, ...]) -> Figure:
    """Draw one measured roof, and below it every product (name, FLOP/B, TFLOP/s) at the rate it was timed at."""
    xs = [x for _, x, _ in products]
    low, high = min(0.2, min(xs) / 3), max(8 * roof.ridge, 2.5 * max(xs))
    figure, axes = _log_axes(4.0, low, high, "TFLOP/s (log scale)")
    _draw_roof(axes, roof, 0, [])
    for number, phase in enumerate(dict.fromkeys(name.partition(": ")[0] for name, _, _ in products), 1):
        places = [(x, rate) for name, x, rate in products if name.startswith(f"{phase}: ")]
        axes.plot(*zip(*places, strict=True), MARKERS[number], color=LIGHT[SERIES[number]], markersize=5, label=f"{phase}, timed")
    heights = {name: rate for name, _, rate in products}
    _label_products(axes, [(name, x) for name, x, _ in products], heights, 1.6 * roof.peak_tflops)
    axes.legend(loc="upper left", frameon=False, fontsize=FONT_PT, labelcolor=LIGHT["ink"])
    rates = ", ".join(f"{name} {rate:.3g} of {roof.attainable(x):.3g}" for name, x, rate in products)
    return Figure(
        svg=to_svg(figure),
        caption=f"Timed rates below the measured roofline of {roof.name}: the nearer to the line, the less is lost.",
        alt=f"Roofline chart, both axes logarithmic, ridge at {roof.ridge:.3g} FLOP/B. TFLOP/s of what is attainable: {rates}.",
        shows=shows,
    )


def _log_axes(height_in: float, low: float, high: float, label: str) -> tuple[Drawing, Axes]:
    figure, axes = new_axes(height_in)
    axes.set(xscale="log", yscale="log", xlim=(low, high), xlabel="arithmetic intensity, FLOP/B (log scale)", ylabel=label)
    return figure, axes


def _label_products(axes: Axes, products: list[Named], heights: Mapping[str, float], top: float) -> None:
    """A guide at every intensity; left of each group's first one its names, which end below what is drawn at `heights`."""
    low, high = axes.get_xlim()
    groups = grouped(products, math.log(high / low))
    labels = [joined([name for name, _ in group]) for group in groups]
    bottom = min(
        _bottom(label, min(heights[name] for name, _ in group), top) for label, group in zip(labels, groups, strict=True)
    )
    axes.set_ylim(bottom, top)
    for label, group in zip(labels, groups, strict=True):
        for _, x in group:
            axes.axvline(x, color=LIGHT["faint"], linewidth=0.8, zorder=0)
        axes.text(group[0][1], bottom * (top / bottom) ** 0.02, label, rotation=90, ha="right", va="bottom",
                  color=LIGHT["ink"], fontsize=FONT_PT)  # fmt: skip


def _bottom(label: str, height: float, top: float) -> float:
    """Where a logarithmic axis up to `top` must begin for the label to end below `height`."""
    share = 0.05 + LETTER_SHARE * max(map(len, label.splitlines()))
    return math.exp((math.log(height) - share * math.log(top)) / (1 - share))


def _draw_roof(axes: Axes, roof: Roof, number: int, products: list[Named]) -> None:
    colour = LIGHT[SERIES[number]]
    low, high = axes.get_xlim()
    corners = [low, roof.ridge, high]
    axes.plot(corners, [roof.attainable(x) for x in corners], color=colour, linestyle=DASHES[number], linewidth=1.6)
    xs = [x for _, x in products]
    axes.plot(xs, [roof.attainable(x) for x in xs], MARKERS[number], color=colour, markersize=5)


def _name_roofs(axes: Axes, roofs: list[Roof]) -> None:
    """Name each roof at the left of the picture, in the order of their slopes, with its line and mark."""
    from matplotlib.lines import Line2D

    ordered = sorted(enumerate(roofs), key=lambda pair: -pair[1].bandwidth_gb_per_s)
    handles = [
        Line2D([], [], color=LIGHT[SERIES[i]], linestyle=DASHES[i], marker=MARKERS[i], markersize=5, label=plain(roof.name))
        for i, roof in ordered
    ]
    axes.legend(handles=handles, loc="upper left", frameon=False, fontsize=FONT_PT, labelcolor=LIGHT["ink"], handlelength=3.5)


def grouped(products: Sequence[Named], span: float) -> list[list[Named]]:
    """Products by rising intensity, in groups whose labels do not touch on an axis of `span` = ln(highest/lowest)."""
    groups = [[product] for product in sorted(products, key=lambda pair: pair[1])]
    while True:
        widths = [LINE_SHARE * len(joined([name for name, _ in group]).splitlines()) for group in groups[1:]]
        distances = [math.log(right[0][1] / left[-1][1]) / span for left, right in pairwise(groups)]
        gaps = [distance - width for distance, width in zip(distances, widths, strict=True)]
        if not gaps or min(gaps) >= 0:
            return groups
        first = gaps.index(min(gaps))
        groups[first : first + 2] = [groups[first] + groups[first + 1]]


def joined(names: Sequence[str]) -> str:
    """One line a phase: `decode: a`, `decode: b` become `decode: a, b`; three and more `decode: 3 products`."""
    phases: dict[str, list[str]] = {}
    for name in names:
        phase, _, product = name.partition(": ")
        phases.setdefault(phase, []).append(product)
    return "\n".join(
        f"{phase}: {', '.join(found) if len(found) < 3 else f'{len(found)} products'}" for phase, found in phases.items()
    )
