"""Builds every model of transformers without storage, tunes it with torch modules, and counts what is trained.

From the lecture: the reduction by LoRA for a square matrix, and the column %Param of its table, whose models are BERTs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.cells import Cell
from generators.courses.utaustin.lecture25_parameter_efficient_tuning.params import Printed, TuningParams
from generators.found import Found, Route

if TYPE_CHECKING:
    import torch

    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import Network

SHEET = Route("the lecture and the parameters, read again", restates=True)
BUILT = Route("models of transformers on meta tensors, their parameters by name")
BESIDE = Route("torch modules with A and B beside a matrix, on meta tensors")
WEIGHED = Route("torch, nbytes of the tensors that are trained, of their gradients and of states like them")
LINE = Route("a line through the counts at the sizes one and two")
GIVEN = dict.fromkeys(("rank", "model", "method", "layers", "width", "ffn", "counted_for", "inner_width", "printed"), SHEET)
"""Columns that the lecture or the parameters have as well."""

TITLES = {"bitfit": "BitFit", "adapters": "Adapters", "lora": "LoRA"}
SYMBOLS = {name: rf"N_{{\text{{{title}}}}}" for name, title in TITLES.items()}
Trained = Mapping[str, "list[torch.Tensor]"]
"""The tensors that each method trains."""
Cells = tuple[Cell, ...]


def find(params: TuningParams) -> Iterator[Found]:
    """Everything that is published about the reduction and the models."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import Network

    networks = [Network(model) for model in params.models]
    trained = [_trained(network, params) for network in networks]
    yield from _given(params)
    yield from _reduction(params)
    yield from _first(params, networks[0], trained[0])
    yield from _shares(networks, trained)
    yield from _printed(params, networks)
    yield from _bytes(params, networks[0], trained[0])


def _trained(network: Network, params: TuningParams) -> Trained:
    return {
        "bitfit": network.biases(),
        "adapters": network.adapters(params.adapter_width, norms=params.conventions.adapters_train_norms),
        "lora": network.lora(params.rank, params.lora_on),
    }


def _given(params: TuningParams) -> Iterator[Found]:
    held, names = params.conventions, [model.name for model in params.models]
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", models=_joined(names), first_model=names[0], lora_on=_joined(params.lora_on))
    yield from SHEET.values("sheet", unit="%", printed_diff_pruning=params.printed.diff_pruning.percent)
    yield from SHEET.values("sheet", unit="B", bytes_per_value=held.bytes_per_value)
    yield from SHEET.values("sheet", n_tasks=params.n_tasks, optimizer_states=held.optimizer_states)
    yield from SHEET.values("sheet", adapters_train_norms=held.adapters_train_norms)


def _joined(names: Sequence[str]) -> str:
    """a, b and c."""
    text = names[0]
    for one in names[1:]:
        text += f" and {one}" if one == names[-1] else f", {one}"
    return text


def _reduction(params: TuningParams) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import pair

    width = params.d_model
    yield from SHEET.part("1", "The reduction by LoRA")
    yield from SHEET.letters("1", D=width, R=params.rank)
    full, beside, each = width**2, pair(width, width, params.rank), pair(width, width, 1)
    values = {"full": full, "lora": beside, "ratio": Fraction(full, beside), "break_even": Fraction(full, each)}
    symbols = {"full": "N_W", "lora": "N_{BA}", "ratio": "N_W / N_{BA}", "break_even": "R_0"}
    yield from BESIDE.values("1", values, symbols=symbols)
    counts = [(rank, pair(width, width, rank)) for rank in params.ranks]
    table = {f"rank_{rank}": (rank, held, Fraction(full, held), Fraction(100 * held, full)) for rank, held in counts}
    yield from BESIDE.table("1", "ranks", table, units={"share": "%"}, headings={"values": "Values of A and B"},
                            given=GIVEN, columns=["rank", "values", "times_fewer", "share"])  # fmt: skip


