"""One visual language: colours by what they mean, for CSS, matplotlib and DOT alike."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from generators.glyphs import FONT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

LIGHT = {
    "ink": "#24292f",
    "muted": "#6b7280",
    "faint": "#d5d9e0",
    "paper": "#ffffff",
    "accent": "#0072b2",
    "accent-tint": "#d3e8f5",
    "warning": "#c04a00",
    "warning-tint": "#fbe3d3",
    "third": "#00805c",
    "fourth": "#a3488a",
    "fifth": "#8a6a00",
}
"""Okabe and Ito's colour-blind-safe hues, darkened where needed for 4.5:1 contrast on white."""

DARK = {
    "ink": "#e6e8eb",
    "muted": "#a3abb8",
    "faint": "#454c59",
    "paper": "#1e2129",
    "accent": "#63b8ee",
    "accent-tint": "#164560",
    "warning": "#ff9a5c",
    "warning-tint": "#5b2f16",
    "third": "#3fcfa3",
    "fourth": "#e79acb",
    "fifth": "#e3c04f",
}

SERIES = ("accent", "warning", "third", "fourth", "fifth")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
"""Line styles that go with SERIES, so that no series is told apart by colour alone."""
MARKERS = ("o", "s", "^", "D", "v")
PRINTED_WIDTH_IN = 6.3
CHART_WIDTH_IN = 4.8
"""So narrow that the labels of a chart scaled to a phone can be read."""
PHONE_WIDTH_IN = 4.3
"""What is wider cannot be read on a phone, in a box."""
FONT_PT = 9

_COLOURS = re.compile("|".join(LIGHT.values()))
_DARK_OF = {LIGHT[name]: DARK[name] for name in LIGHT}


def dark(svg: str) -> str:
    """The same picture in the dark palette."""
    return _COLOURS.sub(lambda match: _DARK_OF[match[0]], svg)


def palette_css() -> str:
    """The palette as CSS variables for both colour schemes; paper is always light."""
    light, dark = ("".join(f"  --answer-{name}: {value};\n" for name, value in one.items()) for one in (LIGHT, DARK))
    return f'[data-md-color-scheme] {{\n{light}}}\n@media screen {{\n[data-md-color-scheme="slate"] {{\n{dark}}}\n}}\n'


def new_axes(height_in: float, width_in: float = PRINTED_WIDTH_IN) -> tuple[Drawing, Axes]:
    """An empty drawing at printed size with bare axes: no frame, no ticks' chrome."""
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(width_in, height_in))
    figure.set_layout_engine("tight", pad=0.4)  # measures all texts once, where "constrained" does it twice
    axes = figure.add_subplot()
    bare(axes)
    return figure, axes


def bare(axes: Axes) -> None:
    """Take the frame off axes, and give ticks and labels their colours and size."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LIGHT["muted"])
    axes.tick_params(which="both", colors=LIGHT["muted"], labelcolor=LIGHT["ink"], labelsize=FONT_PT)
    axes.xaxis.label.set(color=LIGHT["ink"], size=FONT_PT)
    axes.yaxis.label.set(color=LIGHT["ink"], size=FONT_PT)


def to_svg(figure: Drawing) -> str:
    """The drawing as SVG text, the same bytes on every run: no date, fixed ids, glyphs as shapes."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    settings = {"svg.hashsalt": "answers", "svg.fonttype": "path", "font.family": FONT, "mathtext.fontset": "dejavusans"}
    for axes in figure.axes:
        axes.minorticks_off()  # on a logarithmic axis they are most of what there is to draw, and are not labelled
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_visible(False)
    buffer = io.StringIO()
    with matplotlib.rc_context(settings):  # `savefig` would draw everything once more, to find the size
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return bare_svg(_PATH.sub(lambda path: _FINE.sub(r"\1", path[0]), buffer.getvalue()))


_PATH, _FINE = re.compile(r' d="[^"]*"'), re.compile(r"(\.\d\d)\d+")
"""A path's points, and what is finer than a hundredth of a point, which nobody sees."""


def bare_svg(svg: str) -> str:
    """Drop what stands before the <svg> element, and comments."""
    return re.sub(r"<!--.*?-->\s*", "", svg[svg.index("<svg") :], flags=re.DOTALL)


def plain(text: str) -> str:
    """Text from parameters for matplotlib, in which a dollar sign would start a formula."""
    return text.replace("$", r"\$")


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(number: int) -> str:
    """13 becomes ₁₃."""
    return str(number).translate(_SUBSCRIPTS)


def subscripted(token: str) -> str:
    """t13 becomes t₁₃; any other text stays as it is."""
    return re.sub(r"\b([A-Za-z])(\d+)\b", lambda match: match[1] + match[2].translate(_SUBSCRIPTS), token)


def spread(positions: list[float], gap: float) -> list[float]:
    """Move label positions apart until neighbours are at least `gap` from each other, keeping their order."""
    order = sorted(range(len(positions)), key=positions.__getitem__)
    placed = [positions[i] for i in order]
    for _ in range(200):
        for k in range(len(placed) - 1):
            overlap = gap - (placed[k + 1] - placed[k])
            if overlap > 1e-9:
                placed[k] -= overlap / 2
                placed[k + 1] += overlap / 2
    result = [0.0] * len(positions)
    for rank, i in enumerate(order):
        result[i] = placed[rank]
    return result
