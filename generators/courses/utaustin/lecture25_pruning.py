"""Lecture 25, pruning: what stays of a layer by magnitude, by N:M and by neuron, its error, its bytes and its work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Value, exact, rational
from generators.params import Exact, Params, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics import sparse_storage
from generators.topics.decoder_values import D_FF, N_LAYER, D, V, matrix_values, model_values
from generators.topics.pruning import (
    CODE_UNIT,
    TARGET_UNIT,
    Codes,
    Mask,
    Problem,
    by_magnitude,
    by_neuron,
    error,
    fitted,
    kept_count,
    n_of_m,
    refitted_error,
    seeded_problem,
    squares_kept,
)
from generators.topics.sparse_storage import M_GROUP, N_KEPT, P, T, b, i, k, m, n, s

Sparsity = Annotated[Exact, Field(ge=0, lt=1)]
Size = Annotated[int, Field(gt=0, le=2**20)]


class Conventions(Params):
    """What bytes and work rest on."""

    bytes_per_value: Literal[1, 2, 4] = Field(2, description="bytes of one weight (2 is FP16)")
    bytes_per_index: Literal[4, 8] = Field(4, description="bytes of one index of the sparse format (4 is int32)")
    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")


class Pattern(Params):
    """Of each `group` neighbours, `kept` stay."""

    kept: PositiveInt
    group: Literal[2, 4, 8, 16]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kept >= self.group:
            raise ValueError(f"kept: must be less than the group of {self.group} (got {self.kept})")
        return self

    @property
    def name(self) -> str:
        """N:M."""
        return f"{self.kept}:{self.group}"

    @property
    def sparsity(self) -> Fraction:
        """The share that goes."""
        return 1 - Fraction(self.kept, self.group)

    @property
    def place_bits(self) -> int:
        """Bits of a place in the group."""
        return self.group.bit_length() - 1


class Layer(Params):
    """The seeded problem that the layer is fitted to."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    n_samples: Annotated[int, Field(gt=0, le=512)]
    n_inputs: Annotated[int, Field(ge=2, le=24)]
    n_outputs: Annotated[int, Field(ge=1, le=12)]
    noise: Annotated[int, Field(ge=0, le=10_000)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_samples < 2 * self.n_inputs:
            raise ValueError(f"n_samples: must be at least twice the {self.n_inputs} inputs (got {self.n_samples})")
        return self


class Stored(Params):
    """The large matrix whose bytes and FLOPs are counted."""

    name: Text
    n_rows: Size
    n_columns: Size
    n_tokens: Size
    sparsities: Annotated[list[Sparsity], Field(min_length=2, max_length=8)]


class Shape(Params):
    """A model by its layers and widths."""

    name: Text
    n_layers: PositiveInt
    d_model: PositiveInt
    d_ff: PositiveInt
    vocabulary_size: PositiveInt


class PruningParams(Params):
    """The small layer and how it is pruned, the large matrix, widths on tiles, and the shapes of pruned models."""

    layer: Layer
    pattern: Pattern
    other_patterns: Annotated[list[Pattern], Field(max_length=4)]
    sparsities: Annotated[list[Sparsity], Field(min_length=2, max_length=12)]
    stored: Stored
    tile: PositiveInt
    widths: Annotated[list[PositiveInt], Field(min_length=1, max_length=8)]
    shapes: Annotated[list[Shape], Field(min_length=2, max_length=5)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for sparsities, name in ((self.sparsities, "sparsities"), (self.stored.sparsities, "stored.sparsities")):
            if sparsities != sorted(set(sparsities)):
                raise ValueError(f"{name}: must rise from each to the next (got {', '.join(map(str, sparsities))})")
        for pattern in self.patterns:
            if self.layer.n_inputs % pattern.group:
                raise ValueError(f"layer.n_inputs: must be a multiple of the group of {pattern.name} (got {self.layer.n_inputs})")
        names = [pattern.name for pattern in self.patterns]
        if len(set(names)) < len(names):
            raise ValueError(f"other_patterns: must not repeat a pattern (got {', '.join(names)})")
        if kept_count(self.layer.n_inputs, self.sparsities[-1]) < 1:
            raise ValueError(f"sparsities: must leave a neuron (got {self.sparsities[-1]})")
        if self.stored.n_columns % self.pattern.group:
            raise ValueError(
                f"stored.n_columns: must be a multiple of the group of {self.pattern.name} (got {self.stored.n_columns})"
            )
        return self

    @property
    def patterns(self) -> list[Pattern]:
        """All patterns, the first one in front."""
        return [self.pattern, *self.other_patterns]

    @property
    def sizes(self) -> dict[sympy.Symbol, Value]:
        """The letters of the large matrix, with as much gone as the pattern drops."""
        held, stored = self.conventions, self.stored
        sizes: dict[sympy.Symbol, Value] = {m: stored.n_rows, n: stored.n_columns, T: stored.n_tokens}
        sizes |= {b: held.bytes_per_value, i: held.bytes_per_index, s: self.pattern.sparsity}
        return {**sizes, N_KEPT: self.pattern.kept, M_GROUP: self.pattern.group, P: self.pattern.place_bits}


def solve(params: PruningParams) -> Answer:
    """Prune the fitted layer in three ways, follow the error, and count bytes and FLOPs of a large matrix."""
    return Answer({"1": _stays(params), "2": _errors(params), "3": _bytes(params), "4": _work(params)})


def layer_of(params: PruningParams) -> tuple[Problem, Codes]:
    """The seeded problem and the layer fitted to it."""
    one = params.layer
    problem = seeded_problem(one.seed, one.n_samples, one.n_inputs, one.n_outputs, one.noise)
    return problem, fitted(problem)


def masks(params: PruningParams, codes: Codes) -> dict[str, Mask]:
    """What stays by each method, at the share that the pattern drops."""
    pattern = params.pattern
    return {
        "Magnitude": by_magnitude(codes, pattern.sparsity),
        pattern.name: n_of_m(codes, pattern.kept, pattern.group),
        "Neurons": by_neuron(codes, pattern.sparsity),
    }


def _stays(params: PruningParams) -> Part:
    problem, codes = layer_of(params)
    found = masks(params, codes)
    rows = tuple(
        (name, sum(map(sum, mask)), squares_kept(codes, mask), *_both_errors(problem, codes, mask))
        for name, mask in found.items()
    )
    magnitudes = sorted(abs(code) for row in codes for code in row)
    dropped = len(magnitudes) - kept_count(len(magnitudes), params.pattern.sparsity)
    unit = CODE_UNIT * TARGET_UNIT
    steps = {
        "weights": Step(what="weights", symbol="n", value=len(magnitudes)),
        "dropped": Step(what="largest magnitude dropped", symbol="w", value=exact(Fraction(magnitudes[dropped - 1], unit))),
        "kept": Step(what="smallest magnitude kept", symbol="w", value=exact(Fraction(magnitudes[dropped], unit))),
    }
    header = ("Pruned by", "Kept", "Σw² kept", "Error", "Error, fitted again")
    return Part(
        title="What stays",
        steps=steps,
        tables={"methods": Table(header=header, rows=rows), "kept": _kept_table(found, params.pattern.group)},
    )


def _both_errors(problem: Problem, codes: Codes, mask: Mask) -> tuple[float, float]:
    """Exact until here; the float is the nearest one."""
    return float(error(problem, codes, mask)), float(refitted_error(problem, mask))


def _kept_table(found: Mapping[str, Mask], group: int) -> Table:
    """A row for each output, with a 1 for each weight that stays."""
    columns = [[_grouped(bits, group) for bits in mask] for mask in found.values()]
    rows = tuple((number, *cells) for number, cells in enumerate(zip(*columns, strict=True), 1))
    return Table(header=("Output", *found), rows=rows)


def _grouped(bits: tuple[bool, ...], group: int) -> str:
    digits = "".join("1" if bit else "0" for bit in bits)
    return " ".join(digits[start : start + group] for start in range(0, len(digits), group))


def _errors(params: PruningParams) -> Part:
    problem, codes = layer_of(params)
    rows = tuple(
        (
            exact(share),
            *_both_errors(problem, codes, by_magnitude(codes, share)),
            kept_count(params.layer.n_inputs, share),
            *_both_errors(problem, codes, by_neuron(codes, share)),
        )
        for share in params.sparsities
    )
    header = ("Sparsity", "Magnitude", "fitted again", "Neurons left", "Neurons", "neurons, fitted again")
    patterns = tuple(
        (one.name, exact(one.sparsity), *_both_errors(problem, codes, n_of_m(codes, one.kept, one.group)))
        for one in params.patterns
    )
    tables = {
        "sparsities": Table(header=header, rows=rows),
        "patterns": Table(header=("N:M", "Sparsity", "Error", "fitted again"), rows=patterns),
    }
    return Part(title="Error against sparsity", tables=tables)


def _bytes(params: PruningParams) -> Part:
    at = params.sizes
    steps = {
        "dense": step("dense", r"B_{\text{dense}}", sparse_storage.dense_bytes(), at, "B"),
        "csr_break_even": step("CSR is no larger from", "s_{\\text{CSR}}", sparse_storage.csr_break_even(), at),
        "bitmap_break_even": step("a bitmap is no larger from", r"s_{\text{bitmap}}", sparse_storage.bitmap_break_even(), at),
        "pattern": step("N:M", r"B_{N:M}", sparse_storage.n_of_m_bytes(), at, "B"),
    }
    dense = rational(steps["dense"].value)
    steps["fits"] = Step(what="most weights that CSR can hold in no more bytes", symbol="k", value=_most_in_csr(at))
    steps["pattern_share"] = Step(
        what="N:M over dense", symbol=r"\rho_{N:M}", value=exact(rational(steps["pattern"].value) / dense), unit="%"
    )
    table = Table(
        header=("Sparsity", "Kept", "CSR", "Bitmap", "Fewer columns"),
        rows=tuple(_storage_row(params, share, dense) for share in params.stored.sparsities),
    )
    return Part(title="Bytes", steps=steps, tables={"formats": table})


def _most_in_csr(at: Mapping[sympy.Symbol, Value]) -> int:
    return max(0, int(sympy.floor(((sparse_storage.dense_bytes() - i * (m + 1)) / (b + i)).subs(dict(at)))))


def _storage_row(params: PruningParams, share: Fraction, dense: Fraction) -> tuple[Value, ...]:
    """Bytes of each format over those of the dense matrix."""
    stored, at = params.stored, params.sizes
    kept = kept_count(stored.n_rows * stored.n_columns, share)
    columns = kept_count(stored.n_columns, share)
    formats = (sparse_storage.csr_bytes(), sparse_storage.bitmap_bytes())
    sizes = [rational(exact(one.subs({**at, k: kept}))) / dense for one in formats]
    return (exact(share), kept, *map(exact, sizes), exact(Fraction(columns, stored.n_columns)))


def _work(params: PruningParams) -> Part:
    at, flops = params.sizes, params.conventions.flops_per_multiply_add
    dense = flops * sparse_storage.dense_multiply_adds()
    kept = kept_count(params.stored.n_rows * params.stored.n_columns, params.pattern.sparsity)
    steps = {
        "dense": step("FLOPs of the dense product, zeros or not", r"F_{\text{dense}}", dense, at, "FLOP"),
        "useful": Step(
            what="of which with a weight that stays",
            symbol=r"F_{\text{kept}}",
            value=flops * params.stored.n_tokens * kept,
            unit="FLOP",
        ),
        "narrower": step(
            "FLOPs with fewer columns", r"F_{\text{narrower}}", flops * sparse_storage.narrower_multiply_adds(), at, "FLOP"
        ),
    }
    tables = {"tiles": _tiles(params), "shapes": _shapes(params.shapes, flops)}
    return Part(title="Work", steps=steps, tables=tables)


def _tiles(params: PruningParams) -> Table:
    """Widths on a grid of whole tiles."""
    rows = []
    for width in params.widths:
        tiles = -(-width // params.tile)
        rows.append((width, tiles, tiles * params.tile, exact(Fraction(width, tiles * params.tile))))
    return Table(header=("Width", "Tiles", "Computed", "Used"), rows=tuple(rows))


def _shapes(shapes: list[Shape], flops: int) -> Table:
    """Values and FLOPs a token of each model, and the first model's share that is left."""
    rows: list[tuple[Value | str, ...]] = []
    for one in shapes:
        at = {
            N_LAYER: one.n_layers,
            D: one.d_model,
            D_FF: one.d_ff,
            V: one.vocabulary_size,
        }
        values, matrices = (exact(f.subs(at)) for f in (model_values(), flops * matrix_values()))
        first = rows[0][4] if rows else values
        rows.append((one.name, one.n_layers, one.d_model, one.d_ff, values, exact(rational(values) / rational(first)), matrices))
    header = ("Model", "Layers", "D", "D_ff", "Values", "Left", "FLOPs a token")
    return Table(header=header, rows=tuple(rows))


def verify(params: PruningParams, answer: Answer) -> Iterator[Check]:
    """Prune with torch, fit again with torch, and count bytes and FLOPs of torch's tensors."""
    from generators.oracles.pruning import verify_pruning

    return verify_pruning(params, answer)


def draw(params: PruningParams, answer: Answer) -> dict[str, Figure]:
    """The three masks, the error over the sparsity, and bytes over the sparsity."""
    from generators.figures.pruning import bytes_figure, error_figure, masks_figure

    codes = layer_of(params)[1]
    part, total = answer["3"], params.stored.n_rows * params.stored.n_columns
    lines = {}
    for name, one in (("CSR", sparse_storage.csr_bytes()), ("bitmap", sparse_storage.bitmap_bytes())):
        share = (one / sparse_storage.dense_bytes()).subs(params.sizes)
        lines[name] = (float(share.subs(k, total)), float(share.subs(k, 0)))
    pattern = (params.pattern.name, float(params.pattern.sparsity), float(rational(part["pattern_share"].value)))
    return {
        "masks": masks_figure(codes, masks(params, codes)),
        "errors": error_figure(answer["2"].tables["sparsities"], answer["2"].tables["patterns"]),
        "bytes": bytes_figure(lines, pattern, float(rational(part["csr_break_even"].value))),
    }


QUESTION = SelfVerifying(
    title="Pruning",
    points=0,
    params=PruningParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
