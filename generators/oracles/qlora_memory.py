"""Finds the memory of QLoRA's run again: tensors and AdamW's states weighed, and pages counted from what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.steps import Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_nf4 import Nf4Params

WEIGHED = "torch, nbytes of the tensors kept"
ADAMW = "torch.optim.AdamW, a step on meta tensors"
COUNTED = "enumeration: one token or page more each time"
FLOATS = {16: torch.float16, 32: torch.float32}
INTEGERS = {8: torch.int8, 16: torch.int16}
OTHER_BITS = {"c_1": 16, "c_2": 16, "b_1": 32, "b_2": 8}
OTHER_SHAPE = {"r": 2, "N_layer": 3, "D": 12, "D_ff": 20, "s": 4}
OTHER_VOCABULARY = 40
OTHER_ROOM = {"M": 10_000, "M_fixed": 1_234, "A": 70, "P": 9, "p": 256}
MIB = 2**20


@lru_cache(maxsize=16)
def overheads(scale_bits: int, quantized_bits: int, block_len: int, second: int) -> tuple[Fraction, Fraction]:
    """Bits a weight for scales alone, and for quantized scales with their own, by the tensors for a few blocks."""
    scales = 3 * second
    plain = torch.empty(scales, dtype=FLOATS[scale_bits]).nbytes
    double = torch.empty(scales, dtype=INTEGERS[quantized_bits]).nbytes + torch.empty(3, dtype=FLOATS[scale_bits]).nbytes
    return Fraction(8 * plain, scales * block_len), Fraction(8 * double, scales * block_len)


@lru_cache(maxsize=8)
def adapters(rank: int, d_model: int, d_ff: int) -> tuple[int, int]:
    """Values of a layer's adapters, and bytes of the states that AdamW makes for them."""
    ends = [(d_model, d_model)] * 4 + [(d_model, d_ff)] * 2 + [(d_ff, d_model)]
    with torch.device("meta"):
        both = [torch.empty(shape, requires_grad=True) for i, o in ends for shape in ((rank, i), (o, rank))]
    for one in both:
        one.grad = torch.empty_like(one)
    optimizer = torch.optim.AdamW(both, foreach=False)
    optimizer.step()
    states = sum(value.nbytes for state in optimizer.state.values() for value in state.values())
    return sum(one.numel() for one in both), states


def unquantized(vocabulary: int, d_model: int, bits: Fraction) -> Fraction:
    """Bytes of an embedding and an output head in 16 bits less those at `bits` a weight."""
    kwargs = {"device": "meta", "dtype": torch.float16}
    both = torch.nn.Embedding(vocabulary, d_model, **kwargs), torch.nn.Linear(d_model, vocabulary, bias=False, **kwargs)  # type: ignore[arg-type]
    return sum((one.weight.nbytes - one.weight.numel() * bits / 8 for one in both), start=Fraction(0))


def bits_of(params: Nf4Params) -> tuple[int, int, int, int]:
    """What `overheads` takes."""
    held = params.conventions
    return held.scale_bits, held.quantized_scale_bits, params.block_len, params.second_block_len


