"""Builds every model of transformers without storage, tunes it with peft and torch modules, and counts what is trainable.

From the lecture: the reduction by LoRA for a square matrix, and the column %Param of its table, whose first model is a BERT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from generators.cells import Cell
from generators.courses.utaustin.lecture25_parameter_efficient_tuning.params import Model, TuningParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import Shape

SHEET = Route("the lecture and the parameters, read again", restates=True)
BUILT = Route("models of transformers on meta tensors, their parameters by name")
PEFT = Route("peft on meta tensors")
MERGED = Route("peft, a small matrix with A and B merged into it", tolerance=1e-12)
SUMS = Route("what was counted, added up task by task, times bytes a value")
LINE = Route("a line through what is counted at sizes one and two")

TITLES = {"bitfit": "BitFit", "bitfit_half": "BitFit, half", "adapters": "Adapters", "lora": "LoRA"}
SYMBOLS = {name: rf"N_{{\text{{{title}}}}}" for name, title in TITLES.items()}
Rows = dict[str, dict[str, Cell]]


@dataclass(frozen=True)
class Counts:
    """Values of a model, of its layers, and those that each method trains."""

    values: int
    layers: int
    trained: Mapping[str, int]

    def share(self, name: str) -> Fraction:
        """What a method trains, in per cent of the model."""
        return Fraction(100 * self.trained[name], self.values)


def find(params: TuningParams) -> Iterator[Found | Proof]:
    """Everything that is published about the reduction and the models."""
    models = [_counted(model, params) for model in params.models]
    yield from _given(params)
    yield from _reduction(params)
    yield from _first(params, models[0])
    yield from _shares(params, models)
    yield from _over_size(params, models[0])
    yield from _printed(params, models)
    yield from _bytes(params, models[0])


def _shape(model: Model) -> Shape:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import Shape

    sizes = (model.n_layers, model.d_model, model.d_ff, model.vocabulary_size, model.n_positions, model.n_segments)
    return Shape(model.kind, *sizes)


def _counted(model: Model, params: TuningParams) -> Counts:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import lora, plain

    shape = _shape(model)
    values, layers, biases, some = plain(shape)
    tuned = {"adapters": _adapters(model, params)(params.adapter_width), "lora": lora(shape, params.rank, tuple(params.lora_on))}
    return Counts(values, layers, {"bitfit": biases, "bitfit_half": some, **tuned})


def _adapters(model: Model, params: TuningParams) -> Callable[[int], int]:
    """What adapters train by their width."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import adapters

    shape, norms = _shape(model), params.conventions.adapters_train_norms
    return lambda width: adapters(shape, width, norms=norms)


def _given(params: TuningParams) -> Iterator[Found]:
    held, names = params.conventions, [model.name for model in params.models]
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", models=_joined(names), first_model=names[0], lora_on=_joined(params.lora_on))
    for name in ("bitfit", "adapters", "diff_pruning"):
        yield from SHEET.values("sheet", {f"printed_{name}": getattr(params.printed, name).percent}, unit="%")
    yield from SHEET.values("sheet", unit="B", bytes_per_value=held.bytes_per_value)
    yield from SHEET.values("sheet", n_tasks=params.n_tasks, optimizer_states=held.optimizer_states)
    yield from SHEET.values("sheet", adapters_train_norms=held.adapters_train_norms)


def _joined(names: Sequence[str]) -> str:
    """a, b and c."""
    text = names[0]
    for one in names[1:]:
        text += f" and {one}" if one == names[-1] else f", {one}"
    return text


