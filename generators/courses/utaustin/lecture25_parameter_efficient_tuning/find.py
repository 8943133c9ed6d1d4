"""Builds every model of transformers without storage, tunes it with torch modules, and counts what is trained.

From the lecture: the reduction by LoRA for a square matrix, and the column %Param of its table, whose first model is a BERT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
LINE = Route("a line through what is counted at sizes one and two")

TITLES = {"bitfit": "BitFit", "bitfit_half": "BitFit, half", "adapters": "Adapters", "lora": "LoRA"}
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
    yield from _over_size(params, networks[0])
    yield from _printed(params, networks)
    yield from _bytes(params, networks[0], trained[0])


def _trained(network: Network, params: TuningParams) -> Trained:
    return {
        "bitfit": network.biases(),
        "bitfit_half": network.some_biases(),
        "adapters": network.adapters(params.adapter_width, norms=params.conventions.adapters_train_norms),
        "lora": network.lora(params.rank, params.lora_on),
    }


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


def _reduction(params: TuningParams) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import pair

    width, rows, columns = params.d_model, params.n_rows, params.n_columns
    yield from SHEET.part("1", "The reduction by LoRA")
    yield from SHEET.letters("1", D=width, R=params.rank, m=rows, n=columns)
    full, beside, each = width**2, pair(width, width, params.rank), pair(width, width, 1)
    values = {"full": full, "lora": beside, "ratio": Fraction(full, beside), "break_even": Fraction(full, each)}
    values["rectangular"] = Fraction(rows * columns, pair(rows, columns, 1))
    symbols = {"full": "N_W", "lora": "N_{BA}", "ratio": "N_W / N_{BA}", "break_even": "r_0", "rectangular": "r_0"}
    yield from BESIDE.values("1", values, symbols=symbols)
    counts = [(rank, pair(width, width, rank)) for rank in params.ranks]
    table = {f"rank_{rank}": (rank, held, Fraction(full, held), Fraction(100 * held, full)) for rank, held in counts}
    yield from BESIDE.table("1", "ranks", table, units={"share": "%"}, headings={"values": "Values of A and B"},
                            columns=["rank", "values", "times_fewer", "share"])  # fmt: skip


def _first(params: TuningParams, network: Network, trained: Trained) -> Iterator[Found]:
    """The first model's letters and values, and what its methods with a size of their own train."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    model = network.model
    yield from SHEET.part("model", "The lecture's model")
    yield from SHEET.letters("model", N_layer=model.n_layers, D=model.d_model, D_ff=model.d_ff)
    yield from BUILT.letters("model", E=network.rows_outside())
    yield from BUILT.values("model", {"values": values(network.named.values())}, symbols={"values": "N_model"})
    for name, size, route in (("adapters", params.adapter_width, BUILT), ("lora", params.rank, BESIDE)):
        yield from SHEET.part(name, TITLES[name])
        yield from SHEET.letters(name, R=size)
        yield from route.values(name, trained=values(trained[name]), symbols={"trained": SYMBOLS[name]})


