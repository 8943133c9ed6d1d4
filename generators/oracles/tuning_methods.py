"""Tunes a transformer of Hugging Face with peft, and counts trainable values, FLOPs of its passes and bytes of its cache."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from generators.answer import Cell, Math
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.oracles.finetuning import Adapter
from generators.oracles.products import ProductRecorder
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_tuning_methods import TuningParams

METHODS = {"lora": "LoRA", "adapters": "Adapters", "prefix": "Prefix tuning", "prompt": "Prompt tuning"}
MERGED = "LoRA, merged into the weights"
MODULES, UNTUNED = "torch modules on OPT", "transformers, OPT on meta tensors"
OTHER_HEADS = 3
DTYPES = {2: torch.float16, 4: torch.float32}
SHAPES = {
    "lora": [(r"A \text{ of query, key, value}", r"D \times R", 3), (r"B \text{ of query, key, value}", r"R \times D", 3)],
    "adapters": [(r"W_A \text{ of each adapter}", r"D \times R", 2), (r"W_B \text{ of each adapter}", r"R \times D", 2)],
    "prefix": [("K", r"P \times D", 1), ("V", r"P \times D", 1)],
    "prompt": [("E", r"P \times D", 1)],
}
"""Trained tensors of a layer (of the model for prompt tuning): name, shape, number."""


@dataclass(frozen=True)
class Sizes:
    """The letters of the formulas, and the number of heads."""

    n_layers: int
    width: int
    rank: int
    virtual: int
    tokens: int
    heads: int

    @property
    def letters(self) -> dict[str, int | Fraction]:
        """By the names that formulas use."""
        return {"N_layer": self.n_layers, "D": self.width, "R": self.rank, "P": self.virtual, "L": self.tokens}


OTHER_SIZES = Sizes(n_layers=3, width=12, rank=5, virtual=4, tokens=7, heads=OTHER_HEADS)


@dataclass(frozen=True)
class Found:
    """What a tuned model was seen to train, to compute, and to hold in its cache after the pass; its matrices, if not tuned."""

    values: int
    model_values: int
    pass_flops: int
    token_flops: int
    cached_bytes: int

    def plus(self, other: Found, times: int) -> Found:
        """The sum of this and `times` as much of another."""
        return Found(*(getattr(self, one.name) + times * getattr(other, one.name) for one in fields(self)))

    def minus(self, other: Found) -> Found:
        """What this has more than another."""
        return self.plus(other, -1)


def transformer(sizes: Sizes) -> Any:
    """An OPT model without biases, its feed-forward layers four times as wide, and nothing trainable."""
    from transformers import OPTConfig, OPTModel

    config = OPTConfig(
        hidden_size=sizes.width, word_embed_proj_dim=sizes.width, ffn_dim=4 * sizes.width, num_hidden_layers=sizes.n_layers,
        num_attention_heads=sizes.heads, vocab_size=8, max_position_embeddings=sizes.tokens + sizes.virtual + 8,
        enable_bias=False, dropout=0.0, attn_implementation="eager",
    )  # fmt: skip
    return OPTModel(config).requires_grad_(False).eval()


def tuned(method: str, sizes: Sizes) -> Any:
    """The model with what the method adds; adapters stand behind attention and behind the feed-forward network."""
    import peft

    model, kind = transformer(sizes), "FEATURE_EXTRACTION"
    if method == "adapters":
        for layer in model.decoder.layers:
            for place, name in ((layer.self_attn, "out_proj"), (layer, "fc2")):
                setattr(place, name, nn.Sequential(getattr(place, name), Adapter(sizes.width, sizes.rank, biases=False)))
        return model
    if method in ("lora", "merged"):
        config = peft.LoraConfig(task_type=kind, r=sizes.rank, target_modules=["q_proj", "k_proj", "v_proj"])
    elif method == "prefix":
        config = peft.PrefixTuningConfig(task_type=kind, num_virtual_tokens=sizes.virtual)
    elif method == "prompt":
        config = peft.PromptTuningConfig(task_type=kind, num_virtual_tokens=sizes.virtual)
    else:
        return model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads an attribute that transformers renamed
        model = peft.get_peft_model(model, config)
    return model.merge_and_unload() if method == "merged" else model


@lru_cache(maxsize=64)
def run(method: str, sizes: Sizes, device: str, dtype: torch.dtype) -> Found:
    """Pass a prompt through the tuned model, then one more token with the cache that this left."""
    with torch.device(device), torch.no_grad():
        model = tuned(method, sizes).to(dtype)
        with ProductRecorder() as first:
            out = model(**_tokens(sizes.tokens, sizes.tokens), use_cache=True)
        cache = out.past_key_values
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        inner = model.base_model if method in ("prefix", "prompt") else model  # peft would put the prompt in again
        with ProductRecorder() as second:
            inner(**_tokens(1, cache.get_seq_length() + 1), past_key_values=cache)
    trained = sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad)
    linear = (one for one in model.modules() if isinstance(one, nn.Linear))
    matrices = sum(one.weight.numel() for one in linear) if method == "none" else 0
    return Found(trained, matrices, first.flops, second.flops, held)


def _tokens(count: int, attended: int) -> dict[str, torch.Tensor]:
    ones = torch.ones(1, attended, dtype=torch.long)
    return {"input_ids": torch.zeros(1, count, dtype=torch.long), "attention_mask": ones}


@lru_cache(maxsize=32)
def extended(method: str, sizes: Sizes, dtype: torch.dtype) -> Found:
    """Count on meta tensors with one and two layers, and let every further layer add what the second adds."""
    one, two = (run(method, _with_layers(sizes, count), "meta", dtype) for count in (1, 2))
    return one.plus(two.minus(one), sizes.n_layers - 1)


def _with_layers(sizes: Sizes, count: int) -> Sizes:
    return Sizes(count, sizes.width, sizes.rank, sizes.virtual, sizes.tokens, sizes.heads)


def verify_tuning(params: TuningParams, answer: Answer) -> Iterator[Check]:
    """Check values, FLOPs, cache and equal sizes: at the page's sizes on meta tensors, formulas on a small real model."""
    from peft import __version__

    sizes = Sizes(
        params.n_layers, params.d_model, params.rank, params.n_virtual_tokens, params.context_len, params.n_heads
    )  # fmt: skip
    dtype = DTYPES[params.conventions.bytes_per_element]
    large = {name: extended(name, sizes, dtype) for name in ("none", *METHODS)}
    small = {name: run(name, OTHER_SIZES, "cpu", dtype) for name in ("none", "merged", *METHODS)}
    scale, by = Fraction(params.conventions.flops_per_multiply_add, 2), f"peft {__version__} on OPT"
    yield from _check_values(answer["1"], large, small, by)
    yield from _check_flops(answer["2"], large, small, scale, by)
    yield from _check_cache(answer["3"], large, small, by)
    yield from _check_equal(params, answer["4"], large, small, scale, by)
    for label in ("1", "2", "3", "4"):
        yield same_letters(f"{label}, numbers put in", answer[label].steps, sizes.letters)


