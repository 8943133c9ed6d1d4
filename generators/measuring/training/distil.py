"""Distil a chat model into a small draft: python -m generators.measuring.training distil [--device cuda] [--out FOLDER].

The target writes chats with itself. The draft, which has its tokenizer, learns the target's distribution of every token of the
answers: the loss is the forward KL divergence.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from generators.errors import MeasureError
from generators.measuring.decoding.command import Parser
from generators.measuring.decoding.models import MODELS, PRETRAINED, Loaded, load, shape_of
from generators.measuring.machine import described, device_named
from generators.measuring.measurements.plan import parameters_of
from generators.measuring.training import card
from generators.measuring.training.chats import Chat, write
from generators.measuring.training.train import groups, learning_rate
from generators.pipeline.catalog import shown
from generators.recording import Recording, Series, save

if TYPE_CHECKING:
    import torch

NAME = "chat-draft"
WIDTH, LAYERS, HEADS = 128, 4, 4
LEARNING_RATE, WARMUP_STEPS = 3e-3, 100
HELD_OUT = 256
"""Chats that the draft is measured on and never trained on."""
STEP_TOKENS = 16_384
"""Tokens of the chats of one step, padding included."""
POINTS = 16
"""Points of the curve between the first and the last; each comes √2 times as late as the one before."""


def parser() -> Parser:
    """The command line."""
    options = Parser(prog="python -m generators.measuring.training distil", description=__doc__.splitlines()[0])
    options.add_argument("--target", default=shown(PRETRAINED), help="the model that writes the chats and is learned from")
    options.add_argument("--out", type=Path, default=MODELS / NAME)
    options.add_argument("--device", default="cpu")
    options.add_argument("--batch", type=int, default=4096, help="chats written at once")
    options.add_argument(
        "--max-seconds", type=float, nargs=2, default=(220.0, 310.0), metavar=("WRITING", "TRAINING"), help="limits of both"
    )
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--record", type=Path, metavar="FILE", help="write the curve as a Recording")
    return options


def main(argv: Sequence[str], tell: Callable[[str], None]) -> None:
    """Write chats, train the draft on them, measure it on those held out, and save it with its card."""
    import torch

    arguments = parser().parse_args(argv)
    if arguments.batch < 1:
        raise MeasureError(f"batch: must be positive (got {arguments.batch})")
    if min(arguments.max_seconds) <= 0:
        raise MeasureError(f"max-seconds: must be positive (got {arguments.max_seconds})")
    device = device_named(arguments.device)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    target = load(arguments.target, device, dtype, "target")
    start = time.perf_counter()
    limits = arguments.max_seconds
    chats = write(
        target, batch=arguments.batch, max_seconds=limits[0], seed=arguments.seed, without=measured_prompts(), tell=tell
    )
    writing = time.perf_counter() - start
    held_out = min(HELD_OUT, len(chats) // 2)
    if not held_out:
        raise MeasureError(f"max-seconds: must leave the target time to write at least two chats (got {len(chats)})")
    draft = make(target, arguments.seed)
    run = Run(target, draft, batches(chats[held_out:]), batches(chats[:held_out]), arguments.seed)
    trained = run.train(limits[1], tell)
    data = {"chats": len(chats) - held_out, "chats_held_out": held_out, "answer_tokens": tokens(chats[held_out:]),
            "answer_tokens_held_out": tokens(chats[:held_out]), "writing_seconds": round(writing, 1)}  # fmt: skip
    machine = {key: value for key, value in described(device).items() if key != "device_kind"}
    facts = {
        "label": f"{NAME}, distilled here from {target.card['label']}",
        "name": NAME,
        **shape_of(draft),
        "target": target.card["label"],
        "license": target.card.get("license", ""),
        "data": data,
        "training": {**trained, "seed": arguments.seed, "step_tokens": STEP_TOKENS, "learning_rate": LEARNING_RATE},
        "curve": run.curve,
        **machine,
    }
    card.save(draft, target.tokenizer, facts, arguments.out, as_markdown(facts))
    tell(f"{arguments.out}: {run.curve[-1]}")
    if arguments.record:
        save(recorded(facts, "cuda" if device.type == "cuda" else "cpu", target), arguments.record)


def recorded(facts: dict[str, Any], device_kind: Literal["cpu", "cuda"], target: Loaded) -> Recording:
    """The curve that a card holds, as a recording."""
    series = []
    for point in facts["curve"]:
        at = {name: point[name] for name in ("seconds", "answer_tokens_seen")}
        for quantity, unit in (("kl", "nat"), ("agreement", "1"), ("overlap", "1")):
            series.append(Series(quantity=quantity, unit=unit, at=at, samples=(point[quantity],)))
    return Recording(
        what="lecture25_distillation_draft",
        parameters={**facts["data"], **facts["training"]},
        command=f"python -m generators.measuring.training distil --device {device_kind}",
        models={
            name: {field: card[field] for field in ("label", "parameters")}
            for name, card in ((target.name, target.card), (NAME, facts))
        },
        series=tuple(series),
        device_kind=device_kind,
        **{name: facts[name] for name in ("device", "driver", "versions", "date")},
    )


def measured_prompts() -> set[str]:
    """The prompts of the recordings, with which no user's turn is identical."""
    of_launches, of_runs = (parameters_of(what, "cuda") for what in ("hw3_q3_launches", "hw4_q3_speculative"))
    return {of_launches["prompt_seq"], *of_runs["prompts"]}


