"""Lecture 25, QLoRA: the levels of 4-bit NormalFloat, double quantization, and optimizer states in pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact, rational
from generators.params import Params, PositiveExact, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.normal_float import (
    block_error,
    in_blocks,
    levels,
    normal_levels,
    probabilities,
    quantile,
    relative_error,
    restored,
    scales_in_8_bits,
    uniform_weights,
)
from generators.topics.paging import Memory, PagedStep, paged_steps, ranges
from generators.topics.qlora_memory import (
    CODE_BITS,
    D,
    D_ff,
    N,
    N_layer,
    V,
    adapter_values,
    b1,
    b2,
    c1,
    c2,
    double_overhead,
    fixed_bytes,
    per_token,
    plain_overhead,
    r,
    s,
    state_bytes,
    unquantized_bytes,
)
from generators.topics.quantization import seeded_weights

S, M, M_fixed, A, P, p = sympy.symbols("S M M_fixed A P p", positive=True)
NAMES = ("NF4", "Int4", "FP4")
MIB, GIB = 2**20, 2**30
MAX_PAGES = 20_000


class Conventions(Params):
    """What bits and bytes rest on."""

    scale_bits: Literal[16, 32] = Field(32, description="bits of a scale, and of a second-level scale (32 is FP32)")
    quantized_scale_bits: Literal[8] = Field(8, description="bits of a scale after double quantization")
    bytes_per_value: Literal[2, 4] = Field(2, description="bytes of an adapter's value, of its gradient and of an activation")


class Sample(Params):
    """Seeded size×size weights, the sizes of blocks compared, and the two levels of blocks in force."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    size: Annotated[int, Field(ge=16, le=128)]
    block_lens: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2, max_length=9)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(second <= first for first, second in pairwise(self.block_lens)):
            raise ValueError(f"block_lens: must rise from each to the next (got {self.block_lens})")
        for one in self.block_lens:
            if self.size**2 % one:
                raise ValueError(f"block_lens: must divide the {self.size**2} weights (got {one})")
        return self


class Model(Params):
    """A model by its name and number of parameters."""

    name: Text
    n_parameters: PositiveInt


class Training(Params):
    """A fine-tuning run: the model, the adapters' rank, the accelerator, and the tokens of each step."""

    model: Text
    n_layers: PositiveInt
    d_model: PositiveInt
    d_ff: PositiveInt
    vocabulary_size: PositiveInt
    rank: PositiveInt
    limit_mib: PositiveInt
    page_kib: PositiveInt
    link_gb_per_s: PositiveExact
    tokens: Annotated[list[PositiveInt], Field(min_length=1, max_length=12)]


