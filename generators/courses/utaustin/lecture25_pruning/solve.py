"""Prunes the fitted layer in three ways, follows the error, and counts bytes and FLOPs of a large matrix of D×D_ff.

s bytes a value and s_index an index; N_kept values stay; rho is the share that does not; L tokens pass; a multiply-add
counts f FLOPs.
"""

from __future__ import annotations

from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text, value_at
from generators.cells import exact, rational, significant
from generators.courses.utaustin.lecture25_pruning.params import PruningParams
from generators.courses.utaustin.lecture25_pruning.pruned_layer import (
    CODE_UNIT,
    Codes,
    Mask,
    Problem,
    by_magnitude,
    by_neuron,
    error,
    fitted,
    kept_count,
    n_of_m,
    name_of,
    refitted_error,
    seeded_problem,
    sparsity_of,
)
from generators.table import Column, column, table

D, D_FF, s, S_INDEX, N_KEPT, RHO, L, f = sympy.symbols("D D_ff s s_index N_kept rho L f", positive=True)
G_KEPT, GROUP, PLACE_BITS = sympy.symbols("g_kept g beta_place", positive=True)

DENSE_BYTES = s * D * D_FF
CSR_BYTES = (s + S_INDEX) * N_KEPT + S_INDEX * (D + 1)
"""Compressed sparse rows: each value that stays with its column, and where each row begins and ends."""
PATTERN_BYTES = D * D_FF * G_KEPT / GROUP * (s + PLACE_BITS / 8)
"""g_kept values of every g, each with its place in the group in beta_place bits."""
CSR_BREAK_EVEN = 1 - (DENSE_BYTES - S_INDEX * (D + 1)) / ((s + S_INDEX) * D * D_FF)
"""The sparsity from which CSR takes no more than the dense matrix."""
UNIT = CODE_UNIT * 100
"""A weight is its code over this."""
AGAIN = column("error_fitted_again", "Error, fitted again")


def solve(params: PruningParams) -> Answer:
    """What is given, and its four parts."""
    problem, sheet = seeded_problem(params.layer), _sheet(params)
    codes = fitted(problem)
    parts = (_stays(params, problem, codes), _errors(params, problem, codes))
    return answer(sheet, *parts, _bytes(params, sheet), _work(params, sheet))


def _sheet(params: PruningParams) -> Part:
    layer, pattern, large, held = params.layer, params.pattern, params.stored, params.conventions
    return part(
        "sheet",
        "Given",
        number("n_inputs", layer.n_inputs, "neurons in"),
        number("n_outputs", layer.n_outputs, "neurons out"),
        number("n_samples", layer.n_samples, "samples"),
        number("seed", layer.seed),
        text("pattern", name_of(pattern)),
        number("dropped_of_group", pattern.group - pattern.kept, "weights dropped of every group"),
        number("share_dropped", exact(100 * sparsity_of(pattern)), "share of the weights dropped", unit="%"),
        text("matrix", large.name),
        letter(D, large.n_rows, "model width"),
        letter(D_FF, large.n_columns, "inner width of the feed-forward networks"),
        letter(L, large.n_tokens, "tokens"),
        letter(s, held.bytes_per_value, "bytes of a value", "B"),
        letter(S_INDEX, held.bytes_per_index, "bytes of an index", "B"),
        letter(f, held.flops_per_multiply_add, "FLOPs of a multiply-add", "FLOP"),
        letter(G_KEPT, pattern.kept, "weights kept of every group"),
        letter(GROUP, pattern.group, "weights of a group"),
        letter(RHO, exact(sparsity_of(pattern)), "share of the weights dropped"),
    )


