"""Finds pruning's numbers again with torch: its pruning methods, least squares on what stays, bytes and FLOPs of its tensors.

From the lecture: magnitude drops the smallest weights, structured pruning whole neurons. N:M keeps N of every M neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from generators.cells import Cell
from generators.courses.utaustin.lecture25_pruning.params import Pattern, PruningParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_pruning.torch_layer import Fit, Pruned
    from generators.courses.utaustin.lecture25_pruning.torch_storage import Matrix

SHEET = Route("the sheet and the parameters, read again", restates=True)
PRUNED = Route("torch, nn.utils.prune and linalg.lstsq", tolerance=1e-9, absolute=1e-12)
STORED = Route("torch, bytes of meta tensors")
BISECTED = Route("bisection on the bytes of torch's tensors")
CONVERTED = Route("torch, conversion of matrices with values")
FLOPS = Route("torch, FLOP counter on meta tensors")
USEFUL = Route("torch, FLOP counter on one row of as many weights as are kept")
GROUP = Route("places of a group beyond those kept, listed")
TILES = Route("enumeration: every tile")
MODELS = Route("torch, meta tensors")

AGAIN = {"error_fitted_again": "Error, fitted again"}


def find(params: PruningParams) -> Iterator[Found | Proof]:
    """Everything that is published about pruning."""
    from generators.courses.utaustin.lecture25_pruning.torch_layer import Fit
    from generators.courses.utaustin.lecture25_pruning.torch_storage import Matrix

    fit, large, held, pattern = Fit(params.layer), params.stored, params.conventions, params.pattern
    matrix = Matrix(large.n_rows, large.n_columns, held.bytes_per_value, held.bytes_per_index, pattern.kept, pattern.group)
    yield from _given(params)
    yield from _stays(params, fit)
    yield from _errors(params, fit)
    yield from _bytes(params, matrix)
    yield from _work(params, matrix)


def _name(pattern: Pattern) -> str:
    return f"{pattern.kept}:{pattern.group}"


def _share_dropped(pattern: Pattern) -> Fraction:
    """A place's share of its group, for each that is not kept."""
    return sum((Fraction(1, pattern.group) for _ in range(pattern.kept, pattern.group)), Fraction(0))


def _given(params: PruningParams) -> Iterator[Found]:
    layer, pattern, large, held = params.layer, params.pattern, params.stored, params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_inputs=layer.n_inputs, n_outputs=layer.n_outputs, n_samples=layer.n_samples)
    yield from SHEET.values("sheet", seed=layer.seed, pattern=_name(pattern), matrix=large.name, tile=params.tile)
    yield from GROUP.values("sheet", dropped_of_group=len(range(pattern.kept, pattern.group)))
    yield from GROUP.values("sheet", share_dropped=100 * _share_dropped(pattern), unit="%")
    yield from SHEET.letters("sheet", m=large.n_rows, n=large.n_columns, T=large.n_tokens)
    yield from SHEET.letters("sheet", unit="B", b=held.bytes_per_value, i=held.bytes_per_index)
    yield from SHEET.letters("sheet", N=pattern.kept, M=pattern.group)
    yield from GROUP.letters("sheet", s=_share_dropped(pattern))


def _stays(params: PruningParams, fit: Fit) -> Iterator[Found]:
    pattern, share, name = params.pattern, _share_dropped(params.pattern), _name(params.pattern)
    found = {"magnitude": fit.magnitude(share), "pattern": fit.n_of_m(pattern), "neurons": fit.neurons(share)}
    names = {"magnitude": "Magnitude", "pattern": name, "neurons": "Neurons"}
    methods = {
        key: (names[key], int(mask.sum()), 100 * fit.squares_kept(mask), *errors) for key, (mask, *errors) in found.items()
    }
    digits = {
        f"output_{place + 1}": (place + 1, *(_digits(mask[place], pattern.group) for mask, _, _ in found.values()))
        for place in range(len(fit.codes))
    }
    yield from SHEET.part("1", "What stays")
    yield from PRUNED.table("1", "methods", methods, columns=["pruned_by", "kept", "squares_kept", "error", *AGAIN],
                            units={"squares_kept": "%"}, headings={"squares_kept": "Σw² kept", **AGAIN})  # fmt: skip
    yield from PRUNED.table("1", "kept", digits, columns=["output", *found], headings={"pattern": name})
    stays = found["magnitude"][0].bool()
    yield from PRUNED.values("1", weights=fit.codes.numel())
    yield from PRUNED.values("1", largest_dropped=Fraction(int(fit.codes[~stays].abs().max()), 10_000))
    yield from PRUNED.values("1", smallest_kept=Fraction(int(fit.codes[stays].abs().min()), 10_000))
    yield from PRUNED.table("1", "layer", _weights(fit, [*found.values()]), columns=["output", "neuron", "weight", *found])


