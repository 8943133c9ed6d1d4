"""Builds the models of transformers without storage, tunes them with peft and torch modules, and counts trainable values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from generators.answer import Cell, rational
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning import Model, TuningParams

ADDED_UP = "torch, tensors added up"
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Shape:
    """A model's configuration."""

    kind: str
    n_layers: int
    d_model: int
    d_ff: int
    vocabulary: int
    positions: int
    segments: int


OTHER = {
    "bert": Shape("bert", 3, 12, 20, 50, 16, 4),
    "gpt_neox": Shape("gpt_neox", 2, 8, 24, 30, 16, 1),
}
OTHER_WIDTH = 5


@dataclass(frozen=True)
class Counts:
    """Values of a model, in its layers, and those that each method trains."""

    values: int
    layers: int
    biases: int
    some_biases: int
    adapters: int
    lora: int


def _shape(model: Model) -> Shape:
    return Shape(
        model.kind,
        model.n_layers,
        model.d_model,
        model.d_ff,
        model.vocabulary_size,
        model.n_positions,
        model.n_segments,
    )  # fmt: skip


def built(shape: Shape) -> Any:
    """The architecture from transformers on meta tensors; one head, as heads change no count."""
    from transformers import BertConfig, BertModel, GPTNeoXConfig, GPTNeoXForCausalLM

    sizes = {"num_hidden_layers": shape.n_layers, "hidden_size": shape.d_model, "intermediate_size": shape.d_ff,
             "num_attention_heads": 1, "vocab_size": shape.vocabulary, "max_position_embeddings": shape.positions}  # fmt: skip
    with torch.device("meta"):
        if shape.kind == "bert":
            return BertModel(BertConfig(**sizes, type_vocab_size=shape.segments))
        return GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, tie_word_embeddings=False))


@lru_cache(maxsize=16)
def _untuned(shape: Shape) -> Any:
    """The same, to be looked at and never changed."""
    return built(shape)


@lru_cache(maxsize=64)
def counted(shape: Shape, width: int, rank: int, lora_on: tuple[str, ...], *, norms: bool) -> Counts:
    """Count by the names of parameters; the adapters are built as modules, LoRA by peft."""
    plain = _plain(shape)
    return Counts(*plain, _adapters(shape, width, norms=norms), _lora(shape, rank, lora_on))


@lru_cache(maxsize=64)
def _plain(shape: Shape) -> tuple[int, int, int, int]:
    named = {name: tensor.numel() for name, tensor in _untuned(shape).named_parameters()}
    biases = {name: count for name, count in named.items() if name.endswith("bias")}
    query = {"bert": "query.bias", "gpt_neox": "query_key_value.bias"}[shape.kind]
    third = 1 if shape.kind == "bert" else 3
    first = {"bert": "intermediate.dense.bias", "gpt_neox": "dense_h_to_4h.bias"}[shape.kind]
    some = _total(biases, query) // third + _total(biases, first)
    layers = sum(count for name, count in named.items() if _in_layers(name))
    return sum(named.values()), layers, sum(biases.values()), some


def _total(named: dict[str, int], ending: str) -> int:
    return sum(count for name, count in named.items() if name.endswith(ending))


@lru_cache(maxsize=64)
def _adapters(shape: Shape, width: int, *, norms: bool) -> int:
    """Two bottlenecks a layer; with `norms`, the norms that stand in the model's layers."""
    with torch.device("meta"):
        pair = nn.Linear(shape.d_model, width), nn.Linear(width, shape.d_model)
    added = 2 * shape.n_layers * sum(tensor.numel() for layer in pair for tensor in layer.parameters())
    inside = [one for name, one in _untuned(shape).named_modules() if _in_layers(name) and isinstance(one, nn.LayerNorm)]
    return added + norms * sum(tensor.numel() for norm in inside for tensor in norm.parameters())


def _in_layers(name: str) -> bool:
    return ".layer." in name or ".layers." in name


