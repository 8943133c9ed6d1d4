"""Finds pruning's numbers again with torch: its pruning methods, least squares on what stays, bytes and FLOPs of its tensors.

From the lecture: magnitude drops the smallest weights, structured pruning whole neurons. N:M keeps N of every M neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

FORMATS = {"csr": r"B_{\text{CSR}}", "bitmap": r"B_{\text{bitmap}}"}


def find(params: PruningParams) -> Iterator[Found | Proof]:
    """Everything that is published about pruning."""
    from generators.courses.utaustin.lecture25_pruning.torch_layer import Fit

    fit = Fit(params.layer)
    yield from _given(params)
    yield from _stays(params, fit)
    yield from _errors(params, fit)
    yield from _bytes(params)
    yield from _work(params, fit)


def _name(pattern: Pattern) -> str:
    return f"{pattern.kept}:{pattern.group}"


def _share_dropped(pattern: Pattern) -> Fraction:
    return Fraction(pattern.group - pattern.kept, pattern.group)


def _given(params: PruningParams) -> Iterator[Found]:
    layer, pattern, large, held = params.layer, params.pattern, params.stored, params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_inputs=layer.n_inputs, n_outputs=layer.n_outputs, n_samples=layer.n_samples)
    yield from SHEET.values("sheet", seed=layer.seed, pattern=_name(pattern), matrix=large.name, tile=params.tile)
    dropped = [place for place in range(pattern.group) if place >= pattern.kept]
    yield from GROUP.values("sheet", dropped_of_group=len(dropped))
    yield from GROUP.values("sheet", share_dropped=sum(Fraction(100, pattern.group) for _ in dropped), unit="%")
    yield from SHEET.letters("sheet", m=large.n_rows, n=large.n_columns, T=large.n_tokens)
    yield from SHEET.letters("sheet", unit="B", b=held.bytes_per_value, i=held.bytes_per_index)
    yield from SHEET.letters("sheet", N=pattern.kept, M=pattern.group)
    yield from GROUP.letters("sheet", s=sum(Fraction(1, pattern.group) for _ in dropped))


def _three(params: PruningParams, fit: Fit) -> dict[str, Pruned]:
    pattern = params.pattern
    share = _share_dropped(pattern)
    return {"magnitude": fit.magnitude(share), "pattern": fit.n_of_m(pattern.kept, pattern.group), "neurons": fit.neurons(share)}


def _stays(params: PruningParams, fit: Fit) -> Iterator[Found]:
    found, pattern = _three(params, fit), _name(params.pattern)
    names = {"magnitude": "Magnitude", "pattern": pattern, "neurons": "Neurons"}
    rows: dict[str, dict[str, Cell]] = {
        key: {
            "pruned_by": names[key],
            "kept": int(mask.sum()),
            "squares_kept": 100 * fit.squares_kept(mask),
            "error": error,
            "error_fitted_again": again,
        }
        for key, (mask, error, again) in found.items()
    }
    headings = {"squares_kept": "Σw² kept", "error_fitted_again": "Error, fitted again"}
    yield from SHEET.part("1", "What stays")
    yield from PRUNED.table("1", "methods", rows, units={"squares_kept": "%"}, headings=headings)
    texts: dict[str, dict[str, Cell]] = {
        f"output_{place + 1}": {
            "output": place + 1,
            **{key: _digits(mask[place], params.pattern.group) for key, (mask, _, _) in found.items()},
        }
        for place in range(len(fit.codes))
    }
    yield from PRUNED.table("1", "kept", texts, headings={"pattern": pattern})
    stays = found["magnitude"][0].bool()
    yield from PRUNED.values("1", weights=fit.codes.numel())
    yield from PRUNED.values("1", largest_dropped=Fraction(int(fit.codes[~stays].abs().max()), 10_000))
    yield from PRUNED.values("1", smallest_kept=Fraction(int(fit.codes[stays].abs().min()), 10_000))
    yield from PRUNED.table("1", "layer", dict(_weights(fit, found)))


def _digits(bits: Any, group: int) -> str:
    return " ".join("".join(str(int(bit)) for bit in chunk) for chunk in bits.split(group))


def _weights(fit: Fit, found: Mapping[str, Pruned]) -> Iterator[tuple[str, dict[str, Cell]]]:
    for place, code in enumerate(fit.codes.flatten().tolist()):
        output, neuron = (1 + one for one in divmod(place, fit.codes.shape[1]))
        stays = {key: int(mask.flatten()[place]) for key, (mask, _, _) in found.items()}
        yield f"{output}.{neuron}", {"output": output, "neuron": neuron, "weight": Fraction(int(code), 10_000), **stays}


def _errors(params: PruningParams, fit: Fit) -> Iterator[Found]:
    rows: dict[str, dict[str, Cell]] = {}
    for place, share in enumerate(params.sparsities, 1):
        (_, before, after), (columns, *neurons) = fit.magnitude(share), fit.neurons(share)
        rows[f"sparsity_{place}"] = {
            "sparsity": 100 * share,
            "magnitude": before,
            "magnitude_fitted_again": after,
            "neurons_left": int(columns[0].sum()),
            "neurons": neurons[0],
            "neurons_fitted_again": neurons[1],
        }
    last = list(rows.values())[-1]
    headings: dict[str, Any] = {f"{key}_fitted_again": f"{key}, fitted again" for key in ("magnitude", "neurons")}
    yield from SHEET.part("2", "Error against sparsity")
    yield from SHEET.values("2", highest_sparsity=100 * max(params.sparsities), unit="%")
    yield from PRUNED.values("2", {key: last[key] for key in ("magnitude", "neurons", *headings)})
    yield from PRUNED.table("2", "sparsities", rows, units={"sparsity": "%"}, headings=headings)
    patterns: dict[str, dict[str, Cell]] = {}
    for place, one in enumerate((params.pattern, *params.other_patterns), 1):
        _, before, after = fit.n_of_m(one.kept, one.group)
        patterns[f"pattern_{place}"] = {
            "pattern": _name(one),
            "sparsity": 100 * _share_dropped(one),
            "error": before,
            "error_fitted_again": after,
        }
    headings = {"pattern": "N:M", "error_fitted_again": "Error, fitted again"}
    yield from PRUNED.table("2", "patterns", patterns, units={"sparsity": "%"}, headings=headings)


def _matrix(params: PruningParams) -> Matrix:
    from generators.courses.utaustin.lecture25_pruning.torch_storage import Matrix

    large, held, pattern = params.stored, params.conventions, params.pattern
    return Matrix(large.n_rows, large.n_columns, held.bytes_per_value, held.bytes_per_index, pattern.kept, pattern.group)


def _bytes(params: PruningParams) -> Iterator[Found | Proof]:
    one = _matrix(params)
    csr, bitmap = one.crossing(Fraction(one.csr(0)), Fraction(one.csr(1))), one.crossing(one.bitmap(0), one.bitmap(1))
    share = one.pattern() / one.dense()
    yield from SHEET.part("3", "Bytes")
    yield from STORED.values("3", csr_pays=csr < 1, csr_never_pays=csr >= 1)
    yield from STORED.values("3", csr_from=100 * csr, bitmap_from=100 * bitmap, pattern_share=100 * share, unit="%")
    yield from BISECTED.values("3", fits=one.most_in_csr())
    yield from STORED.letters("3", p=one.place_bits())
    sizes, symbols = {"dense": one.dense(), "pattern": one.pattern()}, {"dense": r"B_{\text{dense}}", "pattern": "B_{N:M}"}
    yield from STORED.values("3", sizes, unit="B", symbols=symbols)
    symbols = {"csr_break_even": r"s_{\text{CSR}}", "bitmap_break_even": r"s_{\text{bitmap}}"}
    yield from STORED.values("3", csr_break_even=csr, bitmap_break_even=bitmap, symbols=symbols)
    yield from _expressions(one)
    yield from STORED.table("3", "formats", dict(_formats(params, one)), units=dict.fromkeys(
        ("sparsity", "csr", "bitmap", "fewer_columns"), "%"), headings={"csr": "CSR"})  # fmt: skip
    yield from STORED.table("3", "points", dict(_points(one, _name(params.pattern))))
    yield from _conversions(one, share)


def _expressions(one: Matrix) -> Iterator[Found]:
    """What the formats' bytes come to at several sizes, for their formulas."""
    yield from STORED.values("3", symbols=FORMATS)
    others = [(replace(one, rows=3 + place, columns=10 + place, value=value, index=index), 7 * place + 2)
              for place, (value, index) in enumerate(((1, 4), (2, 8), (4, 4)))]  # fmt: skip
    for key in FORMATS:
        cases = []
        for matrix, kept in others:
            world = {"m": matrix.rows, "n": matrix.columns, "b": matrix.value, "i": matrix.index, "k": kept}
            cases.append((world, getattr(matrix, key)(kept)))
        yield from STORED.worlds(f"3/{key}", cases)


