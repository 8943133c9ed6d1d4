"""Finds pruning's numbers again with torch: its pruning methods, least squares on what stays, bytes and FLOPs of its tensors.

From the lecture: magnitude drops the smallest weights, structured pruning whole neurons. N:M keeps N of every M neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.cells import Cell
from generators.courses.utaustin.lecture25_pruning.params import Pattern, PruningParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_pruning.torch_pruning import Fit, Matrix, Pruned

SHEET = Route("the sheet and the parameters, read again", restates=True)
PRUNED = Route("torch, nn.utils.prune and linalg.lstsq", tolerance=1e-9, absolute=1e-12)
STORED = Route("torch, bytes of meta tensors")
CONVERTED = Route("torch, conversion of matrices with values")
FLOPS = Route("torch, FLOP counter on meta tensors")
USEFUL = Route("torch, FLOP counter on one row of as many weights as are kept")
GROUP = Route("places of a group beyond those kept, listed")
GIVEN = dict.fromkeys(("pruned_by", "output", "neuron", "sparsity"), SHEET)


def find(params: PruningParams) -> Iterator[Found | Proof]:
    """Everything that is published about pruning."""
    from generators.courses.utaustin.lecture25_pruning.torch_pruning import Fit, Matrix

    fit, large, held, pattern = Fit(params.layer), params.stored, params.conventions, params.pattern
    matrix = Matrix(large.n_rows, large.n_columns, held.bytes_per_value, held.bytes_per_index, pattern.kept, pattern.group)
    yield from _given(params)
    yield from _stays(params, fit)
    yield from _errors(params, fit)
    yield from _bytes(params, matrix)
    yield from _work(params, matrix)


def _share_dropped(pattern: Pattern) -> Fraction:
    """A place's share of its group, for each that is not kept."""
    return sum((Fraction(1, pattern.group) for _ in range(pattern.kept, pattern.group)), Fraction(0))


def _given(params: PruningParams) -> Iterator[Found]:
    layer, pattern, large, held = params.layer, params.pattern, params.stored, params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_inputs=layer.n_inputs, n_outputs=layer.n_outputs, n_samples=layer.n_samples)
    name = f"{pattern.kept}:{pattern.group}"
    yield from SHEET.values("sheet", seed=layer.seed, pattern=name, matrix=large.name)
    yield from GROUP.values("sheet", dropped_of_group=len(range(pattern.kept, pattern.group)))
    yield from GROUP.values("sheet", share_dropped=100 * _share_dropped(pattern), unit="%")
    yield from SHEET.letters("sheet", D=large.n_rows, D_ff=large.n_columns, L=large.n_tokens)
    yield from SHEET.letters("sheet", unit="B", s=held.bytes_per_value, s_index=held.bytes_per_index)
    yield from SHEET.letters("sheet", unit="FLOP", f=held.flops_per_multiply_add)
    yield from SHEET.letters("sheet", g_kept=pattern.kept, g=pattern.group)
    yield from GROUP.letters("sheet", rho=_share_dropped(pattern))


def _stays(params: PruningParams, fit: Fit) -> Iterator[Found]:
    pattern, share = params.pattern, _share_dropped(params.pattern)
    found = {"magnitude": fit.magnitude(share), "pattern": fit.n_of_m(pattern), "neurons": fit.neurons(share)}
    names = {"magnitude": "Magnitude", "pattern": f"{pattern.kept}:{pattern.group}", "neurons": "Neurons"}
    methods = {key: (names[key], int(mask.sum()), *errors) for key, (mask, *errors) in found.items()}
    again = {"error_fitted_again": "Error, fitted again"}
    yield from SHEET.part("1", "What stays")
    yield from PRUNED.table("1", "methods", methods, columns=["pruned_by", "kept", "error", *again], headings=again, given=GIVEN)
    stays = found["magnitude"][0].bool()
    yield from PRUNED.values("1", weights=fit.codes.numel())
    yield from PRUNED.values("1", largest_dropped=Fraction(int(fit.codes[~stays].abs().max()), 10_000))
    yield from PRUNED.values("1", smallest_kept=Fraction(int(fit.codes[stays].abs().min()), 10_000))
    yield from PRUNED.table(
        "1", "layer", _weights(fit, [*found.values()]), columns=["output", "neuron", "weight", *found], given=GIVEN
    )