@lru_cache(maxsize=64)
def _lora(shape: Shape, rank: int, lora_on: tuple[str, ...]) -> int:
    from peft import LoraConfig, get_peft_model

    targets = list(lora_on) if shape.kind == "bert" else ["query_key_value"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks for an attribute that transformers renames
        tuned = get_peft_model(built(shape), LoraConfig(r=rank, target_modules=targets))
    return sum(tensor.numel() for tensor in tuned.parameters() if tensor.requires_grad)


def _names() -> tuple[str, str]:
    """What found the counts: transformers, and peft for LoRA."""
    import peft
    import transformers

    return f"transformers {transformers.__version__}, meta tensors", f"peft {peft.__version__}, meta tensors"


def verify_tuning(params: TuningParams, answer: Answer) -> Iterator[Check]:
    """Check LoRA's reduction, trained shares, the printed shares, and bytes."""
    yield from _check_reduction(params, answer["1"])
    yield _check_merging()
    yield from _check_shares(params, answer["2"])
    yield from _check_printed(params, answer["3"])
    yield _check_bytes(params, answer["4"])


@lru_cache(maxsize=64)
def _pair(rows: int, columns: int, rank: int) -> int:
    """Trainable values that peft puts beside one matrix of torch."""
    from peft import LoraConfig, get_peft_model

    with torch.device("meta"):
        matrix = nn.Sequential(nn.Linear(columns, rows, bias=False))
    tuned = get_peft_model(matrix, LoraConfig(r=rank, target_modules=["0"]))
    return sum(tensor.numel() for tensor in tuned.parameters() if tensor.requires_grad)


def _found(width: int, rank: int) -> dict[str, int | Fraction]:
    full = torch.empty(width, width, device="meta").numel()
    pair = _pair(width, width, rank)
    return {"full": full, "lora": pair, "ratio": Fraction(full, pair), "break_even": Fraction(full, _pair(width, width, 1))}


def _check_reduction(params: TuningParams, part: Part) -> Iterator[Check]:
    by = _names()[1]
    width, first = params.d_model, params.rank
    for name, value in _found(width, first).items():
        yield same(f"1, {part[name].what}", rational(part[name].value), value, by)
    triples: list[Formula] = [(name, part[name].formula, value) for name, value in _found(12, OTHER_WIDTH).items()]
    yield same_formulas("1, formulas", triples, {"D": 12, "R": OTHER_WIDTH}, by)
    line, rows, columns = part["rectangular"], params.n_rows, params.n_columns
    yield same(f"1, {line.what}", rational(line.value), Fraction(rows * columns, _pair(rows, columns, 1)), by)
    triples = [("rank", line.formula, Fraction(12 * 20, _pair(12, 20, 1)))]
    yield same_formulas("1, formula for a rectangular matrix", triples, {"m": 12, "n": 20}, by)
    yield same_letters("1, numbers put in", part.steps, {"D": width, "R": first, "m": rows, "n": columns})
    table = []
    for rank in params.ranks:
        found = _found(width, rank)
        table.append((rank, found["lora"], _plainly(rational(found["ratio"])), _plainly(1 / rational(found["ratio"]))))
    yield same_rows("1, ranks", part.tables["ranks"], table, by)


def _plainly(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number


@lru_cache(maxsize=1)
def _merged() -> tuple[int, int, float]:
    """Values of a small layer before tuning and after merging, and by how much the merged output differs."""
    from peft import LoraConfig, get_peft_model

    torch_state = torch.get_rng_state()
    torch.manual_seed(25)
    base = nn.Sequential(nn.Linear(12, 12, bias=False)).double()
    before, x = sum(tensor.numel() for tensor in base.parameters()), torch.randn(4, 12, dtype=torch.float64)
    tuned = get_peft_model(base, LoraConfig(r=3, target_modules=["0"], init_lora_weights=False))
    tuned = tuned.double()
    with torch.no_grad():
        beside = tuned(x)
        merged = tuned.merge_and_unload()
        apart = float((merged(x) - beside).abs().max())
    torch.set_rng_state(torch_state)
    return before, sum(tensor.numel() for tensor in merged.parameters()), apart


def _check_merging() -> Check:
    """BA added to W computes the same, and leaves as many values as before."""
    before, after, apart = _merged()
    shown = f"{after} values, outputs equal to {TOLERANCE:g}" if apart <= TOLERANCE else f"outputs differ by {apart:.1e}"
    what = "1, a matrix of 12×12 with A and B merged into it"
    return Check(what=what, published=f"{before} values, outputs equal to {TOLERANCE:g}", found=shown, by=_names()[1],
                 passed=before == after and apart <= TOLERANCE)  # fmt: skip


def _of(params: TuningParams, model: Model, width: int) -> Counts:
    return counted(_shape(model), width, params.rank, tuple(params.lora_on), norms=params.conventions.adapters_train_norms)


def _trained(counts: Counts) -> dict[str, int]:
    return {"BitFit": counts.biases, "BitFit, half": counts.some_biases, "Adapters": counts.adapters, "LoRA": counts.lora}


def _check_shares(params: TuningParams, part: Part) -> Iterator[Check]:
    by, with_peft = _names()
    first, norms = params.models[0], params.conventions.adapters_train_norms
    here = _of(params, first, params.adapter_width)
    values = {"model": here.values, **_trained(here)}
    values |= dict(zip(("rows", "norms", "poolers"), _outside(_shape(first)), strict=True))
    for name, value in values.items():
        yield same(f"2, {part[name].what}", part[name].value, value, with_peft if name == "LoRA" else by)
    for kind, shape in OTHER.items():
        small = counted(shape, OTHER_WIDTH, OTHER_WIDTH, tuple(params.lora_on), norms=norms)
        kept = {"model": small.values, **_trained(small)}
        triples: list[Formula] = [(n, part[n].formula, v) for n, v in kept.items() if kind == first.kind or n != "LoRA"]
        yield same_formulas(f"2, formulas in {kind}", triples, {**_letters(shape), "R": OTHER_WIDTH}, by)
    for name, line in part.steps.items():
        rank = params.rank if name == "LoRA" else params.adapter_width if name == "Adapters" else 1
        if line.at:
            yield same_letters(f"2, numbers put in {name}", {name: line}, {**_letters(_shape(first)), "R": rank})
    models: list[tuple[Cell, ...]] = []
    shares: list[tuple[Cell, ...]] = []
    for model in params.models:
        one = _of(params, model, params.adapter_width)
        inside = _plainly(Fraction(one.layers, one.values))
        models.append((model.name, model.n_layers, model.d_model, model.d_ff, one.values, inside))
        for name, trained in _trained(one).items():
            shares.append((model.name, name, trained, _plainly(Fraction(trained, one.values))))
    yield same_rows("2, models", part.tables["models"], models, by)
    yield same_rows("2, trained shares", part.tables["shares"], shares, with_peft)


def _letters(shape: Shape) -> dict[str, int | Fraction]:
    """The letters of the formulas, with the rows, norms and poolers outside the layers as they are built."""
    rows, norms, poolers = _outside(shape)
    sizes = {"N_layer": shape.n_layers, "D": shape.d_model, "D_ff": shape.d_ff}
    return {**sizes, "E": rows, "S": norms, "P": poolers}


@lru_cache(maxsize=64)
def _outside(shape: Shape) -> tuple[int, int, int]:
    apart = [one for name, one in _untuned(shape).named_modules() if not _in_layers(name)]
    held = [one for one in apart if isinstance(one, nn.Embedding)]
    heads = [one for one in apart if isinstance(one, nn.Linear) and one.bias is None]
    norms = sum(isinstance(one, nn.LayerNorm) for one in apart)
    poolers = sum(isinstance(one, nn.Linear) and one.bias is not None for one in apart)
    return sum(len(one.weight) for one in [*held, *heads]), norms, poolers


def _check_printed(params: TuningParams, part: Part) -> Iterator[Check]:
    by, printed, first = _names()[0], params.printed, params.models[0]
    rows: list[tuple[Cell, ...]] = []
    for model in params.models:
        if model.kind == "bert":
            one = _of(params, model, params.adapter_width)
            rows.append(_row("BitFit", printed.bitfit.percent, printed.bitfit.decimals, model.name, one.biases, one))
    for width in sorted({params.adapter_width, *params.other_adapter_widths}):
        one = _of(params, first, width)
        where = f"{first.name}, width {width}"
        rows.append(_row("Adapters", printed.adapters.percent, printed.adapters.decimals, where, one.adapters, one))
    yield same_rows("3, printed and counted shares", part.tables["printed"], rows, by)
    whole = _of(params, first, 1).values
    ask, line = printed.adapters.percent / 100 * whole, part["width"]
    yield same(f"3, {line.what}", rational(line.value), _width(params, _shape(first), ask), "a line through two counted widths")
    small = OTHER["bert"]
    found = _width(params, small, Fraction(1000))
    triples: list[Formula] = [("width", line.formula, found)]
    sizes: dict[str, int | Fraction] = {**_letters(small), "q": Fraction(1, 5), "N_model": 5000}
    yield same_formulas("3, formula of the width", triples, sizes, "a line through two counted widths")
    letters: dict[str, Cell] = {**_letters(_shape(first)), "q": printed.adapters.percent / 100, "N_model": whole}
    yield same_letters("3, numbers put in", {"width": line}, letters)
    kept = printed.diff_pruning.percent / 100 * whole
    yield same(f"3, {part['difference'].what}", rational(part["difference"].value), kept, by)


def _row(method: str, percent: Fraction, decimals: int, where: str, trained: int, one: Counts) -> tuple[Cell, ...]:
    share = Fraction(trained, one.values)
    alike = f"{float(100 * share):.{decimals}f}" == f"{float(percent):.{decimals}f}"
    shown = "yes" if alike else "no"
    return method, _plainly(percent / 100), where, _plainly(share), _plainly(Fraction(trained, one.layers)), shown


def _width(params: TuningParams, shape: Shape, values: Fraction) -> Fraction:
    """The width at which adapters hold so many values, which grow evenly with it."""
    one, two = (_adapters(shape, width, norms=params.conventions.adapters_train_norms) for width in (1, 2))
    return 1 + (values - one) / (two - one)


def _check_bytes(params: TuningParams, part: Part) -> Check:
    held, one = params.conventions, _of(params, params.models[0], params.adapter_width)
    size = torch.empty(0, dtype={2: torch.float16, 4: torch.float32}[held.bytes_per_value]).element_size()
    rows = []
    for name, trained in {"Full": one.values, **_trained(one)}.items():
        shared = 0 if name == "Full" else one.values
        every = shared + sum(trained for _ in range(params.n_tasks))
        kept = [trained] + [trained] * held.optimizer_states
        rows.append((name, size * trained, size * every, size * sum(kept)))
    return same_rows("4, bytes", part.tables["bytes"], rows, ADDED_UP)