def _formats(params: PruningParams, one: Matrix) -> Iterator[tuple[str, dict[str, Cell]]]:
    for place, share in enumerate(params.stored.sparsities, 1):
        kept = one.rows * one.columns - round(float(share) * one.rows * one.columns)
        columns = one.columns - round(float(share) * one.columns)
        narrower = Fraction(replace(one, columns=columns).dense())
        sizes = {"csr": Fraction(one.csr(kept)), "bitmap": one.bitmap(kept), "fewer_columns": narrower}
        shares = {name: 100 * held / one.dense() for name, held in sizes.items()}
        yield f"sparsity_{place}", {"sparsity": 100 * share, "kept": kept, **shares}


def _points(one: Matrix, pattern: str) -> Iterator[tuple[str, dict[str, Cell]]]:
    """The lines' ends: with all values held, then with none."""
    dense, every = Fraction(one.dense()), one.rows * one.columns
    ends: dict[str, tuple[int | Fraction, int | Fraction]] = {
        "CSR": (one.csr(every), one.csr(0)),
        "bitmap": (one.bitmap(every), one.bitmap(0)),
        "dense": (one.dense(), one.dense()),
        "fewer columns": (one.dense(), replace(one, columns=0).dense()),
    }
    for name, pair in ends.items():
        for sparsity, held in enumerate(pair):
            yield f"{'_'.join(name.split())}.{sparsity}", {"format": name, "sparsity": sparsity, "share": held / dense}
    yield (
        "pattern",
        {
            "format": pattern,
            "sparsity": 1 - Fraction(one.kept, one.group),
            "share": one.pattern() / dense,
        },
    )


