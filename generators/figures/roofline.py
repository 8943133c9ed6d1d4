"""The roofline: attainable FLOP/s over arithmetic intensity, with products marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from generators.answer import Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def roofline_figure(roofs: list[Roof], products: list[tuple[str, float]]) -> Figure:
    """Draw every roof, and every product as a mark on each roof with a labelled guide."""
    figure, axes = new_axes(height_in=4.3)
    axes.set(xscale="log", yscale="log")
    xs = [x for _, x in products]
    axes.set_xlim(min(0.5, min(xs) / 2), max(8 * max(roof.ridge for roof in roofs), 2.5 * max(xs)))
    for number, roof in enumerate(roofs):
        _draw_roof(axes, roof, number, products)
    lowest = min(roof.attainable(min(xs)) for roof in roofs)
    axes.set_ylim(lowest / 90, 1.6 * max(roof.peak_tflops for roof in roofs))
    for names, intensity in grouped(products):
        axes.axvline(intensity, color=LIGHT["faint"], linewidth=0.8, zorder=0)
        axes.text(intensity, axes.get_ylim()[0] * 1.25, f" {names}", rotation=90, ha="right", va="bottom",
                  color=LIGHT["ink"], fontsize=FONT_PT)  # fmt: skip
    _name_roofs(axes, roofs)
    axes.set_xlabel("arithmetic intensity, FLOP/B (log scale)")
    axes.set_ylabel("attainable TFLOP/s (log scale)")
    bound = "; ".join(f"{roof.name} has its ridge at {roof.ridge:.0f} FLOP/B" for roof in roofs)
    marks = ", ".join(f"{names} at {x:.4g}" for names, x in grouped(products))
    return Figure(
        svg=to_svg(figure),
        caption="Every product on every roofline: left of a ridge the product waits for memory, right of it for arithmetic.",
        alt=f"Roofline chart, both axes logarithmic. {bound}. Products by FLOPs per byte: {marks}.",
    )


def _draw_roof(axes: Axes, roof: Roof, number: int, products: list[tuple[str, float]]) -> None:
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


def grouped(products: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Join the names of products whose guides would touch, within 8 percent; each group stands at its mean."""
    groups: list[list[tuple[str, float]]] = []
    for name, x in sorted(products, key=lambda pair: pair[1]):
        if groups and x < 1.08 * groups[-1][0][1]:
            groups[-1].append((name, x))
        else:
            groups.append([(name, x)])
    return [(_joined([name for name, _ in group]), sum(x for _, x in group) / len(group)) for group in groups]


def _joined(names: list[str]) -> str:
    """`decode: a`, `decode: b` become `decode: a, b`; three and more `decode: 3 products`."""
    phase, _, first = names[0].partition(": ")
    if first and all(name.startswith(f"{phase}: ") for name in names):
        rest = [name.removeprefix(f"{phase}: ") for name in names]
        return f"{phase}: {len(rest)} products" if len(rest) > 2 else f"{phase}: {', '.join(rest)}"
    return ", ".join(names)