def _digits(bits: Any, group: int) -> str:
    return " ".join("".join(str(int(bit)) for bit in chunk) for chunk in bits.split(group))


def _weights(fit: Fit, found: list[Pruned]) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for place, code in enumerate(fit.codes.flatten().tolist()):
        output, neuron = (1 + one for one in divmod(place, fit.codes.shape[1]))
        stays = (int(mask.flatten()[place]) for mask, _, _ in found)
        yield f"{output}.{neuron}", (output, neuron, Fraction(int(code), 10_000), *stays)


def _errors(params: PruningParams, fit: Fit) -> Iterator[Found]:
    sparsities: dict[str, tuple[Cell, ...]] = {}
    for place, share in enumerate(params.sparsities, 1):
        (_, *magnitude), (mask, *neurons) = fit.magnitude(share), fit.neurons(share)
        sparsities[f"sparsity_{place}"] = (100 * share, *magnitude, int(mask[0].sum()), *neurons)
    patterns = {
        f"pattern_{place}": (_name(one), 100 * _share_dropped(one), *fit.n_of_m(one)[1:])
        for place, one in enumerate((params.pattern, *params.other_patterns), 1)
    }
    again = {f"{key}_fitted_again": f"{key}, fitted again" for key in ("magnitude", "neurons")}
    columns = ["sparsity", "magnitude", "magnitude_fitted_again", "neurons_left", "neurons", "neurons_fitted_again"]
    yield from SHEET.part("2", "Error against sparsity")
    yield from SHEET.values("2", highest_sparsity=100 * max(params.sparsities), unit="%")
    last = dict(zip(columns, list(sparsities.values())[-1], strict=True))
    yield from PRUNED.values("2", {key: last[key] for key in ("magnitude", "neurons", *again)})
    yield from PRUNED.table("2", "sparsities", sparsities, units={"sparsity": "%"}, headings=again, columns=columns)
    yield from PRUNED.table("2", "patterns", patterns, units={"sparsity": "%"}, headings={"pattern": "N:M", **AGAIN},
                            columns=["pattern", "sparsity", "error", *AGAIN])  # fmt: skip


def _bytes(params: PruningParams, one: Matrix) -> Iterator[Found | Proof]:
    csr, bitmap, share = one.crossing(one.csr), one.crossing(one.bitmap), one.pattern() / one.dense()
    yield from SHEET.part("3", "Bytes")
    yield from STORED.values("3", csr_pays=csr < 1, csr_never_pays=csr >= 1)
    yield from STORED.values("3", csr_from=100 * csr, bitmap_from=100 * bitmap, pattern_share=100 * share, unit="%")
    yield from BISECTED.values("3", fits=one.most_in_csr())
    yield from STORED.letters("3", p=one.place_bits())
    symbols = {"dense": r"B_{\text{dense}}", "pattern": "B_{N:M}"}
    yield from STORED.values("3", dense=one.dense(), pattern=one.pattern(), unit="B", symbols=symbols)
    symbols = {"csr_break_even": r"s_{\text{CSR}}", "bitmap_break_even": r"s_{\text{bitmap}}"}
    yield from STORED.values("3", csr_break_even=csr, bitmap_break_even=bitmap, symbols=symbols)
    yield from STORED.values("3", symbols={"csr": r"B_{\text{CSR}}", "bitmap": r"B_{\text{bitmap}}"})
    others = [(replace(one, rows=3 + place, columns=10 + place, value=value, index=index), 7 * place + 2)
              for place, (value, index) in enumerate(((1, 4), (2, 8), (4, 4)))]  # fmt: skip
    worlds = [{"m": each.rows, "n": each.columns, "b": each.value, "i": each.index, "k": kept} for each, kept in others]
    yield from STORED.worlds("3/csr", list(zip(worlds, [each.csr(kept) for each, kept in others], strict=True)))
    yield from STORED.worlds("3/bitmap", list(zip(worlds, [each.bitmap(kept) for each, kept in others], strict=True)))
    shares = ("csr", "bitmap", "fewer_columns")
    yield from STORED.table("3", "formats", _formats(params, one), columns=["sparsity", "kept", *shares],
                            units=dict.fromkeys(("sparsity", *shares), "%"), headings={"csr": "CSR"})  # fmt: skip
    yield from STORED.table("3", "points", _points(params, one), columns=["format", "sparsity", "share"])
    yield from _conversions(one, share)


