"""Counts bytes and FLOPs of a large pruned matrix of m×n, and of models of pruned shapes.

b bytes a value and i an index; k values stay; s is the share that does not; T tokens pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.answer import Part, claim, formula, letter, number, part, value_at
from generators.cells import Cell, exact, rational
from generators.courses.utaustin.lecture25_pruning.params import PruningParams
from generators.courses.utaustin.lecture25_pruning.pruned_layer import kept_count, name_of, sparsity_of
from generators.table import Table, column, table
from generators.topics.decoder_values import D_FF, N_LAYER, D, V, matrix_values, model_values

m, n, b, i, k, s, T = sympy.symbols("m n b i k s T", positive=True)
N_KEPT, M_GROUP, P = sympy.symbols("N M p", positive=True)

DENSE_BYTES = b * m * n
CSR_BYTES = (b + i) * k + i * (m + 1)
"""Compressed sparse rows: each value that stays with its column, and where each row begins and ends."""
BITMAP_BYTES = b * k + m * n / 8
"""Each value that stays, and a bit for every place."""
PATTERN_BYTES = m * n * N_KEPT / M_GROUP * (b + P / 8)
"""N values of every M, each with its place in the group in p bits."""
CSR_BREAK_EVEN = 1 - (DENSE_BYTES - i * (m + 1)) / ((b + i) * m * n)
"""The sparsity from which CSR takes no more than the dense matrix."""
BITMAP_BREAK_EVEN = 1 / (8 * b)
"""The same for a bitmap: a bit a place against b bytes saved for each zero."""


def bytes_part(params: PruningParams, sheet: Part) -> Part:
    """What each format takes, and from which sparsity it is no larger than the dense matrix."""

    def at(expression: sympy.Expr) -> Fraction:
        return rational(value_at(expression, sheet))

    csr_from, bitmap_from = at(CSR_BREAK_EVEN), at(BITMAP_BREAK_EVEN)
    fits = max(0, at(DENSE_BYTES - CSR_BYTES.subs(k, 0)) // at(b + i))
    bits = params.pattern.group.bit_length() - 1
    share = at((PATTERN_BYTES / DENSE_BYTES).subs(P, bits))
    percents = [column("csr", "CSR", "%"), column("bitmap", unit="%"), column("fewer_columns", unit="%")]
    return part(
        "3",
        "Bytes",
        claim("csr_pays", csr_from < 1, "compressed sparse rows take no more bytes at some sparsity"),
        claim("csr_never_pays", csr_from >= 1, "compressed sparse rows never take fewer bytes"),
        number("csr_from", exact(100 * csr_from), "sparsity from which CSR is no larger", unit="%", asked=True),
        number("fits", fits, "most weights that CSR can hold in no more bytes", asked=True),
        number("bitmap_from", exact(100 * bitmap_from), "sparsity from which a bitmap is no larger", unit="%", asked=True),
        number("pattern_share", exact(100 * share), "N:M over dense", unit="%", asked=True),
        letter(P, bits, "bits of a place in a group"),
        formula("dense", DENSE_BYTES, "bytes of every value", r"B_{\text{dense}}", "B"),
        number("csr", CSR_BYTES, "bytes of compressed sparse rows", r"B_{\text{CSR}}"),
        formula("csr_break_even", CSR_BREAK_EVEN, "CSR is no larger from", r"s_{\text{CSR}}"),
        number("bitmap", BITMAP_BYTES, "bytes of a bitmap", r"B_{\text{bitmap}}"),
        formula("bitmap_break_even", BITMAP_BREAK_EVEN, "a bitmap is no larger from", r"s_{\text{bitmap}}"),
        formula("pattern", PATTERN_BYTES, "bytes of N:M", r"B_{N:M}", "B"),
        table("formats", [column("sparsity", unit="%"), "kept", *percents], _formats(params, sheet)),
        table("points", ["format", "sparsity", "share"], _points(params, sheet, share), drawn=True),
        within=sheet,
    )


def _share(format_bytes: sympy.Expr, kept: int, sheet: Part) -> Fraction:
    return rational(value_at((format_bytes / DENSE_BYTES).subs(k, kept), sheet))


def _formats(params: PruningParams, sheet: Part) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Bytes of each format over those of the dense matrix."""
    large = params.stored
    for place, sparsity in enumerate(large.sparsities, 1):
        kept = kept_count(large.n_rows * large.n_columns, sparsity)
        columns = Fraction(kept_count(large.n_columns, sparsity), large.n_columns)
        shares = (_share(CSR_BYTES, kept, sheet), _share(BITMAP_BYTES, kept, sheet), columns)
        yield f"sparsity_{place}", (exact(100 * sparsity), kept, *(exact(100 * one) for one in shares))


def _points(params: PruningParams, sheet: Part, share: Fraction) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Where each format's line begins, with every weight, and ends, with none; and N:M, which is one point."""
    total = params.stored.n_rows * params.stored.n_columns
    formats = {"CSR": CSR_BYTES, "bitmap": BITMAP_BYTES, "dense": DENSE_BYTES, "fewer columns": b * k}
    for name, format_bytes in formats.items():
        for place, kept in enumerate((total, 0)):
            yield f"{name.replace(' ', '_')}.{place}", (name, place, exact(_share(format_bytes, kept, sheet)))
    yield "pattern", (name_of(params.pattern), exact(sparsity_of(params.pattern)), exact(share))


def work_part(params: PruningParams, sheet: Part) -> Part:
    """FLOPs of the whole matrix, of the weights that stay, and of fewer columns; tiles, and shapes of pruned models."""
    flops, large = params.conventions.flops_per_multiply_add, params.stored
    useful = flops * large.n_tokens * kept_count(large.n_rows * large.n_columns, sparsity_of(params.pattern))
    narrower = flops * T * m * (n - s * n)
    return part(
        "4",
        "Work",
        formula("dense", flops * T * m * n, "FLOPs of the dense product, zeros or not", r"F_{\text{dense}}", "FLOP", asked=True),
        number("useful", useful, "of which with a weight that stays", unit="FLOP", asked=True),
        formula("narrower", narrower, "FLOPs with fewer columns", r"F_{\text{narrower}}", "FLOP", asked=True),
        table("tiles", ["width", "tiles", "computed", column("used", unit="%")], _tiles(params)),
        _shapes(params),
        within=sheet,
    )


def _tiles(params: PruningParams) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Widths on a grid of whole tiles."""
    for place, width in enumerate(params.widths, 1):
        tiles = -(-width // params.tile)
        computed = tiles * params.tile
        yield f"width_{place}", (width, tiles, computed, exact(Fraction(100 * width, computed)))


def _shapes(params: PruningParams) -> Table:
    """Values and FLOPs a token of each model, and the first model's share that is left."""
    sizes = [{N_LAYER: one.n_layers, D: one.d_model, D_FF: one.d_ff, V: one.vocabulary_size} for one in params.shapes]
    values = [rational(exact(model_values().subs(at))) for at in sizes]
    flops = [exact(params.conventions.flops_per_multiply_add * matrix_values().subs(at)) for at in sizes]
    heads = (column("d_model", "D"), column("d_ff", "FFN"), column("values"), column("left", unit="%"))
    rows = {
        f"model_{place + 1}": (one.name, one.n_layers, one.d_model, one.d_ff,
                               exact(values[place]), exact(100 * values[place] / values[0]), flops[place])
        for place, one in enumerate(params.shapes)
    }  # fmt: skip
    return table("shapes", ["model", "layers", *heads, column("flops", "FLOPs a token")], rows)
