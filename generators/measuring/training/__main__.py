"""Train models: python -m generators.measuring.training pair|distil [--out FOLDER] [--device cuda].

`pair` makes code-small and code-draft with one tokenizer, from Python files. `distil` makes chat-draft from
SmolLM2-135M-Instruct; its other options are those of distil.py.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.errors import MeasureError
from generators.measuring.decoding.command import Parser, end_with, tell
from generators.measuring.decoding.models import MODELS
from generators.measuring.machine import device_named
from generators.measuring.training import corpus
from generators.measuring.training.architectures import CONTEXT_LEN, RECIPES, VOCAB_SIZE, make

if TYPE_CHECKING:
    import torch

PAIR = ("code-small", "code-draft")
TOKENIZER_BYTES = 40_000_000  # enough for 4096 tokens, and quick on two cores
MIB = 1024 * 1024


def parser() -> Parser:
    """The command line."""
    options = Parser(prog="python -m generators.measuring.training", description=__doc__.splitlines()[0])
    options.add_argument("models", choices=("pair",), help="code-small and code-draft")
    options.add_argument("--out", type=Path, default=MODELS, help="the folder that gets a folder a model")
    options.add_argument("--device", default="cpu")
    options.add_argument("--max-seconds", type=float, nargs="+", default=[3600.0], help="limit of each model's training loop")
    options.add_argument("--max-steps", type=int, help="fewer steps than the recipe's")
    options.add_argument("--batch", type=int, help="sequences a step, where the recipe's are too many for the device")
    options.add_argument("--max-mib", type=float, help="read no more than this much of the corpus")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Read the corpus once, then train and save each model; or distil."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] == "distil":
        from generators.measuring.training import distil

        distil.main(argv[1:], tell)
        return
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    arguments = parser().parse_args(argv)
    device = device_named(arguments.device)
    limits = arguments.max_seconds * (len(PAIR) if len(arguments.max_seconds) == 1 else 1)
    if len(limits) != len(PAIR) or min(limits) <= 0:
        raise MeasureError(f"max-seconds: must be one positive number, or one for each of {len(PAIR)} models (got {limits})")
    start = time.perf_counter()
    texts = corpus.read(max_bytes=int(arguments.max_mib * MIB) if arguments.max_mib else None)
    tell(f"read {len(texts.training)} files in {time.perf_counter() - start:.1f} s")
    tokenizer = _tokenizer(texts)
    data, held_out, facts = _encoded(tokenizer, texts)
    for name, limit in zip(PAIR, limits, strict=True):
        _train_one(name, limit, arguments, device, tokenizer, data, held_out, facts)


def _tokenizer(texts: corpus.Corpus) -> Any:
    from generators.measuring.training import tokenizer

    start, sample, total = time.perf_counter(), [], 0
    for text in texts.training:
        if total > TOKENIZER_BYTES:
            break
        sample.append(text)
        total += len(text)
    made = tokenizer.train(sample, VOCAB_SIZE, CONTEXT_LEN)
    tell(f"tokenizer of {len(made)} tokens trained on {total} characters in {time.perf_counter() - start:.1f} s")
    return made


def _encoded(tokenizer: Any, texts: corpus.Corpus) -> tuple[Any, Any, dict[str, Any]]:
    from generators.measuring.training.tokenizer import encode

    start = time.perf_counter()
    data, held_out = encode(tokenizer, texts.training), encode(tokenizer, texts.held_out)
    tell(f"{len(data)} tokens in {time.perf_counter() - start:.1f} s")
    if len(data) <= CONTEXT_LEN or len(held_out) <= CONTEXT_LEN:
        raise MeasureError(f"max-mib: must leave more than {CONTEXT_LEN} tokens (got {len(data)} and {len(held_out)} held out)")
    return data, held_out, {**texts.facts, "tokens": len(data), "vocab_size": len(tokenizer)}


def _train_one(
    name: str, limit: float, arguments: Any, device: torch.device, tokenizer: Any, data: Any, held_out: Any, facts: dict[str, Any]
) -> None:
    """Train and save one model."""
    from generators.measuring.training.card import as_markdown, card, save
    from generators.measuring.training.train import train

    recipe = replace(RECIPES[name], batch=arguments.batch or RECIPES[name].batch)
    steps = min(recipe.steps, arguments.max_steps or recipe.steps)
    model = make(recipe)
    trained = train(model, recipe, data, held_out, device, steps=steps, max_seconds=limit, tell=tell)
    tell(f"{name}: {trained}")
    told = card(recipe, model, facts, trained, device)
    save(model, tokenizer, told, arguments.out / name, as_markdown(told))
    tell(f"{name}: saved in {arguments.out / name}")


if __name__ == "__main__":
    end_with(main)