class Nf4Params(Params):
    """Weights to quantize, block sizes, models whose memory is counted, and the run with paged states."""

    sample: Sample
    block_len: Annotated[int, Field(ge=2)]
    second_block_len: Annotated[int, Field(ge=2)]
    models: Annotated[list[Model], Field(min_length=1, max_length=8)]
    training: Training
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        weights = self.sample.size**2
        if self.block_len not in self.sample.block_lens:
            raise ValueError(f"block_len: must be one of sample.block_lens (got {self.block_len})")
        if weights % (self.block_len * self.second_block_len):
            raise ValueError(
                f"second_block_len: must divide the {weights // self.block_len} scales (got {self.second_block_len})"
            )
        if self.training.model not in [model.name for model in self.models]:
            raise ValueError(f"training.model: must be the name of one of the models (got {self.training.model!r})")
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError(f"models: must have different names (got {names})")
        self._check_memory()
        return self

    def _check_memory(self) -> None:
        memory, training = self.memory, self.training
        if memory.pages > MAX_PAGES:
            raise ValueError(f"training.page_kib: must cut the states into at most {MAX_PAGES} pages (got {memory.pages})")
        held = memory.fixed + memory.pages * memory.page
        if held > memory.limit:
            raise ValueError(
                f"training.limit_mib: must hold weights and optimizer states, {-(-held // MIB)} MiB (got {training.limit_mib})"
            )
        most = (memory.limit - memory.fixed) // int(rational(exact(per_token().subs(self.sizes))))
        if max(training.tokens) > most:
            raise ValueError(
                f"training.tokens: must be at most the {most} that fit without optimizer states (got {max(training.tokens)})"
            )

    @property
    def tuned(self) -> Model:
        """The model of the run."""
        return next(model for model in self.models if model.name == self.training.model)

    @property
    def sizes(self) -> dict[sympy.Symbol, Value]:
        """The letters of the formulas with their values."""
        training, held = self.training, self.conventions
        return {
            N: self.tuned.n_parameters, b1: self.block_len, b2: self.second_block_len,
            c1: held.scale_bits, c2: held.quantized_scale_bits, s: held.bytes_per_value,
            N_layer: training.n_layers, D: training.d_model, D_ff: training.d_ff, V: training.vocabulary_size,
            r: training.rank,
        }  # fmt: skip

    @property
    def memory(self) -> Memory:
        """The accelerator's memory in bytes, and the pages of the optimizer states."""
        fixed = int(rational(exact(fixed_bytes().subs(self.sizes))))
        states = int(rational(exact(state_bytes().subs(self.sizes))))
        page = self.training.page_kib * 1024
        return Memory(self.training.limit_mib * MIB, fixed, page, -(-states // page))


def solve(params: Nf4Params) -> Answer:
    """Find the levels, quantize seeded weights, count bits, and run training steps with paged states."""
    weights = seeded_weights(params.sample.seed, params.sample.size)
    first = {"1": _levels(params, weights), "2": _errors(params, weights), "3": _double(params, weights)}
    return Answer({**first, "4": _paging(params)})


def _levels(params: Nf4Params, weights: Sequence[float]) -> Part:
    numbers = in_blocks(weights, params.block_len, "NF4").numbers.ravel().tolist()
    rows = [
        (code, exact(sympy.Rational(p.numerator, p.denominator)), quantile(p), level, numbers.count(code))
        for code, (p, level) in enumerate(zip(probabilities(), normal_levels(), strict=True))
    ]
    header = ("Code", "Probability below", "Quantile", "Level", "Used")
    outermost = exact(1 - (sympy.Rational(1, 30) + sympy.Rational(1, 32)) / 2)
    steps = {
        "outermost": Step(what="probability below the largest quantile", symbol=r"p_{15}", value=outermost),
        "least": Step(what="least used code", symbol="u", value=min(row[4] for row in rows)),
        "most": Step(what="most used code", symbol="u", value=max(row[4] for row in rows)),
    }
    return Part(title="The sixteen levels", steps=steps, tables={"levels": Table(header=header, rows=tuple(rows))})


def _errors(params: Nf4Params, weights: Sequence[float]) -> Part:
    by_block: list[tuple[Cell, ...]] = []
    for block_len in params.sample.block_lens:
        bits = exact(CODE_BITS + plain_overhead().subs({c1: params.conventions.scale_bits, b1: block_len}))
        by_block.append((block_len, bits, *(block_error(weights, block_len, name) for name in NAMES)))
    uniform = uniform_weights(params.sample.seed, len(weights))
    by_shape = [
        (shape, *(block_error(sample, params.block_len, name) for name in NAMES))
        for shape, sample in (("normal", weights), ("uniform", uniform))
    ]
    tables = {
        "blocks": Table(header=("Block", "Bits a weight", *NAMES), rows=tuple(by_block)),
        "shapes": Table(header=("Weights", *NAMES), rows=tuple(by_shape)),
    }
    return Part(title="Errors block by block", tables=tables)


def _double(params: Nf4Params, weights: Sequence[float]) -> Part:
    at = params.sizes
    steps = {
        "plain": step("bits a weight for scales", r"\beta", plain_overhead(), {c1: at[c1], b1: at[b1]}),
        "double": step("bits a weight for quantized scales", r"\beta'", double_overhead(), {x: at[x] for x in (c1, c2, b1, b2)}),
    }
    saved = rational(steps["plain"].value) - rational(steps["double"].value)
    steps["saved"] = Step(what="bits a weight saved", symbol=r"\beta - \beta'", value=exact(saved))
    bits = [Fraction(16), CODE_BITS + rational(steps["plain"].value), CODE_BITS + rational(steps["double"].value)]
    memory = []
    for model in params.models:
        fp16, nf4, double = (Fraction(model.n_parameters * one) / 8 / GIB for one in bits)
        memory.append((model.name, exact(fp16), exact(nf4), exact(double), exact(nf4 - double)))
    blocks = in_blocks(weights, params.block_len, "NF4")
    scales = blocks.scales.ravel().tolist()
    again = scales_in_8_bits(scales, params.second_block_len)
    errors = [
        ("NF4", exact(bits[1]), 0.0, relative_error(restored(blocks, "NF4"), weights)),
        ("NF4 + DQ", exact(bits[2]), relative_error(again, scales), relative_error(restored(blocks, "NF4", again), weights)),
    ]
    tables = {
        "memory": Table(header=("Model", "FP16", "NF4", "NF4 + DQ", "DQ saves"), rows=tuple(memory)),
        "errors": Table(header=("Kept as", "Bits a weight", "Error of scales", "Error of weights"), rows=tuple(errors)),
    }
    return Part(title="Double quantization", steps=steps, tables=tables)


def run(params: Nf4Params) -> list[PagedStep]:
    """The training steps with paged states."""
    each = int(rational(exact(per_token().subs(params.sizes))))
    return paged_steps(params.memory, [each * tokens for tokens in params.training.tokens])


def _paging(params: Nf4Params) -> Part:
    memory, steps = params.memory, run(params)
    rows: list[tuple[Cell, ...]] = []
    for number, (tokens, one) in enumerate(zip(params.training.tokens, steps, strict=True), 1):
        mib = (exact(Fraction(count, MIB)) for count in (one.activations, one.peak_without, one.peak))
        fits = "yes" if one.peak_without <= memory.limit else "no"
        rows.append((number, tokens, *mib, fits, len(one.left), ranges(one.left) or "–"))
    header = ("Step", "Tokens", "Activations", "Peak without", "Peak with paging", "Fits without", "Pages out", "Which")
    moved = 2 * memory.page * sum(len(one.left) for one in steps)
    rate = params.training.link_gb_per_s * 10**9
    found = _paging_formulas(params)
    found |= {
        "moved": Step(what="bytes moved out and back in", symbol="B", value=moved, unit="B"),
        "seconds": Step(what="time of moving", symbol="t", value=exact(moved / rate), unit="s"),
    }
    return Part(title="Optimizer states in pages", steps=found, tables={"steps": Table(header=header, rows=tuple(rows))})


def _paging_formulas(params: Nf4Params) -> dict[str, Step]:
    at, memory = params.sizes, params.memory
    shape = {x: at[x] for x in (r, N_layer, D, D_ff)}
    room = {M: memory.limit, M_fixed: memory.fixed, A: exact(per_token().subs(at)), P: memory.pages, p: memory.page}
    states = state_bytes()
    return {
        "values": step("values of all adapters", r"N_{\text{LoRA}}", adapter_values(), shape),
        "states": step("bytes of Adam's states", "S", states, shape, "B"),
        "fixed": step("bytes that stay", r"M_{\text{fixed}}", fixed_bytes(), at, "B"),
        "unquantized": step("bytes more with embedding and output head in 16 bits", r"\Delta M", unquantized_bytes(), at, "B"),
        "per_token": step("bytes of activations a token", "A", per_token(), {x: at[x] for x in (s, N_layer, D)}, "B"),
        "pages": step("pages of states", "P", sympy.ceiling(S / p), {S: exact(states.subs(at)), p: memory.page}),
        "most_without": step("most tokens without paging", "n", sympy.floor((M - M_fixed - P * p) / A), room),
        "most_with": step("most tokens with paging", "n'", sympy.floor((M - M_fixed) / A), {x: room[x] for x in (M, M_fixed, A)}),
    }


def verify(params: Nf4Params, answer: Answer) -> Iterator[Check]:
    """Find quantiles by bisection and with torch, take nearest levels by distance, and weigh tensors and AdamW's states."""
    from generators.oracles.nf4 import verify_nf4

    return verify_nf4(params, answer)


def draw(params: Nf4Params, answer: Answer) -> dict[str, Figure]:
    """The levels, errors over the size of blocks, bits of codes and scales, and memory over the training steps."""
    from generators.figures.nf4 import bits_figure, blocks_figure, levels_figure, paging_figure

    bits = {name: float(rational(answer["3"][name].value)) for name in ("plain", "double")}
    return {
        "levels": levels_figure({name: levels(name) for name in NAMES}, 1 / abs(quantile(probabilities()[0]))),
        "blocks": blocks_figure(answer["2"].tables["blocks"], params.block_len),
        "bits": bits_figure(
            {
                "NF4": [float(CODE_BITS), bits["plain"]],
                "NF4 + DQ": [float(CODE_BITS), bits["double"]],
            }
        ),
        "paging": paging_figure(answer["4"].tables["steps"], float(params.training.limit_mib)),
    }


QUESTION = SelfVerifying(
    title="4-bit NormalFloat, double quantization and paged optimizers",
    points=0,
    params=Nf4Params,
    solve=solve,
    verify=verify,
    draw=draw,
)