def _formats(params: PruningParams, one: Matrix) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    from generators.courses.utaustin.lecture25_pruning.torch_storage import dropped

    every = one.rows * one.columns
    for place, share in enumerate(params.stored.sparsities, 1):
        kept, narrower = every - dropped(every, share), replace(one, columns=one.columns - dropped(one.columns, share))
        shares = (100 * held / one.dense() for held in (one.csr(kept), one.bitmap(kept), Fraction(narrower.dense())))
        yield f"sparsity_{place}", (100 * share, kept, *shares)


def _points(params: PruningParams, one: Matrix) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """The lines' ends: with all values held, then with none."""
    every, dense = one.rows * one.columns, Fraction(one.dense())
    narrowest = Fraction(replace(one, columns=0).dense())
    ends = {"CSR": (one.csr(every), one.csr(0)), "bitmap": (one.bitmap(every), one.bitmap(0)),
            "dense": (dense, dense), "fewer columns": (dense, narrowest)}  # fmt: skip
    for name, pair in ends.items():
        for sparsity, held in enumerate(pair):
            yield f"{'_'.join(name.split())}.{sparsity}", (name, sparsity, held / dense)
    yield "pattern", (_name(params.pattern), _share_dropped(params.pattern), one.pattern() / dense)


def _conversions(one: Matrix, share: Fraction) -> Iterator[Proof]:
    from generators.courses.utaustin.lecture25_pruning.torch_storage import compressed_share, csr_difference

    yield from CONVERTED.proof("3: a matrix turned to CSR takes the bytes counted for it", float(abs(csr_difference(one))))
    if (one.kept, one.group, one.value) == (2, 4, 2):
        yield from CONVERTED.proof("3: 2:4 compressed for CUTLASS takes the share found", float(abs(compressed_share() - share)))


def _work(params: PruningParams, one: Matrix) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_pruning.torch_storage import dropped, flops

    tokens, every, share = params.stored.n_tokens, one.rows * one.columns, _share_dropped(params.pattern)
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    dense, narrower = (scale * flops(tokens, columns, one.rows) for columns in
                       (one.columns, one.columns - dropped(one.columns, share)))  # fmt: skip
    symbols = {"dense": r"F_{\text{dense}}", "narrower": r"F_{\text{narrower}}"}
    yield from SHEET.part("4", "Work")
    yield from FLOPS.values("4", dense=dense, narrower=narrower, unit="FLOP", symbols=symbols)
    yield from USEFUL.values("4", useful=scale * flops(tokens, every - dropped(every, share), 1), unit="FLOP")
    columns = ["width", "tiles", "computed", "used"]
    yield from TILES.table("4", "tiles", _tiles(params), units={"used": "%"}, columns=columns)
    columns = ["model", "layers", "d_model", "d_ff", "values", "left", "flops"]
    headings = {"d_model": "D", "d_ff": "FFN", "flops": "FLOPs a token"}
    yield from MODELS.table("4", "shapes", _shapes(params), units={"left": "%"}, headings=headings, columns=columns)


def _tiles(params: PruningParams) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for place, width in enumerate(params.widths, 1):
        tiles = [params.tile for _ in range(0, width, params.tile)]
        yield f"width_{place}", (width, len(tiles), sum(tiles), Fraction(100 * width, sum(tiles)))


def _shapes(params: PruningParams) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    from generators.oracles.gated_decoder import counted_values

    counts = [counted_values(one.n_layers, one.d_model, one.d_ff, one.vocabulary_size) for one in params.shapes]
    for place, (one, (values, matrices)) in enumerate(zip(params.shapes, counts, strict=True), 1):
        counted = (values, Fraction(100 * values, counts[0][0]), params.conventions.flops_per_multiply_add * matrices)
        yield f"model_{place}", (one.name, one.n_layers, one.d_model, one.d_ff, *counted)
