"""Follows one query through its blocks, attends in tiles, and counts memory traffic and arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Derivation, Line, Part, answer, claim, derivation, letter, line, number, part, text
from generators.cells import Cell, Math, Value, exact
from generators.courses.utaustin.lecture25_flash_attention.counts import arithmetic_part, sram_elements, traffic_part
from generators.courses.utaustin.lecture25_flash_attention.params import Example, FlashParams, Tiles
from generators.courses.utaustin.lecture25_flash_attention.running_softmax import Running, running, tiled
from generators.courses.utaustin.lecture25_flash_attention.traffic import HEAD_WIDTH, SRAM, N
from generators.table import column, table
from generators.topics.attention import plain_output, seeded_matrices


def solve(params: FlashParams) -> Answer:
    """One query, whole matrices, reads and writes, and arithmetic."""
    sheet = _sheet(params)
    own = (_one_query(params.example), _tiles(params.tiles))
    return answer(sheet, *own, traffic_part(params, sheet), arithmetic_part(params, sheet))


def _sheet(params: FlashParams) -> Part:
    example, tiles, one, conventions = params.example, params.tiles, params.accelerator, params.conventions
    keys = {f"key_{place}": (exact(score),) for place, score in enumerate(example.scores, 1)}
    return part(
        "sheet",
        "Given",
        table("scores", ["score"], keys),
        number("block_len", example.block_len, "keys of a block"),
        number("n_tokens", tiles.n_tokens, "tokens of the matrices"),
        number("tile_width", tiles.head_width, "width of the matrices"),
        number("seed", tiles.seed),
        number("block_columns", tiles.block_columns, "keys of a tile"),
        number("block_rows", tiles.block_rows, "queries of a tile"),
        letter(HEAD_WIDTH, params.traffic.head_width, "head width"),
        letter(N, params.traffic.seq_len, "tokens"),
        letter(SRAM, sram_elements(params, one.sram_kib), "elements that fit into SRAM"),
        text("accelerator", one.name),
        text("source", one.source),
        number("peak", one.peak_tflops, unit="TFLOP/s"),
        number("bandwidth", one.bandwidth_gb_per_s, unit="GB/s"),
        number("sram", one.sram_kib, "memory on the chip", unit="KiB"),
        number("element", conventions.bytes_per_element, "bytes of one element", unit="B"),
        claim("keys_outer", conventions.loop_order == "keys_outer"),
        claim("queries_outer", conventions.loop_order == "queries_outer"),
    )


def _one_query(example: Example) -> Part:
    scores = [sympy.sympify(score) for score in example.scores]
    values = [[sympy.sympify(x) for x in value] for value in example.values]
    kept = running(scores, values, example.block_len, sympy.exp)
    outputs = zip(kept[-1].output, plain_output(scores, values, sympy.exp), strict=True)
    components = {f"component_{j}": (j, exact(ours), exact(plain)) for j, (ours, plain) in enumerate(outputs, 1)}
    weighted = [column(f"u{j}", Math(f"u_{{{j}}}")) for j, _ in enumerate(kept[0].weighted, 1)]
    columns = [column("block"), column("scores"), column("largest", Math("m")), column("factor"), column("sum", Math(r"\ell"))]
    return part(
        "1",
        "One query, block by block",
        number("blocks_in_all", len(kept), "blocks"),
        number("sum", _expanded(kept[-1].total), "sum over all keys", asked=True),
        table("output", ["component", "running", "all_at_once"], components, asked=True),
        table("blocks", [*columns, *weighted], _blocks(example, kept)),
        _sums(example, kept),
    )


def _expanded(number: sympy.Expr) -> Value:
    return exact(sympy.expand(number))


def _block(example: Example, place: int) -> list[Fraction]:
    return example.scores[(place - 1) * example.block_len : place * example.block_len]


def _blocks(example: Example, kept: Sequence[Running]) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """What is kept after each block."""
    for place, state in enumerate(kept, 1):
        scores = ", ".join(map(str, _block(example, place))).replace("-", "−")
        factor = exact(sympy.exp(kept[place - 2].largest - state.largest)) if place > 1 else None
        sums = map(_expanded, (state.total, *state.weighted))
        yield f"block_{place}", (place, scores, exact(state.largest), factor, *sums)


def _sums(example: Example, kept: Sequence[Running]) -> Derivation:
    """ℓ after each block, by its rule and exactly."""
    lines: dict[str, Line] = {}
    for place, state in enumerate(kept, 1):
        symbol = rf"\ell_{{{place}}}"
        lines[f"rule_{place}"] = line(symbol, _rule(example, place), "what was kept shrinks, the block's terms are added")
        lines[f"sum_{place}"] = line(symbol, _expanded(state.total), "with the numbers put in")
    return derivation("sums", lines)


def _rule(example: Example, place: int) -> sympy.Expr:
    before, largest = sympy.symbols(f"m_{place - 1} m_{place}")
    first = (place - 1) * example.block_len + 1
    scores = [sympy.Symbol(f"s_{i}") for i in range(first, first + len(_block(example, place)))]
    rule = sympy.Add(*(sympy.exp(score - largest) for score in scores))
    return rule if place == 1 else rule + sympy.exp(before - largest) * sympy.Symbol(f"ell_{place - 1}")


def _tiles(tiles: Tiles) -> Part:
    kept = tiled(*seeded_matrices(tiles.seed, tiles.n_tokens, tiles.head_width), tiles.block_rows, tiles.block_columns)
    rows = {
        f"query_{place}": (place, *map(float, (state.largest, state.total, *state.output))) for place, state in enumerate(kept, 1)
    }
    outputs = [column(f"o{j}", Math(f"o_{{{j}}}")) for j in range(1, tiles.head_width + 1)]
    columns = [column("query"), column("largest", Math("m")), column("sum", Math(r"\ell")), *outputs]
    count = math.ceil(tiles.n_tokens / tiles.block_rows) * math.ceil(tiles.n_tokens / tiles.block_columns)
    whole = number("tiles", count, "tiles of the scores")
    return part("2", "Whole matrices in tiles", whole, table("rows", columns, rows, asked=True))