def compared(p: torch.Tensor, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """KL divergence of p from q in nats, whether both have the same likeliest token, and overlap, of log-probabilities.

    Each is of a token, (tokens,), of (tokens, vocabulary).
    """
    import torch

    return (p.exp() * (p - q)).sum(-1), p.argmax(-1) == q.argmax(-1), torch.minimum(p, q).exp().sum(-1)


def tokens(chats: Sequence[Chat]) -> int:
    """Tokens of the answers."""
    return sum(len(chat.ids) - chat.start for chat in chats)


def make(target: Loaded, seed: int) -> Any:
    """A small Llama in float32 with the target's tokenizer; its embeddings start from the target's, along their longest axes."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    shape = target.model.config
    config = LlamaConfig(
        vocab_size=shape.vocab_size, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH, max_position_embeddings=shape.max_position_embeddings, tie_word_embeddings=True,
        bos_token_id=shape.bos_token_id, eos_token_id=shape.eos_token_id, pad_token_id=shape.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(seed)
    draft = AutoModelForCausalLM.from_config(config).to(target.device)
    table = target.model.get_input_embeddings().weight.float()
    _, _, directions = torch.linalg.svd(table, full_matrices=False)
    with torch.no_grad():
        start = table @ directions[:WIDTH].T
        own = draft.get_input_embeddings().weight
        own.zero_()
        own[:, : start.shape[1]] = start * (config.initializer_range / start.std())
    return draft


def batches(chats: Sequence[Chat]) -> list[list[Chat]]:
    """Chats of similar length together, about STEP_TOKENS to a batch with their padding."""
    found: list[list[Chat]] = [[]]
    for chat in sorted(chats, key=lambda one: -len(one.ids)):
        if found[-1] and (len(found[-1]) + 1) * len(found[-1][0].ids) > STEP_TOKENS:
            found.append([])
        found[-1].append(chat)
    return found


@dataclass
class Run:
    """A target and a draft, what the draft learns from and is measured on, and the curve so far."""

    target: Loaded
    draft: Any
    training: list[list[Chat]]
    held_out: list[list[Chat]]
    seed: int
    curve: list[dict[str, float]] = field(default_factory=list)
    hidden: dict[int, torch.Tensor] = field(default_factory=dict)

    def train(self, max_seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
        """Train in place until the time is over; the time of the curve's measurements does not count."""
        import torch

        optimizer = torch.optim.AdamW(
            groups(self.draft), lr=LEARNING_RATE, betas=(0.9, 0.95), fused=self.target.device.type == "cuda"
        )
        marks = [max_seconds * 2.0 ** ((number - POINTS) / 2) for number in range(POINTS)]
        spent, steps, seen = 0.0, 0, 0
        self._measure(0, 0.0, tell)
        for batch in _endless(self.training, self.seed):
            begun = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(LEARNING_RATE, WARMUP_STEPS, steps, spent / max_seconds)
            loss, answered = self._loss(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.draft.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()  # waits for the device, so that the clock counts finished steps
            spent += time.perf_counter() - begun
            steps, seen = steps + 1, seen + answered
            if spent >= max_seconds:
                break
            if marks and spent >= marks[0]:
                marks = [mark for mark in marks if mark > spent]
                self._measure(seen, spent, tell)
        self._measure(seen, spent, tell)
        return {"steps": steps, "answer_tokens_seen": seen, "seconds": round(spent, 1)}

    def _measure(self, seen: int, spent: float, tell: Callable[[str], None]) -> None:
        """Add a point to the curve: KL divergence in nats, agreement and overlap on the answers held out, a mean a token."""
        import torch

        sums, answered = torch.zeros(3, dtype=torch.double), 0
        with torch.inference_mode():
            for batch in self.held_out:
                p, q = (logits.log_softmax(-1) for logits in self._logits(batch))
                sums += torch.stack([one.sum() for one in compared(p, q)]).double().cpu()
                answered += len(p)
        kl, agreement, overlap = (round(one, 4) for one in (sums / answered).tolist())
        point = {"kl": kl, "agreement": agreement, "overlap": overlap}
        self.curve.append({"seconds": round(spent, 1), "answer_tokens_seen": seen, **point})
        tell(f"{self.curve[-1]}")

    def _loss(self, batch: list[Chat]) -> tuple[torch.Tensor, int]:
        """The cross entropy, mean a token: it differs from the KL divergence by what the draft cannot change."""
        from torch.nn import functional

        p, q = self._logits(batch)
        return functional.cross_entropy(q, p.softmax(-1)), len(p)

    def _logits(self, batch: list[Chat]) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the target and of the draft, (answer tokens, vocabulary); what the target makes of a batch is kept."""
        import torch

        device = self.target.device
        width = max(len(chat.ids) for chat in batch)
        ids = torch.tensor([chat.ids + [0] * (width - len(chat.ids)) for chat in batch], device=device)
        places = torch.arange(width, device=device)
        starts = torch.tensor([[chat.start - 1] for chat in batch], device=device)
        ends = torch.tensor([[len(chat.ids) - 1] for chat in batch], device=device)
        predicts = (places >= starts) & (places < ends)  # the token before the answer predicts its first
        if id(batch) not in self.hidden:
            with torch.no_grad():
                self.hidden[id(batch)] = self.target.model.model(ids, use_cache=False).last_hidden_state[predicts]
        with torch.no_grad():
            p = self.target.model.lm_head(self.hidden[id(batch)]).float()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            q = self.draft.lm_head(self.draft.model(ids, use_cache=False).last_hidden_state[predicts])
        return p, q.float()


def _endless(items: list[list[Chat]], seed: int) -> Iterator[list[Chat]]:
    """All batches in a seeded order, again and again in another."""
    order, shuffled = random.Random(seed), list(items)
    while True:
        order.shuffle(shuffled)
        yield from shuffled


def as_markdown(facts: dict[str, Any]) -> str:
    """The card for people."""
    data, training, last = facts["data"], facts["training"], facts["curve"][-1]
    shape = f"{facts['architecture']}, {facts['layers']} layers of width {facts['hidden_size']}"
    written = f"{data['chats']} chats with {data['answer_tokens']} tokens of answers, written by the target"
    held_out = f"{data['chats_held_out']} chats with {data['answer_tokens_held_out']} tokens of answers"
    steps = f"{training['answer_tokens_seen']} tokens of answers in {training['steps']} steps, seed {training['seed']}"
    return f"""# {facts["name"]}

A draft for speculative decoding: it guesses what {facts["target"]}, answers in a chat. It is of no use alone.
It was distilled from that model, whose license is {facts["license"]}, and has its tokenizer.

| | |
|---|---|
| architecture | {shape}; its embeddings started from the target's, along their first right singular vectors |
| parameters | {facts["parameters"]} |
| data | {written} in {data["writing_seconds"]} s |
| user's turns | three of four begin with an opening of `OPENINGS` in chats.py; none is a prompt of the recordings |
| held out | {held_out} |
| training | forward KL divergence from the target, {steps} |
| agreement | {100 * last["agreement"]:.1f} % of the tokens held out: both models have the same likeliest token there |
| overlap | {last["overlap"]}: the sum over the vocabulary of the smaller of both probabilities, mean of the tokens held out |
| divergence | {last["kl"]} nats a token held out |
{card.machine(facts, training["seconds"])}

Made by `python -m generators.measuring.training distil --device cuda`.
"""
