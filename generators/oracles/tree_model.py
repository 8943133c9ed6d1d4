"""Searches a tree of tokens with Hugging Face's generate, on a causal language model whose logits are the tree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import torch

from generators.cells import Cell
from generators.found import Route
from generators.oracles import token_tree
from generators.oracles.token_tree import FLOAT32_MARGIN, Prefix, Weights, node_keys

ENDED = ""
LogWeights: TypeAlias = tuple[tuple[Prefix, float], ...]


@dataclass(frozen=True)
class Generated:
    """What generate kept at each step, and the sequences it returned with their log-probabilities, each best first."""

    kept: tuple[tuple[Prefix, ...], ...]
    final: tuple[tuple[Prefix, float], ...]


@lru_cache(maxsize=64)
def generated(log_weights: LogWeights, width: int) -> Generated:
    """Run generate with `width` beams, greedily with one; probability that the tree leaves out goes to a forbidden token.

    A sequence that has ended goes on with a token that is certain, so that all get as long as the longest.
    """
    weights = _lengthened(dict(log_weights))
    names = sorted({prefix[-1] for prefix in weights})
    model, seen = _model(weights, names)
    beams = {"num_beams": width, "num_return_sequences": width, "length_penalty": 0.0, "output_scores": True}
    result = model.generate(
        torch.tensor([[len(names) + 1]]),
        do_sample=False,
        use_cache=False,
        return_dict_in_generate=True,
        output_logits=True,
        max_new_tokens=max(len(prefix) for prefix, _ in log_weights),
        prefix_allowed_tokens_fn=lambda batch, ids: list(range(len(names))),
        **(beams if width > 1 else {}),
    )
    found = [tuple(names[token] for token in row[1:]) for row in result.sequences.tolist()]
    scores = result.sequences_scores.tolist() if width > 1 else [_log_probability(result)]
    ended = [tuple(tuple(token for token in prefix if token != ENDED) for prefix in step) for step in (*seen[1:], found)]
    return Generated(tuple(ended), tuple(zip(ended[-1], scores, strict=True)))


def _lengthened(weights: dict[Prefix, float]) -> dict[Prefix, float]:
    longest = max(map(len, weights))
    for one in token_tree.complete(weights):
        weights |= {(*one, *(ENDED,) * more): 0.0 for more in range(1, longest - len(one) + 1)}
    return weights


def _log_probability(result: Any) -> float:
    """The log-probability of the one sequence that a greedy search returned."""
    tokens = result.sequences[0][1:].tolist()
    return sum(float(logits[0].log_softmax(-1)[token]) for logits, token in zip(result.logits, tokens, strict=True))


def _model(log_weights: Mapping[Prefix, float], names: Sequence[str]) -> tuple[Any, list[list[Prefix]]]:
    """The model, and the list it fills with the prefixes it is asked to go on from."""
    from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import CausalLMOutput

    seen: list[list[Prefix]] = []
    size = len(names) + 2  # besides the names: all that the tree leaves out, and the start

    class TreeModel(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
        config_class = PretrainedConfig

        def __init__(self) -> None:
            super().__init__(PretrainedConfig(vocab_size=size))
            self.anchor = torch.nn.Parameter(torch.zeros(1))  # generate asks the parameters for their device

        def forward(self, input_ids: torch.Tensor, **_: Any) -> CausalLMOutput:
            """Logits (beams, 1, size) of what may follow each row."""
            seen.append([tuple(names[token] for token in row[1:]) for row in input_ids.tolist()])
            return CausalLMOutput(logits=torch.tensor([[_logits(log_weights, names, prefix)] for prefix in seen[-1]]))

    return TreeModel().eval(), seen


def _logits(log_weights: Mapping[Prefix, float], names: Sequence[str], prefix: Prefix) -> list[float]:
    """The log-probability of each name after `prefix`, of all that the tree leaves out, and of the start."""
    after = [log_weights.get((*prefix, name), -math.inf) for name in names]
    rest = 1 - math.fsum(map(math.exp, after))
    return [*after, math.log(rest) if rest > 1e-12 else -math.inf, -math.inf]


def generate_route(width: int, log: float = 1.0) -> Route:
    """The route with the library's version, for probabilities whose logarithm is as large as `log`, or for logarithms."""
    import transformers

    beams = f"num_beams={width}" if width > 1 else "greedy"
    name = f"Hugging Face generate, {beams}, transformers {transformers.__version__}"
    return Route(name, tolerance=FLOAT32_MARGIN * max(1.0, abs(log)), absolute=FLOAT32_MARGIN)


def generated_fates(weights: Weights, run: Generated, decided: int) -> dict[str, dict[str, Cell]]:
    """What became of every prefix in a run, for the steps that are decided: it goes on from what it kept.

    One that ended early competes at all later steps too.
    """
    begun: tuple[tuple[Prefix, ...], ...] = (((),), *run.kept)
    ended = token_tree.complete(weights)
    found: dict[str, dict[str, Cell]] = {}
    for prefix, key in node_keys(weights).items():
        last = len(run.kept) if prefix in ended else len(prefix)
        if last <= decided:
            kept = "final" if prefix in ended else "kept"
            scored = prefix[:-1] in begun[len(prefix) - 1]
            found[key] = {"track": kept if prefix in run.kept[last - 1] else "pruned" if scored else "not scored"}
    return found