def _first(params: TuningParams, network: Network, trained: Trained) -> Iterator[Found]:
    """The first model's letters and values, and what its methods with a size of their own train."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    model = network.model
    yield from SHEET.part("model", "The lecture's model")
    yield from SHEET.letters("model", N_layer=model.n_layers, D=model.d_model, D_ff=model.d_ff)
    yield from BUILT.letters("model", N_rows=network.rows_outside())
    yield from BUILT.values("model", {"values": values(network.named.values())}, symbols={"values": "N_model"})
    for name, symbol, size, route in (("adapters", "R_ad", params.adapter_width, BUILT), ("lora", "R", params.rank, BESIDE)):
        yield from SHEET.part(name, TITLES[name])
        yield from SHEET.values(name, {symbol: size}, symbols={symbol: symbol})
        yield from route.values(name, trained=values(trained[name]), symbols={"trained": SYMBOLS[name]})


def _shares(networks: Sequence[Network], trained: Sequence[Trained]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    yield from SHEET.part("2", "Trained shares")
    yield from BUILT.values("2", bitfit=values(trained[0]["bitfit"]), symbols={"bitfit": SYMBOLS["bitfit"]})
    models: dict[str, Cells] = {}
    shares: dict[str, Cells] = {}
    for place, (network, by_method) in enumerate(zip(networks, trained, strict=True), 1):
        model, whole = network.model, values(network.named.values())
        models[f"model_{place}"] = (model.name, model.n_layers, model.d_model, model.d_ff, whole)
        for name, tensors in by_method.items():
            share = Fraction(100 * values(tensors), whole)
            shares[f"model_{place}.{name}"] = (model.name, TITLES[name], share, values(tensors))
    columns, said = ["model", "layers", "width", "ffn", "values"], {"width": "D", "ffn": "FFN"}
    yield from BUILT.table("2", "models", models, headings=said, columns=columns, given=GIVEN)
    columns = ["model", "method", "share", "trained"]
    yield from BUILT.table("2", "shares", shares, units={"share": "%"}, columns=columns, given=GIVEN)


def _printed(params: TuningParams, networks: Sequence[Network]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    printed, first, whole = params.printed, networks[0], values(networks[0].named.values())
    norms = params.conventions.adapters_train_norms
    one, two = (values(first.adapters(width, norms=norms)) for width in (1, 2))
    yield from SHEET.part("3", "Beside the lecture's table")
    yield from SHEET.letters("3", omega=printed.adapters.percent / 100)
    difference = round(whole * float(printed.diff_pruning.percent) / 100)
    yield from BUILT.values("3", difference=round(difference, 2 - len(str(difference))))
    width = 1 + (printed.adapters.percent * whole / 100 - one) / (two - one)
    yield from LINE.values("3", width=width, symbols={"width": r"R_{\text{printed}}"})
    rows = {f"bitfit.model_{place}": _row("BitFit", printed.bitfit, None, values(each.biases()), each)
            for place, each in enumerate(networks, 1)}  # fmt: skip
    alike = ", ".join(str(row[1]) for row in rows.values() if row[-1] == "yes")
    yield from BUILT.values("3", bitfit_models=alike, bitfit_alike=alike != "", bitfit_apart=alike == "")
    sizes = {"own": params.adapter_width, **{f"other_{place}": size for place, size in enumerate(params.other_adapter_widths, 1)}}
    for name, size in sizes.items():
        if name == "own" or size != params.adapter_width:
            trained = values(first.adapters(size, norms=norms))
            rows[f"adapters.{name}"] = _row("Adapters", printed.adapters, size, trained, first)
    units = dict.fromkeys(("printed", "counted"), "%")
    columns = ["method", "counted_for", "inner_width", *units, "rounds_to_printed"]
    yield from BUILT.table("3", "printed", rows, units=units, columns=columns, given=GIVEN)


def _row(method: str, printed: Printed, width: int | None, trained: int, network: Network) -> tuple[Cell, ...]:
    """Whether a counted share, written with the decimals of the printed one, reads like it."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    share = Fraction(100 * trained, values(network.named.values()))
    alike = f"{float(share):.{printed.decimals}f}" == f"{float(printed.percent):.{printed.decimals}f}"
    return method, network.model.name, width, printed.percent, share, "yes" if alike else "no"


def _bytes(params: TuningParams, network: Network, trained: Trained) -> Iterator[Found]:
    """Each task keeps its own tensors beside the model that all share; training keeps tensors of their shape and type."""
    import torch

    held = params.conventions
    dtype = {2: torch.float16, 4: torch.float32}[held.bytes_per_value]

    def weight(tensors: Sequence[torch.Tensor]) -> int:
        return sum(tensor.to(dtype).nbytes for tensor in tensors)

    everything, rows = list(network.named.values()), {}
    for name, tensors in {"full": everything, **trained}.items():
        shared = 0 if name == "full" else weight(everything)
        alike = [one for one in tensors for _ in ("gradient", *range(held.optimizer_states))]
        held_bytes = (weight(tensors), shared + params.n_tasks * weight(tensors), weight(alike))
        rows[name] = (TITLES.get(name, "Full"), *(Fraction(one, 2**20) for one in held_bytes))
    columns = ["one_task", "all_tasks", "gradients_and_optimizer"]
    yield from SHEET.part("4", "What it saves")
    yield from WEIGHED.table("4", "bytes", rows, units=dict.fromkeys(columns, "MiB"), columns=["method", *columns], given=GIVEN)