class Run:
    """Bytes of the run, from tensors and the models' parameters."""

    def __init__(self, params: Nf4Params) -> None:
        training, element = params.training, params.conventions.bytes_per_value
        values, states = adapters(training.rank, training.d_model, training.d_ff)
        self.values, self.states = training.n_layers * values, training.n_layers * states
        weights = -(-params.tuned.n_parameters * (4 + overheads(*bits_of(params))[1]) // 8)
        self.fixed = int(weights) + 2 * element * self.values
        self.token = training.n_layers * element * training.d_model
        self.page, self.limit = training.page_kib * 1024, training.limit_mib * MIB
        self.pages = len(range(0, self.states, self.page))

    def most(self, *, paging: bool) -> int:
        """The most tokens that fit, by bisection."""
        held = self.fixed + (0 if paging else self.pages * self.page)
        low, high = 0, self.limit
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if held + middle * self.token <= self.limit else (low, middle)
        return low


def check_paging(params: Nf4Params, part: Part) -> Iterator[Check]:
    """Check every number of the run and its formulas."""
    run, training = Run(params), params.training
    found = {
        "values": run.values, "states": run.states, "fixed": run.fixed, "per_token": run.token, "pages": run.pages,
        "most_without": run.most(paging=False), "most_with": run.most(paging=True),
    }  # fmt: skip
    for name, value in found.items():
        yield same(f"4, {part[name].what}", part[name].value, value, ADAMW if name in ("values", "states") else COUNTED)
    yield same(
        f"4, {part['unquantized'].what}", part["unquantized"].value,
        unquantized(training.vocabulary_size, training.d_model, 4 + overheads(*bits_of(params))[1]), WEIGHED,
    )  # fmt: skip
    yield from _check_formulas(part)
    put_in = {
        **dict(zip(OTHER_BITS, bits_of(params), strict=True)), "N": params.tuned.n_parameters,
        "V": training.vocabulary_size, "r": training.rank, "N_layer": training.n_layers,
        "D": training.d_model, "D_ff": training.d_ff,
        "s": params.conventions.bytes_per_value, "S": run.states, "M": run.limit, "M_fixed": run.fixed, "A": run.token,
        "P": run.pages, "p": run.page,
    }  # fmt: skip
    yield same_letters("4, values in the formulas", part.steps, put_in)
    rows, moved = [], 0
    for number, tokens in enumerate(training.tokens, 1):
        needed = tokens * run.token
        without = run.fixed + needed + run.pages * run.page
        out = max(0, -(-(without - run.limit) // run.page))
        moved += 2 * out * run.page
        peak = max(without - out * run.page, run.fixed + run.pages * run.page)
        which = "–" if out == 0 else "0" if out == 1 else f"0–{out - 1}"
        shares = (Fraction(count, MIB) for count in (needed, without, peak))
        rows.append((number, tokens, *shares, "yes" if without <= run.limit else "no", out, which))
    yield same_rows("4, every step", part.tables["steps"], rows, "arithmetic: what is missing, in whole pages")
    yield same("4, bytes moved", part["moved"].value, moved, "arithmetic: what is missing, in whole pages")
    rate = training.link_gb_per_s * 10**9
    yield same("4, time of moving", part["seconds"].value, moved / rate, "arithmetic: what is missing, in whole pages")


def _check_formulas(part: Part) -> Iterator[Check]:
    shape = OTHER_SHAPE
    values, states = adapters(shape["r"], shape["D"], shape["D_ff"])
    layers, element = shape["N_layer"], shape["s"]
    weights = 1001
    bits = 4 + overheads(*OTHER_BITS.values())[1]
    fixed = math.ceil(weights * bits / 8) + 2 * element * layers * values
    triples: list[Formula] = [
        ("values", part["values"].formula, layers * values),
        ("states", part["states"].formula, layers * states),
        ("fixed", part["fixed"].formula, fixed),
        ("unquantized", part["unquantized"].formula, unquantized(OTHER_VOCABULARY, shape["D"], bits)),
        ("a token", part["per_token"].formula, layers * torch.empty(shape["D"], dtype=FLOATS[8 * element]).nbytes),
    ]
    yield same_formulas("4, formulas", triples, {**shape, **OTHER_BITS, "N": weights, "V": OTHER_VOCABULARY}, ADAMW)
    room = OTHER_ROOM
    free = room["M"] - room["M_fixed"]
    held = room["P"] * room["p"]
    triples = [
        ("pages", part["pages"].formula, len(range(0, 1000, room["p"]))),
        ("without paging", part["most_without"].formula, len(range(room["A"], free - held + 1, room["A"]))),
        ("with paging", part["most_with"].formula, len(range(room["A"], free + 1, room["A"]))),
    ]
    yield same_formulas("4, room", triples, {**room, "S": 1000}, COUNTED)
