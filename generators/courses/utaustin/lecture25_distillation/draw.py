"""Draws how near the distilled draft came to its target."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, line_figure, line_of


def draw(answer: Answer) -> dict[str, Figure]:
    """One picture, where the curve was recorded."""
    if "draft" not in answer.parts:
        return {}
    table = answer["draft/curve"]
    return {
        "curve": line_figure(
            [line_of(table["seen"], table[key], marked=True) for key in ("agreement", "overlap")],
            Axis("million tokens of answers seen"),
            Axis("share (%)", limits=(0, 100)),
            caption="How near the draft came to its target on the answers held out, against the tokens that it had seen.",
        )
    }