def _weights(fit: Fit, found: list[Pruned]) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for place, code in enumerate(fit.codes.flatten().tolist()):
        output, neuron = (1 + one for one in divmod(place, fit.codes.shape[1]))
        stays = (int(mask.flatten()[place]) for mask, _, _ in found)
        yield f"{output}.{neuron}", (output, neuron, Fraction(int(code), 10_000), *stays)


def _errors(params: PruningParams, fit: Fit) -> Iterator[Found]:
    rows = {f"sparsity_{place}": (100 * share, *fit.magnitude(share)[1:], *fit.neurons(share)[1:])
            for place, share in enumerate(params.sparsities, 1)}  # fmt: skip
    yield from SHEET.part("2", "Error against sparsity")
    yield from PRUNED.table("2", "sparsities", rows, units={"sparsity": "%"},
                            headings={"magnitude_again": "Magnitude, fitted again", "neurons_again": "Neurons, fitted again"},
                            columns=["sparsity", "magnitude", "magnitude_again", "neurons", "neurons_again"],
                            given=GIVEN)  # fmt: skip


def _bytes(params: PruningParams, one: Matrix) -> Iterator[Found | Proof]:
    csr, share = one.csr_meets_dense(), one.pattern() / one.dense()
    yield from SHEET.part("3", "Bytes")
    yield from STORED.values("3", csr_pays=csr < 1, csr_never_pays=csr >= 1)
    yield from STORED.values("3", csr_from=100 * csr, pattern_share=100 * share, unit="%")
    yield from STORED.letters("3", beta_place=one.place_bits())
    symbols = {"dense": r"M_{\text{dense}}", "pattern": rf"M_{{\text{{{one.kept}:{one.group}}}}}"}
    yield from STORED.values("3", dense=one.dense(), pattern=one.pattern(), unit="B", symbols=symbols)
    symbols = {"csr_break_even": r"\rho_{\text{CSR}}", "csr": r"M_{\text{CSR}}"}
    yield from STORED.values("3", csr_break_even=csr, symbols=symbols)
    others = [(replace(one, rows=3 + place, columns=10 + place, value=value, index=index), 7 * place + 2)
              for place, (value, index) in enumerate(((1, 4), (2, 8), (4, 4)))]  # fmt: skip
    worlds = [{"D": each.rows, "D_ff": each.columns, "s": each.value, "s_index": each.index, "N_kept": kept}
              for each, kept in others]  # fmt: skip
    yield from STORED.worlds("3/csr", list(zip(worlds, [each.csr(kept) for each, kept in others], strict=True)))
    yield from _conversions(one, share)


def _conversions(one: Matrix, share: Fraction) -> Iterator[Proof]:
    from generators.courses.utaustin.lecture25_pruning.torch_pruning import compressed_share, csr_difference

    yield from CONVERTED.proof("3: a matrix turned to CSR takes the bytes counted for it", float(abs(csr_difference(one))))
    if (one.kept, one.group, one.value) == (2, 4, 2):
        yield from CONVERTED.proof("3: 2:4 compressed for CUTLASS takes the share found", float(abs(compressed_share() - share)))


def _work(params: PruningParams, one: Matrix) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_pruning.torch_pruning import dropped, flops

    tokens, every, share = params.stored.n_tokens, one.rows * one.columns, _share_dropped(params.pattern)
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    dense, narrower = (scale * flops(tokens, columns, one.rows) for columns in
                       (one.columns, one.columns - dropped(one.columns, share)))  # fmt: skip
    symbols = {"dense": r"F_{\text{dense}}", "narrower": r"F_{\text{narrower}}"}
    yield from SHEET.part("4", "Work")
    yield from FLOPS.values("4", dense=dense, narrower=narrower, unit="FLOP", symbols=symbols)
    yield from USEFUL.values("4", useful=scale * flops(tokens, every - dropped(every, share), 1), unit="FLOP")
