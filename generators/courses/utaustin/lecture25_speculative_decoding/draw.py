"""Draws rounds as rows of tokens, the overlap of two distributions, and the expected tokens and gain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.style import FONT_PT, LIGHT, new_axes, plain, to_svg
from generators.pipeline.wording import counted
from generators.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Token = tuple[str, str]
"""A word, and what became of it."""
ROW_IN = 0.36
FRAMES = {
    "kept": ("accent-tint", "accent", 1.2, "-", "ink"),
    "own": ("accent", "accent", 1.2, "-", "paper"),
    "rejected": ("paper", "warning", 1.2, "--", "ink"),
    "unused": ("paper", "faint", 0.8, "-", "muted"),
}
"""Fill, border, its width and dashes, and ink."""


def draw(answer: Answer) -> dict[str, Figure]:
    """The greedy calls, the two distributions of the first token, tokens a call, and gain."""
    first = answer["sheet/first"].value
    return {
        "greedy": _rounds(answer["1/places"], first),
        "overlap": _overlap(answer["3/one_token"], first),
        "tokens": _tokens(answer["4/tokens_by_rate"]),
        "gain": _gain(answer["4/gain_by_length"], answer["4/best"], float(answer["sheet/c"])),
    }


def _rounds(table: Table, first: str) -> Figure:
    """Draw two rows a call, what the draft proposes and what the target would say, in columns of the text's places."""
    calls: dict[str, tuple[list[Token], list[Token]]] = {}
    for row in table.rows.values():
        drafted, choices = calls.setdefault(str(row["call"]), ([], []))
        fate = str(row["fate"])
        choices.append((str(row["choice"]), fate))
        if row["drafted"] is not None:
            drafted.append((str(row["drafted"]), "rejected" if fate == "own" else fate))
    figure, axes = new_axes(height_in=(2.5 * len(calls) + 0.4) * ROW_IN)
    place, y, columns = 1, 0.0, 0
    words = [first]
    axes.text(0.5, 1, plain(first), ha="center", va="center", color=LIGHT["ink"], fontsize=FONT_PT)
    for number, (drafted, choices) in calls.items():
        axes.text(-0.15, y + 1, f"call {number}", ha="right", va="center", color=LIGHT["ink"], fontsize=FONT_PT)
        for line, tokens in ((y, drafted), (y + 1, choices)):
            for column, (word, mark) in enumerate(tokens, place):
                _token(axes, column, line, word, mark)
        columns = place + len(choices)
        emitted = [word for word, mark in choices if mark != "unused"]
        place, y = place + len(emitted), y + 2.5
        words += emitted
    axes.set(xlim=(-0.9, columns), ylim=(y, -0.1))
    axes.set_axis_off()
    return Figure(
        svg=to_svg(figure),
        caption=(
            "Of each call the upper row is drafted, the lower one is what the target would say at each place. "
            "Light: both agree; dark: the target's own token, with which the call ends; dashed: rejected; pale: unused."
        ),
        alt=f"Rows of tokens for {counted(len(calls), 'call')}; the text so far reads: {' '.join(words)}.",
        shows=(table.address,),
    )


def _token(axes: Axes, column: float, row: float, word: str, mark: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, border, width, dashes, ink = FRAMES[mark]
    box = FancyBboxPatch(
        (column + 0.1, row + 0.12), 0.8, 0.76, boxstyle="round,pad=0,rounding_size=0.12", facecolor=LIGHT[fill],
        edgecolor=LIGHT[border], linewidth=width, linestyle=dashes,
    )  # fmt: skip
    axes.add_patch(box)
    axes.text(column + 0.5, row + 0.52, plain(word), ha="center", va="center", color=LIGHT[ink], fontsize=FONT_PT,
              fontweight="bold" if mark == "own" else "normal")  # fmt: skip


def _overlap(table: Table, first: str) -> Figure:
    """Draw p and q of each token side by side and fill what they share."""
    from matplotlib.patches import Patch

    words = [str(word) for word in table["x"].cells.values()]
    p, q, shared = (list(table[key].numbers.values()) for key in ("p", "q", "drafted_and_kept"))
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
        shows=(table.address,),
    )


def _tokens(table: Table) -> Figure:
    """Draw the expected tokens a call over the acceptance rate, a line a draft length."""
    rates, *lengths = (table[key] for key in table.columns)
    longest = max(value for one in lengths for value in one.numbers.values())
    return line_figure(
        [line_of(rates, one) for one in lengths],
        Axis(rates.label, limits=(0, 1)),
        Axis("expected tokens a target call", limits=(0, longest + 0.5)),
        caption="Each further drafted token brings less, and the less the lower the acceptance rate α.",
    )


def _gain(table: Table, best: Table, cost_ratio: float) -> Figure:
    """Draw the expected walltime gain over the draft length, a line a rate, with the best length marked."""
    lengths, gains = best["best_gamma"].numbers, best["gain"].numbers
    lines = [replace(line_of(table["gamma"], table[key]), marked=((lengths[key], gains[key]),)) for key in best.rows]
    marks = [f"{gains[key]:.3g} at γ = {lengths[key]:g} for {table[key].label}" for key in best.rows]
    figure = line_figure(
        lines,
        Axis("drafted tokens γ", whole=True),
        Axis("expected walltime gain", limits=(0, 1.1 * max(gains.values()))),
        caption=f"The gain over the length of the draft at c = {cost_ratio:g}; the mark is the best length of each line.",
        alt=f"Expected walltime gain over the draft length. Largest: {'; '.join(marks)}.",
    )
    return replace(figure, shows=(*figure.shows, best.address))