def _reduction(params: TuningParams) -> Iterator[Found | Proof]:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import merged, pair

    width, rows, columns = params.d_model, params.n_rows, params.n_columns
    yield from SHEET.part("1", "The reduction by LoRA")
    yield from SHEET.letters("1", D=width, R=params.rank, m=rows, n=columns)
    full, beside, each = width**2, pair(width, width, params.rank), pair(width, width, 1)
    values = {"full": full, "lora": beside, "ratio": Fraction(full, beside), "break_even": Fraction(full, each)}
    values["rectangular"] = Fraction(rows * columns, pair(rows, columns, 1))
    symbols = {"full": "N_W", "lora": "N_{BA}", "ratio": "N_W / N_{BA}", "break_even": "r_0", "rectangular": "r_0"}
    yield from PEFT.values("1", values, symbols=symbols)
    table: Rows = {}
    for rank in params.ranks:
        trained = pair(width, width, rank)
        table[f"rank_{rank}"] = {
            "rank": rank, "values": trained, "times_fewer": Fraction(full, trained), "share": Fraction(100 * trained, full)
        }  # fmt: skip
    headings = {"values": "Values of A and B"}
    yield from PEFT.table("1", "ranks", table, units={"share": "%"}, headings=headings)
    before, after, apart = merged()
    yield from MERGED.proof("a matrix with A and B merged into it gives the same output", apart)
    yield from MERGED.proof("a matrix with A and B merged into it holds as many values as before", after - before)


def _first(params: TuningParams, counts: Counts) -> Iterator[Found]:
    """The first model's letters and values, and what its methods with a size of their own train."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import rows_outside

    model = params.models[0]
    yield from SHEET.part("model", "The lecture's model")
    yield from SHEET.letters("model", N_layer=model.n_layers, D=model.d_model, D_ff=model.d_ff)
    yield from BUILT.letters("model", E=rows_outside(_shape(model)))
    yield from BUILT.values("model", {"values": counts.values}, symbols={"values": "N_model"})
    for name, size, route in (("adapters", params.adapter_width, BUILT), ("lora", params.rank, PEFT)):
        yield from SHEET.part(name, TITLES[name])
        yield from SHEET.letters(name, R=size)
        yield from route.values(name, trained=counts.trained[name], symbols={"trained": SYMBOLS[name]})


def _shares(params: TuningParams, counted: Sequence[Counts]) -> Iterator[Found]:
    yield from SHEET.part("2", "Trained shares")
    for name in ("bitfit", "bitfit_half"):
        yield from BUILT.values("2", {name: counted[0].trained[name]}, symbols={name: SYMBOLS[name]})
    models: Rows = {}
    shares: Rows = {}
    for place, (model, counts) in enumerate(zip(params.models, counted, strict=True), 1):
        widths: dict[str, Cell] = {"layers": model.n_layers, "width": model.d_model, "ffn": model.d_ff}
        inside = Fraction(100 * counts.layers, counts.values)
        models[f"model_{place}"] = {"model": model.name, **widths, "values": counts.values, "in_layers": inside}
        for name, trained in counts.trained.items():
            cells: dict[str, Cell] = {"trained": trained, "share": counts.share(name)}
            shares[f"model_{place}.{name}"] = {"model": model.name, "method": TITLES[name], **cells}
    yield from BUILT.table("2", "models", models, units={"in_layers": "%"}, headings={"width": "D", "ffn": "FFN"})
    yield from BUILT.table("2", "shares", shares, units={"share": "%"})


def _widths(params: TuningParams) -> list[int]:
    return sorted({params.adapter_width, *params.other_adapter_widths})


def _over_size(params: TuningParams, counts: Counts) -> Iterator[Found]:
    """Both methods hold values that grow evenly with their size; drawn are powers of two and the page's own sizes."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import lora

    shape, on = _shape(params.models[0]), tuple(params.lora_on)
    counted: dict[str, Callable[[int], int]] = {
        "adapters": _adapters(params.models[0], params),
        "lora": lambda rank: lora(shape, rank, on),
    }
    own = {"adapters": _widths(params), "lora": [params.rank]}
    largest = max(256, *own["adapters"], *own["lora"])
    sizes = {1, 2, 4, 8, 16, 32, 64, 128, 256, largest, *own["adapters"], *own["lora"]}
    rows: Rows = {}
    for size in sorted(sizes):
        cells: dict[str, Cell] = {"size": size}
        marked: dict[str, Cell] = {}
        for name, count in counted.items():
            cells[name] = Fraction(100 * _on_a_line(count, size), counts.values)
            marked[f"{name}_counted"] = cells[name] if size in own[name] else None
        rows[f"size_{size}"] = cells | marked
    headings = {"size": "Inner width of adapters, rank of LoRA", "lora": "LoRA"}
    units = dict.fromkeys(("adapters", "lora", "adapters_counted", "lora_counted"), "%")
    yield from LINE.table("2", "over_size", rows, units=units, headings=headings)


