"""Times the tree-attention batch of homework 4, question 2, against its candidates run apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch

from generators.measuring.decoding.fixed_cache import FixedCache, causal_forward, forward
from generators.measuring.machine import dtype_named
from generators.measuring.measurements.collect import Item, Model, seconds
from generators.measuring.timing import captured, device_seconds
from generators.recording import At, Series
from generators.topics.prefix_tree import Tree, ancestor_mask, leaves, path, tree_of_guesses, tree_of_sequences

Run: TypeAlias = Callable[[], torch.Tensor]
Branch: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Way:
    """One way to score all candidates: steps that each return logits (batch, tokens, vocabulary).

    `by_branch` picks each candidate's (tokens, vocabulary) from what the steps return; `tokens` counts what the model
    reads, padding included.
    """

    name: str
    steps: list[Run]
    by_branch: Callable[[list[torch.Tensor]], list[torch.Tensor]]
    tokens: int
    cache_bytes: int


def measure(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """Seconds and cache bytes of each way, launched kernel by kernel and, on CUDA, as one graph."""
    sizes = parameters["model"]
    model = _model(parameters, device)
    yield Model("random", _card(sizes, model))
    context = torch.randint(parameters["vocab_size"], (sizes["context_len"],), device=device)
    for label, tree in _trees(parameters["candidates"], parameters["medusa"]).items():
        ids = _ids(tree, parameters["vocab_size"], device)
        yield from _tree(label, model, tree, ids, context, parameters)


def _trees(candidates: Sequence[Sequence[str]], medusa: Mapping[str, Any]) -> dict[str, Tree]:
    """The trees of both parts, as the question's entry gives them."""
    guessed = tree_of_guesses(medusa["root"], medusa["heads"], medusa.get("top_k"), medusa.get("choices"))
    return {"2.1": tree_of_sequences(candidates), "2.2": guessed}


def _model(parameters: Mapping[str, Any], device: torch.device) -> Any:
    """A GPT-NeoX model of the question's layers and width with random weights, made on the device."""
    from transformers import AutoModelForCausalLM, GPTNeoXConfig

    sizes = parameters["model"]
    config = GPTNeoXConfig(
        num_hidden_layers=sizes["n_layers"],
        hidden_size=sizes["d_model"],
        num_attention_heads=sizes["d_model"] // parameters["head_width"],
        intermediate_size=4 * sizes["d_model"],
        vocab_size=parameters["vocab_size"],
        max_position_embeddings=2 * sizes["context_len"] + 64,
    )
    torch.manual_seed(parameters["seed"])
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype_named(parameters["dtype"]))
    return model.to(device).eval()


def _card(sizes: Mapping[str, int], model: Any) -> dict[str, Any]:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    label = f"GPT-NeoX of {sizes['n_layers']} layers of width {sizes['d_model']}, random weights"
    return {"label": label, "architecture": "gpt_neox", "parameters": parameters}


def _ids(tree: Tree, vocab_size: int, device: torch.device) -> torch.Tensor:
    """An id for each node, the same for the same token."""
    numbers = {token: number for number, token in enumerate(dict.fromkeys(node.token for node in tree))}
    return torch.tensor([numbers[node.token] % vocab_size for node in tree], device=device)


@torch.inference_mode()
def _tree(
    label: str, model: Any, tree: Tree, ids: torch.Tensor, context: torch.Tensor, parameters: Mapping[str, Any]
) -> Iterator[Series]:
    """Each way's seconds and bytes, and how far its logits are from those of each candidate alone."""
    branches = [path(tree, leaf) for leaf in leaves(tree)]
    in_turn = _in_turn(model, ids, branches, context)
    ways = [_together(model, tree, branches, ids, context), _padded(model, ids, branches, context), in_turn]
    alone = in_turn.by_branch([step().clone() for step in in_turn.steps])
    for way in ways:
        at: At = {"part": label, "way": way.name}
        found = way.by_branch([step() for step in way.steps])
        yield Series(quantity="logit_difference", unit="1", at=at, samples=(_difference(found, alone),))
        yield Series(quantity="cache_bytes", unit="B", at=at, samples=(way.cache_bytes,))
        yield from _timed(way, ids.device, at, parameters)


