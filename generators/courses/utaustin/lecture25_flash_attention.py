"""Lecture 25, FlashAttention: softmax with a running maximum and sum, and the memory traffic that it saves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact
from generators.params import Exact, Params, PositiveExact, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.attention_traffic import (
    BACKWARD_PRODUCTS,
    FORWARD_PRODUCTS,
    LoopOrder,
    flash_traffic,
    held_elements,
    inner_block,
    outer_block,
    passes,
    product_multiply_adds,
    standard_traffic,
)
from generators.topics.attention_traffic_tables import At, Head, lengths_table, sram_table, times_table
from generators.topics.flash_attention import Running, plain_output, running, seeded_matrices, tiled

MAX_LENGTH = 2**20


class Conventions(Params):
    """What the counts rest on."""

    loop_order: LoopOrder = Field(
        "keys_outer", description="which blocks the outer loop takes (keys in FlashAttention, queries in FlashAttention-2)"
    )
    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one element (2 is FP16)")
    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")


class Example(Params):
    """Scores of one query, and the value vector of each key."""

    scores: Annotated[list[Exact], Field(min_length=2, max_length=12)]
    values: list[Annotated[list[Exact], Field(min_length=1, max_length=3)]]
    block_len: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.values) != len(self.scores):
            raise ValueError(f"values: must be as many as scores (got {len(self.values)})")
        if len({len(value) for value in self.values}) > 1:
            raise ValueError(f"values: must be of one length (got {sorted({len(value) for value in self.values})})")
        if self.block_len >= len(self.scores):
            raise ValueError(f"block_len: must be less than the {len(self.scores)} scores (got {self.block_len})")
        return self


class Tiles(Params):
    """A seeded attention of n_tokens×head_width matrices, and the tiles it is computed in."""

    n_tokens: Annotated[int, Field(ge=2, le=32)]
    head_width: Annotated[int, Field(ge=1, le=8)]
    block_rows: PositiveInt
    block_columns: PositiveInt
    seed: Annotated[int, Field(ge=0, lt=2**32)]


class Accelerator(Params):
    """Peak figures of an accelerator, and the on-chip memory of one of its multiprocessors."""

    name: Text
    peak_tflops: PositiveExact
    bandwidth_gb_per_s: PositiveExact
    sram_kib: PositiveInt
    source: Text


class Traffics(Params):
    """Where reads and writes are counted: head width, lengths and sizes of SRAM."""

    head_width: PositiveInt
    seq_len: Annotated[int, Field(gt=0, le=MAX_LENGTH)]
    seq_lens: Annotated[list[Annotated[int, Field(gt=0, le=MAX_LENGTH)]], Field(min_length=2, max_length=12)]
    sram_kib: Annotated[list[PositiveInt], Field(min_length=2, max_length=12)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("seq_lens", "sram_kib"):
            numbers = getattr(self, name)
            if numbers != sorted(set(numbers)):
                raise ValueError(f"{name}: must rise from each to the next (got {numbers})")
        return self


class FlashParams(Params):
    """The example, the tiles, the sizes at which memory traffic is counted, and the accelerator."""

    example: Example
    tiles: Tiles
    traffic: Traffics
    accelerator: Accelerator
    conventions: Conventions = Conventions()

    @property
    def head(self) -> Head:
        """The head whose traffic is counted."""
        held = self.conventions
        return Head(self.traffic.head_width, held.loop_order, held.bytes_per_element, held.flops_per_multiply_add)

    @property
    def at(self) -> At:
        """The letters of the formulas at the page's length and the accelerator's SRAM."""
        return self.head.at(self.traffic.seq_len, self.accelerator.sram_kib)


def solve(params: FlashParams) -> Answer:
    """Follow one query through its blocks, attend in tiles, and count memory traffic and arithmetic."""
    return Answer({"1": _one_query(params), "2": _tiles(params), "3": _traffic(params), "4": _arithmetic(params)})


def states(params: FlashParams) -> list[Running]:
    """What is kept of the example after each block, exactly."""
    example = params.example
    scores, values = _sympy_example(example)
    return running(scores, values, example.block_len, sympy.exp)


def _sympy_example(example: Example) -> tuple[list[sympy.Rational], list[list[sympy.Rational]]]:
    def number(x: Fraction) -> sympy.Rational:
        return sympy.Rational(x.numerator, x.denominator)

    return [number(score) for score in example.scores], [[number(x) for x in value] for value in example.values]


def _one_query(params: FlashParams) -> Part:
    example, kept = params.example, states(params)
    width = len(example.values[0])
    header = ("Block", "Scores", "m", "Factor", "ℓ", *(f"u{j}" for j in range(1, width + 1)))
    rows: list[tuple[Cell, ...]] = []
    for number, state in enumerate(kept):
        scores = ", ".join(map(str, _block(example, number)))
        factor = exact(sympy.exp(kept[number - 1].largest - state.largest)) if number else None
        rows.append((number + 1, scores, exact(state.largest), factor, *map(_expanded, (state.total, *state.weighted))))
    plain = plain_output(*_sympy_example(example), sympy.exp)
    outputs = zip(range(1, width + 1), map(exact, kept[-1].output), map(exact, plain), strict=True)
    tables = {
        "blocks": Table(header=header, rows=tuple(rows)),
        "output": Table(header=("Component", "Running", "All at once"), rows=tuple(outputs)),
    }
    steps = {f"sum_{number}": _running_sum(example, kept, number) for number in range(1, len(kept) + 1)}
    return Part(title="One query, block by block", steps=steps, tables=tables)


def _expanded(number: sympy.Expr) -> Value:
    return exact(sympy.expand(number))


def _block(example: Example, number: int) -> list[Fraction]:
    return example.scores[number * example.block_len : (number + 1) * example.block_len]


def _running_sum(example: Example, kept: list[Running], number: int) -> Step:
    """ℓ after a block, by its rule."""
    largest = [sympy.Symbol(f"m_{j}") for j in range(len(kept) + 1)]
    total = [sympy.Symbol(f"ell_{j}") for j in range(len(kept) + 1)]
    first = (number - 1) * example.block_len
    at: dict[sympy.Symbol, Value] = {largest[number]: exact(kept[number - 1].largest)}
    formula = sympy.Integer(0)
    for place, score in enumerate(_block(example, number - 1), first + 1):
        symbol = sympy.Symbol(f"s_{place}")
        at[symbol] = score
        formula += sympy.exp(symbol - largest[number])
    if number > 1:
        formula += sympy.exp(largest[number - 1] - largest[number]) * total[number - 1]
        at |= {largest[number - 1]: exact(kept[number - 2].largest), total[number - 1]: exact(kept[number - 2].total)}
    value = _expanded(formula.subs(at))
    return Step(what=f"sum after block {number}", symbol=rf"\ell_{{{number}}}", value=value, formula=formula, at=at)


def _tiles(params: FlashParams) -> Part:
    tiles = params.tiles
    matrices = seeded_matrices(tiles.seed, tiles.n_tokens, tiles.head_width)
    kept = tiled(*matrices, tiles.block_rows, tiles.block_columns)
    header = ("Query", "m", "ℓ", *(f"o{j}" for j in range(1, tiles.head_width + 1)))
    rows = tuple(
        (number, *(float(x) for x in (state.largest, state.total, *state.output))) for number, state in enumerate(kept, 1)
    )
    count = math.ceil(tiles.n_tokens / tiles.block_rows) * math.ceil(tiles.n_tokens / tiles.block_columns)
    steps = {"tiles": Step(what="tiles of the scores", symbol="n", value=count)}
    return Part(title="Whole matrices in tiles", steps=steps, tables={"rows": Table(header=header, rows=rows)})


def _traffic(params: FlashParams) -> Part:
    at, head, element = params.at, params.head, params.conventions.bytes_per_element
    standard, ours = standard_traffic(), flash_traffic(head.order)
    steps = {
        "outer": step("rows of an outer block", r"B_{\text{outer}}", outer_block(), at),
        "inner": step("rows of an inner block", r"B_{\text{inner}}", inner_block(), at),
        "passes": step("passes of the inner loop", "T", passes(), at),
        "held": step("elements in SRAM at once", "E", held_elements(head.order), at),
        "standard_reads": step("reads, standard", r"R_{\text{standard}}", element * standard.reads, at, "B"),
        "standard_writes": step("writes, standard", r"W_{\text{standard}}", element * standard.writes, at, "B"),
        "flash_reads": step("reads, FlashAttention", r"R_{\text{flash}}", element * ours.reads, at, "B"),
        "flash_writes": step("writes, FlashAttention", r"W_{\text{flash}}", element * ours.writes, at, "B"),
        "ratio": Step(
            what="traffic of standard attention over FlashAttention's",
            symbol=r"\rho",
            value=exact((standard.both / ours.both).subs(at)),
        ),
    }
    tables = {
        "lengths": lengths_table(head, params.traffic.seq_lens, params.accelerator.sram_kib),
        "sram": sram_table(head, params.traffic.seq_len, params.traffic.sram_kib),
    }
    return Part(title="Reads and writes of memory", steps=steps, tables=tables)


def _arithmetic(params: FlashParams) -> Part:
    at, accelerator = params.at, params.accelerator
    one = params.conventions.flops_per_multiply_add * product_multiply_adds()
    products = FORWARD_PRODUCTS + BACKWARD_PRODUCTS
    steps = {
        "forward": step("FLOPs forward, both", r"F_{\text{forward}}", FORWARD_PRODUCTS * one, at, "FLOP"),
        "standard": step("FLOPs of a training step, standard", r"F_{\text{standard}}", products * one, at, "FLOP"),
        "flash": step("FLOPs of a training step, FlashAttention", r"F_{\text{flash}}", (products + 1) * one, at, "FLOP"),
        "more": Step(what="more arithmetic", symbol=r"\Delta", value=exact(Fraction(1, products)), unit="%"),
    }
    peak, bandwidth = accelerator.peak_tflops * 10**12, accelerator.bandwidth_gb_per_s * 10**9
    times = times_table(params.head, params.traffic.seq_len, accelerator.sram_kib, peak, bandwidth)
    return Part(title="Arithmetic and time", steps=steps, tables={"times": times})


def verify(params: FlashParams, answer: Answer) -> Iterator[Check]:
    """Attend with torch all at once, run tiles that count what they read and write, and count products of autograd."""
    from generators.oracles.flash_attention import verify_flash

    return verify_flash(params, answer)


def draw(params: FlashParams, answer: Answer) -> dict[str, Figure]:
    """Traffic over the length and over the size of SRAM."""
    from generators.figures.flash_attention import length_figure, sram_figure

    part = answer["3"]
    standard = params.head.mib(standard_traffic(params.traffic.seq_len, params.traffic.head_width).both)
    return {
        "lengths": length_figure(part.tables["lengths"], params.traffic.seq_len),
        "sram": sram_figure(part.tables["sram"], float(standard), params.accelerator.sram_kib),
    }


QUESTION = SelfVerifying(
    title="FlashAttention",
    points=0,
    params=FlashParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