def _on_a_line(count: Callable[[int], int], size: int) -> int:
    return count(1) + (size - 1) * (count(2) - count(1))


def _printed(params: TuningParams, counted: Sequence[Counts]) -> Iterator[Found]:
    printed, first, whole = params.printed, params.models[0], counted[0].values
    yield from SHEET.part("3", "Beside the lecture's table")
    yield from SHEET.letters("3", q=printed.adapters.percent / 100)
    yield from BUILT.values("3", difference=round(whole * float(printed.diff_pruning.percent) / 100))
    adapters = _adapters(first, params)
    width = 1 + (printed.adapters.percent * whole / 100 - adapters(1)) / (adapters(2) - adapters(1))
    yield from LINE.values("3", width=width, symbols={"width": r"R_{\text{printed}}"})
    rows: Rows = {}
    for place, (model, counts) in enumerate(zip(params.models, counted, strict=True), 1):
        if model.kind == "bert":
            rows[f"bitfit.model_{place}"] = _row("BitFit", printed.bitfit, model.name, counts.trained["bitfit"], counts)
    yield from _fits(rows)
    for one in _widths(params):
        where = f"{first.name}, width {one}"
        rows[f"adapters.width_{one}"] = _row("Adapters", printed.adapters, where, adapters(one), counted[0])
    units = dict.fromkeys(("printed", "of_all_values", "of_the_layers"), "%")
    yield from BUILT.table("3", "printed", rows, units=units)


def _row(method: str, printed: Any, where: str, trained: int, counts: Counts) -> dict[str, Cell]:
    """Whether a counted share, written with the decimals of the printed one, reads like it."""
    share = Fraction(100 * trained, counts.values)
    alike = f"{float(share):.{printed.decimals}f}" == f"{float(printed.percent):.{printed.decimals}f}"
    return {
        "method": method,
        "printed": printed.percent,
        "counted_for": where,
        "of_all_values": share,
        "of_the_layers": Fraction(100 * trained, counts.layers),
        "rounds_to_it": "yes" if alike else "no",
    }


def _fits(rows: Mapping[str, Mapping[str, Cell]]) -> Iterator[Found]:
    """Which models train the printed share of biases."""
    hits = [str(cells["counted_for"]) for cells in rows.values() if cells["rounds_to_it"] == "yes"]
    missed = len(rows) - len(hits)
    yield from BUILT.values(
        "3", bitfit_fits=hits != [], bitfit_fits_none=hits == [], bitfit_fits_some_only=0 < missed < len(rows)
    )
    if hits:
        yield from BUILT.values("3", bitfit_models=_joined(hits), n_bitfit_models=len(hits))
        yield from BUILT.values("3", {"n_other_models": missed} if missed else {})


def _bytes(params: TuningParams, counts: Counts) -> Iterator[Found]:
    """Every task's own values added up, and a gradient and the optimizer's states for each trained one."""
    import torch

    held = params.conventions
    size = torch.empty(0, dtype={2: torch.float16, 4: torch.float32}[held.bytes_per_value]).element_size()
    rows: Rows = {}
    for name, trained in {"full": counts.values, **counts.trained}.items():
        tasks = sum([trained] * params.n_tasks, start=0 if name == "full" else counts.values)
        kept = trained + sum(trained for _ in range(held.optimizer_states))
        values = {"one_task": size * trained, "all_tasks": size * tasks, "gradients_and_optimizer": size * kept}
        rows[name] = {"method": TITLES.get(name, "Full"), **values}
    yield from SHEET.part("4", "What it saves")
    yield from SUMS.table("4", "bytes", rows, units=dict.fromkeys(("one_task", "all_tasks", "gradients_and_optimizer"), "B"))
