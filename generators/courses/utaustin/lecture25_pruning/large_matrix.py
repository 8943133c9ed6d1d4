"""Counts bytes and FLOPs of a large pruned matrix, and of models of pruned shapes."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from generators.answer import Part, claim, formula, letter, number, part, value_at
from generators.cells import Cell, exact, rational
from generators.courses.utaustin.lecture25_pruning import storage_formats as stored
from generators.courses.utaustin.lecture25_pruning.params import PruningParams
from generators.courses.utaustin.lecture25_pruning.pruned_layer import kept_count, name_of, sparsity_of
from generators.courses.utaustin.lecture25_pruning.storage_formats import P, b, i, k
from generators.table import Column, Table, column, table
from generators.topics.decoder_values import D_FF, N_LAYER, D, V, matrix_values, model_values


def bytes_part(params: PruningParams, sheet: Part) -> Part:
    """What each format takes, and from which sparsity it is no larger than the dense matrix."""
    pattern, total = params.pattern, params.stored.n_rows * params.stored.n_columns
    dense = rational(value_at(stored.dense_bytes(), sheet))
    csr_from, bitmap_from = (rational(value_at(one, sheet)) for one in (stored.csr_break_even(), stored.bitmap_break_even()))
    spare = rational(value_at(stored.dense_bytes() - stored.csr_bytes().subs(k, 0), sheet))
    fits = max(0, spare // rational(value_at(b + i, sheet)))
    bits = pattern.group.bit_length() - 1
    share = rational(value_at(stored.n_of_m_bytes().subs(P, bits), sheet)) / dense
    ends = {
        "CSR": [rational(value_at(stored.csr_bytes().subs(k, kept), sheet)) / dense for kept in (total, 0)],
        "bitmap": [rational(value_at(stored.bitmap_bytes().subs(k, kept), sheet)) / dense for kept in (total, 0)],
        "dense": [Fraction(1), Fraction(1)],
        "fewer columns": [Fraction(1), Fraction(0)],
    }
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
        formula("dense", stored.dense_bytes(), "bytes of every value", r"B_{\text{dense}}", "B"),
        number("csr", stored.csr_bytes(), "bytes of compressed sparse rows", r"B_{\text{CSR}}"),
        formula("csr_break_even", stored.csr_break_even(), "CSR is no larger from", r"s_{\text{CSR}}"),
        number("bitmap", stored.bitmap_bytes(), "bytes of a bitmap", r"B_{\text{bitmap}}"),
        formula("bitmap_break_even", stored.bitmap_break_even(), "a bitmap is no larger from", r"s_{\text{bitmap}}"),
        formula("pattern", stored.n_of_m_bytes(), "bytes of N:M", r"B_{N:M}", "B"),
        _formats(params, sheet, dense),
        _points(ends, name_of(pattern), sparsity_of(pattern), share),
        within=sheet,
    )


def _formats(params: PruningParams, sheet: Part, dense: Fraction) -> Table:
    """Bytes of each format over those of the dense matrix."""
    rows: dict[str, dict[str, Cell]] = {}
    for place, share in enumerate(params.stored.sparsities, 1):
        kept = kept_count(params.stored.n_rows * params.stored.n_columns, share)
        csr, bitmap = (rational(value_at(one.subs(k, kept), sheet)) for one in (stored.csr_bytes(), stored.bitmap_bytes()))
        columns = kept_count(params.stored.n_columns, share)
        rows[f"sparsity_{place}"] = {
            "sparsity": exact(100 * share),
            "kept": kept,
            "csr": exact(100 * csr / dense),
            "bitmap": exact(100 * bitmap / dense),
            "fewer_columns": exact(Fraction(100 * columns, params.stored.n_columns)),
        }
    shares = [column("csr", "CSR", "%"), column("bitmap", unit="%"), column("fewer_columns", unit="%")]
    return table("formats", [column("sparsity", unit="%"), "kept", *shares], rows)


def _points(ends: Mapping[str, list[Fraction]], pattern: str, sparsity: Fraction, share: Fraction) -> Table:
    """Where each format's line begins, with every weight, and ends, with none; and N:M, which is one point."""
    rows: dict[str, dict[str, Cell]] = {
        f"{name.replace(' ', '_')}.{place}": {"format": name, "sparsity": place, "share": exact(one)}
        for name, pair in ends.items()
        for place, one in enumerate(pair)
    }
    rows["pattern"] = {"format": pattern, "sparsity": exact(sparsity), "share": exact(share)}
    return table("points", ["format", "sparsity", "share"], rows, drawn=True)


def work_part(params: PruningParams, sheet: Part) -> Part:
    """FLOPs of the whole matrix, of the weights that stay, and of fewer columns; tiles, and shapes of pruned models."""
    flops, large = params.conventions.flops_per_multiply_add, params.stored
    kept = kept_count(large.n_rows * large.n_columns, sparsity_of(params.pattern))
    useful = flops * large.n_tokens * kept
    dense, narrower = flops * stored.dense_multiply_adds(), flops * stored.narrower_multiply_adds()
    return part(
        "4",
        "Work",
        formula("dense", dense, "FLOPs of the dense product, zeros or not", r"F_{\text{dense}}", "FLOP", asked=True),
        number("useful", useful, "of which with a weight that stays", unit="FLOP", asked=True),
        formula("narrower", narrower, "FLOPs with fewer columns", r"F_{\text{narrower}}", "FLOP", asked=True),
        _tiles(params),
        _shapes(params),
        within=sheet,
    )


def _tiles(params: PruningParams) -> Table:
    """Widths on a grid of whole tiles."""
    rows: dict[str, dict[str, Cell]] = {}
    for place, width in enumerate(params.widths, 1):
        tiles = -(-width // params.tile)
        computed = tiles * params.tile
        used = exact(Fraction(100 * width, computed))
        rows[f"width_{place}"] = {"width": width, "tiles": tiles, "computed": computed, "used": used}
    return table("tiles", ["width", "tiles", "computed", column("used", unit="%")], rows)


def _shapes(params: PruningParams) -> Table:
    """Values and FLOPs a token of each model, and the first model's share that is left."""
    rows: dict[str, dict[str, Cell]] = {}
    first = None
    for place, one in enumerate(params.shapes, 1):
        at = {N_LAYER: one.n_layers, D: one.d_model, D_FF: one.d_ff, V: one.vocabulary_size}
        values, matrices = (rational(exact(sympy.sympify(each).subs(at))) for each in (model_values(), matrix_values()))
        first = first or values
        rows[f"model_{place}"] = {
            "model": one.name,
            "layers": one.n_layers,
            "d_model": one.d_model,
            "d_ff": one.d_ff,
            "values": exact(values),
            "left": exact(100 * values / first),
            "flops": exact(params.conventions.flops_per_multiply_add * matrices),
        }
    columns: list[Column | str] = [
        "model", "layers", column("d_model", "D"), column("d_ff", "FFN"), "values", column("left", unit="%"),
        column("flops", "FLOPs a token"),
    ]  # fmt: skip
    return table("shapes", columns, rows)