Runs = dict[str, Found]


def _route(method: str, by: str) -> str:
    """How a method was put into the model: adapters without peft, which has none of these."""
    return MODULES if method == "adapters" else by


def _check_values(part: Part, large: Runs, small: Runs, by: str) -> Iterator[Check]:
    whole = large["none"].model_values
    yield same("1, values of the layers' matrices", part["model"].value, whole, UNTUNED)
    triples: list[Formula] = [("model", part["model"].formula, small["none"].model_values)]
    rows: list[tuple[Cell, ...]] = []
    groups: list[tuple[Cell, ...]] = []
    for (name, title), row in zip(METHODS.items(), part.tables["values"].rows, strict=True):
        values = large[name].values
        yield same(f"1, trainable values of {title}", part[name].value, values, _route(name, by))
        rows.append((title, row[1], values, Fraction(values, whole)))
        triples += [(name, part[name].formula, small[name].values), (name, row[1], small[name].values)]
        where = "the whole model" if name == "prompt" else "each layer"
        groups += [(title, Math(latex), Math(shape), count, where) for latex, shape, count in SHAPES[name]]
    yield same_rows("1, values", part.tables["values"], rows, by)
    yield same_formulas("1, formulas", triples, OTHER_SIZES.letters, by)
    yield same_rows("1, trained tensors", part.tables["groups"], groups, "list of shapes from the methods' papers")


