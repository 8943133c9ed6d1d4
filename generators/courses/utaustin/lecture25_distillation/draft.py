"""The draft that was distilled from a language model: what it was made with, and how near it came to its target."""

from __future__ import annotations

from collections.abc import Iterator

from generators.answer import Item, Part, number, part, text
from generators.cells import significant
from generators.recording import Recording
from generators.table import column, table

DRAFT = "lecture25_distillation_draft"
MILLION = 10**6
PERCENT = 100


def recorded_draft(recording: Recording) -> Part:
    """The curve over the tokens of answers that the draft has seen, all measured on answers held out."""
    return part("draft", "A draft for a language model", *_made(recording), *_curve(recording))


def _made(recording: Recording) -> Iterator[Item]:
    made = recording.parameters
    target, draft = recording.models.values()
    yield text("device", recording.device)
    yield text("target", target["label"])
    yield number("target_parameters", target["parameters"])
    yield number("draft_parameters", draft["parameters"])
    for key in ("chats", "answer_tokens", "chats_held_out", "answer_tokens_held_out"):
        yield number(key, made[key])
    yield number("seconds", made["seconds"], "time of the training", unit="s")


def _curve(recording: Recording) -> Iterator[Item]:
    rows = {}
    for place, kl in enumerate(recording.find("kl")):
        agreement, overlap = (recording.one(quantity, **kl.at).median for quantity in ("agreement", "overlap"))
        seen = significant(float(kl.at["answer_tokens_seen"]) / MILLION, 3)
        rows[f"point_{place}"] = (seen, kl.median, *(significant(PERCENT * one, 3) for one in (agreement, overlap)))
    columns = [column("seen", "Million tokens seen"), column("divergence", unit="nat")]
    yield table("curve", [*columns, column("agreement", unit="%"), column("overlap", unit="%")], rows)
    yield number("agreement", list(rows.values())[-1][2], "agreement at the end", unit="%")