def _timed(way: Way, device: torch.device, at: At, parameters: Mapping[str, Any]) -> Iterator[Series]:
    """Seconds of all steps of a way."""
    for launch in ("kernel by kernel", "graph") if device.type == "cuda" else ("kernel by kernel",):
        steps: list[Callable[[], Any]] = [captured(step, device) if launch == "graph" else step for step in way.steps]

        def run(steps: list[Callable[[], Any]] = steps) -> None:
            for step in steps:
                step()

        times = device_seconds(run, device, warmup=parameters["warmup"], repeats=parameters["repeats"])
        yield seconds(times, **at, launch=launch, tokens=way.tokens)


def _difference(found: list[torch.Tensor], alone: list[torch.Tensor]) -> float:
    """The largest of ‖found - alone‖ / ‖alone‖ over the candidates."""
    pairs = zip(found, alone, strict=True)
    return max(float((one.double() - other.double()).norm() / other.double().norm()) for one, other in pairs)


def _prefilled(model: Any, context: torch.Tensor, room: int, batch: int) -> FixedCache:
    """A cache that holds the context in every row, with `room` free slots behind it."""
    single = FixedCache(model, len(context) + room)
    causal_forward(model, single, context, torch.zeros(1, dtype=torch.long, device=context.device))
    if batch == 1:
        return single
    cache = FixedCache(model, len(context) + room, batch)
    cache.layers.copy_(single.layers.expand_as(cache.layers))
    return cache


def _together(model: Any, tree: Tree, branches: list[Branch], ids: torch.Tensor, context: torch.Tensor) -> Way:
    """All nodes in one row, each attending to the context, its ancestors and itself."""
    device, start, count = ids.device, len(context), len(tree)
    cache = _prefilled(model, context, count, 1)
    slots = torch.arange(start, start + count, device=device)
    positions = torch.tensor([[start + node.depth for node in tree]], device=device)
    allowed = torch.ones(1, count, start + count, dtype=torch.bool, device=device)
    allowed[0, :, start:] = torch.tensor(ancestor_mask(tree), dtype=torch.bool, device=device).T

    def by_branch(out: list[torch.Tensor]) -> list[torch.Tensor]:
        return [out[0][0, list(branch)] for branch in branches]

    step = partial(forward, model, cache, ids[None], slots, positions, allowed)
    return Way("tree", [step], by_branch, count, cache.nbytes)


def _padded(model: Any, ids: torch.Tensor, branches: list[Branch], context: torch.Tensor) -> Way:
    """A row a candidate, padded at the end, each with its own copy of the context."""
    device, start, count, longest = ids.device, len(context), len(branches), max(map(len, branches))
    cache = _prefilled(model, context, longest, count)
    rows = torch.zeros(count, longest, dtype=torch.long, device=device)
    for row, branch in enumerate(branches):
        rows[row, : len(branch)] = ids[list(branch)]
    slots = torch.arange(start, start + longest, device=device)
    allowed = (torch.arange(start + longest, device=device) <= slots[:, None]).expand(count, -1, -1)

    def by_branch(out: list[torch.Tensor]) -> list[torch.Tensor]:
        return [out[0][row, : len(branch)] for row, branch in enumerate(branches)]

    step = partial(forward, model, cache, rows, slots, slots.expand(count, -1), allowed)
    return Way("one batch", [step], by_branch, count * longest, cache.nbytes)


def _in_turn(model: Any, ids: torch.Tensor, branches: list[Branch], context: torch.Tensor) -> Way:
    """Each candidate in a step of its own behind the same context."""
    cache = _prefilled(model, context, max(map(len, branches)), 1)
    start = torch.full((1,), len(context), dtype=torch.long, device=ids.device)
    steps = [partial(_alone, model, cache, ids[list(branch)], start) for branch in branches]
    return Way("in turn", list(steps), lambda out: [logits[0] for logits in out], sum(map(len, branches)), cache.nbytes)


def _alone(model: Any, cache: FixedCache, ids: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Logits, (1, tokens, vocabulary), of one candidate's ids (tokens,)."""
    return causal_forward(model, cache, ids, start)[None]