def _check_flops(part: Part, large: Runs, small: Runs, scale: Fraction, by: str) -> Iterator[Check]:
    triples: list[Formula] = []
    base = large["none"]
    rows: list[tuple[Cell, ...]] = []
    for kind, field in (("pass", "pass_flops"), ("token", "token_flops")):
        yield same(f"2, {part[kind].what}", part[kind].value, scale * getattr(base, field), UNTUNED)
        triples.append((kind, part[kind].formula, scale * getattr(small["none"], field)))
        for name in METHODS:
            line = part[f"{name}_{kind}"]
            more = scale * (getattr(large[name], field) - getattr(base, field))
            yield same(f"2, {line.what}", line.value, more, _route(name, by))
            triples.append(
                (f"{name}, {kind}", line.formula, scale * (getattr(small[name], field) - getattr(small["none"], field)))
            )
    merged = small["merged"].minus(small["none"])
    for title, more in ((MERGED, merged), *((title, large[name].minus(base)) for name, title in METHODS.items())):
        shares = Fraction(more.pass_flops, base.pass_flops), Fraction(more.token_flops, base.token_flops)
        rows.append((title, scale * more.pass_flops, shares[0], scale * more.token_flops, shares[1]))
    yield same_formulas("2, formulas", triples, OTHER_SIZES.letters, f"{by}, torch FLOPs of every product")
    yield same_rows("2, FLOPs", part.tables["flops"], rows, f"{by}, torch FLOPs of every product")


def _check_cache(part: Part, large: Runs, small: Runs, by: str) -> Iterator[Check]:
    own = large["none"].cached_bytes
    yield same("3, cache of the user's tokens", part["own"].value, own, "past_key_values, nbytes")
    triples: list[Formula] = [("own", part["own"].formula, small["none"].cached_bytes)]
    rows: list[tuple[Cell, ...]] = []
    for name, title in METHODS.items():
        more = large[name].cached_bytes - own
        rows.append((title, more, Fraction(more, own)))
        if name in part.steps:
            yield same(f"3, cache of {title}", part[name].value, more, f"{by}, past_key_values")
            triples.append((name, part[name].formula, small[name].cached_bytes - small["none"].cached_bytes))
    yield same_rows("3, caches", part.tables["bytes"], rows, f"{by}, past_key_values")
    yield same_formulas("3, formulas", triples, OTHER_SIZES.letters, f"{by}, past_key_values")


def _costs(runs: Runs, name: str, scale: Fraction) -> tuple[Fraction, Fraction]:
    """FLOPs of a token and cached bytes for each trained value."""
    more = runs[name].minus(runs["none"])
    return scale * Fraction(more.token_flops, runs[name].values), Fraction(more.cached_bytes, runs[name].values)


def _unit(runs: Runs, name: str, sizes: Sizes) -> Fraction:
    """Trained values for each rank, unit of inner width or virtual token."""
    return Fraction(runs[name].values, sizes.rank if name in ("lora", "adapters") else sizes.virtual)


def _check_equal(params: TuningParams, part: Part, large: Runs, small: Runs, scale: Fraction, by: str) -> Iterator[Check]:
    sizes = Sizes(params.n_layers, params.d_model, params.rank, params.n_virtual_tokens, params.context_len, params.n_heads)
    triples: list[Formula] = []
    rows: list[tuple[Cell, ...]] = []
    for (name, title), row in zip(METHODS.items(), part.tables["costs"].rows, strict=True):
        flops, cached = _costs(large, name, scale)
        rows.append((title, row[1], flops, row[3], cached))
        there = _costs(small, name, scale)
        triples += [(f"{name}, FLOPs", row[1], there[0]), (f"{name}, bytes", row[3], there[1])]
        if name in part.steps:
            size = params.rank * _unit(large, "lora", sizes) / _unit(large, name, sizes)
            yield same(f"4, {part[name].what}", part[name].value, size, f"{MODULES}; {by}" if name == "adapters" else by)
            other = OTHER_SIZES.rank * _unit(small, "lora", OTHER_SIZES) / _unit(small, name, OTHER_SIZES)
            triples.append((name, part[name].formula, other))
    yield same_rows("4, costs of one trained value", part.tables["costs"], rows, by)
    yield same_formulas("4, formulas", triples, OTHER_SIZES.letters, by)
    units = [_unit(large, name, sizes) for name in METHODS]
    found = [
        (rank, rank * units[0], *(rank * units[0] / unit for unit in units[1:]))
        for rank in sorted({params.rank, *params.other_sizes})
    ]  # fmt: skip
    yield same_rows("4, sizes that train as many values", part.tables["sizes"], found, by)
