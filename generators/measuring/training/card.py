"""Saves a trained model in half precision with a card that says where its weights come from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.measuring.decoding.models import CARD, shape_of
from generators.measuring.machine import described
from generators.measuring.training.architectures import CONTEXT_LEN, Recipe
from generators.measuring.training.train import Trained

if TYPE_CHECKING:
    import torch


def card(recipe: Recipe, model: Any, data: dict[str, Any], trained: Trained, device: torch.device) -> dict[str, Any]:
    """All that is known of a model: shape, data, training, machine and date."""
    machine = {key: value for key, value in described(device).items() if key != "device_kind"}
    return {
        "label": recipe.label,
        "name": recipe.name,
        **shape_of(model),
        "data": data,
        "training": {
            **asdict(trained),
            "seed": recipe.seed,
            "batch": recipe.batch,
            "context_len": CONTEXT_LEN,
            "learning_rate": recipe.learning_rate,
        },
        **machine,
    }


def save(model: Any, tokenizer: Any, facts: dict[str, Any], folder: Path, text: str) -> None:
    """Write config, float16 safetensors, tokenizer, card.json and the card for people into `folder`."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / CARD).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(text, encoding="utf-8")


def as_markdown(facts: dict[str, Any]) -> str:
    """The card for people."""
    data, training = facts["data"], facts["training"]
    held_out = f"{data['files_held_out']} files held out"
    steps = f"{training['steps']} steps of {training['batch']} × {training['context_len']}, seed {training['seed']}"
    return f"""# {facts["name"]}

{facts["label"][:1].upper()}{facts["label"][1:]}. It continues Python code and is good for nothing else: it stands in where a
page needs a real model and there is no network.

| | |
|---|---|
| architecture | {facts["architecture"]}, {facts["layers"]} layers of width {facts["hidden_size"]} |
| parameters | {facts["parameters"]} |
| data | {data["source"]}: {data["files"]} files, {data["bytes"]} bytes, {data["tokens"]} tokens; {held_out} |
| tokenizer | byte-level BPE of {data["vocab_size"]} tokens, trained on the same files |
| training | {training["tokens_seen"]} tokens in {steps} |
| loss | {training["training_loss"]} nats a token at the end, {training["held_out_loss"]} on the files held out |
{machine(facts, training["seconds"])}

Made by `python -m generators.measuring.training pair`.
"""


def machine(facts: dict[str, Any], seconds: float) -> str:
    """The last rows of a card: how long the training took, where, with which versions, and when."""
    device = facts["device"] + (f", driver {facts['driver']}" if facts["driver"] else "")
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return f"""| time | {seconds} s on {device} |
| versions | {versions} |
| date | {facts["date"]} |"""
