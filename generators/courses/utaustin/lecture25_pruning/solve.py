"""Prunes the fitted layer in three ways, follows the error, and counts bytes and FLOPs of a large matrix."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from generators.answer import Answer, Part, answer, letter, number, part, text
from generators.cells import Cell, exact, rational
from generators.courses.utaustin.lecture25_pruning.large_matrix import bytes_part, work_part
from generators.courses.utaustin.lecture25_pruning.params import Pattern, PruningParams
from generators.courses.utaustin.lecture25_pruning.pruned_layer import (
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
    name_of,
    refitted_error,
    seeded_problem,
    sparsity_of,
    squares_kept,
)
from generators.courses.utaustin.lecture25_pruning.storage_formats import M_GROUP, N_KEPT, T, b, i, m, n, s
from generators.table import Column, Table, column, table

UNIT = CODE_UNIT * TARGET_UNIT
"""A weight is its code over this."""


def solve(params: PruningParams) -> Answer:
    """What is given, and its four parts."""
    one = params.layer
    problem = seeded_problem(one.seed, one.n_samples, one.n_inputs, one.n_outputs, one.noise)
    codes, sheet = fitted(problem), _sheet(params)
    return answer(
        sheet,
        _stays(params, problem, codes),
        _errors(params, problem, codes),
        bytes_part(params, sheet),
        work_part(params, sheet),
    )


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


def _masks(params: PruningParams, codes: Codes) -> dict[str, Mask]:
    """What stays by each method, at the share that the pattern drops."""
    pattern = params.pattern
    return {
        "magnitude": by_magnitude(codes, sparsity_of(pattern)),
        "pattern": n_of_m(codes, pattern.kept, pattern.group),
        "neurons": by_neuron(codes, sparsity_of(pattern)),
    }


def _stays(params: PruningParams, problem: Problem, codes: Codes) -> Part:
    masks = _masks(params, codes)
    names = {"magnitude": "Magnitude", "pattern": name_of(params.pattern), "neurons": "Neurons"}
    magnitudes = sorted(abs(code) for row in codes for code in row)
    kept = kept_count(len(magnitudes), sparsity_of(params.pattern))
    return part(
        "1",
        "What stays",
        number("weights", len(magnitudes), asked=True),
        number("largest_dropped", exact(Fraction(magnitudes[-kept - 1], UNIT)), "largest magnitude dropped"),
        number("smallest_kept", exact(Fraction(magnitudes[-kept], UNIT)), "smallest magnitude kept"),
        _methods(problem, codes, masks, names),
        _kept_table(masks, params.pattern),
        _layer(codes, masks),
    )


def _methods(problem: Problem, codes: Codes, masks: Mapping[str, Mask], names: Mapping[str, str]) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for key, mask in masks.items():
        before, after = _both_errors(problem, codes, mask)
        rows[key] = {
            "pruned_by": names[key],
            "kept": sum(map(sum, mask)),
            "squares_kept": exact(100 * squares_kept(codes, mask)),
            "error": before,
            "error_fitted_again": after,
        }
    columns: list[Column | str] = ["pruned_by", "kept", column("squares_kept", "Σw² kept", "%"), "error",
               column("error_fitted_again", "Error, fitted again")]  # fmt: skip
    return table("methods", columns, rows, asked=True)


def _both_errors(problem: Problem, codes: Codes, mask: Mask) -> tuple[float, float]:
    """Exact until here; the float is the nearest one."""
    return float(error(problem, codes, mask)), float(refitted_error(problem, mask))


def _kept_table(masks: Mapping[str, Mask], pattern: Pattern) -> Table:
    """A row for each output, with a 1 for each weight that stays."""
    rows: dict[str, dict[str, Cell]] = {
        f"output_{place}": {"output": place, **{key: _grouped(mask[place - 1], pattern.group) for key, mask in masks.items()}}
        for place in range(1, len(masks["pattern"]) + 1)
    }
    return table("kept", ["output", "magnitude", column("pattern", name_of(pattern)), "neurons"], rows)


def _grouped(bits: tuple[bool, ...], group: int) -> str:
    digits = "".join("1" if bit else "0" for bit in bits)
    return " ".join(digits[start : start + group] for start in range(0, len(digits), group))


def _layer(codes: Codes, masks: Mapping[str, Mask]) -> Table:
    """Every weight by output and neuron, and whether it stays by each method."""
    rows: dict[str, dict[str, Cell]] = {
        f"{output}.{neuron}": {
            "output": output,
            "neuron": neuron,
            "weight": exact(Fraction(code, UNIT)),
            **{key: int(mask[output - 1][neuron - 1]) for key, mask in masks.items()},
        }
        for output, row in enumerate(codes, 1)
        for neuron, code in enumerate(row, 1)
    }
    return table("layer", ["output", "neuron", "weight", *masks], rows, drawn=True)


def _errors(params: PruningParams, problem: Problem, codes: Codes) -> Part:
    rows: dict[str, dict[str, Cell]] = {}
    for place, share in enumerate(params.sparsities, 1):
        magnitude = _both_errors(problem, codes, by_magnitude(codes, share))
        neurons = _both_errors(problem, codes, by_neuron(codes, share))
        rows[f"sparsity_{place}"] = {
            "sparsity": exact(100 * share),
            "magnitude": magnitude[0],
            "magnitude_fitted_again": magnitude[1],
            "neurons_left": kept_count(params.layer.n_inputs, share),
            "neurons": neurons[0],
            "neurons_fitted_again": neurons[1],
        }
    columns: list[Column | str] = [
        column("sparsity", unit="%"), "magnitude", column("magnitude_fitted_again", "magnitude, fitted again"),
        "neurons_left", "neurons", column("neurons_fitted_again", "neurons, fitted again"),
    ]  # fmt: skip
    last = rows[f"sparsity_{len(rows)}"]
    return part(
        "2",
        "Error against sparsity",
        number("highest_sparsity", rational(last["sparsity"]), unit="%", asked=True),
        *(number(key, _measured(last[key]), asked=True) for key in
          ("magnitude", "magnitude_fitted_again", "neurons", "neurons_fitted_again")),
        table("sparsities", columns, rows),
        _patterns(params, problem, codes),
    )  # fmt: skip


def _measured(cell: Cell) -> float:
    assert isinstance(cell, float)
    return cell


def _patterns(params: PruningParams, problem: Problem, codes: Codes) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for place, one in enumerate((params.pattern, *params.other_patterns), 1):
        before, after = _both_errors(problem, codes, n_of_m(codes, one.kept, one.group))
        rows[f"pattern_{place}"] = {
            "pattern": name_of(one),
            "sparsity": exact(100 * sparsity_of(one)),
            "error": before,
            "error_fitted_again": after,
        }
    columns: list[Column | str] = [column("pattern", "N:M"), column("sparsity", unit="%"), "error",
               column("error_fitted_again", "Error, fitted again")]  # fmt: skip
    return table("patterns", columns, rows)
