"""The training loop: AdamW on random windows of the corpus, in bfloat16 where the device is a GPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators.measuring.timing import synchronise
from generators.measuring.training.architectures import CONTEXT_LEN, Recipe

if TYPE_CHECKING:
    import numpy as np
    import torch

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training run did."""

    steps: int
    tokens_seen: int
    seconds: float
    training_loss: float  # nats a token, mean of the last steps
    held_out_loss: float  # nats a token


def train(
    model: Any,
    recipe: Recipe,
    data: np.ndarray[Any, Any],
    held_out: np.ndarray[Any, Any],
    device: torch.device,
    *,
    steps: int,
    max_seconds: float,
    tell: Tell,
) -> Trained:
    """Train in place for `steps` steps or `max_seconds`, whichever is sooner; the learning rate falls to a tenth by then."""
    import torch

    model.to(device).train()
    tokens = torch.from_numpy(data.astype("int32")).to(device)
    optimizer = torch.optim.AdamW(groups(model), lr=recipe.learning_rate, betas=(0.9, 0.95), fused=device.type == "cuda")
    generator = torch.Generator(device).manual_seed(recipe.seed)
    start, step, progress, recent = time.perf_counter(), 0, 0.0, torch.zeros((), device=device)
    while progress < 1:
        rate = learning_rate(recipe.learning_rate, recipe.warmup_steps, step, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = _loss(model, _windows(tokens, recipe.batch, generator))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        recent = recent.lerp(loss.detach(), 0.02) if step else loss.detach()
        step += 1
        if step % 20 == 0 or step < 20:
            synchronise(device)  # so that the clock below counts finished steps
        if step % 200 == 0:
            tell(f"{recipe.name}: step {step}, loss {float(recent):.3f}, {time.perf_counter() - start:.0f} s")
        progress = max(step / steps, (time.perf_counter() - start) / max_seconds)
    synchronise(device)
    seconds = time.perf_counter() - start
    return Trained(
        steps=step,
        tokens_seen=step * recipe.batch * CONTEXT_LEN,
        seconds=round(seconds, 1),
        training_loss=round(float(recent), 4),
        held_out_loss=round(held_out_loss(model, held_out, recipe.batch), 4),
    )


def groups(model: Any) -> list[dict[str, Any]]:
    """Weight decay for matrices only."""
    parameters = list(model.parameters())
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": 0.1},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def learning_rate(peak: float, warmup_steps: int, step: int, progress: float) -> float:
    """Linear warm-up, then a cosine down to a tenth of the peak at `progress` 1."""
    warm = min(1.0, (step + 1) / warmup_steps)
    return peak * warm * (0.1 + 0.45 * (1 + math.cos(math.pi * min(progress, 1.0))))


def _windows(tokens: torch.Tensor, batch: int, generator: torch.Generator) -> torch.Tensor:
    """Random windows of the corpus, (batch, CONTEXT_LEN + 1)."""
    import torch

    starts = torch.randint(len(tokens) - CONTEXT_LEN, (batch, 1), generator=generator, device=tokens.device)
    return tokens[starts + torch.arange(CONTEXT_LEN + 1, device=tokens.device)].long()


def _loss(model: Any, windows: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy, in nats, of each next token; (batch, tokens + 1) ids."""
    import torch

    with torch.autocast(windows.device.type, torch.bfloat16, enabled=windows.device.type == "cuda"):
        logits = model(input_ids=windows[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten())


def held_out_loss(model: Any, held_out: np.ndarray[Any, Any], batch: int, most: int = 20) -> float:
    """Mean loss, in nats a token, over at most `most` batches of consecutive windows of held-out ids."""
    import torch

    device = next(model.parameters()).device
    windows = max(1, min((len(held_out) - 1) // CONTEXT_LEN, most * batch))
    rows = [held_out[number * CONTEXT_LEN : (number + 1) * CONTEXT_LEN + 1] for number in range(windows)]
    model.eval()
    losses = []
    with torch.no_grad():
        for first in range(0, windows, batch):
            ids = torch.from_numpy(_stacked(rows[first : first + batch])).to(device)
            losses.append(float(_loss(model, ids)) * len(ids))
    return sum(losses) / windows


def _stacked(rows: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.stack(rows).astype("int64")