def _conversions(one: Matrix, share: Fraction) -> Iterator[Proof]:
    from generators.courses.utaustin.lecture25_pruning.torch_storage import compressed_share, csr_difference

    yield from CONVERTED.proof("3: a matrix turned to CSR takes the bytes counted for it", abs(csr_difference(one)))
    if (one.kept, one.group, one.value) == (2, 4, 2):
        yield from CONVERTED.proof("3: 2:4 compressed for CUTLASS takes the share found", float(abs(compressed_share() - share)))


def _work(params: PruningParams, fit: Fit) -> Iterator[Found | Proof]:
    from generators.courses.utaustin.lecture25_pruning.torch_storage import flops

    one, tokens, each = _matrix(params), params.stored.n_tokens, params.conventions.flops_per_multiply_add
    kept = one.rows * one.columns - round(one.rows * one.columns * (one.group - one.kept) / one.group)
    counts = {
        "dense": flops(tokens, one.columns, one.rows),
        "narrower": flops(tokens, one.columns * one.kept // one.group, one.rows),
    }
    symbols = {"dense": r"F_{\text{dense}}", "narrower": r"F_{\text{narrower}}"}
    yield from SHEET.part("4", "Work")
    yield from FLOPS.values(
        "4", {name: Fraction(count * each, 2) for name, count in counts.items()}, unit="FLOP", symbols=symbols
    )
    yield from USEFUL.values("4", useful=Fraction(flops(tokens, kept, 1) * each, 2), unit="FLOP")
    whole, zeros = fit.flops([_three(params, fit)["magnitude"][0]])
    yield from FLOPS.proof("4: the small layer takes as many FLOPs with its pruned weights at zero", abs(whole - zeros))
    tiles = {f"width_{place}": _tiled(width, params.tile) for place, width in enumerate(params.widths, 1)}
    yield from TILES.table("4", "tiles", tiles, units={"used": "%"})
    headings = {"d_model": "D", "d_ff": "FFN", "flops": "FLOPs a token"}
    yield from MODELS.table("4", "shapes", dict(_shapes(params, each)), units={"left": "%"}, headings=headings)


def _tiled(width: int, tile: int) -> dict[str, Cell]:
    computed = sum(tile for _ in range(0, width, tile))
    return {"width": width, "tiles": len(range(0, width, tile)), "computed": computed, "used": Fraction(100 * width, computed)}


def _shapes(params: PruningParams, flops: int) -> Iterator[tuple[str, dict[str, Cell]]]:
    from generators.oracles.gated_decoder import counted_values

    counts = [counted_values(one.n_layers, one.d_model, one.d_ff, one.vocabulary_size) for one in params.shapes]
    for place, (one, (values, matrices)) in enumerate(zip(params.shapes, counts, strict=True), 1):
        yield (
            f"model_{place}",
            {
                "model": one.name,
                "layers": one.n_layers,
                "d_model": one.d_model,
                "d_ff": one.d_ff,
                "values": values,
                "left": Fraction(100 * values, counts[0][0]),
                "flops": flops * matrices,
            },
        )