def _stays(params: PruningParams, problem: Problem, codes: Codes) -> Part:
    """What stays by each method, at the share that the pattern drops."""
    pattern, share = params.pattern, sparsity_of(params.pattern)
    masks = {"magnitude": by_magnitude(codes, share), "pattern": n_of_m(codes, pattern), "neurons": by_neuron(codes, share)}
    names = {"magnitude": "Magnitude", "pattern": name_of(pattern), "neurons": "Neurons"}
    magnitudes = sorted(abs(code) for row in codes for code in row)
    kept = kept_count(len(magnitudes), share)
    methods = {key: (names[key], sum(map(sum, mask)), *_both_errors(problem, codes, mask)) for key, mask in masks.items()}
    weights = {
        f"{y + 1}.{x + 1}": (y + 1, x + 1, exact(Fraction(code, UNIT)), *(int(mask[y][x]) for mask in masks.values()))
        for y, row in enumerate(codes)
        for x, code in enumerate(row)
    }
    return part(
        "1",
        "What stays",
        number("weights", len(magnitudes), asked=True),
        number("largest_dropped", exact(Fraction(magnitudes[-kept - 1], UNIT)), "largest magnitude dropped"),
        number("smallest_kept", exact(Fraction(magnitudes[-kept], UNIT)), "smallest magnitude kept"),
        table("methods", ["pruned_by", "kept", "error", AGAIN], methods, asked=True),
        table("layer", ["output", "neuron", "weight", *masks], weights, drawn=True),
    )


def _both_errors(problem: Problem, codes: Codes, mask: Mask) -> tuple[float, float]:
    """Exact until here, with four significant digits."""
    found = (error(problem, codes, mask), refitted_error(problem, mask))
    return significant(float(found[0]), 4), significant(float(found[1]), 4)


def _errors(params: PruningParams, problem: Problem, codes: Codes) -> Part:
    rows = {
        f"sparsity_{place}": (exact(100 * share), *_both_errors(problem, codes, by_magnitude(codes, share)),
                              *_both_errors(problem, codes, by_neuron(codes, share)))
        for place, share in enumerate(params.sparsities, 1)
    }  # fmt: skip
    again = [column(f"{name}_again", f"{name.title()}, fitted again") for name in ("magnitude", "neurons")]
    columns: list[Column | str] = [column("sparsity", unit="%"), "magnitude", again[0], "neurons", again[1]]
    return part("2", "Error against sparsity", table("sparsities", columns, rows, asked=True))


def _bytes(params: PruningParams, sheet: Part) -> Part:
    """What each format takes, and from which sparsity it is no larger than the dense matrix."""
    csr_from = rational(value_at(CSR_BREAK_EVEN, sheet))
    bits = params.pattern.group.bit_length() - 1
    share = rational(value_at((PATTERN_BYTES / DENSE_BYTES).subs(PLACE_BITS, bits), sheet))
    return part(
        "3",
        "Bytes",
        claim("csr_pays", csr_from < 1, "compressed sparse rows take no more bytes at some sparsity"),
        claim("csr_never_pays", csr_from >= 1, "compressed sparse rows never take fewer bytes"),
        number("csr_from", exact(100 * csr_from), "sparsity from which CSR is no larger", unit="%", asked=True),
        number("pattern_share", exact(100 * share), "the pattern over dense", unit="%", asked=True),
        letter(PLACE_BITS, bits, "bits of a place in a group"),
        formula("dense", DENSE_BYTES, "bytes of every value", r"M_{\text{dense}}", "B"),
        number("csr", CSR_BYTES, "bytes of compressed sparse rows", r"M_{\text{CSR}}"),
        formula("csr_break_even", CSR_BREAK_EVEN, "CSR is no larger from", r"\rho_{\text{CSR}}"),
        formula("pattern", PATTERN_BYTES, "bytes of the pattern", rf"M_{{\text{{{name_of(params.pattern)}}}}}", "B"),
        within=sheet,
    )


def _work(params: PruningParams, sheet: Part) -> Part:
    """FLOPs of the whole matrix, of the weights that stay, and of fewer columns."""
    flops, large = params.conventions.flops_per_multiply_add, params.stored
    useful = flops * large.n_tokens * kept_count(large.n_rows * large.n_columns, sparsity_of(params.pattern))
    return part(
        "4",
        "Work",
        formula("dense", f * L * D * D_FF, "FLOPs of the dense product, zeros or not", r"F_{\text{dense}}", "FLOP", asked=True),
        number("useful", useful, "operations with a weight that stays", unit="FLOP", asked=True),
        formula("narrower", f * L * D * (1 - RHO) * D_FF, "FLOPs with fewer columns", r"F_{\text{narrower}}", "FLOP", asked=True),
        within=sheet,
    )
