"""Finds a tree mask again by brute force over prefixes, and by a transformer that runs every candidate alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import nn

from generators.answer import Cell, rational
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.comp4901y.hw4_q2_tree_attention import TreeParams

Prefix = tuple[str, ...]
DTYPES = {2: torch.float16, 4: torch.float32}
TOLERANCE = 1e-12
OTHER_SIZES = {"N_layer": 3, "D": 12, "e": 4}


def prefixes_depth_first(sequences: Sequence[Sequence[str]]) -> list[Prefix]:
    """Every distinct prefix, ordered by when each of its own prefixes is first met: parents first, branch by branch."""
    met: dict[Prefix, int] = {}
    for sequence in sequences:
        for end in range(1, len(sequence) + 1):
            met.setdefault(tuple(sequence[:end]), len(met))
    return sorted(met, key=lambda prefix: [met[prefix[:end]] for end in range(1, len(prefix) + 1)])


def prefixes_by_level(root: str, heads: Sequence[Sequence[str]]) -> list[Prefix]:
    """Every choice of one guess for the first 0, 1, 2 ... heads, after the root."""
    return [(root, *choice) for used in range(len(heads) + 1) for choice in product(*heads[:used])]


def ancestry(prefixes: Sequence[Prefix]) -> list[list[int]]:
    """1 where the row's prefix starts the column's, by comparing all pairs."""
    return [[int(below[: len(above)] == above) for below in prefixes] for above in prefixes]


class SmallTransformer(nn.Module):
    """Random token and depth embeddings, two of torch's own encoder layers and an output head, in float64."""

    def __init__(self, tokens: int, depths: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, dtype=torch.float64)
            self.token = nn.Embedding(tokens, 32, dtype=torch.float64)
            self.depth = nn.Embedding(depths, 32, dtype=torch.float64)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(32, tokens, dtype=torch.float64)
        self.eval()

    def forward(self, tokens: torch.Tensor, depths: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        """Logits (n, tokens) of n positions; `allowed` (n×n) has a row a query."""
        x = (self.token(tokens) + self.depth(depths))[None]
        out: torch.Tensor = self.head(self.layers(x, mask=~allowed))[0]
        return out


@lru_cache(maxsize=8)
def logits_alone(prefixes: tuple[Prefix, ...]) -> tuple[SmallTransformer, dict[str, int], torch.Tensor]:
    """The logits of the last token of each prefix, each prefix run alone under a plain causal mask."""
    vocabulary = {token: number for number, token in enumerate(sorted({token for prefix in prefixes for token in prefix}))}
    model = SmallTransformer(len(vocabulary), max(map(len, prefixes)))
    alone = []
    with torch.no_grad():
        for prefix in prefixes:
            n = len(prefix)
            tokens = torch.tensor([vocabulary[token] for token in prefix])
            alone.append(model(tokens, torch.arange(n), torch.ones(n, n).tril().bool())[-1])
    return model, vocabulary, torch.stack(alone)


def largest_difference(prefixes: tuple[Prefix, ...], allowed: torch.Tensor) -> float:
    """Largest difference between logits under the tree mask, in one pass, and those of each prefix run alone."""
    model, vocabulary, alone = logits_alone(prefixes)
    tokens = torch.tensor([vocabulary[prefix[-1]] for prefix in prefixes])
    depths = torch.tensor([len(prefix) - 1 for prefix in prefixes])
    with torch.no_grad():
        together = model(tokens, depths, allowed)
    return float((together - alone).abs().nan_to_num(nan=torch.inf).max())


def verify_trees(params: TreeParams, answer: Answer) -> Iterator[Check]:
    """Check nodes, masks and savings of both trees."""
    sequences = params.candidates
    medusa = prefixes_by_level(params.medusa.root, params.medusa.guesses)
    deepest = [list(prefix) for prefix in medusa if len(prefix) == len(params.medusa.guesses) + 1]
    yield from _check_part("2.1", params, answer["2.1"], prefixes_depth_first(sequences), sequences)
    yield from _check_part("2.2", params, answer["2.2"], medusa, deepest)


def _check_part(
    label: str, params: TreeParams, part: Part, prefixes: list[Prefix], candidates: Sequence[Sequence[str]]
) -> Iterator[Check]:
    yield same_rows(f"{label}, nodes of the tree", part.tables["tree"], _nodes(prefixes), "all prefixes, enumerated")
    found = ancestry(prefixes)
    if params.conventions.rows == "queries":
        found = [list(column) for column in zip(*found, strict=True)]
    table = part.tables["mask"]
    tokens = [prefix[-1] for prefix in prefixes]
    repeated = len(set(tokens)) < len(tokens)
    labels = [f"{number}: {token}" if repeated else token for number, token in enumerate(tokens, 1)]
    rows: list[list[Cell]] = [[name, *cells] for name, cells in zip(labels, found, strict=True)]
    above = ", ".join(map(str, table.header[1:]))
    yield same(f"{label}, tokens above the mask", above, ", ".join(labels), "all prefixes, enumerated")
    yield same_rows(f"{label}, attention mask", table, rows, "brute force: every pair of prefixes compared")
    yield _check_logits(label, params, table, tuple(prefixes))
    yield from _check_saving(label, params, part, prefixes, candidates)


def _nodes(prefixes: list[Prefix]) -> list[tuple[Cell, ...]]:
    place = {prefix: number for number, prefix in enumerate(prefixes, 1)}
    return [(place[prefix], prefix[-1], place.get(prefix[:-1]), len(prefix) - 1) for prefix in prefixes]


def _check_logits(label: str, params: TreeParams, table: Table, prefixes: tuple[Prefix, ...]) -> Check:
    mask = torch.tensor([[cell == 1 for cell in row[1:]] for row in table.rows])
    allowed = mask if params.conventions.rows == "queries" else mask.T
    difference = largest_difference(prefixes, allowed)
    return Check(
        what=f"{label}, logits of a small transformer under the mask, against every candidate run alone",
        published=f"equal to {TOLERANCE:g}",
        found=f"largest difference {difference:.1e}",
        by=f"torch {torch.__version__.split('+')[0]}, float64",
        passed=difference <= TOLERANCE,
    )


def _check_saving(
    label: str, params: TreeParams, part: Part, prefixes: list[Prefix], candidates: Sequence[Sequence[str]]
) -> Iterator[Check]:
    """Count tokens, and the bytes of key and value tensors that a model would hold for them."""
    model, element = params.model, params.conventions.bytes_per_element
    tree, apart = len(prefixes), sum(len(candidate) for candidate in candidates)
    by = "all prefixes, enumerated"
    yield same(f"{label}, tokens in the tree", part["tokens_in_tree"].value, tree, by)
    yield same(f"{label}, tokens run apart", part["tokens_apart"].value, apart, by)
    yield same(f"{label}, candidates", part["candidates"].value, len(candidates), by)
    yield same(f"{label}, tokens saved", part["tokens_saved"].value, apart - tree, by)
    yield same(f"{label}, share of tokens saved", part["share_saved"].value, 1 - rational(tree) / apart, by)
    by = "key and value tensors on torch's meta device"
    lengths = [len(candidate) for candidate in candidates]
    for what, cached in _cached(tree, lengths, model.context_len, model.n_layers, model.d_model, element).items():
        yield same(f"{label}, {part[what].what}", part[what].value, cached, by)
    letters = {"T": tree, "S": apart, "k": len(candidates), "C": model.context_len}
    letters |= {"N_layer": model.n_layers, "D": model.d_model, "e": element}
    yield same_letters(f"{label}, numbers put in", part.steps, letters)
    sizes = {**OTHER_SIZES, "T": 5, "S": 11, "k": 3, "C": 6}
    small = _cached(5, [2, 4, 5], 6, OTHER_SIZES["N_layer"], OTHER_SIZES["D"], OTHER_SIZES["e"])
    triples: list[Formula] = [(what, part[what].formula, found) for what, found in small.items()]
    triples += [
        ("tokens saved", part["tokens_saved"].formula, 11 - 5),
        ("share saved", part["share_saved"].formula, 1 - rational(5) / 11),
    ]
    yield same_formulas(f"{label}, formulas", triples, sizes, by)


def _cached(tree: int, candidates: Sequence[int], context: int, n_layers: int, d_model: int, element: int) -> dict[str, int]:
    def held(sequences: Sequence[int]) -> int:
        shapes = [(length, d_model) for length in sequences for _ in range(n_layers) for _ in ("keys", "values")]
        return sum(torch.empty(shape, dtype=DTYPES[element], device="meta").nbytes for shape in shapes)

    return {
        "bytes_per_token": held([1]),
        "bytes_saved": held(candidates) - held([tree]),
        "bytes_saved_with_context": held([length + context for length in candidates]) - held([tree + context]),
    }
