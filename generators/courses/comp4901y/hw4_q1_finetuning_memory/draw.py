"""Draws the bytes of every method over the rank, and the recorded bytes beside the predicted ones."""

from __future__ import annotations

from generators.answer import Answer, Figure, Part
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.series import axis_label, spoken
from generators.figures.style import FONT_PT, LIGHT, MARKERS, new_axes, to_svg

METHODS = ("freezing", "adapters", "lora", "vera", "full")


def draw(answer: Answer) -> dict[str, Figure]:
    """Trainable bytes of every method against the rank, and what each device held."""
    figures = {"bytes_over_rank": _over_rank(answer)}
    return figures | {measured.label: _allocation(measured) for measured in answer.starting("measured_")}


def _over_rank(answer: Answer) -> Figure:
    table, rank = answer["comparison/over_rank"], answer["sheet/R"]
    series = [table[name] for name in METHODS]
    return line_figure(
        [line_of(table["rank"], one) for one in series],
        Axis(axis_label([table["rank"]]), scale="log", base=2),
        Axis(axis_label(series, "trainable parameters"), scale="log"),
        caption="Bytes of trainable parameters, and as many again of gradients, over the rank R.",
        guide=(float(rank), f"here: {rank.value}"),
    )


def _allocation(measured: Part) -> Figure:
    """A row a method and kind of value: predicted bytes as lines, stored and allocated ones as marks."""
    table = measured["bytes"]
    figure, axes = new_axes(height_in=3.6)
    names = [f"{row['method'].value}: {row['of'].value}" for row in table]
    places = dict(zip(table.rows, range(len(names)), strict=True))
    predicted = table["predicted"]
    found = [table[key] for key in ("stored", "allocated") if key in table.columns]
    axes.set_xscale("log", base=2)
    axes.vlines(list(predicted.numbers.values()), [y - 0.38 for y in places.values()], [y + 0.38 for y in places.values()],
                color=LIGHT["ink"], linewidth=1.6, label=predicted.label.lower())  # fmt: skip
    for one, marker, colour in zip(found, MARKERS, ("accent", "warning"), strict=False):
        axes.plot(list(one.numbers.values()), [places[row] for row in one.numbers], marker, color=LIGHT[colour],
                  label=one.label.lower(), markersize=5.5, fillstyle="none", markeredgewidth=1.4)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"{axis_label([predicted, *found], 'held')} (log scale)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.14), ncols=3, frameon=False, fontsize=FONT_PT, labelcolor=LIGHT["ink"])
    counts = ", ".join(f"{name} {spoken(size)}" for name, size in zip(names, predicted.numbers.values(), strict=True))
    return Figure(
        svg=to_svg(figure),
        caption=f"Predicted bytes and what torch held on {measured['device'].value}; marks on the lines mean that nothing was "
        "left out.",
        alt=f"Bytes of each method on a logarithmic axis, predicted: {counts}.",
        shows=(table.address,),
    )
