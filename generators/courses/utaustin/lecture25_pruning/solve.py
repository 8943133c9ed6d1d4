"""Prunes the fitted layer in three ways, follows the error, and counts bytes and FLOPs of a large matrix."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from generators.answer import Answer, Part, answer, letter, number, part, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_pruning.large_matrix import M_GROUP, N_KEPT, T, b, bytes_part, i, m, n, s, work_part
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
    squares_kept,
)
from generators.table import column, table

UNIT = CODE_UNIT * 100
"""A weight is its code over this."""
AGAIN = column("error_fitted_again", "Error, fitted again")


def solve(params: PruningParams) -> Answer:
    """What is given, and its four parts."""
    problem, sheet = seeded_problem(params.layer), _sheet(params)
    codes = fitted(problem)
    parts = (_stays(params, problem, codes), _errors(params, problem, codes))
    return answer(sheet, *parts, bytes_part(params, sheet), work_part(params, sheet))


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
        letter(m, large.n_rows, "rows of the large matrix"),
        letter(n, large.n_columns, "columns of the large matrix"),
        letter(T, large.n_tokens, "tokens"),
        letter(b, held.bytes_per_value, "bytes of one weight", "B"),
        letter(i, held.bytes_per_index, "bytes of one index", "B"),
        letter(N_KEPT, pattern.kept, "weights kept of every group"),
        letter(M_GROUP, pattern.group, "weights of a group"),
        letter(s, exact(sparsity_of(pattern)), "share of the weights dropped"),
        number("tile", params.tile, "columns that are computed together"),
    )


def _stays(params: PruningParams, problem: Problem, codes: Codes) -> Part:
    """What stays by each method, at the share that the pattern drops."""
    pattern, share = params.pattern, sparsity_of(params.pattern)
    masks = {"magnitude": by_magnitude(codes, share), "pattern": n_of_m(codes, pattern), "neurons": by_neuron(codes, share)}
    names = {"magnitude": "Magnitude", "pattern": name_of(pattern), "neurons": "Neurons"}
    magnitudes = sorted(abs(code) for row in codes for code in row)
    kept = kept_count(len(magnitudes), share)
    methods = {
        key: (names[key], sum(map(sum, mask)), exact(100 * squares_kept(codes, mask)), *_both_errors(problem, codes, mask))
        for key, mask in masks.items()
    }
    digits = {
        f"output_{place}": (place, *(_grouped(row, pattern.group) for row in rows))
        for place, rows in enumerate(zip(*masks.values(), strict=True), 1)
    }
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
        table("methods", ["pruned_by", "kept", column("squares_kept", "Σw² kept", "%"), "error", AGAIN], methods, asked=True),
        table("kept", ["output", "magnitude", column("pattern", name_of(pattern)), "neurons"], digits),
        table("layer", ["output", "neuron", "weight", *masks], weights, drawn=True),
    )


def _both_errors(problem: Problem, codes: Codes, mask: Mask) -> tuple[float, float]:
    """Exact until here; the float is the nearest one."""
    return float(error(problem, codes, mask)), float(refitted_error(problem, mask))


def _grouped(bits: tuple[bool, ...], group: int) -> str:
    """A 1 for each weight that stays."""
    digits = "".join("1" if bit else "0" for bit in bits)
    return " ".join(digits[start : start + group] for start in range(0, len(digits), group))


def _errors(params: PruningParams, problem: Problem, codes: Codes) -> Part:
    patterns = {
        f"pattern_{place}": (name_of(one), exact(100 * sparsity_of(one)), *_both_errors(problem, codes, n_of_m(codes, one)))
        for place, one in enumerate((params.pattern, *params.other_patterns), 1)
    }
    magnitude = [column("magnitude"), column("magnitude_fitted_again", "magnitude, fitted again")]
    neurons = [column("neurons"), column("neurons_fitted_again", "neurons, fitted again")]
    columns = [column("sparsity", unit="%"), *magnitude, column("neurons_left"), *neurons]
    sparsities = table("sparsities", columns, _sparsities(params, problem, codes))
    last = sparsities.row(f"sparsity_{len(sparsities.rows)}")
    return part(
        "2",
        "Error against sparsity",
        number("highest_sparsity", exact(100 * params.sparsities[-1]), unit="%", asked=True),
        *(number(key, float(last[key]), asked=True) for key in last if key not in ("sparsity", "neurons_left")),
        sparsities,
        table("patterns", [column("pattern", "N:M"), column("sparsity", unit="%"), "error", AGAIN], patterns),
    )


def _sparsities(params: PruningParams, problem: Problem, codes: Codes) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for place, share in enumerate(params.sparsities, 1):
        magnitude = _both_errors(problem, codes, by_magnitude(codes, share))
        neurons = _both_errors(problem, codes, by_neuron(codes, share))
        left = kept_count(params.layer.n_inputs, share)
        yield f"sparsity_{place}", (exact(100 * share), *magnitude, left, *neurons)
