"""Rounds of speculative decoding as rows of tokens, and the overlap of two distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from generators.answer import Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.style import FONT_PT, LIGHT, new_axes, plain, to_svg
from generators.pipeline.wording import counted
from generators.steps import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mark = Literal["kept", "own", "rejected", "unused"]
Token = tuple[str, Mark]
Points = list[tuple[float, float]]
ROW_IN = 0.36
FRAMES: dict[Mark, tuple[str, str, float, str, str]] = {
    "kept": ("accent-tint", "accent", 1.2, "-", "ink"),
    "own": ("accent", "accent", 1.2, "-", "paper"),
    "rejected": ("paper", "warning", 1.2, "--", "ink"),
    "unused": ("paper", "faint", 0.8, "-", "muted"),
}
"""Fill, border, its width and dashes, and ink."""


def rounds_figure(first: str, rounds: list[tuple[list[Token], list[Token]]]) -> Figure:
    """Draw two rows a call, what the draft proposes and what the target would say, in columns of the text's places."""
    rows = 2 * len(rounds)
    figure, axes = new_axes(height_in=(rows + 0.5 * len(rounds) + 0.4) * ROW_IN)
    place, y = 1, 0.0
    words = [first]
    axes.text(0.5, 1, plain(first), ha="center", va="center", color=LIGHT["ink"], fontsize=FONT_PT)
    for number, (drafted, choices) in enumerate(rounds, 1):
        axes.text(-0.15, y + 1, f"call {number}", ha="right", va="center", color=LIGHT["ink"], fontsize=FONT_PT)
        for row, tokens in ((y, drafted), (y + 1, choices)):
            for column, (word, mark) in enumerate(tokens, place):
                _token(axes, column, row, word, mark)
        emitted = [word for word, mark in choices if mark in {"kept", "own"}]
        place, y = place + len(emitted), y + 2.5
        words += emitted
    columns = max(place, place - len(emitted) + len(choices))
    axes.set(xlim=(-0.9, columns), ylim=(y, -0.1))
    axes.set_axis_off()
    return Figure(
        svg=to_svg(figure),
        caption=(
            "Of each call the upper row is drafted, the lower one is what the target would say at each place. "
            "Light: both agree; dark: the target's own token, with which the call ends; dashed: rejected; pale: unused."
        ),
        alt=f"Rows of tokens for {counted(len(rounds), 'call')}; the text so far reads: {' '.join(words)}.",
    )


def _token(axes: Axes, column: float, row: float, word: str, mark: Mark) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, border, width, dashes, ink = FRAMES[mark]
    box = FancyBboxPatch(
        (column + 0.1, row + 0.12), 0.8, 0.76, boxstyle="round,pad=0,rounding_size=0.12", facecolor=LIGHT[fill],
        edgecolor=LIGHT[border], linewidth=width, linestyle=dashes,
    )  # fmt: skip
    axes.add_patch(box)
    axes.text(column + 0.5, row + 0.52, plain(word), ha="center", va="center", color=LIGHT[ink], fontsize=FONT_PT,
              fontweight="bold" if mark == "own" else "normal")  # fmt: skip


def overlap_figure(table: Table, first: str) -> Figure:
    """Draw p and q of each token side by side and fill what they share; takes columns x, p(x), q(x)."""
    from matplotlib.patches import Patch

    words = [str(word) for word in table.column("x")]
    p, q = ([float(rational(cell)) for cell in table.column(name)] for name in ("p(x)", "q(x)"))
    shared = [min(pair) for pair in zip(p, q, strict=True)]
    figure, axes = new_axes(height_in=3.0)
    for offset, heights, colour, name in ((-0.19, p, "accent", "p"), (0.19, q, "warning", "q")):
        places = [place + offset for place in range(len(words))]
        axes.bar(places, heights, 0.34, facecolor="none", edgecolor=LIGHT[colour], linewidth=1.6)
        axes.bar(places, shared, 0.34, facecolor=LIGHT["faint"], edgecolor="none", zorder=0)
        for place, height in zip(places, heights, strict=True):
            axes.text(place, height + 0.01, name, ha="center", va="bottom", color=LIGHT[colour], fontsize=FONT_PT)
    axes.set_xticks(range(len(words)), [plain(word) for word in words])
    axes.set(ylabel="probability", xlabel=plain(f"next token after “{first}”"))
    axes.tick_params(axis="x", length=0)
    axes.legend(handles=[Patch(facecolor=LIGHT["faint"], label="shared: drafted and kept")], frameon=False, fontsize=FONT_PT,
                labelcolor=LIGHT["ink"])  # fmt: skip
    bars = "; ".join(f"{word} {left:g} and {right:g}" for word, left, right in zip(words, p, q, strict=True))
    return Figure(
        svg=to_svg(figure),
        caption="Target p and draft q of one token. Grey is kept; what p has above it is what a rejected token is drawn from.",
        alt=f"Bars of p and q for each next token after {first}: {bars}. They share {sum(shared):g}.",
    )


def tokens_figure(tokens: Mapping[int, Points]) -> Figure:
    """Draw the expected tokens a call over the acceptance rate, a line a draft length."""
    longest = max(tokens)
    return line_figure(
        [Line(f"γ = {n}", points) for n, points in tokens.items()],
        Axis("acceptance rate α", limits=(0, 1)),
        Axis("expected tokens a target call", limits=(0, longest + 1.5)),
        caption="Drafting longer helps only where nearly every drafted token is kept.",
        alt=f"Expected tokens a call over the acceptance rate, from 1 at α = 0 to γ + 1 at α = 1, for γ = {list(tokens)}.",
    )


def gain_figure(gains: Mapping[float, Points], cost_ratio: float) -> Figure:
    """Draw the expected walltime gain over the draft length, a line a rate, with the best length marked."""
    best = {rate: max(points, key=lambda point: point[1]) for rate, points in gains.items()}
    largest = "; ".join(f"{y:.3g} at γ = {x:g} for α = {rate:g}" for rate, (x, y) in best.items())
    return line_figure(
        [Line(f"α = {rate:g}", points, (best[rate],)) for rate, points in gains.items()],
        Axis("drafted tokens γ", whole=True),
        Axis("expected walltime gain", limits=(0, 1.1 * max(y for _, y in best.values()))),
        caption=f"The gain over the length of the draft at c = {cost_ratio:g}; the mark is the best length of each line.",
        alt=f"Expected walltime gain over the draft length. Largest: {largest}.",
    )