def _shares(networks: Sequence[Network], trained: Sequence[Trained]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    yield from SHEET.part("2", "Trained shares")
    for name in ("bitfit", "bitfit_half"):
        yield from BUILT.values("2", {name: values(trained[0][name])}, symbols={name: SYMBOLS[name]})
    models: dict[str, Cells] = {}
    shares: dict[str, Cells] = {}
    for place, (network, by_method) in enumerate(zip(networks, trained, strict=True), 1):
        model, whole = network.model, values(network.named.values())
        inside = Fraction(100 * values(network.in_layers()), whole)
        models[f"model_{place}"] = (model.name, model.n_layers, model.d_model, model.d_ff, whole, inside)
        for name, tensors in by_method.items():
            share = Fraction(100 * values(tensors), whole)
            shares[f"model_{place}.{name}"] = (model.name, TITLES[name], values(tensors), share)
    yield from BUILT.table("2", "models", models, units={"in_layers": "%"}, headings={"width": "D", "ffn": "FFN"},
                           columns=["model", "layers", "width", "ffn", "values", "in_layers"])  # fmt: skip
    yield from BUILT.table("2", "shares", shares, units={"share": "%"}, columns=["model", "method", "trained", "share"])


def _widths(params: TuningParams) -> list[int]:
    return sorted({params.adapter_width, *params.other_adapter_widths})


def _by_size(params: TuningParams, network: Network) -> dict[str, Callable[[int], int]]:
    """What adapters and LoRA train by their size."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    norms = params.conventions.adapters_train_norms
    return {
        "adapters": lambda width: values(network.adapters(width, norms=norms)),
        "lora": lambda rank: values(network.lora(rank, params.lora_on)),
    }


def _over_size(params: TuningParams, network: Network) -> Iterator[Found]:
    """Both methods hold values that grow evenly with their size; drawn are powers of two and the page's own sizes."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    own = {"adapters": _widths(params), "lora": [params.rank]}
    largest, whole = max(256, *own["adapters"], *own["lora"]), values(network.named.values())
    sizes = sorted({1, 2, 4, 8, 16, 32, 64, 128, 256, largest, *own["adapters"], *own["lora"]})
    ends = {name: (count(1), count(2)) for name, count in _by_size(params, network).items()}
    rows: dict[str, Cells] = {}
    for size in sizes:
        shares = {name: Fraction(100 * (one + (size - 1) * (two - one)), whole) for name, (one, two) in ends.items()}
        rows[f"size_{size}"] = (size, *shares.values(), *(share if size in own[name] else None for name, share in shares.items()))
    headings = {"size": "Inner width of adapters, rank of LoRA", "lora": "LoRA"}
    columns = ["adapters", "lora", "adapters_counted", "lora_counted"]
    yield from LINE.table("2", "over_size", rows, units=dict.fromkeys(columns, "%"), headings=headings,
                          columns=["size", *columns])  # fmt: skip


def _printed(params: TuningParams, networks: Sequence[Network]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    printed, first, whole = params.printed, networks[0], values(networks[0].named.values())
    adapters = _by_size(params, first)["adapters"]
    width = 1 + (printed.adapters.percent * whole / 100 - adapters(1)) / (adapters(2) - adapters(1))
    yield from SHEET.part("3", "Beside the lecture's table")
    yield from SHEET.letters("3", q=printed.adapters.percent / 100)
    yield from BUILT.values("3", difference=round(whole * float(printed.diff_pruning.percent) / 100))
    yield from LINE.values("3", width=width, symbols={"width": r"R_{\text{printed}}"})
    biases = {f"bitfit.model_{place}": _row("BitFit", printed.bitfit, one.model.name, values(one.biases()), one)
              for place, one in enumerate(networks, 1) if one.model.kind == "bert"}  # fmt: skip
    wide = {f"adapters.width_{one}": _row("Adapters", printed.adapters, f"{first.model.name}, width {one}", adapters(one), first)
            for one in _widths(params)}  # fmt: skip
    units = dict.fromkeys(("printed", "of_all_values", "of_the_layers"), "%")
    columns = ["method", "printed", "counted_for", "of_all_values", "of_the_layers", "rounds_to_it"]
    yield from BUILT.table("3", "printed", {**biases, **wide}, units=units, columns=columns)
    hits = [str(name) for _, _, name, _, _, fits in biases.values() if fits == "yes"]
    missed = len(biases) - len(hits)
    yield from BUILT.values("3", bitfit_fits=hits != [], bitfit_fits_none=hits == [])
    yield from BUILT.values("3", bitfit_fits_some_only=0 < missed < len(biases))
    if hits:
        yield from BUILT.values("3", bitfit_models=_joined(hits), n_bitfit_models=len(hits))
        yield from BUILT.values("3", {"n_other_models": missed} if missed else {})


def _row(method: str, printed: Printed, where: str, trained: int, network: Network) -> tuple[Cell, ...]:
    """Whether a counted share, written with the decimals of the printed one, reads like it."""
    from generators.courses.utaustin.lecture25_parameter_efficient_tuning.built_models import values

    share, inside = (Fraction(100 * trained, values(one)) for one in (network.named.values(), network.in_layers()))
    alike = f"{float(share):.{printed.decimals}f}" == f"{float(printed.percent):.{printed.decimals}f}"
    return method, printed.percent, where, share, inside, "yes" if alike else "no"


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
        cells = (weight(tensors), shared + params.n_tasks * weight(tensors), weight(alike))
        rows[name] = (TITLES.get(name, "Full"), *cells)
    columns = ["one_task", "all_tasks", "gradients_and_optimizer"]
    yield from SHEET.part("4", "What it saves")
    yield from WEIGHED.table("4", "bytes", rows, units=dict.fromkeys(columns, "B"), columns=["method", *columns])
